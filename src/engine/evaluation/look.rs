//! Looking at decisions.

use std::sync::Arc;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::{Category, Decision, Error, Evaluations, Status, fit::due};
use crate::engine::memory::{Broken, moment};

/// Which decisions to look at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Of the employee that has one of these names; of all, when there are none.
    pub names: Vec<String>,
    /// Only those of this status.
    pub status: Option<Status>,
    /// Only those of this kind.
    pub category: Option<Category>,
}

impl Filter {
    fn wants(&self, decision: &Decision) -> bool {
        let is_theirs = self.names.is_empty() || self.names.contains(&decision.employee);
        is_theirs
            && self.status.is_none_or(|status| decision.status == status)
            && self.category.is_none_or(|category| decision.category == category)
    }
}

/// What was found.
#[derive(Debug, Clone, Default)]
pub struct Listed {
    /// The newest first.
    pub decisions: Vec<Arc<Decision>>,
    /// How many fit.
    pub total: usize,
    /// Lines that are no decisions, the first of them.
    pub broken: Vec<Broken>,
    /// How many such lines there are.
    pub broken_count: usize,
}

/// A decision that should have been evaluated.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Overdue {
    /// The decision.
    #[serde(flatten)]
    pub decision: Arc<Decision>,
    /// Since when it is overdue.
    #[schemars(with = "String")]
    pub due: Timestamp,
    /// For how many whole days.
    pub days_overdue: i64,
    /// Why.
    pub because: Because,
}

/// Why a decision is overdue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Because {
    /// Its deadline is over.
    Deadline,
    /// It has none, and waits for long.
    Age,
}

impl Evaluations {
    /// The decision of `id`, which may be the beginning of it.
    ///
    /// # Errors
    /// [`Error::Unknown`], [`Error::Unfit`] when several begin so, [`Error::Store`] when the file cannot be read.
    pub fn get(&self, id: &str) -> Result<Arc<Decision>, Error> {
        self.look(|view| view.find(id).cloned())?
    }

    /// The newest `limit` of the decisions that fit.
    ///
    /// # Errors
    /// [`Error::Store`] when the file cannot be read.
    pub fn list(&self, filter: &Filter, limit: usize) -> Result<Listed, Error> {
        self.look(|view| {
            let fit = || view.newest().filter(|decision| filter.wants(decision));
            let (broken, broken_count) = view.broken();
            Listed {
                decisions: fit().take(limit).cloned().collect(),
                total: fit().count(),
                broken: broken.to_vec(),
                broken_count,
            }
        })
    }

    /// Decisions that wait for an evaluation although their deadline was over at `now`, or although they have none that can
    /// be read and were older than `age_days` then. Those that wait the longest come first.
    ///
    /// # Errors
    /// [`Error::Store`] when the file cannot be read.
    pub fn overdue(&self, filter: &Filter, now: Timestamp, age_days: u32) -> Result<Vec<Overdue>, Error> {
        let filter = Filter { status: Some(Status::Pending), ..filter.clone() };
        let mut overdue: Vec<_> = self.look(|view| {
            let pending = view.newest().filter(|decision| filter.wants(decision));
            pending.filter_map(|decision| overdue_at(decision, now, age_days)).collect()
        })?;
        overdue.sort_by_key(|overdue| overdue.due);
        Ok(overdue)
    }

    /// All that fit, for counting.
    pub(super) fn all(&self, filter: &Filter) -> Result<Vec<Arc<Decision>>, Error> {
        Ok(self.list(filter, usize::MAX)?.decisions)
    }
}

fn overdue_at(decision: &Arc<Decision>, now: Timestamp, age_days: u32) -> Option<Overdue> {
    let (due, because) = match due(&decision.deadline) {
        Some(due) => (due, Because::Deadline),
        None => {
            let age = jiff::SignedDuration::from_hours(24 * i64::from(age_days));
            (moment(&decision.created_at)?.saturating_add(age).ok()?, Because::Age)
        }
    };
    (due <= now).then(|| Overdue {
        decision: Arc::clone(decision),
        due,
        days_overdue: now.duration_since(due).as_hours() / 24,
        because,
    })
}

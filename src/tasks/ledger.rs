//! What work takes, and how much it may: one account for a task, shared by all that is done in it.
//!
//! Every call of a model is put down as soon as its price is known, also one whose step fails afterwards. It is on the
//! disk before anybody is told, so that neither a crash nor a resumption forgets what was spent.

use std::{borrow::Cow, sync::Arc};

use parking_lot::Mutex;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

use super::{
    Failure, Steps, Task,
    budget::{Limit, Limits},
    journal::Event,
};

/// Billionths of a dollar, in which amounts are compared: a tenth and two tenths are three tenths.
const BILLIONTHS: f64 = 1e9;

/// What some calls of a model took.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Spent {
    /// The employee it was asked for.
    pub by: String,
    /// The model that answered, as its provider names it.
    pub model: String,
    /// How many calls.
    pub calls: u64,
    /// Tokens read.
    pub input_tokens: u64,
    /// Those among them that the provider had in its cache.
    #[serde(default)]
    pub cached_input_tokens: u64,
    /// Tokens written.
    pub output_tokens: u64,
    /// What they cost in US dollars; absent when the price of the model is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_usd: Option<f64>,
}

impl Spent {
    fn tokens(&self) -> u64 {
        self.input_tokens.saturating_add(self.output_tokens)
    }

    /// Puts down what a call took, with what was taken for the same before.
    pub(super) fn add(all: &mut Vec<Self>, spent: Self) {
        let same = |known: &&mut Spent| {
            (&known.by, &known.model, known.cost_usd.is_some())
                == (&spent.by, &spent.model, spent.cost_usd.is_some())
        };
        let Some(known) = all.iter_mut().find(same) else { return all.push(spent) };
        known.calls += spent.calls;
        known.input_tokens += spent.input_tokens;
        known.cached_input_tokens += spent.cached_input_tokens;
        known.output_tokens += spent.output_tokens;
        let cost = known.cost_usd.zip(spent.cost_usd).map(|(known, more)| known + more);
        known.cost_usd = cost.map(|cost| (cost * BILLIONTHS).round() / BILLIONTHS);
    }
}

/// The most that a call to come may take.
#[derive(Debug, Clone, PartialEq)]
pub struct Estimate {
    /// The employee it is asked for.
    pub by: String,
    /// The model; of several that may answer, the dearest.
    pub model: String,
    /// Tokens, read and written.
    pub tokens: u64,
    /// US dollars; `None` when the price is not known.
    pub cost_usd: Option<f64>,
}

/// A call that was not made, as it could have crossed the line.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Reached {
    /// Of money.
    #[error(
        "the budget{} is reached: {} of {} USD are spent, and the next call (`{by}` on `{model}`) may take up to {}; \
        {} USD would let it go on",
        whose(of.as_deref()), usd(*spent), usd(*limit), usd(*next), usd(spent + next)
    )]
    Cost {
        /// Spent so far.
        spent: f64,
        /// What may be spent.
        limit: f64,
        /// Whose limit it is, see [`Limit`].
        of: Option<String>,
        /// What the next call may take.
        next: f64,
        /// The employee.
        by: String,
        /// The model.
        model: String,
    },
    /// Of tokens.
    #[error(
        "the budget{} is reached: {spent} of {limit} tokens are used, and the next call (`{by}` on `{model}`) may take up \
        to {next}; {} tokens would let it go on",
        whose(of.as_deref()), spent.saturating_add(*next)
    )]
    Tokens {
        /// Used so far.
        spent: u64,
        /// What may be used.
        limit: u64,
        /// Whose limit it is, see [`Limit`].
        of: Option<String>,
        /// What the next call may take.
        next: u64,
        /// The employee.
        by: String,
        /// The model.
        model: String,
    },
    /// Nobody can say what a call costs.
    #[error(
        "the run may cost {} USD at most, and the price of model `{model}` (employee `{by}`) is not known: add it to \
        `prices` in .crew/config.yaml, or limit tokens instead",
        usd(*limit)
    )]
    NoPrice {
        /// What may be spent.
        limit: f64,
        /// The employee.
        by: String,
        /// The model.
        model: String,
    },
}

fn whose(of: Option<&str>) -> String {
    of.map(|of| format!(" of {of}")).unwrap_or_default()
}

/// Dollars as they are told: to a millionth, without zeros at the end.
pub fn usd(dollars: f64) -> String {
    let text = format!("{dollars:.6}");
    let short = text.trim_end_matches('0').trim_end_matches('.');
    // What is less than that is still something.
    if short == "0" && dollars > 0.0 { format!("{dollars:e}") } else { short.to_owned() }
}

/// The account of one run.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    limits: Limits,
    sums: Mutex<Sums>,
    /// Woken when something that was reserved is free again.
    freed: Notify,
}

#[derive(Debug, Default)]
struct Sums {
    spent: Amount,
    reserved: Amount,
    reached: Option<Reached>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Amount {
    tokens: u64,
    billionths: u64,
}

impl Amount {
    fn of(tokens: u64, cost_usd: Option<f64>) -> Self {
        Self { tokens, billionths: billionths(cost_usd.unwrap_or_default()) }
    }

    fn plus(self, other: Self) -> Self {
        Self {
            tokens: self.tokens.saturating_add(other.tokens),
            billionths: self.billionths.saturating_add(other.billionths),
        }
    }

    fn minus(self, other: Self) -> Self {
        Self {
            tokens: self.tokens.saturating_sub(other.tokens),
            billionths: self.billionths.saturating_sub(other.billionths),
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "no amount is negative, and what is beyond the range is cut to it"
)]
fn billionths(dollars: f64) -> u64 {
    (dollars * BILLIONTHS).round() as u64
}

#[expect(clippy::cast_precision_loss, reason = "shown with six digits")]
fn dollars(billionths: u64) -> f64 {
    billionths as f64 / BILLIONTHS
}

impl Ledger {
    /// The account of `task`, with what earlier attempts spent.
    pub(super) fn of(task: &Task) -> Self {
        let spent = task.spent.iter().map(|spent| Amount::of(spent.tokens(), spent.cost_usd));
        let sums = Sums { spent: spent.fold(Amount::default(), Amount::plus), ..Sums::default() };
        Self { limits: Limits::among(&task.options), sums: Mutex::new(sums), freed: Notify::new() }
    }

    /// Takes what a call may need out of what is left; `None` when that has to wait for what others have reserved.
    fn take(&self, next: &Estimate) -> Result<Option<Amount>, Reached> {
        let amount = Amount::of(next.tokens, next.cost_usd);
        let mut sums = self.sums.lock();
        let Sums { spent, reserved, .. } = *sums;
        let reached = self.reached(spent, next, amount);
        if let Some(reached) = reached {
            sums.reached = Some(reached.clone());
            return Err(reached);
        }
        if self.reached(spent.plus(reserved), next, amount).is_some() {
            return Ok(None);
        }
        sums.reserved = reserved.plus(amount);
        Ok(Some(amount))
    }

    /// Whether a call that takes `next` crosses the line when `spent` is gone.
    fn reached(&self, spent: Amount, next: &Estimate, amount: Amount) -> Option<Reached> {
        let total = spent.plus(amount);
        let (by, model) = (next.by.clone(), next.model.clone());
        if let Some(Limit { most: limit, of }) = self.limits.cost_usd.clone() {
            let Some(next) = next.cost_usd else { return Some(Reached::NoPrice { limit, by, model }) };
            if total.billionths > billionths(limit) {
                return Some(Reached::Cost { spent: dollars(spent.billionths), limit, of, next, by, model });
            }
        }
        let Limit { most: limit, of } =
            self.limits.tokens.clone().filter(|limit| total.tokens > limit.most)?;
        Some(Reached::Tokens { spent: spent.tokens, limit, of, next: next.tokens, by, model })
    }
}

/// A part of the budget that is kept for one call, until this is dropped.
#[derive(Debug)]
pub struct Reservation {
    ledger: Arc<Ledger>,
    amount: Amount,
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let mut sums = self.ledger.sums.lock();
        sums.reserved = sums.reserved.minus(self.amount);
        drop(sums);
        self.ledger.freed.notify_waiters();
    }
}

impl Steps {
    /// How much the run may take in all.
    pub fn limits(&self) -> &Limits {
        &self.ledger().limits
    }

    /// Keeps what a call may take at most, so that calls made at the same time cannot cross the line together. While
    /// others hold what it needs, it waits for what they do not use.
    ///
    /// # Errors
    /// What is spent leaves no room for it: the call must not be made.
    pub async fn reserve(&self, next: &Estimate) -> Result<Reservation, Reached> {
        let ledger = self.ledger();
        loop {
            let freed = ledger.freed.notified();
            tokio::pin!(freed);
            // From now on it is woken, also by what is freed before it waits.
            freed.as_mut().enable();
            if let Some(amount) = ledger.take(next)? {
                return Ok(Reservation { ledger: Arc::clone(ledger), amount });
            }
            freed.await;
        }
    }

    /// Puts down what a call took; `reserved` is what was kept for it.
    ///
    /// # Errors
    /// The program ends before it could be recorded.
    pub async fn spend(&self, spent: Spent, reserved: Reservation) -> Result<(), Failure> {
        {
            let mut sums = self.ledger().sums.lock();
            sums.spent = sums.spent.plus(Amount::of(spent.tokens(), spent.cost_usd));
        }
        drop(reserved);
        let Some((shared, task_id)) = self.recorder() else { return Ok(()) };
        let event = Event::Spent { task_id: task_id.clone(), spent: Cow::Borrowed(&spent) };
        shared.record(&event, Some(self.attempt())).await.map_err(|_| self.interrupted())?;
        Ok(())
    }

    /// What the calls of the task have taken so far; nothing outside any task.
    pub fn spent(&self) -> Vec<Spent> {
        let task = self.recorder().and_then(|(shared, id)| shared.table.lock().live(id));
        task.map(|task| task.spent.clone()).unwrap_or_default()
    }

    /// Why a call was not made in this attempt, if one was not.
    pub fn reached(&self) -> Option<Reached> {
        self.ledger().sums.lock().reached.clone()
    }
}

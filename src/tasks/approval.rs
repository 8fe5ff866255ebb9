//! Approvals: a task asks a person, holds nothing while it waits, and goes on with what was decided.
//!
//! A decision is the output of a step. That is why it is on the disk before anybody is told, why it counts once, and
//! why a run that begins anew finds it like any other finished step.

use std::{borrow::Cow, sync::Arc};

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Engine, Error, Status, StepRecord, Task, TaskId,
    engine::{Shared, joined},
    home::Unkept,
    journal::Event,
};
use crate::base::clock;

/// What the steps are called that are decisions, with the name of what is approved after it.
const PREFIX: &str = "approval-";

/// The most characters of a comment.
pub const MAX_COMMENT: usize = 4000;

/// Something a task waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Waiting {
    /// The name to answer under; unique within the task.
    pub step: String,
    /// What is asked.
    pub question: String,
    /// Since when.
    #[schemars(with = "String")]
    pub since: Timestamp,
}

/// What a person decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Decision {
    /// Whether the work may go on.
    pub approved: bool,
    /// Why, in the words of who decided; at most 4000 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// Who decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

impl Decision {
    /// By whom it was refused, and why; `None` when it was approved.
    pub fn refusal(&self) -> Option<String> {
        let by = self.by.as_deref().map(|by| format!(" by `{by}`")).unwrap_or_default();
        let comment = self.comment.as_deref().map(|comment| format!(": {comment}")).unwrap_or_default();
        (!self.approved).then(|| format!("refused{by}{comment}"))
    }

    /// Whether it can be given to a task at all.
    ///
    /// # Errors
    /// [`Error::LongComment`].
    pub fn check(&self) -> Result<(), Error> {
        match &self.comment {
            Some(comment) if comment.chars().nth(MAX_COMMENT).is_some() => {
                Err(Error::LongComment { limit: MAX_COMMENT })
            }
            _ => Ok(()),
        }
    }
}

/// The step that is the decision about `name`.
pub(super) fn step_of(name: &str) -> String {
    format!("{PREFIX}{name}")
}

/// Whether `decision` is one that is waited for in the step `outer`, or about that step.
pub(super) fn is_within(decision: &str, outer: &str) -> bool {
    let rest = decision.strip_prefix(PREFIX).and_then(|about| about.strip_prefix(outer));
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

impl Engine {
    /// Gives the task `id` the decision it waits for, and lets it go on. It is on the disk once this returns the task
    /// as it stands then.
    ///
    /// `step` says which decision. It may be left out as long as the task has asked for one only: then whoever repeats
    /// a request cannot decide what they never saw.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Final`]; [`Error::Decided`] when that was decided before, [`Error::NotWaiting`]
    /// when it was never asked, [`Error::Ambiguous`] when `step` is needed, [`Error::LongComment`]; [`Error::Store`]
    /// when it cannot be recorded and the task waits as before.
    pub async fn decide(
        &self,
        id: &TaskId,
        step: Option<&str>,
        decision: Decision,
    ) -> Result<Arc<Task>, Error> {
        decision.check()?;
        let (shared, id, step) = (Arc::clone(&self.shared), id.clone(), step.map(str::to_owned));
        let deciding = async move { shared.decide(&id, step.as_deref(), &decision).await };
        joined(self.shared.tracker.spawn(deciding).await)
    }

    /// The task once nothing more happens to it by itself: it has ended, or waits for decisions. When the program ends
    /// before that, the task as it stands, see [`Engine::wait`].
    ///
    /// # Errors
    /// As [`Engine::get`].
    pub async fn settled(&self, id: &TaskId) -> Result<Arc<Task>, Error> {
        self.come_to(id, Status::is_settled).await
    }
}

impl Shared {
    async fn decide(
        self: &Arc<Self>,
        id: &TaskId,
        step: Option<&str>,
        decision: &Decision,
    ) -> Result<Arc<Task>, Error> {
        self.look_for(id).await?;
        let waiting = self.table.lock().begin_decision(id, step)?;
        let at = clock::now();
        let took = at.duration_since(waiting.since).as_millis();
        let record = StepRecord {
            step: waiting.step,
            output: serde_json::to_value(decision).expect("a decision is plain data"),
            at,
            duration_ms: u64::try_from(took).unwrap_or_default(),
        };
        let event = Event::Step { task_id: id.clone(), record: Cow::Borrowed(&record) };
        let kept = self.append(&event, None).await;
        self.table.lock().drop_decision(id, &record.step);
        match kept {
            Ok(_) => {
                tracing::info!(
                    task.id = id.as_str(),
                    approved = decision.approved,
                    "a task was decided about"
                );
                self.stir();
                self.get(id).await
            }
            Err(Unkept::Store(error)) => Err(error.into()),
            // Another replica was first; what it did is known by now.
            Err(Unkept::Refused) => {
                let again = self.table.lock().begin_decision(id, step);
                let waiting = again?;
                self.table.lock().drop_decision(id, &waiting.step);
                Err(Error::Decided { id: id.clone(), step: waiting.step })
            }
        }
    }
}

impl Task {
    /// It asks. What it asked before, it does not ask twice.
    pub(super) fn ask(&mut self, waiting: Waiting) {
        let is_new = self.waiting.iter().all(|known| known.step != waiting.step)
            && self.steps.iter().all(|done| done.step != waiting.step);
        if is_new {
            self.waiting.push(waiting);
            // Two that ask at once may reach the disk in either order.
            self.waiting.sort_by(|a, b| (a.since, &a.step).cmp(&(b.since, &b.step)));
        }
    }

    /// Nothing is left to do but to wait for `steps`; tells whether that is so.
    pub(super) fn park(&mut self, steps: &[String]) -> bool {
        let waits = |step: &String| self.waiting.iter().any(|waiting| waiting.step == *step);
        let idle = !steps.is_empty() && steps.iter().all(waits);
        if idle {
            self.status = Status::AwaitingApproval;
        }
        idle
    }

    /// Finds what a decision about `step` is about.
    pub(super) fn asked(&self, step: Option<&str>) -> Result<&Waiting, Error> {
        let id = || self.task_id.clone();
        if self.status.is_final() {
            return Err(Error::Final { id: id(), status: self.status });
        }
        let steps = || self.waiting.iter().map(|waiting| waiting.step.clone()).collect();
        let decided = || self.steps.iter().filter(|done| done.step.starts_with(PREFIX));
        if let Some(step) = step {
            return self.waiting.iter().find(|waiting| waiting.step == step).ok_or_else(|| {
                if decided().any(|done| done.step == step) {
                    Error::Decided { id: id(), step: step.to_owned() }
                } else {
                    Error::NotWaiting { id: id(), steps: steps() }
                }
            });
        }
        match (self.waiting.as_slice(), decided().next_back()) {
            ([only], None) => Ok(only),
            ([], Some(last)) => Err(Error::Decided { id: id(), step: last.step.clone() }),
            ([], None) => Err(Error::NotWaiting { id: id(), steps: steps() }),
            _ => Err(Error::Ambiguous { id: id(), steps: steps() }),
        }
    }
}

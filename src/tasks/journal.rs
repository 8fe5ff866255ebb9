//! The lines of a journal: what happened to which task.
//!
//! ```json
//! {"event":"created","task":{"task_id":"…","status":"pending","kind":"pipeline.run",…}}
//! {"event":"started","task_id":"…","attempt":1,"at":"2026-11-23T10:00:00Z"}
//! {"event":"step","task_id":"…","step":"review","output":…,"at":"…","duration_ms":5210}
//! {"event":"spent","task_id":"…","by":"reviewer","model":"…","calls":1,"input_tokens":900,"output_tokens":80,"cost_usd":0.0039}
//! {"event":"waiting","task_id":"…","step":"approval-2:deploy","question":"Ship it?","since":"…"}
//! {"event":"parked","task_id":"…","steps":["approval-2:deploy"]}
//! {"event":"retrying","task_id":"…","retry":1,"due":"…","error":"…","code":"model","at":"…"}
//! {"event":"finished","task_id":"…","status":"failed","error":"…","code":"budget-reached","at":"…"}
//! {"event":"resumed","task_id":"…","steps":["0:build"],"options":{…},"by":"…","at":"…"}
//! ```
//!
//! Where replicas share a journal, it also tells which of them does what: `by` in `created`, `started` and `finished`, and
//!
//! ```json
//! {"event":"stop","task_id":"…"}
//! {"event":"left","task_id":"…","by":"…"}
//! {"event":"adopted","task_id":"…","by":"…"}
//! {"event":"settled","task_id":"…","resumed":0}
//! ```
//!
//! What a person decided is the output of a step, `approval-2:deploy` here. Every output is written once. A `created` task may carry any state: it is the task as of that line.

use std::{borrow::Cow, sync::Arc};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Code, Failure, Spent, Status, StepRecord, Task, TaskId, Waiting, model::deadline};
use crate::base::clock;

/// The most levels of arrays and objects in a value that is kept. The JSON reader stops at 128, and a value that
/// is written but cannot be read again would be lost at the next start.
pub(super) const MAX_DEPTH: usize = 100;

/// One line of the journal. Applied in order, they give every task as it stands.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[expect(clippy::large_enum_variant, reason = "only one exists at a time, on its way to or from a line")]
pub(super) enum Event<'a> {
    /// A task was accepted.
    Created {
        task: Cow<'a, Task>,
        /// The replica that is to do it, where one of them is.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<Arc<str>>,
    },
    /// Work on it began, for the `attempt`th time.
    Started {
        task_id: TaskId,
        attempt: u32,
        at: Timestamp,
        /// The replica that does it, where there are several.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<Arc<str>>,
    },
    /// One step of it finished.
    Step {
        task_id: TaskId,
        #[serde(flatten)]
        record: Cow<'a, StepRecord>,
    },
    /// A call of a model was made for it.
    Spent {
        task_id: TaskId,
        #[serde(flatten)]
        spent: Cow<'a, Spent>,
    },
    /// It asks for a decision.
    Waiting {
        task_id: TaskId,
        #[serde(flatten)]
        waiting: Cow<'a, Waiting>,
    },
    /// It does nothing until one of these steps is decided. Void when one was decided before this line.
    Parked { task_id: TaskId, steps: Cow<'a, [String]> },
    /// It failed with something that may pass, and is tried again.
    Retrying {
        task_id: TaskId,
        #[serde(flatten)]
        again: Cow<'a, Retrying>,
    },
    /// It ended.
    Finished {
        task_id: TaskId,
        /// The replica that sees to its result, where there are several.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<Arc<str>>,
        #[serde(flatten)]
        ending: Cow<'a, Ending>,
    },
    /// It goes on after all, with what these steps gave; others are done again. Void when it was completed.
    Resumed {
        task_id: TaskId,
        #[serde(flatten)]
        again: Cow<'a, Again>,
    },
    /// Somebody wants it stopped, and the replica that has it is to do so.
    Stop { task_id: TaskId },
    /// The replica that had it is gone: it waits again.
    Left { task_id: TaskId, by: Arc<str> },
    /// Another replica sees to its result.
    Adopted { task_id: TaskId, by: Arc<str> },
    /// Its result, as it ended after so many resumptions, was seen to.
    Settled { task_id: TaskId, resumed: u32 },
}

/// When a task is tried again.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Retrying {
    /// The how manieth time it is tried again.
    pub(super) retry: u32,
    pub(super) due: Timestamp,
    /// Why the last try failed.
    pub(super) error: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) code: Option<Code>,
    pub(super) at: Timestamp,
}

/// How an ended task goes on.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Again {
    /// Names of the steps it keeps.
    pub(super) steps: Vec<String>,
    /// Its settings from then on.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub(super) options: Map<String, Value>,
    /// Who asked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) by: Option<String>,
    pub(super) at: Timestamp,
}

/// How a task ended.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Ending {
    pub(super) status: Status,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) result: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) error: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) code: Option<Code>,
    /// Whether it failed after all the tries it was given.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) dead: bool,
    pub(super) at: Timestamp,
}

impl Event<'_> {
    /// The line, without its `\n`.
    pub(super) fn line(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("text, numbers and JSON values always become JSON")
    }

    /// The same as text.
    pub(super) fn text(&self) -> String {
        serde_json::to_string(self).expect("text, numbers and JSON values always become JSON")
    }

    pub(super) fn task_id(&self) -> &TaskId {
        match self {
            Self::Created { task, .. } => &task.task_id,
            Self::Started { task_id, .. }
            | Self::Step { task_id, .. }
            | Self::Spent { task_id, .. }
            | Self::Waiting { task_id, .. }
            | Self::Parked { task_id, .. }
            | Self::Retrying { task_id, .. }
            | Self::Finished { task_id, .. }
            | Self::Resumed { task_id, .. }
            | Self::Stop { task_id }
            | Self::Left { task_id, .. }
            | Self::Adopted { task_id, .. }
            | Self::Settled { task_id, .. } => task_id,
        }
    }
}

impl Ending {
    /// The ending that follows from what a body answered.
    pub(super) fn of(outcome: Result<Value, Failure>) -> Self {
        match outcome {
            Ok(result) if nests_deeper_than(&result, MAX_DEPTH) => {
                let message = format!("the result nests deeper than {MAX_DEPTH} levels and cannot be kept");
                Self { error: Some(message), ..Self::with(Status::Failed) }
            }
            Ok(result) => Self { result: Some(result), ..Self::with(Status::Completed) },
            Err(Failure { message, code, partial, .. }) => Self {
                result: partial
                    .map(|partial| *partial)
                    .filter(|partial| !nests_deeper_than(partial, MAX_DEPTH)),
                error: Some(message),
                code,
                ..Self::with(Status::Failed)
            },
        }
    }

    /// That of work that began so often without getting anywhere.
    pub(super) fn given_up(fruitless: u32) -> Self {
        let message = format!("interrupted {fruitless} times without finishing a step; it was given up");
        Self::of(Err(Failure::coded(Code::INTERRUPTED, message)))
    }

    pub(super) fn cancelled() -> Self {
        Self::with(Status::Cancelled)
    }

    fn with(status: Status) -> Self {
        Self { status, result: None, error: None, code: None, dead: false, at: clock::now() }
    }
}

impl Task {
    /// Work on it begins.
    pub(super) fn start(&mut self, attempt: u32, at: Timestamp) {
        self.status = Status::Running;
        self.attempts = attempt;
        self.started_at = Some(at);
        self.retry_at = None;
    }

    /// Whoever worked on it is gone.
    pub(super) fn leave(&mut self) {
        if self.status == Status::Running {
            self.status = Status::Pending;
        }
    }

    /// It waits to be tried again.
    pub(super) fn retry(&mut self, again: Retrying) {
        self.status = Status::Pending;
        self.retries = again.retry;
        self.retry_at = Some(again.due);
        (self.error, self.code) = (Some(again.error), again.code);
    }

    /// A step is done. The first record of a step counts. What was waited for is waited for no more.
    pub(super) fn step(&mut self, record: StepRecord) {
        let waits = self.waiting.len();
        self.waiting.retain(|waiting| waiting.step != record.step);
        if self.status == Status::AwaitingApproval && self.waiting.len() < waits {
            self.status = Status::Pending;
        }
        if self.steps.iter().all(|known| known.step != record.step) {
            self.steps.push(record);
        }
    }

    /// It is over. A task that is over stays as it ended.
    pub(super) fn end(&mut self, ending: Ending) {
        if !self.status.is_final() {
            self.status = ending.status;
            self.result = ending.result;
            self.error = ending.error;
            self.code = ending.code;
            self.dead = ending.dead;
            self.retry_at = None;
            self.completed_at = Some(ending.at);
            self.waiting.clear();
        }
    }

    /// It goes on after all. What is completed is done.
    pub(super) fn resume(&mut self, again: Again) {
        if self.status == Status::Completed {
            return;
        }
        self.status = Status::Pending;
        self.resumed += 1;
        self.deadline = deadline(self.timeout_seconds, again.at);
        self.options = again.options;
        self.steps.retain(|done| again.steps.contains(&done.step));
        (self.completed_at, self.result, self.error, self.code) = (None, None, None, None);
        (self.retries, self.retry_at, self.dead) = (0, None, false);
    }
}

/// Whether `value` has more than `levels` arrays and objects inside each other.
pub(super) fn nests_deeper_than(value: &Value, levels: usize) -> bool {
    let inner = |inner: &Value| match levels.checked_sub(1) {
        Some(left) => nests_deeper_than(inner, left),
        None => true,
    };
    match value {
        Value::Array(items) => levels == 0 || items.iter().any(inner),
        Value::Object(fields) => levels == 0 || fields.values().any(inner),
        _ => false,
    }
}

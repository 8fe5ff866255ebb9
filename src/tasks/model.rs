//! A task as it is recorded and shown.

use std::{fmt, str::FromStr, sync::Arc};

use indexmap::IndexMap;
use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, Visitor},
};
use serde_json::{Map, Value};

use super::{Code, Spent, Waiting};
use crate::base::{Priority, TraceId, clock};

/// The id of a task: 1 to 64 of `A-Z a-z 0-9 - _`. New ones are 24 hexadecimal digits that count the time, a hyphen,
/// and 32 random ones; those of the predecessor (`20261122-191633-91117467`) stay readable.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, JsonSchema)]
#[schemars(with = "String")]
pub struct TaskId(Arc<str>);

impl TaskId {
    /// A new id; later ids sort after earlier ones, and none can be guessed.
    ///
    /// The first part is that of a UUID of version 7 which grows: milliseconds and a counter. What is random in such a
    /// UUID is too little for an id by which a remote client asks for its work, so that 128 random bits follow.
    ///
    /// # Panics
    /// When the system gives no random bytes, without which no UUID could be made either.
    pub fn generate() -> Self {
        let mut time = uuid::Uuid::now_v7().simple().to_string();
        time.truncate(24);
        let mut random = [0; 16];
        getrandom::fill(&mut random).expect("the system that made a UUID has random bytes");
        Self(format!("{time}-{}", hex::encode(random)).into())
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A text that is no task id.
#[derive(Debug, thiserror::Error)]
#[error("a task id is 1 to 64 letters, digits, `-` or `_`")]
pub struct NotATaskId;

impl FromStr for TaskId {
    type Err = NotATaskId;

    fn from_str(text: &str) -> Result<Self, NotATaskId> {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        if (1..=64).contains(&text.len()) && text.bytes().all(fits) {
            Ok(Self(text.into()))
        } else {
            Err(NotATaskId)
        }
    }
}

impl Serialize for TaskId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

// By hand, as a journal has many: without a text in between.
impl<'de> Deserialize<'de> for TaskId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;

        impl Visitor<'_> for Text {
            type Value = TaskId;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the id of a task")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<TaskId, E> {
                text.parse().map_err(E::custom)
            }
        }

        deserializer.deserialize_str(Text)
    }
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What body a task runs: `noun.verb`, for instance `pipeline.run`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Kind(std::borrow::Cow<'static, str>);

impl Kind {
    /// A kind the program defines.
    pub const fn new(name: &'static str) -> Self {
        Self(std::borrow::Cow::Borrowed(name))
    }

    /// A kind read from somewhere.
    pub fn named(name: impl Into<String>) -> Self {
        Self(std::borrow::Cow::Owned(name.into()))
    }

    /// `noun.verb`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The noun: what the predecessor called `target_type`.
    pub fn noun(&self) -> &str {
        self.0.split('.').next().unwrap_or_default()
    }
}

/// What started a task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Trigger(std::borrow::Cow<'static, str>);

impl Trigger {
    /// A call of the REST interface.
    pub const DIRECT: Self = Self(std::borrow::Cow::Borrowed("direct"));
    /// A delivery of GitHub.
    pub const GITHUB: Self = Self(std::borrow::Cow::Borrowed("github"));
    /// A schedule.
    pub const CRON: Self = Self(std::borrow::Cow::Borrowed("cron"));
    /// A tool call.
    pub const TOOL: Self = Self(std::borrow::Cow::Borrowed("tool"));
    /// An ended task that somebody wants done again.
    pub const REPLAY: Self = Self(std::borrow::Cow::Borrowed("replay"));
    /// An ended task that somebody wants done again from a step on.
    pub const FORK: Self = Self(std::borrow::Cow::Borrowed("fork"));
    /// A rule on how the server does, that is broken or kept again.
    pub const ALERT: Self = Self(std::borrow::Cow::Borrowed("alert"));
    /// The command line.
    pub const CLI: Self = Self(std::borrow::Cow::Borrowed("cli"));

    /// A trigger read from somewhere.
    pub fn named(name: impl Into<String>) -> Self {
        Self(std::borrow::Cow::Owned(name.into()))
    }

    /// The name as recorded.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Where a task is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Accepted and kept; not begun.
    Pending,
    /// Being worked on.
    Running,
    /// Parked until a person has decided; `waiting` says about what.
    AwaitingApproval,
    /// Done; `result` holds the answer.
    Completed,
    /// Ended without an answer; `error` says why.
    Failed,
    /// Stopped on request.
    Cancelled,
}

impl Status {
    /// All there are.
    pub const ALL: [Self; 6] = [
        Self::Pending,
        Self::Running,
        Self::AwaitingApproval,
        Self::Completed,
        Self::Failed,
        Self::Cancelled,
    ];

    /// The name as recorded.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::AwaitingApproval => "awaiting_approval",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether nothing more will happen.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled)
    }

    /// Whether nothing more will happen by itself.
    pub fn is_settled(self) -> bool {
        self.is_final() || self == Self::AwaitingApproval
    }
}

/// Work to be accepted.
#[derive(Debug, Clone, PartialEq)]
pub struct NewTask {
    /// Which body runs it.
    pub kind: Kind,
    /// What it works on: the name of an employee or a pipeline.
    pub target: String,
    /// Values the caller gives.
    pub args: IndexMap<String, String>,
    /// Settings of this run that the body understands, for instance `model`.
    pub options: Map<String, Value>,
    /// What started it.
    pub trigger: Trigger,
    /// Who started it.
    pub caller: Option<String>,
    /// Work already accepted under this key is not accepted twice.
    pub idempotency_key: Option<String>,
    /// The ended task it does again, wholly or in part.
    pub origin: Option<Origin>,
    /// How long it may take from now on, waiting included.
    pub timeout_seconds: Option<u32>,
    /// How soon it is begun.
    pub priority: Priority,
}

impl NewTask {
    /// Work of this kind on the thing of this name, with no values and started by a direct call.
    pub fn new(kind: Kind, target: impl Into<String>) -> Self {
        Self {
            kind,
            target: target.into(),
            args: IndexMap::new(),
            options: Map::new(),
            trigger: Trigger::DIRECT,
            caller: None,
            idempotency_key: None,
            origin: None,
            timeout_seconds: None,
            priority: Priority::Normal,
        }
    }
}

/// Where a task comes from that does an ended one again.
#[derive(Debug, Clone, PartialEq)]
pub struct Origin {
    /// The ended task.
    pub id: TaskId,
    /// What it had finished and need not be done again.
    pub steps: Vec<StepRecord>,
}

/// What changes when an ended task goes on.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Resumption {
    /// Its settings from now on.
    pub options: Map<String, Value>,
    /// Names of recorded steps that are to be done again all the same.
    pub again: Vec<String>,
    /// Who asked for it.
    pub by: Option<String>,
}

/// A finished step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StepRecord {
    /// Name of the step, unique within the task. A part of a step is called `outer/inner`.
    pub step: String,
    /// What it gave.
    pub output: Value,
    /// When it finished.
    #[schemars(with = "String")]
    pub at: Timestamp,
    /// How long it took.
    pub duration_ms: u64,
}

impl StepRecord {
    /// Whether it is a part of another step, `outer/inner`.
    pub fn is_inner(&self) -> bool {
        self.step.contains('/')
    }
}

/// A task as it stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[expect(
    clippy::struct_field_names,
    reason = "the names are those of the record the predecessor wrote and served"
)]
pub struct Task {
    /// Its id.
    pub task_id: TaskId,
    /// Where it is in its life.
    pub status: Status,
    /// What started it.
    pub trigger: Trigger,
    /// Which body runs it.
    pub kind: Kind,
    /// The noun of `kind`, as the predecessor named it: `employee` or `pipeline`.
    pub target_type: String,
    /// What it works on.
    pub target_name: String,
    /// Values the caller gave.
    pub args: IndexMap<String, String>,
    /// Settings of this run.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub options: Map<String, Value>,
    /// Who started it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caller: Option<String>,
    /// The key it was accepted under.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<String>,
    /// The ended task it does again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<TaskId>,
    /// How soon it is begun among those that wait; normal when it is not said.
    #[serde(default, skip_serializing_if = "Priority::is_normal")]
    pub priority: Priority,
    /// The trace of the request that started it, under which its own log lines stand too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<String>,
    /// When it was accepted.
    #[schemars(with = "String")]
    pub created_at: Timestamp,
    /// How long it may take since it was accepted or went on, waiting included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_seconds: Option<u32>,
    /// When it fails unless it has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub deadline: Option<Timestamp>,
    /// When work on it last began.
    #[schemars(with = "Option<String>")]
    pub started_at: Option<Timestamp>,
    /// When it ended.
    #[schemars(with = "Option<String>")]
    pub completed_at: Option<Timestamp>,
    /// How often work on it began: once more for each time it was interrupted, or went on after an approval.
    pub attempts: u32,
    /// How often it was told to go on after it had ended.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub resumed: u32,
    /// How often it failed with something that may pass, and was to be tried again, since it was accepted or told to go on.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub retries: u32,
    /// When it is tried again, while it waits for that; `error` says why the last try failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub retry_at: Option<Timestamp>,
    /// Whether it failed with something that may pass, after all the tries it was given.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dead: bool,
    /// Steps that are finished, in the order they finished.
    pub steps: Vec<StepRecord>,
    /// What its calls of models have taken so far, by employee and model.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub spent: Vec<Spent>,
    /// What it waits for a person to decide.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waiting: Vec<Waiting>,
    /// What it gave, once completed (or partly, when it failed).
    pub result: Option<Value>,
    /// Why it failed.
    pub error: Option<String>,
    /// Why it failed, for a program: `budget-reached`, `definition-changed`, `deadline`, `interrupted`, and others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<Code>,
}

/// The moment so many seconds after `from`.
pub(super) fn deadline(seconds: Option<u32>, from: Timestamp) -> Option<Timestamp> {
    from.checked_add(SignedDuration::from_secs(seconds?.into())).ok()
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out references")]
pub(super) fn is_zero(count: &u32) -> bool {
    *count == 0
}

impl Task {
    /// A task as it is accepted: pending, under a new id.
    pub(super) fn accept(new: NewTask) -> Self {
        let now = clock::now();
        let (origin, steps) = new.origin.map(|origin| (origin.id, origin.steps)).unzip();
        Self {
            task_id: TaskId::generate(),
            status: Status::Pending,
            trigger: new.trigger,
            target_type: new.kind.noun().to_owned(),
            kind: new.kind,
            target_name: new.target,
            args: new.args,
            options: new.options,
            caller: new.caller,
            idempotency_key: new.idempotency_key,
            origin,
            priority: new.priority,
            trace_id: Some(TraceId::current().to_string()),
            created_at: now,
            timeout_seconds: new.timeout_seconds,
            deadline: deadline(new.timeout_seconds, now),
            started_at: None,
            completed_at: None,
            attempts: 0,
            resumed: 0,
            retries: 0,
            retry_at: None,
            dead: false,
            steps: steps.unwrap_or_default(),
            spent: Vec::new(),
            waiting: Vec::new(),
            result: None,
            error: None,
            code: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_in_order_long_and_readable() {
        let ids: Vec<_> = std::iter::repeat_with(TaskId::generate).take(10_000).collect();
        assert!(ids.is_sorted_by(|a, b| a < b));
        for id in ids.iter().take(10) {
            assert_eq!(id.as_str().len(), 57);
            assert_eq!(id.as_str().parse::<TaskId>().unwrap(), *id);
        }
        let random = |id: &TaskId| id.as_str().split_once('-').unwrap().1.to_owned();
        let distinct: std::collections::HashSet<_> = ids.iter().map(random).collect();
        assert_eq!(distinct.len(), ids.len());
    }
}

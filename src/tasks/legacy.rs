//! Journals of the Python version: every line is a whole record, and the last one of a task counts.
//!
//! What ended stays as history. What had not ended is settled once, at the first start:
//!
//! - waiting, of kind `employee` or `pipeline`, at most a day old: it is queued and will be done. Its arguments are
//!   all that was recorded, so it runs with the settings its definition has now;
//! - waiting for longer, or of another kind: failed. The Python version never went back to such tasks, and work asked
//!   for months ago must not start because of an upgrade;
//! - running or waiting for approval: failed, with its checkpoint as the partial result. That checkpoint belongs to a
//!   definition that may have changed, and half of a step may have been done already.

use std::{borrow::Cow, collections::HashSet};

use indexmap::IndexMap;
use jiff::{SignedDuration, Timestamp, civil, tz::TimeZone};
use serde::{Deserialize, Deserializer, de::Error as _};
use serde_json::{Map, Value, json};

use super::{Code, Failure, Kind, Status, Task, TaskId, Trigger, journal::Ending};
use crate::base::Priority;

/// Waiting tasks older than this are not begun.
const MAX_WAIT: SignedDuration = SignedDuration::from_hours(24);

/// One line.
#[derive(Debug, Deserialize)]
pub(super) struct Record {
    task_id: TaskId,
    status: State,
    trigger: String,
    target_type: String,
    target_name: String,
    #[serde(default)]
    args: IndexMap<String, Value>,
    #[serde(deserialize_with = "moment")]
    created_at: Timestamp,
    #[serde(default, deserialize_with = "optional_moment")]
    completed_at: Option<Timestamp>,
    #[serde(default)]
    result: Option<Value>,
    #[serde(default)]
    error: Option<String>,
    #[serde(default)]
    checkpoint: Option<Value>,
    #[serde(default)]
    owner: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum State {
    Pending,
    Running,
    AwaitingApproval,
    Completed,
    Failed,
}

/// What is known of an old task besides the task itself.
#[derive(Debug)]
pub(super) struct Old {
    state: State,
    checkpoint: Option<Value>,
}

/// What becomes of an old task that has not ended.
#[derive(Debug)]
pub(super) enum Settled {
    Queue,
    End(Ending),
}

impl Record {
    /// The task, and what else is known while it has not ended.
    pub(super) fn into_task(self) -> (Task, Old) {
        let status = match self.status {
            State::Pending => Status::Pending,
            State::Running => Status::Running,
            State::AwaitingApproval => Status::AwaitingApproval,
            State::Completed => Status::Completed,
            State::Failed => Status::Failed,
        };
        let task = Task {
            task_id: self.task_id,
            status,
            trigger: Trigger::named(self.trigger),
            kind: Kind::named(format!("{}.run", self.target_type)),
            target_type: self.target_type,
            target_name: self.target_name,
            args: self.args.into_iter().map(|(name, value)| (name, text(value))).collect(),
            options: Map::new(),
            caller: self.owner,
            idempotency_key: None,
            trace_id: None,
            origin: None,
            priority: Priority::Normal,
            created_at: self.created_at,
            timeout_seconds: None,
            deadline: None,
            started_at: None,
            completed_at: self.completed_at,
            attempts: u32::from(status != Status::Pending),
            resumed: 0,
            retries: 0,
            retry_at: None,
            dead: false,
            steps: Vec::new(),
            spent: Vec::new(),
            waiting: Vec::new(),
            result: self.result,
            error: self.error,
            code: None,
        };
        (task, Old { state: self.status, checkpoint: self.checkpoint })
    }
}

impl Old {
    /// Decides about a task that has not ended; the module says how and why.
    pub(super) fn settle(&self, task: &Task, kinds: &HashSet<Kind>, now: Timestamp) -> Settled {
        let fail = |why: String, partial: Option<Value>| {
            let message = format!("interrupted before the upgrade: {why}; start it again");
            let partial = partial.map(Box::new);
            Settled::End(Ending::of(Err(Failure { partial, ..Failure::coded(Code::INTERRUPTED, message) })))
        };
        match self.state {
            State::Pending if !matches!(task.target_type.as_str(), "employee" | "pipeline") => {
                fail(format!("tasks of type `{}` are not continued", task.target_type), None)
            }
            State::Pending if now.duration_since(task.created_at) > MAX_WAIT => {
                fail("it had waited for more than a day without being begun".to_owned(), None)
            }
            State::Pending if kinds.contains(&task.kind) => Settled::Queue,
            State::Pending => fail("nothing here can do it".to_owned(), None),
            State::AwaitingApproval => {
                fail("it was waiting for approval".to_owned(), self.checkpoint.as_ref().map(partial))
            }
            State::Running | State::Completed | State::Failed => {
                let done = self.checkpoint.as_ref().and_then(finished_steps).unwrap_or(0);
                fail(
                    format!("it was running, and its {done} finished steps cannot be continued"),
                    self.checkpoint.as_ref().map(partial),
                )
            }
        }
    }
}

fn finished_steps(checkpoint: &Value) -> Option<usize> {
    Some(checkpoint.get("completed_steps")?.as_array()?.len())
}

fn partial(checkpoint: &Value) -> Value {
    json!({ "checkpoint": checkpoint })
}

fn text(value: Value) -> String {
    match value {
        Value::String(text) => text,
        other => other.to_string(),
    }
}

fn moment<'de, D: Deserializer<'de>>(source: D) -> Result<Timestamp, D::Error> {
    let text = Cow::<'de, str>::deserialize(source)?;
    moment_in(&text, TimeZone::system()).map_err(D::Error::custom)
}

fn optional_moment<'de, D: Deserializer<'de>>(source: D) -> Result<Option<Timestamp>, D::Error> {
    Option::<Cow<'de, str>>::deserialize(source)?
        .map(|text| moment_in(&text, TimeZone::system()).map_err(D::Error::custom))
        .transpose()
}

/// A time as the Python version wrote it: of the machine's zone, without saying which. An offset is heeded if given;
/// a time the zone cannot place is taken for UTC.
fn moment_in(text: &str, zone: TimeZone) -> Result<Timestamp, jiff::Error> {
    if let Ok(exact) = text.parse::<Timestamp>() {
        return Ok(exact);
    }
    let local: civil::DateTime = text.parse()?;
    local.to_zoned(zone).or_else(|_| local.to_zoned(TimeZone::UTC)).map(|zoned| zoned.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_without_a_zone_are_local() {
        let zone = || TimeZone::get("Asia/Shanghai").unwrap_or_else(|_| TimeZone::fixed(jiff::tz::offset(8)));
        let check = |text: &str, expected: &str| {
            assert_eq!(moment_in(text, zone()).unwrap().to_string(), expected);
        };
        check("2026-11-22T19:16:33.123456", "2026-11-22T11:16:33.123456Z");
        check("2026-11-22T19:16:33", "2026-11-22T11:16:33Z");
        check("2026-11-22T19:16:33+01:00", "2026-11-22T18:16:33Z");
        assert!(moment_in("yesterday", zone()).is_err());
    }
}

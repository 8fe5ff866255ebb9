//! A delivery as it is recorded and shown, and the lines of its log.
//!
//! ```json
//! {"event":"created","id":"<task>.0","task_id":"<task>","index":0,"type":"webhook","target":"https://example.com/…","at":"…"}
//! {"event":"begun","id":"<task>.0","attempt":1,"at":"…"}
//! {"event":"failed","id":"<task>.0","detail":"HTTP 503","at":"…","next_at":"…"}
//! {"event":"delivered","id":"<task>.0","detail":"HTTP 200","at":"…"}
//! {"event":"dead","id":"<task>.0","detail":"HTTP 404","at":"…"}
//! {"event":"asked","id":"<task>.0","at":"…"}
//! ```
//!
//! What is sent is not kept: it is made of the task each time. A line that says less than it should is passed over.

use std::{fmt, str::FromStr};

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::tasks::TaskId;

/// The id of a delivery: that of its task, `.`, and its place among the deliveries of that task; and where the task had
/// ended before and went on, `.` and how often it did.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct DeliveryId {
    /// The task whose result it is.
    pub task: TaskId,
    /// How often that task had gone on after an end.
    pub resumed: u32,
    /// Its place among the deliveries of that end, from 0.
    pub index: u32,
}

/// A text that is no id of a delivery.
#[derive(Debug, thiserror::Error)]
#[error("an id of a delivery is that of its task, `.` and a number")]
pub struct NotADeliveryId;

impl FromStr for DeliveryId {
    type Err = NotADeliveryId;

    fn from_str(text: &str) -> Result<Self, NotADeliveryId> {
        let number = |text: &str| {
            let digits = text.bytes().all(|byte| byte.is_ascii_digit());
            text.parse().ok().filter(|_| digits).ok_or(NotADeliveryId)
        };
        let (task, numbers) = text.split_once('.').ok_or(NotADeliveryId)?;
        let (index, resumed) = match numbers.split_once('.') {
            Some((index, resumed)) => (index, number(resumed)?),
            None => (numbers, 0),
        };
        Ok(Self { task: task.parse().map_err(|_| NotADeliveryId)?, resumed, index: number(index)? })
    }
}

impl TryFrom<String> for DeliveryId {
    type Error = NotADeliveryId;

    fn try_from(text: String) -> Result<Self, NotADeliveryId> {
        text.parse()
    }
}

impl From<DeliveryId> for String {
    fn from(id: DeliveryId) -> Self {
        id.to_string()
    }
}

impl fmt::Display for DeliveryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.task, self.index)?;
        if self.resumed > 0 { write!(f, ".{}", self.resumed) } else { Ok(()) }
    }
}

/// Where a delivery is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum DeliveryStatus {
    /// It waits for its first attempt, or for another.
    Pending,
    /// It is on its way.
    Sending,
    /// It was taken.
    Delivered,
    /// It was given up.
    Dead,
}

impl DeliveryStatus {
    /// The name as recorded.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Sending => "sending",
            Self::Delivered => "delivered",
            Self::Dead => "dead",
        }
    }
}

/// A delivery as it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Sending {
    /// Its id.
    pub id: DeliveryId,
    /// The task whose result it is.
    pub task_id: TaskId,
    /// The way it goes.
    #[serde(rename = "type")]
    pub kind: String,
    /// Where to, without what is secret.
    pub target: String,
    /// Where it is in its life.
    pub status: DeliveryStatus,
    /// How often it was tried.
    pub attempts: u32,
    /// What came of the last attempt.
    pub detail: String,
    /// When it last changed.
    #[schemars(with = "String")]
    pub at: Timestamp,
    /// When it is tried again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub next_at: Option<Timestamp>,
    /// When it began, or somebody last asked for it again; its age counts from here.
    #[serde(skip)]
    #[schemars(skip)]
    pub(super) since: Timestamp,
    /// How many attempts were made before somebody last asked for it again.
    #[serde(skip)]
    #[schemars(skip)]
    pub(super) spent: u32,
}

/// One line of the log.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "lowercase")]
pub(super) enum Event {
    /// A task ended, and its result is to go there.
    Created {
        id: DeliveryId,
        #[serde(rename = "type")]
        kind: String,
        target: String,
        at: Timestamp,
    },
    /// An attempt begins.
    Begun { id: DeliveryId, attempt: u32, at: Timestamp },
    /// It came to nothing and is tried again.
    Failed { id: DeliveryId, detail: String, at: Timestamp, next_at: Timestamp },
    /// It was taken.
    Delivered { id: DeliveryId, detail: String, at: Timestamp },
    /// It is given up.
    Dead { id: DeliveryId, detail: String, at: Timestamp },
    /// Somebody asks for it once more.
    Asked { id: DeliveryId, at: Timestamp },
}

impl Event {
    pub(super) fn id(&self) -> &DeliveryId {
        match self {
            Self::Created { id, .. }
            | Self::Begun { id, .. }
            | Self::Failed { id, .. }
            | Self::Delivered { id, .. }
            | Self::Dead { id, .. }
            | Self::Asked { id, .. } => id,
        }
    }

    /// The delivery that begins with this line.
    pub(super) fn begin(&self) -> Option<Sending> {
        let Self::Created { id, kind, target, at } = self else { return None };
        Some(Sending {
            id: id.clone(),
            task_id: id.task.clone(),
            kind: kind.clone(),
            target: target.clone(),
            status: DeliveryStatus::Pending,
            attempts: 0,
            detail: String::new(),
            at: *at,
            next_at: None,
            since: *at,
            spent: 0,
        })
    }
}

impl Sending {
    /// What `event` makes of it.
    pub(super) fn apply(&mut self, event: &Event) {
        match event {
            Event::Created { .. } => {}
            Event::Begun { attempt, at, .. } => {
                (self.status, self.attempts, self.at) = (DeliveryStatus::Sending, *attempt, *at);
                self.next_at = None;
            }
            Event::Failed { detail, at, next_at, .. } => {
                self.status = DeliveryStatus::Pending;
                (self.at, self.next_at) = (*at, Some(*next_at));
                self.detail.clone_from(detail);
            }
            Event::Delivered { detail, at, .. } => self.end(DeliveryStatus::Delivered, detail, *at),
            Event::Dead { detail, at, .. } => self.end(DeliveryStatus::Dead, detail, *at),
            Event::Asked { at, .. } => {
                self.status = DeliveryStatus::Pending;
                (self.at, self.since, self.next_at) = (*at, *at, Some(*at));
                self.spent = self.attempts;
            }
        }
    }

    fn end(&mut self, status: DeliveryStatus, detail: &str, at: Timestamp) {
        (self.status, self.at, self.next_at) = (status, at, None);
        detail.clone_into(&mut self.detail);
    }

    /// Whether nothing more will happen by itself.
    pub fn is_over(&self) -> bool {
        matches!(self.status, DeliveryStatus::Delivered | DeliveryStatus::Dead)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_as_it_is_written() {
        let task = TaskId::generate();
        for (index, resumed, end) in [(0, 0, ".0"), (3, 0, ".3"), (3, 12, ".3.12")] {
            let id = DeliveryId { task: task.clone(), resumed, index };
            assert_eq!(id.to_string(), format!("{task}{end}"));
            assert_eq!(id.to_string().parse::<DeliveryId>().unwrap(), id);
        }
        for text in ["", "a", "a.", ".0", "a.+1", "a.1.", "a.1.b", "a.1.2.3", "a.99999999999"] {
            assert!(text.parse::<DeliveryId>().is_err(), "{text}");
        }
    }
}

//! What is known of a session without reading all of it: what lists, accounts and work logs need.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{MOST_BYTES, SessionRow};
use crate::{
    engine::{
        cost::Ended,
        records::{
            Folder,
            catalogue::Brief,
            log::{Done, told},
        },
    },
    tasks::Spent,
};

/// A session in brief.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(in crate::engine) struct SessionBrief {
    pub(super) session_type: String,
    pub(super) subject: String,
    pub(super) started_at: String,
    /// How it ended; empty when it has not, as far as is told.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) status: String,
    /// What it took; absent when it is not one of ours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) ended: Option<Ended>,
    /// What was done in it, by whom; nothing when it is not one of ours.
    #[serde(default, skip_serializing_if = "Done::is_empty")]
    pub(in crate::engine) done: Done,
}

/// An event without what was said, which is most of it and need not be kept to be passed over.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Head {
    event: Value,
    timestamp: Value,
    session_type: Value,
    subject: Value,
    status: Value,
    metadata: Value,
}

impl From<Head> for Value {
    fn from(Head { event, timestamp, session_type, subject, status, metadata }: Head) -> Self {
        let fields = [
            ("event", event),
            ("timestamp", timestamp),
            ("session_type", session_type),
            ("subject", subject),
            ("status", status),
            ("metadata", metadata),
        ];
        Self::Object(fields.map(|(name, value)| (name.to_owned(), value)).into_iter().collect())
    }
}

impl Brief for SessionBrief {
    // In 1, steps that went well were counted as warnings.
    const FORMAT: u32 = 2;

    fn read(folder: &Folder, name: &str) -> Self {
        let mut reading = Reading::default();
        if let Err(error) = folder.lines(name, MOST_BYTES, |line| reading.take(line)) {
            tracing::debug!(file = name, %error, "a session cannot be read");
        }
        reading.brief
    }

    fn began(&self) -> &str {
        &self.started_at
    }
}

impl SessionBrief {
    /// Of a session with these lines.
    pub(super) fn of(text: &str) -> Self {
        let mut reading = Reading::default();
        text.lines().for_each(|line| reading.take(line.as_bytes()));
        reading.brief
    }

    /// The session of this id as it is listed.
    pub(in crate::engine) fn row(&self, id: &str) -> SessionRow {
        SessionRow {
            session_id: id.to_owned(),
            session_type: self.session_type.clone(),
            subject: self.subject.clone(),
            started_at: self.started_at.clone(),
        }
    }

    fn begin(&mut self, start: &Value) {
        let field = |name: &str| text(Some(start), name).unwrap_or_default().to_owned();
        (self.session_type, self.subject) = (field("session_type"), field("subject"));
        self.started_at = field("timestamp");
    }
}

/// What the lines of a session have told so far.
#[derive(Default)]
struct Reading {
    brief: SessionBrief,
    trigger: Option<String>,
    has_begun: bool,
}

impl Reading {
    /// The next line.
    fn take(&mut self, line: &[u8]) {
        let is_first = !std::mem::replace(&mut self.has_begun, true);
        let Ok(event) = serde_json::from_slice::<Head>(line).map(Value::from) else { return };
        let brief = &mut self.brief;
        if is_first {
            brief.begin(&event);
            self.trigger = text(event.get("metadata"), "trigger").map(str::to_owned);
        }
        if let (Some(_), Some(entry)) = (&self.trigger, told(&event, &brief.session_type, &brief.subject)) {
            brief.done.count(&entry);
        }
        brief.ended = self.trigger.as_deref().and_then(|trigger| ended(trigger, &event));
        if let Some(status) = text(Some(&event), "status") {
            status.clone_into(&mut brief.status);
        }
    }
}

fn text<'v>(value: Option<&'v Value>, name: &str) -> Option<&'v str> {
    value?.get(name)?.as_str()
}

/// What the last line of a session tells of what its run took.
fn ended(trigger: &str, end: &Value) -> Option<Ended> {
    Some(Ended {
        at: text(Some(end), "timestamp")?.parse().ok()?,
        trigger: trigger.to_owned(),
        spent: Vec::<Spent>::deserialize(end.get("metadata")?.get("spent")?).ok()?,
    })
}

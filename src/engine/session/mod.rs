//! What came of runs, one file each: `.crew/sessions/<id>.jsonl`, in the form of the predecessor.
//!
//! ```json
//! {"event":"start","timestamp":"…","session_type":"pipeline","subject":"review","metadata":{"task_id":"…","trigger":"cli","args":["target"]}}
//! {"event":"message","timestamp":"…","role":"assistant","content":"…","metadata":{"employee":"…","model":"…","cost_usd":0.01}}
//! {"event":"end","timestamp":"…","status":"completed","detail":"","metadata":{"calls":1,"input_tokens":900,"output_tokens":80,"cost_usd":0.01,"models":["…"],"spent":[…]}}
//! ```
//!
//! Neither prompts nor values are kept, as there may be secrets among them. The id is that of the task, so that a run whose
//! end comes twice, because the program died in between, is written twice and there once.

mod brief;
mod search;
mod told;

use std::{collections::HashSet, path::Path, sync::Arc, time::Duration};

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

pub use search::{SessionHit, SessionWish};
pub(in crate::engine) use {brief::SessionBrief, told::record};

use self::search::SearchIndex;
use super::{
    Error,
    cost::Ended,
    records::{
        Folder,
        catalogue::{Catalogue, Shelf},
    },
};

/// Where they are, relative to the root of the project.
const FOLDER: &str = ".crew/sessions";
/// How their files end.
const ENDING: &str = ".jsonl";
/// Of longer files the end is shown.
const MOST_BYTES: u64 = 64 << 20;
/// Most bytes of a first line.
const FIRST_LINE: u64 = 1 << 20;

/// A session in brief.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct SessionRow {
    /// Name of its file, without the ending.
    pub session_id: String,
    /// `employee`, `pipeline` or `discussion`.
    pub session_type: String,
    /// What was run.
    pub subject: String,
    /// When, as it is written there.
    pub started_at: String,
}

/// Which sessions to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SessionFilter {
    /// Only those of this type.
    pub session_type: Option<String>,
    /// Only those of this name.
    pub subject: Option<String>,
    /// At most this many, the newest.
    pub limit: usize,
}

/// What was told of one run.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Session {
    /// What it was.
    #[serde(flatten)]
    pub row: SessionRow,
    /// Whether this program wrote it.
    #[serde(skip)]
    pub(super) is_own: bool,
    /// All that is told of it, or as much of that as was asked for: `start`, `message` and `end`, in order.
    pub events: Vec<Value>,
    /// How many events there are.
    pub total: usize,
    /// Whether some are left out: those before the last ones.
    pub is_cut: bool,
}

/// The sessions of a project.
#[derive(Debug)]
pub struct Sessions {
    catalogue: Catalogue<SessionBrief>,
    index: SearchIndex,
}

impl Sessions {
    /// Those of the project at `root`. Reads nothing yet.
    pub fn of(root: &Path) -> Self {
        Self { catalogue: Catalogue::of(root, FOLDER, ENDING, is_id), index: SearchIndex::of(root) }
    }

    /// All of them in brief. Waits for the disk.
    pub(in crate::engine) fn look(&self) -> Arc<Shelf<SessionBrief>> {
        self.catalogue.look()
    }

    /// Those that fit, the newest first; files of the predecessor are among them. Waits for the disk.
    pub fn list(&self, filter: &SessionFilter) -> Vec<SessionRow> {
        let fits = |wanted: &Option<String>, is: &str| wanted.as_ref().is_none_or(|wanted| wanted == is);
        let all = self.look();
        let found = all.entries.iter().filter(|entry| {
            fits(&filter.session_type, &entry.brief.session_type)
                && fits(&filter.subject, &entry.brief.subject)
        });
        found.take(filter.limit).map(|entry| entry.brief.row(&entry.id)).collect()
    }

    /// What is told of a session, its last `most` events; lines that cannot be read are left out. Waits for the disk.
    ///
    /// # Errors
    /// [`Error::UnknownSession`] when there is none of that id.
    pub fn read(&self, id: &str, most: usize) -> Result<Session, Error> {
        let unknown = || Error::UnknownSession { id: crate::base::text::truncate(id, 100) };
        let name = self.catalogue.name(id).ok_or_else(unknown)?;
        read(&self.catalogue.folder().ok_or_else(unknown)?, &name, id, most).ok_or_else(unknown)
    }

    /// The runs among them that ended since then and are none of the tasks in `known`: they were over with their process,
    /// or have been forgotten. Waits for the disk.
    pub(super) fn unkept(&self, known: &HashSet<String>, since: Timestamp) -> Vec<Ended> {
        let all = self.look();
        let unknown = all.entries.iter().filter(|entry| !known.contains(&entry.id));
        let ended = unknown.filter_map(|entry| entry.brief.ended.clone());
        ended.filter(|ended| ended.at >= since).collect()
    }

    /// Keeps what is known of the session of `id`, which was written just now with these lines. Waits for the disk.
    fn note(&self, id: &str, text: &str) {
        self.catalogue.note(id, SessionBrief::of(text));
    }

    /// Lets go of what was read of them, if nobody has asked for it for `idle`.
    pub(super) fn rest(&self, idle: Duration) {
        self.catalogue.rest(idle);
    }

    /// Brings up to date what is kept beside the sessions: what is known of them, and the search index once there is one.
    /// Waits for the disk.
    pub fn tend(&self) {
        self.catalogue.keep();
        self.index.tend(self);
    }

    /// Removes a session. Waits for the disk.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub(in crate::engine) fn remove(&self, id: &str) -> std::io::Result<()> {
        match (self.catalogue.folder(), self.catalogue.name(id)) {
            (Some(folder), Some(name)) => folder.remove(&name),
            _ => Ok(()),
        }
    }
}

/// Reads the file `name` of a session.
fn read(folder: &Folder, name: &str, id: &str, most: usize) -> Option<Session> {
    let first = folder.head(name, FIRST_LINE).ok()?;
    let tail = folder.tail(name, MOST_BYTES).ok()?;
    let mut events: Vec<Value> =
        tail.text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let total = events.len();
    events.drain(..total.saturating_sub(most));
    let is_cut = tail.is_cut || events.len() < total;
    let start: Value = serde_json::from_str(&first).unwrap_or_default();
    let is_own = start.get("metadata").and_then(|metadata| metadata.get("trigger")).is_some();
    Some(Session { row: SessionRow::of(id, &start), is_own, events, total, is_cut })
}

impl SessionRow {
    /// What the first event of a session says of it.
    fn of(id: &str, start: &Value) -> Self {
        let text = |name: &str| start.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        Self {
            session_id: id.to_owned(),
            session_type: text("session_type"),
            subject: text("subject"),
            started_at: text("timestamp"),
        }
    }
}

/// An id is never a path.
pub(in crate::engine) fn is_id(id: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    (1..=100).contains(&id.len()) && id.bytes().all(fits)
}

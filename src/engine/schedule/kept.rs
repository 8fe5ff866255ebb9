//! What is kept of the schedules from one start to the next: `.crew/cron-state.json`.

use std::{
    collections::VecDeque,
    path::{Path, PathBuf},
};

use indexmap::IndexMap;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    store::{self, document},
    tasks::{Status, TaskId},
};

/// The document, below the root of a project.
const STATE: &str = ".crew/cron-state.json";

/// All that is kept, by the names of the schedules.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Book {
    #[serde(default)]
    pub(super) schedules: IndexMap<String, Kept>,
}

/// What is kept of one schedule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Kept {
    /// The expression and the zone that the moments are of. When these change, what was due before is nothing to make up for.
    pub(super) when: String,
    /// Every moment up to this one has been seen to.
    pub(super) until: Timestamp,
    /// How many moments went by without a run.
    #[serde(default)]
    pub(super) missed: u64,
    /// Moments whose runs wait, the first one first.
    #[serde(default, skip_serializing_if = "VecDeque::is_empty")]
    pub(super) queued: VecDeque<Timestamp>,
    /// Since when runs cannot begin, if they cannot: nothing of them is missed, however long that takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) held_since: Option<Timestamp>,
    /// The run that began last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) last: Option<Last>,
}

/// A run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Last {
    /// The moment it is of.
    pub(super) due: Timestamp,
    /// Its task, if one was accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) task_id: Option<TaskId>,
    /// How it ended, once it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) status: Option<Status>,
    /// Why it failed, or was not accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) error: Option<String>,
    /// How long it took.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) duration_ms: Option<u64>,
}

impl Book {
    /// What an earlier process kept in the project at `root`. Blocks. What cannot be read is told and set aside: without it
    /// schedules go on from now.
    pub(super) fn read(root: &Path) -> Self {
        let path = path(root);
        let bytes = match document::read(&path) {
            Ok(bytes) => bytes.unwrap_or_default(),
            Err(error) => {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "the state of the schedules is lost"
                );
                return Self::default();
            }
        };
        if bytes.is_empty() {
            return Self::default();
        }
        serde_json::from_slice(&bytes).unwrap_or_else(|error| {
            tracing::error!(path = %path.display(), %error, "the state of the schedules cannot be read");
            Self::default()
        })
    }

    /// Keeps it. Blocks.
    pub(super) fn write(&self, root: &Path) -> Result<(), store::Error> {
        let bytes = serde_json::to_vec_pretty(self).expect("the state is plain data");
        document::replace(&path(root), &bytes)
    }
}

fn path(root: &Path) -> PathBuf {
    root.join(STATE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_comes_back_as_it_was_and_nonsense_is_no_state() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Book::read(folder.path()), Book::default());
        let mut book = Book::default();
        let due: Timestamp = "2026-11-25T09:00:00Z".parse().unwrap();
        let last =
            Last { due, task_id: Some(TaskId::generate()), status: None, error: None, duration_ms: None };
        let kept = Kept {
            when: "@daily UTC".into(),
            until: due,
            missed: 3,
            queued: [due].into(),
            held_since: Some(due),
            last: Some(last),
        };
        book.schedules.insert("每日".into(), kept);
        book.write(folder.path()).unwrap();
        assert_eq!(Book::read(folder.path()), book);
        std::fs::write(path(folder.path()), "{\"schedules\": [").unwrap();
        assert_eq!(Book::read(folder.path()), Book::default());
    }
}

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

/// Why it is not known what was kept.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unread {
    /// It cannot be read now.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// Nobody could read it.
    #[error("`{path}` is not what crew writes")]
    Nonsense {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
}

impl Book {
    /// What an earlier process kept in the project at `root`; nothing when there is no file. Blocks.
    ///
    /// # Errors
    /// [`Unread`]; nothing is known then, which is not the same as that nothing was kept.
    pub(super) fn read(root: &Path) -> Result<Self, Unread> {
        let path = path(root);
        let bytes = document::read(&path)?.unwrap_or_default();
        if bytes.is_empty() {
            return Ok(Self::default());
        }
        serde_json::from_slice(&bytes).map_err(|source| Unread::Nonsense { path, source })
    }

    /// The same for whoever is about to write it: what nobody could read is moved to `<file>.rejected-<time>`, and schedules go
    /// on from now without it.
    ///
    /// # Errors
    /// When it cannot be read now, or not be moved: writing it would lose what is in it.
    pub(super) fn take_up(root: &Path) -> Result<Self, store::Error> {
        let unread = match Self::read(root) {
            Ok(book) => return Ok(book),
            Err(Unread::Store(error)) => return Err(error),
            Err(unread) => unread,
        };
        let moved_to = document::set_aside(&path(root))?;
        tracing::error!(
            error = &unread as &dyn std::error::Error,
            moved_to = %moved_to.display(),
            "the state of the schedules cannot be read; it was moved aside, and they go on from now"
        );
        Ok(Self::default())
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
    use std::{fs, sync::Arc};

    use super::*;
    use crate::engine::schedule::{
        Scheduler,
        tests::{HOURLY, at, office},
    };

    #[test]
    fn it_comes_back_as_it_was_and_nonsense_is_no_state() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Book::read(folder.path()).unwrap(), Book::default());
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
        assert_eq!(Book::read(folder.path()).unwrap(), book);
        let torn = "{\"schedules\": [";
        fs::write(path(folder.path()), torn).unwrap();
        assert!(matches!(Book::read(folder.path()), Err(Unread::Nonsense { .. })));
        assert_eq!(fs::read_to_string(path(folder.path())).unwrap(), torn, "whoever looks moves nothing");
        assert_eq!(Book::take_up(folder.path()).unwrap(), Book::default());
        book.write(folder.path()).unwrap();
        assert_eq!(Book::take_up(folder.path()).unwrap(), book);
        let names = fs::read_dir(folder.path().join(".crew")).unwrap().map(|entry| entry.unwrap().path());
        let aside: Vec<_> = names.filter(|name| name.to_string_lossy().contains(".rejected-2")).collect();
        let [aside] = &aside[..] else { panic!("{aside:?}") };
        assert_eq!(fs::read_to_string(aside).unwrap(), torn);
    }

    /// A disk that does not answer for a moment.
    #[cfg(unix)]
    #[tokio::test]
    async fn what_cannot_be_read_now_is_not_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let (crew, tasks, tracker) = office(folder.path(), HOURLY, 0).await;
        let cron = crew.definitions().await.cron.clone();
        let earlier = Scheduler::new(Arc::clone(&crew), tasks.clone(), Book::default());
        earlier.round(cron.as_ref(), at("2026-11-25T09:30:00Z")).await;
        let (file, aside) = (path(folder.path()), folder.path().join("aside"));
        fs::rename(&file, &aside).unwrap();
        // It leads to itself.
        std::os::unix::fs::symlink("cron-state.json", &file).unwrap();

        let scheduler = Scheduler::new(Arc::clone(&crew), tasks.clone(), Book::default());
        scheduler.state.lock().unread = true;
        scheduler.round(cron.as_ref(), at("2026-11-25T12:30:00Z")).await;
        assert!(fs::symlink_metadata(&file).unwrap().is_symlink(), "nothing was written");
        fs::rename(&aside, &file).unwrap();
        scheduler.round(cron.as_ref(), at("2026-11-25T12:30:10Z")).await;
        assert_eq!(scheduler.status().schedules[0].missed, 3);
        assert_eq!(Book::read(folder.path()).unwrap().schedules["a:b"].missed, 3);
        tracker.stop();
    }
}

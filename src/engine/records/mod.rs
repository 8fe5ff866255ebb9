//! What was written down of runs and discussions: sessions, work logs and meetings. Folders of the project are read within
//! bounds, each file once; what is too old can be removed.

pub(in crate::engine) mod catalogue;
mod folder;
pub mod log;
pub mod meeting;
mod retention;

use std::{path::Path, time::Duration};

pub use folder::{Folder, Tail};
pub use retention::{Kept, Needed, Pruned, Retention};

use self::{catalogue::Catalogue, log::LogBrief, meeting::Meetings};
use super::session::{Sessions, is_id};

/// The records of a project. Everything here waits for the disk.
#[derive(Debug)]
pub struct Records {
    /// What came of runs.
    pub sessions: Sessions,
    /// What was discussed.
    pub meetings: Meetings,
    /// Work logs of the predecessor; the others are told from sessions.
    logs: Catalogue<LogBrief>,
}

impl Records {
    /// Those of the project at `root`. Reads nothing yet.
    pub fn of(root: &Path) -> Self {
        Self {
            sessions: Sessions::of(root),
            meetings: Meetings::of(root),
            logs: Catalogue::of(root, log::FOLDER, log::ENDING, is_id),
        }
    }

    /// Lets go of what was read of them, if nobody has asked for it for `idle`; who asks next waits for the disk again.
    pub fn rest(&self, idle: Duration) {
        self.sessions.rest(idle);
        self.logs.rest(idle);
    }
}

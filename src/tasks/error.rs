//! What can go wrong with the work itself being kept, as opposed to being done (that is a [`super::Failure`]).

use std::path::PathBuf;

use super::{Status, TaskId};
use crate::store;

/// Why a request about tasks was not served.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another process works on this journal.
    #[error(
        "the tasks in `{path}` belong to {}",
        pid.map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}"))
    )]
    Owned {
        /// The journal.
        path: PathBuf,
        /// Who owns it; `None` when it did not say.
        pid: Option<u32>,
    },
    /// As many tasks wait as are allowed to.
    #[error("{limit} tasks are waiting already")]
    Full {
        /// The most tasks that may wait.
        limit: usize,
    },
    /// The journal cannot be read or written; nothing was accepted.
    #[error("the journal of tasks failed")]
    Store(#[source] store::Error),
    /// Nobody here does this kind of work.
    #[error("no task is of kind `{kind}`")]
    UnknownKind {
        /// The kind asked for.
        kind: String,
    },
    /// There is no such task, or it ended so long ago that it was forgotten.
    #[error("there is no task `{id}`")]
    NotFound {
        /// The id asked for.
        id: TaskId,
    },
    /// The task had ended already.
    #[error("task `{id}` has ended already: {}", status.as_str())]
    Final {
        /// The task.
        id: TaskId,
        /// How it ended.
        status: Status,
    },
    /// Values so deeply nested that they could be written but not read again.
    #[error("the options of the task nest deeper than {limit} levels")]
    TooDeep {
        /// The most levels.
        limit: usize,
    },
    /// The program is shutting down, and the request cannot outlive it.
    #[error("shutting down")]
    Stopping,
}

impl From<store::Error> for Error {
    fn from(error: store::Error) -> Self {
        match error {
            store::Error::Owned { path, pid } => Self::Owned { path, pid },
            other => Self::Store(other),
        }
    }
}

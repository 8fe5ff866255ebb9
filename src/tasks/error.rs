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
    /// The journal does not hold a task where it was: somebody has edited the file.
    #[error(
        "task `{id}` is not where it was in `{}`, so the file was changed by hand; delete the `.index` file beside it \
        and start again, and it is read anew",
        path.display()
    )]
    Misplaced {
        /// The task.
        id: TaskId,
        /// The journal.
        path: PathBuf,
    },
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
    /// Only a task that failed or was cancelled goes on when it is told to.
    #[error("task `{id}` is {}; only one that failed or was cancelled can be resumed", told(*status))]
    NotResumable {
        /// The task.
        id: TaskId,
        /// How it stands.
        status: Status,
    },
    /// Only an ended task can be done again.
    #[error("task `{id}` has not ended: it is {}", told(*status))]
    NotEnded {
        /// The task.
        id: TaskId,
        /// How it stands.
        status: Status,
    },
    /// That was decided before; the first decision counts.
    #[error("`{step}` of task `{id}` was decided already")]
    Decided {
        /// The task.
        id: TaskId,
        /// What was decided.
        step: String,
    },
    /// The task does not ask for that.
    #[error("task `{id}` {}", waits_for(steps))]
    NotWaiting {
        /// The task.
        id: TaskId,
        /// What it does ask for.
        steps: Vec<String>,
    },
    /// The task asks for more than one decision, or asked for another before.
    #[error("task `{id}` asks for more than one approval; say which `step`: it {}", waits_for(steps))]
    Ambiguous {
        /// The task.
        id: TaskId,
        /// What it asks for now.
        steps: Vec<String>,
    },
    /// The comment of a decision is too long.
    #[error("a comment has at most {limit} characters")]
    LongComment {
        /// The most characters.
        limit: usize,
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

/// A status in a sentence.
fn told(status: Status) -> String {
    status.as_str().replace('_', " ")
}

fn waits_for(steps: &[String]) -> String {
    if steps.is_empty() {
        return "waits for no approval".to_owned();
    }
    let quoted: Vec<_> = steps.iter().map(|step| format!("`{step}`")).collect();
    format!("waits for {}", quoted.join(", "))
}

impl From<store::Error> for Error {
    fn from(error: store::Error) -> Self {
        match error {
            store::Error::Owned { path, pid } => Self::Owned { path, pid },
            other => Self::Store(other),
        }
    }
}

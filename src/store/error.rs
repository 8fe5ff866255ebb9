//! What can go wrong on disk.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

/// Why something could not be kept or read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another process, or another part of this one, writes this log.
    #[error("`{path}` is in use by {}", owner(*pid))]
    Owned {
        /// The log, not its lock file.
        path: PathBuf,
        /// The process that owns it; `None` when the lock file does not tell.
        pid: Option<u32>,
    },
    /// A file or folder refused.
    #[error("cannot {action} `{path}`")]
    File {
        /// What was tried: a verb and perhaps its object.
        action: &'static str,
        /// Which file or folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A record did not reach the disk; nothing of it was kept. Every caller of one batch is told the same.
    #[error("cannot append to `{path}`")]
    Append {
        /// The log.
        path: PathBuf,
        /// What the system said, for instance that the disk is full.
        #[source]
        source: Arc<io::Error>,
    },
    /// A value that is no JSON, so it cannot become a record.
    #[error("a record of `{path}` cannot be written as JSON")]
    Encode {
        /// The log.
        path: PathBuf,
        /// What the encoder said.
        #[source]
        source: serde_json::Error,
    },
    /// A record with a line break in it would become two.
    #[error("a record of `{path}` contains a line break")]
    LineBreak {
        /// The log.
        path: PathBuf,
    },
    /// A database refused, or does not answer.
    #[error("cannot {action} the database {place}")]
    Database {
        /// What was tried: a verb and perhaps its object.
        action: &'static str,
        /// Its host, port and name; never a password.
        place: String,
        /// Whether trying again is of no use.
        lasts: bool,
        /// What it said, or what became of the connection.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A newer program keeps its lines there in another form.
    #[error(
        "the tables in the database {place} are of form {found}, and this program knows {known}; use a newer one"
    )]
    Newer {
        /// Its host, port and name.
        place: String,
        /// The form they have.
        found: i32,
        /// The newest form that is known here.
        known: i32,
    },
    /// The database holds less than was read from it before: it was set back.
    #[error("the database {place} was set back to an earlier state; restart to go on from there")]
    SetBack {
        /// Its host, port and name.
        place: String,
    },
    /// The thread that writes the log has ended.
    #[error("`{path}` is no longer being written")]
    Closed {
        /// The log.
        path: PathBuf,
    },
}

impl Error {
    /// The same, for another who has to be told.
    pub(crate) fn again(&self) -> Self {
        match self {
            Self::Database { action, place, lasts, source } => Self::Database {
                action,
                place: place.clone(),
                lasts: *lasts,
                source: source.to_string().into(),
            },
            Self::Newer { place, found, known } => {
                Self::Newer { place: place.clone(), found: *found, known: *known }
            }
            Self::SetBack { place } => Self::SetBack { place: place.clone() },
            other => Self::Closed { path: other.to_string().into() },
        }
    }

    /// For `map_err`: `action` on `path` failed.
    pub(super) fn file(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { action, path, source }
    }
}

fn owner(pid: Option<u32>) -> String {
    pid.map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}"))
}

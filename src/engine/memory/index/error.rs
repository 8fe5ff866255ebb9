//! What goes wrong with the index.

use std::{io, path::PathBuf};

/// Why the index cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database says no.
    #[error("the index of memories cannot be used")]
    Database(#[from] rusqlite::Error),
    /// What it is kept in cannot be made or replaced.
    #[error("cannot put an index of memories at `{}`", path.display())]
    Place {
        /// Where.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// What is in it makes no sense.
    #[error("the index of memories is torn")]
    Torn,
}

impl Error {
    /// Whether somebody else was writing for longer than there was time to wait.
    pub(super) fn is_busy(&self) -> bool {
        matches!(self, Self::Database(rusqlite::Error::SqliteFailure(failure, _))
            if failure.code == rusqlite::ErrorCode::DatabaseBusy)
    }

    /// Whether what is there has to be thrown away.
    pub(super) fn is_torn(&self) -> bool {
        use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
        match self {
            Self::Torn
            | Self::Database(
                rusqlite::Error::FromSqlConversionFailure(..) | rusqlite::Error::InvalidColumnType(..),
            ) => true,
            Self::Database(rusqlite::Error::SqliteFailure(failure, message)) => {
                let gone = message.as_deref().is_some_and(|text| text.starts_with("no such table"));
                matches!(failure.code, DatabaseCorrupt | NotADatabase) || gone
            }
            Self::Database(_) | Self::Place { .. } => false,
        }
    }
}

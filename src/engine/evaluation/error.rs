//! Why a decision cannot be tracked, found or evaluated.

use crate::store;

/// What stops an operation on decisions.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A value that does not fit; the text says which, and what would.
    #[error("{0}")]
    Unfit(String),
    /// There is no decision of that id.
    #[error("there is no decision `{id}`")]
    Unknown {
        /// What was asked for.
        id: String,
        /// The nearest id there is.
        near: Option<String>,
    },
    /// The meeting that a decision is said to come from is not kept here.
    #[error("there is no meeting `{id}`")]
    NoMeeting {
        /// What was named.
        id: String,
    },
    /// It does not fit what there is.
    #[error("{0}")]
    Conflict(String),
    /// The program ends.
    #[error("the program is ending")]
    Interrupted,
    /// A decision that is no JSON.
    #[error("a decision cannot be written as JSON")]
    Encode(#[from] serde_json::Error),
    /// The disk refused.
    #[error(transparent)]
    Store(#[from] store::Error),
}

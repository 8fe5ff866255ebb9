//! Why something cannot be remembered, changed or forgotten.

use crate::store;

/// What stops an operation on memory.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A value that does not fit; the text says which, and what would.
    #[error("{0}")]
    Unfit(String),
    /// There is no entry of that id.
    #[error("`{employee}` has no {what} `{id}`{}", near.as_deref().map(|near| format!("; did you mean `{near}`?")).unwrap_or_default())]
    Unknown {
        /// `memory` or `archived memory`.
        what: &'static str,
        /// What was asked for.
        id: String,
        /// In whose memory.
        employee: String,
        /// The nearest id there is.
        near: Option<String>,
    },
    /// There is no draft of that id.
    #[error("there is no draft `{id}`; `memory drafts` lists those that wait")]
    NoDraft {
        /// What was asked for.
        id: String,
    },
    /// It does not fit what there is.
    #[error("{0}")]
    Conflict(String),
    /// The program ends.
    #[error("the program is ending")]
    Interrupted,
    /// There is no search index, and none can be made; the log says why.
    #[error("the search index of memories cannot be opened")]
    NoIndex,
    /// The search index cannot be used.
    #[error("the search index of memories cannot be used")]
    Index(#[from] super::index::Error),
    /// An entry that is no JSON.
    #[error("an entry cannot be written as JSON")]
    Encode(#[from] serde_json::Error),
    /// The disk refused.
    #[error(transparent)]
    Store(#[from] store::Error),
}

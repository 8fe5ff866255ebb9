//! Why there is no vector.

use std::path::PathBuf;

use crate::llm;

/// What keeps a text from becoming a vector.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The embedder did not answer.
    #[error(transparent)]
    Asked(#[from] llm::Error),
    /// It took longer than a search waits.
    #[error("the embedder took too long")]
    Late,
    /// The program ends.
    #[error("the program is ending")]
    Interrupted,
    /// It has failed so often that it is not asked again for a while.
    #[error("the embedder is left alone for a while")]
    Resting,
    /// A static model is wanted of a program that was built without.
    #[error("this program was built without static models; build it with `--features static-embeddings`")]
    NotBuilt,
    /// The static model cannot be read.
    #[error("the static model in `{}` cannot be used: {reason}", path.display())]
    Model {
        /// Its folder.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

impl Error {
    /// Whether it is because of the text, so that others may do better.
    pub(super) fn is_about_text(&self) -> bool {
        use llm::Cause::{ContentFilter, ContextLength};
        matches!(
            self,
            Self::Asked(
                llm::Error::Status { cause: ContentFilter | ContextLength, .. }
                    | llm::Error::Status { status: 400 | 413 | 422, .. }
            )
        )
    }
}

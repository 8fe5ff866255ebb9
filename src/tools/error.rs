//! What can go wrong in a tool, in the seven classes that callers act upon.

use std::time::Duration;

use super::Inquiry;

/// The waist between crew and its surfaces: each lower error becomes one of these once, and each surface maps these
/// to its own form once (an `isError` result, an HTTP status, an exit code).
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The arguments do not fit; the text says which and what to give instead.
    #[error("{0}")]
    Arguments(String),
    /// As [`Error::Arguments`], and a person may be asked for what is missing. Whoever cannot ask takes it for that.
    #[error("{0}")]
    NeedInput(Box<Inquiry>),
    /// The thing named is not there; `hint` may name what was meant.
    #[error("{what} `{name}` not found{}", hint.as_deref().map(|h| format!("; {h}")).unwrap_or_default())]
    NotFound {
        /// Kind of thing: `employee`, `pipeline`, `task`, `tool`.
        what: &'static str,
        /// The name that was asked for.
        name: String,
        /// What to try instead.
        hint: Option<String>,
    },
    /// The caller may not do this.
    #[error("{0}")]
    Denied(String),
    /// It does not fit the present state of the thing.
    #[error("{0}")]
    Conflict(String),
    /// The key that was to have work done only once was used for other work.
    #[error("this `Idempotency-Key` was used for a different request")]
    KeyReused,
    /// It may work later: a queue is full, a provider is down, the disk is full.
    #[error("{message}")]
    Unavailable {
        /// What is unavailable.
        message: String,
        /// When to try again, when that is known.
        retry_after: Option<Duration>,
    },
    /// It was tried and failed.
    #[error("{0}")]
    Failed(String),
}

impl Error {
    /// A stable machine code, kebab-case, the same on every surface.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Arguments(_) | Self::NeedInput(_) => "invalid-arguments",
            Self::NotFound { .. } => "not-found",
            Self::Denied(_) => "denied",
            Self::Conflict(_) => "conflict",
            Self::KeyReused => "idempotency-key-reused",
            Self::Unavailable { .. } => "unavailable",
            Self::Failed(_) => "failed",
        }
    }

    /// [`Error::NotFound`] with a suggestion when one of `known` is close to `name`, else with all of them when they are
    /// few.
    pub fn not_found<'a>(what: &'static str, name: &str, known: impl IntoIterator<Item = &'a str>) -> Self {
        /// More names than this are no hint.
        const FEW: usize = 8;
        let known: Vec<&str> = known.into_iter().collect();
        let hint = match crate::base::text::closest(name, known.iter().copied()) {
            Some(near) => Some(format!("did you mean `{near}`?")),
            None if known.is_empty() || known.len() > FEW => None,
            None => {
                let names: Vec<String> = known.iter().map(|name| format!("`{name}`")).collect();
                Some(format!("there is {}", names.join(", ")))
            }
        };
        Self::NotFound { what, name: name.to_owned(), hint }
    }
}

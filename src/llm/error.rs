//! Why a model did not answer.

use std::{sync::Arc, time::Duration};

use crate::base::text::chain;

/// What a refusal of a provider is about, as far as it says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// The conversation is longer than the model reads.
    ContextLength,
    /// A filter of the provider holds back the question or the answer.
    ContentFilter,
    /// The account has run out of money or of what it may use; asking again does not help.
    Quota,
    /// Anything else.
    Other,
}

/// A call that gave no answer. Texts never hold a key.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No provider serves a model of this name.
    #[error("no provider for model `{model}`; known prefixes: {known}")]
    UnknownModel {
        /// The name asked for.
        model: String,
        /// The prefixes there are, comma-separated.
        known: String,
    },
    /// The provider's address, as set, is none.
    #[error("the address of {provider} in {from} cannot be used: {reason}")]
    Address {
        /// Which provider.
        provider: Arc<str>,
        /// Where the address is set.
        from: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The provider's key, as set, cannot be a key.
    #[error("the key of {provider} in {from} holds characters no key has")]
    InvalidKey {
        /// Which provider.
        provider: Arc<str>,
        /// The environment variable that holds the key.
        from: String,
    },
    /// The provider's key is not set.
    #[error(
        "model `{model}` needs a key for {provider}: set {from} (or choose the model `echo` to run offline)"
    )]
    MissingKey {
        /// The model asked for.
        model: String,
        /// Its provider.
        provider: Arc<str>,
        /// The environment variable that holds the key.
        from: String,
    },
    /// The provider answered with an HTTP error, or said in the middle of an answer that it failed.
    #[error("{provider} answered {status}: {message}")]
    Status {
        /// Which provider.
        provider: Arc<str>,
        /// HTTP status; for a failure in the middle of an answer, the one that fits what was said.
        status: u16,
        /// What it is about.
        cause: Cause,
        /// Its explanation, at most 500 characters.
        message: String,
        /// When it wants to be asked again.
        retry_after: Option<Duration>,
    },
    /// The provider could not be reached, or the connection broke.
    #[error("no connection to {provider}")]
    Connection {
        /// Which provider.
        provider: Arc<str>,
        /// What the network said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The provider took too long.
    #[error("{provider} did not answer within {} s", after.as_secs())]
    Timeout {
        /// Which provider.
        provider: Arc<str>,
        /// How long was waited.
        after: Duration,
    },
    /// The provider fell silent in the middle of an answer.
    #[error("{provider} said nothing more for {} s in the middle of its answer", after.as_secs())]
    Stalled {
        /// Which provider.
        provider: Arc<str>,
        /// How long was waited.
        after: Duration,
    },
    /// Nobody waits for the answer any more.
    #[error("the call was given up before {provider} had answered")]
    Cancelled {
        /// Which provider.
        provider: Arc<str>,
    },
    /// The answer could not be read.
    #[error("{provider} sent an answer that cannot be read: {reason}")]
    Malformed {
        /// Which provider.
        provider: Arc<str>,
        /// What is wrong with it.
        reason: String,
    },
    /// The provider failed so often that it is left alone for a while; nothing was sent.
    #[error(
        "{provider} failed {failures} times in a row and is not asked again for {} s",
        wait.as_secs().max(1)
    )]
    Resting {
        /// Which provider.
        provider: Arc<str>,
        /// How often it failed.
        failures: u32,
        /// How long it is still left alone.
        wait: Duration,
    },
    /// The run is played from a recording, in which the call failed.
    #[error("{message}")]
    Recorded {
        /// What it failed with then.
        message: String,
    },
    /// The run is played from a recording that does not hold the call; nothing was sent.
    #[error("employee `{who}` asks what is not recorded")]
    Unrecorded {
        /// Who asks.
        who: String,
    },
    /// Neither the model nor the one that was to stand in for it answered.
    #[error("{}; the fallback `{model}` failed too: {}", chain(primary), chain(fallback))]
    Both {
        /// Why the model did not answer.
        primary: Box<Error>,
        /// The model that was to stand in.
        model: String,
        /// Why that did not answer.
        fallback: Box<Error>,
    },
}

impl Error {
    /// A name from a closed set, for metrics: `context_length`, `content_filter`, `quota` and otherwise `HTTP_<status>`,
    /// `timeout`, `cancelled`, `connection`, `malformed`, `missing_key`, `invalid_key`, `address`, `unknown_model`, `resting`, `recorded`. Of two errors, that of the model asked for first.
    pub fn class(&self) -> String {
        match self {
            Self::UnknownModel { .. } => "unknown_model".to_owned(),
            Self::Address { .. } => "address".to_owned(),
            Self::InvalidKey { .. } => "invalid_key".to_owned(),
            Self::MissingKey { .. } => "missing_key".to_owned(),
            Self::Status { cause: Cause::ContextLength, .. } => "context_length".to_owned(),
            Self::Status { cause: Cause::ContentFilter, .. } => "content_filter".to_owned(),
            Self::Status { cause: Cause::Quota, .. } => "quota".to_owned(),
            Self::Status { status, cause: Cause::Other, .. } => format!("HTTP_{status}"),
            Self::Connection { .. } => "connection".to_owned(),
            Self::Timeout { .. } | Self::Stalled { .. } => "timeout".to_owned(),
            Self::Cancelled { .. } => "cancelled".to_owned(),
            Self::Malformed { .. } => "malformed".to_owned(),
            Self::Resting { .. } => "resting".to_owned(),
            Self::Recorded { .. } | Self::Unrecorded { .. } => "recorded".to_owned(),
            Self::Both { primary, .. } => primary.class(),
        }
    }

    /// Whether the same call may succeed later.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Status { status, cause, .. } => {
                *cause == Cause::Other && matches!(status, 408 | 429 | 500..=599)
            }
            Self::Connection { .. } | Self::Timeout { .. } | Self::Stalled { .. } | Self::Resting { .. } => {
                true
            }
            Self::Both { primary, fallback, .. } => primary.is_transient() || fallback.is_transient(),
            _ => false,
        }
    }

    /// When to ask again, if that is known.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Status { retry_after, .. } => *retry_after,
            Self::Resting { wait, .. } => Some(*wait),
            Self::Both { primary, .. } => primary.retry_after(),
            _ => None,
        }
    }
}

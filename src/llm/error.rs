//! Why a model did not answer.

use std::time::Duration;

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
    /// The model's provider is known, but not served.
    #[error(
        "model `{model}` belongs to {provider}, which is not served yet; choose a model that begins with one of: {known}"
    )]
    NotServed {
        /// The name asked for.
        model: String,
        /// Its provider.
        provider: &'static str,
        /// The prefixes that are served, comma-separated.
        known: String,
    },
    /// The provider's address, as set, is none.
    #[error("the address of {provider} in {variable} cannot be used: {reason}")]
    Address {
        /// Which provider.
        provider: &'static str,
        /// The environment variable that holds the address.
        variable: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// The provider's key, as set, cannot be a key.
    #[error("the key of {provider} in {variable} holds characters no key has")]
    InvalidKey {
        /// Which provider.
        provider: &'static str,
        /// The environment variable that holds the key.
        variable: &'static str,
    },
    /// The provider's key is not set.
    #[error(
        "model `{model}` needs a key for {provider}: set {variable} (or choose the model `echo` to run offline)"
    )]
    MissingKey {
        /// The model asked for.
        model: String,
        /// Its provider.
        provider: &'static str,
        /// The environment variable that holds the key.
        variable: &'static str,
    },
    /// The provider answered with an HTTP error.
    #[error("{provider} answered {status}: {message}")]
    Status {
        /// Which provider.
        provider: &'static str,
        /// HTTP status.
        status: u16,
        /// Its explanation, at most 500 characters.
        message: String,
        /// When it wants to be asked again.
        retry_after: Option<Duration>,
    },
    /// The provider could not be reached, or the connection broke.
    #[error("no connection to {provider}")]
    Connection {
        /// Which provider.
        provider: &'static str,
        /// What the network said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The provider took too long.
    #[error("{provider} did not answer within {} s", after.as_secs())]
    Timeout {
        /// Which provider.
        provider: &'static str,
        /// How long was waited.
        after: Duration,
    },
    /// The answer could not be read.
    #[error("{provider} sent an answer that cannot be read: {reason}")]
    Malformed {
        /// Which provider.
        provider: &'static str,
        /// What is wrong with it.
        reason: String,
    },
}

impl Error {
    /// A name from a closed set, for metrics: `HTTP_<status>`, `timeout`, `connection`, `malformed`, `missing_key`,
    /// `invalid_key`, `address`, `unknown_model`, `not_served`.
    pub fn class(&self) -> String {
        match self {
            Self::UnknownModel { .. } => "unknown_model".to_owned(),
            Self::NotServed { .. } => "not_served".to_owned(),
            Self::Address { .. } => "address".to_owned(),
            Self::InvalidKey { .. } => "invalid_key".to_owned(),
            Self::MissingKey { .. } => "missing_key".to_owned(),
            Self::Status { status, .. } => format!("HTTP_{status}"),
            Self::Connection { .. } => "connection".to_owned(),
            Self::Timeout { .. } => "timeout".to_owned(),
            Self::Malformed { .. } => "malformed".to_owned(),
        }
    }

    /// Whether the same call may succeed later.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Status { status, .. } => matches!(status, 408 | 429 | 500..=599),
            Self::Connection { .. } | Self::Timeout { .. } => true,
            _ => false,
        }
    }
}

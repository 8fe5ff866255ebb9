//! One id per request, in its log lines, its answer and its errors.

use std::{fmt, future::Future};

tokio::task_local! {
    static CURRENT: TraceId;
}

/// The id of a request: 16 hexadecimal digits by chance. The caller gets it, the log explains it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceId(u64);

impl TraceId {
    /// The id of the request being served; a new one outside of any.
    pub fn current() -> Self {
        CURRENT.try_with(|id| *id).unwrap_or_else(|_| Self::generate())
    }

    /// Runs `work` under this id.
    pub async fn scope<F: Future>(self, work: F) -> F::Output {
        CURRENT.scope(self, work).await
    }

    /// A new id; zero on a machine without a source of chance, as an id that explains nothing is no reason to refuse a
    /// request.
    pub fn generate() -> Self {
        Self(getrandom::u64().unwrap_or_default())
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

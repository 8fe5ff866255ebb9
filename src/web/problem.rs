//! The one form of every error: `{"error":"<text>","code":"<kebab-case>","trace_id":"…"}`.

use std::{any::Any, time::Duration};

use axum::{
    Json,
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;

use crate::{
    base::{TraceId, text},
    tasks, tools,
};

/// Most characters of an error.
const MOST_CHARS: usize = 2_000;

/// When to come back, if nobody knows better.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// A request that was not served, and why.
#[derive(Debug)]
pub struct Problem {
    status: StatusCode,
    code: &'static str,
    text: String,
    header: Option<(HeaderName, HeaderValue)>,
}

#[derive(Serialize)]
struct Form<'a> {
    error: &'a str,
    code: &'a str,
    trace_id: String,
}

impl Problem {
    /// A problem of `status`. `code` is kebab-case and stable; `text` is for a person.
    pub fn new(status: StatusCode, code: &'static str, text: impl Into<String>) -> Self {
        Self { status, code, text: text.into(), header: None }
    }

    /// What it says.
    #[cfg(test)]
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// 400: the request cannot be read.
    pub(super) fn unreadable(text: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid-request", text)
    }

    /// 422: it can be read, but asks for something that cannot be.
    pub(super) fn unfit(text: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid-arguments", text)
    }

    /// 404.
    pub(super) fn not_found(text: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", text)
    }

    /// 409.
    pub(super) fn conflict(text: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, "conflict", text)
    }

    /// 503, with `Retry-After` in whole seconds.
    pub(super) fn unavailable(text: impl Into<String>, retry_after: Option<Duration>) -> Self {
        let seconds = Self::seconds(retry_after.unwrap_or(RETRY_AFTER));
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", text).with(header::RETRY_AFTER, seconds)
    }

    /// `wait` as `Retry-After` has it: whole seconds, at least one.
    pub(super) fn seconds(wait: Duration) -> HeaderValue {
        let seconds = wait.as_millis().div_ceil(1000).max(1);
        HeaderValue::from(u64::try_from(seconds).unwrap_or(u64::MAX))
    }

    /// 500: `cause` is logged under the trace id; the caller gets the id alone.
    pub(super) fn internal(cause: &(dyn std::error::Error + 'static)) -> Self {
        let source = cause.source().map(ToString::to_string);
        tracing::error!(trace_id = %TraceId::current(), %cause, source, "request failed");
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "internal error; the log has more under this trace id",
        )
    }

    /// The same with one more header.
    #[must_use]
    pub(super) fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.header = Some((name, value));
        self
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let trace_id = TraceId::current().to_string();
        // A name that does not exist may be as long as a path.
        let error = text::truncate(&self.text, MOST_CHARS);
        let body = Form { error: &error, code: self.code, trace_id };
        let mut response = (self.status, Json(body)).into_response();
        response.headers_mut().extend(self.header);
        response
    }
}

impl From<tools::Error> for Problem {
    fn from(error: tools::Error) -> Self {
        let text = error.to_string();
        match error {
            tools::Error::Arguments(_) | tools::Error::NeedInput(_) => Self::unfit(text),
            tools::Error::NotFound { .. } => Self::not_found(text),
            tools::Error::Denied(_) => Self::new(StatusCode::FORBIDDEN, "denied", text),
            tools::Error::Conflict(_) => Self::conflict(text),
            tools::Error::KeyReused => Self::new(StatusCode::UNPROCESSABLE_ENTITY, error.code(), text),
            tools::Error::Unavailable { retry_after, .. } => Self::unavailable(text, retry_after),
            tools::Error::Failed(_) => Self::internal(&error),
        }
    }
}

impl From<tasks::Error> for Problem {
    fn from(error: tasks::Error) -> Self {
        match &error {
            tasks::Error::Full { .. } | tasks::Error::Stopping => Self::unavailable(error.to_string(), None),
            tasks::Error::NotFound { .. } => Self::not_found("task not found"),
            tasks::Error::Final { .. }
            | tasks::Error::NotResumable { .. }
            | tasks::Error::NotEnded { .. }
            | tasks::Error::UnknownKind { .. }
            | tasks::Error::Decided { .. }
            | tasks::Error::NotWaiting { .. }
            | tasks::Error::Ambiguous { .. } => Self::conflict(error.to_string()),
            tasks::Error::TooDeep { .. } | tasks::Error::LongComment { .. } => Self::unfit(error.to_string()),
            tasks::Error::Store(_) | tasks::Error::Owned { .. } | tasks::Error::Misplaced { .. } => {
                // Paths and file errors are the operator's; the caller learns that nothing was accepted.
                let _ = Self::internal(&error);
                Self::unavailable("tasks cannot be recorded now", Some(Duration::from_secs(5)))
            }
        }
    }
}

/// 404 for a path without a route.
pub(super) async fn no_route() -> Problem {
    Problem::not_found("no such path")
}

/// 405; the router adds `Allow`.
pub(super) async fn no_method() -> Problem {
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", "method not allowed")
}

/// 500 for a panic in a handler, which ends its request and nothing else.
#[expect(clippy::needless_pass_by_value, reason = "the signature of the layer")]
pub(super) fn panicked(payload: Box<dyn Any + Send>) -> Response {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("not a text");
    Problem::internal(&Panicked(text.to_owned())).into_response()
}

#[derive(Debug, thiserror::Error)]
#[error("a handler panicked: {0}")]
struct Panicked(String);

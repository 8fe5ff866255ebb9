//! One id per request, in its log lines, its answer and its errors.

use std::fmt;

use axum::{
    extract::{MatchedPath, Request},
    http::{HeaderName, HeaderValue},
    middleware::Next,
    response::Response,
};
use tracing::{Instrument, field};

use crate::base::clock::Stopwatch;

const HEADER: HeaderName = HeaderName::from_static("x-trace-id");

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

    /// Zero on a machine without a source of chance: an id that explains nothing is no reason to refuse a request.
    fn generate() -> Self {
        Self(getrandom::u64().unwrap_or_default())
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// Serves a request under a new id and in the span `http.request`, and logs one line about it.
pub(super) async fn layer(request: Request, next: Next) -> Response {
    let id = TraceId::generate();
    // The template, not the path: paths hold names, and a log is searched by route.
    let route = request.extensions().get::<MatchedPath>().map_or("unmatched", MatchedPath::as_str);
    let span = tracing::info_span!(
        "http.request",
        trace_id = %id,
        method = %request.method(),
        route,
        status = field::Empty,
        latency_ms = field::Empty,
    );
    let serve = async {
        let watch = Stopwatch::start();
        let mut response = next.run(request).await;
        let header = HeaderValue::from_str(&id.to_string()).expect("hexadecimal digits fit a header");
        response.headers_mut().insert(HEADER, header);
        let span = tracing::Span::current();
        span.record("status", response.status().as_u16());
        span.record("latency_ms", watch.elapsed_ms());
        tracing::info!("request served");
        response
    };
    CURRENT.scope(id, serve.instrument(span)).await
}

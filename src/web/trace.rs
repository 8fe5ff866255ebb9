//! Gives each request its id, logs one line about it, and sets the headers that every answer has.
//!
//! Whoever is turned away can come again as often as a wire carries, so that what is refused is counted, and told in one
//! line every now and then.

use std::{
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::{
    extract::{MatchedPath, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::Response,
};
use metrics::{counter, histogram};
use parking_lot::Mutex;
use tracing::{Instrument, field};

use crate::base::{SpanId, TraceId, clock::Stopwatch, metric};

/// The header that tells the id of a request.
pub(super) const HEADER: HeaderName = HeaderName::from_static("x-trace-id");

/// How often it is told what was refused.
const TOLD_EVERY: Duration = Duration::from_secs(10);

/// Requests that were refused and not told of yet.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    unauthorized: AtomicU64,
    limited: AtomicU64,
    other: AtomicU64,
    told: Mutex<Option<Stopwatch>>,
}

impl Refusals {
    /// Whether a request that was answered so is one of those that are only counted.
    fn is_one(status: StatusCode) -> bool {
        matches!(
            status,
            StatusCode::UNAUTHORIZED
                | StatusCode::FORBIDDEN
                | StatusCode::TOO_MANY_REQUESTS
                | StatusCode::PAYLOAD_TOO_LARGE
                | StatusCode::URI_TOO_LONG
        )
    }

    /// Counts one, and tells of all if that is due.
    fn count(&self, status: StatusCode) {
        let kind = match status {
            StatusCode::UNAUTHORIZED => &self.unauthorized,
            StatusCode::TOO_MANY_REQUESTS => &self.limited,
            _ => &self.other,
        };
        kind.fetch_add(1, Ordering::Relaxed);
        {
            let mut told = self.told.lock();
            if told.is_some_and(|told| told.elapsed() < TOLD_EVERY) {
                return;
            }
            *told = Some(Stopwatch::start());
        }
        let take = |kind: &AtomicU64| kind.swap(0, Ordering::Relaxed);
        tracing::warn!(
            unauthorized = take(&self.unauthorized),
            limited = take(&self.limited),
            other = take(&self.other),
            "requests were refused"
        );
    }
}

/// Serves a request under a new id and in the span `http.request`, and logs one line about it.
pub(super) async fn layer(State(refusals): State<Arc<Refusals>>, request: Request, next: Next) -> Response {
    let caller = begun(request.headers());
    let id = caller.map_or_else(TraceId::generate, |(id, _)| id);
    let method = measured(request.method());
    // The template, not the path: paths hold names, and a log is searched by route.
    let route = request.extensions().get::<MatchedPath>().map_or("unmatched", MatchedPath::as_str).to_owned();
    let span = tracing::info_span!(
        "http.request",
        trace_id = %id,
        parent_id = caller.map(|(_, parent)| field::display(parent)),
        method = %request.method(),
        route = route.as_str(),
        client = field::Empty,
        caller = field::Empty,
        status = field::Empty,
        latency_ms = field::Empty,
    );
    let serve = async {
        let watch = Stopwatch::start();
        let mut response = next.run(request).await;
        finish(response.headers_mut(), id);
        let status = response.status();
        let span = tracing::Span::current();
        span.record("status", status.as_u16());
        span.record("latency_ms", watch.elapsed_ms());
        count(method, &route, status);
        histogram!(metric::HTTP_SECONDS, "route" => route).record(watch.elapsed());
        if Refusals::is_one(status) {
            tracing::debug!("request refused");
            refusals.count(status);
        } else {
            tracing::info!("request served");
        }
        response
    };
    id.scope(serve.instrument(span)).await
}

/// The same for what probes ask every few seconds: an id and the headers, and no line in the log.
pub(super) async fn quiet(request: Request, next: Next) -> Response {
    let id = begun(request.headers()).map_or_else(TraceId::generate, |(id, _)| id);
    let method = measured(request.method());
    let route = request.extensions().get::<MatchedPath>().cloned();
    let mut response = id.scope(next.run(request)).await;
    finish(response.headers_mut(), id);
    count(method, route.as_ref().map_or("unmatched", MatchedPath::as_str), response.status());
    response
}

/// Counts a request for who measures.
fn count(method: &'static str, route: &str, status: StatusCode) {
    let (route, status) = (route.to_owned(), status.as_str().to_owned());
    counter!(metric::HTTP_REQUESTS, "method" => method, "route" => route, "status" => status).increment(1);
}

/// Where the request comes from, for the log.
pub(super) fn note_client(address: IpAddr) {
    tracing::Span::current().record("client", field::display(address));
}

/// Who asks, for the log.
pub(super) fn note_caller(name: &str) {
    tracing::Span::current().record("caller", name);
}

/// Adds what every answer has. A page that came to show an answer must neither run nor frame it, and nobody in between
/// may keep it; an answer that says otherwise is left as it is.
pub(super) fn finish(headers: &mut HeaderMap, id: TraceId) {
    headers.reserve(8);
    headers.insert(HEADER, value(id));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    let policy = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");
    headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(policy);
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
}

/// `id` as that header has it.
pub(super) fn value(id: TraceId) -> HeaderValue {
    HeaderValue::from_bytes(&id.digits()).expect("hexadecimal digits fit a header")
}

/// The trace that the caller has begun, and its own place in it, if it says so.
pub(super) fn begun(headers: &HeaderMap) -> Option<(TraceId, SpanId)> {
    let header = headers.get("traceparent")?.to_str().ok()?;
    TraceId::of_traceparent(header)
}

/// The method as a label; whatever is not of HTTP's own is one.
fn measured(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

//! Gives each request its id, and logs one line about it.

use axum::{
    extract::{MatchedPath, Request},
    http::{HeaderName, HeaderValue, Method},
    middleware::Next,
    response::Response,
};
use metrics::{counter, histogram};
use tracing::{Instrument, field};

use crate::base::{TraceId, clock::Stopwatch, metric};

const HEADER: HeaderName = HeaderName::from_static("x-trace-id");

/// Serves a request under a new id and in the span `http.request`, and logs one line about it.
pub(super) async fn layer(request: Request, next: Next) -> Response {
    let id = begun(&request).unwrap_or_else(TraceId::generate);
    let method = measured(request.method());
    // The template, not the path: paths hold names, and a log is searched by route.
    let route = request.extensions().get::<MatchedPath>().map_or("unmatched", MatchedPath::as_str).to_owned();
    let span = tracing::info_span!(
        "http.request",
        trace_id = %id,
        method = %request.method(),
        route = route.as_str(),
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
        let status = response.status().as_str().to_owned();
        counter!(metric::HTTP_REQUESTS, "method" => method, "route" => route.clone(), "status" => status)
            .increment(1);
        histogram!(metric::HTTP_SECONDS, "route" => route).record(watch.elapsed());
        tracing::info!("request served");
        response
    };
    id.scope(serve.instrument(span)).await
}

/// The trace that the caller has begun, if it says so.
fn begun(request: &Request) -> Option<TraceId> {
    let header = request.headers().get("traceparent")?.to_str().ok()?;
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

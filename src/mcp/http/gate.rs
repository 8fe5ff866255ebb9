//! What is checked of an HTTP request before its body is looked at: where it comes from, and in what form.

use std::{task::Poll, time::Duration};

use axum::{
    body::{Body, Bytes},
    response::{IntoResponse, Response},
};
use bytes::BytesMut;
use futures_util::StreamExt as _;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header};
use serde_json::json;

use crate::{
    base::{HostNames, TraceId},
    protocol::headers::{self, Header, Headers},
};

/// A request that is turned away before it became a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    pub(super) code: &'static str,
    pub(super) text: &'static str,
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let trace_id = TraceId::current().to_string();
        let body = json!({ "error": self.text, "code": self.code, "trace_id": trace_id }).to_string();
        (self.status, [(header::CONTENT_TYPE, "application/json")], body).into_response()
    }
}

/// Turns away what comes under a name that is not this server's.
pub(super) fn check_names(names: &HostNames, headers: &HeaderMap, uri: &Uri) -> Result<(), Refusal> {
    let known = |value: &HeaderValue| value.to_str().is_ok_and(|text| names.allow(text));
    let all = |header| headers.get_all(header).into_iter().all(known);
    let authority = uri.authority().is_none_or(|authority| names.allow(authority.as_str()));
    if authority && all(header::HOST) && all(header::ORIGIN) {
        return Ok(());
    }
    Err(Refusal {
        status: StatusCode::FORBIDDEN,
        code: "host-not-allowed",
        text: "this server does not go by the name in `Host` or `Origin`; add it to the allowed hosts",
    })
}

/// The answer to a method that a path does not have; `allowed` are those it has.
pub(super) fn method_not_allowed(allowed: &'static str, usage: &'static str) -> Response {
    let status = StatusCode::METHOD_NOT_ALLOWED;
    let mut response = Refusal { status, code: "method-not-allowed", text: usage }.into_response();
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allowed));
    response
}

/// Checks that a body is said to be JSON.
pub(super) fn check_kind(headers: &HeaderMap) -> Result<(), Refusal> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if kind.eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    Err(Refusal {
        status: StatusCode::UNSUPPORTED_MEDIA_TYPE,
        code: "unsupported-media-type",
        text: "send `Content-Type: application/json`",
    })
}

/// Checks the form of a POST that is answered in its response.
pub(super) fn check_form(headers: &HeaderMap) -> Result<(), Refusal> {
    check_kind(headers)?;
    if accepts(headers, "application/json") && accepts(headers, "text/event-stream") {
        return Ok(());
    }
    Err(Refusal {
        status: StatusCode::NOT_ACCEPTABLE,
        code: "not-acceptable",
        text: "send `Accept: application/json, text/event-stream`; an answer may be either",
    })
}

/// Checks that a GET can be answered with a stream.
pub(super) fn check_stream(headers: &HeaderMap) -> Result<(), Refusal> {
    if accepts(headers, "text/event-stream") {
        return Ok(());
    }
    Err(Refusal {
        status: StatusCode::NOT_ACCEPTABLE,
        code: "not-acceptable",
        text: "send `Accept: text/event-stream`; a GET is answered with a stream",
    })
}

/// Whether the client takes `wanted`; one that says nothing takes all.
fn accepts(headers: &HeaderMap, wanted: &str) -> bool {
    let mut said = false;
    for value in headers.get_all(header::ACCEPT) {
        said = true;
        for range in value.as_bytes().split(|byte| *byte == b',') {
            let range = range.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
            let family = range.strip_suffix(b"/*").filter(|family| *family != b"*");
            let fits = |family: &[u8]| {
                wanted.split_once('/').is_some_and(|(first, _)| first.as_bytes().eq_ignore_ascii_case(family))
            };
            if range == b"*/*" || range.eq_ignore_ascii_case(wanted.as_bytes()) || family.is_some_and(fits) {
                return true;
            }
        }
    }
    !said
}

/// How much of a body is taken, and for how long.
#[derive(Debug, Clone, Copy)]
pub(super) struct BodyBounds {
    /// Most bytes.
    pub(super) bytes: usize,
    /// Longest time for all of them.
    pub(super) time: Duration,
}

/// Reads a body of bounded size in bounded time.
pub(super) async fn read_body(headers: &HeaderMap, body: Body, bounds: BodyBounds) -> Result<Bytes, Refusal> {
    let mut reading = std::pin::pin!(collect(headers, body, bounds.bytes));
    // Nearly every body is there with its head, and needs no timer.
    if let Poll::Ready(read) = futures_util::poll!(reading.as_mut()) {
        return read;
    }
    tokio::time::timeout(bounds.time, reading).await.unwrap_or(Err(Refusal {
        status: StatusCode::REQUEST_TIMEOUT,
        code: "request-timeout",
        text: "the body took too long to arrive",
    }))
}

/// Reads a body of at most `limit` bytes, counted as they come: a chunked body declares no length.
async fn collect(headers: &HeaderMap, body: Body, limit: usize) -> Result<Bytes, Refusal> {
    let too_large = Refusal {
        status: StatusCode::PAYLOAD_TOO_LARGE,
        code: "too-large",
        text: "the body is larger than this server takes; send less at once",
    };
    let declared = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    if declared.is_some_and(|length: u64| length > limit as u64) {
        return Err(too_large);
    }
    let mut chunks = body.into_data_stream();
    let mut first = Bytes::new();
    let mut all: Option<BytesMut> = None;
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|_| Refusal {
            status: StatusCode::BAD_REQUEST,
            code: "broken-body",
            text: "the body broke off",
        })?;
        if all.as_ref().map_or(first.len(), BytesMut::len).saturating_add(chunk.len()) > limit {
            return Err(too_large);
        }
        match &mut all {
            Some(all) => all.extend_from_slice(&chunk),
            // Nearly every body is one chunk; only more than one are copied together.
            None if first.is_empty() => first = chunk,
            None => {
                let mut both = BytesMut::from(&*first);
                both.extend_from_slice(&chunk);
                all = Some(both);
            }
        }
    }
    Ok(all.map_or(first, BytesMut::freeze))
}

/// HTTP headers as the protocol wants to see them.
pub(super) struct Seen<'a>(pub(super) &'a HeaderMap);

impl Headers for Seen<'_> {
    fn get(&self, name: &str) -> Header<'_> {
        header(self.0, name)
    }
}

/// The headers that nearly every request has: their names need not be checked again for each.
static KNOWN: [HeaderName; 4] = [
    HeaderName::from_static(headers::VERSION),
    HeaderName::from_static(headers::METHOD),
    HeaderName::from_static(headers::NAME),
    HeaderName::from_static(headers::SESSION),
];

/// What stands under `name`.
pub(super) fn header<'a>(headers: &'a HeaderMap, name: &str) -> Header<'a> {
    let values = match KNOWN.iter().find(|known| known.as_str() == name) {
        Some(known) => headers.get_all(known),
        None => headers.get_all(name),
    };
    let mut values = values.into_iter();
    match (values.next().map(HeaderValue::to_str), values.next()) {
        (None, _) => Header::Absent,
        (Some(Ok(value)), None) => Header::Value(value.trim_matches([' ', '\t'])),
        _ => Header::Unclear,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_client_accepts() {
        #[track_caller]
        fn check(accept: &[&'static str], ok: bool) {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
            for value in accept {
                headers.append(header::ACCEPT, HeaderValue::from_static(value));
            }
            assert_eq!(check_form(&headers).is_ok(), ok, "{accept:?}");
        }
        check(&[], true);
        check(&["*/*"], true);
        check(&["application/json, text/event-stream"], true);
        check(&["application/json", "text/event-stream;q=0.5"], true);
        check(&["application/*,text/*"], true);
        check(&["application/json"], false);
        check(&["text/html"], false);
        check(&[""], false);
    }
}

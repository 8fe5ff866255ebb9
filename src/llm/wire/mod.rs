//! Dialects as pure functions: a request becomes the parts of an HTTP request, bytes become a reply.
//!
//! Nothing here opens a socket or asks the time, so every rule of a provider can be tested from recorded bytes.

mod anthropic;
mod openai;

use std::time::Duration;

use http::{HeaderMap, HeaderValue, header};
use jiff::Timestamp;
use serde_json::Value;

use super::{Error, Reply, Request, provider::Http, provider::Wire};
use crate::base::{Secret, text};

/// Most characters kept of what a provider says about an error.
const ERROR_TEXT_CHARS: usize = 500;
/// Most characters kept of why an answer cannot be read.
const REASON_CHARS: usize = 200;

/// An HTTP request in parts; the method is POST.
#[derive(Debug)]
pub(super) struct HttpParts {
    /// What to append to the base URL.
    pub(super) path: &'static str,
    /// Headers, the key among them (marked sensitive).
    pub(super) headers: HeaderMap,
    /// A JSON document.
    pub(super) body: Vec<u8>,
}

/// An HTTP answer as it came in.
#[derive(Debug)]
pub(super) struct Answer<'a> {
    /// Who sent it.
    pub(super) provider: &'static str,
    /// Its status.
    pub(super) status: u16,
    /// Its headers.
    pub(super) headers: &'a HeaderMap,
    /// Its whole body.
    pub(super) body: &'a [u8],
    /// When it came.
    pub(super) received: Timestamp,
}

/// Puts `request` into the dialect of `http`.
///
/// # Errors
/// [`Error::InvalidKey`] when `key` cannot stand in a header.
pub(super) fn encode(
    provider: &'static str,
    http: &Http,
    key: &Secret,
    request: &Request,
) -> Result<HttpParts, Error> {
    let invalid = || Error::InvalidKey { provider, variable: http.key_variable };
    match http.wire {
        Wire::Anthropic => anthropic::encode(key, request),
        Wire::OpenAi => openai::encode(key, request),
    }
    .ok_or_else(invalid)
}

/// Reads an answer in the dialect `wire`.
///
/// # Errors
/// [`Error::Status`] for any status but 2xx, [`Error::Malformed`] for a success that holds no answer.
pub(super) fn decode(wire: Wire, answer: &Answer<'_>) -> Result<Reply, Error> {
    if !(200..300).contains(&answer.status) {
        return Err(Error::Status {
            provider: answer.provider,
            status: answer.status,
            message: error_message(answer),
            retry_after: retry_after(answer.headers, answer.received),
        });
    }
    let reply = match wire {
        Wire::Anthropic => anthropic::decode(answer.body),
        Wire::OpenAi => openai::decode(answer.body),
    };
    reply.map_err(|reason| Error::Malformed {
        provider: answer.provider,
        reason: text::truncate(&reason, REASON_CHARS),
    })
}

/// A header value that logs and `Debug` do not show; `None` when the key holds what no header may.
fn key_header(prefix: &str, key: &Secret) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(&format!("{prefix}{}", key.expose())).ok()?;
    value.set_sensitive(true);
    Some(value)
}

fn json_headers() -> HeaderMap {
    HeaderMap::from_iter([
        (header::CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (header::ACCEPT, HeaderValue::from_static("application/json")),
    ])
}

fn to_json(body: &impl serde::Serialize) -> Vec<u8> {
    serde_json::to_vec(body).expect("text, numbers and lists of them always become JSON")
}

/// What the provider says went wrong: `error.message`, `error` or `message` of a JSON body, else the body as text.
fn error_message(answer: &Answer<'_>) -> String {
    if (300..400).contains(&answer.status) {
        return "it redirects, and redirects are not followed".to_owned();
    }
    let said = serde_json::from_slice::<Value>(answer.body).ok().and_then(|body| {
        let places = [body.pointer("/error/message"), body.get("error"), body.get("message")];
        places.into_iter().flatten().find_map(Value::as_str).map(str::to_owned)
    });
    let said = said.unwrap_or_else(|| String::from_utf8_lossy(answer.body).into_owned());
    // One line: the text ends up in logs and task records.
    let line = said.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.is_empty() { "no explanation".to_owned() } else { text::truncate(&line, ERROR_TEXT_CHARS) }
}

/// The header `Retry-After`: seconds, or an HTTP date (RFC 9110 §10.2.3). A date that has passed means now.
fn retry_after(headers: &HeaderMap, received: Timestamp) -> Option<Duration> {
    let value = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = value.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let date = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(value).ok()?;
    Some(Duration::try_from(date.duration_since(received)).unwrap_or(Duration::ZERO))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(status: u16, body: &str) -> String {
        let headers = HeaderMap::new();
        let answer = Answer {
            provider: "openai",
            status,
            headers: &headers,
            body: body.as_bytes(),
            received: Timestamp::UNIX_EPOCH,
        };
        match decode(Wire::OpenAi, &answer) {
            Err(Error::Status { message, .. }) => message,
            other => panic!("not a status error: {other:?}"),
        }
    }

    #[test]
    fn an_error_body_is_read_in_any_of_its_shapes() {
        assert_eq!(
            message(401, r#"{"error":{"message":"Incorrect API key","type":"x"}}"#),
            "Incorrect API key"
        );
        assert_eq!(message(400, r#"{"error":"model not found"}"#), "model not found");
        assert_eq!(message(400, r#"{"code":"InvalidParameter","message":"bad","request_id":"1"}"#), "bad");
        assert_eq!(message(502, "<html>\n  Bad   Gateway</html>"), "<html> Bad Gateway</html>");
        assert_eq!(message(503, ""), "no explanation");
        assert_eq!(message(500, r#"{"error":{}}"#), r#"{"error":{}}"#);
        assert_eq!(message(302, "moved"), "it redirects, and redirects are not followed");
        assert_eq!(message(500, &"代".repeat(600)).chars().count(), ERROR_TEXT_CHARS + 1);
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let received: Timestamp = "2026-11-22T08:49:37Z".parse().unwrap();
        let check = |value: &str, expected: Option<u64>| {
            let headers =
                HeaderMap::from_iter([(header::RETRY_AFTER, HeaderValue::from_str(value).unwrap())]);
            assert_eq!(retry_after(&headers, received), expected.map(Duration::from_secs), "`{value}`");
        };
        check("7", Some(7));
        check(" 0 ", Some(0));
        check("Sun, 22 Nov 2026 08:49:47 GMT", Some(10));
        check("Sun, 22 Nov 2026 08:00:00 GMT", Some(0));
        check("soon", None);
        check("-1", None);
        check("1.5", None);
        assert_eq!(retry_after(&HeaderMap::new(), received), None);
    }
}

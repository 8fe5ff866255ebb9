//! Bodies, bounded and read as JSON objects.

use std::time::Duration;

use axum::{
    body::{Body, Bytes},
    http::{HeaderMap, StatusCode, header},
};
use futures_util::StreamExt;
use serde_json::{Map, Value};

use super::Problem;

/// Most bytes of a body; one more is refused.
pub(super) const LIMIT: usize = 1_048_576;
/// Longest time a body may take to arrive.
const PATIENCE: Duration = Duration::from_secs(30);

/// The whole body, counted as it arrives: a declared length is believed only when it is too large.
///
/// # Errors
/// 413 beyond [`LIMIT`], 408 when it takes longer than 30 s, 400 when the connection breaks.
pub(super) async fn read(headers: &HeaderMap, body: Body) -> Result<Bytes, Problem> {
    let declared =
        headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if declared.is_some_and(|length| length > LIMIT as u64) {
        return Err(too_large());
    }
    tokio::time::timeout(PATIENCE, collect(body)).await.unwrap_or_else(|_| {
        Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "request-timeout", "the body took too long to arrive"))
    })
}

async fn collect(body: Body) -> Result<Bytes, Problem> {
    let mut stream = body.into_data_stream();
    let mut bytes = Vec::new();
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(|_| Problem::unreadable("the body broke off"))?;
        if bytes.len() + chunk.len() > LIMIT {
            return Err(too_large());
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes.into())
}

fn too_large() -> Problem {
    Problem::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        "too-large",
        format!("request too large: a body has at most {LIMIT} bytes"),
    )
}

/// The body as a JSON object; an empty one is an empty object.
///
/// # Errors
/// 415 for a declared type other than JSON or a compressed body, 400 for what is no JSON object.
pub(super) async fn object(headers: &HeaderMap, body: Body) -> Result<Map<String, Value>, Problem> {
    json(headers, &read(headers, body).await?)
}

/// The same of a body that was read.
///
/// # Errors
/// As [`object`].
pub(super) fn json(headers: &HeaderMap, bytes: &[u8]) -> Result<Map<String, Value>, Problem> {
    if bytes.trim_ascii().is_empty() {
        return Ok(Map::new());
    }
    let unsupported =
        |text: &str| Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported-media-type", text);
    if media_type(headers).is_some_and(|media| media != "application/json") {
        return Err(unsupported("send the body as `content-type: application/json`"));
    }
    if headers.get(header::CONTENT_ENCODING).is_some_and(|encoding| encoding != "identity") {
        return Err(unsupported("send the body without `content-encoding`"));
    }
    parse(bytes)
}

/// `bytes` as a JSON object.
///
/// # Errors
/// 400, with the place of the mistake.
pub(super) fn parse(bytes: &[u8]) -> Result<Map<String, Value>, Problem> {
    let value: Value = serde_json::from_slice(bytes).map_err(|error| {
        Problem::new(StatusCode::BAD_REQUEST, "invalid-json", format!("the body is no JSON: {error}"))
    })?;
    match value {
        Value::Object(object) => Ok(object),
        other => Err(Problem::unreadable(format!("the body must be a JSON object, not {}", a_kind(&other)))),
    }
}

/// The declared type without its parameters, in lower case; what is no text is no type we know.
pub(super) fn media_type(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::CONTENT_TYPE)?.to_str().unwrap_or("unreadable");
    Some(value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase())
}

/// What a value is, for an error to say.
pub(super) fn a_kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

//! Bodies, bounded and read as JSON objects.

use axum::{
    body::{Body, Bytes},
    http::{HeaderMap, StatusCode, header},
};
use futures_util::StreamExt;
use serde_json::{Map, Value};

use super::{Problem, load::Broken};

/// The whole body. The layers see to it that it ends.
///
/// # Errors
/// 413 when it is too large, 408 when it takes too long, 400 when the connection breaks.
pub(super) async fn read(body: Body) -> Result<Bytes, Problem> {
    let mut stream = body.into_data_stream();
    let mut bytes = Vec::new();
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(|error| match error.into_inner().downcast::<Broken>() {
            Ok(broken) => Problem::from(*broken),
            Err(_) => Problem::unreadable("the body broke off"),
        })?;
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes.into())
}

/// The body as a JSON object; an empty one is an empty object.
///
/// # Errors
/// 415 for a declared type other than JSON or a compressed body, 400 for what is no JSON object.
pub(super) async fn object(headers: &HeaderMap, body: Body) -> Result<Map<String, Value>, Problem> {
    json(headers, &read(body).await?)
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

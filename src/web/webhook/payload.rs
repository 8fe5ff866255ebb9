//! What a delivery says: JSON, or a form whose field `payload` is JSON. GitHub offers both.

use axum::http::HeaderMap;
use serde_json::{Map, Value};

use crate::web::{Problem, body};

/// The payload of a delivery.
///
/// # Errors
/// 400 when there is none, or it is no JSON object.
pub(super) fn parse(headers: &HeaderMap, bytes: &[u8]) -> Result<Map<String, Value>, Problem> {
    if body::media_type(headers).as_deref() != Some("application/x-www-form-urlencoded") {
        return body::parse(bytes);
    }
    let payload = form_urlencoded::parse(bytes).find(|(name, _)| name == "payload");
    let (_, payload) = payload.ok_or_else(|| Problem::unreadable("the form has no field `payload`"))?;
    body::parse(payload.as_bytes())
}

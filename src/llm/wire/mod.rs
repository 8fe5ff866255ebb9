//! Dialects as pure functions: a request becomes the parts of an HTTP request, bytes become a reply.
//!
//! Nothing here opens a socket or asks the time, so every rule of a provider can be tested from recorded bytes.

mod anthropic;
mod failure;
mod gemini;
mod models;
mod openai;
mod responses;
mod sse;
mod stream;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use http::{HeaderMap, HeaderValue, header};
use jiff::Timestamp;
use serde_json::Value;

use self::stream::SoFar;
pub(super) use self::stream::{Decoder, Fault};
use super::{Error, Reply, Request, provider::Wire};
use crate::base::{Secret, retry::retry_after, text};

/// Most characters kept of why an answer cannot be read.
const REASON_CHARS: usize = 200;

/// An HTTP request in parts; the method is POST unless it is said otherwise.
#[derive(Debug)]
pub(super) struct HttpParts {
    /// What to append to the base URL.
    pub(super) path: String,
    /// Headers, the key among them (marked sensitive).
    pub(super) headers: HeaderMap,
    /// A JSON document.
    pub(super) body: Vec<u8>,
}

/// An HTTP answer as it came in.
#[derive(Debug)]
pub(super) struct Answer<'a> {
    /// Who sent it.
    pub(super) provider: &'a Arc<str>,
    /// Its status.
    pub(super) status: u16,
    /// Its headers.
    pub(super) headers: &'a HeaderMap,
    /// Its whole body.
    pub(super) body: &'a [u8],
    /// When it came.
    pub(super) received: Timestamp,
}

/// How an answer is to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// As one JSON document.
    Whole,
    /// In pieces, as server-sent events.
    Stream,
}

/// Puts `request` into the dialect `wire`; `None` when `key` cannot stand in a header.
pub(super) fn encode(wire: Wire, key: Option<&Secret>, request: &Request, form: Form) -> Option<HttpParts> {
    match wire {
        Wire::Anthropic => anthropic::encode(key, request, form),
        Wire::OpenAi => openai::encode(key, request, form),
        Wire::OpenAiResponses => responses::encode(key, request, form),
        Wire::Gemini => gemini::encode(key, request, form),
    }
}

/// Asks, in the dialect `wire`, for the list of models: nothing else costs less. GET, with an empty body; `None` when
/// `key` cannot stand in a header.
///
/// Sources: <https://docs.claude.com/en/api/models-list>, <https://platform.openai.com/docs/api-reference/models/list>,
/// <https://ai.google.dev/api/models>.
pub(super) fn greeting(wire: Wire, key: Option<&Secret>) -> Option<HttpParts> {
    let (path, headers) = match wire {
        Wire::Anthropic => ("/v1/models?limit=1", anthropic::head(key, Form::Whole)?),
        Wire::OpenAi | Wire::OpenAiResponses => ("/models", bearer(key, Form::Whole)?),
        Wire::Gemini => ("/v1beta/models?pageSize=1", gemini::head(key, Form::Whole)?),
    };
    Some(HttpParts { path: path.to_owned(), headers, body: Vec::new() })
}

/// Reads an answer in the dialect `wire`.
///
/// # Errors
/// [`Error::Status`] for any status but 2xx, [`Error::Malformed`] for a success that holds no answer.
pub(super) fn decode(wire: Wire, answer: &Answer<'_>) -> Result<Reply, Error> {
    accepted(answer)?;
    let mut so_far = SoFar::default();
    let read = match wire {
        Wire::Anthropic => anthropic::whole(answer.body, &mut so_far),
        Wire::OpenAi => openai::whole(answer.body, &mut so_far),
        Wire::OpenAiResponses => responses::whole(answer.body, &mut so_far),
        Wire::Gemini => gemini::whole(answer.body, &mut so_far),
    };
    let reply = read.and_then(|()| so_far.reply(wire).map_err(Fault::Unreadable));
    reply.map_err(|told| fault(answer.provider, told))
}

/// Whether an answer is one.
///
/// # Errors
/// [`Error::Status`] for any status but 2xx.
pub(super) fn accepted(answer: &Answer<'_>) -> Result<(), Error> {
    if (200..300).contains(&answer.status) {
        return Ok(());
    }
    let (cause, message) = failure::told(answer);
    Err(Error::Status {
        provider: Arc::clone(answer.provider),
        status: answer.status,
        cause,
        message,
        retry_after: retry_after(answer.headers, answer.received),
    })
}

/// What went wrong in the middle of an answer, as an error of `provider`.
pub(super) fn fault(provider: &Arc<str>, fault: Fault) -> Error {
    let provider = Arc::clone(provider);
    match fault {
        Fault::Unreadable(reason) => {
            Error::Malformed { provider, reason: text::truncate(&reason, REASON_CHARS) }
        }
        Fault::Told { status, cause, message } => {
            Error::Status { provider, status, cause, message: failure::one_line(&message), retry_after: None }
        }
    }
}

/// A header value that logs and `Debug` do not show; `None` when the key holds what no header may.
pub(super) fn key_header(prefix: &str, key: &Secret) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(&format!("{prefix}{}", key.expose())).ok()?;
    value.set_sensitive(true);
    Some(value)
}

pub(super) fn headers(form: Form) -> HeaderMap {
    let accept = match form {
        Form::Whole => "application/json",
        Form::Stream => "text/event-stream",
    };
    HeaderMap::from_iter([
        (header::CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (header::ACCEPT, HeaderValue::from_static(accept)),
    ])
}

/// The headers of those who are shown a key as `OpenAI` is; `None` when `key` cannot stand in one.
fn bearer(key: Option<&Secret>, form: Form) -> Option<HeaderMap> {
    let mut headers = headers(form);
    if let Some(key) = key {
        headers.insert(header::AUTHORIZATION, key_header("Bearer ", key)?);
    }
    Some(headers)
}

pub(super) fn to_json(body: &impl serde::Serialize) -> Vec<u8> {
    serde_json::to_vec(body).expect("text, numbers and lists of them always become JSON")
}

/// The arguments of a call as the object that some dialects want them as; what is none is put into one.
fn object(arguments: &str) -> Value {
    match serde_json::from_str(arguments) {
        Ok(object @ Value::Object(_)) => object,
        _ => serde_json::json!({ "unreadable": arguments }),
    }
}

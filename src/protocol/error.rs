//! Errors as JSON-RPC carries them: a code from a closed table, a text that says what to do, and data.

use std::{borrow::Cow, fmt};

use serde::Serialize;
use serde_json::{Value, json};

use super::{Version, envelope::Id};

/// The codes in use. Nothing here lies in `-32000` to `-32019`, which other software gives its own meanings.
pub mod code {
    /// Not JSON.
    pub const PARSE: i32 = -32700;
    /// JSON, but not a message that may stand here.
    pub const INVALID_REQUEST: i32 = -32600;
    /// No such method in this revision.
    pub const METHOD_NOT_FOUND: i32 = -32601;
    /// The parameters do not fit the method.
    pub const INVALID_PARAMS: i32 = -32602;
    /// It failed here.
    pub const INTERNAL: i32 = -32603;
    /// No such resource; the older era only, see [`Error::shaped`](super::Error::shaped).
    pub const RESOURCE_NOT_FOUND: i32 = -32002;
    /// The HTTP headers contradict the body.
    pub const HEADER_MISMATCH: i32 = -32020;
    /// The client lacks a capability that the request needs.
    pub const MISSING_CAPABILITY: i32 = -32021;
    /// The revision is not served.
    pub const UNSUPPORTED_VERSION: i32 = -32022;
}

/// A JSON-RPC error.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Error {
    code: i32,
    message: Cow<'static, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Value>,
}

impl Error {
    /// An error of `code` that says `message`.
    pub fn new(code: i32, message: impl Into<Cow<'static, str>>) -> Self {
        Self { code, message: message.into(), data: None }
    }

    /// The same with `data`.
    #[must_use]
    pub fn with_data(mut self, data: Value) -> Self {
        self.data = Some(data);
        self
    }

    /// The bytes are not JSON.
    pub fn parse(detail: impl fmt::Display) -> Self {
        Self::new(code::PARSE, format!("not JSON: {detail}"))
    }

    /// The message is not one that may stand here.
    pub fn invalid_request(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(code::INVALID_REQUEST, message)
    }

    /// The revision has no such method.
    pub fn method_not_found(method: &str) -> Self {
        let shown = crate::base::text::truncate(method, 80);
        Self::new(code::METHOD_NOT_FOUND, format!("no method `{shown}` in this protocol version"))
    }

    /// The parameters do not fit.
    pub fn invalid_params(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(code::INVALID_PARAMS, message)
    }

    /// It failed for a reason that is not the caller's; the text must not show the inside.
    pub fn internal(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(code::INTERNAL, message)
    }

    /// There is no resource at `uri`.
    pub fn resource_not_found(uri: &str) -> Self {
        Self::new(code::RESOURCE_NOT_FOUND, "no such resource; `resources/list` tells what there is")
            .with_data(json!({ "uri": uri }))
    }

    /// A header says something else than the body.
    pub fn header_mismatch(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(code::HEADER_MISMATCH, message)
    }

    /// The request needs the client to declare `required`, a `ClientCapabilities` object.
    pub fn missing_capability(required: &Value) -> Self {
        Self::new(code::MISSING_CAPABILITY, "the client has to declare a capability for this request")
            .with_data(json!({ "requiredCapabilities": required }))
    }

    /// The revision `requested` is not served.
    pub fn unsupported_version(requested: &str) -> Self {
        Self::new(code::UNSUPPORTED_VERSION, "protocol version not served; use one of `data.supported`")
            .with_data(json!({ "supported": Version::MODERN.map(Version::as_str), "requested": requested }))
    }

    /// Its code.
    pub fn code(&self) -> i32 {
        self.code
    }

    /// What it says.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What it carries beside the text.
    pub fn data(&self) -> Option<&Value> {
        self.data.as_ref()
    }

    /// As a peer of `version` may see it: 2026-07-28 counts an unknown resource among the invalid parameters.
    #[must_use]
    pub fn shaped(mut self, version: Version) -> Self {
        if self.code == code::RESOURCE_NOT_FOUND && version.describes_results() {
            self.code = code::INVALID_PARAMS;
        }
        self
    }

    fn json(&self) -> String {
        serde_json::to_string(self).expect("an error holds nothing that JSON cannot")
    }

    /// The whole message that answers the request `id`, or a message whose id could not be read.
    ///
    /// `version` is the revision of the peer, if that is known; it decides how an unknown id is written.
    pub fn answer(&self, id: Option<Id<'_>>, version: Option<Version>) -> String {
        let body = self.json();
        match id {
            Some(id) => format!(r#"{{"jsonrpc":"2.0","id":{},"error":{body}}}"#, id.token()),
            None if version.is_some_and(Version::omits_unknown_id) => {
                format!(r#"{{"jsonrpc":"2.0","error":{body}}}"#)
            }
            None => format!(r#"{{"jsonrpc":"2.0","id":null,"error":{body}}}"#),
        }
    }
}

/// The HTTP status that goes with an answer of 2026-07-28 that carries the error `code`.
///
/// Source: MCP 2026-07-28, "Streamable HTTP", and the errors it defines.
pub fn http_status(code: i32) -> u16 {
    match code {
        code::PARSE
        | code::INVALID_REQUEST
        | code::INVALID_PARAMS
        | code::HEADER_MISMATCH
        | code::MISSING_CAPABILITY
        | code::UNSUPPORTED_VERSION => 400,
        code::METHOD_NOT_FOUND => 404,
        _ => 200,
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_ids_are_null_or_left_out() {
        fn check(version: Option<Version>, starts: &str) {
            let answer = Error::parse("x").answer(None, version);
            assert!(answer.starts_with(starts), "{answer}");
        }
        check(None, r#"{"jsonrpc":"2.0","id":null,"error""#);
        check(Some(Version::V2025_06_18), r#"{"jsonrpc":"2.0","id":null,"error""#);
        check(Some(Version::V2025_11_25), r#"{"jsonrpc":"2.0","error""#);
        check(Some(Version::V2026_07_28), r#"{"jsonrpc":"2.0","error""#);
    }

    #[test]
    fn a_missing_resource_has_a_code_of_its_own_only_in_the_older_era() {
        fn check(version: Version, code: i32) {
            let error = Error::resource_not_found("crew://x").shaped(version);
            assert_eq!(error.code(), code);
            assert_eq!(error.data(), Some(&json!({"uri": "crew://x"})));
        }
        check(Version::V2024_11_05, -32002);
        check(Version::V2025_11_25, -32002);
        check(Version::V2026_07_28, -32602);
    }

    #[test]
    fn statuses() {
        fn check(code: i32, status: u16) {
            assert_eq!(http_status(code), status, "{code}");
        }
        check(-32700, 400);
        check(-32600, 400);
        check(-32601, 404);
        check(-32602, 400);
        check(-32603, 200);
        check(-32020, 400);
        check(-32021, 400);
        check(-32022, 400);
    }
}

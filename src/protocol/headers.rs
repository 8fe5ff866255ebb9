//! HTTP headers that repeat parts of the body, so that proxies can route without reading it.
//!
//! Which headers there are and how they are written is MCP; how they travel is not. So this module sees them
//! through [`Headers`] and never an HTTP library.
//!
//! Source: MCP 2026-07-28, "Streamable HTTP", section on standard and custom headers.

use std::borrow::Cow;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::Value;

use super::{Error, era::Peek};

/// Names a revision; on all requests.
pub const VERSION: &str = "mcp-protocol-version";
/// Repeats the method.
pub const METHOD: &str = "mcp-method";
/// Repeats the name, URI or task id that the request is about.
pub const NAME: &str = "mcp-name";
/// Names a session of the older era.
pub const SESSION: &str = "mcp-session-id";
/// Names the last event that a client got on a stream it comes back to.
pub const LAST_EVENT: &str = "last-event-id";
/// Starts the headers that repeat arguments.
const PARAM_PREFIX: &str = "mcp-param-";

/// What a request says under one header name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Header<'a> {
    /// Nothing.
    Absent,
    /// This, white space around it removed.
    Value(&'a str),
    /// Several things, or something that is not text.
    Unclear,
}

impl<'a> Header<'a> {
    /// Its value, if it is there and clear.
    pub fn value(self) -> Option<&'a str> {
        match self {
            Self::Value(value) => Some(value),
            Self::Absent | Self::Unclear => None,
        }
    }
}

/// The headers of one request; names are given in lower case.
pub trait Headers {
    /// What stands under `name`.
    fn get(&self, name: &str) -> Header<'_>;
}

/// Reads a header value: plain text, or `=?base64?…?=` for what plain text cannot carry.
///
/// `None` when the mark is there and what it holds is not canonical, padded base64 of UTF-8.
pub fn decode(value: &str) -> Option<Cow<'_, str>> {
    let Some(encoded) = value.strip_prefix("=?base64?").and_then(|rest| rest.strip_suffix("?=")) else {
        return Some(Cow::Borrowed(value));
    };
    let bytes = STANDARD.decode(encoded).ok()?;
    String::from_utf8(bytes).ok().map(Cow::Owned)
}

/// Checks that the routing headers say what the body says; `version` is what its `_meta` names.
///
/// # Errors
/// `-32020` for a header that is missing, repeated, or different.
pub fn check_routing(
    headers: &dyn Headers,
    version: &str,
    method: &str,
    peek: &Peek<'_>,
) -> Result<(), Error> {
    expect(headers, VERSION, version, false)?;
    expect(headers, METHOD, method, false)?;
    let subject = match method {
        "tools/call" | "prompts/get" => peek.name(),
        "resources/read" => peek.uri(),
        "tasks/get" | "tasks/update" | "tasks/cancel" => peek.task_id(),
        _ => return Ok(()),
    };
    match subject {
        Some(subject) => expect(headers, NAME, &subject, true),
        None if headers.get(NAME) == Header::Absent => Ok(()),
        None => Err(Error::header_mismatch("`Mcp-Name` is set, but the body names nothing")),
    }
}

fn expect(headers: &dyn Headers, name: &str, wanted: &str, encoded: bool) -> Result<(), Error> {
    let fault = match headers.get(name) {
        Header::Absent => "is missing",
        Header::Unclear => "is given more than once or is not text",
        Header::Value(value) => {
            let value = if encoded { decode(value) } else { Some(Cow::Borrowed(value)) };
            match value {
                Some(value) if value == wanted => return Ok(()),
                Some(_) => "does not match the body",
                None => "is not padded base64 of UTF-8",
            }
        }
    };
    Err(Error::header_mismatch(format!("header `{name}` {fault}")))
}

/// An argument that a tool wants repeated in a header: a property whose schema says `x-mcp-header`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mirror {
    path: Vec<String>,
    header: String,
}

impl Mirror {
    /// All of them in the schema of a tool's arguments.
    ///
    /// # Errors
    /// Says what is wrong with an annotation: only strings, integers and booleans that are reached through
    /// `properties` alone can be mirrored, under names that are header tokens and differ in more than case.
    pub fn all(schema: &Value) -> Result<Vec<Self>, String> {
        let mut found = Vec::new();
        let mut path = Vec::new();
        collect(schema, &mut path, &mut found)?;
        Ok(found)
    }

    fn check(&self, headers: &dyn Headers, arguments: &Value) -> Result<(), Error> {
        let argument = self.path.iter().try_fold(arguments, |value, key| value.get(key));
        let (wanted, number) = match argument {
            None | Some(Value::Null) => (None, false),
            Some(Value::String(text)) => (Some(text.clone()), false),
            Some(other) => (Some(other.to_string()), other.is_number()),
        };
        let header = &self.header;
        let fault = match (headers.get(header), wanted) {
            (Header::Absent, None) => return Ok(()),
            (Header::Absent, Some(_)) => "is missing while the argument is there",
            (Header::Unclear, _) => "is given more than once or is not text",
            (Header::Value(_), None) => "is there while the argument is not",
            (Header::Value(value), Some(wanted)) => match decode(value) {
                None => "is not padded base64 of UTF-8",
                Some(value) if value == wanted || (number && same_number(&value, &wanted)) => return Ok(()),
                Some(_) => "does not match the argument",
            },
        };
        Err(Error::header_mismatch(format!("header `{header}` {fault}")))
    }
}

/// Checks the headers that repeat arguments.
///
/// # Errors
/// `-32020` for the first that does not match.
pub fn check_mirrors(mirrors: &[Mirror], headers: &dyn Headers, peek: &Peek<'_>) -> Result<(), Error> {
    if mirrors.is_empty() {
        return Ok(());
    }
    let arguments = peek.arguments().unwrap_or(Value::Null);
    mirrors.iter().try_for_each(|mirror| mirror.check(headers, &arguments))
}

fn collect(schema: &Value, path: &mut Vec<String>, found: &mut Vec<Mirror>) -> Result<(), String> {
    if let Some(annotation) = schema.get("x-mcp-header") {
        let token = annotation.as_str().filter(|token| is_token(token));
        let token = token.ok_or_else(|| format!("`x-mcp-header`: {annotation} is not a header token"))?;
        let kind = schema.get("type").and_then(Value::as_str).unwrap_or_default();
        if path.is_empty() || !matches!(kind, "string" | "integer" | "boolean") {
            return Err(format!("`x-mcp-header`: `{token}` must be on a string, an integer or a boolean"));
        }
        let header = format!("{PARAM_PREFIX}{}", token.to_ascii_lowercase());
        if found.iter().any(|mirror| mirror.header == header) {
            return Err(format!("`x-mcp-header`: `{token}` is used twice"));
        }
        found.push(Mirror { path: path.clone(), header });
    }
    if schema.as_object().into_iter().flatten().any(|(keyword, value)| is_stray(keyword, value)) {
        return Err("`x-mcp-header` is only for what `properties` alone lead to".to_owned());
    }
    let properties = schema.get("properties").and_then(Value::as_object);
    for (name, property) in properties.into_iter().flatten() {
        path.push(name.clone());
        collect(property, path, found)?;
        path.pop();
    }
    Ok(())
}

/// Whether an annotation is somewhere in `value`, which stands under `keyword` of a schema and is not reached through
/// `properties` alone.
fn is_stray(keyword: &str, value: &Value) -> bool {
    // These hold instances, in which a member of that name means nothing.
    if matches!(keyword, "properties" | "const" | "enum" | "default" | "examples") {
        return false;
    }
    match value {
        Value::Object(schema) => {
            let named = matches!(keyword, "$defs" | "definitions" | "patternProperties" | "dependentSchemas");
            (!named && schema.contains_key("x-mcp-header"))
                || schema.iter().any(|(keyword, value)| match (keyword.as_str(), value) {
                    ("properties", Value::Object(all)) if !named => all.values().any(|one| is_stray("", one)),
                    (_, value) if named => is_stray("", value),
                    (keyword, value) => is_stray(keyword, value),
                })
        }
        Value::Array(all) => all.iter().any(|one| is_stray("", one)),
        _ => false,
    }
}

fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

fn same_number(left: &str, right: &str) -> bool {
    match (left.parse::<i128>(), right.parse::<i128>()) {
        (Ok(left), Ok(right)) => left == right,
        _ => left.parse::<f64>().is_ok_and(|left| right.parse::<f64>() == Ok(left)),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use serde_json::json;

    use super::*;

    struct Map(HashMap<&'static str, &'static str>);

    impl Headers for Map {
        fn get(&self, name: &str) -> Header<'_> {
            match self.0.get(name) {
                None => Header::Absent,
                Some(&"<twice>") => Header::Unclear,
                Some(value) => Header::Value(value),
            }
        }
    }

    #[test]
    fn values_may_be_encoded() {
        fn check(value: &str, expected: Option<&str>) {
            assert_eq!(decode(value).as_deref(), expected, "{value}");
        }
        check("plain", Some("plain"));
        check("", Some(""));
        check("=?base64?5Luj56CB?=", Some("代码"));
        check("=?base64??=", Some(""));
        check("=?base64?aGVsbG8=?=", Some("hello"));
        check("=?base64?aGVsbG8?=", None);
        check("=?base64?aGVsbG9=?=", None);
        check("=?base64?*?=", None);
        check("=?base64?/w==?=", None);
        check("=?base64?aGVsbG8=", Some("=?base64?aGVsbG8="));
        check("=?BASE64?aGVsbG8=?=", Some("=?BASE64?aGVsbG8=?="));
    }

    #[test]
    fn routing_headers_repeat_the_body() {
        #[track_caller]
        fn check(method: &str, params: &str, headers: &[(&'static str, &'static str)], ok: bool) {
            let params = serde_json::value::RawValue::from_string(params.to_owned()).unwrap();
            let peek = Peek::of(Some(&params));
            let map = Map(headers.iter().copied().collect());
            let outcome = check_routing(&map, "2026-07-28", method, &peek);
            assert_eq!(outcome.is_ok(), ok, "{outcome:?}");
        }
        let version = (VERSION, "2026-07-28");
        let call = (METHOD, "tools/call");
        check("tools/list", "{}", &[version, (METHOD, "tools/list")], true);
        check("tools/list", "{}", &[version, (METHOD, "Tools/List")], false);
        check("tools/list", "{}", &[version], false);
        check("tools/list", "{}", &[(METHOD, "tools/list")], false);
        check("tools/list", "{}", &[(VERSION, "2025-11-25"), (METHOD, "tools/list")], false);
        check("tools/list", "{}", &[version, (METHOD, "<twice>")], false);
        check("tools/call", r#"{"name":"a"}"#, &[version, call, (NAME, "a")], true);
        check("tools/call", r#"{"name":"a"}"#, &[version, call, (NAME, "=?base64?YQ==?=")], true);
        check("tools/call", r#"{"name":"a"}"#, &[version, call, (NAME, "b")], false);
        check("tools/call", r#"{"name":"a"}"#, &[version, call, (NAME, "<twice>")], false);
        check("tools/call", r#"{"name":"a"}"#, &[version, call], false);
        check("tools/call", "{}", &[version, call, (NAME, "a")], false);
        check("tools/call", "{}", &[version, call], true);
    }

    #[test]
    fn arguments_are_mirrored_where_the_schema_says_so() {
        let schema = json!({"type": "object", "properties": {
            "region": {"type": "string", "x-mcp-header": "Region"},
            "deep": {"type": "object", "properties": {"count": {"type": "integer", "x-mcp-header": "Count"}}},
        }});
        let mirrors = Mirror::all(&schema).unwrap();
        let check = |arguments: &str, headers: &[(&'static str, &'static str)], ok: bool| {
            let params =
                serde_json::value::RawValue::from_string(format!(r#"{{"arguments":{arguments}}}"#)).unwrap();
            let map = Map(headers.iter().copied().collect());
            let outcome = check_mirrors(&mirrors, &map, &Peek::of(Some(&params)));
            assert_eq!(outcome.is_ok(), ok, "{arguments} {headers:?} {outcome:?}");
        };
        check("{}", &[], true);
        check(r#"{"region":null}"#, &[], true);
        check(r#"{"region":"eu"}"#, &[("mcp-param-region", "eu")], true);
        check(r#"{"region":"eu"}"#, &[("mcp-param-region", "us")], false);
        check(r#"{"region":"eu"}"#, &[], false);
        check("{}", &[("mcp-param-region", "eu")], false);
        check(r#"{"region":"eu"}"#, &[("mcp-param-region", "=?base64?***?=")], false);
        check(r#"{"deep":{"count":5}}"#, &[("mcp-param-count", "5.0")], true);
        check(r#"{"deep":{"count":9007199254740993}}"#, &[("mcp-param-count", "9007199254740992")], false);
    }

    #[test]
    fn faulty_annotations_are_named() {
        fn check(property: &Value, part: &str) {
            let error = Mirror::all(&json!({"properties": {"a": property}})).unwrap_err();
            assert!(error.contains(part), "{error}");
        }
        check(&json!({"type": "number", "x-mcp-header": "A"}), "must be on a string");
        check(&json!({"type": "string", "x-mcp-header": "A b"}), "not a header token");
        check(&json!({"type": "string", "x-mcp-header": 1}), "not a header token");
        let annotated = json!({"type": "string", "x-mcp-header": "A"});
        check(&json!({"type": "array", "items": annotated}), "`properties` alone");
        check(&json!({"anyOf": [{"properties": {"b": annotated}}]}), "`properties` alone");
        check(&json!({"$defs": {"b": annotated}}), "`properties` alone");
        check(&json!({"$defs": {"properties": annotated}}), "`properties` alone");
        let innocent = json!({"properties": {
            "a": {"type": "object", "default": annotated, "enum": [annotated]},
            "x-mcp-header": {"type": "string"},
        }, "$defs": {"x-mcp-header": {"type": "string"}}});
        assert_eq!(Mirror::all(&innocent), Ok(vec![]));
        check(
            &json!({"type": "string", "x-mcp-header": "A", "properties": {
                "b": {"type": "string", "x-mcp-header": "a"}}}),
            "used twice",
        );
    }
}

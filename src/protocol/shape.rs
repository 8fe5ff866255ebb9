//! What a result looks like to a peer of one revision: nothing it does not know, everything it requires.

use std::sync::Arc;

use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use super::{Error, Version};

/// Something of the protocol that grew members over the years.
pub trait Shape {
    /// Drops, or says in other words, what a peer of `version` does not know.
    fn shape(&mut self, version: Version);
}

impl<T: Shape> Shape for [T] {
    fn shape(&mut self, version: Version) {
        for part in self {
            part.shape(version);
        }
    }
}

/// A finished result. Results that are the same for many requests are shared.
#[derive(Debug, Clone)]
pub enum Payload {
    /// Of one request.
    Own(Box<RawValue>),
    /// Of many.
    Shared(Arc<RawValue>),
}

impl Payload {
    /// The JSON.
    pub fn get(&self) -> &str {
        match self {
            Self::Own(json) => json.get(),
            Self::Shared(json) => json.get(),
        }
    }

    /// The whole message that answers the request whose id was written as `id`.
    pub fn answer(&self, id: &str) -> String {
        ["{\"jsonrpc\":\"2.0\",\"id\":", id, ",\"result\":", self.get(), "}"].concat()
    }
}

/// How long a client may keep a result that carries cache hints, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ttl(pub u32);

/// What a result says about the request; written since the modern era.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum ResultType {
    /// It is answered.
    Complete,
    /// It goes on as a task.
    Task,
    /// The client has to be asked first.
    InputRequired,
}

/// Finishes the result `body` for `version`. `identity` is the `_meta` that names the server, `ttl` the cache hint
/// of the methods that have one.
///
/// The scope is always `private`: what a server shows may depend on who asks.
pub(super) fn finish(
    body: &impl Serialize,
    version: Version,
    identity: &RawValue,
    ttl: Option<Ttl>,
) -> Result<Box<RawValue>, Error> {
    finish_as(ResultType::Complete, body, version, identity, ttl)
}

/// The same with another type.
pub(super) fn finish_as(
    result_type: ResultType,
    body: &impl Serialize,
    version: Version,
    identity: &RawValue,
    ttl: Option<Ttl>,
) -> Result<Box<RawValue>, Error> {
    let modern = version.describes_results();
    let ttl = ttl.filter(|_| modern);
    let result = Finished {
        body,
        result_type: modern.then_some(result_type),
        ttl_ms: ttl.map(|Ttl(milliseconds)| milliseconds),
        cache_scope: ttl.map(|_| "private"),
        meta: modern.then_some(identity),
    };
    to_raw_value(&result).and_then(one_line).map_err(|error| {
        tracing::error!(%error, "a result cannot be written as JSON");
        Error::internal("the result cannot be written as JSON; the log of the server says why")
    })
}

/// Lines end messages on stdio and events in a stream. Inside JSON they can only be white space between tokens, and only
/// in what a host handed over ready made.
fn one_line(json: Box<RawValue>) -> serde_json::Result<Box<RawValue>> {
    // Without an early end, so that the compiler can look at many bytes at once.
    let broken = json.get().bytes().fold(false, |broken, byte| broken | matches!(byte, b'\n' | b'\r'));
    if broken { RawValue::from_string(json.get().replace(['\n', '\r'], " ")) } else { Ok(json) }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Finished<'a, T> {
    #[serde(flatten)]
    body: &'a T,
    #[serde(skip_serializing_if = "Option::is_none")]
    result_type: Option<ResultType>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ttl_ms: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_scope: Option<&'static str>,
    #[serde(rename = "_meta", skip_serializing_if = "Option::is_none")]
    meta: Option<&'a RawValue>,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn answers_stay_on_their_line_and_keep_the_id_as_it_was_written() {
        #[track_caller]
        fn check(result: &str, expected: &str) {
            let body = RawValue::from_string(result.to_owned()).unwrap();
            let result = Payload::Own(one_line(body).unwrap());
            assert_eq!(result.answer("-5"), expected);
        }
        check("{\n\"a\":\r\n1}", r#"{"jsonrpc":"2.0","id":-5,"result":{ "a":  1}}"#);
        check(r#"{"a":"\n"}"#, r#"{"jsonrpc":"2.0","id":-5,"result":{"a":"\n"}}"#);
    }

    #[test]
    fn only_the_modern_era_describes_results() {
        #[track_caller]
        fn check(version: Version, ttl: Option<Ttl>, expected: &str) {
            let identity = RawValue::from_string(r#"{"i":1}"#.to_owned()).unwrap();
            let result = finish(&json!({"a": 1}), version, &identity, ttl).unwrap();
            assert_eq!(result.get(), expected);
        }
        check(Version::V2025_11_25, Some(Ttl(5)), r#"{"a":1}"#);
        check(Version::V2026_07_28, None, r#"{"a":1,"resultType":"complete","_meta":{"i":1}}"#);
        check(
            Version::V2026_07_28,
            Some(Ttl(5)),
            r#"{"a":1,"resultType":"complete","ttlMs":5,"cacheScope":"private","_meta":{"i":1}}"#,
        );
    }
}

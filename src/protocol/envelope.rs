//! One JSON-RPC message, borrowed from its bytes. The id stays the token it was, so that it comes back unchanged.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::{Error, error::code, input::Reply};

/// The id of a request: a string or a whole number, as the peer wrote it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Id<'a>(&'a str);

impl<'a> Id<'a> {
    /// Reads an id; `None` for what may not be one: `null`, fractions, exponents, anything else.
    pub fn parse(token: &'a str) -> Option<Self> {
        let whole = |digits: &str| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        let number = whole(token.strip_prefix('-').unwrap_or(token));
        (number || token.starts_with('"')).then_some(Self(token))
    }

    /// The JSON token, quotes included.
    pub fn token(self) -> &'a str {
        self.0
    }
}

/// A message, its parts not looked into yet.
#[derive(Debug)]
pub struct Envelope<'a> {
    raw: Raw<'a>,
    method: Option<Cow<'a, str>>,
}

/// What a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind<'a> {
    /// It wants an answer.
    Request(Id<'a>, &'a str),
    /// It wants none.
    Notification(&'a str),
    /// It is one.
    Response(Id<'a>),
    /// It is none of these; the id is there if it could be read.
    Invalid(Option<Id<'a>>),
}

#[derive(Debug, Deserialize)]
struct Raw<'a> {
    #[serde(borrow, default, deserialize_with = "present")]
    jsonrpc: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    id: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    method: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    params: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    result: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    error: Option<&'a RawValue>,
}

/// A member that is there, also when it is `null`: an id of `null` is a mistake, no id is a notification.
pub(super) fn present<'de: 'a, 'a, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<&'a RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

impl<'a> Envelope<'a> {
    /// Reads one message.
    ///
    /// # Errors
    /// `-32700` when `bytes` are not JSON in UTF-8, `-32600` when they are, but not an object with distinct members.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Error> {
        let text = std::str::from_utf8(bytes).map_err(Error::parse)?;
        Self::parse_text(text)
    }

    /// The same of text.
    ///
    /// # Errors
    /// As [`Envelope::parse`].
    pub fn parse_text(text: &'a str) -> Result<Self, Error> {
        let raw: Raw<'a> = object(text).map_err(|error| refused(text, &error))?;
        let method = raw.method.and_then(text_of);
        Ok(Self { raw, method })
    }

    /// What it is.
    pub fn kind(&self) -> Kind<'_> {
        let id = self.raw.id.map(|raw| Id::parse(raw.get()));
        if self.raw.jsonrpc.is_none_or(|version| version.get() != r#""2.0""#) {
            return Kind::Invalid(id.flatten());
        }
        let answers = self.raw.result.is_some() != self.raw.error.is_some();
        match (self.raw.method.is_some(), self.method.as_deref(), id) {
            (true, Some(method), Some(Some(id))) => Kind::Request(id, method),
            (true, Some(method), None) => Kind::Notification(method),
            (false, _, Some(Some(id))) if answers => Kind::Response(id),
            (_, _, id) => Kind::Invalid(id.flatten()),
        }
    }

    /// Its parameters.
    pub fn params(&self) -> Option<&'a RawValue> {
        self.raw.params
    }

    /// What it answers, if it is a response.
    pub(super) fn reply(&self) -> Reply {
        #[derive(Deserialize)]
        struct Failed {
            code: i64,
            message: String,
        }
        if let Some(result) = self.raw.result {
            return Reply::Result(serde_json::from_str(result.get()).unwrap_or_default());
        }
        let failed = self.raw.error.and_then(|error| object::<Failed>(error.get()).ok());
        failed.map_or_else(
            || Reply::Error { code: i64::from(code::INTERNAL), message: "an unreadable error".to_owned() },
            |Failed { code, message }| Reply::Error { code, message },
        )
    }
}

/// The messages of an array, or `None` when `text` is not an array at all.
///
/// # Errors
/// `-32700` when it is not JSON, `-32600` when it is empty or holds more than `limit` messages.
pub fn batch(text: &str, limit: usize) -> Option<Result<Vec<&RawValue>, Error>> {
    if !text.trim_ascii_start().starts_with('[') {
        return None;
    }
    Some(match serde_json::from_str::<Vec<&RawValue>>(text) {
        Ok(messages) if messages.is_empty() => {
            Err(Error::invalid_request("an empty batch; send at least one message"))
        }
        Ok(messages) if messages.len() > limit => {
            Err(Error::invalid_request(format!("more than {limit} messages in a batch; send several")))
        }
        Ok(messages) => Ok(messages),
        Err(error) => Err(Error::parse(error)),
    })
}

/// Reads an object into a struct; a plain derive would take an array too, member by member.
pub(super) fn object<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, serde_json::Error> {
    if text.trim_ascii_start().starts_with('[') {
        return Err(serde::de::Error::custom("an object is expected, not an array"));
    }
    serde_json::from_str(text)
}

/// The string that `raw` is, if it is one.
pub(super) fn text_of(raw: &RawValue) -> Option<Cow<'_, str>> {
    text_of_token(raw.get())
}

/// The same of its token.
pub(super) fn text_of_token(token: &str) -> Option<Cow<'_, str>> {
    let inner = token.strip_prefix('"')?.strip_suffix('"')?;
    if inner.contains('\\') {
        return serde_json::from_str(token).ok().map(Cow::Owned);
    }
    Some(Cow::Borrowed(inner))
}

/// Why `text` is no message: reading stops at the first thing amiss, so what follows is checked here.
fn refused(text: &str, error: &serde_json::Error) -> Error {
    if error.is_data() && serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok() {
        return Error::invalid_request("not a JSON-RPC message: send one object with distinct members");
    }
    Error::parse(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Kind<'_>) {
        let envelope = Envelope::parse(text.as_bytes()).unwrap();
        assert_eq!(envelope.kind(), expected, "{text}");
    }

    #[test]
    fn ids_are_kept_as_they_were_written() {
        for token in ["1", "-5", "0", "99999999999999999999", r#""a""#, r#""\u0061""#, r#""""#] {
            let text = format!(r#"{{"jsonrpc":"2.0","id":{token},"method":"ping"}}"#);
            check(&text, Kind::Request(Id(token), "ping"));
        }
    }

    #[test]
    fn what_cannot_be_an_id_is_not_a_notification() {
        for token in ["null", "1.5", "1e3", "true", "[]", "{}"] {
            let text = format!(r#"{{"jsonrpc":"2.0","id":{token},"method":"ping"}}"#);
            check(&text, Kind::Invalid(None));
        }
    }

    #[test]
    fn kinds() {
        check(r#"{"jsonrpc":"2.0","method":"a/b"}"#, Kind::Notification("a/b"));
        check(r#"{"jsonrpc":"2.0","method":"a\/b"}"#, Kind::Notification("a/b"));
        check(r#"{"jsonrpc":"2.0","id":1,"result":{}}"#, Kind::Response(Id("1")));
        check(r#"{"jsonrpc":"2.0","id":1,"error":{}}"#, Kind::Response(Id("1")));
        check(r#"{"jsonrpc":"2.0","id":1}"#, Kind::Invalid(Some(Id("1"))));
        check(r#"{"jsonrpc":"2.0","id":1,"method":7}"#, Kind::Invalid(Some(Id("1"))));
        check(r#"{"jsonrpc":"1.0","id":1,"method":"ping"}"#, Kind::Invalid(Some(Id("1"))));
        check(r#"{"id":1,"method":"ping"}"#, Kind::Invalid(Some(Id("1"))));
        check("{}", Kind::Invalid(None));
    }

    #[test]
    fn what_is_no_message_has_a_code() {
        fn check(bytes: &[u8], code: i32) {
            let error = Envelope::parse(bytes).unwrap_err();
            assert_eq!(error.code(), code, "{}: {error}", String::from_utf8_lossy(bytes));
        }
        check(b"", -32700);
        check(b"{", -32700);
        check(b"nonsense", -32700);
        check(b"{\"jsonrpc\":\"2.0\"} x", -32700);
        check(b"{\"method\":\"\xff\"}", -32700);
        check(b"{\"id\":1,\"id\":2}", -32600);
        check(b"{\"id\":1,\"id\":2", -32700);
        check(b"42", -32600);
        check(b"[\"2.0\",1,\"ping\"]", -32600);
        check(b"null", -32600);
        check(b"\"text\"", -32600);
    }

    #[test]
    fn depth_is_no_danger() {
        let deep = format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"ping","params":{}{}}}"#,
            "[".repeat(100_000),
            "]".repeat(100_000)
        );
        // Either reading is fine; what matters is that the stack holds.
        let _ = Envelope::parse(deep.as_bytes());
    }

    #[test]
    fn arrays_are_told_apart() {
        assert!(batch("{}", 9).is_none());
        assert_eq!(batch(" [1,{}]", 9).unwrap().unwrap().len(), 2);
        assert_eq!(batch("[]", 9).unwrap().unwrap_err().code(), -32600);
        assert_eq!(batch("[1,2]", 1).unwrap().unwrap_err().code(), -32600);
        assert_eq!(batch("[1,", 9).unwrap().unwrap_err().code(), -32700);
    }
}

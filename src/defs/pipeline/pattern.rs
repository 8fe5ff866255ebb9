//! Regular expressions in definitions: short, searched in linear time, their mistakes shown in place.

use std::{borrow::Cow, fmt};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Serialize, Serializer};

use super::super::{codes, diagnostic::Span, reader::Text, report::Report};

/// Longest pattern, in characters.
const LONGEST: usize = 256;
/// Largest compiled pattern, in bytes: `\w{250}` and its like unfold to much.
const LARGEST: usize = 1 << 20;

/// A regular expression of at most 256 characters. Searching takes time linear in the text.
#[derive(Clone)]
pub struct Pattern {
    regex: regex::Regex,
}

impl Pattern {
    /// Whether it is found anywhere in `text`.
    pub fn is_found_in(&self, text: &str) -> bool {
        self.regex.is_match(text)
    }

    /// As it is written.
    pub fn as_str(&self) -> &str {
        self.regex.as_str()
    }

    /// Reads a pattern; what is wrong with it is pointed at where it stands.
    pub(super) fn read(text: &Text, report: &mut Report<'_>) -> Option<Self> {
        let pattern = text.value.as_str();
        let length = pattern.chars().count();
        if length > LONGEST {
            let message = format!("a pattern has at most {LONGEST} characters, this one {length}");
            report.error(codes::TOO_LONG, text.span, message);
            return None;
        }
        match regex::RegexBuilder::new(pattern).size_limit(LARGEST).build() {
            Ok(regex) => Some(Self { regex }),
            Err(error) => {
                let (message, span) = fault(pattern, &error);
                let place = span.and_then(|span| inside(text, span, report)).unwrap_or(text.span);
                report
                    .error(codes::INVALID_PATTERN, place, format!("this pattern cannot be used: {message}"))
                    .help("to find a text as it stands, use `contains`");
                None
            }
        }
    }
}

/// What is wrong, in words, and where in the pattern.
fn fault(pattern: &str, error: &regex::Error) -> (String, Option<(usize, usize)>) {
    use regex_syntax::Error;

    match (regex_syntax::parse(pattern), error) {
        (Err(Error::Parse(error)), _) => {
            let span = error.span();
            (error.kind().to_string(), Some((span.start.offset, span.end.offset)))
        }
        (Err(Error::Translate(error)), _) => {
            let span = error.span();
            (error.kind().to_string(), Some((span.start.offset, span.end.offset)))
        }
        (_, regex::Error::CompiledTooBig(_)) => ("it unfolds to too much".to_owned(), None),
        (_, other) => (other.to_string().lines().last().unwrap_or_default().to_owned(), None),
    }
}

/// The place of a part of `text` in the source; `None` when the text is not written as it is meant.
fn inside(text: &Text, (start, end): (usize, usize), report: &Report<'_>) -> Option<Span> {
    let written = report.source().text.get(text.span.start..text.span.end)?;
    let at = text.span.start + written.find(text.value.as_str())?;
    let end = end.max(start + text.value.get(start..)?.chars().next().map_or(0, char::len_utf8));
    Some(Span { start: at + start, end: at + end })
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Pattern").field(&self.as_str()).finish()
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Serialize for Pattern {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl JsonSchema for Pattern {
    fn schema_name() -> Cow<'static, str> {
        "Pattern".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A regular expression; searched for anywhere in the text.",
            "type": "string",
            "maxLength": LONGEST,
        })
    }
}

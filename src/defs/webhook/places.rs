//! Values out of a delivery.
//!
//! ```text
//! place   = "{{" path [ "|" "default(" json-string ")" ] "}}"     blanks may stand between the parts
//! path    = segment { "." segment }                                keys of objects, or indices of arrays from 0
//! segment = any characters but . | { } and line breaks, not blank
//! ```
//! Braces around nothing, or around a line break, are ordinary text, as is a `{{` that is never closed.

use serde_json::Value;

/// A text with places to fill from a delivery.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Places {
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Place {
        path: String,
        /// Stands where the delivery has nothing.
        default: Option<String>,
    },
}

/// Why a text cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlaceFault {
    /// A path with an empty part, as in `a..b`.
    #[error("`{0}` is no path")]
    Path(String),
    /// Something else than `default("…")` after the `|`.
    #[error("after `{0} |` only `default(\"…\")` may follow")]
    Filter(String),
}

impl Places {
    /// Finds the places of `text`.
    ///
    /// # Errors
    /// [`PlaceFault`] for the first place that cannot be read.
    pub fn parse(text: &str) -> Result<Self, PlaceFault> {
        let mut parts = Vec::new();
        let mut plain = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("{{") {
            plain.push_str(before);
            // Of more than two braces the last two open the place.
            let opened = after.trim_start_matches('{');
            plain.extend(std::iter::repeat_n('{', after.len() - opened.len()));
            if let Some((part, tail)) = place(opened)? {
                if !plain.is_empty() {
                    parts.push(Part::Text(std::mem::take(&mut plain)));
                }
                parts.push(part);
                rest = tail;
            } else {
                plain.push_str("{{");
                rest = opened;
            }
        }
        plain.push_str(rest);
        if !plain.is_empty() {
            parts.push(Part::Text(plain));
        }
        Ok(Self { parts })
    }

    /// The text with values of `payload`, in one pass: what is filled in is never looked at again.
    ///
    /// Text stands as it is, numbers and booleans as in JSON, objects and arrays as compact JSON, `null` as nothing. Where
    /// the payload has nothing, or `null`, the default stands; paths that lead nowhere and have none are added to `missing`.
    pub fn fill(&self, payload: &Value, missing: &mut Vec<String>) -> String {
        let mut filled = String::new();
        for part in &self.parts {
            match part {
                Part::Text(text) => filled.push_str(text),
                Part::Place { path, default } => match (lookup(payload, path), default) {
                    (None | Some(Value::Null), Some(default)) => filled.push_str(default),
                    (Some(Value::Null), None) => {}
                    (Some(Value::String(text)), _) => filled.push_str(text),
                    (Some(value), _) => filled.push_str(&value.to_string()),
                    (None, None) if missing.contains(path) => {}
                    (None, None) => missing.push(path.clone()),
                },
            }
        }
        filled
    }
}

/// The place at the start of `opened`, which follows `{{`, and what comes after it.
fn place(opened: &str) -> Result<Option<(Part, &str)>, PlaceFault> {
    let Some(end) = opened.find(['|', '{', '}', '\n']) else { return Ok(None) };
    let (path, rest) = opened.split_at(end);
    let path = path.trim();
    let named = |fault: fn(String) -> PlaceFault| fault(path.to_owned());
    let (default, tail) = match rest.strip_prefix('|') {
        None => match rest.strip_prefix("}}") {
            Some(tail) => (None, tail),
            None => return Ok(None),
        },
        Some(filter) => match default(filter) {
            Some((text, tail)) => (Some(text), tail),
            // Only what is closed is a place at all.
            None if opened.contains("}}") => return Err(named(PlaceFault::Filter)),
            None => return Ok(None),
        },
    };
    if path.is_empty() && default.is_none() {
        return Ok(None);
    }
    let segments: Vec<&str> = path.split('.').map(str::trim).collect();
    if segments.iter().any(|segment| segment.is_empty()) {
        return Err(named(PlaceFault::Path));
    }
    Ok(Some((Part::Place { path: segments.join("."), default }, tail)))
}

/// The text of ` default("…") }}` and what comes after it.
fn default(filter: &str) -> Option<(String, &str)> {
    let literal = filter.trim_start().strip_prefix("default")?.trim_start().strip_prefix('(')?;
    let mut texts = serde_json::Deserializer::from_str(literal).into_iter::<String>();
    let text = texts.next()?.ok()?;
    let rest = literal.get(texts.byte_offset()..)?;
    Some((text, rest.trim_start().strip_prefix(')')?.trim_start().strip_prefix("}}")?))
}

fn lookup<'a>(payload: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').try_fold(payload, |value, segment| match value {
        Value::Object(object) => object.get(segment),
        Value::Array(array) => array.get(index(segment)?),
        _ => None,
    })
}

fn index(segment: &str) -> Option<usize> {
    // `parse` alone would take `+1` too.
    segment.bytes().all(|byte| byte.is_ascii_digit()).then(|| segment.parse().ok())?
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(template: &str, expected: &str, absent: &[&str]) {
        let payload = json!({
            "ref": "refs/heads/主干", "n": 3, "x": 1.5, "yes": true, "nothing": null, "empty": "",
            "commits": [{"id": "a1"}, {"id": "b2"}], "nested": {"a": {"b": "deep"}},
            "evil": "{{ref}} $n {steps.a.output}", "a b": "blank",
        });
        let mut missing = Vec::new();
        let places = Places::parse(template).unwrap_or_else(|fault| panic!("{template}: {fault}"));
        assert_eq!(places.fill(&payload, &mut missing), expected, "{template}");
        assert_eq!(missing, absent, "{template}");
    }

    #[test]
    fn paths_are_filled_in() {
        check("no places", "no places", &[]);
        check("on {{ref}}!", "on refs/heads/主干!", &[]);
        check("{{ nested . a.b }}{{n}}", "deep3", &[]);
        check("{{commits.1.id}} {{a b}}", "b2 blank", &[]);
        check("{{n}} {{x}} {{yes}} <{{nothing}}>", "3 1.5 true <>", &[]);
        check("{{commits}} {{nested}}", r#"[{"id":"a1"},{"id":"b2"}] {"a":{"b":"deep"}}"#, &[]);
        check(r#"{"a": {{n}}}"#, r#"{"a": 3}"#, &[]);
    }

    #[test]
    fn a_default_stands_where_there_is_nothing() {
        check(r#"{{nope | default("x")}}"#, "x", &[]);
        check(r#"{{nope.a|default( "a \"}}\" \u4e2d" ) }}!"#, "a \"}}\" 中!", &[]);
        check(r#"<{{nothing | default("null")}}><{{empty | default("e")}}>"#, "<null><>", &[]);
        check(r#"{{n | default("x")}}{{nope | default("{{n}}")}}"#, "3{{n}}", &[]);
    }

    #[test]
    fn values_are_never_expanded_again() {
        check("{{evil}}", "{{ref}} $n {steps.a.output}", &[]);
    }

    #[test]
    fn what_is_not_there_is_named() {
        check(
            "{{nope.deep}}{{nope.deep}}-{{ref.x}}-{{commits.2}}-{{commits.+1}}-{{nothing.x}}",
            "----",
            &["nope.deep", "ref.x", "commits.2", "commits.+1", "nothing.x"],
        );
    }

    #[test]
    fn braces_alone_are_text() {
        check("{{}} {{ }} {{ref", "{{}} {{ }} {{ref", &[]);
        check("{{a\nb}} {n} }}", "{{a\nb}} {n} }}", &[]);
        check("{{{{n}}", "{{3", &[]);
        check("{{a {{n}}", "{{a 3", &[]);
        check("{{n | default", "{{n | default", &[]);
    }

    #[test]
    fn what_is_meant_as_a_place_and_is_none_is_refused() {
        let fault = |text: &str| Places::parse(text).unwrap_err();
        assert_eq!(fault("{{a..b}}"), PlaceFault::Path("a..b".to_owned()));
        assert_eq!(fault("{{.a}}"), PlaceFault::Path(".a".to_owned()));
        for filter in
            ["upper", "default()", "default(1)", "default('x')", r#"default("x") | upper"#, "default(\"x\""]
        {
            assert_eq!(
                fault(&format!("{{{{a | {filter}}}}}")),
                PlaceFault::Filter("a".to_owned()),
                "{filter}"
            );
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "[a{}|.\"() \n\\\\中default]{0,40}") {
            if let Ok(places) = Places::parse(&text) {
                let filled = places.fill(&json!({"a": "A"}), &mut Vec::new());
                prop_assert!(text.contains("{{") || filled == text);
            }
        }
    }
}

//! Writes plain values as YAML that every reader takes for the same: quoted whenever there could be a doubt.

use std::fmt::Write as _;

use serde_json::Value;

/// A map of fields, one a line; what is no map or text is written in flow style.
pub(super) fn field(out: &mut String, indent: usize, key: &str, value: &Value) {
    let _ = write!(out, "{:indent$}{}: ", "", text(key));
    flow(out, value);
    out.push('\n');
}

/// A value on one line.
fn flow(out: &mut String, value: &Value) {
    match value {
        Value::String(string) => out.push_str(&text(string)),
        Value::Array(items) => {
            out.push('[');
            for (place, item) in items.iter().enumerate() {
                out.push_str(if place == 0 { "" } else { ", " });
                inner(out, item);
            }
            out.push(']');
        }
        Value::Object(members) => {
            out.push('{');
            for (place, (key, value)) in members.iter().enumerate() {
                out.push_str(if place == 0 { "" } else { ", " });
                out.push_str(&quoted(key));
                out.push_str(": ");
                inner(out, value);
            }
            out.push('}');
        }
        plain => {
            let _ = write!(out, "{plain}");
        }
    }
}

/// Inside brackets a comma ends a plain text, so texts are always quoted there.
fn inner(out: &mut String, value: &Value) {
    match value {
        Value::String(string) => out.push_str(&quoted(string)),
        other => flow(out, other),
    }
}

/// A text, quoted unless it is a word or a sentence that nothing can mistake for something else.
pub fn text(string: &str) -> String {
    if is_plain(string) { string.to_owned() } else { quoted(string) }
}

fn is_plain(string: &str) -> bool {
    const WORDS: [&str; 11] = ["true", "false", "yes", "no", "on", "off", "null", "y", "n", "nan", "inf"];
    let fits = |letter: char| letter.is_alphanumeric() || " _-./()，。、（）".contains(letter);
    let begins = string.starts_with(char::is_alphabetic);
    begins
        && !string.ends_with(' ')
        && string.chars().all(fits)
        && !WORDS.contains(&string.to_lowercase().as_str())
}

fn quoted(string: &str) -> String {
    let mut out = String::with_capacity(string.len() + 2);
    out.push('"');
    for letter in string.chars() {
        match letter {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            // Not printable in YAML, or a line break to some readers of it.
            letter if letter.is_control() || matches!(letter, '\u{2028}' | '\u{2029}' | '\u{feff}') => {
                let _ = write!(out, "\\u{:04x}", u32::from(letter));
            }
            '\u{fffe}' | '\u{ffff}' => {
                let _ = write!(out, "\\u{:04x}", u32::from(letter));
            }
            letter => out.push(letter),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::defs::{reader, yaml};

    #[track_caller]
    fn check(value: &Value, expected: &str) {
        let mut out = String::new();
        field(&mut out, 0, "k", value);
        assert_eq!(out, format!("k: {expected}\n"));
        let read = yaml::parse(&out, 0).unwrap();
        assert_eq!(reader::plain(&read), json!({"k": value}));
    }

    #[test]
    fn what_could_be_mistaken_is_quoted() {
        check(&json!("Reviews code"), "Reviews code");
        check(&json!("审查代码，找问题"), "审查代码，找问题");
        check(&json!("a: b # c"), "\"a: b # c\"");
        check(&json!("[focus] <x>"), "\"[focus] <x>\"");
        check(&json!("yes"), "\"yes\"");
        check(&json!("1.10"), "\"1.10\"");
        check(&json!(""), "\"\"");
        check(&json!("a\n---\nb"), "\"a\\n---\\nb\"");
        check(&json!(["a, b", 1, true, null]), "[\"a, b\", 1, true, null]");
        check(&json!({"a b": {"c": []}}), "{\"a b\": {\"c\": []}}");
    }

    proptest::proptest! {
        #[test]
        fn is_read_back_as_it_was(text: String, key: String) {
            let value = json!([text, {key.as_str(): text}]);
            let mut out = String::new();
            field(&mut out, 0, "k", &value);
            field(&mut out, 0, "l", &Value::String(text.clone()));
            let read = yaml::parse(&out, 0).map_err(|fault| proptest::test_runner::TestCaseError::fail(fault.message))?;
            proptest::prop_assert_eq!(reader::plain(&read), json!({"k": value, "l": text}));
        }
    }
}

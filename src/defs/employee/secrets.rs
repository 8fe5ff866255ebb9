//! Keeps keys out of definitions: a definition names the variable that holds one.

use serde_json::{Map, Value};

use super::super::{codes, reader::Fields, report::Report};

const HELP: &str = "write `${NAME}` and set the variable NAME where crew runs";

/// The value of `key`, which must be `${NAME}` or absent.
pub(in crate::defs) fn reference(
    key: &'static str,
    fields: &mut Fields<'_>,
    report: &mut Report<'_>,
) -> Option<String> {
    let text = fields.text(key, report)?;
    let value = text.value.trim();
    if value.is_empty() {
        return None;
    }
    if is_variable(value) {
        return Some(value.to_owned());
    }
    told(key, report);
    None
}

/// Notes every key of `fields`, at any depth, that holds a secret in clear.
pub(super) fn check(fields: &Map<String, Value>, report: &mut Report<'_>) {
    for (key, value) in fields {
        match value {
            Value::String(text) if names_a_secret(key) && is_in_clear(text) => told(key, report),
            Value::Object(inner) => check(inner, report),
            Value::Array(items) => {
                items.iter().filter_map(Value::as_object).for_each(|inner| check(inner, report));
            }
            _ => {}
        }
    }
}

/// Names the key and not its line, which would show the secret.
fn told(key: &str, report: &mut Report<'_>) {
    let message = format!("`{key}` holds a secret in clear; a definition is no place for one");
    report.error_in_file(codes::SECRET_IN_CLEAR, message).help(HELP);
}

/// The variable that `${NAME}` names; any other text is taken for the name itself.
pub fn variable_name(reference: &str) -> &str {
    inside(reference).unwrap_or(reference)
}

fn inside(text: &str) -> Option<&str> {
    text.strip_prefix("${")?.strip_suffix('}')
}

/// `${NAME}`, the whole of it.
fn is_variable(text: &str) -> bool {
    inside(text).is_some_and(|name| {
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    })
}

fn names_a_secret(key: &str) -> bool {
    const ENDS: [&str; 8] = [
        "api_key",
        "apikey",
        "access_token",
        "auth_token",
        "api_token",
        "client_secret",
        "password",
        "secret_key",
    ];
    let key = key.to_ascii_lowercase().replace('-', "_");
    ENDS.iter().any(|end| key.ends_with(end))
}

/// Whether a text is more likely a secret than a stand-in for one: it is long, in one word, and no variable.
fn is_in_clear(text: &str) -> bool {
    let text = text.trim();
    text.len() >= 8 && !text.contains(char::is_whitespace) && !text.contains(['$', '<', '{', '*', '%'])
}

//! Fields of an employee that another format has no place for, kept under its `metadata`.
//!
//! ```yaml
//! metadata:
//!   crew.format: "1"
//!   crew.display_name: 代码审查员
//!   crew.triggers: "[\"review\", \"审查\"]"
//! ```
//! Every value is a text, as the rules for skills ask; what is no text is JSON in one.

use serde_json::{Map, Value};

use super::Employee;

/// What the keys begin with.
pub(super) const PREFIX: &str = "crew.";
/// The key that tells that crew wrote the file.
pub(super) const FORMAT: &str = "crew.format";
/// The key of the hash of the file.
pub(super) const HASH: &str = "crew.hash";

/// The field that may hold any value, so that a text is no sign of a text.
const ANY: &str = "extra";

/// Every field of `employee` that says something, by its name.
pub(super) fn telling(employee: &Employee) -> Map<String, Value> {
    let usual = object(&Employee::default());
    let mut fields = object(employee);
    fields.retain(|name, value| usual.get(name) != Some(value));
    // Written with the digits of its own precision.
    if let Some(temperature) = employee.temperature {
        let exact = temperature.to_string().parse::<f64>().ok();
        fields.insert("temperature".to_owned(), exact.into());
    }
    fields
}

fn object(employee: &Employee) -> Map<String, Value> {
    match serde_json::to_value(employee) {
        Ok(Value::Object(fields)) => fields,
        _ => Map::new(),
    }
}

/// A field as a text under `metadata`.
pub(super) fn written(value: &Value) -> Value {
    match value {
        Value::String(_) => value.clone(),
        other => Value::String(other.to_string()),
    }
}

/// Takes crew's own keys out of `metadata`: the fields they stand for, and the names of those that cannot be read.
pub(super) fn take(metadata: &mut Map<String, Value>) -> (Map<String, Value>, Vec<String>) {
    let usual = object(&Employee::default());
    let mut fields = Map::new();
    let mut unread = Vec::new();
    metadata.retain(|key, value| {
        if key == FORMAT || key == HASH {
            return false;
        }
        let Some(name) = key.strip_prefix(PREFIX).filter(|name| usual.contains_key(*name)) else {
            return true;
        };
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let as_text = (name != ANY).then_some(Value::String(text.clone()));
        let fitting =
            as_text.into_iter().chain(serde_json::from_str(&text).ok()).find(|value| fits(name, value));
        let Some(value) = fitting else {
            unread.push(key.clone());
            return true;
        };
        fields.insert(name.to_owned(), value);
        false
    });
    (fields, unread)
}

/// Whether a field may have this value.
pub(super) fn fits(name: &str, value: &Value) -> bool {
    let one = Map::from_iter([(name.to_owned(), value.clone())]);
    serde_json::from_value::<Employee>(Value::Object(one)).is_ok()
}

/// An employee with these fields, all of which [`fits`].
pub(super) fn employee(fields: Map<String, Value>) -> Option<Employee> {
    serde_json::from_value(Value::Object(fields)).ok()
}

/// Fields as the Python version left them: numbers for texts, `null` for nothing.
pub(super) fn normal(fields: Map<String, Value>) -> Map<String, Value> {
    let text = |value: Value| match value {
        Value::Number(number) => Value::String(number.to_string()),
        Value::Bool(value) => Value::String(value.to_string()),
        other => other,
    };
    let texts = ["version", "agent_id", "model", "author", "summary", "display_name", "character_name"];
    let given = fields.into_iter().filter(|(_, value)| !value.is_null());
    given
        .map(|(name, value)| {
            let value = if texts.contains(&name.as_str()) { text(value) } else { value };
            (name, value)
        })
        .collect()
}

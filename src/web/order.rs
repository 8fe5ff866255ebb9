//! The body of a run request, read strictly: a flag that is not understood must not be taken for its opposite.

use indexmap::IndexMap;
use serde_json::{Map, Value};

use super::{Problem, body::a_kind};
use crate::{
    base::{Priority, text},
    tasks::Budget,
};

/// What a run request may have; `/openapi.json` describes each.
pub(super) const KEYS: [&str; 11] = [
    "args",
    "sync",
    "model",
    "stream",
    "timeout_seconds",
    "deadline_seconds",
    "agent_id",
    "max_cost_usd",
    "max_tokens",
    "deliver",
    "priority",
];
/// The longest time a run may be given: a week.
pub(super) const LONGEST: u64 = 7 * 24 * 3600;

/// What a run request asks for.
#[derive(Debug, Default, PartialEq)]
pub(super) struct RunRequest {
    /// Values for the target's arguments.
    pub(super) args: IndexMap<String, String>,
    /// Whether to wait for the end.
    pub(super) sync: bool,
    /// Whether to be told what is said while it is said.
    pub(super) stream: bool,
    /// A model to use in place of the target's own.
    pub(super) model: Option<String>,
    /// The destinations its result goes to, by their names.
    pub(super) deliver: Vec<String>,
    /// How long it may take, waiting included.
    pub(super) timeout_seconds: Option<u32>,
    /// How much it may take.
    pub(super) budget: Budget,
    /// How soon it is begun.
    pub(super) priority: Priority,
}

impl RunRequest {
    /// Reads a body. `null` stands for a key that is not given.
    ///
    /// `agent_id` names an identity of the predecessor's identity service. It is checked and otherwise unused, so that
    /// its clients need not change.
    ///
    /// # Errors
    /// 422 naming the key.
    pub(super) fn parse(object: Map<String, Value>) -> Result<Self, Problem> {
        let mut request = Self::default();
        for (key, value) in object {
            match (key.as_str(), value) {
                (known, Value::Null) if KEYS.contains(&known) => {}
                ("args", Value::Object(args)) => request.args = texts(args)?,
                ("sync", Value::Bool(sync)) => request.sync = sync,
                ("stream", Value::Bool(stream)) => request.stream = stream,
                ("model", Value::String(model)) if !model.trim().is_empty() => request.model = Some(model),
                ("deliver", value) if names(&value).is_some() => {
                    request.deliver = names(&value).unwrap_or_default();
                }
                ("timeout_seconds" | "deadline_seconds", value) if seconds(&value).is_some() => {
                    request.timeout_seconds = seconds(&value);
                }
                ("max_cost_usd", Value::Number(most)) if is_dollars(&most) => {
                    request.budget.max_cost_usd = most.as_f64();
                }
                ("max_tokens", Value::Number(most)) if most.as_u64() > Some(0) => {
                    request.budget.max_tokens = most.as_u64();
                }
                ("priority", Value::String(name)) if name.parse::<Priority>().is_ok() => {
                    request.priority = name.parse().unwrap_or_default();
                }
                ("agent_id", value) if is_agent_id(&value) => {}
                (key, value) => return Err(unfit(key, &value)),
            }
        }
        Ok(request)
    }
}

/// At most twenty names; twice the same is once.
fn names(value: &Value) -> Option<Vec<String>> {
    const MOST: usize = 20;
    let items = value.as_array().filter(|items| items.len() <= MOST)?;
    let mut names = Vec::new();
    for item in items {
        let name = item.as_str()?.to_owned();
        if !names.contains(&name) {
            names.push(name);
        }
    }
    Some(names)
}

/// A time that a run may be given.
fn seconds(value: &Value) -> Option<u32> {
    value.as_u64().filter(|seconds| (1..=LONGEST).contains(seconds))?.try_into().ok()
}

/// Whether it is an amount that can be spent.
pub(super) fn is_dollars(number: &serde_json::Number) -> bool {
    number.as_f64().is_some_and(|dollars| dollars.is_finite() && dollars > 0.0)
}

/// Digits only: the id becomes part of an address elsewhere.
fn is_agent_id(value: &Value) -> bool {
    match value {
        Value::Number(number) => number.is_u64(),
        Value::String(text) => {
            (1..=20).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
        }
        _ => false,
    }
}

fn unfit(key: &str, value: &Value) -> Problem {
    let wanted = match key {
        "args" => "an object",
        "sync" | "stream" => "`true` or `false`",
        "model" => "a text that is not blank",
        "timeout_seconds" | "deadline_seconds" => "a whole number of seconds from 1 to 604800",
        "agent_id" => "a number",
        "deliver" => "a list of at most 20 names of destinations",
        "priority" => "`high`, `normal` or `low`",
        "max_cost_usd" => "a number of US dollars, more than 0",
        "max_tokens" => "a whole number, more than 0",
        _ => {
            let near = text::closest(key, KEYS).map(|near| format!("; did you mean `{near}`?"));
            let key = text::truncate(key, 100);
            return Problem::unfit(format!("unknown key `{key}`{}", near.unwrap_or_default()));
        }
    };
    Problem::unfit(format!("`{key}` must be {wanted}, not {}", a_kind(value)))
}

/// Scalars become text, as an argument is text; `null` is an argument that is not given.
pub(super) fn texts(args: Map<String, Value>) -> Result<IndexMap<String, String>, Problem> {
    let mut texts = IndexMap::with_capacity(args.len());
    for (name, value) in args {
        let text = match value {
            Value::Null => continue,
            Value::String(text) => text,
            Value::Bool(flag) => flag.to_string(),
            Value::Number(number) => number.to_string(),
            Value::Array(_) | Value::Object(_) => {
                let name = text::truncate(&name, 100);
                let kind = a_kind(&value);
                return Err(Problem::unfit(format!(
                    "`args.{name}` must be a text, a number or a boolean, not {kind}"
                )));
            }
        };
        texts.insert(name, text);
    }
    Ok(texts)
}

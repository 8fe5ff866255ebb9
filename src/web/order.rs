//! The body of a run request, read strictly: a flag that is not understood must not be taken for its opposite.

use indexmap::IndexMap;
use serde_json::{Map, Value};

use super::{Problem, body::a_kind};
use crate::{
    base::{Priority, text},
    engine::{AGENT, EMPLOYEE_RUN},
    tasks::{Budget, NewTask},
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
    /// Which agent of the identity service an employee is.
    pub(super) agent: Option<u64>,
}

impl RunRequest {
    /// Reads a body. `null` stands for a key that is not given.
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
                (key, value) if grant(&mut request.budget, key, &value) => {}
                ("priority", Value::String(name)) if name.parse::<Priority>().is_ok() => {
                    request.priority = name.parse().unwrap_or_default();
                }
                ("agent_id", value) if agent(&value).is_some() => request.agent = agent(&value),
                (key, value) => return Err(unfit(key, &value)),
            }
        }
        Ok(request)
    }

    /// Puts down with `new` what is not part of the plan of a run.
    pub(super) fn put(&self, new: &mut NewTask) {
        new.timeout_seconds = self.timeout_seconds;
        new.priority = self.priority;
        self.budget.put(&mut new.options);
        if let Some(agent) = self.agent.filter(|_| new.kind == EMPLOYEE_RUN) {
            new.options.insert(AGENT.to_owned(), agent.into());
        }
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

/// Notes in `budget` what `key` grants, and tells whether it does.
pub(super) fn grant(budget: &mut Budget, key: &str, value: &Value) -> bool {
    match key {
        "max_cost_usd" => {
            let dollars = value.as_f64().filter(|dollars| dollars.is_finite() && *dollars > 0.0);
            budget.max_cost_usd = dollars;
            dollars.is_some()
        }
        "max_tokens" => {
            let tokens = value.as_u64().filter(|tokens| *tokens > 0);
            budget.max_tokens = tokens;
            tokens.is_some()
        }
        _ => false,
    }
}

/// Digits only: the id becomes part of an address elsewhere.
fn agent(value: &Value) -> Option<u64> {
    match value {
        Value::Number(number) => number.as_u64(),
        Value::String(text) if text.bytes().all(|byte| byte.is_ascii_digit()) => text.parse().ok(),
        _ => None,
    }
}

fn unfit(key: &str, value: &Value) -> Problem {
    if KEYS.contains(&key) { misfit(key, value) } else { unknown(key, &KEYS) }
}

/// 422 for a key that is none of `known`.
pub(super) fn unknown(key: &str, known: &[&str]) -> Problem {
    let near = text::closest(key, known.iter().copied()).map(|near| format!("; did you mean `{near}`?"));
    let key = text::truncate(key, 100);
    Problem::unfit(format!("unknown key `{key}`{}", near.unwrap_or_default()))
}

/// 422 for the value of a key that is known.
pub(super) fn misfit(key: &str, value: &Value) -> Problem {
    let wanted = match key {
        "args" => "an object",
        "sync" | "stream" | "force" => "`true` or `false`",
        "timeout_seconds" | "deadline_seconds" => "a whole number of seconds from 1 to 604800",
        "agent_id" => "a number",
        "deliver" => "a list of at most 20 names of destinations",
        "priority" => "`high`, `normal` or `low`",
        "max_cost_usd" => "a number of US dollars, more than 0",
        "max_tokens" => "a whole number, more than 0",
        _ => "a text that is not blank",
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

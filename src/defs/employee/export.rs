//! Writes employees in the formats of other programs, so that reading them gives the same employee again.

use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use super::{super::emit, Employee, Origin, foreign, stored, translate};

/// A format that employees are written in for other programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Foreign {
    /// An Agent Skill, `<name>/SKILL.md`.
    Skill,
    /// A subagent of Claude Code, `<name>.md`.
    Agent,
}

/// Who wrote a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Authorship {
    /// [`export`], and it is as it was written.
    Ours,
    /// [`export`], and it was edited since.
    Edited,
    /// Somebody else.
    Theirs,
}

/// Fields that have a meaning in one of the formats, so that a field kept for another program cannot have their place.
const TAKEN: [&str; 12] = [
    "name",
    "description",
    "allowed-tools",
    "tools",
    "argument-hint",
    "arguments",
    "model",
    "version",
    "author",
    "display_name",
    "tags",
    "triggers",
];

/// The text of a file that other programs read, and from which [`super::parse_skill`] or [`super::parse_agent`] reads
/// exactly this employee. What the format has no place for stands under `metadata`.
pub fn export(employee: &Employee, form: Foreign) -> String {
    let mut fields = stored::telling(employee);
    for name in ["name", "description", "extra"] {
        fields.shift_remove(name);
    }
    let mut head = String::from("---\n");
    emit::field(&mut head, 0, "name", &employee.name.as_str().into());
    emit::field(&mut head, 0, "description", &employee.description.as_str().into());
    tools(&mut head, employee, form, &mut fields);
    model(&mut head, employee, &mut fields);
    let body = match form {
        Foreign::Skill => as_skill(&mut head, employee, &mut fields),
        Foreign::Agent => {
            fields.shift_remove("body");
            employee.body.clone()
        }
    };
    let mut metadata = extra(&mut head, employee, &mut fields);
    metadata.insert(stored::FORMAT.to_owned(), "1".into());
    for (name, value) in &fields {
        metadata.insert(format!("{}{name}", stored::PREFIX), stored::written(value));
    }
    head.push_str("metadata:\n");
    for (key, value) in &metadata {
        emit::field(&mut head, 2, key, value);
    }
    sealed(&head, &body)
}

fn tools(head: &mut String, employee: &Employee, form: Foreign, fields: &mut Map<String, Value>) {
    if employee.tools.is_empty() {
        return;
    }
    let (key, between) = match form {
        Foreign::Skill => ("allowed-tools", " "),
        Foreign::Agent => ("tools", ", "),
    };
    let names = translate::tools_out(&employee.tools);
    let exact = translate::tools_in(names.clone()) == employee.tools;
    let text = names.join(between);
    // A name with a blank in it would fall apart.
    let holds = foreign::tool_names(&text) == names;
    emit::field(head, 0, key, &if holds { text.into() } else { names.into() });
    if exact {
        fields.shift_remove("tools");
    }
}

/// Other programs know the models of Anthropic only.
fn model(head: &mut String, employee: &Employee, fields: &mut Map<String, Value>) {
    if let Some(model) = employee.model.as_ref().filter(|model| model.starts_with("claude-"))
        && translate::model_in(model).as_ref() == Some(model)
    {
        emit::field(head, 0, "model", &model.as_str().into());
        fields.shift_remove("model");
    }
}

/// The hint and the instructions of a skill.
fn as_skill(head: &mut String, employee: &Employee, fields: &mut Map<String, Value>) -> String {
    let args = &employee.args;
    if !args.is_empty() {
        let hint = translate::hint(args);
        if translate::args_of_hint(&hint) == *args {
            fields.shift_remove("args");
        }
        emit::field(head, 0, "argument-hint", &hint.into());
    }
    let body = translate::to_positions(&employee.body, args);
    if translate::from_positions(&body, args) == employee.body {
        fields.shift_remove("body");
    }
    body
}

/// Fields of other programs, where they belong; gives the start of `metadata`.
fn extra(head: &mut String, employee: &Employee, fields: &mut Map<String, Value>) -> Map<String, Value> {
    let mut metadata = Map::new();
    let mut hidden = Map::new();
    for (key, value) in &employee.extra {
        match value {
            Value::Object(entries)
                if key == "metadata"
                    && !entries.is_empty()
                    && !entries.keys().any(|key| key.starts_with(stored::PREFIX)) =>
            {
                metadata.clone_from(entries);
            }
            _ if key == "metadata" || TAKEN.contains(&key.as_str()) => {
                hidden.insert(key.clone(), value.clone());
            }
            _ => emit::field(head, 0, key, value),
        }
    }
    if !hidden.is_empty() {
        fields.insert("extra".to_owned(), Value::Object(hidden));
    }
    if employee.origin == Origin::Crew {
        fields.shift_remove("origin");
    }
    metadata
}

const SEAL: &str = "  crew.hash: ";

/// The whole file, with a hash of all the rest of it.
fn sealed(head: &str, body: &str) -> String {
    let tail = format!("---\n\n{body}\n");
    let hash = hex::encode(Sha256::new().chain_update(head).chain_update(&tail).finalize());
    format!("{head}{SEAL}{hash}\n{tail}")
}

/// Tells whether [`export`] wrote `text`.
pub fn authorship(text: &str) -> Authorship {
    let front = text.get(..text.find("\n---").map_or(0, |end| end + 1)).unwrap_or_default();
    let Some((head, rest)) = front.split_once(SEAL) else {
        let is_marked = front.contains("\n  crew.format: ");
        return if is_marked { Authorship::Edited } else { Authorship::Theirs };
    };
    let hash = rest.lines().next().unwrap_or_default();
    let tail = text.get(head.len() + SEAL.len() + hash.len()..).unwrap_or_default();
    let tail = tail.strip_prefix('\n').unwrap_or(tail);
    let now = hex::encode(Sha256::new().chain_update(head).chain_update(tail).finalize());
    if now == hash { Authorship::Ours } else { Authorship::Edited }
}

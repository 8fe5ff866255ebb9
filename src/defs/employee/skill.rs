//! Reads Agent Skills (`SKILL.md`) and subagents of Claude Code.

use serde_json::{Map, Value};

use super::{
    super::{
        codes,
        diagnostic::{Diagnostic, Source, Span},
        front_matter::{self, Parts},
        reader::{self, Fields, Text},
        report::Report,
    },
    Arg, Employee, EmployeeMarks, Origin, foreign,
    header::is_arg_name,
    legacy::{self, Comment},
    secrets, stored, translate,
};

/// Fields that other programs know besides those that crew reads; they are kept.
const KEPT: &[&str] = &[
    "license",
    "compatibility",
    "disable-model-invocation",
    "user-invocable",
    "context",
    "agent",
    "hooks",
    "effort",
    "paths",
    "shell",
    "when_to_use",
    "color",
    "disallowedTools",
    "permissionMode",
    "maxTurns",
    "skills",
    "mcpServers",
    "memory",
    "background",
    "isolation",
    "initialPrompt",
];

/// Reads a skill; it is called by the name of its folder.
pub fn parse_skill(source: &Source, folder: &str) -> (Option<(Employee, EmployeeMarks)>, Vec<Diagnostic>) {
    parse(source, Origin::Skill, folder)
}

/// Reads a subagent; it is called what it says, or else by the stem of its file.
pub fn parse_agent(source: &Source, stem: &str) -> (Option<(Employee, EmployeeMarks)>, Vec<Diagnostic>) {
    parse(source, Origin::Agent, stem)
}

fn parse(
    source: &Source,
    origin: Origin,
    called: &str,
) -> (Option<(Employee, EmployeeMarks)>, Vec<Diagnostic>) {
    let mut report = Report::new(source);
    let found = read(origin, called, &mut report);
    let usable = !report.has_errors();
    (found.filter(|_| usable), report.finish())
}

fn read(origin: Origin, called: &str, report: &mut Report<'_>) -> Option<(Employee, EmployeeMarks)> {
    let parts = front_matter::split(report)?;
    let node = foreign::block(&parts, report)?;
    let what = if origin == Origin::Skill { "a skill" } else { "a subagent" };
    let mut fields = Fields::of(&node, what, report)?;
    let written = fields.text("name", report).filter(|text| !text.value.trim().is_empty());
    let place = written.as_ref().map_or(fields.place(), |text| text.span);
    let name = name(origin, called, written, place, report);
    let description = foreign::description(&mut fields, report);
    let mut body = front_matter::prose(parts.body);
    if body.is_empty() {
        no_instructions(&parts, report);
    }
    let mut metadata = metadata(&mut fields);
    let is_ours = metadata.contains_key(stored::FORMAT);
    let (mut kept, unread) = stored::take(&mut metadata);
    for key in unread {
        let message = format!("`{key}` under `metadata` cannot be read, and is left out");
        report.warning(codes::UNREADABLE_METADATA, fields.key("metadata").unwrap_or(place), message);
    }
    if !is_ours {
        kept = old_comment(&mut body, &parts, report);
    }
    let mut employee = stored::employee(kept.clone()).unwrap_or_default();
    if !is_ours && kept.is_empty() {
        employee.origin = origin;
    }
    natural(&mut employee, &kept, origin, &mut fields, report);
    instructions(&mut employee, &kept, origin, body);
    let mut extra = fields.rest();
    extra.shift_remove("metadata");
    if !metadata.is_empty() {
        extra.insert("metadata".to_owned(), Value::Object(metadata));
    }
    secrets::check(&extra, report);
    extra.extend(std::mem::take(&mut employee.extra));
    employee.extra = extra;
    fields.finish_leniently(KEPT, report);
    let (name, shown) = name?;
    employee.name = name;
    if employee.display_name.is_empty() {
        employee.display_name = shown;
    }
    employee.description = description?;
    let triggers = vec![place; employee.triggers.len()];
    Some((employee, EmployeeMarks { name: place, triggers }))
}

fn no_instructions(parts: &Parts<'_>, report: &mut Report<'_>) {
    let span = Span { start: parts.body_start.saturating_sub(4), end: parts.body_start };
    report
        .error(codes::EMPTY_BODY, span, "there are no instructions after the front matter")
        .help("say below the second `---` what is to be done, in Markdown");
}

/// The name, and the name as it was written if that is another.
fn name(
    origin: Origin,
    called: &str,
    written: Option<Text>,
    place: Span,
    report: &mut Report<'_>,
) -> Option<(String, String)> {
    let by_file = Text { value: called.to_owned(), span: place };
    if origin != Origin::Skill {
        return foreign::name(&written.unwrap_or(by_file), report);
    }
    let (name, shown) = foreign::name(&by_file, report)?;
    match written {
        Some(text) if text.value.trim() != called => {
            let own = text.value.trim().escape_debug();
            let message = format!(
                "this skill calls itself `{own}`, its folder is called `{called}`; it is found as `{name}`"
            );
            report
                .warning(codes::NAME_MISMATCH, text.span, message)
                .help("call the folder and the skill the same");
            Some((name, text.value.trim().to_owned()))
        }
        _ => Some((name, shown)),
    }
}

/// The map `metadata`, empty when there is none; anything else stays among the other fields.
fn metadata(fields: &mut Fields<'_>) -> Map<String, Value> {
    match fields.peek("metadata").map(reader::plain) {
        Some(Value::Object(metadata)) => {
            fields.get("metadata");
            metadata
        }
        _ => Map::new(),
    }
}

fn old_comment(body: &mut String, parts: &Parts<'_>, report: &mut Report<'_>) -> Map<String, Value> {
    let place = Span { start: parts.body_start, end: parts.body_start };
    match legacy::comment(body) {
        Comment::Absent => Map::new(),
        Comment::Broken => {
            let message = "the comment `knowlyr-crew metadata` holds no JSON object, and is left where it is";
            report.warning(codes::UNREADABLE_METADATA, place, message);
            Map::new()
        }
        Comment::Read(fields, rest) => {
            *body = rest;
            let mut fields = stored::normal(fields);
            fields.retain(|name, value| {
                let fits = stored::fits(name, value);
                if !fits {
                    let message = format!("`{name}` in the comment `knowlyr-crew metadata` cannot be read");
                    report.warning(codes::UNREADABLE_METADATA, place, message);
                }
                fits
            });
            fields
        }
    }
}

/// Fields that have a place of their own in the format. Where the file says the same as what is kept, what is kept is
/// more exact; where it says something else, it was edited, and the file counts.
fn natural(
    employee: &mut Employee,
    kept: &Map<String, Value>,
    origin: Origin,
    fields: &mut Fields<'_>,
    report: &mut Report<'_>,
) {
    let key = if origin == Origin::Skill { "allowed-tools" } else { "tools" };
    let said = fields.get(key).and_then(|node| {
        let tools = foreign::tools(node);
        if tools.is_none() {
            let (place, message) = match foreign::odd_entry(node) {
                Some(entry) => {
                    (entry, format!("an entry of `{key}` must be a name, not {}", entry.describe()))
                }
                None => (node, format!("`{key}` must be a list of names, not {}", node.describe())),
            };
            report.warning(codes::WRONG_TYPE, place.span, message);
            employee.extra.insert(key.to_owned(), reader::plain(node));
        }
        tools
    });
    let said = said.unwrap_or_default();
    if !(kept.contains_key("tools") && translate::tools_out(&employee.tools) == said) {
        employee.tools = translate::tools_in(said);
    }
    if let Some(model) = fields.optional("model", report) {
        employee.model = translate::model_in(&model);
    }
    for (name, list) in [("tags", &mut employee.tags), ("triggers", &mut employee.triggers)] {
        if let Some(words) = fields.peek(name).and_then(foreign::words) {
            fields.get(name);
            *list = words;
        }
    }
    for (name, text) in [
        ("version", &mut employee.version),
        ("author", &mut employee.author),
        ("display_name", &mut employee.display_name),
    ] {
        if fields.peek(name).is_some_and(|node| node.describe() != "a map" && node.describe() != "a list")
            && let Some(said) = fields.optional(name, report)
        {
            *text = said;
        }
    }
    if origin == Origin::Skill {
        arguments(employee, kept, fields);
    }
}

/// The arguments of a skill: from `arguments`, else from the hint.
fn arguments(employee: &mut Employee, kept: &Map<String, Value>, fields: &mut Fields<'_>) {
    let hint = fields.peek("argument-hint").map(|node| match reader::plain(node) {
        Value::String(text) => text,
        // `[focus]` without quotes is a list to YAML.
        Value::Array(items) => items
            .iter()
            .map(|item| format!("[{}]", item.as_str().unwrap_or_default()))
            .collect::<Vec<_>>()
            .join(" "),
        other => other.to_string(),
    });
    if kept.contains_key("args") && hint.as_deref().unwrap_or_default() == translate::hint(&employee.args) {
        fields.get("argument-hint");
        return;
    }
    employee.args = hint.as_deref().map(translate::args_of_hint).unwrap_or_default();
    if !employee.args.is_empty() {
        fields.get("argument-hint");
    }
    let named = fields.peek("arguments").and_then(foreign::tools);
    if let Some(names) = named.filter(|names| names.iter().all(|name| is_arg_name(name))) {
        fields.get("arguments");
        if employee.args.is_empty() {
            employee.args = names.into_iter().map(|name| Arg { name, ..Arg::default() }).collect();
        }
    }
}

fn instructions(employee: &mut Employee, kept: &Map<String, Value>, origin: Origin, body: String) {
    if origin != Origin::Skill {
        employee.body = body;
    } else if !(kept.contains_key("body") && translate::to_positions(&employee.body, &employee.args) == body)
    {
        employee.body = translate::from_positions(&body, &employee.args);
    }
}

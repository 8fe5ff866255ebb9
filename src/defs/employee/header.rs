//! Reads the fields of an employee out of crew's own YAML.

use serde_json::Value;

use super::{
    super::{
        codes,
        diagnostic::Span,
        memory,
        reader::{self, Fields, Text, Unknown},
        report::Report,
        slip,
        yaml::Node,
    },
    AgentStatus, Arg, Employee, EmployeeMarks, Format, Origin, Output,
    permissions::permissions,
    secrets,
};

/// Longest description, in characters.
pub(super) const LONGEST_DESCRIPTION: usize = 1024;
/// Longest name, in characters.
const LONGEST_NAME: usize = 64;

/// Everything but the instructions. Comes out whenever there is a name and a description to speak of, so that the
/// instructions can be looked at even if something else is wrong.
pub(super) fn header(node: &Node, report: &mut Report<'_>) -> Option<(Employee, EmployeeMarks)> {
    let mut fields = Fields::of(node, "an employee", report)?;
    let name = fields.required_text("name", report);
    let description = fields.required_text("description", report);
    if let Some(name) = &name {
        check_name(name, report);
    }
    if let Some(description) = &description {
        check_description(description, report);
    }
    let triggers = distinct(separate(&mut fields, "triggers", report));
    let tags = separate(&mut fields, "tags", report);
    let tools = fields.strings("tools", report);
    let (name_span, name) = name.map(|text| (text.span, text.value)).unwrap_or_default();
    let mut employee = Employee {
        display_name: fields.string("display_name", report),
        character_name: fields.string("character_name", report),
        summary: fields.string("summary", report),
        bio: fields.string("bio", report),
        version: fields.optional("version", report).unwrap_or_else(|| "1.0".to_owned()),
        description: description.map(|text| one_line(&text.value)).unwrap_or_default(),
        tags: tags.into_iter().map(|text| text.value).collect(),
        domains: fields.strings("domains", report),
        kpi: fields.strings("kpi", report),
        author: fields.string("author", report),
        triggers: triggers.iter().map(|text| text.value.clone()).collect(),
        args: args(&mut fields, report),
        output: fields.get("output").map(|node| output(node, report)).unwrap_or_default(),
        permissions: permissions(&mut fields, &tools, report),
        tools,
        context: fields.strings("context", report),
        temperature: temperature(&mut fields, report),
        max_tokens: max_tokens(&mut fields, report),
        thinking: fields.flag("thinking", report),
        agent_id: fields.optional("agent_id", report),
        agent_status: agent_status(&mut fields, report),
        auto_memory: fields.flag("auto_memory", report).unwrap_or_default(),
        memory: fields.get("memory").and_then(|node| memory::of_employee(node, report)),
        avatar_prompt: fields.string("avatar_prompt", report),
        research_instructions: fields.string("research_instructions", report),
        recorded_hash: fields.string("_content_hash", report),
        origin: Origin::Crew,
        name,
        ..Employee::default()
    };
    models(&mut employee, &mut fields, report);
    employee.extra = fields.rest();
    secrets::check(&employee.extra, report);
    fields.finish(Unknown::Warned, &[], report);
    let marks =
        EmployeeMarks { name: name_span, triggers: triggers.into_iter().map(|text| text.span).collect() };
    Some((employee, marks))
}

/// Whether `value` can be the name of an employee.
pub fn is_name(value: &str) -> bool {
    !value.is_empty() && value.len() <= LONGEST_NAME && has_letters_of_a_name(value)
}

fn has_letters_of_a_name(value: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    value.bytes().all(fits) && !value.starts_with('-') && !value.ends_with('-')
}

fn check_name(name: &Text, report: &mut Report<'_>) {
    let value = &name.value;
    if !has_letters_of_a_name(value) {
        let draft = report.error(
            codes::INVALID_NAME,
            name.span,
            format!("`{}` is no name for an employee", value.escape_debug()),
        );
        let slug = slug(value);
        if slug.is_empty() {
            draft.help(
                "use lower-case letters, digits and inner hyphens; any script is welcome in `display_name` and \
                 `triggers`",
            );
        } else {
            draft.help(format!("use lower-case letters, digits and inner hyphens: `{slug}`"));
        }
    } else if value.len() > LONGEST_NAME {
        let message = format!("a name has at most {LONGEST_NAME} characters, this one {}", value.len());
        report.error(codes::TOO_LONG, name.span, message);
    }
}

/// The name that `value` may have been meant as; empty when it holds no letter or digit of ASCII.
pub fn slug(value: &str) -> String {
    let kept: String = value
        .chars()
        .map(|letter| if letter.is_ascii_alphanumeric() { letter.to_ascii_lowercase() } else { '-' })
        .collect();
    let words: Vec<&str> = kept.split('-').filter(|word| !word.is_empty()).collect();
    let mut slug = words.join("-");
    slug.truncate(LONGEST_NAME);
    slug.trim_end_matches('-').to_owned()
}

fn check_description(description: &Text, report: &mut Report<'_>) {
    let length = one_line(&description.value).chars().count();
    if length > LONGEST_DESCRIPTION {
        report
            .error(
                codes::TOO_LONG,
                description.span,
                format!("a description has at most {LONGEST_DESCRIPTION} characters, this one {length}"),
            )
            .help("keep the description to a line or two; details belong to the instructions");
    }
}

pub(super) fn one_line(text: &str) -> String {
    text.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
}

/// The texts under `key`, told apart if full-width commas keep them together.
fn separate(fields: &mut Fields<'_>, key: &'static str, report: &mut Report<'_>) -> Vec<Text> {
    let texts = fields.texts(key, report);
    for text in texts.iter().filter(|text| text.value.contains(slip::WIDE_COMMAS)) {
        let message = format!("`{}` is one of the {key}, not several", text.value);
        report.warning(codes::INVALID_VALUE, text.span, message).help(slip::WIDE_COMMA);
    }
    texts
}

/// Each text once, in order.
fn distinct(texts: Vec<Text>) -> Vec<Text> {
    let mut seen = std::collections::HashSet::new();
    texts.into_iter().filter(|text| seen.insert(text.value.clone())).collect()
}

/// The models it runs on and where they are.
fn models(employee: &mut Employee, fields: &mut Fields<'_>, report: &mut Report<'_>) {
    employee.model = fields.optional("model", report);
    employee.model_tier = fields.string("model_tier", report);
    employee.base_url = fields.optional("base_url", report);
    employee.api_key = secrets::reference("api_key", fields, report);
    employee.fallback_model = fields.optional("fallback_model", report);
    employee.fallback_base_url = fields.optional("fallback_base_url", report);
    employee.fallback_api_key = secrets::reference("fallback_api_key", fields, report);
}

fn agent_status(fields: &mut Fields<'_>, report: &mut Report<'_>) -> AgentStatus {
    let Some(status) = fields.text("agent_status", report) else { return AgentStatus::default() };
    match status.value.trim() {
        "active" => AgentStatus::Active,
        "frozen" => AgentStatus::Frozen,
        "inactive" => AgentStatus::Inactive,
        other => {
            report
                .error(codes::INVALID_VALUE, status.span, format!("there is no agent status `{other}`"))
                .suggest(other, ["active", "frozen", "inactive"]);
            AgentStatus::default()
        }
    }
}

fn args(fields: &mut Fields<'_>, report: &mut Report<'_>) -> Vec<Arg> {
    let mut args: Vec<Arg> = Vec::new();
    let mut places: Vec<Span> = Vec::new();
    for node in fields.list("args", report) {
        let Some((arg, place)) = arg(node, report) else { continue };
        if let Some(first) = args.iter().position(|other| other.name == arg.name) {
            let draft = report
                .error(codes::DUPLICATE_ARG, place, format!("there are two arguments `{}`", arg.name))
                .label("again here");
            if let Some(first) = places.get(first) {
                draft.also(*first, "first here");
            }
            continue;
        }
        args.push(arg);
        places.push(place);
    }
    args
}

fn arg(node: &Node, report: &mut Report<'_>) -> Option<(Arg, Span)> {
    let mut fields = Fields::of(node, "an argument", report)?;
    let name = fields.required_text("name", report);
    let description = fields.string("description", report);
    let required = fields.flag("required", report).unwrap_or(false);
    let default = fields.text("default", report).map(|text| text.value);
    fields.finish(Unknown::Warned, &[], report);
    let name = name?;
    if !is_arg_name(&name.value) {
        report
            .error(
                codes::INVALID_NAME,
                name.span,
                format!("`{}` is no name for an argument", name.value.escape_debug()),
            )
            .help("use letters, digits, `_` and `-`, a letter or `_` first; it is written as `$name`");
    }
    Some((Arg { name: name.value, description, required, default }, name.span))
}

/// Whether `$name` can be written with this name.
pub(super) fn is_arg_name(name: &str) -> bool {
    let mut letters = name.chars();
    let starts = letters.next().is_some_and(|letter| letter.is_alphabetic() || letter == '_');
    starts && letters.all(|letter| letter.is_alphanumeric() || letter == '_' || letter == '-')
}

fn output(node: &Node, report: &mut Report<'_>) -> Output {
    let mut output = Output::default();
    let Some(mut fields) = Fields::of(node, "`output`", report) else { return output };
    if let Some(format) = fields.text("format", report) {
        match format.value.trim() {
            "markdown" => output.format = Format::Markdown,
            "json" => output.format = Format::Json,
            "text" => output.format = Format::Text,
            other => {
                report
                    .error(codes::INVALID_VALUE, format.span, format!("there is no output format `{other}`"))
                    .suggest(other, ["markdown", "json", "text"]);
            }
        }
    }
    output.filename = fields.string("filename", report);
    if let Some(dir) = fields.optional("dir", report) {
        output.dir = dir;
    }
    if let Some(node) = fields.get("schema") {
        output.schema = schema(node, output.format, report);
    }
    fields.finish(Unknown::Warned, &[], report);
    output
}

/// The schema of an answer, which says something about JSON alone.
fn schema(node: &Node, format: Format, report: &mut Report<'_>) -> Option<Value> {
    let schema = reader::plain(node);
    if !schema.is_object() {
        let message = format!("`schema` must be a JSON Schema, a map, not {}", node.describe());
        report.error(codes::WRONG_TYPE, node.span, message);
        return None;
    }
    if format != Format::Json {
        report
            .warning(codes::INVALID_VALUE, node.span, "`schema` counts for answers in JSON alone")
            .help("write `format: json` beside it");
    }
    Some(schema)
}

fn temperature(fields: &mut Fields<'_>, report: &mut Report<'_>) -> Option<f32> {
    let text = fields.text("temperature", report)?;
    match text.value.trim().parse::<f32>() {
        Ok(value) if (0.0..=2.0).contains(&value) => Some(value),
        _ => {
            let message = format!("`temperature` must be a number from 0 to 2, not `{}`", text.value.trim());
            report.error(codes::INVALID_VALUE, text.span, message);
            None
        }
    }
}

fn max_tokens(fields: &mut Fields<'_>, report: &mut Report<'_>) -> Option<u32> {
    let text = fields.text("max_tokens", report)?;
    match text.value.trim().replace('_', "").parse::<u32>() {
        Ok(value) if value > 0 => Some(value),
        _ => {
            let message = format!("`max_tokens` must be a whole number above 0, not `{}`", text.value.trim());
            report.error(codes::INVALID_VALUE, text.span, message);
            None
        }
    }
}

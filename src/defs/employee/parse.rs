//! Reads employees: one Markdown file, or a folder of files.

use super::{
    super::{
        codes,
        diagnostic::{Diagnostic, Source, Span},
        front_matter,
        reader::{self, Fields, Text, Unknown},
        report::Report,
        yaml::Node,
    },
    Adaptor, Arg, Employee, Format, Output, placeholders,
};

/// Longest description, in characters.
const LONGEST_DESCRIPTION: usize = 1024;
/// Longest name, in characters.
const LONGEST_NAME: usize = 64;

/// Fields of the predecessor that have no meaning here yet, and are no mistake.
const SILENT: &[&str] = &[
    "_content_hash",
    "agent_status",
    "api_key",
    "auto_memory",
    "base_url",
    "bio",
    "domains",
    "fallback_api_key",
    "fallback_base_url",
    "fallback_model",
    "kpi",
    "model_tier",
    "permissions",
];

/// The files of an employee that is a folder.
#[derive(Debug, Clone)]
pub struct EmployeeFiles {
    /// `employee.yaml`.
    pub yaml: Source,
    /// `prompt.md`.
    pub prompt: Option<Source>,
    /// `soul.md`, which takes the place of `prompt.md` and `workflows`.
    pub soul: Option<Source>,
    /// `workflows/*.md`, in the order they are to be read.
    pub workflows: Vec<Source>,
    /// `adaptors/*.md`, each with its stem.
    pub adaptors: Vec<(String, Source)>,
}

/// Where in its source the names of an employee stand.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EmployeeMarks {
    /// The value of `name`.
    pub name: Span,
    /// Each of [`Employee::triggers`].
    pub triggers: Vec<Span>,
}

/// Reads an employee that is one Markdown file with front matter.
pub fn parse_employee(source: &Source) -> (Option<Employee>, Vec<Diagnostic>) {
    let (found, diagnostics) = parse_employee_marked(source);
    (found.map(|(employee, _)| employee), diagnostics)
}

/// [`parse_employee`], also telling where the names stand.
pub fn parse_employee_marked(source: &Source) -> (Option<(Employee, EmployeeMarks)>, Vec<Diagnostic>) {
    let mut report = Report::new(source);
    let found = (|| {
        let parts = front_matter::split(&mut report)?;
        let node = reader::block(parts.yaml, parts.yaml_start, &mut report)?;
        let read = header(&node, &mut report);
        let body = front_matter::prose(parts.body);
        if body.is_empty() {
            let span = Span { start: parts.body_start.saturating_sub(4), end: parts.body_start };
            report
                .error(codes::EMPTY_BODY, span, "there are no instructions after the front matter")
                .help("say below the second `---` what the employee does, in Markdown");
        }
        let (mut employee, marks) = read?;
        placeholders::check(parts.body, parts.body_start, &employee.args, &mut report);
        employee.body = body;
        Some((employee, marks))
    })();
    let usable = !report.has_errors();
    (found.filter(|_| usable), report.finish())
}

/// Reads an employee that is a folder.
pub fn parse_employee_dir(files: &EmployeeFiles) -> (Option<Employee>, Vec<Diagnostic>) {
    let (found, diagnostics) = parse_employee_dir_marked(files);
    (found.map(|(employee, _)| employee), diagnostics)
}

/// [`parse_employee_dir`], also telling where in `employee.yaml` the names stand.
pub fn parse_employee_dir_marked(
    files: &EmployeeFiles,
) -> (Option<(Employee, EmployeeMarks)>, Vec<Diagnostic>) {
    let mut report = Report::new(&files.yaml);
    let read = reader::document(&files.yaml, &mut report).and_then(|node| header(&node, &mut report));
    let parts: Vec<&Source> = match &files.soul {
        Some(soul) => vec![soul],
        None => files.prompt.iter().chain(&files.workflows).collect(),
    };
    if files.soul.is_none() && files.prompt.is_none() {
        report
            .error_in_file(codes::MISSING_PROMPT, "there is no `prompt.md` beside `employee.yaml`")
            .help("write the instructions into `prompt.md`");
    }
    let texts: Vec<String> =
        parts.iter().map(|part| front_matter::prose(&part.text)).filter(|text| !text.is_empty()).collect();
    let mut usable = !report.has_errors();
    let mut diagnostics = report.finish();
    if texts.is_empty()
        && let Some(part) = parts.first()
    {
        let mut report = Report::new(part);
        report.error_in_file(codes::EMPTY_BODY, "there are no instructions in this file");
        diagnostics.extend(report.finish());
        usable = false;
    }
    let Some((mut employee, marks)) = read else { return (None, diagnostics) };
    for part in parts.into_iter().chain(files.adaptors.iter().map(|(_, source)| source)) {
        let mut report = Report::new(part);
        placeholders::check(&part.text, 0, &employee.args, &mut report);
        diagnostics.extend(report.finish());
    }
    employee.body = texts.join("\n\n");
    employee.adaptors = files
        .adaptors
        .iter()
        .map(|(name, source)| Adaptor { name: name.clone(), body: front_matter::prose(&source.text) })
        .filter(|adaptor| !adaptor.body.is_empty())
        .collect();
    (usable.then_some((employee, marks)), diagnostics)
}

/// Everything but the instructions. Comes out whenever there is a name and a description to speak of, so that the
/// instructions can be looked at even if something else is wrong.
fn header(node: &Node, report: &mut Report<'_>) -> Option<(Employee, EmployeeMarks)> {
    let mut fields = Fields::of(node, "an employee", report)?;
    let name = fields.required_text("name", report);
    let description = fields.required_text("description", report);
    if let Some(name) = &name {
        check_name(name, report);
    }
    if let Some(description) = &description {
        check_description(description, report);
    }
    let triggers = distinct(fields.texts("triggers", report));
    let (name_span, name) = name.map(|text| (text.span, text.value)).unwrap_or_default();
    let employee = Employee {
        display_name: fields.string("display_name", report),
        character_name: fields.string("character_name", report),
        summary: fields.string("summary", report),
        version: fields.optional("version", report).unwrap_or_else(|| "1.0".to_owned()),
        description: description.map(|text| one_line(&text.value)).unwrap_or_default(),
        tags: fields.strings("tags", report),
        author: fields.string("author", report),
        triggers: triggers.iter().map(|text| text.value.clone()).collect(),
        args: args(&mut fields, report),
        output: fields.get("output").map(|node| output(node, report)).unwrap_or_default(),
        tools: fields.strings("tools", report),
        context: fields.strings("context", report),
        model: fields.optional("model", report),
        temperature: temperature(&mut fields, report),
        max_tokens: max_tokens(&mut fields, report),
        agent_id: fields.optional("agent_id", report),
        avatar_prompt: fields.string("avatar_prompt", report),
        research_instructions: fields.string("research_instructions", report),
        name,
        body: String::new(),
        adaptors: Vec::new(),
    };
    fields.finish(Unknown::Warned, SILENT, report);
    let marks =
        EmployeeMarks { name: name_span, triggers: triggers.into_iter().map(|text| text.span).collect() };
    Some((employee, marks))
}

fn check_name(name: &Text, report: &mut Report<'_>) {
    let value = &name.value;
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let inner = !value.starts_with('-') && !value.ends_with('-');
    if !(value.bytes().all(fits) && inner) {
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

/// The name that `value` may have been meant as.
fn slug(value: &str) -> String {
    let kept: String = value
        .chars()
        .map(|letter| if letter.is_ascii_alphanumeric() { letter.to_ascii_lowercase() } else { '-' })
        .collect();
    let words: Vec<&str> = kept.split('-').filter(|word| !word.is_empty()).collect();
    words.join("-")
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

fn one_line(text: &str) -> String {
    text.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
}

/// Each text once, in order.
fn distinct(texts: Vec<Text>) -> Vec<Text> {
    let mut seen = std::collections::HashSet::new();
    texts.into_iter().filter(|text| seen.insert(text.value.clone())).collect()
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
    let mut letters = name.value.chars();
    let starts = letters.next().is_some_and(|letter| letter.is_alphabetic() || letter == '_');
    if !(starts && letters.all(|letter| letter.is_alphanumeric() || letter == '_' || letter == '-')) {
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
    fields.finish(Unknown::Warned, &[], report);
    output
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

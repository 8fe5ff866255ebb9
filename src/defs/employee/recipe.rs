//! Reads recipes of goose.

use super::{
    super::{
        codes,
        diagnostic::{Diagnostic, Source, Span},
        front_matter,
        reader::{self, Fields, Text, Unknown},
        report::Report,
        yaml::Node,
    },
    Arg, Employee, EmployeeMarks, Origin, foreign,
    header::is_arg_name,
    secrets, translate,
};

/// Fields of a recipe that crew only keeps.
const KEPT: &[&str] =
    &["extensions", "activities", "settings", "sub_recipes", "response", "retry", "author", "context"];

/// Fields of a parameter that guide the one who asks a person for its value. crew has no place for them in an argument.
const GUIDES: [&str; 2] = ["input_type", "options"];

/// Reads a recipe; it is called by the stem of its file.
pub fn parse_recipe(source: &Source, stem: &str) -> (Option<(Employee, EmployeeMarks)>, Vec<Diagnostic>) {
    let mut report = Report::new(source);
    let found = reader::document(source, &mut report).and_then(|node| read(&node, stem, &mut report));
    let usable = !report.has_errors();
    (found.filter(|_| usable), report.finish())
}

fn read(node: &Node, stem: &str, report: &mut Report<'_>) -> Option<(Employee, EmployeeMarks)> {
    let mut fields = Fields::of(node, "a recipe", report)?;
    let title = fields.required_text("title", report);
    let place = title.as_ref().map_or(fields.place(), |text| text.span);
    // Some programs put the kind into the name: `review.recipe.yaml`.
    let stem = stem.strip_suffix(".recipe").unwrap_or(stem);
    let name = foreign::name(&Text { value: stem.to_owned(), span: place }, report);
    let description = foreign::description(&mut fields, report);
    let version = fields.optional("version", report);
    let args = parameters(&mut fields, report);
    let texts = [fields.text("instructions", report), fields.text("prompt", report)];
    if texts.iter().flatten().all(|text| text.value.trim().is_empty()) {
        report
            .error(codes::EMPTY_BODY, fields.place(), "a recipe needs `instructions` or `prompt`")
            .help("say under `instructions` what is to be done");
    }
    let body: Vec<String> = texts.iter().flatten().map(|text| filled(text, &args, report)).collect();
    let mut extra = fields.rest();
    if let Some(node) = fields.peek("parameters").filter(|node| says_more(node)) {
        extra.insert("parameters".to_owned(), reader::plain(node));
    }
    secrets::check(&extra, report);
    fields.finish_leniently(KEPT, report);
    let (name, _) = name?;
    let employee = Employee {
        name,
        display_name: title?.value.trim().to_owned(),
        description: description?,
        version: version.unwrap_or_else(|| "1.0".to_owned()),
        args,
        body: front_matter::prose(&body.join("\n\n")),
        origin: Origin::Recipe,
        extra,
        ..Employee::default()
    };
    Some((employee, EmployeeMarks { name: place, triggers: Vec::new() }))
}

/// Whether parameters say something that arguments cannot, so that they are to be kept as they are too.
fn says_more(parameters: &Node) -> bool {
    parameters.items().iter().any(|one| GUIDES.iter().any(|name| one.entry(name).is_some()))
}

fn parameters(fields: &mut Fields<'_>, report: &mut Report<'_>) -> Vec<Arg> {
    let mut args: Vec<Arg> = Vec::new();
    let mut places: Vec<Span> = Vec::new();
    for node in fields.list("parameters", report) {
        let Some(mut one) = Fields::of(node, "a parameter", report) else { continue };
        let key = one.required_text("key", report);
        let description = one.string("description", report);
        let requirement = one.string("requirement", report);
        let default = one.text("default", report).map(|text| text.value);
        for name in GUIDES {
            one.get(name);
        }
        one.finish(Unknown::Warned, &[], report);
        let Some(key) = key else { continue };
        if !is_arg_name(&key.value) {
            let message = format!("`{}` is no name for an argument", key.value.escape_debug());
            report
                .error(codes::INVALID_NAME, key.span, message)
                .help("use letters, digits, `_` and `-`, a letter or `_` first");
        } else if let Some(first) = args.iter().position(|arg| arg.name == key.value) {
            let message = format!("there are two parameters `{}`", key.value);
            let draft = report.error(codes::DUPLICATE_ARG, key.span, message).label("again here");
            if let Some(first) = places.get(first) {
                draft.also(*first, "first here");
            }
        } else {
            let required = requirement != "optional";
            places.push(key.span);
            args.push(Arg { name: key.value, description, required, default });
        }
    }
    args
}

/// A text with `{{ key }}` as `${key}`. A `$` that would become a place that way is doubled, which keeps it.
fn filled(text: &Text, args: &[Arg], report: &mut Report<'_>) -> String {
    let escaped = translate::escape(&text.value, args);
    let mut out = String::with_capacity(escaped.len());
    let mut rest = escaped.as_str();
    while let Some((before, after)) = rest.split_once("{{") {
        out.push_str(before);
        rest = after;
        // A place is on one line, so the search for its end is short.
        let end = after.find(['}', '{', '\n']).unwrap_or(after.len());
        let (name, tail) = after.split_at_checked(end).unwrap_or((after, ""));
        let name = name.trim();
        match tail.strip_prefix("}}") {
            Some(tail) if args.iter().any(|arg| arg.name == name) => {
                out.push_str("${");
                out.push_str(name);
                out.push('}');
                rest = tail;
            }
            _ => out.push_str("{{"),
        }
    }
    out.push_str(rest);
    if text.value.contains("{%") {
        // As it is written in the file, which an indented block is not in its value.
        let written = report.source().text.get(text.span.start..text.span.end).unwrap_or_default();
        let start = text.span.start + written.find("{%").unwrap_or_default();
        let end = written.find("%}").map_or(start, |end| text.span.start + end + 2).max(start);
        let message = "`{% … %}` stays as it is: crew fills in values and decides nothing";
        report
            .warning(codes::FOREIGN_TEMPLATE, Span { start, end }, message)
            .help("say in words when it is meant, as the model reads it too");
    }
    out
}

//! Reads the arguments a pipeline declares.

use super::super::{
    codes,
    diagnostic::Span,
    employee::Arg,
    reader::{Fields, Text, Unknown},
    report::Report,
    template::identifier_len,
    yaml::Node,
};

/// Reads `args`, each with a name of its own.
pub(super) fn read(fields: &mut Fields<'_>, report: &mut Report<'_>) -> Vec<Arg> {
    let mut found: Vec<(Arg, Span)> = Vec::new();
    for node in fields.list("args", report) {
        let Some((arg, place)) = input(node, report) else { continue };
        if let Some((_, first)) = found.iter().find(|(other, _)| other.name == arg.name) {
            report
                .error(codes::DUPLICATE_ARG, place, format!("there are two arguments `{}`", arg.name))
                .label("again here")
                .also(*first, "first here");
            continue;
        }
        found.push((arg, place));
    }
    found.into_iter().map(|(arg, _)| arg).collect()
}

/// An argument must be given unless the file says otherwise, as it must be when it is used without being declared.
fn input(node: &Node, report: &mut Report<'_>) -> Option<(Arg, Span)> {
    let mut fields = Fields::of(node, "an argument", report)?;
    let name = fields.required_text("name", report);
    let description = fields.string("description", report);
    let default = fields.text("default", report).map(|text| text.value);
    let required = fields.flag("required", report).unwrap_or(default.is_none());
    fields.finish(Unknown::Warned, &[], report);
    let name = name?;
    check_name(&name, report);
    Some((Arg { name: name.value.trim().to_owned(), description, required, default }, name.span))
}

fn check_name(name: &Text, report: &mut Report<'_>) {
    let value = name.value.trim();
    let ascii = identifier_len(value) == Some(value.len());
    let word = value.chars().all(|letter| letter.is_alphanumeric() || letter == '_' || letter == '-')
        && value.starts_with(|letter: char| letter.is_alphabetic() || letter == '_');
    if !(ascii || word) {
        report
            .error(
                codes::INVALID_NAME,
                name.span,
                format!("`{}` is no name for an argument", value.escape_debug()),
            )
            .help("use letters, digits, `_` and `-`, a letter or `_` first; it is written as `$name`");
    }
}

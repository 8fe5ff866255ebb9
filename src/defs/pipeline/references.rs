//! Checks the places in arguments that stand for the output of another step.

use indexmap::IndexSet;

use super::super::{codes, diagnostic::Span, reader::Text, report::Report};

/// The steps whose output is there to be referred to.
#[derive(Debug, Default)]
pub(super) struct Known {
    ids: IndexSet<String>,
    count: usize,
}

impl Known {
    /// One more step.
    pub(super) fn add(&mut self, id: Option<String>) {
        self.ids.extend(id);
        self.count += 1;
    }
}

/// Whether `text` can be the id of a step.
pub(super) fn is_id(text: &str) -> bool {
    let fits = |letter: char| letter.is_alphanumeric() || letter == '-' || letter == '_';
    !text.is_empty() && text.chars().all(fits) && !text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Notes every `{steps.<id>.output}` in `text` that names no step in `known`.
pub(super) fn check(text: &Text, known: &Known, report: &mut Report<'_>) {
    let mut from = 0;
    while let Some(found) = text.value.get(from..).and_then(|rest| rest.find("{steps.")) {
        let start = from + found;
        let rest = text.value.get(start..).unwrap_or_default();
        from = start + "{steps.".len();
        let Some(inner) = inner(rest) else { continue };
        let written = format!("{{{inner}}}");
        let name = inner.strip_prefix("steps.").and_then(|inner| inner.strip_suffix(".output"));
        match name {
            Some(name) if !name.contains('.') => check_name(name, text, &written, known, report),
            _ => {
                let place = locate(text, &written, report);
                report
                    .warning(
                        codes::MALFORMED_REFERENCE,
                        place,
                        format!("`{written}` is no reference and stays as it is"),
                    )
                    .help("the output of a step is `{steps.<id>.output}`, that of the step before `{prev}`");
            }
        }
    }
}

/// What stands between the braces, when it looks like a reference at all.
fn inner(text: &str) -> Option<&str> {
    let plain = |letter: char| letter.is_alphanumeric() || matches!(letter, '.' | '-' | '_');
    let rest = text.strip_prefix('{')?;
    let end = rest.find(|letter| !plain(letter))?;
    let (inner, rest) = rest.split_at_checked(end)?;
    rest.starts_with('}').then_some(inner)
}

fn check_name(name: &str, text: &Text, written: &str, known: &Known, report: &mut Report<'_>) {
    if known.ids.contains(name) {
        return;
    }
    let number = name.parse::<usize>().ok();
    if number.is_some_and(|number| number < known.count) {
        return;
    }
    let place = locate(text, written, report);
    let message = format!("`{written}` refers to a step that does not come before this one");
    let draft = report.error(codes::UNKNOWN_REFERENCE, place, message);
    if known.count == 0 {
        draft.help("this is the first step, or in the first group");
    } else if number.is_some() {
        draft.help(format!("steps are counted from 0; those before are 0 to {}", known.count - 1));
    } else if known.ids.is_empty() {
        draft.help("no step before this one has an `id`");
    } else {
        draft.suggest(name, known.ids.iter().map(String::as_str));
    }
}

/// The place of `written` in the source, or that of the whole text when it cannot be told.
fn locate(text: &Text, written: &str, report: &Report<'_>) -> Span {
    if report.is_full() {
        return text.span;
    }
    let source = report.source().text.get(text.span.start..text.span.end).unwrap_or_default();
    match source.find(written) {
        Some(at) => Span { start: text.span.start + at, end: text.span.start + at + written.len() },
        None => text.span,
    }
}

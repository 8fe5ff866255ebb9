//! The subject of a mail: a text with a few places to fill.

use super::super::{codes, reader::Text, report::Report};

/// A subject; what is filled in is never looked at again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Place(SubjectPlace),
}

/// What can be filled in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SubjectPlace {
    /// The schedule, or what ran.
    Name,
    /// How it ended, in a word.
    Status,
    /// The day it ended on, `2026-11-25`.
    Date,
    /// What ran: the name of an employee or a pipeline.
    Target,
    /// The id of its task.
    TaskId,
}

const PLACES: [(&str, SubjectPlace); 5] = [
    ("name", SubjectPlace::Name),
    ("status", SubjectPlace::Status),
    ("date", SubjectPlace::Date),
    ("target", SubjectPlace::Target),
    ("task_id", SubjectPlace::TaskId),
];

impl Subject {
    /// Reads a subject; a place that there is not is told, and stays as it is written. `{{` and `}}` stand for braces.
    pub(super) fn read(text: &Text, report: &mut Report<'_>) -> Self {
        let mut subject = Self { parts: Vec::new() };
        let mut plain = String::new();
        let mut rest = text.value.trim();
        while let Some(at) = rest.find(['{', '}']) {
            let (before, after) = rest.split_at_checked(at).unwrap_or((rest, ""));
            plain.push_str(before);
            if let Some(tail) = after.strip_prefix("{{").or_else(|| after.strip_prefix("}}")) {
                plain.extend(after.chars().next());
                rest = tail;
                continue;
            }
            let inside = after.strip_prefix('{').and_then(|after| after.split_once('}'));
            let place = inside.and_then(|(name, _)| PLACES.iter().find(|(known, _)| *known == name.trim()));
            match (inside, place) {
                (Some((_, tail)), Some((_, place))) => {
                    subject.push(&mut plain);
                    subject.parts.push(Part::Place(*place));
                    rest = tail;
                }
                (Some((name, tail)), None) if !name.contains('{') => {
                    Self::tell(Some(name), text, report);
                    plain.extend(["{", name, "}"]);
                    rest = tail;
                }
                _ => {
                    Self::tell(None, text, report);
                    let mut letters = after.chars();
                    plain.extend(letters.next());
                    rest = letters.as_str();
                }
            }
        }
        plain.push_str(rest);
        subject.push(&mut plain);
        subject
    }

    fn push(&mut self, plain: &mut String) {
        if !plain.is_empty() {
            self.parts.push(Part::Text(std::mem::take(plain)));
        }
    }

    fn tell(name: Option<&str>, text: &Text, report: &mut Report<'_>) {
        let names = PLACES.iter().map(|(name, _)| *name);
        match name {
            Some(name) => {
                let message =
                    format!("a subject has no place `{{{}}}`; it stays as it is", name.escape_debug());
                report.warning(codes::UNKNOWN_PLACEHOLDER, text.span, message).suggest(name.trim(), names);
            }
            None => {
                let message = "a brace in a subject that belongs to no place stays as it is";
                report
                    .warning(codes::UNKNOWN_PLACEHOLDER, text.span, message)
                    .help("write `{{` or `}}` for a brace");
            }
        }
    }

    /// The subject with its places filled.
    pub fn fill(&self, value: impl Fn(SubjectPlace) -> String) -> String {
        self.parts.iter().fold(String::new(), |mut filled, part| {
            match part {
                Part::Text(text) => filled.push_str(text),
                Part::Place(place) => filled.push_str(&value(*place)),
            }
            filled
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::defs::{Source, Span};

    fn check(written: &str, expected: &str, told: usize) {
        let source = Source::new("x", written);
        let mut report = Report::new(&source);
        let text = Text { value: written.to_owned(), span: Span { start: 0, end: written.len() } };
        let subject = Subject::read(&text, &mut report);
        let filled = subject.fill(|place| match place {
            SubjectPlace::Name => "{status} 日报".to_owned(),
            other => format!("<{other:?}>"),
        });
        assert_eq!((filled.as_str(), report.finish().len()), (expected, told), "{written}");
    }

    #[test]
    fn known_places_are_filled_once_and_others_stay() {
        check("【{name}】{ status }: {date}", "【{status} 日报】<Status>: <Date>", 0);
        check("{{name}} {target}/{task_id}", "{name} <Target>/<TaskId>", 0);
        check("{name.__class__} {0} {nam}", "{name.__class__} {0} {nam}", 3);
        check("a } b { c", "a } b { c", 2);
    }
}

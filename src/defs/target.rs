//! What a webhook or a schedule starts.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    codes,
    diagnostic::Span,
    reader::{Fields, Text},
    report::Report,
};
use crate::base::Priority;

/// An employee, a pipeline or a discussion, by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Target {
    /// Which of the three.
    #[serde(rename = "type")]
    pub kind: TargetKind,
    /// Its name.
    pub name: String,
    /// Where in the source the name stands.
    #[serde(skip)]
    pub span: Span,
}

/// Whether it is an employee, a pipeline or a discussion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum TargetKind {
    /// One employee.
    Employee,
    /// A whole pipeline.
    Pipeline,
    /// A discussion, held to its end.
    Discussion,
}

impl fmt::Display for TargetKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl TargetKind {
    /// All there are.
    pub const ALL: [Self; 3] = [Self::Employee, Self::Pipeline, Self::Discussion];

    /// The word for it in files and addresses.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Employee => "employee",
            Self::Pipeline => "pipeline",
            Self::Discussion => "discussion",
        }
    }
}

const PRIORITIES: [(&str, Priority); 3] =
    [("high", Priority::High), ("normal", Priority::Normal), ("low", Priority::Low)];

/// How soon what is started is begun.
pub(super) fn priority(fields: &mut Fields<'_>, report: &mut Report<'_>) -> Priority {
    fields.choice("priority", "priority", &PRIORITIES, report).unwrap_or_default()
}

/// Reads a target out of two fields.
pub(super) fn read(
    fields: &mut Fields<'_>,
    kind: &'static str,
    name: &'static str,
    report: &mut Report<'_>,
) -> Option<Target> {
    let kind = fields.required_text(kind, report).and_then(|text| read_kind(&text, report));
    let name = fields.required_text(name, report)?;
    Some(Target { kind: kind?, name: name.value.trim().to_owned(), span: name.span })
}

fn read_kind(text: &Text, report: &mut Report<'_>) -> Option<TargetKind> {
    let word = text.value.trim();
    let known = TargetKind::ALL.into_iter().find(|kind| kind.as_str() == word);
    if known.is_none() {
        report
            .error(codes::INVALID_VALUE, text.span, format!("there is no type of target `{word}`"))
            .suggest(word, TargetKind::ALL.map(TargetKind::as_str));
    }
    known
}

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

/// An employee or a pipeline, by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Target {
    /// Which of the two.
    #[serde(rename = "type")]
    pub kind: TargetKind,
    /// Its name.
    pub name: String,
    /// Where in the source the name stands.
    #[serde(skip)]
    pub span: Span,
}

/// Whether it is an employee or a pipeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum TargetKind {
    /// One employee.
    Employee,
    /// A whole pipeline.
    Pipeline,
}

impl fmt::Display for TargetKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Employee => "employee",
            Self::Pipeline => "pipeline",
        })
    }
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
    match text.value.trim() {
        "employee" => Some(TargetKind::Employee),
        "pipeline" => Some(TargetKind::Pipeline),
        other => {
            report
                .error(codes::INVALID_VALUE, text.span, format!("there is no type of target `{other}`"))
                .suggest(other, ["employee", "pipeline"]);
            None
        }
    }
}

//! One thing that was done, as a line of a work log.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// How badly something went.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// It went well.
    #[default]
    Info,
    /// Part of it went wrong, or somebody stopped it.
    Warning,
    /// It failed.
    Critical,
}

impl Severity {
    /// All of them, from harmless to bad.
    pub const ALL: [Self; 3] = [Self::Info, Self::Warning, Self::Critical];

    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

/// One thing that was done; the fields are those of the predecessor.
#[derive(Debug, Clone, Default, PartialEq, Serialize, JsonSchema)]
pub struct LogEntry {
    /// When, as it is written there.
    pub timestamp: String,
    /// Who did it: an employee, or `pipeline:<name>` or `discussion:<name>`.
    pub employee_name: String,
    /// What was done, in a word: `session_start`, `answered`, `failed`, `session_end`, or what earlier versions wrote.
    pub action: String,
    /// The same in more words.
    pub detail: String,
    /// The values it was done with; only in logs of earlier versions.
    pub args: Map<String, Value>,
    /// The agent it was done for; only in logs of earlier versions.
    pub agent_id: Option<i64>,
    /// How badly it went.
    pub severity: Severity,
    /// What it took.
    pub metrics: Map<String, Value>,
    /// Where there is more about it; only in logs of earlier versions.
    pub links: Vec<String>,
}

/// A line as it may be written.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Line {
    timestamp: String,
    employee_name: String,
    action: String,
    detail: String,
    args: Option<Map<String, Value>>,
    agent_id: Option<i64>,
    severity: Option<String>,
    metrics: Option<Map<String, Value>>,
    links: Option<Vec<String>>,
}

impl Line {
    /// The entry, and what is to be said about it. One of a severity that there is not is taken for a warning.
    pub(super) fn entry(self) -> (LogEntry, Option<String>) {
        let known = |text: &str| Severity::ALL.into_iter().find(|severity| severity.as_str() == text);
        let (severity, note) = match self.severity.as_deref().map(|text| (text, known(text))) {
            None => (Severity::Info, None),
            Some((_, Some(severity))) => (severity, None),
            Some((text, None)) => {
                let text = crate::base::text::truncate(text, 40);
                let there = Severity::ALL.map(Severity::as_str).join(", ");
                let note = format!(
                    "there is no severity `{}`, only {there}; it counts as a warning",
                    text.escape_debug()
                );
                (Severity::Warning, Some(note))
            }
        };
        let entry = LogEntry {
            timestamp: self.timestamp,
            employee_name: self.employee_name,
            action: self.action,
            detail: self.detail,
            args: self.args.unwrap_or_default(),
            agent_id: self.agent_id,
            severity,
            metrics: self.metrics.unwrap_or_default(),
            links: self.links.unwrap_or_default(),
        };
        (entry, note)
    }
}

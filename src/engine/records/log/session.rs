//! The work log of a run, told from its session.

use serde_json::{Map, Value};

use super::{LogEntry, Severity};
use crate::{
    base::text::truncate,
    engine::{Session, SessionRow},
};

/// Most characters of an answer that a log repeats; the session has the whole.
const GIST: usize = 200;
/// What an answer tells of what it took.
const TOOK: [&str; 4] = ["model", "input_tokens", "output_tokens", "cost_usd"];

/// Whose session it is: the employee's, or by its kind.
pub(super) fn whose(row: &SessionRow) -> String {
    owner(&row.session_type, &row.subject)
}

fn owner(session_type: &str, subject: &str) -> String {
    if session_type == "employee" { subject.to_owned() } else { format!("{session_type}:{subject}") }
}

/// The work log of a session; `None` when that is not one of ours, whose logs are in files of their own.
pub(super) fn of(session: &Session) -> Option<Vec<LogEntry>> {
    let SessionRow { session_type, subject, .. } = &session.row;
    session
        .is_own
        .then(|| session.events.iter().filter_map(|event| told(event, session_type, subject)).collect())
}

/// What an event of a session, of this type and about this, is in a work log.
pub(in crate::engine) fn told(event: &Value, session_type: &str, subject: &str) -> Option<LogEntry> {
    let field = |name: &str| event.get(name).and_then(Value::as_str).unwrap_or_default();
    let nothing = Value::Null;
    let metadata = event.get("metadata").unwrap_or(&nothing);
    let about = |name: &str| metadata.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let mut entry = LogEntry {
        timestamp: field("timestamp").to_owned(),
        employee_name: owner(session_type, subject),
        ..LogEntry::default()
    };
    match field("event") {
        "start" => {
            "session_start".clone_into(&mut entry.action);
            entry.detail =
                format!("{session_type} {subject}, begun by {}", about("trigger").unwrap_or("somebody"));
        }
        "message" => {
            if let Some(employee) = about("employee") {
                employee.clone_into(&mut entry.employee_name);
            }
            let step = about("step_id").map(|step| format!("{step}: ")).unwrap_or_default();
            let said = match metadata.get("error_message").filter(|error| !is_empty(error)) {
                None => {
                    "answered".clone_into(&mut entry.action);
                    field("content").to_owned()
                }
                Some(error) => {
                    "failed".clone_into(&mut entry.action);
                    entry.severity = Severity::Warning;
                    error.as_str().map_or_else(|| error.to_string(), str::to_owned)
                }
            };
            entry.detail = step + &gist(&said);
            entry.metrics = metrics(metadata, |name| TOOK.contains(&name));
        }
        "end" => {
            "session_end".clone_into(&mut entry.action);
            entry.severity = match field("status") {
                "completed" => Severity::Info,
                "cancelled" => Severity::Warning,
                _ => Severity::Critical,
            };
            let why = gist(field("detail"));
            entry.detail = if why.is_empty() {
                field("status").to_owned()
            } else {
                format!("{}: {why}", field("status"))
            };
            entry.metrics = metrics(metadata, |name| name != "spent");
        }
        _ => return None,
    }
    Some(entry)
}

/// Whether nothing is said: a step that went well has an empty `error_message`.
fn is_empty(value: &Value) -> bool {
    value.is_null() || value.as_str().is_some_and(str::is_empty)
}

fn metrics(metadata: &Value, is_one: impl Fn(&str) -> bool) -> Map<String, Value> {
    let fields = metadata.as_object().into_iter().flatten();
    let told = fields.filter(|(name, value)| is_one(name) && !value.is_null());
    told.map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// The beginning of a text, on one line.
pub(in crate::engine) fn gist(text: &str) -> String {
    let beginning: String = text.chars().take(GIST * 4).collect();
    truncate(&beginning.split_whitespace().collect::<Vec<_>>().join(" "), GIST)
}

//! `get_work_log`, under the name of earlier versions.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{LIMIT, aside, within};
use crate::{
    base::text::truncate,
    engine::{
        self, Crew,
        records::log::{Log, LogEntry, LogFilter, LogRow, Severity},
    },
    tools::{Annotations, Ctx, Error, Tool, office::Office},
};

/// Most entries of one log that are answered.
const ENTRIES: usize = 1000;

pub(in crate::tools) struct GetWorkLog(pub(in crate::tools) Office);

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::tools) struct LogArgs {
    /// Only logs in which this employee did something: its name, a trigger or the name of its character.
    #[serde(default)]
    employee_name: Option<String>,
    /// Only logs with an entry of this severity.
    #[serde(default)]
    severity: Option<Severity>,
    /// Most logs to list, 1 to 200.
    #[serde(default = "ten")]
    #[schemars(range(min = 1, max = LIMIT))]
    limit: usize,
    /// In place of the list, what was done in this one: its last 1000 entries.
    #[serde(default)]
    session_id: Option<String>,
}

fn ten() -> usize {
    10
}

#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::tools) struct Answer {
    /// The newest first.
    logs: Vec<LogRow>,
    /// What was done in the one that was asked for, in order.
    #[serde(skip_serializing_if = "Option::is_none")]
    entries: Option<Vec<LogEntry>>,
    /// What is to be said about that.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    notes: Vec<String>,
}

/// The names that logs of the employee `name` may be kept under; the name itself when there is no such employee, as there
/// may have been one.
pub(in crate::tools) async fn names(office: &Office, name: &str) -> Vec<String> {
    let definitions = office.crew.definitions().await;
    let of_character = || {
        let mut all = definitions.employees.values();
        all.find(|entry| entry.employee.character_name == name)
    };
    match definitions.employee(name).or_else(of_character) {
        Some(entry) => Crew::names_of(&entry.employee),
        None => vec![name.to_owned()],
    }
}

impl Tool for GetWorkLog {
    type Args = LogArgs;
    type Output = Answer;

    const NAME: &'static str = "get_work_log";
    const TITLE: &'static str = "Look at work logs";
    const SUMMARY: &'static str = "Lists the work logs of this project, the newest first: who did what, how it went and what \
        it took. With `session_id`, tells what was done in one. Those of earlier versions are among them.";
    const ANNOTATIONS: Annotations = Annotations::READS;

    async fn call(&self, _: Ctx, args: LogArgs) -> Result<Answer, Error> {
        let limit = within(args.limit)?;
        let records = Arc::clone(self.0.crew.records());
        if let Some(id) = args.session_id {
            let read = aside(move || records.log(&id, ENTRIES)).await?;
            let Log { row, log, notes } = read.map_err(|error| match error {
                engine::Error::UnknownLog { id } => Error::NotFound {
                    what: "work log",
                    name: truncate(&id, 100),
                    hint: Some("without `session_id`, they are listed".to_owned()),
                },
                error => error.into(),
            })?;
            return Ok(Answer { logs: vec![row], entries: Some(log), notes });
        }
        let names = match &args.employee_name {
            Some(name) => names(&self.0, name).await,
            None => Vec::new(),
        };
        let filter = LogFilter { names, severity: args.severity, since: None, limit };
        let logs = aside(move || records.logs(&filter)).await?;
        Ok(Answer { logs, entries: None, notes: Vec::new() })
    }
}

//! For how long a project keeps what is written down of runs and discussions.

use schemars::JsonSchema;
use serde::Serialize;

use super::{
    memory::MOST_DAYS,
    reader::{Fields, Unknown},
    report::Report,
    yaml::Node,
};

/// For how long records are kept, and how many; what is not given has no bound.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(default)]
pub struct OwnRecords {
    /// For how many days what came of runs is kept: `.crew/sessions`.
    pub sessions_days: Option<u32>,
    /// How many of them are kept, the newest.
    pub max_sessions: Option<u32>,
    /// For how many days work logs of earlier versions are kept: `.crew/logs`.
    pub logs_days: Option<u32>,
    /// How many of them are kept, the newest.
    pub max_logs: Option<u32>,
    /// For how many days meetings are kept: `.crew/meetings`.
    pub meetings_days: Option<u32>,
    /// How many of them are kept, the newest.
    pub max_meetings: Option<u32>,
}

/// `records` of `config.yaml`.
pub(super) fn of_project(node: &Node, report: &mut Report<'_>) -> Option<OwnRecords> {
    let mut fields = Fields::of(node, "`records`", report)?;
    let mut whole =
        |key: &'static str, most: u32, report: &mut Report<'_>| fields.whole(key, 1..=most, report);
    let records = OwnRecords {
        sessions_days: whole("sessions_days", MOST_DAYS, report),
        max_sessions: whole("max_sessions", MOST_RECORDS, report),
        logs_days: whole("logs_days", MOST_DAYS, report),
        max_logs: whole("max_logs", MOST_RECORDS, report),
        meetings_days: whole("meetings_days", MOST_DAYS, report),
        max_meetings: whole("max_meetings", MOST_RECORDS, report),
    };
    fields.finish(Unknown::Refused, &[], report);
    Some(records)
}

/// More than are ever looked at.
const MOST_RECORDS: u32 = 1_000_000;

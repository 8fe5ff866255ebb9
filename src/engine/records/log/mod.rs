//! Work logs: who did what, when, how badly it went, and what it took.
//!
//! A run's log says nothing that its session does not, so none is written: it is told from the session, in the form of the
//! predecessor. The files that the predecessor wrote, `.crew/logs/<id>.jsonl`, are read beside that.

mod entry;
mod file;
mod session;

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use entry::{LogEntry, Severity};
pub(in crate::engine) use session::{gist, told};

use super::{Records, catalogue::Brief as _};
use crate::{
    base::text::truncate,
    engine::{Error, memory::moment, session::SessionBrief},
};
pub(super) use file::LogBrief;

/// Where those of the predecessor are, relative to the root of the project.
pub const FOLDER: &str = ".crew/logs";
/// How their files end.
pub(super) const ENDING: &str = ".jsonl";
/// Most lines without meaning that are told one by one.
const TOLD: usize = 5;

/// How many entries of each severity there are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Counts {
    /// It went well.
    pub info: u64,
    /// Part of it went wrong, or somebody stopped it.
    pub warning: u64,
    /// It failed.
    pub critical: u64,
}

impl Counts {
    fn add(&mut self, severity: Severity) {
        match severity {
            Severity::Info => self.info += 1,
            Severity::Warning => self.warning += 1,
            Severity::Critical => self.critical += 1,
        }
    }

    fn has(self, severity: Severity) -> bool {
        match severity {
            Severity::Info => self.info > 0,
            Severity::Warning => self.warning > 0,
            Severity::Critical => self.critical > 0,
        }
    }

    /// All of them.
    pub fn total(self) -> u64 {
        self.info + self.warning + self.critical
    }

    /// With those of `other`.
    pub fn and(&mut self, other: Self) {
        self.info += other.info;
        self.warning += other.warning;
        self.critical += other.critical;
    }
}

/// The entries of a log, counted by whoever they are of.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::engine) struct Done(BTreeMap<String, Counts>);

impl Done {
    pub(in crate::engine) fn count(&mut self, entry: &LogEntry) {
        self.0.entry(entry.employee_name.clone()).or_default().add(entry.severity);
    }

    pub(in crate::engine) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whoever did something in it.
    pub(in crate::engine) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        self.0.values().for_each(|of_one| counts.and(*of_one));
        counts
    }
}

/// A work log in brief.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct LogRow {
    /// Its id: that of the session, or of the file.
    pub session_id: String,
    /// Whose it is: an employee, or `pipeline:<name>` or `discussion:<name>`.
    pub employee_name: String,
    /// When, as it is written there.
    pub started_at: String,
    /// How many entries it has.
    pub entries: u64,
    /// The worst of them.
    pub severity: Severity,
    /// How many of each severity there are, by whoever did something.
    pub by_employee: BTreeMap<String, Counts>,
}

/// Which work logs to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogFilter {
    /// Only those in which somebody of one of these names did something; all, when there are none.
    pub names: Vec<String>,
    /// Only those with an entry of this severity.
    pub severity: Option<Severity>,
    /// Only those that began since then.
    pub since: Option<Timestamp>,
    /// At most this many, the newest.
    pub limit: usize,
}

/// A work log.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Log {
    /// As it is listed.
    #[serde(flatten)]
    pub row: LogRow,
    /// What was done, in order; the last ones, when there are more than were asked for.
    pub log: Vec<LogEntry>,
    /// What is to be said about that.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

impl LogRow {
    fn of_session(id: &str, brief: &SessionBrief) -> Self {
        Self::new(id, session::whose(&brief.row(id)), brief.began(), &brief.done)
    }

    fn of_file(id: &str, brief: &LogBrief) -> Self {
        Self::new(id, brief.employee_name.clone(), brief.began(), &brief.done)
    }

    fn new(id: &str, employee_name: String, began: &str, done: &Done) -> Self {
        let counts = done.counts();
        let worst = Severity::ALL.into_iter().rev().find(|severity| counts.has(*severity));
        Self {
            session_id: id.to_owned(),
            employee_name,
            started_at: began.to_owned(),
            entries: counts.total(),
            severity: worst.unwrap_or_default(),
            by_employee: done.0.clone(),
        }
    }
}

impl LogFilter {
    fn wants(&self, owner: &str, began: &str, done: &Done) -> bool {
        let of_them = |name: &str| self.names.iter().any(|wanted| wanted == name);
        (self.names.is_empty() || of_them(owner) || done.names().any(of_them))
            && self.severity.is_none_or(|severity| done.counts().has(severity))
            && self.since.is_none_or(|since| moment(began).is_some_and(|began| began >= since))
    }
}

impl Records {
    /// The work logs that fit, the newest first. Waits for the disk.
    pub fn logs(&self, filter: &LogFilter) -> Vec<LogRow> {
        let (files, sessions) = (self.logs.look(), self.sessions.look());
        let of_files = files.entries.iter().filter(|entry| {
            let brief = &entry.brief;
            filter.wants(&brief.employee_name, brief.began(), &brief.done)
        });
        let of_files = of_files.take(filter.limit).map(|entry| LogRow::of_file(&entry.id, &entry.brief));
        let of_sessions = sessions.entries.iter().filter(|entry| {
            let brief = &entry.brief;
            !brief.done.is_empty()
                && filter.wants(&session::whose(&brief.row(&entry.id)), brief.began(), &brief.done)
        });
        let of_sessions =
            of_sessions.take(filter.limit).map(|entry| LogRow::of_session(&entry.id, &entry.brief));
        let mut rows: Vec<_> = of_sessions.chain(of_files).collect();
        rows.sort_by(|a, b| (&b.started_at, &b.session_id).cmp(&(&a.started_at, &a.session_id)));
        rows.truncate(filter.limit);
        rows
    }

    /// A work log, its last `most` entries; lines that cannot be read are told. Waits for the disk.
    ///
    /// # Errors
    /// [`Error::UnknownLog`] when there is none of that id.
    pub fn log(&self, id: &str, most: usize) -> Result<Log, Error> {
        let mut log = self
            .log_of_file(id)
            .or_else(|| self.log_of_session(id))
            .ok_or_else(|| Error::UnknownLog { id: truncate(id, 100) })?;
        let left_out = log.log.len().saturating_sub(most);
        if left_out > 0 {
            log.log.drain(..left_out);
            log.notes.push(format!("these are the last {most} entries; {left_out} are before them"));
        }
        Ok(log)
    }

    fn log_of_file(&self, id: &str) -> Option<Log> {
        let read = file::read(&self.logs.folder()?, &self.logs.name(id)?)?;
        let mut notes = read.broken;
        let more = notes.len().saturating_sub(TOLD);
        if more > 0 {
            notes.truncate(TOLD);
            notes.push(format!("{more} more lines are like that"));
        }
        Some(Log { row: LogRow::of_file(id, &LogBrief::of(&read.entries)), log: read.entries, notes })
    }

    fn log_of_session(&self, id: &str) -> Option<Log> {
        let session = self.sessions.read(id, usize::MAX).ok()?;
        let log = session::of(&session)?;
        let mut done = Done::default();
        for entry in &log {
            done.count(entry);
        }
        let notes =
            if session.is_cut { vec!["the session is long; this is its end".to_owned()] } else { Vec::new() };
        let row = LogRow::new(id, session::whose(&session.row), &session.row.started_at, &done);
        Some(Log { row, log, notes })
    }
}

#[cfg(test)]
mod tests;

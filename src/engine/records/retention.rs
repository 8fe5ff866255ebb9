//! For how long records are kept. Nothing is removed unless the project says so.

use std::{collections::HashSet, io};

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::{Records, catalogue::Brief as _};
use crate::{
    defs::OwnRecords,
    engine::memory::moment,
    tasks::{Summary, Task},
};

/// For how long records are kept, and how many; what is `None` has no bound.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Retention {
    /// What came of runs.
    pub sessions: Kept,
    /// Work logs of the predecessor.
    pub logs: Kept,
    /// What was discussed.
    pub meetings: Kept,
}

/// For how long records of one kind are kept, and how many.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Kept {
    /// Those that began in the last so many days.
    pub days: Option<u32>,
    /// The newest so many.
    pub most: Option<u32>,
}

impl From<OwnRecords> for Retention {
    fn from(own: OwnRecords) -> Self {
        Self {
            sessions: Kept { days: own.sessions_days, most: own.max_sessions },
            logs: Kept { days: own.logs_days, most: own.max_logs },
            meetings: Kept { days: own.meetings_days, most: own.max_meetings },
        }
    }
}

impl Retention {
    /// Whether anything is ever removed.
    pub fn has_bounds(&self) -> bool {
        [self.sessions, self.logs, self.meetings].iter().any(|kept| kept.days.or(kept.most).is_some())
    }
}

/// What was removed, or would be.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Pruned {
    /// Ids of sessions.
    pub sessions: Vec<String>,
    /// Ids of work logs.
    pub logs: Vec<String>,
    /// Ids of meetings.
    pub meetings: Vec<String>,
    /// Whether there is more, beyond what was to be done at a time.
    pub is_cut: bool,
}

/// What tasks need that are not over.
#[derive(Debug, Default)]
pub struct Needed {
    ids: HashSet<String>,
    /// What they were given, as text: a pipeline that follows a discussion is given its id.
    given: Vec<String>,
}

impl Needed {
    /// Adds a task, if it is not over.
    pub fn add(&mut self, task: &Task) {
        if !task.status.is_final() {
            self.ids.insert(task.task_id.to_string());
            self.given.extend(task.args.values().cloned());
        }
    }

    /// Whether `task` may have to be added: the rest of it is read only then.
    pub fn wants(task: &Summary) -> bool {
        !task.status.is_final()
    }

    /// Whether the record of this id is of one of them, or named to one.
    fn holds(&self, id: &str) -> bool {
        self.ids.contains(id) || self.given.iter().any(|text| text.contains(id))
    }
}

impl Kept {
    /// Those of `records`, the newest first and each with the moment it began, that are kept no longer.
    fn over<'r>(
        self,
        records: impl Iterator<Item = (&'r str, &'r str)>,
        now: Timestamp,
    ) -> impl Iterator<Item = &'r str> {
        let most = self.most.map_or(usize::MAX, |most| usize::try_from(most).unwrap_or(usize::MAX));
        let age = self.days.map(|days| SignedDuration::from_hours(24 * i64::from(days)));
        let oldest = age.and_then(|age| now.saturating_sub(age).ok());
        // What does not say when it was stays, as it may be of today.
        let is_old =
            move |began: &str| oldest.is_some_and(|oldest| moment(began).is_some_and(|began| began < oldest));
        records
            .enumerate()
            .filter(move |(place, (_, began))| *place >= most || is_old(began))
            .map(|(_, (id, _))| id)
    }
}

impl Records {
    /// Removes what is kept no longer and `needed` by no task, at most so many records at a time; with `dry_run` only tells
    /// what that is.
    ///
    /// # Errors
    /// When the disk refuses; what was removed before that is gone.
    pub fn prune(
        &self,
        retention: &Retention,
        needed: &Needed,
        now: Timestamp,
        most: usize,
        dry_run: bool,
    ) -> io::Result<Pruned> {
        let mut pruned = Pruned::default();
        let mut left = most;
        let mut take = |ids: &mut dyn Iterator<Item = &str>| {
            let mut taken: Vec<String> = ids.take(left.saturating_add(1)).map(str::to_owned).collect();
            pruned.is_cut |= taken.len() > left;
            taken.truncate(left);
            left -= taken.len();
            taken
        };
        let sessions = self.sessions.look();
        let all = sessions.entries.iter().map(|entry| (entry.id.as_str(), entry.brief.began()));
        let sessions = take(&mut retention.sessions.over(all, now).filter(|id| !needed.holds(id)));
        let logs = self.logs.look();
        let all = logs.entries.iter().map(|entry| (entry.id.as_str(), entry.brief.began()));
        let logs = take(&mut retention.logs.over(all, now));
        let meetings = self.meetings.all();
        let all =
            meetings.records.iter().map(|record| (record.meeting_id.as_str(), record.started_at.as_str()));
        let is_free = |id: &&str| {
            let held_by = || self.meetings.task(id).is_some_and(|task| needed.holds(&task));
            // Earlier ones of the same id go with the last.
            !id.contains('~') && !needed.holds(id) && !held_by()
        };
        let meetings = take(&mut retention.meetings.over(all, now).filter(is_free));
        if !dry_run {
            for id in &sessions {
                self.sessions.remove(id)?;
            }
            if let Some(folder) = self.logs.folder() {
                for name in logs.iter().filter_map(|id| self.logs.name(id)) {
                    folder.remove(&name)?;
                }
            }
            self.meetings.remove(&meetings)?;
        }
        Ok(Pruned { sessions, logs, meetings, ..pruned })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(kept: Kept, expected: &[&str]) {
        let now: Timestamp = "2026-01-10T00:00:00Z".parse().unwrap();
        let records = [
            ("d", "2026-01-09T00:00:00Z"),
            ("c", "2026-01-05T00:00:00"),
            ("b", "2026-01-01T00:00:00Z"),
            ("a", ""),
        ];
        assert_eq!(kept.over(records.into_iter(), now).collect::<Vec<_>>(), expected, "{kept:?}");
    }

    #[test]
    fn what_is_too_old_or_too_much_is_over() {
        check(Kept::default(), &[]);
        check(Kept { days: Some(7), most: None }, &["b"]);
        check(Kept { days: Some(1), most: None }, &["c", "b"]);
        check(Kept { days: None, most: Some(3) }, &["a"]);
        check(Kept { days: Some(7), most: Some(1) }, &["c", "b", "a"]);
        check(Kept { days: None, most: Some(0) }, &["d", "c", "b", "a"]);
    }
}

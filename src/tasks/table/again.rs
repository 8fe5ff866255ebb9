//! Ended tasks that go on.

use std::sync::Arc;

use super::{Rest, Table};
use crate::{
    store::log::Subject,
    tasks::{Error, Kind, Status, Task, TaskId, journal::Again},
};

/// A task that is about to go on.
pub(in crate::tasks) enum Resuming {
    /// It is here, as an earlier process left it.
    Here(Arc<Task>),
    /// It is over, and has to be read.
    There(Subject),
}

impl Table {
    /// Reserves an ended task to go on, and a place in the queue. It is yours until [`Table::end_resume`] or
    /// [`Table::drop_resume`], and is not forgotten meanwhile.
    pub(in crate::tasks) fn begin_resume(
        &mut self,
        id: &TaskId,
        can_do: impl Fn(&Kind) -> bool,
    ) -> Result<Resuming, Error> {
        let summary = self.summary(id).ok_or_else(|| Error::NotFound { id: id.clone() })?;
        let flag = match (self.live.get_mut(id), self.over.get_mut(id)) {
            (Some(entry), _) => {
                // What an earlier process left, and this one was not to begin.
                let left = summary.status == Status::Pending
                    && !entry.claimed
                    && entry.owner.is_none()
                    && !self.queue.contains(id);
                Some(&mut entry.resuming).filter(|_| left)
            }
            (None, over) => over.filter(|_| summary.can_resume()).map(|entry| &mut entry.resuming),
        };
        let refused = |status| Err(Error::NotResumable { id: id.clone(), status });
        let Some(flag) = flag else { return refused(summary.status) };
        if *flag {
            // One that is on its way to go on is as good as waiting.
            return refused(Status::Pending);
        }
        if !can_do(&summary.kind) {
            return Err(Error::UnknownKind { kind: summary.kind.as_str().to_owned() });
        }
        if self.queue.len() + self.arriving >= self.limit {
            return Err(Error::Full { limit: self.limit });
        }
        *flag = true;
        self.arriving += 1;
        if let Some(task) = self.live(id) {
            return Ok(Resuming::Here(task));
        }
        self.keep(id);
        let entry = self.over.get(id).ok_or_else(|| Error::NotFound { id: id.clone() })?;
        if let Some(task) = &entry.held {
            return Ok(Resuming::Here(Arc::clone(task)));
        }
        if let Rest::Records(records) = &self.rest {
            records.unseal(entry.subject);
        }
        Ok(Resuming::There(entry.subject))
    }

    /// It is on record that `task` goes on: it waits for a worker. Where replicas share tasks, it may have come further.
    pub(in crate::tasks) fn end_resume(
        &mut self,
        id: &TaskId,
        mut task: Task,
        again: Again,
    ) -> Option<Arc<Task>> {
        self.arriving -= 1;
        if self.me.is_some() {
            if let Some(entry) = self.live.get_mut(id) {
                entry.resuming = false;
            }
            return self.live(id);
        }
        let subject = self.subject(id)?;
        if let Some(entry) = self.over.remove(id) {
            *self.counts.of(entry.summary.status) -= 1;
            self.counts.dead -= usize::from(entry.summary.dead);
            // What it cost after it had ended.
            task.spent.clone_from(&entry.summary.spent);
            task.resume(again);
            self.feed.note(id);
            self.insert(task, subject);
        } else {
            self.live.get_mut(id)?.resuming = false;
            self.update(id, |task| task.resume(again));
        }
        let task = self.live(id)?;
        self.queue.push(id.clone(), task.priority);
        Some(task)
    }

    /// It could not be recorded that the task goes on: it stays as it ended.
    pub(in crate::tasks) fn drop_resume(&mut self, id: &TaskId) {
        self.arriving -= 1;
        if let Some(entry) = self.live.get_mut(id) {
            entry.resuming = false;
        }
        if let Some(entry) = self.over.get_mut(id) {
            entry.resuming = false;
            if let Rest::Records(records) = &self.rest {
                records.seal(entry.subject);
                // The index may have been told that it goes on.
                self.fresh.push(id.clone());
            }
            self.note_finished(id);
            self.forget();
        }
    }
}

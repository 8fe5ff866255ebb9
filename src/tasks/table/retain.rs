//! Which finished tasks are remembered, and in which order they are forgotten.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::{Key, Over, Rest, Table};
use crate::{
    base::clock,
    tasks::{Options, Summary, TaskId},
};

/// Which finished tasks are remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::tasks) struct Retain {
    /// At most this many, the newest.
    pub(in crate::tasks) count: usize,
    /// None that ended longer ago than this.
    pub(in crate::tasks) age: Option<Duration>,
    /// Besides those, the newest of those that somebody has to see to.
    pub(in crate::tasks) owed: usize,
    /// The option these have.
    pub(in crate::tasks) by: Option<&'static str>,
}

impl From<&Options> for Retain {
    fn from(options: &Options) -> Self {
        Self { count: options.retain, age: options.retain_for, owed: options.retain_owed, by: options.owed }
    }
}

impl Retain {
    /// Whether the oldest of `count` finished tasks is to be forgotten.
    pub(in crate::tasks) fn is_over(self, count: usize, oldest: &Summary, now: Timestamp) -> bool {
        let age = oldest.completed_at.map(|at| now.duration_since(at));
        let is_old = |age: SignedDuration| {
            self.age.is_some_and(|most| age > SignedDuration::try_from(most).unwrap_or(SignedDuration::MAX))
        };
        count > self.count || age.is_some_and(is_old)
    }

    /// Whether somebody has to see to the task, as far as it says itself.
    pub(in crate::tasks) fn is_owed(self, task: &Summary) -> bool {
        self.by.is_some_and(|name| task.option(name).is_some())
    }
}

impl Table {
    /// Notes that a task is over.
    pub(super) fn note_finished(&mut self, id: &TaskId) {
        let Some(entry) = self.over.get(id) else { return };
        let place = (entry.summary.ended_at(), id.clone());
        let is_owed = self.retain.is_owed(&entry.summary) && !entry.is_settled;
        let among = if is_owed { &mut self.owed } else { &mut self.finished };
        among.insert(place);
    }

    /// Takes a task that is over out of those to be forgotten some time.
    pub(super) fn keep(&mut self, id: &TaskId) {
        let Some(entry) = self.over.get(id) else { return };
        let place = (entry.summary.ended_at(), id.clone());
        self.finished.remove(&place);
        self.owed.remove(&place);
    }

    /// Somebody has to see to a finished task: it is not forgotten until [`Table::release`].
    pub(in crate::tasks) fn owe(&mut self, id: &TaskId) {
        let Some(entry) = self.over.get(id) else { return };
        let place = (entry.summary.ended_at(), id.clone());
        if self.finished.remove(&place) {
            self.owed.insert(place);
        }
    }

    /// Whoever had to has seen to the end of a task that came after `resumed` resumptions.
    pub(in crate::tasks) fn release(&mut self, id: &TaskId, resumed: u32) {
        let Some(entry) = self.over.get(id).filter(|entry| entry.summary.resumed == resumed) else { return };
        let place = (entry.summary.ended_at(), id.clone());
        if self.owed.remove(&place) {
            self.finished.insert(place);
            self.forget();
        }
    }

    /// Forgets the oldest finished tasks beyond those to retain.
    pub(super) fn forget(&mut self) {
        while self.owed.len() > self.retain.owed {
            self.finished.extend(self.owed.pop_first());
        }
        let now = clock::now();
        while let Some((_, oldest)) = self.finished.first() {
            let count = self.finished.len();
            let keeps = |entry: &Over| !self.retain.is_over(count, &entry.summary, now);
            if self.over.get(oldest).is_some_and(keeps) {
                return;
            }
            let Some((_, oldest)) = self.finished.pop_first() else { return };
            let Some(Over { summary, subject, .. }) = self.over.remove(&oldest) else { continue };
            match &self.rest {
                Rest::Records(records) => records.release(subject),
                Rest::Shared if self.takes => self.forgotten.push(oldest.clone()),
                // Whoever takes nothing leaves it to others what is kept.
                Rest::Here | Rest::Shared => {}
            }
            self.feed.forget(&oldest);
            if let Some(endings) = &self.endings {
                endings.forget(&oldest);
            }
            *self.counts.of(summary.status) -= 1;
            self.counts.dead -= usize::from(summary.dead);
            self.by_age.remove(&(summary.created_at, oldest.clone()));
            if let Some(key) = &summary.idempotency_key
                && matches!(self.keys.get(key), Some(Key::Accepted(owner)) if *owner == oldest)
            {
                self.keys.remove(key);
            }
        }
    }
}

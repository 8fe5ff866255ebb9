//! From what happened to what is known: the one place where an event changes the table.

use std::sync::Arc;

use super::Table;
use crate::tasks::{Status, Task, TaskId, journal::Event};

/// What came of an event.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::tasks) struct Heard {
    /// Whether a task is parked by it.
    pub(in crate::tasks) is_parked: bool,
}

impl Table {
    /// It is on record that this happened: it is known from now on. `ours` says whether it happened here; what happens to a
    /// task that is not known is nothing. A task that comes to be, or goes on after its end, is told of elsewhere.
    pub(in crate::tasks) fn hear(&mut self, event: &Event<'_>, ours: bool) -> Heard {
        let mut heard = Heard::default();
        let id = event.task_id();
        match event {
            Event::Created { .. } | Event::Resumed { .. } => {}
            Event::Started { attempt, at, by, .. } => {
                self.begin(id, by.clone(), |task| task.start(*attempt, *at));
            }
            Event::Step { record, .. } => {
                self.get_on(id);
                self.update(id, |task| task.step(record.clone().into_owned()));
                self.wait_for_worker(id, ours);
            }
            Event::Spent { spent, .. } => self.spend(id, spent.clone().into_owned()),
            Event::Waiting { waiting, .. } => {
                self.get_on(id);
                self.update(id, |task| task.ask(waiting.clone().into_owned()));
            }
            Event::Parked { steps, .. } => heard.is_parked = self.park(id, steps),
            Event::Retrying { again, .. } => {
                self.get_on(id);
                self.retry(id, again.clone().into_owned(), ours);
            }
            Event::Finished { by, ending, .. } => {
                if let Some(entry) = self.live.get_mut(id) {
                    entry.owner.clone_from(by);
                }
                // Here, whoever ends a task has it.
                if self.me.is_some() {
                    self.queue.remove(id);
                }
                self.update(id, |task| task.end(ending.clone().into_owned()));
            }
            Event::Stop { .. } => {
                if let Some(entry) = self.live.get(id) {
                    entry.cancel.cancel();
                }
            }
            Event::Left { by, .. } => self.leave(id, by),
            Event::Adopted { by, .. } => self.adopt(id, by),
            Event::Settled { resumed, .. } => self.settle(id, *resumed),
        }
        heard
    }

    /// Work on it begins, here or at another replica.
    fn begin(&mut self, id: &TaskId, by: Option<Arc<str>>, start: impl FnOnce(&mut Task)) {
        self.update(id, start);
        let me = self.me.clone();
        let Some(entry) = self.live.get_mut(id) else { return };
        entry.owner = by;
        entry.fruitless += 1;
        if entry.is_elsewhere(me.as_ref()) {
            // Whoever was about to begin it here finds out.
            entry.claimed = false;
            self.queue.remove(id);
        }
    }

    /// It came further.
    fn get_on(&mut self, id: &TaskId) {
        if let Some(entry) = self.live.get_mut(id) {
            entry.fruitless = 0;
        }
    }

    /// Lets a task go on that nobody has, if it was waited for a decision only and can be done here. One that is claimed is
    /// being worked on or cancelled; one of an earlier run that had asked but was not parked yet may be in the queue or
    /// left to itself.
    pub(super) fn wait_for_worker(&mut self, id: &TaskId, ours: bool) {
        let Some(task) = self.live(id) else { return };
        let is_free = self.live.get(id).is_some_and(|entry| !entry.claimed && entry.owner.is_none());
        let waits = is_free && task.status == Status::Pending && !self.queue.contains(id);
        if waits && (ours || self.takes) && self.kinds.contains(&task.kind) {
            match task.retry_at {
                Some(due) => self.queue.push_later(id.clone(), due),
                None => self.queue.push(id.clone(), task.priority),
            }
        }
    }
}

//! Between waiting and being worked on.

use std::sync::Arc;

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::{Live, Table};
use crate::{
    base::Priority,
    tasks::{Kind, Status, Task, TaskId, journal::Retrying},
};

/// What became of asking to cancel.
pub(in crate::tasks) enum Cancelling {
    /// It waits and is yours to end.
    Yours,
    /// Somebody works on it and was told to stop.
    Told,
    /// A replica has it, perhaps this one, and all of them have to be told.
    There,
    /// It is over.
    Final(Status),
    NotFound,
}

impl Live {
    /// Nobody here has it any more. Whoever waits for it looks at it again.
    pub(super) fn put_down(&mut self) {
        self.claimed = false;
        self.task.send_modify(|_| {});
    }
}

impl Table {
    /// Lets a task of an earlier run wait, even when the queue is full: it was accepted then.
    pub(in crate::tasks) fn enqueue(&mut self, id: TaskId) {
        let Some(task) = self.live(&id) else { return };
        match task.retry_at {
            Some(due) => self.queue.push_later(id, due),
            None => self.queue.push(id, task.priority),
        }
    }

    /// Takes the next waiting task for a worker.
    pub(in crate::tasks) fn claim(&mut self) -> Option<(Arc<Task>, CancellationToken)> {
        let id = self.queue.pop()?;
        self.hand_out(&id)
    }

    /// Takes this waiting task out of turn, unless a worker has it by now.
    pub(in crate::tasks) fn claim_one(&mut self, id: &TaskId) -> Option<(Arc<Task>, CancellationToken)> {
        if self.queue.remove(id) { self.hand_out(id) } else { None }
    }

    fn hand_out(&mut self, id: &TaskId) -> Option<(Arc<Task>, CancellationToken)> {
        let entry = self.live.get_mut(id)?;
        entry.claimed = true;
        Some((entry.task.borrow().clone(), entry.cancel.clone()))
    }

    /// Counts one more worker, if something waits and there may be more than there are.
    pub(in crate::tasks) fn hire(&mut self, most: usize) -> bool {
        let needed = self.queue.is_ready() && self.working < most;
        self.working += usize::from(needed);
        needed
    }

    /// Counts one worker less.
    pub(in crate::tasks) fn let_go(&mut self) {
        self.working -= 1;
    }

    /// A worker's task is tried again later.
    pub(super) fn retry(&mut self, id: &TaskId, again: Retrying, ours: bool) {
        self.update(id, |task| task.retry(again));
        if let Some(entry) = self.live.get_mut(id) {
            entry.claimed = false;
            entry.owner = None;
            self.wait_for_worker(id, ours);
        }
    }

    /// Has a claimed task wait for its lane.
    pub(in crate::tasks) fn wait_in_lane(&mut self, id: &TaskId, lane: String) {
        let Some(entry) = self.live.get_mut(id) else { return };
        entry.put_down();
        let before = std::mem::replace(&mut entry.in_lane, true);
        self.queue.push_lane(id.clone(), lane, before);
        // It may have been told to stop meanwhile; whoever told it waits for a worker.
        if entry.cancel.is_cancelled() {
            self.queue.push_first(id.clone(), Priority::High);
        }
    }

    /// There may be room in a lane: the first that waits for it is tried again, before others.
    pub(in crate::tasks) fn leave_lane(&mut self, lane: &str) {
        if let Some(task) = self.queue.pop_lane(lane).and_then(|id| self.live(&id)) {
            self.queue.push_first(task.task_id.clone(), task.priority);
        }
    }

    /// Has the first of every lane tried again, as other processes may have left; tells whether there was any.
    pub(in crate::tasks) fn look_at_lanes(&mut self) -> bool {
        let lanes = self.queue.lanes();
        for lane in &lanes {
            self.leave_lane(lane);
        }
        !lanes.is_empty()
    }

    /// Lets those wait for a worker whose time has come, and tells when that of the next one comes.
    pub(in crate::tasks) fn wake(&mut self, now: Timestamp) -> Option<Timestamp> {
        while let Some(id) = self.queue.pop_due(now) {
            if let Some(task) = self.live(&id) {
                self.queue.push(id, task.priority);
            }
        }
        self.queue.next_due()
    }

    /// Takes a task in order to cancel it, or tells the worker that has it.
    pub(in crate::tasks) fn cancel(&mut self, id: &TaskId) -> Cancelling {
        let Some(entry) = self.live.get_mut(id) else {
            let over = self.over.get(id).map(|entry| Cancelling::Final(entry.summary.status));
            return over.unwrap_or(Cancelling::NotFound);
        };
        if self.me.is_some() && (entry.is_elsewhere(self.me.as_ref()) || entry.claimed) {
            return Cancelling::There;
        }
        if entry.claimed {
            entry.cancel.cancel();
            return Cancelling::Told;
        }
        entry.claimed = true;
        self.queue.remove(id);
        Cancelling::Yours
    }

    /// Lets a task wait again that [`Table::cancel`] took but that could not be ended: for its decision, for its time, or
    /// for a worker, if it can be done here.
    pub(in crate::tasks) fn put_back(&mut self, id: &TaskId, can_do: impl Fn(&Kind) -> bool) {
        let Some(entry) = self.live.get_mut(id) else { return };
        entry.put_down();
        let task = entry.task.borrow().clone();
        if task.status == Status::Pending && can_do(&task.kind) {
            match task.retry_at {
                Some(due) => self.queue.push_later(id.clone(), due),
                None => self.queue.push_first(id.clone(), task.priority),
            }
        }
    }
}

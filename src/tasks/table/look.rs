//! What can be asked of the table.

use std::{ops::Bound, sync::Arc, time::Duration};

use jiff::Timestamp;
use tokio::sync::watch;

use super::{Over, Table};
use crate::{
    base::clock,
    store::log::Subject,
    tasks::{Status, Summary, Task, TaskId, feed::Feed},
};

/// How many tasks of each status are known: all live ones and the finished ones not yet forgotten.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Waiting.
    pub pending: usize,
    /// Being worked on.
    pub running: usize,
    /// Parked until a person has decided.
    pub awaiting_approval: usize,
    /// Done.
    pub completed: usize,
    /// Ended without an answer.
    pub failed: usize,
    /// Stopped on request.
    pub cancelled: usize,
    /// Those of the failed that had been tried as often as they may.
    pub dead: usize,
}

impl Counts {
    pub(super) fn of(&mut self, status: Status) -> &mut usize {
        match status {
            Status::Pending => &mut self.pending,
            Status::Running => &mut self.running,
            Status::AwaitingApproval => &mut self.awaiting_approval,
            Status::Completed => &mut self.completed,
            Status::Failed => &mut self.failed,
            Status::Cancelled => &mut self.cancelled,
        }
    }
}

/// Where a task is.
#[derive(Debug)]
pub(in crate::tasks) enum Found {
    /// In memory.
    Here(Arc<Task>),
    /// In the journal, under this number.
    There(Subject),
}

impl Table {
    /// How long the task has waited that has waited longest for a worker.
    pub(in crate::tasks) fn queue_age(&self) -> Option<Duration> {
        let queued = self.queue.fronts().filter_map(|id| Some(self.live(id)?.created_at));
        // A worker has it, but its beginning cannot be recorded.
        let claimed = self.live.values().filter(|entry| entry.claimed).filter_map(|entry| {
            let task = entry.task.borrow();
            (task.status == Status::Pending).then_some(task.created_at)
        });
        let oldest = queued.chain(claimed).min()?;
        Some(Duration::try_from(clock::now().duration_since(oldest)).unwrap_or_default())
    }

    /// Whether a worker here has the task, or whoever cancels it.
    pub(in crate::tasks) fn is_worked_on(&self, id: &TaskId) -> bool {
        self.live.get(id).is_some_and(|entry| entry.claimed)
    }

    /// A task, if it is not over.
    pub(in crate::tasks) fn live(&self, id: &TaskId) -> Option<Arc<Task>> {
        Some(self.live.get(id)?.task.borrow().clone())
    }

    pub(in crate::tasks) fn find(&self, id: &TaskId) -> Option<Found> {
        if let Some(task) = self.live(id) {
            return Some(Found::Here(task));
        }
        let Over { held, subject, .. } = self.over.get(id)?;
        Some(held.clone().map_or(Found::There(*subject), Found::Here))
    }

    pub(in crate::tasks) fn summary(&self, id: &TaskId) -> Option<Arc<Summary>> {
        let of_live = || self.live(id).map(|task| Arc::new(Summary::from(&*task)));
        self.over.get(id).map(|entry| Arc::clone(&entry.summary)).or_else(of_live)
    }

    /// What is written about the task is written under this number.
    pub(in crate::tasks) fn subject(&self, id: &TaskId) -> Option<Subject> {
        let live = self.live.get(id).map(|entry| entry.subject);
        live.or_else(|| self.over.get(id).map(|entry| entry.subject))
    }

    pub(in crate::tasks) fn watch(&self, id: &TaskId) -> Option<watch::Receiver<Arc<Task>>> {
        Some(self.live.get(id)?.task.subscribe())
    }

    /// Those that fit, the newest first, beginning after a place in that order.
    pub(in crate::tasks) fn list(
        &self,
        after: Option<(Timestamp, TaskId)>,
        limit: usize,
        mut fits: impl FnMut(&Summary) -> bool,
    ) -> Vec<Arc<Summary>> {
        let end = after.map_or(Bound::Unbounded, Bound::Excluded);
        self.by_age
            .range((Bound::Unbounded, end))
            .rev()
            .filter_map(|(_, id)| self.summary(id))
            .filter(|summary| fits(summary))
            .take(limit)
            .collect()
    }

    /// Those that fit, in no order, which is quicker than [`Table::list`] where most do not.
    pub(in crate::tasks) fn select(&self, mut fits: impl FnMut(&Summary) -> bool) -> Vec<Arc<Summary>> {
        let mut selected: Vec<_> =
            self.over.values().map(|entry| &entry.summary).filter(|task| fits(task)).cloned().collect();
        selected.extend(self.unfinished().into_iter().filter(|task| fits(task)));
        selected
    }

    /// Those that are not over, in no order.
    pub(in crate::tasks) fn unfinished(&self) -> Vec<Arc<Summary>> {
        self.live.values().map(|entry| Arc::new(Summary::from(&**entry.task.borrow()))).collect()
    }

    /// Which tasks have changed.
    pub(in crate::tasks) fn feed(&self) -> Arc<Feed> {
        Arc::clone(&self.feed)
    }

    /// Which tasks end from now on.
    pub(in crate::tasks) fn endings(&mut self) -> Arc<Feed> {
        Arc::clone(self.endings.get_or_insert_default())
    }

    pub(in crate::tasks) fn counts(&self) -> Counts {
        self.counts
    }

    /// How many tasks ask for a decision, parked or not.
    pub(in crate::tasks) fn asking(&self) -> usize {
        self.asking
    }

    /// Takes the finished tasks that the index does not tell of as they are; with `all`, every finished one.
    pub(in crate::tasks) fn take_fresh(&mut self, all: bool) -> Vec<(Subject, Arc<Summary>)> {
        let fresh = std::mem::take(&mut self.fresh);
        // One that is about to go on is told of as one that is not over.
        let told = |entry: &Over| (!entry.resuming).then(|| (entry.subject, Arc::clone(&entry.summary)));
        if all {
            return self.over.values().filter_map(told).collect();
        }
        fresh.iter().filter_map(|id| told(self.over.get(id)?)).collect()
    }
}

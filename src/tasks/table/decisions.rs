//! Tasks that wait for a person.

use super::Table;
use crate::tasks::{Error, Status, TaskId, Waiting};

impl Table {
    /// Takes a worker's task from it until one of `steps` is decided; tells whether that is so. It is not when one of them
    /// was decided meanwhile, or the task was told to stop.
    pub(in crate::tasks) fn park(&mut self, id: &TaskId, steps: &[String]) -> bool {
        // One that was told to stop stays with its worker, which alone can end it.
        if self.live.get(id).is_none_or(|entry| entry.cancel.is_cancelled()) {
            return false;
        }
        let mut parked = false;
        self.update(id, |task| parked = task.park(steps));
        if parked && let Some(entry) = self.live.get_mut(id) {
            entry.claimed = false;
            entry.owner = None;
        }
        parked
    }

    /// Reserves a decision: what it is about. It is yours until [`Table::drop_decision`].
    pub(in crate::tasks) fn begin_decision(
        &mut self,
        id: &TaskId,
        step: Option<&str>,
    ) -> Result<Waiting, Error> {
        let Some(entry) = self.live.get_mut(id) else { return Err(self.no_live(id)) };
        let task = entry.task.borrow().clone();
        let waiting = task.asked(step)?.clone();
        // A parked task that is claimed is on its way to be cancelled.
        if task.status == Status::AwaitingApproval && entry.claimed {
            return Err(Error::Final { id: id.clone(), status: Status::Cancelled });
        }
        if entry.deciding.contains(&waiting.step) {
            return Err(Error::Decided { id: id.clone(), step: waiting.step });
        }
        entry.deciding.push(waiting.step.clone());
        Ok(waiting)
    }

    fn no_live(&self, id: &TaskId) -> Error {
        match self.over.get(id) {
            Some(entry) => Error::Final { id: id.clone(), status: entry.summary.status },
            None => Error::NotFound { id: id.clone() },
        }
    }

    /// The decision is on its way no more: it was recorded, or could not be.
    pub(in crate::tasks) fn drop_decision(&mut self, id: &TaskId, step: &str) {
        if let Some(entry) = self.live.get_mut(id) {
            entry.deciding.retain(|other| other != step);
        }
    }
}

//! Going on with a task that failed or was cancelled, from what it had finished.

use std::{borrow::Cow, sync::Arc};

use super::{
    Engine, Error, Resumption, Status, Task, TaskId,
    engine::{Shared, joined},
    home::Unkept,
    journal::{Again, Event, MAX_DEPTH, nests_deeper_than},
    table::Resuming,
};
use crate::base::clock;

impl Engine {
    /// Lets a task that failed or was cancelled go on, or one that an earlier process left and this one was not to begin: it waits for a worker again, and finds what it had finished. It is
    /// on the disk once this returns the task as it stands then. Of two that ask at the same time one wins.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::NotResumable`] when it is done, has not ended, or goes on already; [`Error::Full`],
    /// [`Error::UnknownKind`], [`Error::TooDeep`]; [`Error::Store`] when it cannot be recorded and stays as it ended.
    pub async fn resume(&self, id: &TaskId, how: Resumption) -> Result<Arc<Task>, Error> {
        // In a future of its own: a caller that goes away must not leave a task that goes on in the journal alone.
        let (shared, id) = (Arc::clone(&self.shared), id.clone());
        joined(self.shared.tracker.spawn(async move { shared.resume(&id, how).await }).await)
    }
}

impl Shared {
    async fn resume(self: &Arc<Self>, id: &TaskId, how: Resumption) -> Result<Arc<Task>, Error> {
        if how.options.values().any(|option| nests_deeper_than(option, MAX_DEPTH)) {
            return Err(Error::TooDeep { limit: MAX_DEPTH });
        }
        self.look_for(id).await?;
        let resuming = self.table.lock().begin_resume(id, |kind| self.bodies.contains_key(kind))?;
        let resumed = self.resume_reserved(id, resuming, how).await;
        if resumed.is_err() {
            self.table.lock().drop_resume(id);
        }
        resumed
    }

    async fn resume_reserved(
        self: &Arc<Self>,
        id: &TaskId,
        resuming: Resuming,
        how: Resumption,
    ) -> Result<Arc<Task>, Error> {
        let task = match resuming {
            Resuming::Here(task) => task,
            Resuming::There(subject) => self.read(id, subject).await?,
        };
        let Resumption { options, again, by } = how;
        let names = task.steps.iter().map(|done| &done.step);
        let steps = names.filter(|name| !again.contains(name)).cloned().collect();
        let again = Again { steps, options, by, at: clock::now() };
        let event = Event::Resumed { task_id: id.clone(), again: Cow::Borrowed(&again) };
        match self.append(&event, None).await {
            Ok(_) => {}
            Err(Unkept::Store(error)) => return Err(error.into()),
            // Another replica was first.
            Err(Unkept::Refused) => {
                return Err(Error::NotResumable { id: id.clone(), status: Status::Pending });
            }
        }
        let task = self.table.lock().end_resume(id, Task::clone(&task), again);
        self.stir();
        tracing::info!(task.id = id.as_str(), "an ended task goes on");
        match task {
            Some(task) => Ok(task),
            None => self.get(id).await,
        }
    }
}

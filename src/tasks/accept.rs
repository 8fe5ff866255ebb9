//! How work is accepted, and what becomes of it when its caller goes away.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::{
    Engine, Error, NewTask, Submitted, Task, TaskId,
    engine::{Shared, joined},
    home::{Home, Unkept},
    journal::{MAX_DEPTH, nests_deeper_than},
    table::{Place, Room},
};

impl Engine {
    /// Accepts a task. It is on the disk once this returns, and will be done even if the process dies.
    ///
    /// Under an idempotency key that belongs to a known task, that task is returned instead. A key is known for as
    /// long as its task is, restarts included.
    ///
    /// # Errors
    /// [`Error::Full`], [`Error::UnknownKind`], [`Error::TooDeep`], [`Error::Store`]: nothing was accepted. Only where
    /// replicas share tasks, and the database went away just as it was to keep this one, may it have been accepted all the
    /// same; whoever submits it again under its key finds it.
    pub async fn submit(&self, new: NewTask) -> Result<Submitted, Error> {
        // In a future of its own: a caller that goes away must not leave a task that is on the disk but not queued.
        let shared = Arc::clone(&self.shared);
        joined(self.shared.tracker.spawn(async move { shared.accept(new, Room::Needed).await }).await)
    }

    /// Accepts a task that is begun at once, however many workers there are and whatever waits for them, a full queue too: for
    /// short work that nothing may hold up.
    ///
    /// # Errors
    /// As [`Engine::submit`], but for [`Error::Full`].
    pub async fn submit_ahead(&self, new: NewTask) -> Result<Submitted, Error> {
        let shared = Arc::clone(&self.shared);
        let accepting = async move {
            let submitted = shared.accept(new, Room::Spared).await?;
            let claimed = shared.table.lock().claim_one(&submitted.id);
            if let Some((task, cancel)) = claimed {
                let worker = Arc::clone(&shared);
                shared.tracker.spawn(async move { worker.begin(task, cancel).await });
            }
            Ok(submitted)
        };
        joined(self.shared.tracker.spawn(accepting).await)
    }

    /// Accepts a task for a caller who waits for it: when `given_up` fires before the task has ended, also while it
    /// is being accepted, the task is stopped. One that was accepted before under the same key goes on.
    ///
    /// # Errors
    /// As [`Engine::submit`].
    pub async fn submit_for(&self, new: NewTask, given_up: CancellationToken) -> Result<Submitted, Error> {
        let shared = Arc::clone(&self.shared);
        let accepting = async move {
            let submitted = shared.accept(new, Room::Needed).await?;
            if submitted.fresh {
                Self { shared }.stop_for(&submitted.id, given_up);
            }
            Ok(submitted)
        };
        joined(self.shared.tracker.spawn(accepting).await)
    }

    /// Stops the task `id` when `given_up` fires before it has settled.
    pub fn stop_for(&self, id: &TaskId, given_up: CancellationToken) {
        let (shared, id) = (Arc::clone(&self.shared), id.clone());
        self.shared.tracker.spawn(async move { shared.stop_when(given_up, &id).await });
    }
}

impl Shared {
    async fn accept(self: &Arc<Self>, new: NewTask, room: Room) -> Result<Submitted, Error> {
        if !self.bodies.contains_key(&new.kind) {
            return Err(Error::UnknownKind { kind: new.kind.as_str().to_owned() });
        }
        if let Some(origin) = &new.origin
            && let Some(task) = self.table.lock().live(&origin.id)
        {
            return Err(Error::NotEnded { id: origin.id.clone(), status: task.status });
        }
        if new.options.values().any(|option| nests_deeper_than(option, MAX_DEPTH)) {
            return Err(Error::TooDeep { limit: MAX_DEPTH });
        }
        if matches!(self.home, Home::Memory) && self.tracker.stopping().is_cancelled() {
            return Err(Error::Stopping);
        }
        let key = new.idempotency_key.clone();
        let task = Task::accept(new);
        let id = task.task_id.clone();
        loop {
            let place = self.table.lock().reserve(key.as_deref(), room);
            let subject = match place {
                Place::Yours(subject) => subject,
                Place::Taken(id) => return Ok(Submitted { id, fresh: false }),
                Place::Arriving(written) => {
                    written.cancelled().await;
                    continue;
                }
                Place::Full => return Err(Error::Full { limit: self.queue }),
            };
            match self.add(&task, subject).await {
                Ok(()) => break,
                // Another replica has accepted the key.
                Err(Unkept::Refused) if key.is_some() => self.table.lock().give_up(key.as_deref()),
                Err(error) => {
                    self.table.lock().give_up(key.as_deref());
                    return Err(error.into());
                }
            }
        }
        self.stir();
        self.tend();
        Ok(Submitted { id, fresh: true })
    }

    /// Stops a task when `given_up` fires, unless it ends first, comes to wait for decisions, or the program has to end.
    async fn stop_when(self: &Arc<Self>, given_up: CancellationToken, id: &TaskId) {
        let Some(mut watch) = self.table.lock().watch(id) else { return };
        tokio::select! {
            biased;
            _ = watch.wait_for(|task| task.status.is_settled()) => return,
            () = given_up.cancelled() => {}
            () = self.tracker.stopping().cancelled() => return,
        }
        if let Err(error) = self.cancel(id).await {
            // It ended by itself just now, or it waits on because its end cannot be recorded.
            tracing::debug!(task.id = id.as_str(), %error, "a task whose caller has gone was not stopped");
        }
    }
}

//! Where tasks are kept: nowhere but in memory, in a file of this process, or in a journal that replicas share.
//!
//! Everything that happens to a task goes through [`Shared::append`] or [`Shared::record`]: it is on record and known here
//! once they return.

use std::{
    fmt,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use super::{
    Error, Task, TaskId,
    engine::{Shared, joined},
    journal::Event,
    recovery, replay,
    replica::{ONCE, Replica, Replicas},
    table::Heard,
    upkeep::Journal,
};
use crate::{
    base::blocking,
    store::{self, log::Subject},
};

/// How much is written to see whether a disk has room again.
const TRIAL: usize = 16 << 10;

/// Where tasks are kept.
pub(super) enum Home {
    Memory,
    File(Journal),
    Shared(Replica),
}

/// Why something has not happened.
#[derive(Debug)]
pub(super) enum Unkept {
    /// It could not be recorded.
    Store(store::Error),
    /// Another replica did something first that it does not go together with. What that was is known by now.
    Refused,
}

/// Why what has happened already cannot be recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unrecorded {
    /// The program has to end and the journal still refuses.
    Ending,
    /// Another replica has the task.
    Elsewhere,
}

impl From<store::Error> for Unkept {
    fn from(error: store::Error) -> Self {
        Self::Store(error)
    }
}

impl From<Unkept> for Error {
    fn from(unkept: Unkept) -> Self {
        match unkept {
            Unkept::Store(error) => error.into(),
            Unkept::Refused => Self::Stopping,
        }
    }
}

impl Home {
    /// The name of this replica, where several share the tasks.
    pub(super) fn replica(&self) -> Option<Arc<str>> {
        match self {
            Self::Shared(replica) => Some(Arc::clone(&replica.me)),
            Self::Memory | Self::File(_) => None,
        }
    }

    /// What cut off a body that could not record what it did.
    pub(super) fn interrupted(&self) -> Unrecorded {
        if let Self::Shared(_) = self { Unrecorded::Elsewhere } else { Unrecorded::Ending }
    }

    pub(super) fn replicas(&self) -> Option<Replicas> {
        match self {
            Self::Shared(replica) => Some(replica.standing()),
            Self::Memory | Self::File(_) => None,
        }
    }
}

impl fmt::Debug for Home {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory => f.write_str("memory"),
            Self::File(journal) => write!(f, "{}", journal.records.path().display()),
            Self::Shared(replica) => write!(f, "{replica:?}"),
        }
    }
}

impl Shared {
    /// Has something happen, in `attempt` of its task if it is part of one.
    ///
    /// # Errors
    /// It has not happened.
    pub(super) async fn append(&self, event: &Event<'_>, attempt: Option<u32>) -> Result<Heard, Unkept> {
        match &self.home {
            Home::Shared(replica) => replica.propose(event, attempt, ONCE).await,
            Home::Memory | Home::File(_) => {
                let subject = self.table.lock().subject(event.task_id());
                self.append_line(subject, event.line()).await?;
                Ok(self.table.lock().hear(event, true))
            }
        }
    }

    /// Sees to it that a task is known that another replica has accepted just now: whoever asks here may have been told of it
    /// there.
    pub(super) async fn look_for(&self, id: &TaskId) -> Result<(), Error> {
        let Home::Shared(replica) = &self.home else { return Ok(()) };
        let is_known = self.table.lock().find(id).is_some();
        if is_known { Ok(()) } else { Ok(replica.catch_up().await?) }
    }

    /// Accepts a task in the place that was reserved for it.
    pub(super) async fn add(&self, task: &Task, subject: Subject) -> Result<(), Unkept> {
        let task_of = || std::borrow::Cow::Borrowed(task);
        let Home::Shared(replica) = &self.home else {
            let event = Event::Created { task: task_of(), by: None };
            self.append_line(Some(subject), event.line()).await?;
            self.table.lock().accept(task.clone(), subject);
            return Ok(());
        };
        // One that has to wait for its lane is better left to whoever has room in theirs.
        let has_room = self.lanes.is_none() && self.table.lock().has_room(self.workers);
        let by = (has_room || !replica.takes).then(|| Arc::clone(&replica.me));
        let event = Event::Created { task: task_of(), by };
        replica.propose(&event, None, ONCE).await?;
        self.table.lock().arrived();
        Ok(())
    }

    async fn append_line(&self, subject: Option<Subject>, line: Vec<u8>) -> Result<(), store::Error> {
        let Home::File(journal) = &self.home else { return Ok(()) };
        let written = journal.records.append(subject, line).await;
        journal.refused.store(written.is_err(), Ordering::Relaxed);
        written
    }

    /// Whether tasks can be recorded now.
    pub(super) async fn check(&self) -> Result<(), store::Error> {
        match &self.home {
            Home::Shared(replica) => replica.check(),
            // A blank line means nothing, and one this long needs the room of a task.
            Home::File(journal) if journal.refused.load(Ordering::Relaxed) => {
                self.append_line(None, vec![b' '; TRIAL]).await
            }
            Home::Memory => Ok(()),
            Home::File(journal) => {
                let records = journal.records.clone();
                let ending = || store::Error::Closed { path: journal.records.path().to_owned() };
                blocking(move || records.check()).await.ok_or_else(ending)?
            }
        }
    }

    /// Records what has happened already, so that there is nobody to refuse: while the journal cannot be written,
    /// waits and tries again (after 0.1 s, growing to 5 s), until the program has to end.
    pub(super) async fn record(&self, event: &Event<'_>, attempt: Option<u32>) -> Result<Heard, Unrecorded> {
        let mut pause = Duration::from_millis(100);
        // The same for every try, as one of them may have been kept without anybody knowing.
        let ticket = if let Home::Shared(replica) = &self.home { replica.ticket() } else { 0 };
        loop {
            let kept = match &self.home {
                Home::Shared(replica) => replica.propose(event, attempt, ticket).await,
                Home::Memory | Home::File(_) => self.append(event, attempt).await,
            };
            let error = match kept {
                Ok(heard) => return Ok(heard),
                Err(Unkept::Refused) => return Err(Unrecorded::Elsewhere),
                Err(Unkept::Store(error)) => error,
            };
            tracing::error!(
                task.id = event.task_id().as_str(),
                error = &error as &dyn std::error::Error,
                "the journal of tasks cannot be written; work waits until it can"
            );
            tokio::select! {
                biased;
                () = self.tracker.stopping().cancelled() => return Err(Unrecorded::Ending),
                () = tokio::time::sleep(pause) => pause = (pause * 2).min(Duration::from_secs(5)),
            }
        }
    }

    /// Reads a task that is over.
    pub(super) async fn read(&self, id: &TaskId, subject: Subject) -> Result<Arc<Task>, Error> {
        let not_found = || Error::NotFound { id: id.clone() };
        match &self.home {
            Home::Memory => Err(not_found()),
            Home::Shared(replica) => {
                let lines = replica.read(id).await?;
                let known = replay::rebuild(lines.iter().map(|line| line.text.as_bytes()));
                // It was forgotten just now.
                known.map(|known| Arc::new(known.task)).ok_or_else(not_found)
            }
            Home::File(journal) => {
                let (records, id) = (journal.records.clone(), id.clone());
                let reading = tokio::task::spawn_blocking(move || {
                    let lines = records.read(subject)?;
                    if lines.is_empty() {
                        // It was forgotten just now.
                        return Err(Error::NotFound { id });
                    }
                    recovery::task_in(records.path(), &id, &lines).map(Arc::new)
                });
                joined(reading.await)
            }
        }
    }
}

//! Tasks that several processes share, on one machine or many: each is a replica of the same engine over one journal in
//! PostgreSQL.
//!
//! All replicas hear the same events in the same order. Whatever one of them wants to happen is proposed to its
//! [`Writer`](writer::Writer), which takes the turn, hears what others did first, and adds only what still goes together with
//! that: so a key is accepted once, a task begun by one, a decision counted once. A replica works under a lease; once that is
//! over, another puts on record that it is gone, and from then on nothing it has to say about those tasks is admitted.

mod bring;
mod open;
mod watch;
mod writer;

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot};

pub use self::bring::{Brought, export, import};
pub(super) use self::open::{Glance, look, open};
use self::writer::{Proposal, Request};
use super::{TaskId, home::Unkept, journal::Event, table::Heard};
use crate::store::{
    self,
    postgres::{Line, Readers, Target},
};

/// Proposals that may wait for the turn; whoever comes beyond that waits to be heard.
const QUEUE: usize = 1024;

/// The ticket of what is proposed once, whatever comes of it.
pub(super) const ONCE: i64 = 0;

/// How tasks are shared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sharing {
    /// The database.
    pub target: Target,
    /// For how long nothing may be heard of a replica before others take over what it had.
    pub lease: Duration,
    /// What this replica is called for people: machine and process.
    pub name: String,
}

impl Sharing {
    /// The usual lease.
    pub const LEASE: Duration = Duration::from_secs(20);
}

/// How the replicas stand that share tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Replicas {
    /// How many are at work, this one included.
    pub alive: usize,
    /// How many lines of the journal wait here to be written.
    pub waiting: usize,
}

/// This process among the replicas.
pub(super) struct Replica {
    /// Its name in the journal.
    pub(super) me: Arc<str>,
    /// Whether it takes what nobody has; else only what it was asked for itself.
    pub(super) takes: bool,
    readers: Arc<Readers>,
    requests: mpsc::Sender<Request>,
    state: Arc<State>,
    tickets: AtomicI64,
}

/// What all parts of a replica know.
#[derive(Debug, Default)]
struct State {
    /// Why the database cannot be written or reached, while that is so.
    trouble: Mutex<Option<store::Error>>,
    alive: AtomicUsize,
}

impl State {
    /// The database refuses, or does so no longer. Told once.
    fn note(&self, error: Option<store::Error>) {
        let mut trouble = self.trouble.lock();
        match (&*trouble, &error) {
            (None, Some(error)) => {
                tracing::error!(
                    error = error as &dyn std::error::Error,
                    "the journal of tasks cannot be used; what is at work waits, and nothing is accepted"
                );
            }
            (Some(_), None) => tracing::info!("the journal of tasks can be used again"),
            _ => {}
        }
        *trouble = error;
    }
}

impl Replica {
    /// A number by which a proposal is known that is made again when there was no answer.
    pub(super) fn ticket(&self) -> i64 {
        self.tickets.fetch_add(1, Relaxed)
    }

    /// Proposes that this happens, in `attempt` of its task if it is part of one. Proposed again under the same ticket, it
    /// happens once.
    pub(super) async fn propose(
        &self,
        event: &Event<'_>,
        attempt: Option<u32>,
        ticket: i64,
    ) -> Result<Heard, Unkept> {
        let (done, answer) = oneshot::channel();
        let proposal = Proposal::new(event, attempt, ticket, done);
        let closed = || store::Error::Closed { path: self.readers.target().to_string().into() };
        self.requests.send(Request::Add(proposal)).await.map_err(|_| closed())?;
        answer.await.map_err(|_| closed())?
    }

    /// Hears what others did by now.
    pub(super) async fn catch_up(&self) -> Result<(), store::Error> {
        let (done, answer) = oneshot::channel();
        let closed = || store::Error::Closed { path: self.readers.target().to_string().into() };
        self.requests.send(Request::CatchUp(done)).await.map_err(|_| closed())?;
        answer.await.map_err(|_| closed())?
    }

    /// Leaves: what it has waits for others from now on.
    pub(super) async fn leave(&self) {
        let (left, answer) = oneshot::channel();
        if self.requests.send(Request::Leave(left)).await.is_ok() {
            // It says nothing, and drops this when it has left.
            let _ = answer.await;
        }
    }

    /// The lines about a task.
    pub(super) async fn read(&self, id: &TaskId) -> Result<Vec<Line>, store::Error> {
        self.readers.read(id.as_str()).await
    }

    /// Whether tasks can be recorded, as far as is known.
    pub(super) fn check(&self) -> Result<(), store::Error> {
        self.state.trouble.lock().as_ref().map_or(Ok(()), |error| Err(error.again()))
    }

    pub(super) fn standing(&self) -> Replicas {
        let waiting = QUEUE - self.requests.capacity().min(QUEUE);
        Replicas { alive: self.state.alive.load(Relaxed).max(1), waiting }
    }
}

impl fmt::Debug for Replica {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Replica")
            .field("me", &self.me)
            .field("target", self.readers.target())
            .finish_non_exhaustive()
    }
}

//! The engine: accepts work durably, has it done, tells how it stands.

use std::{borrow::Cow, collections::HashMap, fmt, sync::Arc, time::Duration};

use jiff::Timestamp;
use parking_lot::Mutex;
use tokio::sync::watch;

use super::{
    Body, Counts, Error, Filter, Kind, Lanes, Options, Retry, Status, Summary, Task, TaskId,
    feed::Feed,
    home::{Home, Unkept},
    journal::{Ending, Event},
    recovery::{self, Recovered},
    replica::{self, Replicas},
    table::{Cancelling, Found, Heard, Retain, Table},
    upkeep::Journal,
};
use crate::base::{self, Tracker};

/// The tasks that have ended since somebody last asked.
#[derive(Debug)]
pub struct Endings {
    feed: Arc<Feed>,
}

impl Endings {
    /// Waits until tasks have ended, and takes them, each once. May be dropped while it waits.
    pub async fn take(&self) -> Vec<TaskId> {
        self.feed.take().await
    }
}

/// What became of a submission.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submitted {
    /// The task that does the work.
    pub id: TaskId,
    /// Whether it was accepted now; otherwise its idempotency key was known already.
    pub fresh: bool,
}

/// Accepts tasks and has them done. Clones share everything.
///
/// It works until the tracker it was opened with is told to stop. From then on no task is begun; those being worked
/// on go on for as long as the process lives, and the next engine on the same journal continues the rest. The
/// journal is released when the last clone is gone and the workers have ended.
#[derive(Clone)]
pub struct Engine {
    pub(super) shared: Arc<Shared>,
}

pub(super) struct Shared {
    pub(super) bodies: HashMap<Kind, Arc<dyn Body>>,
    pub(super) home: Home,
    pub(super) table: Mutex<Table>,
    /// The most workers.
    pub(super) workers: usize,
    pub(super) tracker: Tracker,
    pub(super) queue: usize,
    pub(super) parked: usize,
    pub(super) retry: Retry,
    pub(super) lanes: Option<Lanes>,
    /// Woken when a task is to be tried again later.
    pub(super) later: Arc<tokio::sync::Notify>,
}

impl Engine {
    /// Reads the journal, queues what an earlier process left unfinished if it is asked to, and starts the workers in `tracker`.
    ///
    /// # Errors
    /// [`Error::Owned`] when another process works on the journal, [`Error::Store`] when it cannot be read.
    pub async fn open(
        options: Options,
        bodies: impl IntoIterator<Item = (Kind, Arc<dyn Body>)>,
        tracker: Tracker,
    ) -> Result<Self, Error> {
        let bodies: HashMap<_, _> = bodies.into_iter().collect();
        if let Some(sharing) = options.sharing.clone() {
            return replica::open(&options, sharing, bodies, tracker).await;
        }
        let recovered = match options.journal.clone() {
            Some(path) => {
                let kinds = bodies.keys().cloned().collect();
                let retain = Retain::from(&options);
                let reading = tokio::task::spawn_blocking(move || Ok(recovery::open(&path, retain, &kinds)?));
                Some(joined(reading.await)?)
            }
            None => None,
        };
        Ok(Self::start(&options, recovered, bodies, tracker).await)
    }

    /// Goes on from what was recovered.
    pub(super) async fn start(
        options: &Options,
        recovered: Option<Recovered>,
        bodies: HashMap<Kind, Arc<dyn Body>>,
        tracker: Tracker,
    ) -> Self {
        let mut table = Table::new(options.queue, options.into());
        let home = match recovered {
            Some(recovered) => Home::File(settle(recovered, &mut table, options.resume).await),
            None => Home::Memory,
        };
        let engine = Self { shared: Shared::new(options, home, table, bodies, tracker) };
        engine.begin();
        engine
    }

    /// Begins to work.
    pub(super) fn begin(&self) {
        self.shared.tend();
        self.shared.keep_time();
        self.shared.stir_all();
    }

    /// A task as it stands, with all there is of it. One that is over is read from the journal.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Store`] and [`Error::Misplaced`] when it cannot be read.
    pub async fn get(&self, id: &TaskId) -> Result<Arc<Task>, Error> {
        self.shared.get(id).await
    }

    /// A task in brief; `None` when there is none.
    pub fn summary(&self, id: &TaskId) -> Option<Arc<Summary>> {
        self.shared.table.lock().summary(id)
    }

    /// Tasks in brief, the newest first.
    pub fn list(&self, filter: &Filter) -> Vec<Arc<Summary>> {
        self.page(None, filter.limit.unwrap_or(usize::MAX), |task| filter.fits(task))
    }

    /// Tasks that fit, in no order: for a look at all of them of which most are passed over.
    pub fn select(&self, fits: impl FnMut(&Summary) -> bool) -> Vec<Arc<Summary>> {
        self.shared.table.lock().select(fits)
    }

    /// Tasks that are not over, the newest first.
    pub fn unfinished(&self) -> Vec<Arc<Summary>> {
        let mut unfinished = self.shared.table.lock().unfinished();
        unfinished.sort_by(|a, b| (b.created_at, &b.task_id).cmp(&(a.created_at, &a.task_id)));
        unfinished
    }

    /// At most `limit` tasks that fit, the newest first; those after a task, when its place is given: when it was
    /// accepted, and its id.
    pub fn page(
        &self,
        after: Option<(Timestamp, TaskId)>,
        limit: usize,
        fits: impl FnMut(&Summary) -> bool,
    ) -> Vec<Arc<Summary>> {
        self.shared.table.lock().list(after, limit, fits)
    }

    /// Waits until tasks have changed since this was last called (accepted, begun, step finished, ended), and gives
    /// their ids, each once. One caller at a time is meant to wait here; a task that changes faster than it asks is
    /// told of as it stands then, its end never missed. May be dropped while it waits.
    pub async fn changed(&self) -> Vec<TaskId> {
        let feed = self.shared.table.lock().feed();
        feed.take().await
    }

    /// Tells one reader of every task that ends from now on.
    pub fn endings(&self) -> Endings {
        Endings { feed: self.shared.table.lock().endings() }
    }

    /// The task once it has ended. When the program ends before that, the task as it stands: at once if nobody here works
    /// on it, as it is not begun any more, else once [`Tracker::hurry`] says that no time is left.
    ///
    /// # Errors
    /// As [`Engine::get`].
    pub async fn wait(&self, id: &TaskId) -> Result<Arc<Task>, Error> {
        self.come_to(id, Status::is_final).await
    }

    /// Waits until the task has come to what is wanted, or will not while the program lives.
    pub(super) async fn come_to(
        &self,
        id: &TaskId,
        wanted: impl Fn(Status) -> bool,
    ) -> Result<Arc<Task>, Error> {
        let mut watch = self.watch(id).await?;
        let stands_still = self.shared.stands_still(id, watch.clone());
        tokio::select! {
            biased;
            // It is closed only after it has ended, so the last value seen is its end.
            _ = watch.wait_for(|task| wanted(task.status)) => {}
            () = stands_still => {}
        }
        Ok(watch.borrow().clone())
    }

    /// Tells of every change: begun, step finished, parked, ended. Closed once the task has ended.
    ///
    /// # Errors
    /// As [`Engine::get`].
    pub async fn watch(&self, id: &TaskId) -> Result<watch::Receiver<Arc<Task>>, Error> {
        self.shared.look_for(id).await?;
        let watch = self.shared.table.lock().watch(id);
        match watch {
            Some(watch) => Ok(watch),
            None => Ok(watch::Sender::new(self.get(id).await?).subscribe()),
        }
    }

    /// Stops a task, waiting or running, and returns it as it ended. Finished steps stay in its record.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Final`] when it had ended, or ended by itself before it could be stopped;
    /// [`Error::Store`] when it still waits because its end could not be recorded.
    pub async fn cancel(&self, id: &TaskId) -> Result<Arc<Task>, Error> {
        let (shared, owned) = (Arc::clone(&self.shared), id.clone());
        let mut watch = joined(self.shared.tracker.spawn(async move { shared.cancel(&owned).await }).await)?;
        let _ = watch.wait_for(|task| task.status.is_final()).await;
        let task = watch.borrow().clone();
        match task.status {
            Status::Cancelled => Ok(task),
            status => Err(Error::Final { id: id.clone(), status }),
        }
    }

    /// How long the oldest task has waited to be begun; `None` when none waits.
    pub fn queue_age(&self) -> Option<Duration> {
        self.shared.table.lock().queue_age()
    }

    /// How many tasks there are of each status.
    pub fn counts(&self) -> Counts {
        self.shared.table.lock().counts()
    }

    /// A finished task is not forgotten until [`Engine::release`], as somebody has to see to it; see [`Options::owed`].
    pub fn owe(&self, id: &TaskId) {
        self.shared.table.lock().owe(id);
    }

    /// Whoever had to see to a task has done so, as it ended after `resumed` resumptions: from now on it is remembered as
    /// others are. Of an earlier end than its last nothing comes.
    pub fn release(&self, id: &TaskId, resumed: u32) {
        if !self.shared.table.lock().has_to_settle(id, resumed) {
            return self.shared.table.lock().release(id, resumed);
        }
        let (shared, task_id) = (Arc::clone(&self.shared), id.clone());
        self.shared.tracker.spawn(async move {
            let event = Event::Settled { task_id, resumed };
            if shared.record(&event, None).await.is_err() {
                tracing::debug!(
                    task.id = event.task_id().as_str(),
                    "that its result was seen to is not on record"
                );
            }
        });
    }

    /// Whether this process is the one that sees to the result of a task that is over.
    pub fn sees_to(&self, id: &TaskId) -> bool {
        self.shared.table.lock().sees_to(id)
    }

    /// Leaves the replicas that share the tasks: what is at work here goes on with another. Nothing can be recorded after
    /// that; without replicas, nothing comes of it.
    pub async fn leave(&self) {
        if let Home::Shared(replica) = &self.shared.home {
            replica.leave().await;
        }
    }

    /// How the replicas stand that share the tasks; `None` where there is but this process.
    pub fn replicas(&self) -> Option<Replicas> {
        self.shared.home.replicas()
    }

    /// Whether tasks can be recorded now. Where the disk refused the last time, it is tried again.
    ///
    /// # Errors
    /// [`Error::Store`] when they cannot.
    pub async fn check(&self) -> Result<(), Error> {
        Ok(self.shared.check().await?)
    }

    /// Whether tasks survive the process.
    pub fn is_durable(&self) -> bool {
        !matches!(self.shared.home, Home::Memory)
    }
}

impl Shared {
    pub(super) fn new(
        options: &Options,
        home: Home,
        mut table: Table,
        bodies: HashMap<Kind, Arc<dyn Body>>,
        tracker: Tracker,
    ) -> Arc<Self> {
        table.can_do(bodies.keys().cloned());
        table.keep_lanes(options.lanes.as_ref().map(Lanes::width));
        let Options { queue, parked, workers, retry, .. } = *options;
        let (table, lanes, later) = (Mutex::new(table), options.lanes.clone(), Arc::default());
        Arc::new(Self { bodies, home, table, workers, tracker, queue, parked, retry, lanes, later })
    }

    pub(super) async fn get(&self, id: &TaskId) -> Result<Arc<Task>, Error> {
        self.look_for(id).await?;
        let found = self.table.lock().find(id);
        match found {
            None => Err(Error::NotFound { id: id.clone() }),
            Some(Found::Here(task)) => Ok(task),
            Some(Found::There(subject)) => self.read(id, subject).await,
        }
    }

    /// Returns once the program is to end and nobody here works on the task, or no time is left to do so.
    async fn stands_still(&self, id: &TaskId, mut watch: watch::Receiver<Arc<Task>>) {
        self.tracker.stopping().cancelled().await;
        while self.table.lock().is_worked_on(id) {
            tokio::select! {
                changed = watch.changed() => if changed.is_err() { return },
                () = self.tracker.ending().cancelled() => return,
            }
        }
    }

    /// Ends a waiting task, or tells the worker that has it. The answer is where its end will show.
    pub(super) async fn cancel(self: &Arc<Self>, id: &TaskId) -> Result<watch::Receiver<Arc<Task>>, Error> {
        self.look_for(id).await?;
        loop {
            let (cancelling, watch) = {
                let mut table = self.table.lock();
                (table.cancel(id), table.watch(id))
            };
            let kept = match cancelling {
                Cancelling::Told => Ok(Heard::default()),
                Cancelling::NotFound => return Err(Error::NotFound { id: id.clone() }),
                Cancelling::Final(status) => return Err(Error::Final { id: id.clone(), status }),
                Cancelling::There => match self.append(&Event::Stop { task_id: id.clone() }, None).await {
                    // It was told before.
                    Err(Unkept::Refused) if self.table.lock().live(id).is_some() => Ok(Heard::default()),
                    kept => kept,
                },
                Cancelling::Yours => {
                    let kept = self.end_waiting(id).await;
                    if kept.is_err() {
                        self.table.lock().put_back(id, |kind| self.bodies.contains_key(kind));
                        self.stir();
                    }
                    kept
                }
            };
            match kept {
                Ok(_) => return watch.ok_or_else(|| Error::NotFound { id: id.clone() }),
                // Another replica was first; what it did is known by now.
                Err(Unkept::Refused) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Ends a task that waits, as somebody wants it cancelled.
    async fn end_waiting(&self, id: &TaskId) -> Result<Heard, Unkept> {
        let ending = Ending::cancelled();
        self.tell_body(id, &ending).await;
        let by = self.home.replica();
        let event = Event::Finished { task_id: id.clone(), by, ending: Cow::Borrowed(&ending) };
        self.append(&event, None).await
    }

    /// Has as many workers begin as are needed.
    pub(super) fn stir_all(self: &Arc<Self>) {
        for _ in 0..self.workers {
            self.stir();
        }
    }

    /// Has one more worker begin, if a task waits and there may be one more.
    pub(super) fn stir(self: &Arc<Self>) {
        if !self.tracker.stopping().is_cancelled() && self.table.lock().hire(self.workers) {
            self.tracker.spawn(Arc::clone(self).work());
        }
    }
}

/// Fills the table with what an earlier process left, and records what was decided about it.
async fn settle(recovered: Recovered, table: &mut Table, resume: bool) -> Journal {
    let Recovered { log, index, over, live, queued, ended } = recovered;
    table.keep_in(log.clone());
    table.insert_over(over);
    for (subject, task) in live {
        table.insert(task, subject);
    }
    for (id, ending) in ended {
        let event = Event::Finished { task_id: id.clone(), by: None, ending: Cow::Borrowed(&ending) };
        if let Err(error) = log.append(table.subject(&id), event.line()).await {
            // The next start decides the same again.
            tracing::warn!(
                task.id = id.as_str(),
                error = &error as &dyn std::error::Error,
                "the end of a task could not be recorded"
            );
        }
        table.update(&id, |task| task.end(ending));
    }
    for id in queued.into_iter().filter(|_| resume) {
        table.enqueue(id);
    }
    Journal::new(log, index)
}

/// The answer of a future that was given a life of its own.
pub(super) fn joined<T>(answer: Result<Result<T, Error>, tokio::task::JoinError>) -> Result<T, Error> {
    base::joined(answer).unwrap_or(Err(Error::Stopping))
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("counts", &self.table.lock().counts()).finish_non_exhaustive()
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine")
            .field("home", &self.shared.home)
            .field("counts", &self.counts())
            .finish_non_exhaustive()
    }
}

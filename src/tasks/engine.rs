//! The engine: accepts work durably, has it done, tells how it stands.

use std::{borrow::Cow, collections::HashMap, fmt, path::PathBuf, sync::Arc, time::Duration};

use jiff::Timestamp;
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{
    Body, Counts, Error, Kind, Lanes, NewTask, Status, Summary, Task, TaskId,
    feed::Feed,
    journal::{Ending, Event, MAX_DEPTH, nests_deeper_than},
    recovery::{self, Recovered},
    table::{Cancelling, Found, Place, Retain, Table},
    upkeep::Journal,
};
use crate::{
    base::Tracker,
    store::{self, log::Subject},
};

/// How an engine is set up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// The file that remembers tasks, usually `.crew/tasks.jsonl`; `None` keeps them in memory alone.
    pub journal: Option<PathBuf>,
    /// How many tasks are worked on at the same time; a worker is there only while it has something to do. With 0, tasks
    /// are accepted and wait.
    pub workers: usize,
    /// How many tasks may wait; beyond that [`Engine::submit`] refuses.
    pub queue: usize,
    /// How many finished tasks are remembered, the newest.
    pub retain: usize,
    /// For how long finished tasks are remembered; for ever, when it is not said.
    pub retain_for: Option<Duration>,
    /// How many tasks may ask somebody to decide, parked or still at work; one that comes to ask beyond that fails.
    pub parked: usize,
    /// Whether what an earlier process left unfinished is done now; else it waits for an engine that does it.
    pub resume: bool,
    /// How often a task is tried that fails with something that may pass.
    pub retry: Retry,
    /// How many runs of one thing go on at the same time; as many as there are, when it is not said.
    pub lanes: Option<Lanes>,
}

/// How often a task is tried that fails with something that may pass, and how long it waits in between.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    /// How often in all; with 1 it is not tried again.
    pub attempts: u32,
    /// How long it waits before it is tried for the second time. The wait doubles each time; where in its second half it ends is
    /// left to chance, so that tasks that failed together do not come back together.
    pub backoff: Duration,
    /// The longest it waits.
    pub most: Duration,
}

impl Default for Retry {
    fn default() -> Self {
        Self { attempts: 1, backoff: Duration::from_secs(30), most: Duration::from_hours(1) }
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            journal: None,
            workers: 128,
            queue: 1000,
            retain: 5000,
            retain_for: None,
            parked: 1000,
            resume: true,
            retry: Retry::default(),
            lanes: None,
        }
    }
}

/// Which tasks to list; the default is all of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only those of this status.
    pub status: Option<Status>,
    /// Only those of this kind.
    pub kind: Option<Kind>,
    /// Only those that work on the thing of this name.
    pub target: Option<String>,
    /// Only those that had been tried as often as they may.
    pub dead: bool,
    /// At most this many, the newest.
    pub limit: Option<usize>,
}

impl Filter {
    /// Whether a task is one of them.
    pub fn fits(&self, task: &Summary) -> bool {
        self.status.is_none_or(|status| status == task.status)
            && self.kind.as_ref().is_none_or(|kind| *kind == task.kind)
            && self.target.as_ref().is_none_or(|target| *target == task.target_name)
            && (!self.dead || task.dead)
    }
}

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
    pub(super) journal: Option<Journal>,
    pub(super) table: Mutex<Table>,
    /// The most workers.
    workers: usize,
    pub(super) tracker: Tracker,
    queue: usize,
    pub(super) parked: usize,
    pub(super) retry: Retry,
    pub(super) lanes: Option<Lanes>,
    /// Woken when a task is to be tried again later.
    pub(super) later: Arc<tokio::sync::Notify>,
}

/// The program has to end and the journal still refuses.
#[derive(Debug)]
pub(super) struct Unrecorded;

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
        let recovered = match options.journal.clone() {
            Some(path) => {
                let kinds = bodies.keys().cloned().collect();
                let retain = Retain { count: options.retain, age: options.retain_for };
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
        let mut table = Table::new(options.queue, Retain { count: options.retain, age: options.retain_for });
        let journal = match recovered {
            Some(recovered) => Some(settle(recovered, &mut table, options.resume).await),
            None => None,
        };
        let table = Mutex::new(table);
        let Options { queue, parked, workers, retry, .. } = *options;
        let (lanes, later) = (options.lanes.clone(), Arc::default());
        let shared = Shared { bodies, journal, table, workers, tracker, queue, parked, retry, lanes, later };
        let shared = Arc::new(shared);
        shared.tend();
        shared.keep_time();
        shared.stir_all();
        Self { shared }
    }

    /// Accepts a task. It is on the disk once this returns, and will be done even if the process dies.
    ///
    /// Under an idempotency key that belongs to a known task, that task is returned instead. A key is known for as
    /// long as its task is, restarts included.
    ///
    /// # Errors
    /// [`Error::Full`], [`Error::UnknownKind`], [`Error::TooDeep`], [`Error::Store`]: nothing was accepted.
    pub async fn submit(&self, new: NewTask) -> Result<Submitted, Error> {
        // In a future of its own: a caller that goes away must not leave a task that is on the disk but not queued.
        let shared = Arc::clone(&self.shared);
        joined(self.shared.tracker.spawn(async move { shared.accept(new).await }).await)
    }

    /// Accepts a task that is begun at once, however many workers there are and whatever waits for them: for short work
    /// that nothing may hold up.
    ///
    /// # Errors
    /// As [`Engine::submit`].
    pub async fn submit_ahead(&self, new: NewTask) -> Result<Submitted, Error> {
        let shared = Arc::clone(&self.shared);
        let accepting = async move {
            let submitted = shared.accept(new).await?;
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
            let submitted = shared.accept(new).await?;
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

    /// The task once it has ended.
    ///
    /// # Errors
    /// As [`Engine::get`].
    pub async fn wait(&self, id: &TaskId) -> Result<Arc<Task>, Error> {
        let mut watch = self.watch(id).await?;
        // It is closed only after it has ended, so the last value seen is its end.
        let _ = watch.wait_for(|task| task.status.is_final()).await;
        Ok(watch.borrow().clone())
    }

    /// Tells of every change: begun, step finished, parked, ended. Closed once the task has ended.
    ///
    /// # Errors
    /// As [`Engine::get`].
    pub async fn watch(&self, id: &TaskId) -> Result<watch::Receiver<Arc<Task>>, Error> {
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

    /// Whether tasks survive the process.
    pub fn is_durable(&self) -> bool {
        self.shared.journal.is_some()
    }
}

impl Shared {
    pub(super) async fn get(&self, id: &TaskId) -> Result<Arc<Task>, Error> {
        let found = self.table.lock().find(id);
        match found {
            None => Err(Error::NotFound { id: id.clone() }),
            Some(Found::Here(task)) => Ok(task),
            Some(Found::There(subject)) => self.read(id, subject).await,
        }
    }

    /// Reads a task from the journal.
    pub(super) async fn read(&self, id: &TaskId, subject: Subject) -> Result<Arc<Task>, Error> {
        let Some(journal) = &self.journal else { return Err(Error::NotFound { id: id.clone() }) };
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

    async fn accept(self: &Arc<Self>, new: NewTask) -> Result<Submitted, Error> {
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
        if self.journal.is_none() && self.tracker.stopping().is_cancelled() {
            return Err(Error::Stopping);
        }
        let key = new.idempotency_key.clone();
        let subject = loop {
            let place = self.table.lock().reserve(key.as_deref());
            match place {
                Place::Yours(subject) => break subject,
                Place::Taken(id) => return Ok(Submitted { id, fresh: false }),
                Place::Arriving(written) => written.cancelled().await,
                Place::Full => return Err(Error::Full { limit: self.queue }),
            }
        };
        let task = Task::accept(new);
        let id = task.task_id.clone();
        let line = Event::Created { task: Cow::Borrowed(&task) }.line();
        if let Err(error) = self.append_line(Some(subject), line).await {
            self.table.lock().give_up(key.as_deref());
            return Err(error.into());
        }
        self.table.lock().accept(task, subject);
        self.stir();
        self.tend();
        Ok(Submitted { id, fresh: true })
    }

    /// Ends a waiting task, or tells the worker that has it. The answer is where its end will show.
    async fn cancel(self: &Arc<Self>, id: &TaskId) -> Result<watch::Receiver<Arc<Task>>, Error> {
        let (cancelling, watch) = {
            let mut table = self.table.lock();
            (table.cancel(id), table.watch(id))
        };
        match cancelling {
            Cancelling::Told => {}
            Cancelling::NotFound => return Err(Error::NotFound { id: id.clone() }),
            Cancelling::Final(status) => return Err(Error::Final { id: id.clone(), status }),
            Cancelling::Yours => {
                let ending = Ending::cancelled();
                let event = Event::Finished { task_id: id.clone(), ending: Cow::Borrowed(&ending) };
                if let Err(error) = self.append(&event).await {
                    self.table.lock().put_back(id, |kind| self.bodies.contains_key(kind));
                    self.stir();
                    return Err(error.into());
                }
                self.table.lock().update(id, |task| task.end(ending));
            }
        }
        watch.ok_or_else(|| Error::NotFound { id: id.clone() })
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

    pub(super) async fn append(&self, event: &Event<'_>) -> Result<(), store::Error> {
        let subject = self.table.lock().subject(event.task_id());
        self.append_line(subject, event.line()).await
    }

    async fn append_line(&self, subject: Option<Subject>, line: Vec<u8>) -> Result<(), store::Error> {
        match &self.journal {
            Some(journal) => journal.records.append(subject, line).await,
            None => Ok(()),
        }
    }

    /// Records what has happened already, so that there is nobody to refuse: while the journal cannot be written,
    /// waits and tries again (after 0.1 s, growing to 5 s), until the program has to end.
    pub(super) async fn record(&self, event: &Event<'_>) -> Result<(), Unrecorded> {
        let mut pause = Duration::from_millis(100);
        while let Err(error) = self.append(event).await {
            tracing::error!(
                task.id = event.task_id().as_str(),
                error = &error as &dyn std::error::Error,
                "the journal of tasks cannot be written; work waits until it can"
            );
            tokio::select! {
                biased;
                () = self.tracker.stopping().cancelled() => return Err(Unrecorded),
                () = tokio::time::sleep(pause) => pause = (pause * 2).min(Duration::from_secs(5)),
            }
        }
        Ok(())
    }
}

/// Fills the table with what an earlier process left, and records what was decided about it.
async fn settle(recovered: Recovered, table: &mut Table, resume: bool) -> Journal {
    let Recovered { log, index, over, live, queued, ended } = recovered;
    table.keep_in(log.clone());
    for (subject, summary) in over {
        table.insert_over(summary, subject);
    }
    for (subject, task) in live {
        table.insert(task, subject);
    }
    for (id, ending) in ended {
        let event = Event::Finished { task_id: id.clone(), ending: Cow::Borrowed(&ending) };
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
    match answer {
        Ok(answer) => answer,
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        Err(_) => Err(Error::Stopping),
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("counts", &self.table.lock().counts()).finish_non_exhaustive()
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine")
            .field("journal", &self.shared.journal.as_ref().map(|journal| journal.records.path()))
            .field("counts", &self.counts())
            .finish_non_exhaustive()
    }
}

//! The outbox: every result that is to go somewhere, until it got there or was given up.
//!
//! That something is to be sent follows from the task alone: when one ends, or is found to have ended when a project is
//! opened, each of its wishes gets a line in the log under an id made of the task and the place of the wish. So nothing is
//! forgotten when the process dies in between, and nothing is sent for the same wish twice once a receiver has said that it
//! has it. A process that dies while it waits for that answer cannot know, and asks again under the same id.

use std::{fmt, path::PathBuf, sync::Arc, time::Duration};

use futures_util::future::join_all;
use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::{
    courier::{Courier, Outcome},
    log::Journal,
    parting::Parting,
    patience::Patience,
    record::{DeliveryId, DeliveryStatus, Event, Sending},
    standing::{Attempts, Standing},
    table::{Table, Untaken},
    wish::Wish,
};
use crate::{
    base::{Tracker, blocking, clock, retry::chance, text::truncate},
    catalog::Snapshot,
    defs::Destination,
    engine::Crew,
    store,
    tasks::{self, Endings, Engine, Summary, Task, TaskId},
};

/// How many wait for the disk together, at most.
const BATCH: usize = 256;
/// Longest detail that is kept.
const DETAIL_CHARS: usize = 500;

/// How an outbox is set up.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// The file that remembers deliveries, usually `.crew/outbox.jsonl`; `None` keeps them in memory alone.
    pub log: Option<PathBuf>,
    /// Whether other processes may work on the same folder: the first writes the file, and the others keep in memory how
    /// often they have tried, as what is owed is among the tasks that they share.
    pub beside: bool,
    /// Whether what an earlier process left is sent now; else it waits for one that does.
    pub resume: bool,
    /// How often and how long each is tried.
    pub patience: Patience,
}

/// Which deliveries to list; the default is all of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Which {
    /// Only those of this status.
    pub status: Option<DeliveryStatus>,
    /// Only those of this task.
    pub task: Option<TaskId>,
    /// Only those that go this way.
    pub kind: Option<String>,
    /// At most this many, the newest.
    pub limit: Option<usize>,
}

/// Why a delivery is not made again.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// There is no such delivery.
    #[error("there is no delivery `{0}`")]
    NotFound(DeliveryId),
    /// It is on its way, or waits for its turn.
    #[error("delivery `{0}` is on its way already")]
    UnderWay(DeliveryId),
    /// What it is made of is forgotten.
    #[error("delivery `{0}` cannot be made again: its task is known no more")]
    Forgotten(DeliveryId),
    /// The wish cannot be kept.
    #[error("the wish cannot be recorded")]
    Store(#[from] store::Error),
}

/// Sends results. Clones share everything.
#[derive(Clone)]
pub struct Outbox {
    shared: Arc<Shared>,
}

struct Shared {
    crew: Arc<Crew>,
    tasks: Engine,
    courier: Courier,
    journal: Journal,
    patience: Patience,
    tracker: Tracker,
    table: Mutex<Table>,
    attempts: Mutex<Attempts>,
    parting: Parting,
    /// Held while wishes become deliveries, so that each does once.
    deriving: tokio::sync::Mutex<()>,
    /// Woken when something may be begun.
    work: Notify,
    /// Woken when something has changed.
    changed: Notify,
}

impl Outbox {
    /// Reads what an earlier process left, and begins to send in `tracker`, until that is told to stop.
    ///
    /// # Errors
    /// When the log cannot be read, or another process writes it.
    pub async fn open(
        options: Options,
        crew: Arc<Crew>,
        tasks: Engine,
        courier: Courier,
        tracker: &Tracker,
    ) -> Result<Self, store::Error> {
        // First of all, so that no end is missed.
        let endings = tasks.endings();
        // What ended before, and may not have been seen to; the newest first.
        let mut earlier = tasks.select(|task| task.status.is_final() && !Wish::of_summary(task).is_empty());
        earlier.sort_by(|a, b| (b.created_at, &b.task_id).cmp(&(a.created_at, &a.task_id)));
        let (log, beside, known) = (options.log.clone(), options.beside, tasks.clone());
        let ending = || store::Error::Closed { path: options.log.clone().unwrap_or_default() };
        let reading = blocking(move || Journal::open(log, beside, |task| known.summary(task).is_some()));
        let (journal, deliveries) = reading.await.ok_or_else(ending)??;
        let ids = earlier.iter().map(|task| &task.task_id);
        let earlier: Vec<TaskId> = ids.filter(|id| tasks.sees_to(id)).cloned().collect();
        let shared = Arc::new(Shared {
            crew,
            tasks,
            courier,
            journal,
            patience: options.patience,
            tracker: tracker.clone(),
            table: Mutex::new(Table::of(deliveries, options.resume)),
            attempts: Mutex::default(),
            parting: Parting::default(),
            deriving: tokio::sync::Mutex::default(),
            work: Notify::new(),
            changed: Notify::new(),
        });
        let (driving, resume) = (Arc::clone(&shared), options.resume);
        tracker.spawn(async move {
            if resume {
                driving.derive(&earlier).await;
            } else {
                for id in &earlier {
                    driving.let_go(id);
                }
            }
            driving.drive(endings).await;
        });
        Ok(Self { shared })
    }

    /// The deliveries of a task, in the order of its wishes.
    pub fn of_task(&self, task: &TaskId) -> Vec<Sending> {
        self.shared.of_task(task)
    }

    /// Deliveries as they stand, the newest first.
    pub fn list(&self, which: &Which) -> Vec<Sending> {
        let table = self.shared.table.lock();
        newest(table.all().cloned(), which)
    }

    /// How many there are and how long they have waited.
    pub fn standing(&self) -> Standing {
        Standing::of(self.shared.table.lock().all())
    }

    /// What came of the attempts so far.
    pub fn attempts(&self) -> Attempts {
        *self.shared.attempts.lock()
    }

    /// A delivery as it stands.
    pub fn get(&self, id: &DeliveryId) -> Option<Sending> {
        self.shared.table.lock().get(id).cloned()
    }

    /// Has a delivery made once more, whatever came of it: with a new count of attempts, under the same id.
    ///
    /// # Errors
    /// [`Refused`]; nothing is sent then.
    pub async fn redeliver(&self, id: &DeliveryId) -> Result<Sending, Refused> {
        // In a future of its own: a caller that goes away must not leave it recorded and not begun.
        let (shared, id) = (Arc::clone(&self.shared), id.clone());
        let asked = self.shared.tracker.spawn(async move { shared.ask(&id).await }).await;
        asked.unwrap_or_else(|error| Err(store::Error::Closed { path: error.to_string().into() }.into()))
    }

    /// Waits until each delivery of a task that has ended was tried once, at most `patience`.
    pub async fn tried(&self, task: &TaskId, patience: Duration) -> Vec<Sending> {
        self.shared.derive(std::slice::from_ref(task)).await;
        let untried = |delivery: &Sending| {
            delivery.status == DeliveryStatus::Sending
                || (delivery.status == DeliveryStatus::Pending && delivery.attempts == delivery.spent)
        };
        let waiting = async {
            loop {
                let changed = self.shared.changed.notified();
                if !self.of_task(task).iter().any(untried) {
                    return;
                }
                changed.await;
            }
        };
        let _ = tokio::time::timeout(patience, waiting).await;
        self.of_task(task)
    }
}

/// Those that fit, the newest first.
pub fn newest(deliveries: impl DoubleEndedIterator<Item = Sending>, which: &Which) -> Vec<Sending> {
    let fits = |delivery: &Sending| {
        which.status.is_none_or(|status| status == delivery.status)
            && which.task.as_ref().is_none_or(|task| *task == delivery.task_id)
            && which.kind.as_ref().is_none_or(|kind| *kind == delivery.kind)
    };
    deliveries.rev().filter(fits).take(which.limit.unwrap_or(usize::MAX)).collect()
}

impl Shared {
    /// Sends what is due until the program is told to stop; what is on its way then comes to its end.
    async fn drive(self: Arc<Self>, endings: Endings) {
        loop {
            let next = self.begin_due();
            let pause =
                next.map(|next| Duration::try_from(next.duration_since(clock::now())).unwrap_or_default());
            let timer = async {
                match pause {
                    // A clock that is set is noticed in time.
                    Some(pause) => tokio::time::sleep(pause.min(Duration::from_mins(1))).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                () = self.tracker.stopping().cancelled() => return,
                ended = endings.take() => self.derive(&ended).await,
                () = self.work.notified() => {}
                () = timer => {}
            }
        }
    }

    /// Makes a delivery of each wish of these tasks that is none yet.
    async fn derive(self: &Arc<Self>, ended: &[TaskId]) {
        let _one = self.deriving.lock().await;
        for ended in ended.chunks(BATCH) {
            let definitions = self.crew.definitions().await;
            let ours = ended.iter().filter(|id| self.tasks.sees_to(id));
            let tasks: Vec<_> = ours.filter_map(|id| self.tasks.summary(id)).collect();
            let wished = tasks.iter().flat_map(|task| self.wished(task));
            let begun = join_all(wished.map(|(id, wish)| self.begin(id, wish, &definitions))).await;
            if begun.contains(&false) {
                return;
            }
            self.work.notify_one();
            for task in &tasks {
                self.let_go(&task.task_id);
            }
        }
        let forgotten = self.table.lock().sweep(|task| self.tasks.summary(task).is_some());
        let gone = self.parting.of(forgotten, &self.tasks);
        if !gone.is_empty() {
            self.journal.forget(gone).await;
        }
        self.changed.notify_waiters();
    }

    /// The wishes of a task that are to be deliveries and are none yet.
    fn wished(&self, task: &Summary) -> Vec<(DeliveryId, Wish)> {
        let table = self.table.lock();
        let due = due(task).into_iter();
        due.filter(|(id, _)| table.get(id).is_none()).collect()
    }

    /// Makes a delivery of a wish, unless the program has to end.
    async fn begin(&self, id: DeliveryId, wish: Wish, definitions: &Snapshot) -> bool {
        let (kind, target) = match wish.resolve(definitions).map(|delivery| &delivery.to) {
            Some(to @ Destination::GithubComment { .. }) => {
                let target = match self.tasks.get(&id.task).await {
                    Ok(task) => Courier::comment_target(to, &wish, &task),
                    Err(_) => wish.target,
                };
                (to.kind().to_owned(), target)
            }
            Some(to) => (to.kind().to_owned(), to.target()),
            None => (wish.kind, wish.target),
        };
        let created = Event::Created { id, kind, target, at: clock::now() };
        let recorded = self.record(&created).await;
        if let Some(delivery) = created.begin().filter(|_| recorded) {
            self.table.lock().add(delivery);
        }
        recorded
    }

    /// Lets a task be forgotten some time, once all is over that was to be sent of it.
    fn let_go(&self, id: &TaskId) {
        let Some(task) = self.tasks.summary(id).filter(|task| task.status.is_final()) else { return };
        let table = self.table.lock();
        let due = due(&task);
        if due.iter().all(|(id, _)| table.is_over(id)) && table.of_task(id).all(|one| table.is_over(&one.id))
        {
            self.tasks.release(id, task.resumed);
        }
    }

    /// Begins what is due and whose receiver has room, and tells when the next comes due.
    fn begin_due(self: &Arc<Self>) -> Option<Timestamp> {
        let (begun, next) = self.table.lock().begin(clock::now());
        for id in begun {
            let shared = Arc::clone(self);
            self.tracker.spawn(async move {
                let came = shared.attempt(&id).await;
                // Its receiver is free before it is on the disk what came of it.
                shared.table.lock().leave(&id);
                shared.work.notify_one();
                if let Some(came) = came
                    && shared.change(&came).await
                {
                    shared.count(&came);
                }
                shared.table.lock().settle(&id);
                shared.let_go(&id.task);
                shared.work.notify_one();
                shared.changed.notify_waiters();
            });
        }
        next
    }

    /// Sends one, and tells what came of it, unless the program has to end first.
    async fn attempt(&self, id: &DeliveryId) -> Option<Event> {
        let before = self.table.lock().get(id).cloned()?;
        let attempt = before.attempts + 1;
        let begun = Event::Begun { id: id.clone(), attempt, at: clock::now() };
        if !self.change(&begun).await {
            return None;
        }
        let outcome = match self.tasks.get(&id.task).await {
            Ok(task) if task.resumed != id.resumed || !task.status.is_final() => {
                Outcome::Never("its task went on; how that ends is delivered in its place".to_owned())
            }
            Ok(task) => self.send(id, &before, &task).await,
            Err(tasks::Error::NotFound { .. }) => Outcome::Never("its task is known no more".to_owned()),
            Err(error) => Outcome::Again { detail: format!("its task cannot be read: {error}"), after: None },
        };
        let at = clock::now();
        Some(match outcome {
            Outcome::Delivered(detail) => {
                tracing::info!(delivery = %id, kind = before.kind, target = before.target, attempt, "delivered");
                Event::Delivered { id: id.clone(), detail: truncate(&detail, DETAIL_CHARS), at }
            }
            Outcome::Never(detail) => Self::dead(id, &before, &detail),
            Outcome::Again { detail, after } => {
                let age = Duration::try_from(at.duration_since(before.since)).unwrap_or_default();
                match self.patience.pause(attempt - before.spent, age, after, chance()) {
                    Some(pause) => {
                        let seconds = pause.as_secs();
                        tracing::warn!(delivery = %id, kind = before.kind, target = before.target, attempt, detail, "not delivered; tried again in {seconds} s");
                        let pause = SignedDuration::try_from(pause).unwrap_or(SignedDuration::MAX);
                        let next_at = at.checked_add(pause).unwrap_or(Timestamp::MAX);
                        Event::Failed { id: id.clone(), detail: truncate(&detail, DETAIL_CHARS), at, next_at }
                    }
                    None => Self::dead(id, &before, &format!("given up after {attempt} attempts: {detail}")),
                }
            }
        })
    }

    fn dead(id: &DeliveryId, before: &Sending, detail: &str) -> Event {
        tracing::error!(delivery = %id, kind = before.kind, target = before.target, detail, "a delivery was given up");
        Event::Dead { id: id.clone(), detail: truncate(detail, DETAIL_CHARS), at: clock::now() }
    }

    async fn send(&self, id: &DeliveryId, before: &Sending, task: &Arc<Task>) -> Outcome {
        let wishes = Wish::of(task);
        let wish = usize::try_from(id.index).ok().and_then(|index| wishes.get(index));
        let definitions = self.crew.definitions().await;
        let Some((wish, delivery)) = wish.and_then(|wish| Some((wish, wish.resolve(&definitions)?))) else {
            // It may be in one of those that cannot be used just now.
            let told = "no definition describes it any more";
            return if definitions.has_errors() {
                Outcome::again(format!("{told}, and some cannot be used"))
            } else {
                Outcome::Never(told.to_owned())
            };
        };
        // A log that was lost must not send everything again.
        let ended = task.completed_at.unwrap_or(before.since);
        let age = before.since.duration_since(ended);
        if before.spent == 0 && Duration::try_from(age).is_ok_and(|age| age > self.patience.age) {
            return Outcome::Never(
                "it ended too long ago; ask for it again if it is still of use".to_owned(),
            );
        }
        self.courier.send(id, before.attempts, task, wish, &delivery.to).await
    }

    async fn ask(&self, id: &DeliveryId) -> Result<Sending, Refused> {
        self.table.lock().take(id).map_err(|untaken| match untaken {
            Untaken::Unknown => Refused::NotFound(id.clone()),
            Untaken::UnderWay => Refused::UnderWay(id.clone()),
        })?;
        // Its task may be one that could be forgotten by now.
        self.tasks.owe(&id.task);
        if self.tasks.summary(&id.task).is_none() {
            self.table.lock().settle(id);
            return Err(Refused::Forgotten(id.clone()));
        }
        let event = Event::Asked { id: id.clone(), at: clock::now() };
        let asked = self.journal.append(&event).await;
        let delivery = {
            let mut table = self.table.lock();
            if asked.is_ok() {
                table.apply(&event);
            }
            table.settle(id);
            table.get(id).cloned()
        };
        self.work.notify_one();
        if asked.is_err() {
            self.let_go(&id.task);
        }
        asked?;
        delivery.ok_or_else(|| Refused::NotFound(id.clone()))
    }

    /// Keeps a line and what it changes.
    async fn change(&self, event: &Event) -> bool {
        if !self.record(event).await {
            return false;
        }
        self.table.lock().apply(event);
        self.changed.notify_waiters();
        true
    }

    fn count(&self, came: &Event) {
        let kind = self.table.lock().get(came.id()).map(|delivery| delivery.kind.clone());
        self.attempts.lock().count(&kind.unwrap_or_default(), came);
    }

    /// Keeps a line of what has happened already: while the log cannot be written, waits and tries again, until the program
    /// has to end.
    async fn record(&self, event: &Event) -> bool {
        let mut pause = Duration::from_millis(100);
        while let Err(error) = self.journal.append(event).await {
            tracing::error!(delivery = %event.id(), error = &error as &dyn std::error::Error, "the log of deliveries cannot be written; they wait until it can");
            tokio::select! {
                biased;
                () = self.tracker.stopping().cancelled() => return false,
                () = tokio::time::sleep(pause) => pause = (pause * 2).min(Duration::from_secs(5)),
            }
        }
        true
    }

    fn of_task(&self, task: &TaskId) -> Vec<Sending> {
        self.table.lock().of_task(task).cloned().collect()
    }
}

/// The deliveries that the end of a task is to have.
fn due(task: &Summary) -> Vec<(DeliveryId, Wish)> {
    if !task.status.is_final() {
        return Vec::new();
    }
    let (id, resumed) = (&task.task_id, task.resumed);
    let wishes = (0..).zip(Wish::of_summary(task)).filter(|(_, wish)| wish.holds(task.status));
    wishes.map(|(index, wish)| (DeliveryId { task: id.clone(), resumed, index }, wish)).collect()
}

impl fmt::Debug for Outbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbox").finish_non_exhaustive()
    }
}

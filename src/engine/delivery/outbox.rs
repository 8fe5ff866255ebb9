//! The outbox: every result that is to go somewhere, until it got there or was given up.
//!
//! That something is to be sent follows from the task alone: when one ends, or is found to have ended when a project is
//! opened, each of its wishes gets a line in the log under an id made of the task and the place of the wish. So nothing is
//! forgotten when the process dies in between, and nothing is sent for the same wish twice once a receiver has said that it
//! has it. A process that dies while it waits for that answer cannot know, and asks again under the same id.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    fmt,
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::{
    courier::{Courier, Outcome},
    log::{Deliveries, Journal},
    patience::Patience,
    record::{DeliveryId, DeliveryStatus, Event, Sending},
    standing::Standing,
    wish::Wish,
};
use crate::{
    base::{Tracker, clock, metric, text::truncate},
    defs::Destination,
    engine::Crew,
    store,
    tasks::{self, Endings, Engine, Filter, Summary, Task, TaskId},
};

/// How many are on their way at the same time, to the same place and in all.
const PER_LANE: usize = 2;
const AT_ONCE: usize = 16;
/// Longest detail that is kept.
const DETAIL_CHARS: usize = 500;

/// How an outbox is set up.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// The file that remembers deliveries, usually `.crew/outbox.jsonl`; `None` keeps them in memory alone.
    pub log: Option<PathBuf>,
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
    /// Held while wishes become deliveries, so that each does once.
    deriving: tokio::sync::Mutex<()>,
    /// Woken when something may be begun.
    work: Notify,
    /// Woken when something has changed.
    changed: Notify,
}

#[derive(Default)]
struct Table {
    deliveries: Deliveries,
    /// What waits for its time.
    due: BTreeSet<(Timestamp, DeliveryId)>,
    /// How many are on their way, by where they go.
    lanes: HashMap<String, usize>,
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
        let earlier = tasks.list(&Filter::default());
        let known: HashSet<TaskId> = earlier.iter().map(|task| task.task_id.clone()).collect();
        let log = options.log;
        let reading = tokio::task::spawn_blocking(move || Journal::open(log, &known)).await;
        let (journal, deliveries) =
            reading.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))?;
        let mut table = Table { deliveries, ..Table::default() };
        table.take_over(options.resume);
        // What ended before, and may not have been seen to.
        let wants = |task: &&Arc<Summary>| {
            options.resume && task.status.is_final() && !Wish::of_summary(task).is_empty()
        };
        let earlier = earlier.iter().filter(wants).map(|task| task.task_id.clone()).collect();
        let shared = Arc::new(Shared {
            crew,
            tasks,
            courier,
            journal,
            patience: options.patience,
            tracker: tracker.clone(),
            table: Mutex::new(table),
            deriving: tokio::sync::Mutex::default(),
            work: Notify::new(),
            changed: Notify::new(),
        });
        tracker.spawn(Arc::clone(&shared).drive(endings, earlier));
        Ok(Self { shared })
    }

    /// The deliveries of a task, in the order of its wishes.
    pub fn of_task(&self, task: &TaskId) -> Vec<Sending> {
        self.shared.of_task(task)
    }

    /// Deliveries as they stand, the newest first.
    pub fn list(&self, which: &Which) -> Vec<Sending> {
        let table = self.shared.table.lock();
        newest(table.deliveries.values().cloned(), which)
    }

    /// How many there are and how long they have waited.
    pub fn standing(&self) -> Standing {
        Standing::of(self.shared.table.lock().deliveries.values())
    }

    /// A delivery as it stands.
    pub fn get(&self, id: &DeliveryId) -> Option<Sending> {
        self.shared.table.lock().deliveries.get(id).cloned()
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
    async fn drive(self: Arc<Self>, endings: Endings, earlier: Vec<TaskId>) {
        self.derive(&earlier).await;
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
        for task in ended.iter().filter_map(|id| self.tasks.summary(id)) {
            let wishes = Wish::of_summary(&task);
            if wishes.is_empty() || !task.status.is_final() {
                continue;
            }
            let definitions = self.crew.definitions().await;
            for (index, wish) in (0..).zip(&wishes) {
                let id = DeliveryId { task: task.task_id.clone(), index };
                if !wish.holds(task.status) || self.table.lock().deliveries.contains_key(&id) {
                    continue;
                }
                let (kind, target) = match wish.resolve(&definitions).map(|delivery| &delivery.to) {
                    Some(to @ Destination::GithubComment { .. }) => {
                        let target = match self.tasks.get(&task.task_id).await {
                            Ok(task) => Courier::comment_target(to, wish, &task),
                            Err(_) => wish.target.clone(),
                        };
                        (to.kind().to_owned(), target)
                    }
                    Some(to) => (to.kind().to_owned(), to.target()),
                    None => (wish.kind.clone(), wish.target.clone()),
                };
                let created = Event::Created { id: id.clone(), kind, target, at: clock::now() };
                if !self.record(&created).await {
                    return;
                }
                let Some(delivery) = created.begin() else { continue };
                let mut table = self.table.lock();
                table.due.insert((delivery.at, id.clone()));
                table.deliveries.insert(id, delivery);
                drop(table);
                self.work.notify_one();
            }
        }
        self.changed.notify_waiters();
    }

    /// Begins what is due and has a lane, and tells when the next comes due.
    fn begin_due(self: &Arc<Self>) -> Option<Timestamp> {
        let now = clock::now();
        let mut table = self.table.lock();
        let mut begun = Vec::new();
        for (at, id) in &table.due {
            if *at > now {
                break;
            }
            if table.lanes.values().sum::<usize>() + begun.len() >= AT_ONCE {
                break;
            }
            let Some(delivery) = table.deliveries.get(id) else { continue };
            let lane = lane(delivery);
            let before = table.lanes.get(&lane).copied().unwrap_or_default();
            let new = begun.iter().filter(|(_, _, other)| *other == lane).count();
            if before + new < PER_LANE {
                begun.push((*at, id.clone(), lane));
            }
        }
        for (at, id, lane) in begun {
            table.due.remove(&(at, id.clone()));
            *table.lanes.entry(lane.clone()).or_default() += 1;
            let shared = Arc::clone(self);
            self.tracker.spawn(async move {
                shared.attempt(&id).await;
                let mut table = shared.table.lock();
                if let Some(count) = table.lanes.get_mut(&lane) {
                    *count -= 1;
                    if *count == 0 {
                        table.lanes.remove(&lane);
                    }
                }
                drop(table);
                shared.work.notify_one();
                shared.changed.notify_waiters();
            });
        }
        // What is due and has no lane is looked at again when one is free.
        table.due.iter().map(|(at, _)| *at).find(|at| *at > now)
    }

    async fn attempt(&self, id: &DeliveryId) {
        let Some(before) = self.table.lock().deliveries.get(id).cloned() else { return };
        let attempt = before.attempts + 1;
        if !self.change(Event::Begun { id: id.clone(), attempt, at: clock::now() }).await {
            return;
        }
        let outcome = match self.tasks.get(&id.task).await {
            Ok(task) => self.send(id, &before, &task).await,
            Err(tasks::Error::NotFound { .. }) => Outcome::Never("its task is known no more".to_owned()),
            Err(error) => Outcome::Again { detail: format!("its task cannot be read: {error}"), after: None },
        };
        let at = clock::now();
        let event = match outcome {
            Outcome::Delivered(detail) => {
                count(&before.kind, "sent");
                tracing::info!(delivery = %id, kind = before.kind, target = before.target, attempt, "delivered");
                Event::Delivered { id: id.clone(), detail: truncate(&detail, DETAIL_CHARS), at }
            }
            Outcome::Never(detail) => Self::dead(id, &before, &detail),
            Outcome::Again { detail, after } => {
                let age = Duration::try_from(at.duration_since(before.since)).unwrap_or_default();
                match self.patience.pause(attempt - before.spent, age, after, chance()) {
                    Some(pause) => {
                        count(&before.kind, "retry");
                        let seconds = pause.as_secs();
                        tracing::warn!(delivery = %id, kind = before.kind, target = before.target, attempt, detail, "not delivered; tried again in {seconds} s");
                        let pause = SignedDuration::try_from(pause).unwrap_or(SignedDuration::MAX);
                        let next_at = at.checked_add(pause).unwrap_or(Timestamp::MAX);
                        Event::Failed { id: id.clone(), detail: truncate(&detail, DETAIL_CHARS), at, next_at }
                    }
                    None => Self::dead(id, &before, &format!("given up after {attempt} attempts: {detail}")),
                }
            }
        };
        self.change(event).await;
    }

    fn dead(id: &DeliveryId, before: &Sending, detail: &str) -> Event {
        count(&before.kind, "dead");
        tracing::error!(delivery = %id, kind = before.kind, target = before.target, detail, "a delivery was given up");
        Event::Dead { id: id.clone(), detail: truncate(detail, DETAIL_CHARS), at: clock::now() }
    }

    async fn send(&self, id: &DeliveryId, before: &Sending, task: &Arc<Task>) -> Outcome {
        let wishes = Wish::of(task);
        let wish = usize::try_from(id.index).ok().and_then(|index| wishes.get(index));
        let definitions = self.crew.definitions().await;
        let Some((wish, delivery)) = wish.and_then(|wish| Some((wish, wish.resolve(&definitions)?))) else {
            return Outcome::Never("no definition describes it any more".to_owned());
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
        let _one = self.deriving.lock().await;
        let known = self.table.lock().deliveries.get(id).cloned();
        let known = known.ok_or_else(|| Refused::NotFound(id.clone()))?;
        if known.status == DeliveryStatus::Sending {
            return Err(Refused::UnderWay(id.clone()));
        }
        let event = Event::Asked { id: id.clone(), at: clock::now() };
        self.journal.append(&event).await?;
        let mut table = self.table.lock();
        table.apply(&event);
        let asked = table.deliveries.get(id).cloned().unwrap_or(known);
        drop(table);
        self.work.notify_one();
        Ok(asked)
    }

    /// Keeps a line and what it changes.
    async fn change(&self, event: Event) -> bool {
        if !self.record(&event).await {
            return false;
        }
        self.table.lock().apply(&event);
        self.changed.notify_waiters();
        true
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
        let first = DeliveryId { task: task.clone(), index: 0 };
        let last = DeliveryId { task: task.clone(), index: u32::MAX };
        self.table.lock().deliveries.range(first..=last).map(|(_, delivery)| delivery.clone()).collect()
    }
}

impl Table {
    /// Takes what an earlier process did not bring to an end, and with `queue` has it sent. An attempt it had begun counts.
    fn take_over(&mut self, queue: bool) {
        for (id, delivery) in &mut self.deliveries {
            if delivery.is_over() {
                continue;
            }
            delivery.status = DeliveryStatus::Pending;
            if queue {
                self.due.insert((delivery.next_at.unwrap_or(delivery.at), id.clone()));
            }
        }
    }

    fn apply(&mut self, event: &Event) {
        let Some(delivery) = self.deliveries.get_mut(event.id()) else { return };
        if let Some(at) = delivery.next_at {
            self.due.remove(&(at, delivery.id.clone()));
        }
        self.due.remove(&(delivery.at, delivery.id.clone()));
        delivery.apply(event);
        if delivery.status == DeliveryStatus::Pending
            && let Some(at) = delivery.next_at
        {
            self.due.insert((at, delivery.id.clone()));
        }
    }
}

/// What goes the same way to the same place goes through one lane; all mail goes through one server.
fn lane(delivery: &Sending) -> String {
    match delivery.kind.as_str() {
        "email" | "github-comment" => delivery.kind.clone(),
        kind => format!("{kind} {}", delivery.target),
    }
}

/// Counts an attempt. A name that leads nowhere any more is the type `named`; all types are known beforehand.
fn count(kind: &str, outcome: &'static str) {
    metrics::counter!(metric::DELIVERIES, "type" => kind.to_owned(), "outcome" => outcome).increment(1);
}

/// A number from 0 to 1 by chance; 0.5 where the machine has none to give.
fn chance() -> f64 {
    getrandom::u32().map_or(0.5, |bits| f64::from(bits) / f64::from(u32::MAX))
}

impl fmt::Debug for Outbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbox").finish_non_exhaustive()
    }
}

//! What the clock starts: the schedules of `cron.yaml`, each due moment submitted as one task.
//!
//! The process that owns the journal of tasks watches the clock, or each of those that share it: the moment is a key, so that
//! one of them starts it. What it has seen to is kept in `.crew/cron-state.json`, so
//! that the next one knows what was missed; and as a moment is the idempotency key of its task, one that was started but
//! not noted before a crash is not started again.

mod added;
mod by_hand;
mod kept;
mod row;
mod status;
#[cfg(test)]
mod tests;

use std::{collections::VecDeque, sync::Arc, time::Duration};

use futures_util::future;
use indexmap::IndexMap;
use jiff::{SignedDuration, Timestamp, Zoned};
use parking_lot::Mutex;

pub use added::{NewSchedule, ScheduleRefusal};
pub use status::{RowStatus, ScheduleStatus, shown};

use self::{
    kept::{Book, Kept, Last},
    row::Row,
};
use super::{
    Crew, Error, Order,
    delivery::{self, Wish},
};
use crate::{
    base::{Tracker, blocking, clock},
    catalog::Snapshot,
    defs::{CronConfig, Schedule},
    tasks::{self, Budget, Engine, NewTask, OwnRetry, Status, TaskId, Trigger},
};

/// The longest sleep: how soon a clock that was set is noticed.
const NAP: Duration = Duration::from_secs(20);
/// A schedule that is away for no longer goes on as it stood: a file that is written anew, or changed back.
const AWAY: SignedDuration = SignedDuration::from_secs(60);
/// How long it is known how a schedule that is away ran last, and of how many.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(24);
const MOST_REMEMBERED: usize = 256;

/// Starts what is due.
#[derive(Debug)]
pub struct Scheduler {
    crew: Arc<Crew>,
    tasks: Engine,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// What the rows were made from; a changed file gives another.
    config: Option<Arc<CronConfig>>,
    rows: IndexMap<String, Row>,
    /// What an earlier process kept, until there are schedules to go on with it.
    earlier: Book,
    /// Whether that could not be read yet: until it was, nothing is written in its place.
    unread: bool,
    /// How schedules stood that are in no file any more, and since when that is.
    away: IndexMap<String, (Kept, Timestamp)>,
}

/// A moment that is to be started.
struct Due {
    schedule: Schedule,
    moment: Timestamp,
}

impl Scheduler {
    /// Reads the schedules and starts watching the clock in the background, until `tracker` stops.
    pub async fn start(crew: Arc<Crew>, tasks: Engine, tracker: &Tracker) -> Arc<Self> {
        let definitions = crew.definitions().await;
        let scheduler = Arc::new(Self::new(crew, tasks, Book::default()));
        scheduler.state.lock().unread = true;
        scheduler.take_up(clock::now()).await;
        scheduler.state.lock().take_over(definitions.cron.as_ref(), clock::now());
        let (watching, stop) = (Arc::clone(&scheduler), tracker.stopping().clone());
        tracker.spawn(async move {
            tokio::select! {
                biased;
                () = stop.cancelled() => {}
                () = watching.watch() => {}
            }
        });
        scheduler
    }

    fn new(crew: Arc<Crew>, tasks: Engine, earlier: Book) -> Self {
        Self { crew, tasks, state: Mutex::new(State { earlier, ..State::default() }) }
    }

    async fn watch(&self) {
        let mut read = self.crew.catalog().watch();
        loop {
            let definitions = self.crew.definitions().await;
            self.round(definitions.cron.as_ref(), clock::now()).await;
            tokio::select! {
                () = tokio::time::sleep(self.nap(clock::now())) => {}
                // Another run may wait for it.
                () = self.run_ended() => {}
                _ = read.changed() => {}
            }
        }
    }

    /// Reads what an earlier process kept, unless that was done.
    async fn take_up(&self, now: Timestamp) {
        if !self.state.lock().unread {
            return;
        }
        let root = self.crew.root().to_owned();
        match blocking(move || Book::take_up(&root)).await {
            Some(Ok(book)) => self.state.lock().hear_of(book, now),
            Some(Err(error)) => tracing::error!(
                error = &error as &dyn std::error::Error,
                "the state of the schedules cannot be read; they go on without, and it is tried again"
            ),
            // The program ends.
            None => {}
        }
    }

    /// Sees to everything that has come by `now`, and keeps that it did.
    async fn round(&self, config: Option<&Arc<CronConfig>>, now: Timestamp) {
        self.take_up(now).await;
        let due = {
            let mut state = self.state.lock();
            if !state.is_of(config) {
                state.take_over(config, now);
            }
            state.note_ends(&self.tasks);
            state.look(now, &self.tasks)
        };
        let mut held: Option<String> = None;
        for Due { schedule, moment } in due {
            // Those after one that could not begin wait for it, so that they begin in order.
            let outcome = match &held {
                Some(held) if *held == schedule.name => Outcome::Later,
                _ => self.submit(&schedule, moment).await,
            };
            if let Outcome::Later = outcome {
                held = Some(schedule.name.clone());
            }
            if let Some(row) = self.state.lock().rows.get_mut(&schedule.name) {
                match outcome {
                    Outcome::Began(id) => row.began(Last::of(moment, Ok(id))),
                    Outcome::Refused(error) => row.began(Last::of(moment, Err(error))),
                    Outcome::Later => row.put_back(moment, now),
                }
            }
        }
        self.keep().await;
    }

    async fn submit(&self, schedule: &Schedule, moment: Timestamp) -> Outcome {
        let key = Some(key(&schedule.name, moment));
        let new = match self.crew.plan_scheduled(schedule, Trigger::CRON, key).await {
            Ok(new) => new,
            Err(error) => {
                let error = error.to_string();
                tracing::error!(schedule = schedule.name, error, "a schedule could not be started");
                return Outcome::Refused(error);
            }
        };
        match self.tasks.submit(new).await {
            Ok(submitted) => {
                tracing::info!(schedule = schedule.name, task.id = %submitted.id, due = %moment, "schedule started");
                Outcome::Began(submitted.id)
            }
            Err(error @ (tasks::Error::Full { .. } | tasks::Error::Store(_) | tasks::Error::Stopping)) => {
                tracing::warn!(schedule = schedule.name, %error, "a schedule is started later");
                Outcome::Later
            }
            Err(error) => {
                tracing::error!(schedule = schedule.name, %error, "a schedule could not be started");
                Outcome::Refused(error.to_string())
            }
        }
    }

    /// Keeps how the schedules stand, if that has changed.
    async fn keep(&self) {
        let book = {
            let mut state = self.state.lock();
            if state.unread || state.config.is_none() || !state.rows.values().any(|row| row.changed) {
                return;
            }
            state.rows.values_mut().for_each(|row| row.changed = false);
            state.book()
        };
        let root = self.crew.root().to_owned();
        let kept = tokio::task::spawn_blocking(move || book.write(&root)).await;
        if let Ok(Err(error)) = kept {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "the state of the schedules cannot be kept"
            );
            self.state.lock().rows.values_mut().for_each(|row| row.changed = true);
        }
    }

    fn nap(&self, now: Timestamp) -> Duration {
        let state = self.state.lock();
        state.rows.values().filter_map(|row| row.wait(now)).min().unwrap_or(NAP).min(NAP)
    }

    /// Waits until one of the last runs that go on has ended, or waits for an approval.
    async fn run_ended(&self) {
        let going_on: Vec<TaskId> = {
            let state = self.state.lock();
            let going_on = state.rows.values().filter(|row| row.is_busy(&self.tasks));
            going_on.filter_map(|row| row.kept.last.as_ref()?.task_id.clone()).collect()
        };
        if going_on.is_empty() {
            return future::pending().await;
        }
        let ends = going_on.iter().map(|id| Box::pin(self.tasks.settled(id)));
        let _ = future::select_all(ends).await;
    }

    /// How late the schedule is that is the latest, and how many moments were missed in all.
    pub fn lateness(&self) -> (Duration, u64) {
        let (state, now) = (self.state.lock(), clock::now());
        let latest = state.rows.values().map(|row| row.late(now)).max();
        (latest.unwrap_or_default(), state.rows.values().map(Row::missed).sum())
    }

    /// All schedules, when they run next and how they ran last.
    pub fn status(&self) -> ScheduleStatus {
        let state = self.state.lock();
        let schedules: Vec<_> = state.rows.values().map(|row| row.status(Some(&self.tasks))).collect();
        let unusable = unusable(&self.crew.catalog().snapshot());
        ScheduleStatus {
            enabled: !schedules.is_empty(),
            running: Some(!schedules.is_empty()),
            schedules,
            unusable,
        }
    }
}

enum Outcome {
    Began(TaskId),
    /// It cannot be done.
    Refused(String),
    /// It can, but not now.
    Later,
}

impl Last {
    fn of(due: Timestamp, outcome: Result<TaskId, String>) -> Self {
        let status = outcome.is_err().then_some(Status::Failed);
        let (task_id, error) = match outcome {
            Ok(id) => (Some(id), None),
            Err(error) => (None, Some(error)),
        };
        Self { due, task_id, status, error, duration_ms: None }
    }
}

fn key(name: &str, due: Timestamp) -> String {
    format!("cron:{name}:{due}")
}

/// The files of schedules that have errors.
fn unusable(definitions: &Snapshot) -> Vec<String> {
    definitions.unusable.iter().filter(|file| !file.ends_with("webhook.yaml")).cloned().collect()
}

impl State {
    fn is_of(&self, config: Option<&Arc<CronConfig>>) -> bool {
        match (&self.config, config) {
            (Some(known), Some(config)) => Arc::ptr_eq(known, config),
            (None, None) => true,
            _ => false,
        }
    }

    fn book(&self) -> Book {
        let rows = self.rows.iter().map(|(name, row)| (name.clone(), row.kept.clone()));
        Book { schedules: rows.collect() }
    }

    /// What an earlier process kept is known at last. Schedules go on with it, but for those that have begun a run since.
    fn hear_of(&mut self, mut earlier: Book, now: Timestamp) {
        for (name, row) in &self.rows {
            if row.kept.last.is_some() {
                earlier.schedules.swap_remove(name);
            }
        }
        (self.earlier, self.unread) = (earlier, false);
        let config = self.config.clone();
        self.take_over(config.as_ref(), now);
        self.rows.values_mut().for_each(|row| row.changed = true);
    }

    /// Takes the schedules of `config`; those that were there before go on as they stand.
    fn take_over(&mut self, config: Option<&Arc<CronConfig>>, now: Timestamp) {
        let mut book = self.book();
        self.config = config.cloned();
        if config.is_some() {
            book.schedules.extend(std::mem::take(&mut self.earlier).schedules);
        }
        let before: Vec<String> = self.rows.keys().cloned().collect();
        for schedule in config.iter().flat_map(|config| &config.schedules) {
            let Some((kept, since)) = self.away.shift_remove(&schedule.name) else { continue };
            let goes_on = now.duration_since(since) <= AWAY;
            // Else what was due meanwhile was not meant to run; a run that goes on still counts.
            let kept = if goes_on {
                kept
            } else {
                Kept { until: now, queued: VecDeque::new(), held_since: None, ..kept }
            };
            book.schedules.insert(schedule.name.clone(), kept);
        }
        self.rows = config.map(|config| rows(config, book.clone(), now)).unwrap_or_default();
        for name in before.into_iter().filter(|name| !self.rows.contains_key(name)) {
            self.away.extend(book.schedules.swap_remove(&name).map(|kept| (name, (kept, now))));
        }
        self.away.retain(|_, (_, since)| now.duration_since(*since) <= REMEMBERED);
        let many = self.away.len().saturating_sub(MOST_REMEMBERED);
        self.away.drain(..many);
    }

    /// Notes how the last runs ended.
    fn note_ends(&mut self, tasks: &Engine) {
        for row in self.rows.values_mut() {
            let Some(last) = row.kept.last.as_mut().filter(|last| last.status.is_none()) else { continue };
            let Some(task) = last.task_id.as_ref().and_then(|id| tasks.summary(id)) else { continue };
            if !task.status.is_final() {
                continue;
            }
            (last.status, last.error) = (Some(task.status), task.error.clone());
            last.duration_ms = status::duration_ms(&task);
            row.changed = true;
            if task.status == Status::Failed {
                let name = &row.schedule.name;
                tracing::warn!(schedule = name, task.id = %task.task_id, error = task.error, "a scheduled run failed");
            }
        }
    }

    fn look(&mut self, now: Timestamp, tasks: &Engine) -> Vec<Due> {
        let mut due = Vec::new();
        for row in self.rows.values_mut() {
            let busy = row.is_busy(tasks);
            let moments = row.look(now, busy);
            due.extend(moments.into_iter().map(|moment| Due { schedule: row.schedule.clone(), moment }));
        }
        due
    }
}

impl Row {
    /// Whether the last run goes on. One that waits for a person does not: it holds nobody.
    fn is_busy(&self, tasks: &Engine) -> bool {
        let id = self
            .kept
            .last
            .as_ref()
            .filter(|last| last.status.is_none())
            .and_then(|last| last.task_id.as_ref());
        id.and_then(|id| tasks.summary(id)).is_some_and(|task| !task.status.is_settled())
    }
}

fn rows(config: &CronConfig, mut book: Book, now: Timestamp) -> IndexMap<String, Row> {
    let schedules = config.schedules.iter().filter_map(|schedule| {
        let kept = book.schedules.swap_remove(&schedule.name);
        let row = Row::new(schedule, config.timezone.as_deref(), kept, now)?;
        Some((schedule.name.clone(), row))
    });
    schedules.collect()
}

impl Crew {
    /// A run of `schedule` as a task to submit, see [`Crew::plan`].
    ///
    /// # Errors
    /// As [`Crew::plan`].
    pub async fn plan_scheduled(
        &self,
        schedule: &Schedule,
        trigger: Trigger,
        idempotency_key: Option<String>,
    ) -> Result<NewTask, Error> {
        let order = Order {
            kind: schedule.target.kind,
            target: schedule.target.name.clone(),
            args: schedule.args.clone(),
            model: schedule.model.clone(),
            trigger,
            caller: Some(format!("schedule {}", schedule.name)),
            idempotency_key,
        };
        let mut new = self.plan(order).await?;
        new.timeout_seconds = schedule.timeout.and_then(|timeout| timeout.as_secs().try_into().ok());
        new.priority = schedule.priority;
        Budget::from(schedule.budget).put(&mut new.options);
        if let Some(retry) = schedule.retry {
            OwnRetry::from(retry).put(&mut new.options);
        }
        let from = delivery::From::Schedule(schedule.name.clone());
        Wish::add(Wish::all(&from, &schedule.delivery), &mut new);
        Ok(new)
    }

    /// How the schedules stand as far as the files tell and, with `tasks`, how their last runs do.
    pub async fn schedules(&self, tasks: Option<&Engine>) -> ScheduleStatus {
        let definitions = self.definitions().await;
        let rows = self.rows(&definitions, clock::now()).await;
        let schedules: Vec<_> = rows.values().map(|row| row.status(tasks)).collect();
        ScheduleStatus {
            enabled: !schedules.is_empty(),
            running: None,
            schedules,
            unusable: unusable(&definitions),
        }
    }

    /// The next `count` moments of each schedule, or of the one called `name`.
    pub async fn upcoming(&self, name: Option<&str>, count: usize) -> Vec<(Schedule, Vec<Zoned>)> {
        let definitions = self.definitions().await;
        let now = clock::now();
        let rows = self.rows(&definitions, now).await;
        let wanted = rows.into_values().filter(|row| name.is_none_or(|name| name == row.schedule.name));
        wanted
            .map(|row| {
                let next = row.upcoming(now).take(count).collect();
                (row.schedule, next)
            })
            .collect()
    }

    async fn rows(&self, definitions: &Snapshot, now: Timestamp) -> IndexMap<String, Row> {
        let Some(config) = &definitions.cron else { return IndexMap::new() };
        let root = self.root().to_owned();
        let read = blocking(move || Book::read(&root)).await.unwrap_or_else(|| Ok(Book::default()));
        let book = read.unwrap_or_else(|error| {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "the state of the schedules cannot be read"
            );
            Book::default()
        });
        rows(config, book, now)
    }
}

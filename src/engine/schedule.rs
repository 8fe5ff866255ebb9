//! What the clock starts: the schedules of `cron.yaml`, each due moment submitted as one task.

use std::{collections::HashMap, sync::Arc, time::Duration};

use croner::Cron;
use indexmap::IndexMap;
use jiff::{SignedDuration, Timestamp, Zoned, tz::TimeZone};
use parking_lot::Mutex;
use serde::Serialize;

use super::{
    Crew, Order,
    delivery::{self, Wish},
};
use crate::{
    base::{Tracker, clock},
    defs::{CronConfig, Schedule, TargetKind, cron_expression},
    tasks::{Engine, Status, TaskId, Trigger},
};

/// The longest sleep: how soon a changed file or a clock that was set is noticed.
const NAP: Duration = Duration::from_secs(20);

/// A moment that is this long past is not made up for: the machine slept, or the clock was set.
const TOO_LATE: SignedDuration = SignedDuration::from_secs(90);

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
}

#[derive(Debug)]
struct Row {
    schedule: Schedule,
    cron: Cron,
    zone: TimeZone,
    next: Option<Zoned>,
    last: Option<Last>,
    missed: u64,
}

#[derive(Debug, Clone)]
struct Last {
    due: Timestamp,
    outcome: Result<TaskId, String>,
}

/// What `/cron/status` shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ScheduleStatus {
    /// Whether there is any schedule.
    pub enabled: bool,
    /// Whether they are being watched.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub running: Option<bool>,
    /// In the order of the file.
    pub schedules: Vec<RowStatus>,
}

/// One schedule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RowStatus {
    name: String,
    cron: String,
    target_type: TargetKind,
    target_name: String,
    enabled: bool,
    timezone: Option<String>,
    next_run: Option<String>,
    last_run: Option<String>,
    last_status: Option<Status>,
    last_task_id: Option<TaskId>,
    last_error: Option<String>,
    missed: u64,
}

impl ScheduleStatus {
    /// There is no scheduler.
    pub fn off() -> Self {
        Self { enabled: false, running: None, schedules: Vec::new() }
    }
}

impl Scheduler {
    /// Reads the schedules and starts watching the clock in the background, until `tracker` stops.
    pub async fn start(crew: Arc<Crew>, tasks: Engine, tracker: &Tracker) -> Arc<Self> {
        let definitions = crew.definitions().await;
        let scheduler = Arc::new(Self { crew, tasks, state: Mutex::default() });
        scheduler.state.lock().take_over(definitions.cron.as_ref(), clock::now(), &scheduler.tasks);
        let (watching, stop) = (Arc::clone(&scheduler), tracker.stopping().clone());
        tracker.spawn(async move {
            tokio::select! {
                () = watching.watch() => {}
                () = stop.cancelled() => {}
            }
        });
        scheduler
    }

    async fn watch(&self) {
        loop {
            let definitions = self.crew.definitions().await;
            for (schedule, due) in self.due(definitions.cron.as_ref(), clock::now()) {
                let outcome = self.submit(&schedule, due).await;
                if let Err(error) = &outcome {
                    tracing::error!(schedule = schedule.name, error, "a schedule could not be started");
                }
                if let Some(row) = self.state.lock().rows.get_mut(&schedule.name) {
                    row.last = Some(Last { due, outcome });
                }
            }
            tokio::time::sleep(self.nap(clock::now())).await;
        }
    }

    /// Takes over a changed file, and gives what has come due by `now`.
    fn due(&self, config: Option<&Arc<CronConfig>>, now: Timestamp) -> Vec<(Schedule, Timestamp)> {
        let mut state = self.state.lock();
        let same = match (&state.config, config) {
            (Some(known), Some(config)) => Arc::ptr_eq(known, config),
            (None, None) => true,
            _ => false,
        };
        if !same {
            state.take_over(config, now, &self.tasks);
        }
        let mut due = Vec::new();
        for row in state.rows.values_mut() {
            let Some(moment) = row.next.as_ref().map(Zoned::timestamp).filter(|moment| *moment <= now) else {
                continue;
            };
            row.next = row.after(now);
            if now.duration_since(moment) > TOO_LATE {
                row.missed += 1;
                tracing::warn!(schedule = row.schedule.name, due = %moment, "missed; it waits for its next turn");
            } else {
                due.push((row.schedule.clone(), moment));
            }
        }
        due
    }

    async fn submit(&self, schedule: &Schedule, due: Timestamp) -> Result<TaskId, String> {
        let order = Order {
            kind: schedule.target.kind,
            target: schedule.target.name.clone(),
            args: schedule.args.clone(),
            model: None,
            trigger: Trigger::CRON,
            caller: None,
            // A second process, or a restart within the minute, starts the same moment only once.
            idempotency_key: Some(key(&schedule.name, due)),
        };
        let mut new = self.crew.plan(order).await.map_err(|error| error.to_string())?;
        let from = delivery::From::Schedule(schedule.name.clone());
        Wish::add(Wish::all(&from, &schedule.delivery), &mut new);
        let submitted = self.tasks.submit(new).await.map_err(|error| error.to_string())?;
        tracing::info!(schedule = schedule.name, task.id = %submitted.id, "schedule started");
        Ok(submitted.id)
    }

    fn nap(&self, now: Timestamp) -> Duration {
        let state = self.state.lock();
        let until = |row: &Row| {
            let wait = row.next.as_ref()?.timestamp().duration_since(now);
            Some(Duration::try_from(wait).unwrap_or_default())
        };
        state.rows.values().filter_map(until).min().unwrap_or(NAP).min(NAP)
    }

    /// All schedules, when they run next and how they ran last.
    pub fn status(&self) -> ScheduleStatus {
        let state = self.state.lock();
        let schedules: Vec<_> = state.rows.values().map(|row| row.status(&self.tasks)).collect();
        ScheduleStatus { enabled: !schedules.is_empty(), running: Some(!schedules.is_empty()), schedules }
    }
}

fn key(name: &str, due: Timestamp) -> String {
    format!("cron:{name}:{due}")
}

impl State {
    fn take_over(&mut self, config: Option<&Arc<CronConfig>>, now: Timestamp, tasks: &Engine) {
        let mut known = std::mem::take(&mut self.rows);
        let mut earlier = HashMap::new();
        if known.is_empty() {
            earlier = started_before(tasks);
        }
        self.config = config.cloned();
        let schedules = config.into_iter().flat_map(|config| &config.schedules);
        self.rows = schedules
            .filter_map(|schedule| {
                let mut row = Row::new(schedule, config?.timezone.as_deref())?;
                row.last = earlier.remove(&schedule.name);
                if let Some(before) = known.swap_remove(&schedule.name) {
                    (row.last, row.missed) = (before.last, before.missed);
                }
                row.next = row.after(now);
                Some((schedule.name.clone(), row))
            })
            .collect();
    }
}

/// The last start of each schedule that is still among the tasks.
fn started_before(tasks: &Engine) -> HashMap<String, Last> {
    let mut last = HashMap::new();
    for task in tasks.list(&crate::tasks::Filter::default()) {
        let named = task.idempotency_key.as_deref().and_then(|key| key.strip_prefix("cron:"));
        let Some((name, due)) = named.and_then(|rest| rest.split_once(':')) else { continue };
        if let Ok(due) = due.parse() {
            last.entry(name.to_owned()).or_insert(Last { due, outcome: Ok(task.task_id.clone()) });
        }
    }
    last
}

impl Row {
    fn new(schedule: &Schedule, timezone: Option<&str>) -> Option<Self> {
        let zone = match schedule.timezone.as_deref().or(timezone) {
            Some(name) => TimeZone::get(name).ok()?,
            None => TimeZone::system(),
        };
        let cron = cron_expression(&schedule.cron).ok()?;
        Some(Self { schedule: schedule.clone(), cron, zone, next: None, last: None, missed: 0 })
    }

    /// The first moment after `now` that it is due.
    fn after(&self, now: Timestamp) -> Option<Zoned> {
        let enabled = self.schedule.enabled;
        enabled
            .then(|| self.cron.find_next_occurrence(&now.to_zoned(self.zone.clone()), false).ok())
            .flatten()
    }

    fn status(&self, tasks: &Engine) -> RowStatus {
        let show = |moment: &Zoned| moment.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string();
        let last = self.last.as_ref();
        let id = last.and_then(|last| last.outcome.as_ref().ok());
        let error = last.and_then(|last| last.outcome.as_ref().err());
        let task = id.and_then(|id| tasks.get(id));
        RowStatus {
            name: self.schedule.name.clone(),
            cron: self.schedule.cron.clone(),
            target_type: self.schedule.target.kind,
            target_name: self.schedule.target.name.clone(),
            enabled: self.schedule.enabled,
            timezone: self.zone.iana_name().map(str::to_owned),
            next_run: self.next.as_ref().map(show),
            last_run: last.map(|last| show(&last.due.to_zoned(self.zone.clone()))),
            last_status: task.as_ref().map(|task| task.status).or(error.map(|_| Status::Failed)),
            last_task_id: id.cloned(),
            last_error: task.and_then(|task| task.error.clone()).or_else(|| error.cloned()),
            missed: self.missed,
        }
    }
}

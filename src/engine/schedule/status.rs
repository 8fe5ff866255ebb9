//! How the schedules stand, as `/cron/status`, the tools and the command line show it.

use jiff::Zoned;
use schemars::JsonSchema;
use serde::Serialize;

use super::row::Row;
use crate::{
    defs::{Misfire, Overlap, TargetKind},
    engine::Args,
    tasks::{Engine, Status, Summary, TaskId},
};

/// How all schedules stand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ScheduleStatus {
    /// Whether there is any schedule.
    pub enabled: bool,
    /// Whether a process watches the clock for them; absent when nobody who would know was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub running: Option<bool>,
    /// In the order of the files.
    pub schedules: Vec<RowStatus>,
    /// Which of the files cannot be used as they are now.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unusable: Vec<String>,
}

/// How one schedule stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct RowStatus {
    /// Its name.
    pub name: String,
    /// Its expression, as written.
    pub cron: String,
    /// What it starts.
    pub target_type: TargetKind,
    /// The name of that.
    pub target_name: String,
    /// Values for that.
    #[serde(skip_serializing_if = "Args::is_empty")]
    pub args: Args,
    /// Whether it runs at all.
    pub enabled: bool,
    /// Whether it was added while the server ran, so that `remove_schedule` may remove it.
    pub added: bool,
    /// The time zone of its fields; absent when it is that of the machine.
    pub timezone: Option<String>,
    /// What becomes of moments that nobody saw to.
    pub misfire: Misfire,
    /// What becomes of a moment that comes while the run before goes on.
    pub overlap: Overlap,
    /// The next moment, in its time zone.
    pub next_run: Option<String>,
    /// The moment of the last run.
    pub last_run: Option<String>,
    /// How the last run stands or ended.
    pub last_status: Option<Status>,
    /// How long the last run took.
    pub last_duration_ms: Option<u64>,
    /// The task of the last run.
    pub last_task_id: Option<TaskId>,
    /// Why the last run failed, or could not begin.
    pub last_error: Option<String>,
    /// Whether the last run goes on.
    pub running: bool,
    /// How many moments wait for the run before them.
    pub queued: usize,
    /// How many moments went by without a run.
    pub missed: u64,
    /// The same under the name that the predecessor gave it.
    pub missed_count: u64,
}

impl ScheduleStatus {
    /// There is no scheduler.
    pub fn off() -> Self {
        Self { enabled: false, running: None, schedules: Vec::new(), unusable: Vec::new() }
    }
}

impl Row {
    /// How it stands; with `tasks`, how the last run stands too.
    pub(super) fn status(&self, tasks: Option<&Engine>) -> RowStatus {
        let last = self.kept.last.as_ref();
        let task = last.and_then(|last| tasks?.summary(last.task_id.as_ref()?));
        let task = task.as_deref();
        let kept = |last: &super::kept::Last| last.status;
        let schedule = &self.schedule;
        RowStatus {
            name: schedule.name.clone(),
            cron: schedule.cron.clone(),
            target_type: schedule.target.kind,
            target_name: schedule.target.name.clone(),
            args: schedule.args.clone(),
            enabled: schedule.enabled,
            added: schedule.added,
            timezone: self.zone.iana_name().map(str::to_owned),
            misfire: schedule.misfire,
            overlap: schedule.overlap,
            next_run: self.next().as_ref().map(shown),
            last_run: last.map(|last| shown(&last.due.to_zoned(self.zone.clone()))),
            last_status: task.map(|task| task.status).or_else(|| last.and_then(kept)),
            last_duration_ms: task.and_then(duration_ms).or_else(|| last.and_then(|last| last.duration_ms)),
            last_task_id: last.and_then(|last| last.task_id.clone()),
            last_error: task
                .and_then(|task| task.error.clone())
                .or_else(|| last.and_then(|last| last.error.clone())),
            running: task.is_some_and(|task| !task.status.is_settled()),
            queued: self.kept.queued.len(),
            missed: self.kept.missed,
            missed_count: self.kept.missed,
        }
    }
}

/// A moment with its distance from UTC, without a fraction.
pub fn shown(moment: &Zoned) -> String {
    moment.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()
}

/// How long a task took that has ended.
pub(super) fn duration_ms(task: &Summary) -> Option<u64> {
    let took = task.completed_at?.duration_since(task.started_at?).as_millis();
    u64::try_from(took).ok()
}

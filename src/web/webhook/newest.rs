//! Of deliveries about the same pull request, issue or branch the newest counts: what an older one started and is not done
//! is stopped, and an older one that comes late starts nothing.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::subject::Subject;
use crate::{
    defs::Route,
    tasks::{self, Engine, Filter, Task, TaskId},
};

/// The option of a task that tells what delivery it is of.
const OPTION: &str = "newest";

/// What a delivery is about, what it starts, and of when it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Newest {
    /// Deliveries that share it take the place of each other.
    about: String,
    at: Option<jiff::Timestamp>,
}

impl Newest {
    /// For a delivery to `route`; `None` when it is about nothing that there could be a newer one about.
    pub(super) fn of(route: &Route, payload: &Value) -> Option<Self> {
        let subject = Subject::of(payload)?;
        let about = format!("{} {} {}", subject.about, route.target.kind, route.target.name);
        Some(Self { about, at: subject.at })
    }

    fn of_task(task: &Task) -> Option<Self> {
        Self::deserialize(task.options.get(OPTION)?).ok()
    }

    /// Writes it down with a task.
    pub(super) fn mark(&self, options: &mut Map<String, Value>) {
        options.insert(OPTION.to_owned(), serde_json::to_value(self).expect("it is plain data"));
    }

    /// A task of a newer delivery. One that does not tell of when it is counts as of now.
    pub(super) fn newer(&self, tasks: &Engine) -> Option<TaskId> {
        let at = self.at?;
        let mut all = tasks.list(&Filter::default()).into_iter();
        let is_newer = |task: &Task| {
            Self::of_task(task)
                .is_some_and(|other| other.about == self.about && other.at.is_some_and(|other| other > at))
        };
        all.find(|task| is_newer(task)).map(|task| task.task_id.clone())
    }

    /// Stops everything about the same that is not done, but for the task `id`.
    pub(super) async fn supersede(&self, tasks: &Engine, id: &TaskId) {
        for task in tasks.list(&Filter::default()) {
            if task.task_id == *id || task.status.is_final() {
                continue;
            }
            if Self::of_task(&task).is_some_and(|other| other.about == self.about) {
                stop(tasks, &task.task_id, id).await;
            }
        }
    }
}

/// Stops what a crash kept from being stopped: of tasks about the same that are not done, all but the newest.
pub async fn settle(tasks: &Engine) {
    let mut newest: HashMap<String, TaskId> = HashMap::new();
    // The newest comes first.
    for task in tasks.list(&Filter::default()) {
        let Some(this) = Newest::of_task(&task).filter(|_| !task.status.is_final()) else { continue };
        match newest.get(&this.about) {
            Some(id) => stop(tasks, &task.task_id, id).await,
            None => drop(newest.insert(this.about, task.task_id.clone())),
        }
    }
}

async fn stop(tasks: &Engine, older: &TaskId, newer: &TaskId) {
    match tasks.cancel(older).await {
        Ok(_) => tracing::info!(task.id = %older, by = %newer, "superseded by a newer delivery"),
        // It ended by itself just now.
        Err(tasks::Error::Final { .. }) => {}
        Err(error) => tracing::warn!(task.id = %older, %error, "an older delivery could not be stopped"),
    }
}

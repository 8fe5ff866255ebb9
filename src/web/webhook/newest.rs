//! Of deliveries about the same pull request, issue or branch the newest counts: what an older one started and is not done
//! is stopped, and an older one that comes late starts nothing.

use std::{collections::HashMap, sync::Arc};

use futures_util::future::join_all;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;

use super::subject::Subject;
use crate::{
    base::Tracker,
    defs::Route,
    tasks::{self, Engine, Summary, TaskId},
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

    fn of_task(task: &Summary) -> Option<Self> {
        Self::deserialize(task.option(OPTION)?).ok()
    }

    /// Writes it down with a task.
    pub(super) fn mark(&self, options: &mut Map<String, Value>) {
        options.insert(OPTION.to_owned(), serde_json::to_value(self).expect("it is plain data"));
    }

    /// A task of a newer delivery. One that does not tell of when it is counts as of now.
    pub(super) fn newer(&self, tasks: &Engine) -> Option<TaskId> {
        let at = self.at?;
        let is_newer = |task: &Summary| {
            Self::of_task(task)
                .is_some_and(|other| other.about == self.about && other.at.is_some_and(|other| other > at))
        };
        tasks.page(None, 1, is_newer).first().map(|task| task.task_id.clone())
    }

    /// Has everything about the same stopped that is not done, but for the task `id`. What that is, is settled once this
    /// returns; nobody waits until it has ended.
    pub(super) fn supersede(&self, tasks: &Engine, tracker: &Tracker, id: &TaskId) {
        let is_older = |task: &Arc<Summary>| {
            task.task_id != *id && Self::of_task(task).is_some_and(|other| other.about == self.about)
        };
        let older: Vec<_> = tasks.unfinished().into_iter().filter(is_older).collect();
        tracker.spawn(stop_all(tasks.clone(), older, id.clone(), tracker.stopping().clone()));
    }
}

/// Stops what a crash kept from being stopped: of tasks about the same that are not done, all but the newest.
pub async fn settle(tasks: &Engine) {
    let mut newest: HashMap<String, TaskId> = HashMap::new();
    // The newest comes first.
    for task in tasks.unfinished() {
        let Some(this) = Newest::of_task(&task) else { continue };
        match newest.get(&this.about) {
            Some(id) => stop(tasks, &task.task_id, id).await,
            None => drop(newest.insert(this.about, task.task_id.clone())),
        }
    }
}

/// Waits for them, but not for longer than the program lives: all were told, and the next start sees to the rest.
async fn stop_all(tasks: Engine, older: Vec<Arc<Summary>>, newer: TaskId, stopping: CancellationToken) {
    tokio::select! {
        biased;
        _ = join_all(older.iter().map(|task| stop(&tasks, &task.task_id, &newer))) => {}
        () = stopping.cancelled() => {}
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

#[cfg(test)]
mod tests {
    use futures_util::future::{BoxFuture, pending};
    use serde_json::json;

    use super::*;
    use crate::tasks::{Body, Failure, Kind, NewTask, Options, Status, Steps, Task, Trigger};

    const KIND: Kind = Kind::new("employee.run");

    struct Never;

    impl Body for Never {
        fn run(&self, _: Arc<Task>, _: Steps) -> BoxFuture<'static, Result<Value, Failure>> {
            Box::pin(pending())
        }
    }

    async fn submit(tasks: &Engine, about: &str, at: Option<&str>) -> TaskId {
        let newest = Newest { about: about.to_owned(), at: at.map(|at| at.parse().unwrap()) };
        let mut options = Map::new();
        newest.mark(&mut options);
        let new = NewTask { options, trigger: Trigger::GITHUB, ..NewTask::new(KIND, "x") };
        tasks.submit(new).await.unwrap().id
    }

    #[tokio::test]
    async fn what_a_crash_kept_from_being_stopped_is_stopped() {
        let options = Options { workers: 1, ..Options::default() };
        let bodies = [(KIND, Arc::new(Never) as Arc<dyn Body>)];
        let tasks = Engine::open(options, bodies, Tracker::new()).await.unwrap();
        let mut ids = Vec::new();
        for about in ["a", "b", "a", "a"] {
            ids.push(submit(&tasks, about, None).await);
        }
        settle(&tasks).await;
        let cancelled: Vec<_> =
            ids.iter().map(|id| tasks.summary(id).unwrap().status == Status::Cancelled).collect();
        assert_eq!(cancelled, [true, false, true, false]);
    }

    #[tokio::test]
    async fn what_comes_late_is_known_by_its_time() {
        let options = Options { workers: 0, ..Options::default() };
        let tasks =
            Engine::open(options, [(KIND, Arc::new(Never) as Arc<dyn Body>)], Tracker::new()).await.unwrap();
        let there = submit(&tasks, "a", Some("2026-11-25T09:00:00Z")).await;
        let newer = |about: &str, at: Value| {
            let newest: Newest = serde_json::from_value(json!({"about": about, "at": at})).unwrap();
            newest.newer(&tasks)
        };
        assert_eq!(newer("a", json!("2026-11-25T08:59:59Z")), Some(there));
        // GitHub counts in seconds: what comes later in the same one is taken for newer.
        assert_eq!(newer("a", json!("2026-11-25T09:00:00Z")), None);
        assert_eq!(newer("a", json!("2026-11-25T09:00:01Z")), None);
        assert_eq!(newer("a", Value::Null), None);
        assert_eq!(newer("b", json!("2026-11-25T08:00:00Z")), None);
    }
}

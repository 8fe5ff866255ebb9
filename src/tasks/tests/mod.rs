mod approvals;
mod crashes;
mod engine;
mod faults;
mod legacy;
mod months;
mod nested;
mod replicas;
mod resume;
mod retries;

use std::{
    collections::HashMap,
    future::Future,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use futures_util::{FutureExt as _, future::BoxFuture};
use indexmap::IndexMap;
use serde_json::{Map, Value, json};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::base::{Priority, Tracker};

pub(super) const EMPLOYEE: Kind = Kind::new("employee.run");
pub(super) const PIPELINE: Kind = Kind::new("pipeline.run");

type Bodies = Vec<(Kind, Arc<dyn Body>)>;

/// A body made of a closure.
struct Does<F>(F);

impl<F, Fut> Body for Does<F>
where
    F: Fn(Arc<Task>, Steps) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Value, Failure>> + Send + 'static,
{
    fn run(&self, task: Arc<Task>, steps: Steps) -> BoxFuture<'static, Result<Value, Failure>> {
        Box::pin((self.0)(task, steps))
    }
}

fn does<F, Fut>(kind: Kind, work: F) -> (Kind, Arc<dyn Body>)
where
    F: Fn(Arc<Task>, Steps) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Value, Failure>> + Send + 'static,
{
    (kind, Arc::new(Does(work)))
}

/// Answers at once with the name of its target.
fn echo() -> Bodies {
    vec![does(EMPLOYEE, |task, _| async move { Ok(json!(task.target_name)) })]
}

/// Three steps; the second waits for `gate`. Counts how often each was begun.
fn three_steps(gate: &Arc<Semaphore>, begun: &Arc<[AtomicUsize; 3]>) -> Bodies {
    let (gate, begun) = (Arc::clone(gate), Arc::clone(begun));
    vec![does(PIPELINE, move |_, steps: Steps| {
        let (gate, begun) = (Arc::clone(&gate), Arc::clone(&begun));
        async move {
            for (index, name) in ["one", "two\u{2028}", "three"].into_iter().enumerate() {
                let (gate, begun) = (&gate, &begun);
                steps
                    .run(name, || async move {
                        begun[index].fetch_add(1, SeqCst);
                        if index == 1 {
                            gate.acquire().await.unwrap().forget();
                        }
                        Ok(format!("{name}\u{2028}done"))
                    })
                    .await?;
            }
            Ok(json!(steps.finished().iter().map(|step| step.output.clone()).collect::<Vec<_>>()))
        }
    })]
}

fn new(kind: Kind, target: &str) -> NewTask {
    NewTask {
        args: IndexMap::from([("目标".to_owned(), "代码\u{2028}审查".to_owned())]),
        ..NewTask::new(kind, target)
    }
}

fn keyed(target: &str, key: &str) -> NewTask {
    NewTask { idempotency_key: Some(key.to_owned()), ..new(EMPLOYEE, target) }
}

/// All tasks of a journal, the newest first, each with all there is of it.
fn history(path: &Path) -> Result<Vec<Task>, Error> {
    let history = History::read(path)?;
    let task = |summary: Arc<Summary>| history.task(&summary.task_id).map(Option::unwrap);
    history.summaries().into_iter().map(task).collect()
}

fn retain(count: usize) -> table::Retain {
    table::Retain { count, age: None, owed: 0, by: None }
}

fn options(journal: &Path) -> Options {
    Options { journal: Some(journal.to_owned()), workers: 2, ..Options::default() }
}

async fn open(options: Options, bodies: Bodies) -> (Engine, Tracker) {
    let tracker = Tracker::new();
    let engine = Engine::open(options, bodies, tracker.clone()).await.unwrap();
    (engine, tracker)
}

/// A folder in memory where the system has one: thousands of syncs to a busy disk would take minutes.
fn memory_folder() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

/// Ends an engine in good order.
async fn close(engine: Engine, tracker: Tracker) {
    tracker.stop();
    tracker.wait().await;
    drop(engine);
}

/// Waits until `task` is as `wanted`, for a minute at most.
async fn until(engine: &Engine, id: &TaskId, wanted: impl FnMut(&Arc<Task>) -> bool) -> Arc<Task> {
    let mut watch = engine.watch(id).await.unwrap();
    let seen = tokio::time::timeout(Duration::from_mins(1), watch.wait_for(wanted)).await;
    seen.expect("it happens").unwrap().clone()
}

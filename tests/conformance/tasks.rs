//! A board of tasks in memory, for the tools that go on after they were answered.

use std::{collections::HashMap, future::Future, sync::Arc, time::Duration};

use crew::{
    base::{Tracker, clock},
    protocol::{
        Context, Error, TaskHost,
        task::{InputRequests, InputResponses, State, Task},
        tool::{ToolOutcome, ToolResult},
    },
};
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// How long a task is kept; the suite waits for none of them so long.
const TTL: Duration = Duration::from_mins(5);
const POLL: Duration = Duration::from_millis(200);

/// All tasks there are.
#[derive(Default)]
pub(crate) struct Board {
    tasks: Mutex<HashMap<String, Arc<Work>>>,
    tracker: Tracker,
}

/// A task, seen by the work that is done in it.
pub(crate) struct Work {
    id: String,
    created_at: Timestamp,
    stage: Mutex<(Stage, Timestamp)>,
    answered: Notify,
    cancelled: CancellationToken,
}

enum Stage {
    Working,
    Waiting { open: InputRequests, given: InputResponses },
    Done { text: String, is_error: bool },
    Failed(Error),
    Cancelled,
}

/// What a task came to: a text, and whether it tells of a failure.
pub(crate) type End = Result<(String, bool), Error>;

impl Board {
    /// Begins a task that does `work`.
    pub(crate) fn begin<F>(&self, work: impl FnOnce(Arc<Work>) -> F) -> ToolOutcome
    where
        F: Future<Output = End> + Send + 'static,
    {
        let now = clock::now();
        let task = Arc::new(Work {
            id: uuid::Uuid::now_v7().to_string(),
            created_at: now,
            stage: Mutex::new((Stage::Working, now)),
            answered: Notify::new(),
            cancelled: CancellationToken::new(),
        });
        self.tasks.lock().insert(task.id.clone(), Arc::clone(&task));
        let run = work(Arc::clone(&task));
        let begun = task.shown();
        self.tracker.spawn(async move {
            let end = tokio::select! {
                () = task.cancelled.cancelled() => Stage::Cancelled,
                end = run => match end {
                    Ok((text, is_error)) => Stage::Done { text, is_error },
                    Err(error) => Stage::Failed(error),
                },
            };
            task.set(end);
        });
        ToolOutcome::Task(begun)
    }

    fn find(&self, id: &str) -> Result<Arc<Work>, Error> {
        self.tasks.lock().get(id).cloned().ok_or_else(Error::task_not_found)
    }
}

impl Work {
    /// Asks the client, and waits until all was answered.
    pub(crate) async fn ask(&self, open: InputRequests) -> InputResponses {
        self.set(Stage::Waiting { open, given: InputResponses::new() });
        loop {
            let answered = self.answered.notified();
            if let Some(given) = self.given() {
                self.set(Stage::Working);
                return given;
            }
            answered.await;
        }
    }

    fn given(&self) -> Option<InputResponses> {
        match &self.stage.lock().0 {
            Stage::Waiting { open, given } if open.is_empty() => Some(given.clone()),
            _ => None,
        }
    }

    fn set(&self, stage: Stage) {
        *self.stage.lock() = (stage, clock::now());
    }

    fn shown(&self) -> Task {
        let stage = self.stage.lock();
        let state = match &stage.0 {
            Stage::Working => State::Working,
            Stage::Waiting { open, .. } if open.is_empty() => State::Working,
            Stage::Waiting { open, .. } => State::InputRequired(open.clone()),
            Stage::Done { text, is_error: true } => State::Completed(ToolResult::error(text.as_str())),
            Stage::Done { text, is_error: false } => State::Completed(ToolResult::text(text.as_str())),
            Stage::Failed(error) => State::Failed(error.clone()),
            Stage::Cancelled => State::Cancelled,
        };
        Task {
            id: self.id.clone(),
            created_at: self.created_at,
            updated_at: stage.1,
            ttl: Some(TTL),
            poll_interval: Some(POLL),
            message: None,
            state,
        }
    }
}

impl TaskHost for Board {
    fn get<'a>(&'a self, id: &'a str, _: &'a Context) -> BoxFuture<'a, Result<Task, Error>> {
        Box::pin(async move { Ok(self.find(id)?.shown()) })
    }

    fn update<'a>(
        &'a self,
        id: &'a str,
        responses: InputResponses,
        _: &'a Context,
    ) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async move {
            let task = self.find(id)?;
            if let (Stage::Waiting { open, given }, updated) = &mut *task.stage.lock() {
                for (key, response) in responses {
                    if open.shift_remove(&key).is_some() {
                        given.insert(key, response);
                        *updated = clock::now();
                    }
                }
            }
            task.answered.notify_waiters();
            Ok(())
        })
    }

    fn cancel<'a>(&'a self, id: &'a str, _: &'a Context) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async move {
            self.find(id)?.cancelled.cancel();
            Ok(())
        })
    }
}

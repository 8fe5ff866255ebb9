//! What the tools work with: a crew, and the tasks it is given.

use std::{sync::Arc, time::Duration};

use tokio::sync::watch;

use super::{Ctx, Error, Progress};
use crate::{
    engine::{self, Crew},
    llm,
    tasks::{self, Engine, NewTask, Status, Task, TaskId},
};

/// A crew and the tasks it is given. Clones share both.
#[derive(Debug, Clone)]
pub struct Office {
    /// Who is there and how they work.
    pub crew: Arc<Crew>,
    /// What they have been given to do.
    pub tasks: Engine,
}

impl Office {
    /// Submits `new` and stays with it until it ends, reporting each finished step; a caller that goes away cancels it.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when it cannot be accepted, [`Error::Failed`] when it was cancelled or failed.
    pub(super) async fn see_through(&self, ctx: &Ctx, new: NewTask, total: usize) -> Result<Arc<Task>, Error> {
        let id = self.tasks.submit(new).await?.id;
        let total = u32::try_from(total).ok();
        if let Some(watch) = self.tasks.watch(&id) {
            tokio::select! {
                () = report(ctx, watch, total) => {}
                () = ctx.cancelled().cancelled() => {
                    self.tasks.cancel(&id).await?;
                }
            }
        }
        let task = self.tasks.wait(&id).await.ok_or_else(|| self.no_task(&id))?;
        match task.status {
            Status::Completed => Ok(task),
            Status::Cancelled => Err(Error::Failed(format!("task `{id}` was cancelled"))),
            _ => Err(Error::Failed(format!(
                "task `{id}` failed: {}",
                task.error.as_deref().unwrap_or("no reason was recorded")
            ))),
        }
    }

    /// A task by its id, as it was given by a caller.
    ///
    /// # Errors
    /// [`Error::Arguments`] when `id` cannot be one, [`Error::NotFound`] when there is no such task.
    pub fn task(&self, id: &str) -> Result<Arc<Task>, Error> {
        let id: TaskId = id.parse().map_err(|error: tasks::NotATaskId| Error::Arguments(error.to_string()))?;
        self.tasks.get(&id).ok_or_else(|| self.no_task(&id))
    }

    fn no_task(&self, id: &TaskId) -> Error {
        let hint = (!self.tasks.is_durable()).then(|| {
            "another process keeps the tasks of this project; ask it, for instance `GET /tasks/{id}` of its server"
                .to_owned()
        });
        Error::NotFound { what: "task", name: id.to_string(), hint }
    }
}

/// What the body of the task left as its result.
pub(super) fn result<T: serde::de::DeserializeOwned>(task: &Task) -> Result<T, Error> {
    let value = task.result.clone().unwrap_or_default();
    serde_json::from_value(value).map_err(|error| Error::Failed(format!("result of task `{}`: {error}", task.task_id)))
}

/// Reports each finished step until the task has ended.
async fn report(ctx: &Ctx, mut changes: watch::Receiver<Arc<Task>>, total: Option<u32>) {
    let mut done = 0;
    loop {
        let task = Arc::clone(&changes.borrow_and_update());
        let finished = u32::try_from(task.steps.len()).unwrap_or(u32::MAX);
        if finished > done
            && let Some(step) = task.steps.last()
        {
            done = finished;
            ctx.report(Progress { done, total, message: format!("finished {}", step.step) });
        }
        if task.status.is_final() || changes.changed().await.is_err() {
            return;
        }
    }
}

impl From<engine::Error> for Error {
    fn from(error: engine::Error) -> Self {
        let near = |near: Option<String>| near.map(|near| format!("did you mean `{near}`?"));
        match error {
            engine::Error::UnknownEmployee { name, near: n } => {
                Self::NotFound { what: "employee", name, hint: near(n) }
            }
            engine::Error::UnknownPipeline { name, near: n } => {
                Self::NotFound { what: "pipeline", name, hint: near(n) }
            }
            engine::Error::MissingArguments { .. } | engine::Error::TooManyPositionals { .. } => {
                Self::Arguments(error.to_string())
            }
            engine::Error::Model(error) => error.into(),
            error => Self::Failed(error.to_string()),
        }
    }
}

impl From<llm::Error> for Error {
    fn from(error: llm::Error) -> Self {
        match error {
            llm::Error::UnknownModel { .. } => Self::Arguments(error.to_string()),
            llm::Error::MissingKey { .. } => Self::Unavailable { message: error.to_string(), retry_after: None },
            llm::Error::Status { retry_after, .. } if error.is_transient() => {
                Self::Unavailable { message: error.to_string(), retry_after }
            }
            error => Self::Failed(error.to_string()),
        }
    }
}

impl From<tasks::Error> for Error {
    fn from(error: tasks::Error) -> Self {
        let message = error.to_string();
        match error {
            tasks::Error::Full => Self::Unavailable { message, retry_after: Some(Duration::from_secs(1)) },
            tasks::Error::NotFound(id) => Self::NotFound { what: "task", name: id.to_string(), hint: None },
            _ => Self::Unavailable { message, retry_after: None },
        }
    }
}

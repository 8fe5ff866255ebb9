//! What the tools work with: a crew, and the tasks it is given.

use std::{
    fmt,
    sync::{Arc, Weak},
    time::Duration,
};

use futures_util::future::BoxFuture;
use tokio::sync::{Notify, OnceCell};

use super::{Acts, Ctx, Error, Inquiry, Progress, accept};
use crate::{
    defs::TargetKind,
    engine::{
        self, Crew, Order,
        delivery::{Outbox, Wish},
    },
    llm,
    tasks::{self, Engine, NewTask, Status, Task, TaskId, Trigger},
};

/// Most destinations that a caller may name.
const MOST_DESTINATIONS: usize = 20;

/// How the tasks of a project are opened.
pub type OpenTasks = Box<dyn Fn() -> BoxFuture<'static, Result<Opened, tasks::Error>> + Send + Sync>;

/// The tasks of a project, and where their results go.
#[derive(Debug)]
pub struct Opened {
    /// The tasks.
    pub tasks: Engine,
    /// Where results go; `None` where nothing is sent.
    pub outbox: Option<Outbox>,
}

impl From<Engine> for Opened {
    fn from(tasks: Engine) -> Self {
        Self { tasks, outbox: None }
    }
}

/// A crew and the tasks it is given. Clones share both.
#[derive(Clone)]
pub struct Office {
    /// Who is there and how they work.
    pub crew: Arc<Crew>,
    /// What was decided and changed, and by whom.
    pub acts: Acts,
    tasks: Arc<Lazy>,
}

/// An office that is not kept open by who knows of it.
pub(super) struct Distant {
    crew: Weak<Crew>,
    acts: Acts,
    tasks: Weak<Lazy>,
}

impl Distant {
    /// The office, while it is open.
    pub(super) fn reach(&self) -> Option<Office> {
        let acts = self.acts.clone();
        Some(Office { crew: self.crew.upgrade()?, acts, tasks: self.tasks.upgrade()? })
    }
}

struct Lazy {
    open: OpenTasks,
    engine: OnceCell<Opened>,
    opened: Notify,
}

impl Office {
    /// A crew whose tasks are opened by `open` when they are first needed: whoever only reads definitions leaves no
    /// trace on disk and waits for nothing.
    pub fn new(crew: Arc<Crew>, open: OpenTasks) -> Self {
        let tasks = Lazy { open, engine: OnceCell::new(), opened: Notify::new() };
        Self { acts: Acts::of(crew.root()), crew, tasks: Arc::new(tasks) }
    }

    /// The same, without keeping it open.
    pub(super) fn distant(&self) -> Distant {
        Distant {
            crew: Arc::downgrade(&self.crew),
            acts: self.acts.clone(),
            tasks: Arc::downgrade(&self.tasks),
        }
    }

    /// What the crew has been given to do.
    ///
    /// # Errors
    /// Why the tasks cannot be opened; the next call tries again.
    pub async fn tasks(&self) -> Result<&Engine, tasks::Error> {
        let opened = self.tasks.engine.get_or_try_init(|| (self.tasks.open)()).await?;
        self.tasks.opened.notify_waiters();
        Ok(&opened.tasks)
    }

    /// Where results go, once the tasks are open; `None` where nothing is sent.
    pub fn outbox(&self) -> Option<&Outbox> {
        self.tasks.engine.get()?.outbox.as_ref()
    }

    /// Leaves the servers that share the tasks, if somebody has opened those; see [`Engine::leave`].
    pub async fn leave(&self) {
        if let Some(opened) = self.tasks.engine.get() {
            opened.tasks.leave().await;
        }
    }

    /// The tasks once somebody has opened them; does not open them itself.
    pub async fn opened(&self) -> &Engine {
        loop {
            let opened = self.tasks.opened.notified();
            if let Some(opened) = self.tasks.engine.get() {
                return &opened.tasks;
            }
            opened.await;
        }
    }

    /// Submits `new` and stays with it until it ends, well or not, or waits for an approval; see [`Office::follow`].
    ///
    /// # Errors
    /// [`Error::Unavailable`] when it cannot be accepted.
    pub(super) async fn see_through(
        &self,
        ctx: &Ctx,
        new: NewTask,
        total: Option<usize>,
    ) -> Result<Arc<Task>, Error> {
        // Not from here: a caller that goes away takes this very future with it.
        let id = self.tasks().await?.submit_for(new, ctx.cancelled().clone()).await?.id;
        self.attend(ctx, &id, total).await
    }

    /// Stays with a task until it ends or waits for an approval, or the program ends, reporting each finished step; a caller
    /// that goes away cancels it.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is no such task.
    pub(super) async fn follow(
        &self,
        ctx: &Ctx,
        id: &TaskId,
        total: Option<usize>,
    ) -> Result<Arc<Task>, Error> {
        let tasks = self.tasks().await?;
        tasks.stop_for(id, ctx.cancelled().clone());
        self.attend(ctx, id, total).await
    }

    async fn attend(&self, ctx: &Ctx, id: &TaskId, total: Option<usize>) -> Result<Arc<Task>, Error> {
        let tasks = self.tasks().await?;
        let total = total.and_then(|total| u32::try_from(total).ok());
        let mut changes = tasks.watch(id).await.map_err(|error| no_task(tasks, error))?;
        let mut settled = std::pin::pin!(tasks.settled(id));
        let mut done = 0;
        let task = loop {
            let task = Arc::clone(&changes.borrow_and_update());
            report(ctx, &task, &mut done, total);
            tokio::select! {
                biased;
                settled = &mut settled => break settled.map_err(|error| no_task(tasks, error))?,
                Ok(()) = changes.changed() => {}
            }
        };
        report(ctx, &task, &mut done, total);
        Ok(task)
    }

    /// Submits `new`, once under the key of the call if that has one, and leaves it to itself.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when it cannot be accepted, [`Error::KeyReused`].
    pub(super) async fn submit(&self, ctx: &Ctx, mut new: NewTask) -> Result<Arc<Task>, Error> {
        if let Some(key) = ctx.key() {
            key.mark(&mut new);
        }
        let tasks = self.tasks().await?;
        let id = accept(tasks, new).await?.id;
        tasks.get(&id).await.map_err(|error| no_task(tasks, error))
    }

    /// Has the result of `new` go to these destinations, too. A caller only names what the project describes: whoever may
    /// start work could otherwise send what it gives anywhere.
    ///
    /// # Errors
    /// [`Error::Arguments`] when one is not there, or they are too many.
    pub(super) async fn deliver(&self, destinations: &[String], new: &mut NewTask) -> Result<(), Error> {
        if destinations.len() > MOST_DESTINATIONS {
            return Err(Error::Arguments(format!(
                "a result goes to at most {MOST_DESTINATIONS} destinations"
            )));
        }
        let definitions = self.crew.definitions().await;
        let wishes =
            Wish::named(destinations, &definitions).map_err(|error| Error::Arguments(error.to_string()))?;
        Wish::add(wishes, new);
        Ok(())
    }

    /// A task by its id, as it was given by a caller.
    ///
    /// # Errors
    /// [`Error::Arguments`] when `id` cannot be one, [`Error::NotFound`] when there is no such task.
    pub async fn task(&self, id: &str) -> Result<Arc<Task>, Error> {
        let id: TaskId =
            id.parse().map_err(|error: tasks::NotATaskId| Error::Arguments(error.to_string()))?;
        let tasks = self.tasks().await?;
        tasks.get(&id).await.map_err(|error| no_task(tasks, error))
    }
}

impl fmt::Debug for Office {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Office").field("crew", &self.crew).finish_non_exhaustive()
    }
}

fn no_task(tasks: &Engine, error: tasks::Error) -> Error {
    let tasks::Error::NotFound { id } = error else { return error.into() };
    let elsewhere = "another process keeps the tasks of this project; ask it, for instance `GET /tasks/{id}` of its server";
    let hint = (!tasks.is_durable()).then(|| elsewhere.to_owned());
    Error::NotFound { what: "task", name: id.to_string(), hint }
}

/// A run that the caller of a tool asks for.
pub(super) fn order(
    ctx: &Ctx,
    kind: TargetKind,
    target: String,
    args: engine::Args,
    model: Option<String>,
) -> Order {
    let caller = Some(ctx.caller().name().to_owned());
    Order { kind, target, args, model, trigger: Trigger::TOOL, caller, idempotency_key: None }
}

/// What the body of the task left as its result.
///
/// # Errors
/// [`Error::Failed`] when the task did not complete, and [`Error::Conflict`] when it has not ended yet.
pub(super) fn result<T: serde::de::DeserializeOwned>(task: &Task) -> Result<T, Error> {
    let id = &task.task_id;
    match task.status {
        Status::Completed => {}
        Status::Cancelled => return Err(Error::Failed(format!("task `{id}` was cancelled"))),
        Status::Failed => {
            let reason = task.error.as_deref().unwrap_or("no reason was recorded");
            return Err(Error::Failed(format!("task `{id}` failed: {reason}")));
        }
        Status::Pending | Status::Running | Status::AwaitingApproval => {
            return Err(Error::Conflict(format!("task `{id}` has not ended yet")));
        }
    }
    let value = task.result.clone().unwrap_or_default();
    serde_json::from_value(value)
        .map_err(|error| Error::Failed(format!("result of task `{}`: {error}", task.task_id)))
}

/// Reports the last finished step, if more than `done` are.
fn report(ctx: &Ctx, task: &Task, done: &mut u32, total: Option<u32>) {
    let steps = || task.steps.iter().filter(|step| !step.is_inner());
    let finished = u32::try_from(steps().count()).unwrap_or(u32::MAX);
    if finished > *done
        && let Some(step) = steps().next_back()
    {
        *done = finished;
        ctx.report(Progress { done: finished, total, message: format!("finished {}", step.step) });
    }
}

impl From<engine::Error> for Error {
    fn from(error: engine::Error) -> Self {
        match error {
            engine::Error::UnknownEmployee { name, hint } => Self::NotFound { what: "employee", name, hint },
            engine::Error::UnknownPipeline { name, hint } => Self::NotFound { what: "pipeline", name, hint },
            engine::Error::UnknownDiscussion { name, hint } => {
                Self::NotFound { what: "discussion", name, hint }
            }
            engine::Error::UnknownSession { id } => {
                Self::NotFound { what: "session", name: id, hint: Some("see `session list`".to_owned()) }
            }
            engine::Error::UnknownLog { id } => {
                Self::NotFound { what: "work log", name: id, hint: Some("see `log list`".to_owned()) }
            }
            engine::Error::MissingArguments { ref missing, .. } => {
                Self::NeedInput(Box::new(Inquiry::arguments(error.to_string(), missing)))
            }
            engine::Error::DefinitionChanged { .. } => Self::Conflict(error.to_string()),
            engine::Error::Discussion(_)
            | engine::Error::UnknownStep { .. }
            | engine::Error::StepArguments { .. }
            | engine::Error::TooManyPositionals { .. } => Self::Arguments(error.to_string()),
            engine::Error::Model(error) => error.into(),
            error => Self::Failed(error.to_string()),
        }
    }
}

impl From<engine::Refusal> for Error {
    fn from(refusal: engine::Refusal) -> Self {
        use engine::Refusal;
        // The cause is the answer of the disk, which whoever may write there may know.
        let message = match std::error::Error::source(&refusal) {
            Some(cause) => format!("{refusal}: {cause}"),
            None => refusal.to_string(),
        };
        match refusal {
            Refusal::Name(_) | Refusal::Unfit(_) | Refusal::Invalid(_) => Self::Arguments(message),
            Refusal::Link(_) | Refusal::Outside(_) => Self::Denied(message),
            Refusal::Exists(_) | Refusal::Theirs(_) | Refusal::Edited(_) => Self::Conflict(message),
            Refusal::Unreadable { .. } | Refusal::Unremovable { .. } | Refusal::Store(_) => {
                Self::Failed(message)
            }
        }
    }
}

impl From<llm::Error> for Error {
    fn from(error: llm::Error) -> Self {
        match error {
            llm::Error::UnknownModel { .. } => Self::Arguments(error.to_string()),
            llm::Error::MissingKey { .. } | llm::Error::InvalidKey { .. } | llm::Error::Address { .. } => {
                Self::Unavailable { message: error.to_string(), retry_after: None }
            }
            llm::Error::Status { .. } | llm::Error::Resting { .. } | llm::Error::Both { .. }
                if error.is_transient() =>
            {
                Self::Unavailable { message: error.to_string(), retry_after: error.retry_after() }
            }
            error => Self::Failed(error.to_string()),
        }
    }
}

impl From<tasks::Error> for Error {
    fn from(error: tasks::Error) -> Self {
        let message = error.to_string();
        match error {
            tasks::Error::Full { .. } => {
                Self::Unavailable { message, retry_after: Some(Duration::from_secs(1)) }
            }
            tasks::Error::NotFound { id } => {
                Self::NotFound { what: "task", name: id.to_string(), hint: None }
            }
            tasks::Error::Final { .. }
            | tasks::Error::NotResumable { .. }
            | tasks::Error::NotEnded { .. }
            | tasks::Error::UnknownKind { .. }
            | tasks::Error::Decided { .. }
            | tasks::Error::NotWaiting { .. }
            | tasks::Error::Ambiguous { .. } => Self::Conflict(message),
            tasks::Error::LongComment { .. } => Self::Arguments(message),
            _ => Self::Unavailable { message, retry_after: None },
        }
    }
}

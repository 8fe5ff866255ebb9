//! `knowlyr-crew task`, and what a command says of a task that came to rest.

mod again;
mod list;

use std::{fmt::Write as _, path::PathBuf};

pub(super) use again::{ResumeArgs, resume};
use clap::{Args, Subcommand};
pub(super) use list::checkpoints;
use serde_json::json;

use super::{
    args::{Form, Global},
    budget, discuss,
    exit::{Error, Outcome},
    output::Output,
    pipeline, render, run,
};
use crate::{
    app::{Environment, Journal},
    engine::{DISCUSSION_RUN, PIPELINE_RUN},
    tasks::{self, Decision, Engine, Task, TaskId},
    tools::{self, Office},
};

/// The words of `task`.
#[derive(Debug, Args)]
pub(super) struct TaskArgs {
    #[command(subcommand)]
    command: TaskCommand,
}

#[derive(Debug, Subcommand)]
enum TaskCommand {
    /// Let a task go on that waits for an approval, and see it through
    Approve(ApproveArgs),
    /// List tasks, the newest first
    List(list::ListArgs),
    /// Show one task: how far it is, and what came of it
    Show {
        /// Id of the task
        id: String,
    },
    /// Stop a task; what it has finished is kept
    Cancel {
        /// Id of the task
        id: String,
    },
    /// Go on with a task that failed, was cancelled or was cut off, and see it through: finished steps are not done again
    #[command(visible_alias = "retry")]
    Resume(ResumeArgs),
    /// Bring the tasks of a file into the database that servers share; those that are there stay as they are
    Import {
        /// The file; `.crew/tasks.jsonl` unless given
        file: Option<PathBuf>,
    },
    /// Do an ended task once more from its beginning, as a new task, and see it through
    Replay {
        /// Id of the task
        id: String,
    },
    /// Do an ended task again from one of its steps on, as a new task, and see it through
    Fork(again::ForkArgs),
}

#[derive(Debug, Args)]
struct ApproveArgs {
    /// Id of the task
    id: String,
    /// What to decide about, when the task asks more than one thing
    #[arg(long)]
    step: Option<String>,
    /// Refuse: the task fails
    #[arg(long)]
    refuse: bool,
    /// Why, kept with the task
    #[arg(long)]
    comment: Option<String>,
}

pub(super) async fn task(global: &Global, args: &TaskArgs, env: &Environment) -> Result<Outcome, Error> {
    match &args.command {
        TaskCommand::Approve(args) => approve(global, args, env).await,
        TaskCommand::List(args) => list::list(global, args, env).await,
        TaskCommand::Show { id } => list::show(global, id, env).await,
        TaskCommand::Cancel { id } => again::cancel(global, id, env).await,
        TaskCommand::Import { file } => list::import(global, file.as_deref(), env).await,
        TaskCommand::Resume(args) => resume(global, args, env).await,
        TaskCommand::Replay { id } => again::replay(global, id, env).await,
        TaskCommand::Fork(args) => again::fork(global, args, env).await,
    }
}

/// An id as it was typed.
fn id(text: &str) -> Result<TaskId, Error> {
    let told = |_| tools::Error::Arguments(format!("`{}` is no id of a task", text.escape_debug()));
    Ok(text.parse().map_err(told)?)
}

async fn approve(global: &Global, args: &ApproveArgs, env: &Environment) -> Result<Outcome, Error> {
    let id = id(&args.id)?;
    let office = kept(global, env)?;
    let tasks = office.tasks().await.map_err(|error| elsewhere(error, "POST /tasks/<id>/approve"))?;
    let approved = !args.refuse;
    let decision = Decision { approved, comment: args.comment.clone(), by: Some("cli".to_owned()) };
    office.acts.decide(tasks, &id, args.step.as_deref(), decision).await?;
    see_through(global, tasks, &id).await
}

/// The project with its tasks, for a command that begins or continues one of them and leaves the others alone.
pub(super) fn kept(global: &Global, env: &Environment) -> Result<Office, Error> {
    run::open(global, env, Journal::Own)
}

/// The same; with `parallel`, its runs wait for no lane.
pub(super) fn kept_in(global: &Global, env: &Environment, parallel: bool) -> Result<Office, Error> {
    run::open_in(global, env, Journal::Own, parallel)
}

/// Says where the tasks are, when another process keeps them, and what to ask its server for.
pub(super) fn elsewhere(error: tasks::Error, request: &str) -> Error {
    match error {
        tasks::Error::Owned { .. } => tools::Error::Unavailable {
            message: format!("{error}; nothing was done; ask its server instead: `{request}`"),
            retry_after: None,
        }
        .into(),
        error => plainly(error),
    }
}

/// Says all that is known, as to whoever runs the server.
pub(super) fn plainly(error: tasks::Error) -> Error {
    match error {
        tasks::Error::Store(_) => Error::Other(error.into()),
        error => error.into(),
    }
}

/// Waits until the task has come to rest, and tells how. Whoever ends that from the keyboard ends the task.
pub(super) async fn see_through(global: &Global, tasks: &Engine, id: &TaskId) -> Result<Outcome, Error> {
    see_through_to(Output::default(), global, tasks, id).await
}

/// The same, with what a pipeline or a discussion gave handed to `output`.
pub(super) async fn see_through_to(
    output: Output,
    global: &Global,
    tasks: &Engine,
    id: &TaskId,
) -> Result<Outcome, Error> {
    tokio::select! {
        task = tasks.settled(id) => match task? {
            task if !task.waiting.is_empty() => {
                if output.is_file() {
                    render::note("no file is written: the answer is printed by `task approve`, once there is one");
                }
                waits(global, &task)
            }
            task if task.kind == PIPELINE_RUN => {
                let outcome = pipeline::ended(global, &task, output)?;
                Ok(ended(tasks, &task, outcome))
            }
            task if task.kind == DISCUSSION_RUN => {
                let outcome = discuss::ended(global, &task, output)?;
                match discuss::afterwards(&task) {
                    Some(begun) => Box::pin(see_through(global, tasks, &begun)).await,
                    None => Ok(ended(tasks, &task, outcome)),
                }
            }
            task => Ok(ended(tasks, &task, other(global, &task)?)),
        },
        interrupted = tokio::signal::ctrl_c() => {
            interrupted?;
            stop(tasks, id).await;
            Ok(Outcome::Interrupted)
        }
    }
}

/// Says how a task goes on whose budget is reached.
pub(super) fn ended(tasks: &Engine, task: &Task, outcome: Outcome) -> Outcome {
    if outcome == Outcome::Budget {
        budget::told(task, tasks.is_durable());
    }
    outcome
}

/// Cancels the task and says so: a server would else go on with it, unasked. A second interruption does not wait for that.
pub(super) async fn stop(tasks: &Engine, id: &TaskId) {
    let stopped = tokio::select! {
        stopped = tasks.cancel(id) => stopped,
        _ = tokio::signal::ctrl_c() => {
            if tasks.is_durable() {
                render::note(&format!("task {id} could not be cancelled in time; a server of this project goes on with it"));
            }
            return;
        }
    };
    match stopped {
        // What is not kept is over with this process.
        _ if !tasks.is_durable() => {}
        Ok(_) => render::note(&format!("task {id} is cancelled")),
        Err(error) => render::note(&format!("task {id} was not cancelled: {}", tools::Error::from(error))),
    }
}

/// Tells what the task waits for, and how to answer.
pub(super) fn waits(global: &Global, task: &Task) -> Result<Outcome, Error> {
    let id = &task.task_id;
    if global.form() == Form::Json {
        render::json(&json!({"task_id": id, "status": task.status, "waiting": task.waiting}))?;
        return Ok(Outcome::Waiting);
    }
    let mut text = format!("task {id} waits for approval");
    for waiting in &task.waiting {
        let _ = write!(
            text,
            "\n  {}\n    knowlyr-crew task approve {id} --step {}",
            waiting.question, waiting.step
        );
    }
    text.push_str(
        "\nadd `--refuse` to refuse, `--comment` to say why; a server takes `POST /tasks/<id>/approve`",
    );
    render::note(&text);
    Ok(Outcome::Waiting)
}

fn other(global: &Global, task: &Task) -> Result<Outcome, Error> {
    let output = task.result.as_ref().and_then(|result| result.get("output")?.as_str());
    match (&task.error, global.form()) {
        (Some(error), _) => render::error(error, std::iter::empty()),
        (None, Form::Json) => render::json(&task.result)?,
        (None, Form::Text) if output.is_some() => render::answer(output.unwrap_or_default())?,
        (None, Form::Text) => render::note(&format!("task {} is {}", task.task_id, task.status.as_str())),
    }
    if budget::is_reached(task) {
        return Ok(Outcome::Budget);
    }
    Ok(if task.status == tasks::Status::Completed { Outcome::Done } else { Outcome::Failed })
}

//! `task list`, `task show` and `pipeline checkpoint list`: what the journal tells, also while a server works on it.

use std::{fmt::Write as _, path::Path, sync::Arc};

use anyhow::Context as _;
use clap::Args;
use serde_json::json;

use super::super::{
    args::{Form, Global},
    cost::history,
    exit::{Error, Outcome},
    render,
};
use crate::{
    app::{self, Environment},
    engine::PIPELINE_RUN,
    tasks::{self, Filter, Place, Status, Summary, Task},
    tools,
};

#[derive(Debug, Args)]
pub(in crate::cli) struct ListArgs {
    /// Only tasks in this state: pending, running, `awaiting_approval`, completed, failed, cancelled
    #[arg(long, value_parser = status)]
    status: Option<Status>,
    /// Only tasks that failed after all the tries they were given; `task resume` gives them new ones
    #[arg(long)]
    dead: bool,
    /// Only tasks for this employee or pipeline
    #[arg(long, value_name = "NAME")]
    target: Option<String>,
    /// At most this many, the newest
    #[arg(short = 'n', long, default_value_t = 20)]
    limit: usize,
}

pub(super) async fn list(global: &Global, args: &ListArgs, env: &Environment) -> Result<Outcome, Error> {
    let (status, target, dead) = (args.status, args.target.clone(), args.dead);
    let filter = Filter { status, target, dead, ..Filter::default() };
    let summaries = summaries(global, env).await?;
    let tasks: Vec<_> = summaries.into_iter().filter(|task| filter.fits(task)).take(args.limit).collect();
    told(global, &tasks)
}

/// The pipelines that did not come to their end, and have something to go on from.
pub(in crate::cli) async fn checkpoints(global: &Global, env: &Environment) -> Result<Outcome, Error> {
    let unfinished =
        |task: &Arc<Summary>| task.kind == PIPELINE_RUN && task.status != Status::Completed && task.steps > 0;
    let tasks: Vec<_> = summaries(global, env).await?.into_iter().filter(unfinished).collect();
    told(global, &tasks)
}

pub(super) async fn show(global: &Global, id: &str, env: &Environment) -> Result<Outcome, Error> {
    let id = super::id(id)?;
    let task = history(global, env, move |history| history.task(&id)?.ok_or(tasks::Error::NotFound { id }));
    let task = task.await?;
    match global.form() {
        Form::Json => render::json(&task)?,
        Form::Text => render::answer(&text(&task))?,
    }
    Ok(Outcome::Done)
}

/// Brings the tasks of a file into the database.
pub(super) async fn import(
    global: &Global,
    file: Option<&Path>,
    env: &Environment,
) -> Result<Outcome, Error> {
    let place = app::journal(&global.root(), env).map_err(anyhow::Error::from)?;
    let Place::Shared(target) = place else {
        let message = "CREW_DATABASE_URL is not set: tasks are kept in .crew/tasks.jsonl".to_owned();
        return Err(tools::Error::Arguments(message).into());
    };
    let usual = global.root().join(".crew/tasks.jsonl");
    let path = file.unwrap_or(&usual);
    if !path.is_file() {
        let message = format!("there is no file `{}`", path.display());
        return Err(tools::Error::Arguments(message).into());
    }
    let brought = tasks::import(path, &target).await.map_err(super::plainly)?;
    let mut said =
        format!("{} tasks are in {target} from now on; {} were there", brought.tasks, brought.known);
    if file.is_none() {
        // A server that is started without the database must not do them as well.
        let aside = usual.with_extension("jsonl.imported");
        std::fs::rename(&usual, &aside).context("the file cannot be put aside")?;
        let _ = write!(said, "; the file is {} now", aside.display());
    }
    match global.form() {
        Form::Json => render::json(&brought)?,
        Form::Text => render::answer(&said)?,
    }
    Ok(Outcome::Done)
}

/// All tasks of the project. Nothing is written, and no owner is disturbed.
async fn summaries(global: &Global, env: &Environment) -> Result<Vec<Arc<Summary>>, Error> {
    history(global, env, |history| Ok(history.summaries())).await
}

fn told(global: &Global, tasks: &[Arc<Summary>]) -> Result<Outcome, Error> {
    match global.form() {
        Form::Json => {
            let row = |task: &Arc<Summary>| {
                json!({
                    "task_id": task.task_id, "status": task.status, "trigger": task.trigger, "kind": task.kind,
                    "target_type": task.target_type, "target_name": task.target_name,
                    "created_at": task.created_at, "completed_at": task.completed_at, "steps": task.steps - task.inner_steps,
                    "origin": task.origin, "error": task.error, "code": task.code,
                    "dead": task.dead,
                })
            };
            render::json(&tasks.iter().map(row).collect::<Vec<_>>())?;
        }
        Form::Text if tasks.is_empty() => render::note("There are no such tasks."),
        Form::Text => {
            let rows = tasks.iter().map(|task| {
                [
                    task.task_id.to_string(),
                    task.status.as_str().to_owned(),
                    format!("{} {}", task.target_type, task.target_name),
                    (task.steps - task.inner_steps).to_string(),
                    render::moment(task.created_at),
                ]
            });
            render::answer(&render::table(["ID", "STATUS", "WORK", "STEPS", "ACCEPTED"], rows))?;
        }
    }
    Ok(Outcome::Done)
}

fn text(task: &Task) -> String {
    let when = |at: Option<jiff::Timestamp>| at.map(|at| at.to_string()).unwrap_or_default();
    let origin = task.origin.as_ref().map(|origin| format!("does {origin} again")).unwrap_or_default();
    let code = task.code.as_ref().map(|code| code.as_str().to_owned()).unwrap_or_default();
    let rows = [
        ("task", task.task_id.to_string()),
        ("status", task.status.as_str().to_owned()),
        ("work", format!("{} {}", task.target_type, task.target_name)),
        ("started by", task.trigger.as_str().to_owned()),
        ("caller", task.caller.clone().unwrap_or_default()),
        ("origin", origin),
        ("accepted", task.created_at.to_string()),
        ("begun", when(task.started_at)),
        ("ended", when(task.completed_at)),
        ("attempts", task.attempts.to_string()),
        ("error", task.error.clone().unwrap_or_default()),
        ("code", code),
        ("tried again", if task.retries > 0 { task.retries.to_string() } else { String::new() }),
        ("next try", when(task.retry_at)),
        (
            "dead",
            if task.dead {
                "tried as often as it may; `task resume` gives it new tries".to_owned()
            } else {
                String::new()
            },
        ),
    ];
    let mut text = String::new();
    for (label, value) in rows.iter().filter(|(_, value)| !value.is_empty()) {
        let _ = writeln!(text, "{label:<12} {value}");
    }
    for (name, value) in &task.args {
        let _ = writeln!(text, "{:<12} {name}={value}", "value");
    }
    for step in task.steps.iter().filter(|step| !step.is_inner()) {
        let _ = writeln!(text, "{:<12} {} ({} ms)", "step", step.step, step.duration_ms);
    }
    for waiting in &task.waiting {
        let _ = writeln!(text, "{:<12} {}: {}", "waits for", waiting.step, waiting.question);
    }
    if let Some(result) = &task.result {
        let said = result.get("output").and_then(serde_json::Value::as_str);
        let said = said.map_or_else(|| format!("{result:#}"), str::to_owned);
        let _ = write!(text, "\n{said}");
    }
    text
}

fn status(text: &str) -> Result<Status, String> {
    let known = Status::ALL.into_iter().find(|status| status.as_str() == text);
    known.ok_or_else(|| format!("there are {}", Status::ALL.map(Status::as_str).join(", ")))
}

//! `task list`, `task show` and `pipeline checkpoint list`: what the journal tells, also while a server works on it.

use std::{fmt::Write as _, path::PathBuf};

use clap::Args;
use serde_json::json;

use super::super::{
    args::{Form, Global},
    exit::{Error, Outcome},
    render,
};
use crate::{
    app,
    engine::PIPELINE_RUN,
    tasks::{self, Status, Task},
};

#[derive(Debug, Args)]
pub(in crate::cli) struct ListArgs {
    /// Only tasks in this state: pending, running, `awaiting_approval`, completed, failed, cancelled
    #[arg(long, value_parser = status)]
    status: Option<Status>,
    /// Only tasks for this employee or pipeline
    #[arg(long, value_name = "NAME")]
    target: Option<String>,
    /// At most this many, the newest
    #[arg(short = 'n', long, default_value_t = 20)]
    limit: usize,
}

pub(super) fn list(global: &Global, args: &ListArgs) -> Result<Outcome, Error> {
    let fits = |task: &Task| {
        args.status.is_none_or(|status| status == task.status)
            && args.target.as_ref().is_none_or(|target| *target == task.target_name)
    };
    let tasks: Vec<_> = journal(global)?.into_iter().filter(fits).take(args.limit).collect();
    told(global, &tasks)
}

/// The pipelines that did not come to their end, and have something to go on from.
pub(in crate::cli) fn checkpoints(global: &Global) -> Result<Outcome, Error> {
    let unfinished =
        |task: &Task| task.kind == PIPELINE_RUN && task.status != Status::Completed && !task.steps.is_empty();
    let tasks: Vec<_> = journal(global)?.into_iter().filter(unfinished).collect();
    told(global, &tasks)
}

pub(super) fn show(global: &Global, id: &str) -> Result<Outcome, Error> {
    let id = super::id(id)?;
    let task = journal(global)?.into_iter().find(|task| task.task_id == id);
    let task = task.ok_or(tasks::Error::NotFound { id })?;
    match global.form() {
        Form::Json => render::json(&task)?,
        Form::Text => render::answer(&text(&task))?,
    }
    Ok(Outcome::Done)
}

/// All tasks of the project, the newest first. Nothing is written, and no owner is disturbed.
fn journal(global: &Global) -> Result<Vec<Task>, Error> {
    let path: PathBuf = app::journal(&global.root());
    Ok(tasks::history(&path)?)
}

fn told(global: &Global, tasks: &[Task]) -> Result<Outcome, Error> {
    match global.form() {
        Form::Json => {
            let row = |task: &Task| {
                json!({
                    "task_id": task.task_id, "status": task.status, "trigger": task.trigger, "kind": task.kind,
                    "target_type": task.target_type, "target_name": task.target_name,
                    "created_at": task.created_at, "completed_at": task.completed_at, "steps": steps(task),
                    "origin": task.origin, "error": task.error, "code": task.code,
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
                    steps(task).to_string(),
                    task.created_at.strftime("%Y-%m-%d %H:%M:%SZ").to_string(),
                ]
            });
            render::answer(&render::table(["ID", "STATUS", "WORK", "STEPS", "ACCEPTED"], rows))?;
        }
    }
    Ok(Outcome::Done)
}

fn steps(task: &Task) -> usize {
    task.steps.iter().filter(|step| !step.is_inner()).count()
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

//! `knowlyr-crew test`: plays recordings, and `--record`, which makes them.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::Context as _;
use clap::Args;
use serde::Serialize;
use serde_json::Value;
use similar::{ChangeTag, TextDiff};

use super::{
    args::{Form, Global},
    execute,
    exit::{Error, Outcome},
    render,
};
use crate::{
    app::{self, Environment, Journal, RECORDINGS, Recorded, Settings, folded},
    base::Tracker,
    defs::TargetKind,
    engine::{self, Given, Order, delivery},
    llm::{Difference, Tape},
    tasks::{self, Decision, Engine, NewTask, Status, Task, TaskId, Trigger},
    tools::Office,
};

#[derive(Debug, Args)]
pub(super) struct TestArgs {
    /// Recordings; all in .crew/recordings, unless given
    folders: Vec<PathBuf>,
    /// Take what differs as it is now: keeps the recorded answers, drops what is not asked any more
    #[arg(long)]
    update: bool,
}

/// What became of one recording.
#[derive(Debug, Serialize)]
struct Played {
    recording: String,
    passed: bool,
    exchanges: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    differences: Vec<Difference>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    updated: bool,
}

pub(super) async fn test(global: &Global, args: &TestArgs, env: &Environment) -> Result<Outcome, Error> {
    let root = global.root();
    let folders = if args.folders.is_empty() { all(&root)? } else { args.folders.clone() };
    if folders.is_empty() {
        render::note(&format!(
            "There are no recordings in `{RECORDINGS}` yet; `run --execute --record {RECORDINGS}/NAME` makes one."
        ));
    }
    let mut played = Vec::new();
    for folder in &folders {
        let one = play(&root, folder, args.update, env).await?;
        if global.form() == Form::Text {
            render::answer(&shown(&one))?;
        }
        played.push(one);
    }
    if global.form() == Form::Json {
        render::json(&played)?;
    }
    Ok(if played.iter().all(|one| one.passed) { Outcome::Done } else { Outcome::Failed })
}

/// The folders of all recordings of a project.
fn all(root: &Path) -> Result<Vec<PathBuf>, Error> {
    let folder = root.join(RECORDINGS);
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let mut found: Vec<_> = std::fs::read_dir(folder)?
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.join("run.json").is_file())
        .collect();
    found.sort();
    Ok(found)
}

async fn play(root: &Path, folder: &Path, update: bool, env: &Environment) -> Result<Played, Error> {
    let (mut run, exchanges) = Recorded::load(folder)?;
    let count = exchanges.len();
    let tape = Tape::playing(exchanges);
    let settings = Settings::read(env, root).map_err(anyhow::Error::from)?.on_tape(&tape, &run, root, env);
    let office = app::open(root, settings, Journal::None, &Tracker::new());
    // A run that failed when it was recorded fails again, and that is as it should be.
    let error = work(&office, &run).await.err();
    let differences = tape.differences();
    let is_missing = differences.iter().any(|found| matches!(found, Difference::Missing { .. }));
    let is_planned = error.as_ref().is_none_or(|error| error.is_of_run);
    let updated = update && !differences.is_empty() && !is_missing && is_planned;
    if updated {
        run.save(folder, &tape.accepted())?;
    }
    let error = error.filter(|error| !error.is_of_run || !differences.is_empty()).map(|error| error.message);
    Ok(Played {
        recording: folder.strip_prefix(root).unwrap_or(folder).display().to_string(),
        passed: updated || differences.is_empty() && error.is_none(),
        exchanges: count,
        error,
        differences: if updated { Vec::new() } else { differences },
        updated,
    })
}

/// Why a run did not come to its end.
struct Ended {
    message: String,
    /// It had begun.
    is_of_run: bool,
}

/// Does once more what was recorded.
async fn work(office: &Office, run: &Recorded) -> Result<(), Ended> {
    let before = |message: String| Ended { message, is_of_run: false };
    let during = |message: String| Ended { message, is_of_run: true };
    let told = |error: &dyn std::fmt::Display| before(error.to_string());
    let mut new = plan(office, run).await.map_err(|error| told(&error))?;
    // Nothing is sent of what is only played.
    new.options.remove(delivery::DELIVER);
    let tasks = office.tasks().await.map_err(|error| told(&error))?;
    let id = tasks.submit(new).await.map_err(|error| told(&error))?.id;
    let ended = if run.approve { approved(tasks, &id).await } else { tasks.settled(&id).await };
    match ended {
        Ok(task) if task.status == Status::Completed => Ok(()),
        Ok(task) if task.status == Status::AwaitingApproval => {
            Err(before("it asks for an approval; record it with `--approve`".to_owned()))
        }
        Ok(task) => Err(during(task.error.clone().unwrap_or_else(|| "the run did not end".to_owned()))),
        Err(error) => Err(during(error.to_string())),
    }
}

/// What was recorded, as a task.
async fn plan(office: &Office, run: &Recorded) -> Result<NewTask, engine::Error> {
    let order = |kind: TargetKind| Order {
        kind,
        target: run.target.clone(),
        args: run.args.clone(),
        model: run.model.clone(),
        trigger: Trigger::CLI,
        caller: Some("cli".to_owned()),
        idempotency_key: None,
    };
    match (run.kind.as_str(), &run.made_up) {
        ("employee", _) => {
            let employee = office.crew.employee(&run.target).await?;
            let given = Given { named: run.args.clone(), positional: run.positional.clone() };
            let mut new = office.crew.plan(execute::order(&employee, &given, run.model.as_deref())).await?;
            run.beginning.put(&mut new.options);
            Ok(new)
        }
        ("discussion", Some(made_up)) => {
            office.crew.plan_ad_hoc(made_up.clone(), order(TargetKind::Discussion)).await
        }
        ("discussion", None) => office.crew.plan(order(TargetKind::Discussion)).await,
        _ => office.crew.plan(order(TargetKind::Pipeline)).await,
    }
}

/// Waits until the task has ended, and approves of all that it asks.
pub(super) async fn approved(tasks: &Engine, id: &TaskId) -> Result<Arc<Task>, tasks::Error> {
    loop {
        let task = tasks.settled(id).await?;
        if task.status != Status::AwaitingApproval {
            return Ok(task);
        }
        for waiting in &task.waiting {
            let decision = Decision { approved: true, comment: None, by: Some("cli".to_owned()) };
            tasks.decide(id, Some(&waiting.step), decision).await?;
        }
    }
}

/// A run that is being recorded.
#[derive(Debug)]
pub(super) struct Recording {
    folder: PathBuf,
    run: Recorded,
    tape: Tape,
}

/// Opens the project for a run that is recorded into `folder`.
///
/// # Errors
/// When the settings of the project cannot be used.
pub(super) fn record(
    global: &Global,
    env: &Environment,
    folder: &Path,
    run: Recorded,
) -> Result<(Office, Recording), Error> {
    let (root, tape) = (global.root(), Tape::recording());
    let settings = Settings::read(env, &root).map_err(anyhow::Error::from)?.on_tape(&tape, &run, &root, env);
    let office = app::open(&root, settings, Journal::None, &Tracker::new());
    Ok((office, Recording { folder: folder.to_owned(), run, tape }))
}

impl Recording {
    /// Writes it down.
    ///
    /// # Errors
    /// When the disk refuses.
    pub(super) fn end(mut self) -> Result<(), Error> {
        let exchanges = self.tape.exchanges();
        let told = || format!("the recording in `{}` cannot be written", self.folder.display());
        self.run.save(&self.folder, &exchanges).with_context(told)?;
        render::note(&format!("recorded {} exchanges in {}", exchanges.len(), self.folder.display()));
        Ok(())
    }
}

fn shown(one: &Played) -> String {
    let state = match (one.passed, one.updated) {
        (true, true) => "\u{1b}[33mupdated\u{1b}[0m",
        (true, false) => "\u{1b}[32mok\u{1b}[0m",
        (false, _) => "\u{1b}[1;31mFAILED\u{1b}[0m",
    };
    let mut text = format!("{state} {} ({} exchanges)\n", one.recording, one.exchanges);
    if let Some(error) = &one.error {
        text.push_str("  the run failed: ");
        text.push_str(error);
        text.push('\n');
    }
    for difference in &one.differences {
        let told = match difference {
            Difference::Changed { who, recorded, asked } => {
                format!("\n`{who}` asks something else than is recorded:\n{}", diff(recorded, asked))
            }
            Difference::Missing { who, asked } => {
                format!("\n`{who}` asks what is not recorded:\n{}", diff(&Value::Null, asked))
            }
            Difference::Unused { who, recorded } => {
                format!("\n`{who}` does not ask any more:\n{}", diff(recorded, &Value::Null))
            }
        };
        text.push_str(&told);
    }
    text
}

/// What differs, line by line, with three lines around it.
fn diff(before: &Value, after: &Value) -> String {
    let lines = |value: &Value| match value {
        Value::Null => String::new(),
        value => serde_json::to_string_pretty(&folded(value.clone())).unwrap_or_default() + "\n",
    };
    let (before, after) = (lines(before), lines(after));
    let diff = TextDiff::from_lines(&before, &after);
    let mut text = String::new();
    for hunk in diff.unified_diff().context_radius(3).iter_hunks() {
        text.extend(["\u{1b}[36m", &hunk.header().to_string(), "\u{1b}[0m\n"]);
        for change in hunk.iter_changes() {
            let (colour, sign) = match change.tag() {
                ChangeTag::Delete => ("\u{1b}[31m", "-"),
                ChangeTag::Insert => ("\u{1b}[32m", "+"),
                ChangeTag::Equal => ("", " "),
            };
            let line = change.value().trim_end_matches('\n');
            let end = if colour.is_empty() { "" } else { "\u{1b}[0m" };
            text.extend([colour, sign, line, end, "\n"]);
        }
    }
    text
}

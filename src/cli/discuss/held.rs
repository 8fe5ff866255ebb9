//! Discussions that are held, and those that were.

use std::{fmt::Write as _, path::Path};

use serde_json::json;

use super::args::HowToDiscuss;
use crate::{
    app::{Environment, Journal, Recorded},
    cli::{
        args::{Form, Global},
        budget,
        exit::{Error, Outcome},
        meetings::full_id,
        output::Output,
        render, run as project, task,
        test::{Recording, record},
    },
    defs::{AdHoc, TargetKind},
    engine::{self, Language, Meeting, Order, Rule, Turn, VoteOutcome, records::meeting::Meetings},
    store::document,
    tasks::{Status, Task, TaskId, Trigger},
    tools::{self, Office},
};

/// What is discussed.
pub(super) enum What<'w> {
    /// A discussion of the project.
    Named(&'w str),
    /// One made up on the spot.
    MadeUp(AdHoc),
}

/// Holds a discussion and sees it through.
pub(super) async fn run(
    global: &Global,
    env: &Environment,
    what: What<'_>,
    named: &[(String, String)],
    how: &HowToDiscuss,
) -> Result<Outcome, Error> {
    how.old.tell();
    let output = Output::begin(how.output.as_deref())?;
    let budget = how.limits.budget();
    // What may have to wait for money must outlive this process; all else is over when it ends.
    let mut recording = None;
    let office = if let Some(folder) = &how.record {
        let (target, made_up) = match &what {
            What::Named(name) => ((*name).to_owned(), None),
            What::MadeUp(wanted) => (String::new(), Some(wanted.clone())),
        };
        let mut recorded = Recorded::new(&global.root(), "discussion", &target);
        recorded.made_up = made_up;
        (recorded.args, recorded.model) = (named.iter().cloned().collect(), how.model.clone());
        let (office, begun) = record(global, env, folder, recorded)?;
        recording = Some(begun);
        office
    } else if budget.is_limited() {
        task::kept_in(global, env, how.limits.parallel)?
    } else {
        project::open_in(global, env, Journal::None, how.limits.parallel)?
    };
    let elsewhere = match what {
        What::Named(name) => format!("POST /run/discussion/{name}"),
        What::MadeUp(_) => "the tool `run_discussion`".to_owned(),
    };
    let order = Order {
        kind: TargetKind::Discussion,
        target: if let What::Named(name) = what { name.to_owned() } else { String::new() },
        args: named.iter().cloned().collect(),
        model: how.model.clone(),
        trigger: Trigger::CLI,
        caller: Some("cli".to_owned()),
        idempotency_key: None,
    };
    let mut new = match what {
        What::Named(_) => office.crew.plan(order).await?,
        What::MadeUp(wanted) => office.crew.plan_ad_hoc(wanted, order).await?,
    };
    budget.put(&mut new.options);
    let tasks = office.tasks().await.map_err(|error| task::elsewhere(error, &elsewhere))?;
    let id = tasks.submit(new).await?.id;
    let outcome = task::see_through_to(output, global, tasks, &id).await?;
    recording.filter(|_| outcome != Outcome::Interrupted).map(Recording::end).transpose()?;
    Ok(outcome)
}

/// Tells what became of a discussion.
pub(in crate::cli) fn ended(global: &Global, task: &Task, output: Output) -> Result<Outcome, Error> {
    if let Some(result) = &task.result {
        let meeting: Meeting = serde_json::from_value(result.clone()).map_err(anyhow::Error::from)?;
        match global.form() {
            Form::Json => output.give_json(&meeting)?,
            Form::Text => output.give(&text(&meeting))?,
        }
        if task.status == Status::Completed && global.form() == Form::Text {
            render::note(&format!("kept as {0}; see `discuss view {0}`", meeting.meeting_id));
            if let Some(afterwards) = &meeting.afterwards {
                render::note(&afterwards.told(Language::English));
            }
        }
    }
    if let Some(error) = &task.error {
        render::error(error, std::iter::empty());
    }
    if budget::is_reached(task) {
        return Ok(Outcome::Budget);
    }
    Ok(if task.status == Status::Completed { Outcome::Done } else { Outcome::Failed })
}

/// The task that does what a discussion ended with, if one was begun.
pub(in crate::cli) fn afterwards(task: &Task) -> Option<TaskId> {
    let begun = task.result.as_ref()?.get("afterwards")?.get("task_id")?;
    begun.as_str()?.parse().ok()
}

fn text(meeting: &Meeting) -> String {
    let ruler = "─".repeat(60);
    let mut text = String::new();
    for round in &meeting.rounds {
        let _ = write!(text, "{ruler}\n{}. {}\n{ruler}\n\n", round.round, round.name);
        for turn in round.all_turns() {
            let _ = write!(text, "[{}]\n{}\n\n", turn.employee, said(turn));
        }
    }
    if !meeting.synthesis.is_empty() {
        let _ = write!(text, "{ruler}\n{}\n{ruler}\n\n{}\n\n", meeting.name, meeting.synthesis);
    }
    text.push_str(&counted(meeting));
    text
}

fn said(turn: &Turn) -> String {
    let mut text = match &turn.error {
        Some(error) => format!("could not speak: {error}"),
        None => turn.text.clone(),
    };
    if let Some(fault) = &turn.ballot_fault {
        let _ = write!(text, "\n(no ballot: {fault})");
    }
    text
}

/// What was counted, as tables.
fn counted(meeting: &Meeting) -> String {
    let share =
        |ratio: Option<f64>| ratio.map_or_else(|| "-".to_owned(), |ratio| format!("{:.0}%", ratio * 100.0));
    let rows = meeting.measures.rounds.iter().flat_map(|round| {
        round.members.iter().map(|member| {
            let unmet: Vec<String> = member.unmet.iter().copied().map(word).collect();
            let note = if member.failed {
                "could not speak".to_owned()
            } else if !member.has_ballot {
                "no ballot".to_owned()
            } else {
                unmet.join(", ")
            };
            [
                member.employee.clone(),
                round.round.to_string(),
                member.agreements.to_string(),
                member.objections.to_string(),
                share(member.agree_ratio),
                note,
            ]
        })
    });
    let header = ["PARTICIPANT", "ROUND", "AGREED", "OBJECTED", "AGREEMENT", "NOT MET"];
    let mut text = render::table(header, rows);
    for tally in &meeting.measures.votes {
        let rows = tally.options.iter().map(|option| {
            [
                format!("{} {}", option.id, option.text),
                option.r#for.len().to_string(),
                option.against.len().to_string(),
                option.abstain.len().to_string(),
                match option.outcome {
                    VoteOutcome::Carried => "carried",
                    VoteOutcome::Rejected => "rejected",
                    VoteOutcome::Tied => "tied",
                    VoteOutcome::Open => "open",
                }
                .to_owned(),
            ]
        });
        let table = render::table(["OPTION", "FOR", "AGAINST", "ABSTAINED", "OUTCOME"], rows);
        let _ = write!(text, "\n\n{table}");
    }
    for dissent in &meeting.measures.minority {
        let _ = write!(text, "\n{} stays of another opinion: {}", dissent.employee, dissent.about);
        if !dissent.why.is_empty() {
            let _ = write!(text, " ({})", dissent.why);
        }
    }
    text
}

/// How a rule is written in records.
fn word(rule: Rule) -> String {
    serde_json::to_value(rule).ok().and_then(|word| word.as_str().map(str::to_owned)).unwrap_or_default()
}

/// Prints the plan of action of one that was held as a pipeline, or writes it to a file that is not there yet.
pub(super) async fn plan(
    global: &Global,
    office: &Office,
    id: &str,
    output: Option<&Path>,
) -> Result<Outcome, Error> {
    let meetings = Meetings::of(&global.root());
    let id = full_id(&meetings, id)?;
    let recorded = meetings
        .recorded(&id)
        .ok_or_else(|| tools::Error::Failed(format!("meeting `{id}` was not held here, only rendered")))?;
    let meeting: Meeting = serde_json::from_value(recorded).map_err(anyhow::Error::from)?;
    let text = engine::pipeline_of(&meeting, &*office.crew.definitions().await)
        .map_err(|faults| tools::Error::Failed(faults.join("\n")))?;
    let Some(path) = output else {
        match global.form() {
            Form::Json => render::json(&json!({"meeting_id": id, "pipeline": text}))?,
            Form::Text => render::answer(&text)?,
        }
        return Ok(Outcome::Done);
    };
    if !document::create(path, text.as_bytes()).map_err(anyhow::Error::from)? {
        return Err(tools::Error::Conflict(format!("`{}` is there already", path.display())).into());
    }
    render::note(&format!("written {}", path.display()));
    Ok(Outcome::Done)
}

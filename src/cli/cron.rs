//! `knowlyr-crew cron`: the schedules, from their files, whether a server runs or not.

use clap::{Args, Subcommand};
use serde_json::json;

use super::{
    args::{Form, Global},
    deliveries,
    exit::{Error, Outcome},
    render, run, task,
};
use crate::{
    app::{Environment, Journal},
    defs::{Schedule, TargetKind},
    engine::shown,
    tasks::{self, Trigger},
    tools::{self, Office},
};

const NONE: &str = "There are no schedules here; they are written in `.crew/cron.yaml`.";

/// The words of `cron`.
#[derive(Debug, Args)]
pub(super) struct CronArgs {
    #[command(subcommand)]
    command: CronCommand,
}

#[derive(Debug, Subcommand)]
enum CronCommand {
    /// List the schedules: what they start, when they run next and how they ran last
    List,
    /// Print when schedules run next
    Preview {
        /// The one schedule to print; all, unless given
        name: Option<String>,
        /// How many times of each
        #[arg(short = 'n', long, alias = "next", value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=1000))]
        count: u16,
    },
    /// Run a schedule now, whatever it is due
    Run {
        /// Name of the schedule
        name: String,
    },
}

pub(super) async fn cron(global: &Global, args: &CronArgs, env: &Environment) -> Result<Outcome, Error> {
    match &args.command {
        CronCommand::List => list(global, &run::crew(global, env)).await,
        CronCommand::Preview { name, count } => {
            preview(global, &run::crew(global, env), name.as_deref(), usize::from(*count)).await
        }
        CronCommand::Run { name } => run_now(global, env, name).await,
    }
}

async fn list(global: &Global, office: &Office) -> Result<Outcome, Error> {
    let status = office.crew.schedules(None).await;
    complain(office, status.schedules.is_empty()).await;
    if global.form() == Form::Json {
        render::json(&status)?;
        return Ok(Outcome::Done);
    }
    if status.schedules.is_empty() {
        render::note(NONE);
        return Ok(Outcome::Done);
    }
    let none = || "-".to_owned();
    let rows = status.schedules.iter().map(|row| {
        let next = if row.enabled { row.next_run.clone().unwrap_or_else(none) } else { "off".to_owned() };
        [
            row.name.clone(),
            row.cron.clone(),
            format!("{} {}", row.target_type, row.target_name),
            row.timezone.clone().unwrap_or_else(|| "local".to_owned()),
            next,
            row.last_run.clone().unwrap_or_else(none),
            row.last_status.map_or_else(none, |status| status.as_str().to_owned()),
        ]
    });
    let header = ["NAME", "CRON", "STARTS", "ZONE", "NEXT", "LAST", "STATUS"];
    render::answer(&render::table(header, rows))?;
    Ok(Outcome::Done)
}

async fn preview(
    global: &Global,
    office: &Office,
    name: Option<&str>,
    count: usize,
) -> Result<Outcome, Error> {
    if let Some(name) = name {
        schedule(office, name).await?;
    }
    let upcoming = office.crew.upcoming(name, count).await;
    complain(office, upcoming.is_empty()).await;
    let told = upcoming.iter().map(|(schedule, next)| (schedule, next.iter().map(shown).collect::<Vec<_>>()));
    if global.form() == Form::Json {
        let rows = told.map(|(schedule, next)| {
            json!({"name": schedule.name, "cron": schedule.cron, "enabled": schedule.enabled, "next": next})
        });
        render::json(&rows.collect::<Vec<_>>())?;
        return Ok(Outcome::Done);
    }
    if upcoming.is_empty() {
        render::note(NONE);
        return Ok(Outcome::Done);
    }
    let parts = told.map(|(schedule, next)| {
        let off = if schedule.enabled { "" } else { " (off)" };
        let lines: Vec<_> = next.iter().map(|next| format!("\n  {next}")).collect();
        format!("{}{off}: {}{}", schedule.name, schedule.cron, lines.concat())
    });
    render::answer(&parts.collect::<Vec<_>>().join("\n"))?;
    Ok(Outcome::Done)
}

async fn run_now(global: &Global, env: &Environment, name: &str) -> Result<Outcome, Error> {
    let unkept = run::open(global, env, Journal::None)?;
    let schedule = schedule(&unkept, name).await?;
    let new = unkept.crew.plan_scheduled(&schedule, Trigger::CLI, None).await?;
    let asks = asks(&unkept, &schedule).await;
    let kept = task::kept(global, env)?;
    // What may have to wait for a person must outlive this process. All else can be done beside a server.
    let is_kept = match kept.tasks().await {
        Ok(_) => true,
        Err(tasks::Error::Owned { .. }) if !asks => false,
        Err(error) => {
            return Err(task::elsewhere(error, &format!("POST /run/{}/<name>", schedule.target.kind)));
        }
    };
    let office = if is_kept { &kept } else { &unkept };
    let tasks = office.tasks().await?;
    let id = tasks.submit(new).await?.id;
    let outcome = task::see_through(global, tasks, &id).await?;
    match tasks.summary(&id) {
        // Servers that share tasks have the state in their hands, too.
        Some(task) if is_kept && tasks.replicas().is_none() => {
            office.crew.note_run(name, &task).await.map_err(anyhow::Error::from)?;
        }
        _ => {
            render::note(&format!("a server watches the clock: it does not count this as a run of `{name}`"));
        }
    }
    Ok(deliveries::see_off(office, tasks, &id, outcome).await)
}

/// Whether a person may have to be asked while it runs.
async fn asks(office: &Office, schedule: &Schedule) -> bool {
    let (definitions, name) = (office.crew.definitions().await, &schedule.target.name);
    match schedule.target.kind {
        TargetKind::Employee => {
            let employee = office.crew.employee(name).await;
            employee.is_ok_and(|employee| run::asks(&employee))
        }
        TargetKind::Pipeline => definitions
            .pipeline(name)
            .is_some_and(|entry| entry.pipeline.steps().any(|step| step.approval.is_some())),
        TargetKind::Discussion => false,
    }
}

/// The schedule called `name`.
async fn schedule(office: &Office, name: &str) -> Result<Schedule, Error> {
    let definitions = office.crew.definitions().await;
    let all = || definitions.cron.iter().flat_map(|cron| &cron.schedules);
    let found = all().find(|schedule| schedule.name == name).cloned();
    Ok(found.ok_or_else(|| {
        tools::Error::not_found("schedule", name, all().map(|schedule| schedule.name.as_str()))
    })?)
}

/// Tells what is wrong with the files, when that is why there is nothing to show.
async fn complain(office: &Office, nothing: bool) {
    let definitions = office.crew.definitions().await;
    for file in definitions.unusable.iter().filter(|_| nothing) {
        render::note(&format!("warning: `{file}` cannot be used; `knowlyr-crew check` tells why"));
    }
}

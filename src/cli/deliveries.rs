//! `knowlyr-crew deliveries`: where results went, and once more.

use std::time::Duration;

use anyhow::Context as _;
use clap::{Args, Subcommand, ValueEnum};
use serde_json::json;

use super::{
    args::{Form, Global},
    exit::{Error, Outcome},
    render, task,
};
use crate::{
    app::{self, Environment},
    engine::delivery::{self, DeliveryId, DeliveryStatus, Refused, Sending, Which, newest},
    tasks::{Engine, TaskId},
    tools,
};

/// How long a command stays with what it sends.
const PATIENCE: Duration = Duration::from_secs(90);

/// The words of `deliveries`.
#[derive(Debug, Args)]
pub(super) struct DeliveriesArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List where results went, the newest first
    List(ListArgs),
    /// Show one of them
    Show {
        /// Id of the delivery
        id: String,
    },
    /// Send once more, whatever came of it before
    Redeliver {
        /// Ids of the deliveries
        #[arg(required = true)]
        ids: Vec<String>,
    },
}

#[derive(Debug, Args)]
struct ListArgs {
    /// Only those in this state
    #[arg(long, value_enum)]
    status: Option<State>,
    /// Only those of this task
    #[arg(long)]
    task: Option<String>,
    /// At most this many
    #[arg(long, default_value_t = 50)]
    limit: usize,
}

/// A state of deliveries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum State {
    Pending,
    Sending,
    Delivered,
    Dead,
}

impl From<State> for DeliveryStatus {
    fn from(state: State) -> Self {
        match state {
            State::Pending => Self::Pending,
            State::Sending => Self::Sending,
            State::Delivered => Self::Delivered,
            State::Dead => Self::Dead,
        }
    }
}

pub(super) async fn deliveries(
    global: &Global,
    args: &DeliveriesArgs,
    env: &Environment,
) -> Result<Outcome, Error> {
    match &args.command {
        Command::List(args) => list(global, args).await,
        Command::Show { id } => show(global, id).await,
        Command::Redeliver { ids } => redeliver(global, ids, env).await,
    }
}

/// What the log says, whoever writes it.
async fn recorded(global: &Global) -> Result<Vec<Sending>, Error> {
    let path = global.root().join(app::OUTBOX);
    let read = tokio::task::spawn_blocking(move || delivery::history(&path)).await;
    let read = read.map_err(anyhow::Error::from)?;
    Ok(read.context("the deliveries of this project cannot be read")?)
}

async fn list(global: &Global, args: &ListArgs) -> Result<Outcome, Error> {
    let task = args.task.as_deref().map(str::parse).transpose();
    let task = task.map_err(|error: crate::tasks::NotATaskId| tools::Error::Arguments(error.to_string()))?;
    let which = Which { status: args.status.map(Into::into), task, kind: None, limit: Some(args.limit) };
    let deliveries = newest(recorded(global).await?.into_iter(), &which);
    match global.form() {
        Form::Json => render::json(&json!({"deliveries": deliveries}))?,
        Form::Text if deliveries.is_empty() => render::note("Nothing was delivered, and nothing waits."),
        Form::Text => {
            let rows = deliveries.into_iter().map(|delivery| {
                [
                    delivery.id.to_string(),
                    delivery.status.as_str().to_owned(),
                    delivery.kind,
                    delivery.target,
                    delivery.attempts.to_string(),
                    delivery.detail,
                ]
            });
            let heads = ["ID", "STATUS", "TYPE", "TARGET", "ATTEMPTS", "DETAIL"];
            render::answer(&render::table(heads, rows))?;
        }
    }
    Ok(Outcome::Done)
}

async fn show(global: &Global, id: &str) -> Result<Outcome, Error> {
    let id = parse(id)?;
    let found = recorded(global).await?.into_iter().find(|delivery| delivery.id == id);
    let found = found.ok_or_else(|| absent(&id))?;
    match global.form() {
        Form::Json => render::json(&found)?,
        Form::Text => render::answer(&told(&found))?,
    }
    Ok(Outcome::Done)
}

/// Asks for each again and stays until it was tried. Where a server is at work it has to be asked instead.
async fn redeliver(global: &Global, ids: &[String], env: &Environment) -> Result<Outcome, Error> {
    let ids: Vec<DeliveryId> = ids.iter().map(|id| parse(id)).collect::<Result<_, _>>()?;
    let office = task::kept(global, env)?;
    office.tasks().await.map_err(|error| match error {
        crate::tasks::Error::Owned { .. } => tools::Error::Unavailable {
            message: format!("{error}; ask its server instead: `POST /deliveries/<id>/redeliver`"),
            retry_after: None,
        }
        .into(),
        error => Error::from(error),
    })?;
    let outbox = office.outbox().context("nothing is delivered here")?;
    for id in &ids {
        office.acts.redeliver(outbox, id, "cli").await.map_err(|error| match error {
            Refused::NotFound(_) => absent(id),
            Refused::UnderWay(_) | Refused::Forgotten(_) => {
                Error::from(tools::Error::Conflict(error.to_string()))
            }
            Refused::Store(error) => Error::from(anyhow::Error::from(error)),
        })?;
    }
    let mut sent = Vec::new();
    for id in &ids {
        let tried = outbox.tried(&id.task, PATIENCE).await;
        sent.extend(tried.into_iter().find(|delivery| delivery.id == *id));
    }
    match global.form() {
        Form::Json => render::json(&json!({"deliveries": sent}))?,
        Form::Text => render::answer(&sent.iter().map(told).collect::<Vec<_>>().join("\n"))?,
    }
    let done = sent.iter().all(|delivery| delivery.status == DeliveryStatus::Delivered);
    Ok(if done { Outcome::Done } else { Outcome::Failed })
}

/// Stays with the deliveries of a task until each was tried, and says what came of them. What is kept is tried again by a
/// server; what is not, and was not delivered, makes of a success a failure.
pub(super) async fn see_off(
    office: &tools::Office,
    tasks: &Engine,
    task: &TaskId,
    outcome: Outcome,
) -> Outcome {
    let Some(outbox) = office.outbox() else { return outcome };
    let tried = outbox.tried(task, PATIENCE).await;
    for delivery in &tried {
        render::note(&told(delivery));
    }
    let all = tried.iter().all(|delivery| delivery.status == DeliveryStatus::Delivered);
    if all || tasks.is_durable() {
        return outcome;
    }
    render::note(
        "error: what was not delivered is not kept, as a server keeps the tasks of this project: have it sent by a run that the server is asked for",
    );
    if outcome == Outcome::Done { Outcome::Failed } else { outcome }
}

fn told(delivery: &Sending) -> String {
    let Sending { id, kind, target, status, attempts, detail, .. } = delivery;
    let detail = if detail.is_empty() { String::new() } else { format!(": {detail}") };
    let times = if *attempts == 1 { "once".to_owned() } else { format!("{attempts} times") };
    format!("{id} {kind} to {target}: {}, tried {times}{detail}", status.as_str())
}

fn parse(id: &str) -> Result<DeliveryId, Error> {
    let wrong = |_| tools::Error::Arguments(format!("`{}` is no id of a delivery", id.escape_debug()));
    Ok(id.parse().map_err(wrong)?)
}

fn absent(id: &DeliveryId) -> Error {
    tools::Error::NotFound { what: "delivery", name: id.to_string(), hint: None }.into()
}

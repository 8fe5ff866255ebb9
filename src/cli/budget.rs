//! How much a run may take: the words for it, and what is said once it is spent; and runs that are kept as tasks.

use clap::Args;

use super::{
    args::{Form, Global},
    exit::{Error, Outcome},
    render, task,
};
use crate::{
    app::Environment,
    defs::{Employee, TargetKind},
    engine::{self, Answer, Given, Order},
    tasks::{Budget, Code, Task, TaskId, Trigger},
    tools::Office,
};

/// What a run may take in all.
#[derive(Debug, Args)]
pub(super) struct Limits {
    /// With --execute: most US dollars to spend; a call that could cost more is not made, and the run can be resumed
    #[arg(long, value_name = "USD", value_parser = dollars)]
    max_cost: Option<f64>,
    /// With --execute: most tokens to use, read and written, in the same way
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    max_tokens: Option<u64>,
}

impl Limits {
    pub(super) fn budget(&self) -> Budget {
        Budget { max_cost_usd: self.max_cost, max_tokens: self.max_tokens }
    }
}

fn dollars(text: &str) -> Result<f64, String> {
    let dollars = text.parse().ok().filter(|dollars: &f64| dollars.is_finite() && *dollars > 0.0);
    dollars.ok_or_else(|| "write US dollars, more than 0: 0.5".to_owned())
}

/// Whether `task` stopped as what it may take is spent.
pub(super) fn is_reached(task: &Task) -> bool {
    task.code == Some(Code::BUDGET_REACHED)
}

/// Says how such a task goes on.
pub(super) fn told(task: &Task) -> Outcome {
    let flag =
        if Budget::of(&task.options).max_cost_usd.is_some() { "--max-cost USD" } else { "--max-tokens N" };
    let id = &task.task_id;
    render::note(&format!("go on with a higher limit: knowlyr-crew task resume {id} {flag}"));
    Outcome::Budget
}

/// How a run that is kept as a task ended.
pub(super) struct Ended {
    /// What was answered, if anything was.
    pub(super) answer: Option<Answer>,
    pub(super) outcome: Outcome,
}

/// Puts an employee to work as a task that is kept, so that it can go on with more, or once somebody has decided. With `aloud`, the answer is printed
/// while it comes in.
pub(super) async fn run(
    global: &Global,
    env: &Environment,
    (employee, given, model): (&Employee, &Given, Option<&str>),
    limits: Budget,
    aloud: bool,
) -> Result<Ended, Error> {
    let office = task::kept(global, env)?;
    // Too many values are told as everywhere.
    office.crew.render(employee, given).await?;
    let positional = employee.args.iter().map(|arg| arg.name.clone()).zip(given.positional.iter().cloned());
    let order = Order {
        kind: TargetKind::Employee,
        target: employee.name.clone(),
        args: positional.chain(given.named.clone()).collect(),
        model: model.map(str::to_owned),
        trigger: Trigger::CLI,
        caller: Some("cli".to_owned()),
        idempotency_key: None,
    };
    let mut new = office.crew.plan(order).await?;
    limits.put(&mut new.options);
    if aloud {
        new.options.insert(engine::STREAM.to_owned(), true.into());
    }
    let elsewhere = format!("POST /run/employee/{}", employee.name);
    let tasks = office.tasks().await.map_err(|error| task::elsewhere(error, &elsewhere))?;
    let id = tasks.submit(new).await?.id;
    let told = follow(&office, &id, aloud);
    let task = tokio::select! {
        ended = told => ended?,
        interrupted = tokio::signal::ctrl_c() => {
            interrupted?;
            task::stop(tasks, &id).await;
            return Ok(Ended { answer: None, outcome: Outcome::Interrupted });
        }
    };
    if !task.waiting.is_empty() {
        return Ok(Ended { answer: None, outcome: task::waits(global, &task)? });
    }
    if let Some(error) = &task.error {
        render::error(error, std::iter::empty());
        let outcome = if is_reached(&task) { told_of(global, &task)? } else { Outcome::Failed };
        return Ok(Ended { answer: None, outcome });
    }
    let answer: Option<Answer> = task.result.clone().and_then(|result| serde_json::from_value(result).ok());
    let outcome = if answer.is_some() { Outcome::Done } else { Outcome::Failed };
    Ok(Ended { answer, outcome })
}

fn told_of(global: &Global, task: &Task) -> Result<Outcome, Error> {
    if global.form() == Form::Json {
        let value = serde_json::json!({
            "task_id": task.task_id, "status": task.status, "code": task.code, "error": task.error, "spent": task.spent,
        });
        render::json(&value)?;
    }
    Ok(told(task))
}

/// Waits until the task has ended, and prints what it says meanwhile.
async fn follow(office: &Office, id: &TaskId, aloud: bool) -> Result<std::sync::Arc<Task>, Error> {
    let tasks = office.tasks().await?;
    let mut reader = office.crew.live().output(id).read();
    let mut print = render::Pieces::default();
    let ended = tasks.settled(id);
    tokio::pin!(ended);
    let task = loop {
        tokio::select! {
            biased;
            text = reader.more(), if aloud => print.piece(&text)?,
            task = &mut ended => break task?,
        }
    };
    if aloud {
        let output =
            task.result.as_ref().and_then(|result| result.get("output")?.as_str()).unwrap_or_default();
        print.piece(reader.unread(output))?;
        print.end()?;
    }
    Ok(task)
}

//! `run --execute`: an employee at work, as a task of its own.

use super::{
    args::{Form, Global},
    budget,
    exit::{Error, Outcome},
    render,
    run::RunArgs,
    task,
};
use crate::{
    defs::{Employee, TargetKind},
    engine::{self, Answer, Given, Order},
    tasks::{Engine, Task, TaskId, Trigger},
    tools::Office,
};

/// How the work ended.
pub(super) struct Ended {
    /// What was answered, if anything was.
    pub(super) answer: Option<Answer>,
    pub(super) outcome: Outcome,
}

impl Ended {
    fn without_answer(outcome: Outcome) -> Self {
        Self { answer: None, outcome }
    }
}

/// A run of `employee` by name or trigger, with its positional values by name.
pub(super) fn order(employee: &Employee, given: &Given, model: Option<&str>) -> Order {
    let positional = employee.args.iter().map(|arg| arg.name.clone()).zip(given.positional.iter().cloned());
    Order {
        kind: TargetKind::Employee,
        target: employee.name.clone(),
        args: positional.chain(given.named.clone()).collect(),
        model: model.map(str::to_owned),
        trigger: Trigger::CLI,
        caller: Some("cli".to_owned()),
        idempotency_key: None,
    }
}

/// Puts an employee to work and waits for the end. With `aloud`, the answer is printed while it comes in.
pub(super) async fn execute(
    global: &Global,
    office: &Office,
    employee: &Employee,
    args: &RunArgs,
    aloud: bool,
) -> Result<Ended, Error> {
    let given = args.given();
    // Too many values are told as everywhere.
    office.crew.render(employee, &given).await?;
    let mut new = office.crew.plan(order(employee, &given, args.model.as_deref())).await?;
    args.limits.budget().put(&mut new.options);
    args.beginning().put(&mut new.options);
    if let Some(agent) = args.agent_id {
        new.options.insert(engine::AGENT.to_owned(), agent.into());
    }
    if aloud {
        new.options.insert(engine::STREAM.to_owned(), true.into());
    }
    let elsewhere = format!("POST /run/employee/{}", employee.name);
    let tasks = office.tasks().await.map_err(|error| task::elsewhere(error, &elsewhere))?;
    let id = tasks.submit(new).await?.id;
    let followed = tokio::select! {
        followed = follow(office, tasks, &id, aloud) => followed,
        interrupted = tokio::signal::ctrl_c() => {
            interrupted?;
            task::stop(tasks, &id).await;
            return Ok(Ended::without_answer(Outcome::Interrupted));
        }
    };
    let task = match followed {
        Ok(task) => task,
        Err(error) => {
            // Nobody reads any more what it says.
            let _ = tasks.cancel(&id).await;
            return Err(error);
        }
    };
    if !task.waiting.is_empty() {
        return Ok(Ended::without_answer(task::waits(global, &task)?));
    }
    if let Some(error) = &task.error {
        render::error(error, std::iter::empty());
        if !budget::is_reached(&task) {
            return Ok(Ended::without_answer(Outcome::Failed));
        }
        if global.form() == Form::Json {
            render::json(&serde_json::json!({
                "task_id": task.task_id, "status": task.status, "code": task.code, "error": task.error,
                "spent": task.spent,
            }))?;
        }
        return Ok(Ended::without_answer(task::ended(tasks, &task, Outcome::Budget)));
    }
    let answer: Option<Answer> = task.result.clone().and_then(|result| serde_json::from_value(result).ok());
    let outcome = if answer.is_some() { Outcome::Done } else { Outcome::Failed };
    Ok(Ended { answer, outcome })
}

/// Waits until the task has ended, and prints what it says meanwhile.
async fn follow(
    office: &Office,
    tasks: &Engine,
    id: &TaskId,
    aloud: bool,
) -> Result<std::sync::Arc<Task>, Error> {
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

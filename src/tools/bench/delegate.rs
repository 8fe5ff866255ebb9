//! Handing work on to another employee.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    defs::TargetKind,
    engine::{Args, Crew, DEPTH, Gave, Given, Job, Order},
    llm::Usage,
    tasks::Trigger,
    tools::{Error, Office},
};

/// How many employees may hand a piece of work on, one to the next.
pub(super) const DEEPEST: u8 = 3;

/// What is handed on.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DelegateArgs {
    /// Name or trigger of the employee who is to do it.
    employee: String,
    /// What to do, with everything there is to know about it: nothing else of this conversation is handed on.
    #[serde(default)]
    task: String,
    /// Values for the arguments of that employee, by name.
    #[serde(default)]
    args: Args,
}

/// Has another employee do it, on its own model, and waits for what it answers.
pub(super) async fn delegate(crew: &Arc<Crew>, job: &Job<'_>, args: DelegateArgs) -> Result<Gave, Error> {
    let employee = crew.employee(&args.employee).await?;
    let given = Given::named(args.args);
    let task = Some(args.task.as_str()).filter(|task| !task.trim().is_empty());
    let inner = Job { task, depth: job.depth + 1, ..Job::new(&employee, &given) };
    let answer = crew.answer(&inner.recorded(&job.steps, job.name.clone())).await?;
    let usage = Usage {
        input_tokens: answer.input_tokens,
        cached_input_tokens: answer.cached_input_tokens,
        output_tokens: answer.output_tokens,
    };
    Ok(Gave { text: answer.output, usage, cost_usd: answer.cost_usd })
}

/// Has it done as a task of its own, and answers with the id of that.
pub(super) async fn delegate_async(
    office: &Office,
    job: &Job<'_>,
    args: DelegateArgs,
) -> Result<String, Error> {
    if !args.task.trim().is_empty() {
        let message = "`delegate_async` takes no `task`: say what to do in `args`, or use `delegate`";
        return Err(Error::Arguments(message.to_owned()));
    }
    let order = Order {
        kind: TargetKind::Employee,
        target: args.employee,
        args: args.args,
        model: None,
        trigger: Trigger::TOOL,
        caller: Some(format!("employee {}", job.employee.name)),
        // What is done again after a crash must not be begun again.
        idempotency_key: job.steps.task_id().map(|id| format!("{id}/{}", job.name)),
    };
    if job.steps.limits().is_own {
        let message = "this run has a budget, which a task of its own would not be part of; use `delegate`";
        return Err(Error::Conflict(message.to_owned()));
    }
    let tasks = office.tasks().await?;
    if !tasks.is_durable() {
        let message = "nobody would go on with it when this ends; use `delegate`";
        return Err(Error::Conflict(message.to_owned()));
    }
    let mut new = office.crew.plan(order).await?;
    new.options.insert(DEPTH.to_owned(), (job.depth + 1).into());
    let submitted = tasks.submit(new).await?;
    Ok(format!("{{\"task_id\":\"{}\"}}", submitted.id))
}

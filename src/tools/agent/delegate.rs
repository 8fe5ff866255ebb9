//! Handing work on to another employee.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    defs::TargetKind,
    engine::{Args, Crew, Given, Job, Order},
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

/// Has another employee do it, and waits for what it answers.
pub(super) async fn delegate(crew: &Arc<Crew>, job: &Job<'_>, args: DelegateArgs) -> Result<String, Error> {
    let employee = crew.employee(&args.employee).await?;
    let given = Given::named(args.args);
    let task = Some(args.task.as_str()).filter(|task| !task.trim().is_empty());
    let inner = Job { task, depth: job.depth + 1, ..Job::new(&employee, &given) };
    let answer = crew.answer(&inner.recorded(&job.steps, job.name.clone())).await?;
    Ok(answer.output)
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
        idempotency_key: None,
    };
    let new = office.crew.plan(order).await?;
    let submitted = office.tasks().await?.submit(new).await?;
    Ok(format!("{{\"task_id\":\"{}\"}}", submitted.id))
}

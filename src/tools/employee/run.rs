//! `run_employee`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    defs::TargetKind,
    engine::{self, Given, Order},
    tasks::{Status, TaskId, Trigger},
    tools::{
        Annotations, Ctx, Error, Tool,
        office::{self, Office},
    },
};

pub(in crate::tools) struct RunEmployee(pub(in crate::tools) Office);

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::tools) struct Args {
    /// Name or trigger of the employee.
    name: String,
    /// Values for its arguments, by name.
    #[serde(default)]
    args: engine::Args,
    /// Call its model with the prompt; else the prompt itself is the answer.
    #[serde(default)]
    execute: bool,
    /// With `execute`: answer with a task id at once instead of waiting; see `get_task`.
    #[serde(default)]
    background: bool,
    /// With `execute`: a model to use in place of the employee's own.
    #[serde(default)]
    model: Option<String>,
}

/// The prompt, or the answer of the model.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::tools) struct Answer {
    /// Who.
    employee: String,
    /// The rendered prompt, when nothing was executed.
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt: Option<String>,
    /// The task that did the work.
    #[serde(skip_serializing_if = "Option::is_none")]
    task_id: Option<TaskId>,
    /// How far that task is.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<Status>,
    /// What the employee answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    answer: Option<engine::Answer>,
}

impl RunEmployee {
    async fn prompt(&self, args: Args) -> Result<Answer, Error> {
        let employee = self.0.crew.employee(&args.name).await?;
        let prompt = self.0.crew.render(&employee, &Given::named(args.args)).await?;
        Ok(Answer {
            employee: employee.name.clone(),
            prompt: Some(prompt),
            task_id: None,
            status: None,
            answer: None,
        })
    }
}

impl Tool for RunEmployee {
    type Args = Args;
    type Output = Answer;

    const NAME: &'static str = "run_employee";
    const TITLE: &'static str = "Run an employee";
    const SUMMARY: &'static str = "Renders the prompt of an employee for you to follow, or, with `execute`, has the \
        employee's own model do the work and answers with what it says.";
    const ANNOTATIONS: Annotations = Annotations::WORKS;

    async fn call(&self, ctx: Ctx, args: Args) -> Result<Answer, Error> {
        if !args.execute {
            return self.prompt(args).await;
        }
        let order = Order {
            kind: TargetKind::Employee,
            target: args.name,
            args: args.args,
            model: args.model,
            trigger: Trigger::TOOL,
            caller: Some(ctx.caller().name().to_owned()),
            idempotency_key: None,
        };
        let new = self.0.crew.plan(order).await?;
        let employee = new.target.clone();
        if args.background {
            let id = self.0.tasks().await?.submit(new).await?.id;
            return Ok(Answer {
                employee,
                prompt: None,
                task_id: Some(id),
                status: Some(Status::Pending),
                answer: None,
            });
        }
        let task = self.0.see_through(&ctx, new, Some(1)).await?;
        Ok(Answer {
            employee,
            prompt: None,
            task_id: Some(task.task_id.clone()),
            status: Some(task.status),
            answer: Some(office::result(&task)?),
        })
    }

    fn text(answer: &Answer) -> Option<String> {
        answer.prompt.clone().or_else(|| Some(answer.answer.as_ref()?.output.clone()))
    }
}

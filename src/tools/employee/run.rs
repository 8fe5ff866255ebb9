//! `run_employee`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    base::Priority,
    defs::TargetKind,
    engine::{self, Given},
    tasks::{Kind, NewTask, Status, Task, TaskId, Waiting},
    tools::{
        Annotations, Ctx, Detached, Error, Start, Tool, approval,
        cost::budget,
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
    /// With `execute`: most US dollars to spend. A call of a model that could cost more is not made, the task fails with
    /// the code `budget-reached`, and `resume_task` lets it go on with more.
    #[serde(default)]
    #[schemars(range(min = 0))]
    max_cost_usd: Option<f64>,
    /// With `execute`: most tokens to use, read and written, in the same way.
    #[serde(default)]
    #[schemars(range(min = 1))]
    max_tokens: Option<u64>,
    /// With `execute`: how soon it is begun when more work waits than is worked on.
    #[serde(default)]
    priority: Priority,
    /// With `execute`: where the result goes once it is there, by names under `destinations` in .crew/config.yaml.
    #[serde(default)]
    #[schemars(length(max = 20))]
    deliver: Vec<String>,
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
    /// What the task waits for a person to decide; tell the answer with `approve_task`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    waiting: Vec<Waiting>,
}

impl RunEmployee {
    /// The task that does what `args` ask for.
    async fn plan(&self, ctx: &Ctx, args: Args) -> Result<NewTask, Error> {
        let budget = budget(args.max_cost_usd, args.max_tokens)?;
        let order = office::order(ctx, TargetKind::Employee, args.name, args.args, args.model);
        let mut new = self.0.crew.plan(order).await?;
        budget.put(&mut new.options);
        new.priority = args.priority;
        self.0.deliver(&args.deliver, &mut new).await?;
        Ok(new)
    }

    async fn prompt(&self, args: Args) -> Result<Answer, Error> {
        let employee = self.0.crew.employee(&args.name).await?;
        let prompt = self.0.crew.render(&employee, &Given::named(args.args)).await?;
        Ok(Answer {
            employee: employee.name.clone(),
            prompt: Some(prompt),
            task_id: None,
            status: None,
            answer: None,
            waiting: Vec::new(),
        })
    }

    /// The answer of a task that has come to rest.
    fn ended(ctx: &Ctx, task: &Task) -> Result<Answer, Error> {
        if approval::waits(ctx, task)? { Ok(Answer::of(task, None)) } else { Self::conclude(task) }
    }
}

impl Answer {
    /// What is said of a task, with the answer if it has one.
    fn of(task: &Task, answer: Option<engine::Answer>) -> Self {
        Self {
            employee: task.target_name.clone(),
            prompt: None,
            task_id: Some(task.task_id.clone()),
            status: Some(task.status),
            answer,
            waiting: task.waiting.clone(),
        }
    }
}

impl Detached for RunEmployee {
    const KIND: Kind = engine::EMPLOYEE_RUN;

    async fn start(&self, ctx: Ctx, mut args: Args) -> Result<Start<Answer>, Error> {
        ctx.complete(&mut args.args)?;
        if !args.execute || args.background {
            return self.call(ctx, args).await.map(Start::Done);
        }
        let employee = self.0.crew.employee(&args.name).await?;
        // A caller may come to know of tasks only after it was asked.
        if let Some(task) = self.0.begun(&ctx, &Self::KIND, &employee.name).await? {
            self.0.decide(&ctx, &task).await?;
            return self.0.task(task.task_id.as_str()).await.map(Start::Task);
        }
        let new = self.plan(&ctx, args).await?;
        self.0.submit(&ctx, new).await.map(Start::Task)
    }

    fn conclude(task: &Task) -> Result<Answer, Error> {
        Ok(Answer::of(task, Some(office::result(task)?)))
    }
}

impl Tool for RunEmployee {
    type Args = Args;
    type Output = Answer;

    const NAME: &'static str = "run_employee";
    const TITLE: &'static str = "Run an employee";
    const SUMMARY: &'static str = "Renders the prompt of an employee for you to follow, or, with `execute`, has the \
        employee's own model do the work and answers with what it says. It may come to wait for an approval of a tool; \
        the answer then says so, and `approve_task` lets it go on.";
    const ANNOTATIONS: Annotations = Annotations::WORKS;

    async fn call(&self, ctx: Ctx, mut args: Args) -> Result<Answer, Error> {
        ctx.complete(&mut args.args)?;
        if !args.execute {
            return self.prompt(args).await;
        }
        let background = args.background;
        let employee = self.0.crew.employee(&args.name).await?;
        if let Some(task) = self.0.begun(&ctx, &Self::KIND, &employee.name).await? {
            self.0.decide(&ctx, &task).await?;
            return Self::ended(&ctx, &*self.0.follow(&ctx, &task.task_id, Some(1)).await?);
        }
        let new = self.plan(&ctx, args).await?;
        if background {
            let task = self.0.submit(&ctx, new).await?;
            // It may have begun by now, but that is not what this call found.
            return Ok(Answer {
                status: Some(Status::Pending),
                waiting: Vec::new(),
                ..Answer::of(&task, None)
            });
        }
        Self::ended(&ctx, &*self.0.see_through(&ctx, new, Some(1)).await?)
    }

    fn text(answer: &Answer) -> Option<String> {
        answer.prompt.clone().or_else(|| Some(answer.answer.as_ref()?.output.clone()))
    }
}

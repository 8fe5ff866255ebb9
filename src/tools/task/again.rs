//! `resume_task`, `replay_task` and `fork_task`.

use std::sync::Arc;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    engine::{Again, Changes},
    tasks::{Status, Task, TaskId},
    tools::{Annotations, Ctx, Error, Tool, cost::budget, office::Office},
};

pub(in crate::tools) struct ResumeTask(pub(in crate::tools) Office);

pub(in crate::tools) struct ReplayTask(pub(in crate::tools) Office);

pub(in crate::tools) struct ForkTask(pub(in crate::tools) Office);

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::tools) struct ResumeArgs {
    /// Id of a task that failed or was cancelled.
    task_id: String,
    /// Go on even if its pipeline was changed since it began.
    #[serde(default)]
    force: bool,
    /// Model to go on with, in place of every other choice.
    #[serde(default)]
    model: Option<String>,
    /// Most US dollars that it may cost in all, what it has spent included.
    #[serde(default)]
    #[schemars(range(min = 0))]
    max_cost_usd: Option<f64>,
    /// Most tokens that it may use in all.
    #[serde(default)]
    #[schemars(range(min = 1))]
    max_tokens: Option<u64>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::tools) struct ReplayArgs {
    /// Id of a task that has ended, well or not.
    task_id: String,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::tools) struct ForkArgs {
    /// Id of a task that has ended, well or not.
    task_id: String,
    /// The first step to do anew: a name among the `steps` that `get_task` shows, such as `2:review`, or its id or number.
    step: String,
    /// Values in place of those the task had, by name.
    #[serde(default)]
    args: IndexMap<String, String>,
    /// Model to use, in place of every other choice.
    #[serde(default)]
    model: Option<String>,
    /// Go on even if its pipeline was changed since it began.
    #[serde(default)]
    force: bool,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::tools) struct Answer {
    /// The task that does the work; follow it with `get_task`.
    task_id: TaskId,
    status: Status,
    /// The task it does again, when that is another.
    #[serde(skip_serializing_if = "Option::is_none")]
    origin: Option<TaskId>,
    /// How many finished steps it need not do again.
    steps: usize,
}

impl From<Arc<Task>> for Answer {
    fn from(task: Arc<Task>) -> Self {
        let steps = task.steps.iter().filter(|step| !step.is_inner()).count();
        Self { task_id: task.task_id.clone(), status: task.status, origin: task.origin.clone(), steps }
    }
}

impl Tool for ResumeTask {
    type Args = ResumeArgs;
    type Output = Answer;

    const NAME: &'static str = "resume_task";
    const TITLE: &'static str = "Go on with a task";
    const SUMMARY: &'static str = "Lets a task that failed or was cancelled go on where it stopped: steps it had finished \
        are not done again.";
    const ANNOTATIONS: Annotations = Annotations::WORKS;

    async fn call(&self, ctx: Ctx, args: ResumeArgs) -> Result<Answer, Error> {
        let budget = budget(args.max_cost_usd, args.max_tokens)?;
        let changes = Changes { model: args.model, budget, force: args.force, ..by(&ctx) };
        Ok(self.0.again(&args.task_id, &Again::Resume, changes, ctx.key()).await?.into())
    }
}

impl Tool for ReplayTask {
    type Args = ReplayArgs;
    type Output = Answer;

    const NAME: &'static str = "replay_task";
    const TITLE: &'static str = "Do a task again";
    const SUMMARY: &'static str =
        "Does an ended task once more from its beginning, as a new task with the same values and settings.";
    const ANNOTATIONS: Annotations = Annotations::WORKS;

    async fn call(&self, ctx: Ctx, args: ReplayArgs) -> Result<Answer, Error> {
        Ok(self.0.again(&args.task_id, &Again::Replay, by(&ctx), ctx.key()).await?.into())
    }
}

impl Tool for ForkTask {
    type Args = ForkArgs;
    type Output = Answer;

    const NAME: &'static str = "fork_task";
    const TITLE: &'static str = "Do a task again from one of its steps on";
    const SUMMARY: &'static str = "Starts a new task that takes over what an ended one did before the step named here, and \
        does that step and all after it anew, with other values if some are given.";
    const ANNOTATIONS: Annotations = Annotations::WORKS;

    async fn call(&self, ctx: Ctx, args: ForkArgs) -> Result<Answer, Error> {
        let changes = Changes { args: args.args, model: args.model, force: args.force, ..by(&ctx) };
        Ok(self.0.again(&args.task_id, &Again::Fork(args.step), changes, ctx.key()).await?.into())
    }
}

fn by(ctx: &Ctx) -> Changes {
    Changes { caller: Some(ctx.caller().name().to_owned()), ..Changes::default() }
}

//! `approve_task`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    defs::Scope,
    tasks::{Decision, Status, TaskId, Waiting},
    tools::{Annotations, Ctx, Error, Tool, office::Office},
};

pub(in crate::tools) struct ApproveTask(pub(in crate::tools) Office);

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::tools) struct Args {
    /// Id of the task, as it was given when the work was started.
    task_id: String,
    /// Whether the work may go on; if not, the task fails.
    approved: bool,
    /// Why, at most 4000 characters.
    #[serde(default)]
    comment: Option<String>,
    /// What is decided about, one of the task's `waiting`; needed once the task has asked more than one thing.
    #[serde(default)]
    step: Option<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::tools) struct Answer {
    task_id: TaskId,
    /// How far the task is now.
    status: Status,
    /// What it still waits for.
    waiting: Vec<Waiting>,
}

impl Tool for ApproveTask {
    type Args = Args;
    type Output = Answer;

    const NAME: &'static str = "approve_task";
    const TITLE: &'static str = "Approve or refuse a task";
    const SUMMARY: &'static str = "Tells a task that waits for an approval whether it may go on; `get_task` shows what \
        it waits for. Decide only as the person you work for told you to.";
    const ANNOTATIONS: Annotations = Annotations {
        read_only_hint: false,
        destructive_hint: false,
        // A second decision is refused, and without `step` only the first question can be answered.
        idempotent_hint: true,
        open_world_hint: true,
    };
    const NEEDS: Scope = Scope::Admin;

    async fn call(&self, ctx: Ctx, args: Args) -> Result<Answer, Error> {
        let task = self.0.task(&args.task_id).await?;
        let comment = args.comment.filter(|comment| !comment.trim().is_empty());
        let by = Some(ctx.caller().name().to_owned());
        let decision = Decision { approved: args.approved, comment, by };
        let tasks = self.0.tasks().await?;
        let task = self.0.acts.decide(tasks, &task.task_id, args.step.as_deref(), decision).await?;
        Ok(Answer { task_id: task.task_id.clone(), status: task.status, waiting: task.waiting.clone() })
    }
}

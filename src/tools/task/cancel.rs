//! `cancel_task`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    tasks::{Status, TaskId},
    tools::{Annotations, Ctx, Error, Tool, office::Office},
};

pub(in crate::tools) struct CancelTask(pub(in crate::tools) Office);

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::tools) struct Args {
    /// Id of the task, as it was given when the work was started.
    task_id: String,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::tools) struct Answer {
    task_id: TaskId,
    status: Status,
    /// How many steps it had finished; `resume_task` goes on after them.
    steps: usize,
}

impl Tool for CancelTask {
    type Args = Args;
    type Output = Answer;

    const NAME: &'static str = "cancel_task";
    const TITLE: &'static str = "Stop a task";
    const SUMMARY: &'static str = "Stops a task that waits, is being worked on, or waits for an approval. What it has finished is kept.";
    const ANNOTATIONS: Annotations = Annotations {
        read_only_hint: false,
        destructive_hint: true,
        // A task that has ended is refused, and stays as it ended.
        idempotent_hint: true,
        open_world_hint: false,
    };

    async fn call(&self, ctx: Ctx, args: Args) -> Result<Answer, Error> {
        let task = self.0.task(&args.task_id).await?;
        let tasks = self.0.tasks().await?;
        let task = self.0.acts.cancel(tasks, &task.task_id, ctx.caller().name()).await?;
        let steps = task.steps.iter().filter(|step| !step.is_inner()).count();
        Ok(Answer { task_id: task.task_id.clone(), status: task.status, steps })
    }
}

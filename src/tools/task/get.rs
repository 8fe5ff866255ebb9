//! `get_task`.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    tasks::Task,
    tools::{Annotations, Ctx, Error, Tool, office::Office},
};

pub(in crate::tools) struct GetTask(pub(in crate::tools) Office);

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::tools) struct Args {
    /// Id of the task, as it was given when the work was started.
    task_id: String,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::tools) struct Answer {
    #[serde(flatten)]
    task: Arc<Task>,
}

impl Tool for GetTask {
    type Args = Args;
    type Output = Answer;

    const NAME: &'static str = "get_task";
    const TITLE: &'static str = "Show a task";
    const SUMMARY: &'static str =
        "Shows a task: how far it is, which steps are finished, and its result or error.";
    const ANNOTATIONS: Annotations = Annotations::READS;

    async fn call(&self, _: Ctx, args: Args) -> Result<Answer, Error> {
        Ok(Answer { task: self.0.task(&args.task_id).await? })
    }
}

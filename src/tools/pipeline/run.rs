//! `run_pipeline`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    defs::TargetKind,
    engine::{self, Order, PipelineRun},
    tasks::{Status, TaskId, Trigger},
    tools::{
        Annotations, Ctx, Error, Tool,
        office::{self, Office},
    },
};

pub(in crate::tools) struct RunPipeline(pub(in crate::tools) Office);

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::tools) struct Args {
    /// Name of the pipeline.
    name: String,
    /// Values for the run, by name; `list_pipelines` tells which it needs.
    #[serde(default)]
    args: engine::Args,
    /// Call the models; else the prompts of all steps are the answer.
    #[serde(default)]
    execute: bool,
    /// With `execute`: answer with a task id at once instead of waiting; see `get_task`.
    #[serde(default)]
    background: bool,
    /// With `execute`: a model to use in place of every other choice.
    #[serde(default)]
    model: Option<String>,
}

/// The prompts, or what became of the run.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::tools) struct Answer {
    /// The task that did the work.
    #[serde(skip_serializing_if = "Option::is_none")]
    task_id: Option<TaskId>,
    /// How far that task is.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<Status>,
    /// The steps with their prompts or outputs.
    #[serde(skip_serializing_if = "Option::is_none")]
    run: Option<PipelineRun>,
}

impl Tool for RunPipeline {
    type Args = Args;
    type Output = Answer;

    const NAME: &'static str = "run_pipeline";
    const TITLE: &'static str = "Run a pipeline";
    const SUMMARY: &'static str = "Renders the prompts of all steps of a pipeline, or, with `execute`, runs it: \
        each employee's model works in turn on what the ones before it gave.";
    const ANNOTATIONS: Annotations = Annotations::WORKS;

    async fn call(&self, ctx: Ctx, args: Args) -> Result<Answer, Error> {
        if !args.execute {
            let run = self.0.crew.preview_pipeline(&args.name, &args.args).await?;
            return Ok(Answer { task_id: None, status: None, run: Some(run) });
        }
        let background = args.background;
        let order = Order {
            kind: TargetKind::Pipeline,
            target: args.name,
            args: args.args,
            model: args.model,
            trigger: Trigger::TOOL,
            caller: Some(ctx.caller().name().to_owned()),
            idempotency_key: None,
        };
        let pipeline = self.0.crew.pipeline(&order.target).await?;
        let new = self.0.crew.plan(order).await?;
        if background {
            let id = self.0.tasks().await?.submit(new).await?.id;
            return Ok(Answer { task_id: Some(id), status: Some(Status::Pending), run: None });
        }
        let task = self.0.see_through(&ctx, new, pipeline.step_count()).await?;
        Ok(Answer {
            task_id: Some(task.task_id.clone()),
            status: Some(task.status),
            run: Some(office::result(&task)?),
        })
    }
}

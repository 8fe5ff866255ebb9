//! `run_pipeline`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    defs::TargetKind,
    engine::{self, Order, PipelineRun},
    tasks::{Kind, NewTask, Status, Task, TaskId, Trigger},
    tools::{
        Annotations, Ctx, Detached, Error, Start, Tool,
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

impl Answer {
    /// What is said of a task, with the run if it came that far.
    fn of(task: &Task, run: Option<PipelineRun>) -> Self {
        Self { task_id: Some(task.task_id.clone()), status: Some(task.status), run }
    }
}

impl RunPipeline {
    /// The task that does what `args` ask for.
    async fn plan(&self, ctx: &Ctx, args: Args) -> Result<NewTask, Error> {
        let order = Order {
            kind: TargetKind::Pipeline,
            target: args.name,
            args: args.args,
            model: args.model,
            trigger: Trigger::TOOL,
            caller: Some(ctx.caller().name().to_owned()),
            idempotency_key: None,
        };
        Ok(self.0.crew.plan(order).await?)
    }
}

impl Detached for RunPipeline {
    const KIND: Kind = engine::PIPELINE_RUN;

    async fn start(&self, ctx: Ctx, args: Args) -> Result<Start<Answer>, Error> {
        if !args.execute || args.background {
            return self.call(ctx, args).await.map(Start::Done);
        }
        let new = self.plan(&ctx, args).await?;
        self.0.submit(new).await.map(Start::Task)
    }

    fn conclude(task: &Task) -> Result<Answer, Error> {
        Ok(Answer::of(task, Some(office::result(task)?)))
    }
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
        let pipeline = self.0.crew.pipeline(&args.name).await?;
        let new = self.plan(&ctx, args).await?;
        if background {
            let task = self.0.submit(new).await?;
            // It may have begun by now, but that is not what this call found.
            return Ok(Answer { status: Some(Status::Pending), ..Answer::of(&task, None) });
        }
        Self::conclude(&*self.0.see_through(&ctx, new, pipeline.steps().count()).await?)
    }
}

//! `run_pipeline`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    base::Priority,
    defs::TargetKind,
    engine::{self, PipelineRun},
    tasks::{Kind, NewTask, Status, Task, TaskId, Waiting},
    tools::{
        Annotations, Ctx, Detached, Error, Start, Tool, approval,
        cost::budget,
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
    /// What the task waits for a person to decide; tell the answer with `approve_task`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    waiting: Vec<Waiting>,
}

impl Answer {
    /// What is said of a task, with the run if it came that far.
    fn of(task: &Task, run: Option<PipelineRun>) -> Self {
        let waiting = task.waiting.clone();
        Self { task_id: Some(task.task_id.clone()), status: Some(task.status), run, waiting }
    }
}

impl RunPipeline {
    /// The task that does what `args` ask for.
    async fn plan(&self, ctx: &Ctx, args: Args) -> Result<NewTask, Error> {
        let budget = budget(args.max_cost_usd, args.max_tokens)?;
        let order = office::order(ctx, TargetKind::Pipeline, args.name, args.args, args.model);
        let mut new = self.0.crew.plan(order).await?;
        budget.put(&mut new.options);
        new.priority = args.priority;
        self.0.deliver(&args.deliver, &mut new).await?;
        Ok(new)
    }

    /// The answer of a task that has come to rest.
    fn ended(ctx: &Ctx, task: &Task) -> Result<Answer, Error> {
        if approval::waits(ctx, task)? { Ok(Answer::of(task, None)) } else { Self::conclude(task) }
    }
}

impl Detached for RunPipeline {
    const KIND: Kind = engine::PIPELINE_RUN;

    async fn start(&self, ctx: Ctx, mut args: Args) -> Result<Start<Answer>, Error> {
        ctx.complete(&mut args.args)?;
        if !args.execute || args.background {
            return self.call(ctx, args).await.map(Start::Done);
        }
        let pipeline = self.0.crew.pipeline(&args.name).await?;
        // A caller may come to know of tasks only after it was asked.
        if let Some(task) = self.0.begun(&ctx, &Self::KIND, &pipeline.name).await? {
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

impl Tool for RunPipeline {
    type Args = Args;
    type Output = Answer;

    const NAME: &'static str = "run_pipeline";
    const TITLE: &'static str = "Run a pipeline";
    const SUMMARY: &'static str = "Renders the prompts of all steps of a pipeline, or, with `execute`, runs it: \
        each employee's model works in turn on what the ones before it gave. A run may come to wait for an approval; \
        the answer then says so, and `approve_task` lets it go on.";
    const ANNOTATIONS: Annotations = Annotations::WORKS;

    async fn call(&self, ctx: Ctx, mut args: Args) -> Result<Answer, Error> {
        ctx.complete(&mut args.args)?;
        if !args.execute {
            let run = self.0.crew.preview_pipeline(&args.name, &args.args).await?;
            return Ok(Answer { task_id: None, status: None, run: Some(run), waiting: Vec::new() });
        }
        let background = args.background;
        let pipeline = self.0.crew.pipeline(&args.name).await?;
        let total = pipeline.step_count();
        if let Some(task) = self.0.begun(&ctx, &Self::KIND, &pipeline.name).await? {
            self.0.decide(&ctx, &task).await?;
            return Self::ended(&ctx, &*self.0.follow(&ctx, &task.task_id, total).await?);
        }
        let new = self.plan(&ctx, args).await?;
        if background {
            let task = self.0.submit(&ctx, new).await?;
            // It may have begun by now, but that is not what this call found.
            let status = Some(Status::Pending);
            return Ok(Answer { status, waiting: Vec::new(), ..Answer::of(&task, None) });
        }
        Self::ended(&ctx, &*self.0.see_through(&ctx, new, total).await?)
    }
}

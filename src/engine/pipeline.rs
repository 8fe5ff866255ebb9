//! A pipeline at work: its steps in order, groups side by side, each finished step kept.

use std::sync::Arc;

use futures_util::{StreamExt, stream};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{
    Answer, Args, Crew, Error, Order,
    crew::find_employee,
    prompt::{self, Given},
    run::option,
    wiring::{self, Outputs},
};
use crate::{
    base::{clock::Stopwatch, text::truncate},
    catalog::Snapshot,
    defs::{Item, Pipeline, Step},
    tasks::{Failure, Steps, Task},
};

/// How many members of a group work at the same time.
const GROUP_WIDTH: usize = 8;

/// Most characters of an error that a step's record keeps.
const ERROR_LIMIT: usize = 500;

/// What became of one step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StepRun {
    /// Who worked.
    pub employee: String,
    /// Id of the step; empty when it has none.
    pub step_id: String,
    /// Place in the flat order of steps, from 0.
    pub step_index: usize,
    /// The values it worked with.
    pub args: Args,
    /// The prompt; given only when prompts are all that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt: Option<String>,
    /// What it gave.
    pub output: String,
    /// Whether it failed.
    pub error: bool,
    /// Why it failed, at most 500 characters.
    pub error_message: String,
    /// The model that answered.
    pub model: String,
    /// Tokens read.
    pub input_tokens: u64,
    /// Tokens written.
    pub output_tokens: u64,
    /// How long it took.
    pub duration_ms: u64,
}

/// One place in the order of a run: a step, or the members of a group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum ItemRun {
    /// A step.
    Step(Box<StepRun>),
    /// A group.
    Group(Vec<StepRun>),
}

/// Whether models were called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Prompts were rendered, nothing was run.
    Prompt,
    /// Every step was run.
    Execute,
}

/// What became of a pipeline.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PipelineRun {
    /// Which pipeline.
    pub pipeline_name: String,
    /// Whether models were called.
    pub mode: Mode,
    /// Its steps as far as it came.
    pub steps: Vec<ItemRun>,
    /// How long it took in all, interruptions left out.
    pub total_duration_ms: u64,
    /// Tokens read in all.
    pub total_input_tokens: u64,
    /// Tokens written in all.
    pub total_output_tokens: u64,
}

impl PipelineRun {
    fn new(pipeline: &Pipeline, mode: Mode) -> Self {
        Self {
            pipeline_name: pipeline.name.clone(),
            mode,
            steps: Vec::with_capacity(pipeline.items.len()),
            total_duration_ms: 0,
            total_input_tokens: 0,
            total_output_tokens: 0,
        }
    }

    fn push(&mut self, item: &Item, mut runs: Vec<StepRun>) {
        // Members of a group overlap in time, steps do not.
        self.total_duration_ms += runs.iter().map(|run| run.duration_ms).max().unwrap_or(0);
        self.total_input_tokens += runs.iter().map(|run| run.input_tokens).sum::<u64>();
        self.total_output_tokens += runs.iter().map(|run| run.output_tokens).sum::<u64>();
        self.steps.push(match (item, runs.pop()) {
            (Item::Step(_), Some(run)) => ItemRun::Step(Box::new(run)),
            (_, last) => ItemRun::Group(runs.into_iter().chain(last).collect()),
        });
    }

    /// All steps in flat order.
    pub fn step_runs(&self) -> impl Iterator<Item = &StepRun> {
        self.steps.iter().flat_map(|item| match item {
            ItemRun::Step(run) => std::slice::from_ref(run.as_ref()),
            ItemRun::Group(runs) => runs.as_slice(),
        })
    }
}

/// A short name for this very definition, to tell whether it changed while a run was interrupted.
pub(crate) fn fingerprint(pipeline: &Pipeline) -> String {
    let text = serde_json::to_vec(pipeline).unwrap_or_default();
    hex::encode(Sha256::digest(text)).chars().take(16).collect()
}

/// Checks all that can be known before a run: employees, values, models.
pub(crate) fn check(
    crew: &Crew,
    definitions: &Snapshot,
    pipeline: &Pipeline,
    order: &Order,
) -> Result<(), Error> {
    check_inputs(pipeline, &order.args)?;
    for step in pipeline.steps() {
        let employee = find_employee(definitions, &step.employee)?;
        // Values that come from other steps are not known yet; as written they are not blank, which is enough here.
        prompt::check_arguments(&employee, &Given::named(wiring::preview(step, &order.args)))?;
        crew.llm().check(crew.model(asked(order.model.as_deref(), step), &employee))?;
    }
    Ok(())
}

fn check_inputs(pipeline: &Pipeline, args: &Args) -> Result<(), Error> {
    let names: Vec<_> =
        wiring::inputs(pipeline).into_iter().filter(|name| !args.contains_key(name)).collect();
    if names.is_empty() {
        return Ok(());
    }
    Err(Error::MissingArguments { of: format!("pipeline `{}`", pipeline.name), names })
}

/// What the run asks for goes before what the step asks for.
fn asked<'m>(run: Option<&'m str>, step: &'m Step) -> Option<&'m str> {
    run.or(step.model.as_deref())
}

impl Crew {
    /// Renders the prompts of a pipeline without running anything; references to outputs stay as they are written.
    ///
    /// # Errors
    /// An unknown pipeline or employee, or missing values.
    pub async fn preview_pipeline(&self, name: &str, args: &Args) -> Result<PipelineRun, Error> {
        let pipeline = self.pipeline(name).await?;
        check_inputs(&pipeline, args)?;
        let definitions = self.definitions().await;
        let mut shown = PipelineRun::new(&pipeline, Mode::Prompt);
        let mut index = 0;
        for item in &pipeline.items {
            let mut runs = Vec::with_capacity(item.steps().len());
            for step in item.steps() {
                let employee = find_employee(&definitions, &step.employee)?;
                let given = Given::named(wiring::preview(step, args));
                let prompt = self.render(&employee, &given).await?;
                let mut shown = blank(step, index);
                shown.employee.clone_from(&employee.name);
                shown.args = given.named;
                shown.prompt = Some(prompt);
                runs.push(shown);
                index += 1;
            }
            shown.push(item, runs);
        }
        Ok(shown)
    }
}

fn blank(step: &Step, index: usize) -> StepRun {
    StepRun {
        employee: step.employee.clone(),
        step_id: step.id.clone().unwrap_or_default(),
        step_index: index,
        args: Args::new(),
        prompt: None,
        output: String::new(),
        error: false,
        error_message: String::new(),
        model: String::new(),
        input_tokens: 0,
        output_tokens: 0,
        duration_ms: 0,
    }
}

/// The body of a `pipeline.run` task.
///
/// # Errors
/// The first failed step, or all of them when the pipeline says to go on; the result so far goes with it.
pub(crate) async fn run(crew: Arc<Crew>, task: Arc<Task>, steps: Steps) -> Result<Value, Failure> {
    let pipeline = crew.pipeline(&task.target_name).await?;
    if steps.attempt() > 1 && option(&task, "definition").is_some_and(|then| then != fingerprint(&pipeline)) {
        return Err(Failure::new(format!(
            "pipeline `{}` was changed while this run was interrupted; start it again",
            pipeline.name
        )));
    }
    let definitions = crew.definitions().await;
    let one = OneRun { crew: &crew, definitions: &definitions, task: &task, steps: &steps };
    let mut result = PipelineRun::new(&pipeline, Mode::Execute);
    let mut outputs = Outputs::default();
    let mut index = 0;
    for item in &pipeline.items {
        let members = item.steps();
        // Each member of a group sees what was there before the group.
        let works: Vec<_> =
            members.iter().enumerate().map(|(place, step)| one.step(step, index + place, &outputs)).collect();
        let runs: Vec<StepRun> = stream::iter(works).buffered(GROUP_WIDTH).collect().await;
        index += members.len();
        outputs.push(
            members.iter().zip(&runs).map(|(step, run)| (step, (!run.error).then(|| run.output.clone()))),
        );
        result.push(item, runs);
        if pipeline.fail_fast && result.step_runs().any(|run| run.error) {
            break;
        }
    }
    conclude(&pipeline, &result)
}

fn conclude(pipeline: &Pipeline, result: &PipelineRun) -> Result<Value, Failure> {
    let failed = result.step_runs().find(|run| run.error);
    let any_good = result.step_runs().any(|run| !run.error);
    let value = serde_json::to_value(result).map_err(|error| Failure::new(error.to_string()))?;
    match failed {
        Some(failed) if pipeline.fail_fast || !any_good => {
            let name = if failed.step_id.is_empty() { &failed.employee } else { &failed.step_id };
            let message = format!("step {} (`{name}`) failed: {}", failed.step_index, failed.error_message);
            Err(Failure { message, partial: Some(value) })
        }
        _ => Ok(value),
    }
}

struct OneRun<'r> {
    crew: &'r Arc<Crew>,
    definitions: &'r Snapshot,
    task: &'r Task,
    steps: &'r Steps,
}

impl OneRun<'_> {
    /// Runs one step, unless an earlier attempt finished it. A failed step is an answer too, but not a kept one.
    async fn step(&self, step: &Step, index: usize, outputs: &Outputs) -> StepRun {
        let watch = Stopwatch::start();
        // The index makes the name unique; the id makes it readable.
        let name = format!("{index}:{}", step.id.as_deref().unwrap_or(&step.employee));
        let ran = self.steps.run(&name, || self.work(step, index, outputs)).await;
        ran.unwrap_or_else(|failure| StepRun {
            error: true,
            error_message: truncate(&failure.message, ERROR_LIMIT),
            duration_ms: watch.elapsed_ms(),
            ..blank(step, index)
        })
    }

    async fn work(&self, step: &Step, index: usize, outputs: &Outputs) -> Result<StepRun, Failure> {
        let employee = find_employee(self.definitions, &step.employee)?;
        let args =
            outputs.wire(step, &self.task.args).map_err(|unwired| Failure::new(unwired.to_string()))?;
        let given = Given::named(args);
        let model = asked(option(self.task, "model"), step);
        let answer: Answer = self.crew.answer(&employee, &given, model).await?;
        Ok(StepRun {
            employee: answer.employee,
            args: given.named,
            output: answer.output,
            model: answer.model,
            input_tokens: answer.input_tokens,
            output_tokens: answer.output_tokens,
            duration_ms: answer.duration_ms,
            ..blank(step, index)
        })
    }
}

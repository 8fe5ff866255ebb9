//! A pipeline at work: its steps in order, groups side by side, ways taken and loops gone round, each finished step
//! kept.

mod places;
mod preview;
mod run;
mod step;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

pub(crate) use places::places;
pub(crate) use run::run;

use super::{
    Args, Crew, Error, Missing, Order,
    crew::find_employee,
    prompt::{self, Given},
    run::is_none_read,
    wiring,
};
use crate::{
    catalog::Snapshot,
    defs::{Budget, Item, Pipeline, Step, Work},
};

/// What became of one step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StepRun {
    /// Who worked.
    pub employee: String,
    /// Id of the step; empty when it has none.
    pub step_id: String,
    /// Place of the step among all of the pipeline as they are written, from 0; what runs twice has it twice.
    pub step_index: usize,
    /// Why it ran: `then` or `else` of a condition, `loop-0`, `loop-1`, … in a loop.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    /// It did not run, as its `when` did not hold.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub skipped: bool,
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
    /// Those among them that the provider had in its cache.
    #[serde(default, skip_serializing_if = "is_none_read")]
    pub cached_input_tokens: u64,
    /// Tokens written.
    pub output_tokens: u64,
    /// What it cost in US dollars; absent when the price of a model is not known, or nothing was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_usd: Option<f64>,
    /// How long it took.
    pub duration_ms: u64,
}

/// One place in the order of a run: a step, or the members of a group, or all that a condition or a loop ran.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum ItemRun {
    /// A step.
    Step(Box<StepRun>),
    /// Several, in the order of their beginning.
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
    /// What the steps cost in US dollars, as far as prices are known.
    #[serde(default)]
    pub total_cost_usd: f64,
    /// The models whose prices are not known: what they took comes on top.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unpriced_models: Vec<String>,
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
            total_cost_usd: 0.0,
            unpriced_models: Vec::new(),
        }
    }

    /// Counts what ran together.
    fn count(&mut self, runs: &[StepRun]) {
        // Members of a group overlap in time, steps do not.
        self.total_duration_ms += runs.iter().map(|run| run.duration_ms).max().unwrap_or(0);
        self.total_input_tokens += runs.iter().map(|run| run.input_tokens).sum::<u64>();
        self.total_output_tokens += runs.iter().map(|run| run.output_tokens).sum::<u64>();
        for run in runs.iter().filter(|run| !run.model.is_empty()) {
            match run.cost_usd {
                Some(cost) => self.total_cost_usd += cost,
                None if self.unpriced_models.contains(&run.model) => {}
                None => self.unpriced_models.push(run.model.clone()),
            }
        }
        // Sums of dollars go wrong far behind the point, where nothing costs anything.
        self.total_cost_usd = (self.total_cost_usd * 1e9).round() / 1e9;
    }

    /// Adds what an item ran. A group stays a list of one; what a condition or a loop ran only once does not.
    fn push(&mut self, item: &Item, mut runs: Vec<StepRun>) {
        let is_group = matches!(item, Item::Work(Work::Parallel(_)));
        match runs.pop() {
            None => {}
            Some(run) if runs.is_empty() && !is_group => self.steps.push(ItemRun::Step(Box::new(run))),
            last => self.steps.push(ItemRun::Group(runs.into_iter().chain(last).collect())),
        }
    }

    /// All that ran, in order.
    pub fn step_runs(&self) -> impl Iterator<Item = &StepRun> {
        self.steps.iter().flat_map(|item| match item {
            ItemRun::Step(run) => std::slice::from_ref(run.as_ref()),
            ItemRun::Group(runs) => runs.as_slice(),
        })
    }
}

/// A short name for this very definition, to tell whether it changed while a run was interrupted.
pub(crate) fn fingerprint(pipeline: &Pipeline) -> String {
    // With more to spend it is the same pipeline.
    let pipeline = Pipeline { budget: Budget::default(), ..pipeline.clone() };
    let text = serde_json::to_vec(&pipeline).unwrap_or_default();
    hex::encode(Sha256::digest(text)).chars().take(16).collect()
}

/// Checks all that can be known before a run: employees, values, models.
pub(crate) fn check(
    crew: &Crew,
    definitions: &Snapshot,
    pipeline: &Pipeline,
    order: &Order,
) -> Result<(), Error> {
    check_args(pipeline, &order.args)?;
    for (index, step) in pipeline.steps().enumerate() {
        let employee = find_employee(definitions, &step.employee)?;
        // Values that come from other steps are not known yet; as written they are not blank, which is enough here.
        prompt::check_arguments(&employee, &Given::named(wiring::preview(step, &order.args)))
            .map_err(|error| error.at_step(&pipeline.name, index))?;
        crew.llm().check(&crew.model(definitions, asked(order.model.as_deref(), step), &employee))?;
    }
    Ok(())
}

/// Checks that every value is given that must be.
fn check_args(pipeline: &Pipeline, given: &Args) -> Result<(), Error> {
    let declared = |name: &str| pipeline.args.iter().find(|arg| arg.name == name);
    let missing: Vec<_> = pipeline
        .required_args()
        .into_iter()
        .filter(|name| !given.contains_key(name))
        .map(|name| {
            let description = declared(&name).map(|arg| arg.description.clone()).unwrap_or_default();
            Missing { name, description }
        })
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(Error::MissingArguments { of: format!("pipeline `{}`", pipeline.name), missing })
}

/// What the run asks for goes before what the step asks for.
fn asked<'m>(run: Option<&'m str>, step: &'m Step) -> Option<&'m str> {
    run.or(step.model.as_deref())
}

/// What a step is recorded under. The index makes the name unique; the id makes it readable.
fn name(step: &Step, index: usize, round: Option<u32>) -> String {
    let round = round.map(|round| format!("@{round}")).unwrap_or_default();
    format!("{index}:{}{round}", step.id.as_deref().unwrap_or(&step.employee))
}

fn blank(step: &Step, index: usize) -> StepRun {
    StepRun {
        employee: step.employee.clone(),
        step_id: step.id.clone().unwrap_or_default(),
        step_index: index,
        branch: None,
        skipped: false,
        args: Args::new(),
        prompt: None,
        output: String::new(),
        error: false,
        error_message: String::new(),
        model: String::new(),
        input_tokens: 0,
        cached_input_tokens: 0,
        output_tokens: 0,
        cost_usd: None,
        duration_ms: 0,
    }
}

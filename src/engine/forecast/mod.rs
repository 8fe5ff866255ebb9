//! What a run would do, told before it is done: its steps, models, tools and secrets, how often models are asked, and
//! what that costs.

mod discussion;

use std::{borrow::Borrow, collections::BTreeMap};

use schemars::JsonSchema;
use serde::Serialize;

use super::{
    Args, Crew, Error, Job,
    cost::told,
    crew::find_employee,
    graph::mermaid,
    job::{BUDGETED_TOKENS, MOST_TURNS},
    prompt::Given,
    wiring,
};
use crate::{
    catalog::Snapshot,
    defs::{Employee, Format, Item, Pipeline, Step, TargetKind, Work},
    llm::Choice,
    tasks::Task,
};

/// How many recorded runs there have to be before they say more than an estimate.
const ENOUGH: usize = 3;

/// What a run would do.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Forecast {
    /// `employee`, `pipeline` or `discussion`.
    pub target_type: String,
    /// Its name.
    pub target_name: String,
    /// The order of the steps, in the language of Mermaid; pipelines have one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub graph: Option<String>,
    /// All steps, as they are written.
    pub steps: Vec<ForecastStep>,
    /// The models, and where they are served.
    pub models: Vec<ForecastModel>,
    /// The variables that hold secrets it needs, and whether they are set.
    pub secrets: BTreeMap<String, bool>,
    /// How often models are asked if no step fails for good.
    pub calls: Range,
    /// What that costs.
    pub cost: ForecastCost,
}

/// From, and to at most.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Range {
    /// At least.
    pub least: u64,
    /// At most.
    pub most: u64,
}

/// One step.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct ForecastStep {
    /// Its id; empty when it has none.
    pub step_id: String,
    /// Who works.
    pub employee: String,
    /// On which model.
    pub model: String,
    /// The model that stands in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fallback: Option<String>,
    /// The tools it may call.
    pub tools: Vec<String>,
    /// How often it is done: ways that are not taken, rounds of a loop.
    pub times: Range,
    /// How often models are asked each time: turns with tools, answers that do not fit, further tries.
    pub calls: Range,
    /// What it costs each time.
    pub cost: ForecastCost,
}

/// US dollars, from and to.
#[derive(Debug, Clone, Default, PartialEq, Serialize, JsonSchema)]
pub struct ForecastCost {
    /// At least, or what one in ten runs stayed below.
    pub low_usd: f64,
    /// At most, or what nine in ten runs stayed below; absent when nobody can say.
    pub high_usd: Option<f64>,
    /// The runs it is known from; 0 when any of it is an estimate, from the size of prompts and the limit of answers.
    pub runs: usize,
    /// Models whose prices are not known: what they take comes on top.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unpriced_models: Vec<String>,
}

/// A model.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct ForecastModel {
    /// Its name.
    pub model: String,
    /// Who serves it; absent when nobody does.
    pub provider: Option<String>,
    /// Where; absent when it is not sent anywhere.
    pub address: Option<String>,
    /// Why it could not be asked now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault: Option<String>,
}

impl Crew {
    /// Tells what a run of what is called `name` would do: of the employee, pipeline or discussion of that name, the first of
    /// them, unless `kind` says which is meant. What `past` tasks took says what it costs.
    ///
    /// # Errors
    /// When nothing is called that, or somebody in it is not there.
    pub async fn forecast<T: Borrow<Task> + Sync>(
        &self,
        kind: Option<TargetKind>,
        name: &str,
        args: &Args,
        past: &[T],
    ) -> Result<Forecast, Error> {
        let definitions = self.definitions().await;
        let past: Vec<&Task> = past.iter().map(Borrow::borrow).collect();
        let mut telling = Telling { crew: self, definitions: &definitions, past: &past, models: Vec::new() };
        let kind = match kind {
            Some(kind) => kind,
            None => kind_of(&definitions, name)?,
        };
        let mut known = None;
        let (name, graph, steps) = match kind {
            TargetKind::Employee => {
                let employee = find_employee(&definitions, name)?;
                let given = Given::named(args.clone());
                let step = telling.step(&employee, &given, None, "", 1).await?;
                (employee.name.clone(), None, vec![(step, ONCE)])
            }
            TargetKind::Pipeline => {
                let pipeline = self.pipeline(name).await?;
                let steps = telling.steps(&pipeline, args).await?;
                (pipeline.name.clone(), Some(mermaid(&pipeline)), steps)
            }
            TargetKind::Discussion => {
                let discussion = self.discussion(name).await?;
                known = discussion::recorded(&discussion.name, &past);
                (discussion.name.clone(), None, telling.turns(&discussion, args).await?)
            }
        };
        let models = telling.models;
        let mut secrets = BTreeMap::new();
        let mut served = Vec::new();
        for choice in &models {
            let place = self.llm().served(choice);
            if let Ok(place) = &place {
                secrets.extend(place.key.clone());
            }
            served.push(ForecastModel {
                model: choice.model.clone(),
                provider: place.as_ref().ok().map(|place| place.provider.clone()),
                address: place.ok().and_then(|place| place.address),
                fault: self.llm().check(choice).err().map(|error| error.to_string()),
            });
        }
        let (calls, mut cost) = total(&steps);
        if let Some(known) = known {
            cost = known;
        }
        let steps = steps.into_iter().map(|(step, _)| step).collect();
        let target_type = kind.to_string();
        Ok(Forecast { target_type, target_name: name, graph, steps, models: served, secrets, calls, cost })
    }
}

/// What is called `name`: an employee before a pipeline before a discussion.
fn kind_of(definitions: &Snapshot, name: &str) -> Result<TargetKind, Error> {
    let Err(unknown) = find_employee(definitions, name) else { return Ok(TargetKind::Employee) };
    if definitions.pipeline(name).is_some() {
        return Ok(TargetKind::Pipeline);
    }
    if definitions.discussion(name).is_some() {
        return Ok(TargetKind::Discussion);
    }
    // A file of that name that has errors is likelier meant than any other name.
    let is_faulty = |kind: &TargetKind| definitions.faulty(*kind, name.trim()).is_some();
    let has_hint = |kind: &TargetKind| definitions.hint(*kind, name).is_some();
    let kinds = [TargetKind::Employee, TargetKind::Pipeline, TargetKind::Discussion];
    let meant = kinds.into_iter().find(is_faulty).or_else(|| kinds.into_iter().skip(1).find(has_hint));
    let name = name.to_owned();
    match meant {
        Some(kind @ TargetKind::Pipeline) => {
            Err(Error::UnknownPipeline { hint: definitions.hint(kind, &name), name })
        }
        Some(kind @ TargetKind::Discussion) => {
            Err(Error::UnknownDiscussion { hint: definitions.hint(kind, &name), name })
        }
        Some(TargetKind::Employee) | None => Err(unknown),
    }
}

const ONCE: Range = Range { least: 1, most: 1 };

/// What steps take together. Of the ways of a condition only one is taken; which is dearer cannot be told, so that the
/// least is none and the most is both.
fn total(steps: &[(ForecastStep, Range)]) -> (Range, ForecastCost) {
    let (mut calls, mut cost) =
        (Range::default(), ForecastCost { high_usd: Some(0.0), ..ForecastCost::default() });
    let times = |count: u64| u32::try_from(count).map_or(f64::MAX, f64::from);
    for (step, way) in steps {
        calls.least += step.calls.least * way.least;
        calls.most += step.calls.most * way.most;
        cost.low_usd += step.cost.low_usd * times(way.least);
        let high = step.cost.high_usd.map(|high| high * times(way.most));
        cost.high_usd = cost.high_usd.zip(high).map(|(so_far, more)| so_far + more);
        for model in &step.cost.unpriced_models {
            if !cost.unpriced_models.contains(model) {
                cost.unpriced_models.push(model.clone());
            }
        }
    }
    let known = steps.iter().map(|(step, _)| step.cost.runs).min().unwrap_or_default();
    cost.low_usd = rounded(cost.low_usd);
    cost.high_usd = cost.high_usd.map(rounded);
    (calls, ForecastCost { runs: known, ..cost })
}

struct Telling<'t> {
    crew: &'t Crew,
    definitions: &'t Snapshot,
    past: &'t [&'t Task],
    /// Those that are used, each once.
    models: Vec<Choice>,
}

impl Telling<'_> {
    async fn steps(&mut self, pipeline: &Pipeline, args: &Args) -> Result<Vec<(ForecastStep, Range)>, Error> {
        let args = pipeline.complete(args.clone());
        let mut told = Vec::new();
        for item in &pipeline.items {
            let (works, times): (Vec<&Work>, _) = match item {
                Item::Work(work) => (vec![work], ONCE),
                Item::Condition(condition) => {
                    let works = condition.then.iter().chain(&condition.otherwise).collect();
                    (works, Range { least: 0, most: 1 })
                }
                Item::Loop(again) => {
                    let most = u64::from(again.max_iterations);
                    (again.steps.iter().collect(), Range { least: 1, most })
                }
            };
            for step in works.into_iter().flat_map(Work::steps) {
                told.push(self.of_pipeline(step, &args, times).await?);
            }
        }
        Ok(told)
    }

    async fn of_pipeline(
        &mut self,
        step: &Step,
        args: &Args,
        times: Range,
    ) -> Result<(ForecastStep, Range), Error> {
        let employee = find_employee(self.definitions, &step.employee)?;
        let given = Given::named(wiring::preview(step, args));
        let id = step.id.as_deref().unwrap_or_default();
        let mut told = self.step(&employee, &given, step.model.as_deref(), id, step.attempts.max(1)).await?;
        let times = if step.when.is_some() { Range { least: 0, ..times } } else { times };
        told.times = times;
        Ok((told, times))
    }

    async fn step(
        &mut self,
        employee: &Employee,
        given: &Given,
        asked: Option<&str>,
        id: &str,
        attempts: u32,
    ) -> Result<ForecastStep, Error> {
        let mut given = given.clone();
        for arg in employee.args.iter().filter(|arg| arg.required && arg.default.is_none()) {
            given.named.entry(arg.name.clone()).or_insert_with(|| format!("<{}>", arg.name));
        }
        let job = Job::new(employee, &given).on(asked);
        let shaped = employee.output.format == Format::Json && employee.output.schema.is_some();
        let turns = if self.offers_tools(&job).await { MOST_TURNS as u64 } else { 1 };
        let most = (turns + u64::from(shaped)) * u64::from(attempts);
        let mut told = self.weigh(&job, id, most, 0).await?;
        let recorded = self.recorded(&employee.name, &told.model);
        if recorded.runs > 0 {
            told.cost = recorded;
        }
        Ok(told)
    }

    async fn offers_tools(&self, job: &Job<'_>) -> bool {
        match self.crew.toolbox() {
            Some(toolbox) => !toolbox.offered(job).await.is_empty(),
            None => false,
        }
    }

    /// What `job` takes that asks its model up to `most` times; up to `more` tokens come with it that are not known yet.
    async fn weigh(&mut self, job: &Job<'_>, id: &str, most: u64, more: u64) -> Result<ForecastStep, Error> {
        let (mut request, _) = self.crew.request(job).await?;
        let tools: Vec<_> = request.tools.iter().map(|tool| tool.name.clone()).collect();
        request.max_tokens.get_or_insert(BUDGETED_TOKENS);
        let mut dearest = self.crew.llm().estimate(&request);
        let mut least = dearest.usage;
        // Half of the upper estimate is near to what texts take; an answer has some words.
        (least.input_tokens, least.output_tokens) = (least.input_tokens / 2, 1);
        let low = self.crew.llm().cost(&request.model, least);
        if more > 0 {
            let of = Choice { model: dearest.model.clone(), ..request.model.clone() };
            dearest.usage.input_tokens += more;
            dearest.cost_usd = dearest.cost_usd.and(self.crew.llm().cost(&of, dearest.usage));
        }
        let calls = u32::try_from(most).unwrap_or(u32::MAX);
        let cost = ForecastCost {
            low_usd: rounded(low.unwrap_or_default()),
            high_usd: dearest.cost_usd.map(|high| rounded(high * f64::from(calls))),
            runs: 0,
            unpriced_models: dearest.cost_usd.is_none().then_some(dearest.model).into_iter().collect(),
        };
        let fallback = request.fallback.as_ref().map(|fallback| fallback.model.clone());
        for choice in [Some(request.model.clone()), request.fallback.take()].into_iter().flatten() {
            let known = |known: &Choice| (&known.model, &known.base_url) == (&choice.model, &choice.base_url);
            if !self.models.iter().any(known) {
                self.models.push(choice);
            }
        }
        Ok(ForecastStep {
            step_id: id.to_owned(),
            employee: job.employee.name.clone(),
            model: request.model.model,
            fallback,
            tools,
            times: ONCE,
            calls: Range { least: 1, most },
            cost,
        })
    }

    /// What this employee has taken on this model, once each time; nothing when that is known from too few runs.
    fn recorded(&self, employee: &str, model: &str) -> ForecastCost {
        let is_it = |name: &str| {
            let rest = name.strip_prefix(model);
            // Providers say which version answered: `-20250929`.
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
        };
        let runs = self.past.iter().copied().flat_map(told);
        let mut costs: Vec<f64> = runs
            .filter(|spent| spent.by == employee && is_it(&spent.model))
            .filter_map(|spent| spent.cost_usd)
            .collect();
        spread(&mut costs).unwrap_or_default()
    }
}

/// Where nine in ten of `costs` lie; nothing when they are too few to say.
fn spread(costs: &mut [f64]) -> Option<ForecastCost> {
    if costs.len() < ENOUGH {
        return None;
    }
    costs.sort_by(f64::total_cmp);
    let at = |tenths: usize| costs.get((costs.len() - 1) * tenths / 10).copied().unwrap_or_default();
    Some(ForecastCost {
        low_usd: rounded(at(1)),
        high_usd: Some(rounded(at(9).max(at(1)))),
        runs: costs.len(),
        unpriced_models: Vec::new(),
    })
}

/// To a millionth of a dollar.
fn rounded(dollars: f64) -> f64 {
    (dollars * 1e6).round() / 1e6
}

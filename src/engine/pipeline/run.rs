//! The body of a pipeline's task: which step comes next.
//!
//! Steps and decisions are recorded under names that only depend on the definition and on the way through it, so an
//! interrupted run goes on at the very step it had come to: `3:review`, `3:review@1` in the second round of a loop,
//! `condition-2` and `until-2@0` for what was decided at the third item. A decision is recorded rather than made again,
//! so that the same way is taken even if a step that failed then succeeds now. For the same reason a failure is
//! recorded when the run goes on in spite of it.

use std::sync::Arc;

use futures_util::future::join_all;
use serde_json::Value;
use tokio::sync::Semaphore;

use super::{
    Mode, PipelineRun, StepRun, fingerprint,
    step::{Ending, OneRun, Way},
};
use crate::{
    defs::{Condition, Item, Loop, Pipeline, Test, Work},
    engine::{
        Crew, Error,
        run::{FAIL_FAST, option},
        wiring::{Gave, Outputs},
    },
    tasks::{Code, Failure, Steps, Task},
};

/// How many members of a group work at the same time.
const GROUP_WIDTH: usize = 8;

/// The body of a `pipeline.run` task.
///
/// # Errors
/// The first failed step, or one that was refused, or all of them when the pipeline says to go on, or a condition that cannot be decided; the
/// result so far goes with it.
pub(crate) async fn run(crew: Arc<Crew>, task: Arc<Task>, steps: Steps) -> Result<Value, Failure> {
    let pipeline = crew.pipeline(&task.target_name).await?;
    if steps.attempt() > 1 && option(&task, "definition").is_some_and(|then| then != fingerprint(&pipeline)) {
        let message = format!(
            "pipeline `{}` was changed while this run was interrupted or waited; start it again, or resume it with `force`",
            pipeline.name
        );
        return Err(Failure::coded(Code::DEFINITION_CHANGED, message));
    }
    let fail_fast = task.options.get(FAIL_FAST).and_then(Value::as_bool);
    let pipeline = match fail_fast.filter(|fail_fast| *fail_fast != pipeline.fail_fast) {
        Some(fail_fast) => Arc::new(Pipeline { fail_fast, ..Pipeline::clone(&pipeline) }),
        None => pipeline,
    };
    let definitions = crew.definitions().await;
    let args = pipeline.complete(task.args.clone());
    let model = option(&task, "model");
    let one = OneRun {
        crew: &crew,
        definitions: &definitions,
        pipeline: &pipeline,
        args,
        model,
        steps: &steps,
        width: Semaphore::new(GROUP_WIDTH),
        ending: Ending::default(),
    };
    let mut run = Run {
        one,
        pipeline: &pipeline,
        outputs: Outputs::of(&pipeline),
        result: PipelineRun::new(&pipeline, Mode::Execute),
        has_failed: false,
    };
    let walked = run.items().await;
    let result = run.result;
    if let Some(reached) = steps.reached() {
        return Err(Failure::from(Error::from(reached)).with_partial(value(&result)?));
    }
    match walked {
        Ok(()) => conclude(&pipeline, &result, run.one.ending.cause()),
        Err(failure) => Err(failure.with_partial(value(&result)?)),
    }
}

fn conclude(pipeline: &Pipeline, result: &PipelineRun, cause: Option<&Failure>) -> Result<Value, Failure> {
    let failed = result.step_runs().find(|run| run.error);
    let any_good = result.step_runs().any(|run| !run.error);
    let value = value(result)?;
    match failed {
        Some(failed) if pipeline.fail_fast || !any_good => {
            let name = if failed.step_id.is_empty() { &failed.employee } else { &failed.step_id };
            let branch = failed.branch.as_deref().map(|branch| format!(", {branch}")).unwrap_or_default();
            let message =
                format!("step {} (`{name}`{branch}) failed: {}", failed.step_index, failed.error_message);
            let cause = cause.cloned().unwrap_or_else(|| Failure::new(""));
            Err(Failure { message, ..cause }.with_partial(value))
        }
        _ => Ok(value),
    }
}

fn value(result: &PipelineRun) -> Result<Value, Failure> {
    serde_json::to_value(result).map_err(|error| Failure::new(error.to_string()))
}

/// One walk through a pipeline.
struct Run<'r> {
    one: OneRun<'r>,
    pipeline: &'r Pipeline,
    outputs: Outputs,
    result: PipelineRun,
    has_failed: bool,
}

impl Run<'_> {
    async fn items(&mut self) -> Result<(), Failure> {
        let pipeline = self.pipeline;
        let mut first = 0;
        for (place, item) in pipeline.items.iter().enumerate() {
            match item {
                Item::Work(work) => {
                    let runs = self.work(work, first, &Way::default()).await;
                    self.result.push(item, runs);
                }
                Item::Condition(condition) => {
                    let runs = self.condition(condition, place, first).await?;
                    self.result.push(item, runs);
                }
                Item::Loop(again) => {
                    let mut runs = Vec::new();
                    let ended = self.again(again, place, first, &mut runs).await;
                    self.result.push(item, runs);
                    ended?;
                }
            }
            if let Some(refusal) = self.one.ending.refusal() {
                return Err(Failure::coded(Code::REFUSED, refusal));
            }
            if self.is_over() {
                break;
            }
            first += item.steps().count();
        }
        Ok(())
    }

    fn is_over(&self) -> bool {
        let ended = self.one.ending.refusal().is_some() || self.one.steps.reached().is_some();
        ended || (self.has_failed && self.pipeline.fail_fast)
    }

    async fn condition(
        &mut self,
        condition: &Condition,
        place: usize,
        first: usize,
    ) -> Result<Vec<StepRun>, Failure> {
        let holds = self.decide(&format!("condition-{place}"), "condition", &condition.test).await?;
        let (works, name, first) = if holds {
            (&condition.then, "then", first)
        } else {
            let before: usize = condition.then.iter().map(|work| work.steps().len()).sum();
            (&condition.otherwise, "else", first + before)
        };
        let mut runs = Vec::new();
        self.block(works, first, &Way { branch: Some(name.to_owned()), round: None }, &mut runs).await;
        Ok(runs)
    }

    /// Goes round a loop; what ran is in `runs` even if it cannot be decided whether to go on.
    async fn again(
        &mut self,
        again: &Loop,
        place: usize,
        first: usize,
        runs: &mut Vec<StepRun>,
    ) -> Result<(), Failure> {
        for round in 0..again.max_iterations {
            let way = Way { branch: Some(format!("loop-{round}")), round: Some(round) };
            self.block(&again.steps, first, &way, runs).await;
            if self.is_over() || round + 1 == again.max_iterations {
                break;
            }
            if self.decide(&format!("until-{place}@{round}"), "`until` of a loop", &again.until).await? {
                break;
            }
        }
        Ok(())
    }

    async fn block(&mut self, works: &[Work], mut first: usize, way: &Way, runs: &mut Vec<StepRun>) {
        for work in works {
            runs.extend(self.work(work, first, way).await);
            if self.is_over() {
                break;
            }
            first += work.steps().len();
        }
    }

    /// Runs a step, or the members of a group side by side; each sees what was there before the group.
    async fn work(&mut self, work: &Work, first: usize, way: &Way) -> Vec<StepRun> {
        let (one, outputs) = (&self.one, &self.outputs);
        let works: Vec<_> =
            (first..).zip(work.steps()).map(|(index, step)| one.step(step, index, way, outputs)).collect();
        // All of them begin, for any number may wait for an approval; only so many are at work.
        let runs: Vec<StepRun> = join_all(works).await;
        self.outputs.push(first, runs.iter().map(gave));
        self.result.count(&runs);
        self.has_failed |= runs.iter().any(|run| run.error);
        runs
    }

    async fn decide(&self, name: &str, what: &str, test: &Test) -> Result<bool, Failure> {
        let decide = || async {
            match self.outputs.fill(&test.check, &self.one.args) {
                Ok(filled) => Ok(test.holds(&filled)),
                Err(unwired) => {
                    Err(Failure::new(format!("the {what} `{}` cannot be decided: {unwired}", test.check)))
                }
            }
        };
        self.one.steps.run(name, decide).await
    }
}

fn gave(run: &StepRun) -> Gave {
    if run.error {
        Gave::Failure
    } else if run.skipped {
        Gave::Nothing
    } else {
        Gave::Text(run.output.clone())
    }
}

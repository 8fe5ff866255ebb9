//! One step of a pipeline: whether it runs and may run, how often it is tried, how long it may take.

use std::{
    future::Future,
    ops::Range,
    sync::{Arc, OnceLock},
    time::Duration,
};

use futures_util::future::BoxFuture;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::{
    super::{
        Answer, Args, Crew, Error, Job,
        crew::find_employee,
        prompt::Given,
        wiring::{Outputs, Unwired},
    },
    StepRun, asked, blank, name,
};
use crate::{
    base::{clock::Stopwatch, retry::chance, text::truncate},
    catalog::Snapshot,
    defs::{Approval, Pipeline, Step},
    tasks::{Failure, Steps},
};

/// Most characters of an error that a step's record keeps.
const ERROR_LIMIT: usize = 500;
/// Pause before the second attempt; it doubles each time.
const FIRST_PAUSE: Duration = Duration::from_millis(250);

/// What the steps of one run share.
pub(super) struct OneRun<'r> {
    pub(super) crew: &'r Arc<Crew>,
    pub(super) definitions: &'r Snapshot,
    pub(super) pipeline: &'r Pipeline,
    pub(super) args: Args,
    /// The model the run asks for.
    pub(super) model: Option<&'r str>,
    pub(super) steps: &'r Steps,
    /// Places for steps at work.
    pub(super) width: Semaphore,
    pub(super) ending: Ending,
}

/// Whether a run is to end before all of its steps are done, and why.
#[derive(Debug, Default)]
pub(super) struct Ending {
    /// Nobody need be asked for an approval any more.
    over: CancellationToken,
    refusal: OnceLock<String>,
    /// How the first step failed that did.
    cause: OnceLock<Failure>,
}

impl Ending {
    /// Which step was refused, and by whom.
    pub(super) fn refusal(&self) -> Option<&str> {
        self.refusal.get().map(String::as_str)
    }

    /// How the first step failed that did.
    pub(super) fn cause(&self) -> Option<&Failure> {
        self.cause.get()
    }
}

/// How a step came to run.
#[derive(Debug, Default)]
pub(super) struct Way {
    /// `then`, `else` or `loop-<round>`.
    pub(super) branch: Option<String>,
    /// Round of the loop it is in, from 0.
    pub(super) round: Option<u32>,
}

impl OneRun<'_> {
    /// Runs one step, unless an earlier attempt at the task finished it. A failed step is an answer too, but a kept one
    /// only if the run goes on in spite of it.
    pub(super) async fn step(&self, step: &Step, index: usize, way: &Way, outputs: &Outputs) -> StepRun {
        let watch = Stopwatch::start();
        let name = name(step, index, way.round);
        let failed = |failure: Failure| {
            let error_message = truncate(&failure.message, ERROR_LIMIT);
            let _ = self.ending.cause.set(failure);
            StepRun { error: true, error_message, duration_ms: watch.elapsed_ms(), ..blank(step, index) }
        };
        let work = || async {
            match self.work(step, index, outputs, &name).await {
                // With a higher limit the step can be done, so it must not count as done.
                Err(failure) if !self.pipeline.fail_fast && self.steps.reached().is_none() => {
                    Ok(failed(failure))
                }
                ended => ended,
            }
        };
        let ran = async {
            if let Some(approval) = &step.approval
                && self.runs(step, outputs)?
            {
                self.approval(step, approval, index, &name, outputs).await?;
            }
            // Not within the step: who waits for a place is not at work.
            let _place = self.width.acquire().await;
            self.steps.run(&name, work).await
        };
        let mut run = ran.await.unwrap_or_else(&failed);
        if run.error && (self.pipeline.fail_fast || self.steps.reached().is_some()) {
            self.ending.over.cancel();
        }
        run.branch.clone_from(&way.branch);
        run
    }

    /// Whether its `when` holds, or it has none.
    fn runs(&self, step: &Step, outputs: &Outputs) -> Result<bool, Failure> {
        let Some(when) = &step.when else { return Ok(true) };
        Ok(when.holds(&outputs.fill(&when.check, &self.args).map_err(unwired)?))
    }

    /// Waits until somebody has approved of the step.
    ///
    /// # Errors
    /// It was refused, which ends the run whatever the pipeline says about failures; the run ends for another reason;
    /// the step could not run anyway, as values for it are missing.
    async fn approval(
        &self,
        step: &Step,
        approval: &Approval,
        index: usize,
        name: &str,
        outputs: &Outputs,
    ) -> Result<(), Failure> {
        outputs.wire(step, &self.args).map_err(unwired)?;
        let called = step.id.as_deref().unwrap_or(&step.employee);
        let question = if approval.question.is_empty() {
            format!(
                "Run step `{called}` (employee `{}`) of pipeline `{}`?",
                step.employee, self.pipeline.name
            )
        } else {
            approval.question.clone()
        };
        let decision = tokio::select! {
            biased;
            () = self.ending.over.cancelled() => {
                return Err(Failure::new("not run, as another step had ended the run"));
            }
            decision = self.steps.wait(name, &question) => decision?,
        };
        let Some(refusal) = decision.refusal() else { return Ok(()) };
        let _ = self.ending.refusal.set(format!("step {index} (`{called}`) was {refusal}"));
        self.ending.over.cancel();
        Err(Failure::new(refusal))
    }

    async fn work(
        &self,
        step: &Step,
        index: usize,
        outputs: &Outputs,
        name: &str,
    ) -> Result<StepRun, Failure> {
        if !self.runs(step, outputs)? {
            return Ok(StepRun { skipped: true, ..blank(step, index) });
        }
        let employee = find_employee(self.definitions, &step.employee)?;
        let given = Given::named(outputs.wire(step, &self.args).map_err(unwired)?);
        let limit = step.timeout_seconds.map(|seconds| Duration::from_secs(seconds.into()));
        let (who, values) = (&*employee, &given);
        let called = |number: u32| if number == 0 { name.to_owned() } else { format!("{name}/try-{number}") };
        // A try that had come to something goes on where it was, rather than the one before it once more.
        let tries = (1..step.attempts).rev();
        let first = tries.into_iter().find(|number| self.steps.has_within(&called(*number))).unwrap_or(0);
        let attempt = |number: u32| -> BoxFuture<'_, Result<Answer, Error>> {
            let name = called(number);
            let job = Job::new(who, values).on(asked(self.model, step)).recorded(self.steps, name);
            Box::pin(async move {
                let answer = self.crew.answer(&job);
                match limit {
                    Some(limit) => self.within(limit, &job.name, answer).await,
                    None => answer.await,
                }
            })
        };
        let answer = persist(first..step.attempts.max(1), attempt).await?;
        Ok(StepRun {
            employee: answer.employee,
            args: given.named,
            output: answer.output,
            model: answer.model,
            input_tokens: answer.input_tokens,
            cached_input_tokens: answer.cached_input_tokens,
            output_tokens: answer.output_tokens,
            cost_usd: answer.cost_usd,
            duration_ms: answer.duration_ms,
            ..blank(step, index)
        })
    }

    /// What `work`, recorded under `name`, gives in this time. The time that a person takes to decide is not counted.
    async fn within(
        &self,
        limit: Duration,
        name: &str,
        work: impl Future<Output = Result<Answer, Error>>,
    ) -> Result<Answer, Error> {
        tokio::pin!(work);
        loop {
            if let Ok(ended) = tokio::time::timeout(limit, &mut work).await {
                return ended;
            }
            if !self.steps.waits_in(name) {
                return Err(Error::TimedOut { seconds: limit.as_secs() });
            }
        }
    }
}

#[expect(clippy::needless_pass_by_value, reason = "the form in which an error is mapped")]
fn unwired(unwired: Unwired) -> Failure {
    Failure::new(unwired.to_string())
}

/// Tries as often as there are `numbers`. The pauses double, and are longer by chance so that the members of a group do
/// not come back together.
async fn persist<'w>(
    mut numbers: Range<u32>,
    attempt: impl Fn(u32) -> BoxFuture<'w, Result<Answer, Error>>,
) -> Result<Answer, Error> {
    let mut pause = FIRST_PAUSE;
    let mut number = numbers.next().unwrap_or_default();
    loop {
        let next = match (attempt(number).await, numbers.next()) {
            (Err(error), Some(next)) if may_pass(&error) => {
                tracing::info!(%error, number = next, "a step is tried again");
                next
            }
            (ended, _) => return ended,
        };
        number = next;
        tokio::time::sleep(pause.mul_f64(1.0 + chance() / 2.0)).await;
        pause *= 2;
    }
}

/// Whether the same again may end differently.
fn may_pass(error: &Error) -> bool {
    matches!(error, Error::Model(_) | Error::Refused { .. } | Error::Thoughts { .. } | Error::TimedOut { .. })
}

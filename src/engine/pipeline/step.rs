//! One step of a pipeline: whether it runs, how often it is tried, how long it may take.

use std::{fmt::Write as _, future::Future, sync::Arc, time::Duration};

use super::{
    super::{Answer, Args, Crew, Error, crew::find_employee, prompt::Given, wiring::Outputs},
    StepRun, asked, blank,
};
use crate::{
    base::{clock::Stopwatch, text::truncate},
    catalog::Snapshot,
    defs::Step,
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
    pub(super) args: Args,
    /// The model the run asks for.
    pub(super) model: Option<&'r str>,
    pub(super) steps: &'r Steps,
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
    /// Runs one step, unless an earlier attempt at the task finished it. A failed step is an answer too, but not a
    /// kept one.
    pub(super) async fn step(&self, step: &Step, index: usize, way: &Way, outputs: &Outputs) -> StepRun {
        let watch = Stopwatch::start();
        // The index makes the name unique; the id makes it readable.
        let mut name = format!("{index}:{}", step.id.as_deref().unwrap_or(&step.employee));
        if let Some(round) = way.round {
            let _ = write!(name, "@{round}");
        }
        let ran = self.steps.run(&name, || self.work(step, index, outputs)).await;
        let mut run = ran.unwrap_or_else(|failure| StepRun {
            error: true,
            error_message: truncate(&failure.message, ERROR_LIMIT),
            duration_ms: watch.elapsed_ms(),
            ..blank(step, index)
        });
        run.branch.clone_from(&way.branch);
        run
    }

    async fn work(&self, step: &Step, index: usize, outputs: &Outputs) -> Result<StepRun, Failure> {
        let unwired = |unwired: super::super::wiring::Unwired| Failure::new(unwired.to_string());
        if let Some(when) = &step.when
            && !when.holds(&outputs.fill(&when.check, &self.args).map_err(unwired)?)
        {
            return Ok(StepRun { skipped: true, ..blank(step, index) });
        }
        let employee = find_employee(self.definitions, &step.employee)?;
        let given = Given::named(outputs.wire(step, &self.args).map_err(unwired)?);
        let model = asked(self.model, step);
        let limit = step.timeout_seconds.map(|seconds| Duration::from_secs(seconds.into()));
        let attempt = || self.crew.answer(&employee, &given, model);
        let answer = persist(step.attempts, limit, attempt).await?;
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

/// Tries up to `attempts` times, each time for at most `limit`. The pauses double, and are longer by chance so that
/// the members of a group do not come back together.
async fn persist<F: Future<Output = Result<Answer, Error>>>(
    attempts: u32,
    limit: Option<Duration>,
    attempt: impl Fn() -> F,
) -> Result<Answer, Error> {
    let mut pause = FIRST_PAUSE;
    let mut left = attempts.max(1);
    loop {
        left -= 1;
        let tried = match limit {
            None => attempt().await,
            Some(limit) => match tokio::time::timeout(limit, attempt()).await {
                Ok(tried) => tried,
                Err(_) => Err(Error::TimedOut { seconds: limit.as_secs() }),
            },
        };
        match tried {
            Err(error) if left > 0 && may_pass(&error) => {
                tracing::info!(%error, left, "a step is tried again");
                let chance = getrandom::u32().map_or(0.5, |bits| f64::from(bits) / f64::from(u32::MAX));
                tokio::time::sleep(pause.mul_f64(1.0 + chance / 2.0)).await;
                pause *= 2;
            }
            ended => return ended,
        }
    }
}

/// Whether the same again may end differently.
fn may_pass(error: &Error) -> bool {
    matches!(error, Error::Model(_) | Error::Refused { .. } | Error::TimedOut { .. })
}

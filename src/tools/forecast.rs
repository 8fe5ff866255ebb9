//! `plan_run`.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Annotations, Ctx, Error, Office, Tool};
use crate::engine::{self, Forecast};

pub(super) struct PlanRun(pub(super) Office);

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Args {
    /// Name of an employee or a pipeline.
    name: String,
    /// Values for the run, by name, as far as they are known.
    #[serde(default)]
    args: engine::Args,
}

impl Tool for PlanRun {
    type Args = Args;
    type Output = Forecast;

    const NAME: &'static str = "plan_run";
    const TITLE: &'static str = "Tell what a run would do and cost";
    const SUMMARY: &'static str = "Tells, without doing anything, which steps, models and tools a run of an employee or a \
        pipeline would use, how often models would be asked, and what that would cost: from earlier runs, or else as \
        an estimate.";
    const ANNOTATIONS: Annotations = Annotations::READS;

    async fn call(&self, _: Ctx, args: Args) -> Result<Forecast, Error> {
        let past = engine::past::recent(self.0.tasks().await?).await;
        Ok(self.0.crew.forecast(&args.name, &args.args, &past).await?)
    }
}

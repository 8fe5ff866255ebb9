//! `get_cost_summary`, and the limits that tools take.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Annotations, Ctx, Error, Office, Tool};
use crate::{
    engine::{self, CostQuery, CostSummary},
    tasks::Budget,
};

pub(super) struct GetCostSummary(pub(super) Office);

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Args {
    /// The last how many days, 1 to 3650.
    #[serde(default = "week")]
    #[schemars(range(min = 1, max = 3650))]
    days: u32,
    /// Only what this employee took.
    #[serde(default)]
    employee: Option<String>,
}

fn week() -> u32 {
    CostQuery::DAYS
}

impl Tool for GetCostSummary {
    type Args = Args;
    type Output = CostSummary;

    const NAME: &'static str = "get_cost_summary";
    const TITLE: &'static str = "Tell what work has cost";
    const SUMMARY: &'static str = "Tells what the finished tasks of the last days have cost, by employee, model and \
        trigger. Models whose price is not known are named, and their tokens counted apart.";
    const ANNOTATIONS: Annotations = Annotations::READS;

    async fn call(&self, _: Ctx, args: Args) -> Result<CostSummary, Error> {
        let query = CostQuery { days: args.days, employee: args.employee };
        let query = query.checked().map_err(Error::Arguments)?;
        Ok(engine::past::cost(self.0.tasks().await?, self.0.crew.records(), &query).await?)
    }
}

/// The limits a caller sets.
///
/// # Errors
/// [`Error::Arguments`] when nothing could be done within them.
pub(super) fn budget(max_cost_usd: Option<f64>, max_tokens: Option<u64>) -> Result<Budget, Error> {
    if max_cost_usd.is_some_and(|most| !most.is_finite() || most <= 0.0) {
        return Err(Error::Arguments("`max_cost_usd` is a number of US dollars, more than 0".to_owned()));
    }
    if max_tokens == Some(0) {
        return Err(Error::Arguments("`max_tokens` is more than 0".to_owned()));
    }
    Ok(Budget { max_cost_usd, max_tokens })
}

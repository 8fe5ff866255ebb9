//! `list_decisions`, `list_overdue_decisions` and `get_calibration`.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::decisions_of;
use crate::{
    base::clock,
    engine::evaluation::{
        Calibration, Category, Decision, ENOUGH, Filter, OVERDUE_DAYS, Overdue, Status, as_of,
    },
    tools::{Annotations, Ctx, Error, Tool, office::Office},
};

pub(in crate::tools) struct ListDecisions(pub(in crate::tools) Office);
pub(in crate::tools) struct ListOverdueDecisions(pub(in crate::tools) Office);
pub(in crate::tools) struct GetCalibration(pub(in crate::tools) Office);

/// Most decisions that are told at a time.
const MOST: usize = 1000;
/// Most days; a hundred years.
const MOST_DAYS: u32 = 36_500;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::tools) struct ListArgs {
    /// Name or trigger of the employee; all employees, unless given.
    #[serde(default)]
    employee: Option<String>,
    /// Only those that were evaluated, or were not.
    #[serde(default)]
    status: Option<Status>,
    /// Only those of this kind.
    #[serde(default)]
    category: Option<Category>,
    /// At most this many, from 1 to 1000.
    #[serde(default = "twenty")]
    #[schemars(range(min = 1, max = 1000))]
    limit: usize,
}

fn twenty() -> usize {
    20
}

#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::tools) struct ListAnswer {
    /// The newest first.
    decisions: Vec<Arc<Decision>>,
    /// How many fit, beyond the limit too.
    total: usize,
    /// Lines of the file that are no decisions; they stay as they are.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    notes: Vec<String>,
}

impl Tool for ListDecisions {
    type Args = ListArgs;
    type Output = ListAnswer;

    const NAME: &'static str = "list_decisions";
    const TITLE: &'static str = "List decisions";
    const SUMMARY: &'static str =
        "Lists tracked decisions with what was expected and what came of them, the newest first.";
    const ANNOTATIONS: Annotations = Annotations::READS;

    async fn call(&self, _ctx: Ctx, args: ListArgs) -> Result<ListAnswer, Error> {
        if !(1..=MOST).contains(&args.limit) {
            return Err(Error::Arguments(format!("`limit` must be from 1 to {MOST}, not {}", args.limit)));
        }
        let theirs = decisions_of(&self.0, args.employee.as_deref()).await?;
        let filter = Filter { status: args.status, category: args.category, ..theirs };
        let listed = self.0.crew.decisions(move |evaluations| evaluations.list(&filter, args.limit)).await?;
        let notes = listed.broken.iter().map(|broken| {
            format!("line {} of `decisions.jsonl` is no decision: {}", broken.line, broken.reason)
        });
        Ok(ListAnswer { notes: notes.collect(), decisions: listed.decisions, total: listed.total })
    }
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::tools) struct OverdueArgs {
    /// Name or trigger of the employee; all employees, unless given.
    #[serde(default)]
    employee: Option<String>,
    /// When it is to be asked about: a day such as 2026-12-31, or a moment; now, unless given.
    #[serde(default)]
    as_of: Option<String>,
    /// After how many days a decision without a deadline is overdue; 30, unless given.
    #[serde(default)]
    #[schemars(range(max = 36500))]
    age_days: Option<u32>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::tools) struct OverdueAnswer {
    /// Those that wait the longest come first.
    decisions: Vec<Overdue>,
}

impl Tool for ListOverdueDecisions {
    type Args = OverdueArgs;
    type Output = OverdueAnswer;

    const NAME: &'static str = "list_overdue_decisions";
    const TITLE: &'static str = "List overdue decisions";
    const SUMMARY: &'static str = "Lists tracked decisions that should have been evaluated: their deadline is over, or they \
        have none and are old.";
    const ANNOTATIONS: Annotations = Annotations::READS;

    async fn call(&self, _ctx: Ctx, args: OverdueArgs) -> Result<OverdueAnswer, Error> {
        let now = args.as_of.as_deref().map_or_else(|| Ok(clock::now()), as_of)?;
        let age_days = args.age_days.unwrap_or(OVERDUE_DAYS);
        if age_days > MOST_DAYS {
            return Err(Error::Arguments(format!("`age_days` must be at most {MOST_DAYS}, not {age_days}")));
        }
        let filter = decisions_of(&self.0, args.employee.as_deref()).await?;
        let overdue = self.0.crew.decisions(move |evaluations| evaluations.overdue(&filter, now, age_days));
        Ok(OverdueAnswer { decisions: overdue.await? })
    }
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::tools) struct CalibrationArgs {
    /// Name or trigger of the employee; all employees, unless given.
    #[serde(default)]
    employee: Option<String>,
    /// Only decisions of this kind.
    #[serde(default)]
    category: Option<Category>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::tools) struct CalibrationAnswer {
    /// By employee and kind of decision.
    calibrations: Vec<Calibration>,
    /// Fewer cases than this say nothing.
    enough: usize,
}

impl Tool for GetCalibration {
    type Args = CalibrationArgs;
    type Output = CalibrationAnswer;

    const NAME: &'static str = "get_calibration";
    const TITLE: &'static str = "Tell how well employees expect";
    const SUMMARY: &'static str = "Compares what employees expected with what came about, in numbers: the bias factor of \
        estimates, the coverage of ranges, the Brier score of probabilities. Below 5 cases it says that these are too few.";
    const ANNOTATIONS: Annotations = Annotations::READS;

    async fn call(&self, _ctx: Ctx, args: CalibrationArgs) -> Result<CalibrationAnswer, Error> {
        let theirs = decisions_of(&self.0, args.employee.as_deref()).await?;
        let filter = Filter { category: args.category, ..theirs };
        Ok(CalibrationAnswer { calibrations: self.0.crew.calibrations(filter).await?, enough: ENOUGH })
    }
}

//! `track_decision`.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    engine::evaluation::{Category, Decision, Expected, New},
    tools::{Annotations, Ctx, Error, Tool, office::Office},
};

pub(in crate::tools) struct TrackDecision(pub(in crate::tools) Office);

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::tools) struct Args {
    /// Name or trigger of the employee.
    employee: String,
    /// What kind of decision it is.
    category: Category,
    /// What was decided, at most 4,000 characters.
    content: String,
    /// What is expected of it, in words.
    #[serde(default)]
    expected_outcome: String,
    /// The same as a number.
    #[serde(default)]
    expected_value: Option<f64>,
    /// The same as a range: its low end.
    #[serde(default)]
    expected_low: Option<f64>,
    /// The same as a range: its high end.
    #[serde(default)]
    expected_high: Option<f64>,
    /// What the numbers count, such as `days`.
    #[serde(default)]
    unit: String,
    /// How likely it is to come about; with a range, how sure that is (0.9, unless given). From 0 to 1.
    #[serde(default)]
    probability: Option<f64>,
    /// By when it is to be evaluated: a day such as 2026-12-31, or a moment with an offset.
    #[serde(default)]
    deadline: String,
    /// Id of the meeting it comes from.
    #[serde(default)]
    meeting_id: String,
    /// Id of the task it comes from.
    #[serde(default)]
    task_id: String,
}

/// Adds a record each time.
const TRACKS: Annotations = Annotations {
    read_only_hint: false,
    destructive_hint: false,
    idempotent_hint: false,
    open_world_hint: false,
};

impl Tool for TrackDecision {
    type Args = Args;
    type Output = Decision;

    const NAME: &'static str = "track_decision";
    const TITLE: &'static str = "Track a decision";
    const SUMMARY: &'static str = "Keeps an estimate, a recommendation or a commitment of an employee, to be compared with what \
        comes of it (evaluate_decision). Give a number with its unit, a range or a probability where there is one: only those \
        can be counted (get_calibration).";
    const ANNOTATIONS: Annotations = TRACKS;

    async fn call(&self, ctx: Ctx, args: Args) -> Result<Decision, Error> {
        let employee = self.0.crew.employee(&args.employee).await?.name.clone();
        if let Some(at_work) = ctx.caller().employee().filter(|at_work| *at_work != employee) {
            let message = format!("`{at_work}` may track its own decisions alone, not those of `{employee}`");
            return Err(Error::Denied(message));
        }
        let new = New {
            employee,
            category: args.category,
            content: args.content,
            expected_outcome: args.expected_outcome,
            expected: Expected {
                expected_value: args.expected_value,
                expected_low: args.expected_low,
                expected_high: args.expected_high,
                unit: args.unit,
                probability: args.probability,
            },
            deadline: args.deadline,
            meeting_id: args.meeting_id,
            task_id: args.task_id,
            unlinked: false,
        };
        Ok(self.0.crew.decisions(move |evaluations| evaluations.track(&new)).await?)
    }
}

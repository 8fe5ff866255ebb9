//! `evaluate_decision`.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    engine::evaluation::{Evaluated, Outcome},
    tools::{Annotations, Ctx, Error, Tool, office::Office},
};

pub(in crate::tools) struct EvaluateDecision(pub(in crate::tools) Office);

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::tools) struct Args {
    /// Id of the decision, or how it begins.
    decision_id: String,
    /// What came of it, at most 4,000 characters.
    actual_outcome: String,
    /// How that compares with what was expected; made up from both, unless given.
    #[serde(default)]
    evaluation: String,
    /// The number that came of it, in the unit of the decision.
    #[serde(default)]
    actual_value: Option<f64>,
    /// Whether what was given a probability came about.
    #[serde(default)]
    occurred: Option<bool>,
    /// How good the decision was, from 0 to 1.
    #[serde(default)]
    score: Option<f64>,
    /// What to do otherwise next time, at most 1,000 characters.
    #[serde(default)]
    lesson: String,
}

/// Another evaluation keeps the one before.
const EVALUATES: Annotations = Annotations {
    read_only_hint: false,
    destructive_hint: false,
    idempotent_hint: true,
    open_world_hint: false,
};

impl Tool for EvaluateDecision {
    type Args = Args;
    type Output = Evaluated;

    const NAME: &'static str = "evaluate_decision";
    const TITLE: &'static str = "Evaluate a decision";
    const SUMMARY: &'static str = "Puts down what came of a tracked decision, and has the employee remember it as a correction. \
        Once more is another version, which holds from then on; the earlier ones stay in its history.";
    const ANNOTATIONS: Annotations = EVALUATES;

    async fn call(&self, ctx: Ctx, args: Args) -> Result<Evaluated, Error> {
        let outcome = Outcome {
            actual_outcome: args.actual_outcome,
            evaluation: args.evaluation,
            actual_value: args.actual_value,
            occurred: args.occurred,
            score: args.score,
            lesson: args.lesson,
            evaluated_at: String::new(),
            evaluated_by: ctx.caller().name().to_owned(),
        };
        Ok(self.0.crew.evaluate_decision(&args.decision_id, outcome).await?)
    }
}

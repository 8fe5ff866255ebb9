//! A pipeline: employees at work one after another, or side by side.

mod parse;
mod references;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Serialize;

pub use parse::{PipelineMarks, StepMarks, parse_pipeline, parse_pipeline_marked};

/// A plan of work.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Pipeline {
    /// Name it is run by.
    pub name: String,
    /// One line.
    pub description: String,
    /// Whether the first failed step ends the run; true unless the file says otherwise.
    pub fail_fast: bool,
    /// At least one.
    pub items: Vec<Item>,
}

/// One place in the order of work.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Item {
    /// One employee.
    Step(Step),
    /// Several side by side; at least one.
    Parallel(Vec<Step>),
}

impl Item {
    /// The steps in it, one or more.
    pub fn steps(&self) -> &[Step] {
        match self {
            Self::Step(step) => std::slice::from_ref(step),
            Self::Parallel(steps) => steps,
        }
    }
}

/// One employee at work.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Step {
    /// What its output is referred to by; unique in the pipeline. Letters, digits, `-` and `_`; not only digits.
    pub id: Option<String>,
    /// Name or trigger of the employee.
    pub employee: String,
    /// Values for the employee, with `$name`, `{prev}` and `{steps.<id>.output}` places to fill.
    pub args: IndexMap<String, String>,
    /// Model for this step only.
    pub model: Option<String>,
}

impl Pipeline {
    /// All steps in flat order, as they are counted.
    pub fn steps(&self) -> impl Iterator<Item = &Step> {
        self.items.iter().flat_map(Item::steps)
    }
}

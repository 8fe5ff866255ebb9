//! `list_pipelines`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    defs::{Item, Pipeline, Work},
    tools::{Annotations, Ctx, Error, Tool, office::Office},
};

pub(in crate::tools) struct ListPipelines(pub(in crate::tools) Office);

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::tools) struct Args {}

#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::tools) struct Answer {
    /// By name.
    pipelines: Vec<Row>,
}

/// A pipeline in brief.
#[derive(Debug, Serialize, JsonSchema)]
struct Row {
    /// The name to run it by.
    name: String,
    /// One line.
    description: String,
    /// The values a run must be given.
    args: Vec<String>,
    /// The employees in order; those of a group, side by side, in a list of their own; a condition or a loop as an
    /// object.
    steps: Vec<Place>,
    /// Its file, relative to the project.
    path: String,
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
enum Place {
    Condition {
        /// Who works when the condition holds.
        then: Vec<Part>,
        /// Who works when it does not.
        #[serde(rename = "else")]
        otherwise: Vec<Part>,
    },
    Loop {
        /// Who works again and again.
        r#loop: Vec<Part>,
        /// How often at most.
        max_iterations: u32,
    },
    Part(Part),
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
enum Part {
    One(String),
    Group(Vec<String>),
}

impl From<&Item> for Place {
    fn from(item: &Item) -> Self {
        let parts = |works: &[Work]| works.iter().map(Part::from).collect();
        match item {
            Item::Work(work) => Self::Part(work.into()),
            Item::Condition(condition) => {
                Self::Condition { then: parts(&condition.then), otherwise: parts(&condition.otherwise) }
            }
            Item::Loop(again) => {
                Self::Loop { r#loop: parts(&again.steps), max_iterations: again.max_iterations }
            }
        }
    }
}

impl From<&Work> for Part {
    fn from(work: &Work) -> Self {
        match work {
            Work::Step(step) => Self::One(step.employee.clone()),
            Work::Parallel(steps) => Self::Group(steps.iter().map(|step| step.employee.clone()).collect()),
        }
    }
}

impl Row {
    fn of(name: &str, pipeline: &Pipeline, path: &str) -> Self {
        Self {
            name: name.to_owned(),
            description: pipeline.description.clone(),
            args: pipeline.required_args(),
            steps: pipeline.items.iter().map(Place::from).collect(),
            path: path.to_owned(),
        }
    }
}

impl Tool for ListPipelines {
    type Args = Args;
    type Output = Answer;

    const NAME: &'static str = "list_pipelines";
    const TITLE: &'static str = "List pipelines";
    const SUMMARY: &'static str = "Lists the pipelines of this project: which employees work in which order, and \
        which values a run needs.";
    const ANNOTATIONS: Annotations = Annotations::READS;

    async fn call(&self, _: Ctx, _: Args) -> Result<Answer, Error> {
        let definitions = self.0.crew.definitions().await;
        let pipelines = definitions
            .pipelines
            .iter()
            .map(|(name, entry)| Row::of(name, &entry.pipeline, &entry.path))
            .collect();
        Ok(Answer { pipelines })
    }
}

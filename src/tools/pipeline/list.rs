//! `list_pipelines`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    defs::Item,
    engine,
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
    /// The employees in order; those of a group, side by side, in a list of their own.
    steps: Vec<Place>,
    /// Its file, relative to the project.
    path: String,
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
enum Place {
    One(String),
    Group(Vec<String>),
}

impl From<&Item> for Place {
    fn from(item: &Item) -> Self {
        match item {
            Item::Step(step) => Self::One(step.employee.clone()),
            Item::Parallel(steps) => Self::Group(steps.iter().map(|step| step.employee.clone()).collect()),
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
            .map(|(name, entry)| Row {
                name: name.clone(),
                description: entry.pipeline.description.clone(),
                args: engine::inputs(&entry.pipeline),
                steps: entry.pipeline.items.iter().map(Place::from).collect(),
                path: entry.path.clone(),
            })
            .collect();
        Ok(Answer { pipelines })
    }
}

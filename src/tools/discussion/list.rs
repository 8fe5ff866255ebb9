//! `list_discussions`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::tools::{Annotations, Ctx, Error, Tool, office::Office};

pub(in crate::tools) struct ListDiscussions(pub(in crate::tools) Office);

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::tools) struct Args {}

#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::tools) struct Answer {
    /// By name.
    discussions: Vec<Row>,
}

/// A discussion in brief.
#[derive(Debug, Serialize, JsonSchema)]
struct Row {
    /// The name to hold it by.
    name: String,
    /// One line.
    description: String,
    /// The employees who take part.
    participants: Vec<String>,
    /// How many rounds it has.
    rounds: usize,
    /// The values it must be given.
    args: Vec<String>,
    /// Its file, relative to the project.
    path: String,
}

impl Tool for ListDiscussions {
    type Args = Args;
    type Output = Answer;

    const NAME: &'static str = "list_discussions";
    const TITLE: &'static str = "List discussions";
    const SUMMARY: &'static str = "Lists the discussions of this project: which employees talk about what, in how \
        many rounds, and which values are needed.";
    const ANNOTATIONS: Annotations = Annotations::READS;

    async fn call(&self, _: Ctx, _: Args) -> Result<Answer, Error> {
        let definitions = self.0.crew.definitions().await;
        let discussions = definitions
            .discussions
            .iter()
            .map(|(name, entry)| Row {
                name: name.clone(),
                description: entry.discussion.description.clone(),
                participants: entry.discussion.participants.iter().map(|who| who.employee.clone()).collect(),
                rounds: entry.discussion.rounds.len(),
                args: entry.discussion.required_args(),
                path: entry.path.clone(),
            })
            .collect();
        Ok(Answer { discussions })
    }
}

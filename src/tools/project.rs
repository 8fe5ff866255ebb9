//! `detect_project`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Annotations, Ctx, Error, Tool, office::Office};
use crate::catalog::Project;

pub(super) struct DetectProject(pub(super) Office);

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Args {}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Answer {
    #[serde(flatten)]
    project: Project,
    /// All that in a few words, for instance `Python (Fastapi)`.
    display_label: String,
}

impl Tool for DetectProject {
    type Args = Args;
    type Output = Answer;

    const NAME: &'static str = "detect_project";
    const TITLE: &'static str = "Detect the kind of project";
    const SUMMARY: &'static str = "Tells what kind of project the crew works on: language, framework, package \
        manager, test framework and lint tools, read from its manifests.";
    const ANNOTATIONS: Annotations = Annotations::READS;

    async fn call(&self, _: Ctx, _: Args) -> Result<Answer, Error> {
        let project = self.0.crew.project().await;
        Ok(Answer { display_label: project.display_label(), project })
    }
}

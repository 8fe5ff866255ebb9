//! `validate_definition`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    defs::{self, Diagnostic, Severity, Source},
    tools::{Annotations, Ctx, Error, Tool},
};

pub(in crate::tools) struct ValidateDefinition;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::tools) struct Args {
    /// The whole text of the definition.
    text: String,
    /// What it is meant to be.
    #[serde(default)]
    kind: Kind,
    /// What its file is called, without the extension; of a skill, its folder.
    #[serde(default)]
    name: Option<String>,
}

/// Kinds of definitions.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Kind {
    /// An employee: Markdown with front matter.
    #[default]
    Employee,
    /// An Agent Skill.
    Skill,
    /// A subagent.
    Agent,
    /// A recipe of goose.
    Recipe,
    /// A pipeline.
    Pipeline,
    /// A discussion.
    Discussion,
    /// `.crew/webhook.yaml`.
    Webhook,
    /// `.crew/cron.yaml`.
    Cron,
    /// `organization.yaml`.
    Organization,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::tools) struct Answer {
    /// Whether it can be used.
    valid: bool,
    /// What is to be said about it, errors and warnings, each with its place.
    diagnostics: Vec<Diagnostic>,
}

impl Tool for ValidateDefinition {
    type Args = Args;
    type Output = Answer;

    const NAME: &'static str = "validate_definition";
    const TITLE: &'static str = "Check a definition";
    const SUMMARY: &'static str = "Checks the text of a definition (an employee, a skill, a pipeline, …) without \
        writing anything, and tells everything that is wrong with it, with line, column and what to write instead.";
    const ANNOTATIONS: Annotations = Annotations::READS;

    async fn call(&self, _: Ctx, args: Args) -> Result<Answer, Error> {
        let name = args.name.as_deref().unwrap_or("definition");
        let source = Source::new(name, args.text);
        let diagnostics = match args.kind {
            Kind::Employee => defs::parse_employee(&source).1,
            Kind::Skill => defs::parse_skill(&source, name).1,
            Kind::Agent => defs::parse_agent(&source, name).1,
            Kind::Recipe => defs::parse_recipe(&source, name).1,
            Kind::Pipeline => defs::parse_pipeline(&source, name).1,
            Kind::Discussion => defs::parse_discussion(&source, name).1,
            Kind::Organization => defs::parse_organization(&source).1,
            Kind::Webhook => defs::parse_webhook(&source).1,
            Kind::Cron => defs::parse_cron(&source).1,
        };
        let valid = diagnostics.iter().all(|found| found.severity != Severity::Error);
        Ok(Answer { valid, diagnostics })
    }
}

//! `add_memory`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ADDS, own};
use crate::{
    engine::memory::{Added, Category, Classification, DraftStatus, Entry, New, Traits, Visibility},
    tools::{Annotations, Ctx, Error, Tool, office::Office},
};

pub(in crate::tools) struct AddMemory(pub(in crate::tools) Office);

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::tools) struct Args {
    /// Name or trigger of the employee.
    employee: String,
    /// What kind of memory it is; a pattern is shared with the other employees.
    category: Category,
    /// What is to be remembered, at most 20,000 characters.
    content: String,
    /// What it comes from, such as a session or a task.
    #[serde(default)]
    source_session: String,
    /// How sure it is, from 0 to 1; 1, unless given.
    #[serde(default)]
    confidence: Option<f64>,
    /// From 1 to 5; 3, unless given.
    #[serde(default)]
    importance: Option<i64>,
    /// How many days it holds; 0 for ever.
    #[serde(default)]
    ttl_days: Option<i64>,
    /// For grouping and finding.
    #[serde(default)]
    tags: Option<Vec<String>>,
    /// Words it is found by.
    #[serde(default)]
    keywords: Option<Vec<String>>,
    /// How far it may be told; `internal`, unless given.
    #[serde(default)]
    classification: Option<Classification>,
    /// For what is restricted: whoever knows about one of these may be told.
    #[serde(default)]
    domain: Option<Vec<String>>,
    /// `private` for its owner alone.
    #[serde(default)]
    visibility: Option<Visibility>,
    /// Whether other employees may be told of it.
    #[serde(default)]
    shared: Option<bool>,
    /// For whom it is worth remembering: tags or domains of employees.
    #[serde(default)]
    applicability: Option<Vec<String>>,
    /// Whether it waits for somebody to approve of it first.
    #[serde(default)]
    draft: bool,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::tools) struct Answer {
    #[serde(flatten)]
    entry: Entry,
    /// Whether the same was remembered before, so that nothing was added.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    known: bool,
    /// Of a draft: that it waits.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<DraftStatus>,
}

impl Tool for AddMemory {
    type Args = Args;
    type Output = Answer;

    const NAME: &'static str = "add_memory";
    const TITLE: &'static str = "Remember something";
    const SUMMARY: &'static str = "Has an employee remember something: a decision, an estimate, a finding, a correction or a \
        pattern. Its prompts tell it from then on. What it remembers already is not added again; what turned out wrong is \
        for correct_memory.";
    const ANNOTATIONS: Annotations = ADDS;

    async fn call(&self, ctx: Ctx, args: Args) -> Result<Answer, Error> {
        let holder = own(&self.0, &ctx, &args.employee).await?;
        let settings = self.0.crew.memory().settings();
        let is_draft = args.draft || settings.review && ctx.caller().employee().is_some();
        let new = New {
            category: args.category,
            content: args.content,
            source_session: args.source_session,
            traits: Traits {
                confidence: args.confidence,
                importance: args.importance,
                ttl_days: args.ttl_days,
                tags: args.tags,
                keywords: args.keywords,
                classification: args.classification,
                domain: args.domain,
                visibility: args.visibility,
                shared: args.shared,
                trigger_condition: None,
                applicability: args.applicability,
            },
        };
        if is_draft {
            let draft = self.0.crew.remember(move |memory| memory.draft(&holder, &new)).await?;
            return Ok(Answer { entry: draft.entry, known: false, status: Some(draft.status) });
        }
        let Added { entry, is_new } = self.0.crew.remember(move |memory| memory.add(&holder, &new)).await?;
        Ok(Answer { entry, known: !is_new, status: None })
    }
}

//! The shape of a skill of an employee.

#![expect(dead_code, reason = "these types are never made, only their schemas")]

use schemars::JsonSchema;

use super::piece::{Flag, FullText, Line, Ratio, Text, Texts, Whole};
use crate::defs::{KeywordMatch, SkillPriority};

/// What is laid before an employee when its task calls for it: a file of `.crew/skills/<employee>/`, in YAML or JSON.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct EmployeeSkill {
    /// The schema of the file.
    #[schemars(rename = "$schema")]
    schema: Option<String>,
    /// What earlier versions knew it by.
    skill_id: Option<Text>,
    /// What it is called by; the name of its file, unless given.
    name: Option<Line>,
    /// Its version.
    version: Option<Text>,
    /// Whose skill it is; the folder says the same, and counts.
    employee: Option<Text>,
    /// What it is for. A trigger of the type `semantic` compares tasks with it.
    description: Option<Text>,
    /// When it is used.
    trigger: Trigger,
    /// What it lays before its employee, in this order.
    #[schemars(length(max = 8))]
    actions: Option<Vec<Action>>,
    /// What else is said about it.
    metadata: Option<Metadata>,
    /// Whether it may be used at all; it may, unless given.
    enabled: Option<Flag>,
}

/// When a skill is used.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Trigger {
    /// For every task, when words are in the task, or when the task is about what the skill is about.
    #[schemars(rename = "type")]
    kind: TriggerKind,
    /// Words to look for in the task, whatever their case. Of Latin script whole words are found, of Chinese also parts. For
    /// `semantic`, one of them is enough.
    keywords: Option<Texts>,
    /// For `keyword`: whether one of the words is enough (`any`, unless given) or each has to be there (`all`).
    #[schemars(rename = "match")]
    found: Option<KeywordMatch>,
    /// For `semantic`: tasks that it is meant for.
    examples: Option<Texts>,
    /// For `semantic`: how much of the description or of an example has to be in the task, from 0 to 1; 0.35, unless given.
    threshold: Option<Ratio>,
    /// For `semantic` where nearness is told by an embedding; words do not look at it.
    embedding_threshold: Option<Ratio>,
}

/// A kind of trigger.
#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase", inline)]
enum TriggerKind {
    Always,
    Keyword,
    Semantic,
}

/// What a skill lays before its employee.
#[derive(JsonSchema)]
#[schemars(untagged)]
enum Action {
    Memory(QueryMemory),
    Checklist(LoadChecklist),
    File(ReadFile),
    Wiki(ReadWiki),
    Custom(Custom),
}

/// Declares an action: the one word that tells its kind, and whether it needs `params`.
macro_rules! actions {
    ($($(#[$doc:meta])* $name:ident($kind:ident = $word:literal): $params:ty;)*) => {
        $(
            #[derive(JsonSchema)]
            #[schemars(inline)]
            enum $kind {
                #[schemars(rename = $word)]
                It,
            }

            $(#[$doc])*
            #[derive(JsonSchema)]
            #[schemars(deny_unknown_fields)]
            struct $name {
                /// What is done.
                #[schemars(rename = "type")]
                kind: $kind,
                /// What it is done with.
                params: $params,
            }
        )*
    };
}

actions! {
    /// Tells what the employee remembers about something.
    QueryMemory(QueryMemoryKind = "query_memory"): Option<MemoryParams>;
    /// Gives points to go through.
    LoadChecklist(LoadChecklistKind = "load_checklist"): ChecklistParams;
    /// Shows a file of the project.
    ReadFile(ReadFileKind = "read_file"): FileParams;
    /// Shows a document of `.crew/wiki`.
    ReadWiki(ReadWikiKind = "read_wiki"): WikiParams;
    /// Does nothing; earlier versions knew it.
    Custom(CustomKind = "custom"): Option<super::piece::Anything>;
}

/// Which memories are told.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct MemoryParams {
    /// What they are about; `{task}` stands for the task, which is also looked for when nothing is given.
    query: Option<Text>,
    /// Only memories of this kind.
    category: Option<MemoryKind>,
    /// Only memories with one of these tags.
    tags: Option<Texts>,
    /// At most this many; 5, unless given.
    limit: Option<Whole<1, 20>>,
}

/// A kind of memory.
#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase", inline)]
enum MemoryKind {
    Decision,
    Estimate,
    Finding,
    Correction,
    Pattern,
}

/// Where the points are: here, or in Markdown.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, extend("anyOf" = [
    {"required": ["items"]}, {"required": ["file"]}, {"required": ["section"]},
]))]
struct ChecklistParams {
    /// The points themselves.
    items: Option<Texts>,
    /// A Markdown file in the folder of the skill; its list items that are not ticked are the points.
    #[schemars(regex(pattern = r"\.[mM][dD]\s*$"))]
    file: Option<String>,
    /// The heading they are below: in that file, or else in the instructions of the employee.
    section: Option<Text>,
}

/// Which file.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct FileParams {
    /// From the root of the project. Names that begin with a dot, `private` and links are not read.
    path: FullText,
}

/// Which document.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, extend("anyOf" = [{"required": ["doc"]}, {"required": ["doc_slug"]}]))]
struct WikiParams {
    /// From `.crew/wiki`, with or without `.md`: `onboarding/deploy`.
    doc: Option<Text>,
    /// What earlier versions called the folder.
    space_slug: Option<Text>,
    /// What earlier versions called the document.
    doc_slug: Option<Text>,
}

/// What else is said about a skill.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Metadata {
    /// What kind of skill it is, in your words.
    category: Option<Text>,
    /// Which skills go before others; `medium`, unless given.
    priority: Option<SkillPriority>,
    /// When it was written.
    created_at: Option<Text>,
    /// When it was last changed.
    updated_at: Option<Text>,
}

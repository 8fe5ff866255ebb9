//! What a project and an employee settle about memories.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    embedder::{OwnEmbedder, embedder},
    reader::{Fields, Unknown},
    report::Report,
    yaml::Node,
};

/// How far something may be told.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Classification {
    /// To anybody.
    Public,
    /// Within the project.
    #[default]
    Internal,
    /// To those who know about its domain.
    Restricted,
    /// To those who are trusted with everything.
    Confidential,
}

impl Classification {
    /// All of them, from open to closed.
    pub const ALL: [Self; 4] = [Self::Public, Self::Internal, Self::Restricted, Self::Confidential];

    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Internal => "internal",
            Self::Restricted => "restricted",
            Self::Confidential => "confidential",
        }
    }
}

/// How memories are kept in a project; what is not given stays as it is without a file.
#[derive(Debug, Clone, Default, PartialEq, Serialize, JsonSchema)]
#[serde(default)]
pub struct OwnMemory {
    /// Whether prompts hold memories, and runs leave any.
    pub enabled: Option<bool>,
    /// Most tokens that memories take of a prompt.
    pub prompt_tokens: Option<u32>,
    /// Most entries in a prompt.
    pub prompt_entries: Option<u32>,
    /// Whether what came of runs is remembered.
    pub outcomes: Option<bool>,
    /// Most outcomes that each employee remembers.
    pub max_outcomes: Option<u32>,
    /// How many days entries hold that say nothing about it.
    pub ttl_days: Option<u32>,
    /// Most entries that hold of each employee.
    pub max_entries: Option<u32>,
    /// After how many days half of a confidence is left.
    pub half_life_days: Option<f64>,
    /// Whether what employees want to remember waits for somebody's approval.
    pub review: Option<bool>,
    /// What turns memories into vectors; they are searched by their words alone without it.
    pub embedder: Option<OwnEmbedder>,
}

/// What an employee settles about its memory.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct EmployeeMemory {
    /// Whether its prompts hold memories, and its runs leave any.
    pub enabled: Option<bool>,
    /// Most tokens that memories take of its prompts.
    pub prompt_tokens: Option<u32>,
    /// The most closed class of entries that its prompts may hold.
    pub clearance: Option<Classification>,
}

/// More than any prompt has room for.
pub(super) const MOST_TOKENS: u32 = 100_000;
/// A hundred years.
pub(super) const MOST_DAYS: u32 = 36_500;

const LEVELS: [(&str, Classification); 4] = [
    ("public", Classification::Public),
    ("internal", Classification::Internal),
    ("restricted", Classification::Restricted),
    ("confidential", Classification::Confidential),
];

/// `memory` of `config.yaml`.
pub(super) fn of_project(node: &Node, report: &mut Report<'_>) -> Option<OwnMemory> {
    let mut fields = Fields::of(node, "`memory`", report)?;
    let memory = OwnMemory {
        enabled: fields.flag("enabled", report),
        prompt_tokens: fields.whole("prompt_tokens", 0..=MOST_TOKENS, report),
        prompt_entries: fields.whole("prompt_entries", 0..=1000, report),
        outcomes: fields.flag("outcomes", report),
        max_outcomes: fields.whole("max_outcomes", 0..=1000, report),
        ttl_days: fields.whole("ttl_days", 0..=MOST_DAYS, report),
        max_entries: fields.whole("max_entries", 0..=1_000_000, report),
        half_life_days: fields.number("half_life_days", 0.0..=f64::from(MOST_DAYS), report),
        review: fields.flag("review", report),
        embedder: fields.get("embedder").and_then(|node| embedder(node, report)),
    };
    fields.finish(Unknown::Refused, &[], report);
    Some(memory)
}

/// `memory` of an employee.
pub(super) fn of_employee(node: &Node, report: &mut Report<'_>) -> Option<EmployeeMemory> {
    let mut fields = Fields::of(node, "`memory` of an employee", report)?;
    let memory = EmployeeMemory {
        enabled: fields.flag("enabled", report),
        prompt_tokens: fields.whole("prompt_tokens", 0..=MOST_TOKENS, report),
        clearance: fields.choice("clearance", "clearance", &LEVELS, report),
    };
    // A misspelt key must not open what it was meant to close.
    fields.finish(Unknown::Refused, &[], report);
    Some(memory)
}

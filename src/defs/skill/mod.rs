//! Skills of employees: what is laid before an employee when its task calls for it.
//!
//! They are files of `.crew/skills/<employee>/`, in JSON as earlier versions wrote them or in YAML. They have nothing to do
//! with the `SKILL.md` of other programs, which is read as an employee of its own.

mod parse;
mod paths;

use schemars::JsonSchema;
use serde::{Serialize, Serializer};

pub use parse::{SkillMarks, parse_employee_skill, parse_employee_skill_marked};

/// How much of what a skill is about has to be in a task, from 0 to 1, unless the skill says otherwise.
pub(crate) const THRESHOLD: f64 = 0.35;

/// A skill of an employee.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct EmployeeSkill {
    /// What earlier versions knew it by; empty when it has none.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub skill_id: String,
    /// What it is called by; unique among those of an employee.
    pub name: String,
    /// Its version, in the words of its author.
    pub version: String,
    /// What it is for.
    pub description: String,
    /// Whether it may be used at all.
    pub enabled: bool,
    /// When it is used.
    pub trigger: SkillTrigger,
    /// What it lays before its employee, in this order.
    pub actions: Vec<SkillAction>,
    /// What else is said about it.
    pub metadata: SkillMetadata,
}

/// When a skill is used.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum SkillTrigger {
    /// For every task.
    Always,
    /// When words are in the task.
    Keyword {
        /// The words.
        keywords: Vec<String>,
        /// How many of them have to be there.
        #[serde(rename = "match")]
        found: KeywordMatch,
    },
    /// When the task is about what the skill is about.
    Semantic {
        /// Words of which one is enough.
        keywords: Vec<String>,
        /// Tasks that it is meant for.
        examples: Vec<String>,
        /// How much of the description, or of an example, has to be in the task, from 0 to 1.
        threshold: f64,
        /// How near the task has to be to the description or an example, as an embedder tells it: a cosine from 0 to 1.
        /// That of the project, `memory.embedder.min_similarity`, unless given.
        #[serde(skip_serializing_if = "Option::is_none")]
        embedding_threshold: Option<f64>,
    },
}

/// How many of the words have to be there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum KeywordMatch {
    /// One of them.
    #[default]
    Any,
    /// Each of them.
    All,
}

/// What a skill lays before its employee.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(tag = "type", content = "params", rename_all = "snake_case")]
pub enum SkillAction {
    /// What the employee remembers about something.
    QueryMemory(MemoryLookup),
    /// Points to go through.
    LoadChecklist(ChecklistSource),
    /// A file of the project.
    ReadFile {
        /// From the root of the project.
        path: String,
    },
    /// A document of `.crew/wiki`.
    ReadWiki {
        /// From that folder, without `.md`.
        doc: String,
    },
}

/// Which memories a skill looks up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct MemoryLookup {
    /// What they are about; the task itself, unless given. `{task}` in it stands for the task.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
    /// Only memories of this kind, as it is written in them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// Only memories with one of these tags.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// At most this many.
    pub limit: u32,
}

/// Where the points of a checklist are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChecklistSource {
    /// In the skill itself.
    Items(Vec<String>),
    /// In a Markdown file in the folder of the skill: its list items that are not ticked, of one section or of all.
    File {
        /// From the folder of the skill.
        file: String,
        /// The heading; all of the file, unless given.
        section: Option<String>,
    },
    /// In the instructions of the employee, below this heading.
    Section(String),
}

impl ChecklistSource {
    fn params(&self) -> Params<'_> {
        match self {
            Self::Items(items) => Params { items: Some(items), ..Params::default() },
            Self::File { file, section } => {
                Params { file: Some(file), section: section.as_deref(), ..Params::default() }
            }
            Self::Section(section) => Params { section: Some(section), ..Params::default() },
        }
    }
}

/// A checklist as it is written in a file.
#[derive(Debug, Default, Serialize, JsonSchema)]
struct Params<'p> {
    /// The points themselves.
    #[serde(skip_serializing_if = "Option::is_none")]
    items: Option<&'p [String]>,
    /// A Markdown file in the folder of the skill.
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<&'p str>,
    /// A heading in that file, or else in the instructions of the employee.
    #[serde(skip_serializing_if = "Option::is_none")]
    section: Option<&'p str>,
}

impl Serialize for ChecklistSource {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.params().serialize(serializer)
    }
}

impl JsonSchema for ChecklistSource {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "ChecklistSource".into()
    }
    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        Params::json_schema(generator)
    }
}

/// What else is said about a skill.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct SkillMetadata {
    /// What kind of skill it is, in the words of its author.
    pub category: String,
    /// Which skills go before others.
    pub priority: SkillPriority,
}

/// Which skills go before others, from last to first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SkillPriority {
    /// After all others.
    Low,
    /// As most are.
    #[default]
    Medium,
    /// Before most.
    High,
    /// Before all others.
    Critical,
}

impl SkillPriority {
    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

impl SkillTrigger {
    /// The word for its kind.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Always => "always",
            Self::Keyword { .. } => "keyword",
            Self::Semantic { .. } => "semantic",
        }
    }
}

impl SkillAction {
    /// The word for its kind.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::QueryMemory(_) => "query_memory",
            Self::LoadChecklist(_) => "load_checklist",
            Self::ReadFile { .. } => "read_file",
            Self::ReadWiki { .. } => "read_wiki",
        }
    }
}

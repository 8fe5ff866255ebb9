//! An employee: a role with its instructions, arguments and settings.
//!
//! [`Employee`] is what crew works with, whatever format it was read from. A field that crew has no use for, but
//! another program has, is kept in [`Employee::extra`], so that nothing is lost on the way through.

mod export;
mod foreign;
mod header;
mod legacy;
mod parse;
pub(super) mod permissions;
mod placeholders;
mod recipe;
mod secrets;
mod skill;
mod stored;
#[cfg(test)]
mod tests;
mod translate;
mod version;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use export::{Authorship, Foreign, authorship, export};
pub use header::{is_name, slug};
pub use parse::{
    EmployeeFiles, EmployeeMarks, parse_employee, parse_employee_dir, parse_employee_dir_marked,
    parse_employee_marked,
};
pub use permissions::Permissions;
pub use recipe::parse_recipe;
pub(super) use secrets::reference as variable;
pub use secrets::variable_name;
pub use skill::{parse_agent, parse_skill};
pub use version::{Bump, Bumped, bump, content_hash};

/// Someone who can be put to work.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Employee {
    /// Unique name: 1 to 64 lower-case letters, digits and inner hyphens.
    pub name: String,
    /// What people call the role; the name when empty.
    pub display_name: String,
    /// What people call the person.
    pub character_name: String,
    /// A short description for lists of participants.
    pub summary: String,
    /// A paragraph about the person.
    pub bio: String,
    /// As written: `1.10` stays `1.10`.
    pub version: String,
    /// One line, at most 1024 characters.
    pub description: String,
    /// For grouping and filtering.
    pub tags: Vec<String>,
    /// What the person knows about.
    pub domains: Vec<String>,
    /// What the work is measured by.
    pub kpi: Vec<String>,
    /// Who wrote it.
    pub author: String,
    /// Other names it is found by; any script.
    pub triggers: Vec<String>,
    /// What it takes, in positional order.
    pub args: Vec<Arg>,
    /// What its answer looks like and where it is kept.
    pub output: Output,
    /// Tools it may use.
    pub tools: Vec<String>,
    /// Which of them it may use, and for which a person is asked.
    pub permissions: Option<Permissions>,
    /// Files to read first.
    pub context: Vec<String>,
    /// The model it runs on, if it has a preference.
    pub model: Option<String>,
    /// A class of models that the project chooses from.
    pub model_tier: String,
    /// Where its model is served, if not where models of that name usually are.
    pub base_url: Option<String>,
    /// The variable with the key of its model, as `${NAME}`; never a key.
    pub api_key: Option<String>,
    /// The model to use when its own is down.
    pub fallback_model: Option<String>,
    /// Where that one is served.
    pub fallback_base_url: Option<String>,
    /// The variable with the key of that one, as `${NAME}`; never a key.
    pub fallback_api_key: Option<String>,
    /// 0 to 2.
    pub temperature: Option<f32>,
    /// Most tokens of an answer.
    pub max_tokens: Option<u32>,
    /// Whether its model is to think before it answers, where that can be chosen.
    pub thinking: Option<bool>,
    /// Its id at the identity service: a number, or something like `AI3050`.
    pub agent_id: Option<String>,
    /// Whether it is at work.
    pub agent_status: AgentStatus,
    /// Whether it remembers its runs by itself.
    pub auto_memory: bool,
    /// What a portrait should show.
    pub avatar_prompt: String,
    /// How it prepares for a discussion.
    pub research_instructions: String,
    /// The instructions, in Markdown, with `$name` and `{date}` places to fill.
    pub body: String,
    /// Instructions for one kind of project each (`adaptors/python.md`).
    pub adaptors: Vec<Adaptor>,
    /// The format it was written in.
    pub origin: Origin,
    /// Fields that another program understands and crew only keeps.
    pub extra: Map<String, Value>,
    /// The hash recorded when `version` was last raised; see [`content_hash`].
    #[serde(rename = "_content_hash")]
    pub recorded_hash: String,
}

impl Default for Employee {
    fn default() -> Self {
        Self {
            name: String::new(),
            display_name: String::new(),
            character_name: String::new(),
            summary: String::new(),
            bio: String::new(),
            version: "1.0".to_owned(),
            description: String::new(),
            tags: Vec::new(),
            domains: Vec::new(),
            kpi: Vec::new(),
            author: String::new(),
            triggers: Vec::new(),
            args: Vec::new(),
            output: Output::default(),
            tools: Vec::new(),
            permissions: None,
            context: Vec::new(),
            model: None,
            model_tier: String::new(),
            base_url: None,
            api_key: None,
            fallback_model: None,
            fallback_base_url: None,
            fallback_api_key: None,
            temperature: None,
            max_tokens: None,
            thinking: None,
            agent_id: None,
            agent_status: AgentStatus::Active,
            auto_memory: false,
            avatar_prompt: String::new(),
            research_instructions: String::new(),
            body: String::new(),
            adaptors: Vec::new(),
            origin: Origin::Crew,
            extra: Map::new(),
            recorded_hash: String::new(),
        }
    }
}

impl Employee {
    /// What to call it in a sentence.
    pub fn title(&self) -> &str {
        if self.display_name.is_empty() { &self.name } else { &self.display_name }
    }
}

/// The format an employee was written in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// crew's own; only here do `{date}` and its like mean something.
    #[default]
    Crew,
    /// An Agent Skill.
    Skill,
    /// A subagent of Claude Code.
    Agent,
    /// A recipe of goose.
    Recipe,
}

/// Whether an employee is at work.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum AgentStatus {
    /// It is.
    #[default]
    Active,
    /// Not for now.
    Frozen,
    /// No longer.
    Inactive,
}

/// Something an employee takes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Arg {
    /// The name in `$name`.
    pub name: String,
    /// For a person or a model.
    #[serde(default)]
    pub description: String,
    /// Whether it must be given (unless it has a default).
    #[serde(default)]
    pub required: bool,
    /// Used when it is not given.
    #[serde(default)]
    pub default: Option<String>,
}

/// What an answer looks like.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Markdown.
    #[default]
    Markdown,
    /// JSON.
    Json,
    /// Plain text.
    Text,
}

/// What an answer looks like and where it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Output {
    /// Its form.
    pub format: Format,
    /// Name of the file the answer is meant for.
    pub filename: String,
    /// Folder of that file.
    pub dir: String,
    /// The JSON Schema that an answer in JSON has to fit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schema: Option<Value>,
}

impl Default for Output {
    fn default() -> Self {
        Self { format: Format::Markdown, filename: String::new(), dir: ".crew/logs".to_owned(), schema: None }
    }
}

/// Instructions for one kind of project.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Adaptor {
    /// The stem of its file, which names the kind of project: `python`, `nodejs`, `rust`.
    pub name: String,
    /// The instructions.
    pub body: String,
}

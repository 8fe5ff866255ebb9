//! An employee: a role with its instructions, arguments and settings.

mod parse;
mod placeholders;

use schemars::JsonSchema;
use serde::Serialize;

pub use parse::{
    EmployeeFiles, EmployeeMarks, parse_employee, parse_employee_dir, parse_employee_dir_marked,
    parse_employee_marked,
};

/// Someone who can be put to work.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Employee {
    /// Unique name: 1 to 64 lower-case letters, digits and inner hyphens.
    pub name: String,
    /// What people call the role; the name when empty.
    pub display_name: String,
    /// What people call the person.
    pub character_name: String,
    /// A short description for lists of participants.
    pub summary: String,
    /// As written: `1.10` stays `1.10`.
    pub version: String,
    /// One line, at most 1024 characters.
    pub description: String,
    /// For grouping and filtering.
    pub tags: Vec<String>,
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
    /// Files to read first.
    pub context: Vec<String>,
    /// The model it runs on, if it has a preference.
    pub model: Option<String>,
    /// 0 to 2.
    pub temperature: Option<f32>,
    /// Most tokens of an answer.
    pub max_tokens: Option<u32>,
    /// Its id at the identity service: a number, or something like `AI3050`.
    pub agent_id: Option<String>,
    /// What a portrait should show.
    pub avatar_prompt: String,
    /// How it prepares for a discussion.
    pub research_instructions: String,
    /// The instructions, in Markdown, with `$name` and `{date}` places to fill.
    pub body: String,
    /// Instructions for one kind of project each (`adaptors/python.md`).
    pub adaptors: Vec<Adaptor>,
}

impl Employee {
    /// What to call it in a sentence.
    pub fn title(&self) -> &str {
        if self.display_name.is_empty() { &self.name } else { &self.display_name }
    }
}

/// Something an employee takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Arg {
    /// The name in `$name`.
    pub name: String,
    /// For a person or a model.
    pub description: String,
    /// Whether it must be given (unless it has a default).
    pub required: bool,
    /// Used when it is not given.
    pub default: Option<String>,
}

/// What an answer looks like.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, JsonSchema)]
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Output {
    /// Its form.
    pub format: Format,
    /// Name of the file the answer is meant for.
    pub filename: String,
    /// Folder of that file.
    pub dir: String,
}

impl Default for Output {
    fn default() -> Self {
        Self { format: Format::Markdown, filename: String::new(), dir: ".crew/logs".to_owned() }
    }
}

/// Instructions for one kind of project.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Adaptor {
    /// The stem of its file, which names the kind of project: `python`, `nodejs`, `rust`.
    pub name: String,
    /// The instructions.
    pub body: String,
}

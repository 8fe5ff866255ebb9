//! The shape of an employee.

#![expect(dead_code, reason = "these types are never made, only their schemas")]

use schemars::JsonSchema;

use super::piece::{
    Anything, Description, Flag, FullText, Name, Temperature, Text, Texts, Variable, Whole, Word,
};
use crate::defs::{AgentStatus, Format};

/// Someone who can be put to work: `employee.yaml`, or the front matter of a Markdown file.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct Employee {
    /// Unique name: 1 to 64 lower-case letters, digits and inner hyphens.
    name: Name,
    /// One line, at most 1024 characters.
    description: Description,
    /// What people call the role; any script.
    display_name: Option<Text>,
    /// What people call the person.
    character_name: Option<Text>,
    /// A short description for lists of participants.
    summary: Option<Text>,
    /// A paragraph about the person.
    bio: Option<Text>,
    /// For instance `1.2.0`. `1.10` stays `1.10`.
    version: Option<Text>,
    /// For grouping and filtering.
    tags: Option<Texts>,
    /// What the person knows about.
    domains: Option<Texts>,
    /// What the work is measured by.
    kpi: Option<Texts>,
    /// Who wrote it.
    author: Option<Text>,
    /// Other names it is found by; any script.
    triggers: Option<Texts>,
    /// What it takes, in positional order; written as `$name` in the instructions.
    args: Option<Vec<Arg>>,
    /// What its answer looks like and where it is kept.
    output: Option<Output>,
    /// Tools it may use.
    tools: Option<Texts>,
    /// Which of its tools it may use, and for which a person is asked.
    permissions: Option<Permissions>,
    /// Files to read first.
    context: Option<Texts>,
    /// The model it runs on.
    model: Option<Text>,
    /// A class of models that `organization.yaml` chooses from.
    model_tier: Option<Text>,
    /// Where its model is served, if not where models of that name usually are.
    base_url: Option<Text>,
    /// The variable with the key of its model, as `${NAME}`; never a key.
    api_key: Option<Variable>,
    /// The model to use when its own is down.
    fallback_model: Option<Text>,
    /// Where that one is served.
    fallback_base_url: Option<Text>,
    /// The variable with the key of that one, as `${NAME}`; never a key.
    fallback_api_key: Option<Variable>,
    /// 0 to 2.
    temperature: Option<Temperature>,
    /// Most tokens of an answer.
    max_tokens: Option<Whole<1, { u32::MAX }>>,
    /// Whether its model is to think before it answers, where that can be chosen.
    thinking: Option<Flag>,
    /// Its id at the identity service: a number, or something like `AI3050`.
    agent_id: Option<Text>,
    /// Whether it is at work.
    agent_status: Option<AgentStatus>,
    /// Whether it remembers its runs by itself.
    auto_memory: Option<Flag>,
    /// What a portrait should show.
    avatar_prompt: Option<Text>,
    /// How it prepares for a discussion.
    research_instructions: Option<Text>,
    /// The hash recorded when `version` was last raised; `knowlyr-crew bump` writes it.
    #[schemars(rename = "_content_hash")]
    content_hash: Option<Text>,
}

/// Which of its tools an employee may use. Without `roles` and `allow`, all that are not denied. In each list a `*` stands
/// for any number of characters.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Permissions {
    /// Sets of tools it may use.
    roles: Option<Texts>,
    /// Tools it may use beside them; `list_*` stands for all that begin so. One that is named here in full is used without
    /// asking anybody, even if its server calls it destructive.
    allow: Option<Texts>,
    /// Tools it may not use, whatever else is said.
    deny: Option<Texts>,
    /// Tools it may use once a person has agreed, each time anew. Those that their server calls destructive are among them
    /// without being named.
    approve: Option<Texts>,
}

/// Something an employee or a pipeline takes.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct Arg {
    /// The name in `$name`: letters, digits, `_` and `-`.
    name: Word,
    /// For a person or a model.
    description: Option<Text>,
    /// Whether it must be given (unless it has a default).
    required: Option<Flag>,
    /// Used when it is not given.
    default: Option<Text>,
}

/// What an answer looks like and where it is kept.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Output {
    /// Its form.
    format: Option<Format>,
    /// Name of the file the answer is meant for.
    filename: Option<Text>,
    /// Folder of that file.
    dir: Option<Text>,
    /// The JSON Schema that an answer in JSON has to fit; the model is asked once more when it does not.
    schema: Option<Anything>,
}

/// Somebody who is named.
pub(super) type Somebody = FullText;

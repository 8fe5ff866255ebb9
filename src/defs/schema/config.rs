//! The shape of `config.yaml`.

#![expect(dead_code, reason = "these types are never made, only their schemas")]

use indexmap::IndexMap;
use schemars::JsonSchema;

use super::{
    delivery::Destination,
    piece::{Flag, FullText, Text, Texts, Variable, Whole},
};
use crate::defs::Dialect;

/// What a project settles for all its employees: `.crew/config.yaml`.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct Config {
    /// The model of employees that name none.
    default_model: Option<Text>,
    /// The model to ask when another does not answer and has no stand-in of its own.
    fallback_model: Option<Text>,
    /// Calls at a time to each provider that settles nothing else; 256, unless given.
    max_concurrent: Option<Whole<1, 10_000>>,
    /// Where models are served, by the name of the provider. One with the name of a known provider replaces it, unless it
    /// says `max_concurrent` alone.
    providers: Option<IndexMap<String, OneProvider>>,
    /// What models cost, by name, in US dollars per million tokens.
    prices: Option<IndexMap<String, Price>>,
    /// Where results may go, by the name that schedules, routes, pipelines and callers use.
    destinations: Option<IndexMap<String, Destination>>,
    /// Where requests may go that a model or a definition asks for.
    outbound: Option<Outbound>,
    /// How work is queued and remembered.
    tasks: Option<Tasks>,
    /// How memories of employees are kept.
    memory: Option<Memory>,
}

/// How memories of employees are kept.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Memory {
    /// Whether prompts hold memories, and runs leave any; they do, unless this says no.
    enabled: Option<Flag>,
    /// Most tokens that memories take of a prompt; 800, unless given. 0 for none.
    prompt_tokens: Option<Whole<0, 100_000>>,
    /// Most entries in a prompt; 10, unless given.
    prompt_entries: Option<Whole<0, 1000>>,
    /// Whether what came of runs is remembered, also of employees that do not say `auto_memory`; it is not, unless given.
    outcomes: Option<Flag>,
    /// Most outcomes of runs that each employee remembers; 20, unless given.
    max_outcomes: Option<Whole<0, 1000>>,
    /// How many days entries hold that say nothing about it; 0, which is for ever, unless given.
    ttl_days: Option<Whole<0, 36_500>>,
    /// Most entries that hold of each employee, the rest goes to the archive; 0, which is no limit, unless given.
    max_entries: Option<Whole<0, 1_000_000>>,
    /// After how many days half of a confidence is left; 90, unless given. 0 for never.
    #[schemars(range(min = 0, max = 36500))]
    half_life_days: Option<f64>,
    /// Whether what employees want to remember at work waits for somebody's approval; it does not, unless given.
    review: Option<Flag>,
}

/// How work is queued and remembered.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Tasks {
    /// How many tasks are worked on at the same time; 128, unless given.
    #[schemars(range(min = 1, max = 1024))]
    workers: Option<u32>,
    /// How many tasks may wait; 1000, unless given.
    #[schemars(range(min = 1, max = 100_000))]
    queue: Option<u32>,
    /// How many finished tasks are remembered; 5000, unless given.
    #[schemars(range(min = 1, max = 1_000_000))]
    retain_count: Option<u32>,
    /// For how many days finished tasks are remembered; for ever, unless given.
    #[schemars(range(min = 1, max = 3650))]
    retain_days: Option<u32>,
}

/// Where requests may go, besides where everyone can.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Outbound {
    /// Hosts (`wiki.example.com`, `*.example.com`) and ranges of addresses (`10.1.0.0/16`) that not everyone can reach.
    allow: Option<Texts>,
}

/// A provider: one that the project adds, or how many calls at a time a known one is sent.
#[derive(JsonSchema)]
#[schemars(untagged)]
enum OneProvider {
    Own(Provider),
    Known(Limit),
}

/// How many calls at a time a known provider is sent.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Limit {
    /// Calls at a time.
    max_concurrent: Whole<1, 10_000>,
}

/// A provider that the project adds.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Provider {
    /// How it is spoken to; as OpenAI speaks in chat completions, unless given.
    wire: Option<Dialect>,
    /// Where it is, with its version: `http://127.0.0.1:11434/v1`.
    #[schemars(regex(pattern = r"^\s*https?://"))]
    base_url: String,
    /// The variable that holds its key, as `${NAME}`; none if it wants no key.
    api_key: Option<Variable>,
    /// What the names of its models begin with.
    #[schemars(length(min = 1))]
    models: Vec<FullText>,
    /// Calls at a time; those of the project, unless given.
    max_concurrent: Option<Whole<1, 10_000>>,
}

/// US dollars per million tokens.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Price {
    /// Of tokens read.
    #[schemars(range(min = 0, max = 10000))]
    input: f64,
    /// Of tokens read that the provider had in its cache; that of `input`, unless given.
    #[schemars(range(min = 0, max = 10000))]
    cached_input: Option<f64>,
    /// Of tokens written.
    #[schemars(range(min = 0, max = 10000))]
    output: f64,
}

//! The shape of `config.yaml`.

#![expect(dead_code, reason = "these types are never made, only their schemas")]

use indexmap::IndexMap;
use schemars::JsonSchema;

use super::{
    delivery::Destination,
    piece::{FullText, Text, Texts, Variable},
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
    /// Where models are served, by the name of the provider. One with the name of a known provider replaces it.
    providers: Option<IndexMap<String, Provider>>,
    /// What models cost, by name, in US dollars per million tokens.
    prices: Option<IndexMap<String, Price>>,
    /// Where results may go, by the name that schedules, routes, pipelines and callers use.
    destinations: Option<IndexMap<String, Destination>>,
    /// Where requests may go that a model or a definition asks for.
    outbound: Option<Outbound>,
}

/// Where requests may go, besides where everyone can.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Outbound {
    /// Hosts (`wiki.example.com`, `*.example.com`) and ranges of addresses (`10.1.0.0/16`) that not everyone can reach.
    allow: Option<Texts>,
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

//! The shape of `config.yaml`.

#![expect(dead_code, reason = "these types are never made, only their schemas")]

use indexmap::IndexMap;
use schemars::JsonSchema;

use super::{
    delivery::Destination,
    piece::{Budget, Flag, FullText, Retry, Text, Texts, Variable, Whole},
};
use crate::defs::{Dialect, EmbedderKind};

/// What a project settles for all its employees: `.crew/config.yaml`.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct Config {
    /// The model of employees that name none.
    default_model: Option<Text>,
    /// The model to ask when another does not answer and has no stand-in of its own.
    fallback_model: Option<Text>,
    /// Calls at a time to each provider that settles nothing else; 512, unless given.
    max_concurrent: Option<Whole<1, 10_000>>,
    /// Where models are served, by the name of the provider. One with the name of a known provider replaces it, unless it
    /// says `max_concurrent` alone.
    providers: Option<IndexMap<String, OneProvider>>,
    /// What models cost, by name, in US dollars per million tokens.
    prices: Option<IndexMap<String, Price>>,
    /// Where results may go, by the name that schedules, routes, pipelines and callers use.
    destinations: Option<IndexMap<String, Destination>>,
    /// How much any run may take.
    budget: Option<Budget>,
    /// Where requests may go that a model or a definition asks for.
    outbound: Option<Outbound>,
    /// How work is queued and remembered.
    tasks: Option<Tasks>,
    /// How memories of employees are kept.
    memory: Option<Memory>,
    /// For how long what is written down of runs and discussions is kept; for ever, unless given.
    records: Option<Records>,
    /// How much a server takes of whom. A flag or a variable of the environment goes before what stands here.
    serve: Option<Serving>,
    /// When a server that does badly says so itself.
    alerts: Option<Alerts>,
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
    /// What turns memories and questions into vectors; memories are searched by their words alone, unless given.
    embedder: Option<Embedder>,
}

/// What turns memories and questions into vectors. An embedder that is asked is told the memories and the questions.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Embedder {
    /// How it is spoken to; `static` is a model2vec model in a folder, which is asked nothing.
    provider: EmbedderKind,
    /// Its model; for all but `static`.
    model: Option<Text>,
    /// Where it is, as in `http://127.0.0.1:11434`; at its maker's, unless given.
    #[schemars(regex(pattern = r"^\s*https?://"))]
    base_url: Option<String>,
    /// The variable that holds its key, as `${NAME}`; without `base_url` that of its maker, else none, unless given.
    api_key: Option<Variable>,
    /// How long vectors are to be; as the model makes them, unless given.
    dimensions: Option<Whole<1, 8192>>,
    /// The folder of a `static` model, from the root of the project.
    path: Option<Text>,
    /// Seconds that a search or a prompt waits for the vector of its question; 2, unless given.
    #[schemars(range(min = 0.05, max = 60))]
    timeout_seconds: Option<f64>,
    /// Least cosine of what is about the same; 0.3, unless given. What fits hardly better than the rest does not count.
    #[schemars(range(min = 0, max = 1))]
    min_similarity: Option<f64>,
    /// Whether what is restricted, confidential or private is sent, too; it is not, unless given. A model on this machine
    /// is told everything.
    embed_classified: Option<Flag>,
}

/// For how long records are kept, and how many. What is not given has no bound, and what a task needs that is not over
/// stays in any case.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Records {
    /// For how many days what came of runs is kept, in `.crew/sessions`; what they cost is told from there.
    sessions_days: Option<Whole<1, 36_500>>,
    /// How many of them are kept, the newest.
    max_sessions: Option<Whole<1, 1_000_000>>,
    /// For how many days work logs of earlier versions are kept, in `.crew/logs`.
    logs_days: Option<Whole<1, 36_500>>,
    /// How many of them are kept, the newest.
    max_logs: Option<Whole<1, 1_000_000>>,
    /// For how many days meetings are kept, in `.crew/meetings`.
    meetings_days: Option<Whole<1, 36_500>>,
    /// How many of them are kept, the newest.
    max_meetings: Option<Whole<1, 1_000_000>>,
}

/// What is watched, and who is told. What has no limit is not watched.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Alerts {
    /// Names of `destinations` that are told.
    #[schemars(length(min = 1))]
    notify: Vec<FullText>,
    /// Seconds that nineteen of twenty calls of models may take.
    #[schemars(range(min = 0.001, max = 3600))]
    p95_seconds: Option<f64>,
    /// Which part of the calls of models may fail, from 0 to 1, of ten calls or more.
    #[schemars(range(min = 0, max = 1))]
    error_rate: Option<f64>,
    /// Seconds that a task may wait to be begun.
    queue_age_seconds: Option<Whole<1, 86_400>>,
    /// Seconds that a schedule may be late.
    cron_lag_seconds: Option<Whole<1, 86_400>>,
    /// How far back calls of models count; 10, unless given.
    window_minutes: Option<Whole<1, 1_440>>,
    /// How long it must be so before anybody is told; 60, unless given.
    for_seconds: Option<Whole<0, 86_400>>,
}

/// How much a server takes of whom.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Serving {
    /// Requests of one address in a minute once there is a token, 0 for any number; 60, unless given.
    rate_limit_per_minute: Option<Whole<0, 1_000_000>>,
    /// Deliveries of one address in a minute, 0 for any number; 300, unless given.
    webhook_rate_limit_per_minute: Option<Whole<0, 1_000_000>>,
    /// Most bytes of a body; 1048576, unless given.
    max_body_bytes: Option<Whole<1_024, 1_073_741_824>>,
    /// Seconds until an answer begins; 300, unless given.
    request_timeout_seconds: Option<Whole<1, 86_400>>,
    /// Requests that are answered at the same time; 512, unless given.
    max_requests: Option<Whole<1, 100_000>>,
    /// Connections that are open at the same time; 4096, unless given.
    max_connections: Option<Whole<1, 1_000_000>>,
    /// Seconds a client may take to send the head of a request; 20, unless given.
    header_timeout_seconds: Option<Whole<1, 3_600>>,
    /// Addresses or ranges of proxies whose `X-Forwarded-For` tells the client's address.
    trusted_proxies: Option<Texts>,
    /// Origins whose pages may call, as in `https://app.example.com`.
    cors_origins: Option<Texts>,
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
    /// How many more are remembered as their results are not delivered yet; 20000, unless given.
    #[schemars(range(min = 1, max = 1_000_000))]
    retain_undelivered: Option<u32>,
    /// How many runs of one employee, pipeline or discussion go on at the same time, in all processes of the project; as
    /// many as there are, unless given.
    #[schemars(range(min = 1, max = 1000))]
    lanes: Option<u32>,
    /// What becomes of tasks that fail with something that may pass; they stay failed, unless given.
    retry: Option<Retry>,
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

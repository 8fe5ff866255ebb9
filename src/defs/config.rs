//! What a project settles for all its employees: models, where they are served, and what they cost.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Serialize;

use super::{
    alerts::{OwnAlerts, alerts},
    budget::{self, Budget},
    codes,
    delivery::{self, Delivery},
    diagnostic::{Diagnostic, Source, Span},
    employee::{is_name, variable},
    memory::{self, OwnMemory},
    reader::{self, Fields, Unknown},
    records::{self, OwnRecords},
    report::Report,
    retry::{self, Retry},
    serving::{OwnServing, serving},
    yaml::{Node, Value},
};
use crate::base::reach::Allowed;

/// `.crew/config.yaml`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, JsonSchema)]
#[serde(default)]
pub struct Config {
    /// The model of employees that name none.
    pub default_model: Option<String>,
    /// The model to ask when another does not answer and has no stand-in of its own.
    pub fallback_model: Option<String>,
    /// Calls at a time to each provider that settles nothing else.
    pub max_concurrent: Option<u32>,
    /// Calls at a time to providers that crew knows of itself, by their names.
    #[serde(skip)]
    #[schemars(skip)]
    pub limits: IndexMap<String, u32>,
    /// Where models are served, by the name of the provider. One with the name of a known provider replaces it.
    pub providers: IndexMap<String, OwnProvider>,
    /// What models cost, by name, in US dollars per million tokens.
    pub prices: IndexMap<String, OwnPrice>,
    /// Where results may go, by the name that schedules, routes, pipelines and callers use.
    pub destinations: IndexMap<String, Delivery>,
    /// How much any run may take.
    pub budget: Budget,
    /// Where requests may go that a model or a definition asks for.
    pub outbound: OwnOutbound,
    /// How work is queued and remembered.
    pub tasks: OwnTasks,
    /// How memories of employees are kept.
    pub memory: OwnMemory,
    /// How much a server takes of whom.
    pub serve: OwnServing,
    /// For how long records are kept.
    pub records: OwnRecords,
    /// When a server that does badly says so itself.
    pub alerts: Option<OwnAlerts>,
}

/// How work is queued and remembered; what is not given stays as it is without a file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(default)]
pub struct OwnTasks {
    /// How many tasks are worked on at the same time.
    pub workers: Option<u32>,
    /// How many tasks may wait.
    pub queue: Option<u32>,
    /// How many finished tasks are remembered.
    pub retain_count: Option<u32>,
    /// For how many days finished tasks are remembered.
    pub retain_days: Option<u32>,
    /// How many more are remembered as their results are not delivered yet.
    pub retain_undelivered: Option<u32>,
    /// How many runs of one employee, pipeline or discussion go on at the same time, in all processes of the project.
    pub lanes: Option<u32>,
    /// What becomes of tasks that fail with something that may pass.
    pub retry: Option<Retry>,
}

/// Where requests may go, besides where everyone can.
#[derive(Debug, Clone, Default, PartialEq, Serialize, JsonSchema)]
#[serde(default)]
pub struct OwnOutbound {
    /// Hosts (`wiki.example.com`, `*.example.com`) and ranges of addresses (`10.1.0.0/16`) that not everyone can reach.
    pub allow: Vec<String>,
}

/// A provider that a project adds.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct OwnProvider {
    /// How it is spoken to.
    pub wire: Dialect,
    /// Where it is, with its version: `http://127.0.0.1:11434/v1`.
    pub base_url: String,
    /// The variable that holds its key, as `${NAME}`; none if it wants no key.
    pub api_key: Option<String>,
    /// What the names of its models begin with.
    pub models: Vec<String>,
    /// Calls at a time.
    pub max_concurrent: Option<u32>,
}

/// How a provider is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Dialect {
    /// Chat completions, as `OpenAI` and most others speak them.
    Openai,
    /// `OpenAI`'s responses.
    OpenaiResponses,
    /// Anthropic's Messages.
    Anthropic,
    /// Google's `generateContent`.
    Gemini,
}

/// US dollars per million tokens.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub struct OwnPrice {
    /// Of tokens read.
    pub input: f64,
    /// Of tokens read that the provider had in its cache; that of `input` unless given.
    pub cached_input: Option<f64>,
    /// Of tokens written.
    pub output: f64,
}

const DIALECTS: [(&str, Dialect); 4] = [
    ("openai", Dialect::Openai),
    ("openai-responses", Dialect::OpenaiResponses),
    ("anthropic", Dialect::Anthropic),
    ("gemini", Dialect::Gemini),
];

/// The providers that crew knows of itself.
pub const KNOWN_PROVIDERS: [&str; 10] =
    ["anthropic", "openai", "deepseek", "moonshot", "zhipu", "qwen", "gemini", "ollama", "vllm", "lmstudio"];

/// More calls than one machine keeps sockets for.
const MOST_CONCURRENT: u32 = 10_000;

/// More than any model costs; what is above was meant per thousand or is a slip.
const MOST_DOLLARS: f64 = 10_000.0;

/// Reads `.crew/config.yaml`. A key without meaning is an error: a setting that is passed over costs money.
pub fn parse_config(source: &Source) -> (Option<Config>, Vec<Diagnostic>) {
    let mut report = Report::new(source);
    let config = reader::document(source, &mut report).and_then(|node| config(&node, &mut report));
    let usable = !report.has_errors();
    (config.filter(|_| usable), report.finish())
}

fn config(node: &Node, report: &mut Report<'_>) -> Option<Config> {
    if node.value == Value::Null {
        return Some(Config::default());
    }
    let mut fields = Fields::of(node, "`config.yaml`", report)?;
    for (name, key) in keys_of("providers", &mut fields) {
        // One is the program itself; under the other go the servers that employees bring.
        if ["echo", "custom"].contains(&name) {
            report.error(
                codes::INVALID_VALUE,
                key,
                format!("no provider of a project can be called `{name}`"),
            );
        }
    }
    let mut limits = IndexMap::new();
    let destinations = destinations(&mut fields, report);
    let config = Config {
        max_concurrent: max_concurrent(&mut fields, report),
        default_model: fields.optional("default_model", report),
        fallback_model: fields.optional("fallback_model", report),
        providers: named(&mut fields, "providers", report, |name, node, report| {
            if is_limit(name, node) {
                let mut fields = Fields::of(node, "a provider", report)?;
                limits.insert(name.to_owned(), max_concurrent(&mut fields, report)?);
                return None;
            }
            provider(node, report)
        }),
        prices: named(&mut fields, "prices", report, |_, node, report| price(node, report)),
        limits,
        budget: budget::read(&mut fields, report),
        outbound: fields.get("outbound").and_then(|node| outbound(node, report)).unwrap_or_default(),
        tasks: fields.get("tasks").and_then(|node| tasks(node, report)).unwrap_or_default(),
        memory: fields.get("memory").and_then(|node| memory::of_project(node, report)).unwrap_or_default(),
        records: fields.get("records").and_then(|node| records::of_project(node, report)).unwrap_or_default(),
        serve: fields.get("serve").and_then(|node| serving(node, report)).unwrap_or_default(),
        alerts: fields.get("alerts").and_then(|node| alerts(node, &destinations, report)),
        destinations,
    };
    fields.finish(Unknown::Refused, &["$schema"], report);
    Some(config)
}

/// What results may be sent to by a name. The names are those of employees: lower-case letters, digits and `-`.
fn destinations(fields: &mut Fields<'_>, report: &mut Report<'_>) -> IndexMap<String, Delivery> {
    for (name, key) in keys_of("destinations", fields) {
        if !is_name(name) {
            let message = format!("`{}` is no name of a destination", name.escape_debug());
            report
                .error(codes::INVALID_NAME, key, message)
                .help("a name has lower-case letters, digits and `-`");
        }
    }
    named(fields, "destinations", report, |_, node, report| {
        delivery::one(node, delivery::Place::Config, report)
    })
}

/// The names in a map, and where they stand.
fn keys_of<'n>(key: &'static str, fields: &mut Fields<'n>) -> Vec<(&'n str, Span)> {
    let Some(Value::Map(pairs)) = fields.get(key).map(|node| &node.value) else { return Vec::new() };
    let name = |(key, _): &'n (Node, Node)| match &key.value {
        Value::Scalar { text, .. } => Some((text.trim(), key.span)),
        _ => None,
    };
    pairs.iter().filter_map(name).collect()
}

/// A map of names to what `read` reads.
fn named<T>(
    fields: &mut Fields<'_>,
    key: &'static str,
    report: &mut Report<'_>,
    mut read: impl FnMut(&str, &Node, &mut Report<'_>) -> Option<T>,
) -> IndexMap<String, T> {
    let Some(entries) = fields.get(key).and_then(|node| Fields::of(node, key, report)) else {
        return IndexMap::new();
    };
    let read = |(name, node): (&str, &Node)| Some((name.trim().to_owned(), read(name.trim(), node, report)?));
    entries.entries().filter_map(read).collect()
}

/// Whether the entry of a known provider says `max_concurrent` alone: then it stays where it is.
fn is_limit(name: &str, node: &Node) -> bool {
    let Value::Map(pairs) = &node.value else { return false };
    let is_limit = |(key, _): &(Node, Node)| matches!(&key.value, Value::Scalar { text, .. } if text.trim() == "max_concurrent");
    !pairs.is_empty() && pairs.iter().all(is_limit) && KNOWN_PROVIDERS.contains(&name)
}

fn max_concurrent(fields: &mut Fields<'_>, report: &mut Report<'_>) -> Option<u32> {
    fields.whole("max_concurrent", 1..=MOST_CONCURRENT, report)
}

fn provider(node: &Node, report: &mut Report<'_>) -> Option<OwnProvider> {
    let mut fields = Fields::of(node, "a provider", report)?;
    let wire = fields.choice("wire", "wire", &DIALECTS, report).unwrap_or(Dialect::Openai);
    let base_url = fields.required_text("base_url", report);
    if let Some(url) = &base_url
        && !["http://", "https://"].iter().any(|scheme| url.value.trim().starts_with(scheme))
    {
        report
            .error(codes::INVALID_VALUE, url.span, "`base_url` is no address on the web")
            .help("it begins with `https://` or `http://`");
    }
    let api_key = variable("api_key", &mut fields, report);
    let models = fields.strings("models", report);
    if models.is_empty() {
        report
            .error(codes::MISSING_FIELD, fields.place(), "a provider needs `models`")
            .help("list what the names of its models begin with: `models: [llama, qwen2.5-coder]`");
    }
    let max_concurrent = max_concurrent(&mut fields, report);
    fields.finish(Unknown::Refused, &[], report);
    Some(OwnProvider { wire, base_url: base_url?.value.trim().to_owned(), api_key, models, max_concurrent })
}

fn tasks(node: &Node, report: &mut Report<'_>) -> Option<OwnTasks> {
    let mut fields = Fields::of(node, "`tasks`", report)?;
    let tasks = OwnTasks {
        workers: fields.whole("workers", 1..=1024, report),
        queue: fields.whole("queue", 1..=100_000, report),
        retain_count: fields.whole("retain_count", 1..=1_000_000, report),
        retain_days: fields.whole("retain_days", 1..=3650, report),
        retain_undelivered: fields.whole("retain_undelivered", 1..=1_000_000, report),
        lanes: fields.whole("lanes", 1..=1000, report),
        retry: retry::read(&mut fields, report),
    };
    fields.finish(Unknown::Refused, &[], report);
    Some(tasks)
}

fn outbound(node: &Node, report: &mut Report<'_>) -> Option<OwnOutbound> {
    let mut fields = Fields::of(node, "`outbound`", report)?;
    let allow = fields.texts("allow", report);
    for place in &allow {
        if let Err(error) = Allowed::parse(&place.value) {
            let message = format!("`{}`: {error}", place.value);
            report
                .error(codes::INVALID_VALUE, place.span, message)
                .help("write `wiki.example.com`, `*.example.com`, `10.1.0.0/16` or `127.0.0.1`, without a scheme or a port");
        }
    }
    fields.finish(Unknown::Refused, &[], report);
    Some(OwnOutbound { allow: allow.into_iter().map(|place| place.value).collect() })
}

fn price(node: &Node, report: &mut Report<'_>) -> Option<OwnPrice> {
    let mut fields = Fields::of(node, "a price", report)?;
    let mut dollars =
        |key: &'static str, report: &mut Report<'_>| fields.number(key, 0.0..=MOST_DOLLARS, report);
    let (input, cached_input, output) =
        (dollars("input", report), dollars("cached_input", report), dollars("output", report));
    for key in ["input", "output"] {
        fields.require(key, report);
    }
    fields.finish(Unknown::Refused, &[], report);
    Some(OwnPrice { input: input?, cached_input, output: output? })
}

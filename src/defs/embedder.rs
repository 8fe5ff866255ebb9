//! What a project settles about the model that turns memories into vectors.

use schemars::JsonSchema;
use serde::Serialize;

use super::{
    codes,
    employee::variable,
    reader::{Fields, Unknown},
    report::Report,
    yaml::Node,
};

/// Where vectors of memories and of questions come from.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct OwnEmbedder {
    /// How it is spoken to, or that it is a file.
    pub provider: EmbedderKind,
    /// Its model; none for a file.
    pub model: Option<String>,
    /// Where it is; where its maker is, unless given.
    pub base_url: Option<String>,
    /// The variable that holds its key, as `${NAME}`; that of the maker at the maker's address, else none.
    pub api_key: Option<String>,
    /// How long vectors are to be.
    pub dimensions: Option<u32>,
    /// The folder of a static model, from the root of the project.
    pub path: Option<String>,
    /// How long a search waits for the vector of its question.
    pub timeout_seconds: Option<f64>,
    /// Least cosine of what is about the same.
    pub min_similarity: Option<f64>,
    /// Whether what is restricted, confidential or private is sent, too.
    pub embed_classified: bool,
}

/// How an embedder is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum EmbedderKind {
    /// `OpenAI`'s `/embeddings`, which most servers speak too.
    Openai,
    /// Google's `batchEmbedContents`.
    Gemini,
    /// Ollama's `/api/embed`.
    Ollama,
    /// A model2vec model in a folder, which needs no server.
    Static,
}

impl EmbedderKind {
    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Openai => "openai",
            Self::Gemini => "gemini",
            Self::Ollama => "ollama",
            Self::Static => "static",
        }
    }
}

const KINDS: [(&str, EmbedderKind); 4] = [
    ("openai", EmbedderKind::Openai),
    ("gemini", EmbedderKind::Gemini),
    ("ollama", EmbedderKind::Ollama),
    ("static", EmbedderKind::Static),
];

/// `memory.embedder` of `config.yaml`.
pub(super) fn embedder(node: &Node, report: &mut Report<'_>) -> Option<OwnEmbedder> {
    let mut fields = Fields::of(node, "an embedder", report)?;
    fields.require("provider", report);
    let provider = fields.choice("provider", "provider", &KINDS, report);
    let base_url = fields.text("base_url", report);
    if let Some(url) = &base_url
        && !["http://", "https://"].iter().any(|scheme| url.value.trim().starts_with(scheme))
    {
        report
            .error(codes::INVALID_VALUE, url.span, "`base_url` is no address on the web")
            .help("it begins with `https://` or `http://`");
    }
    let embedder = OwnEmbedder {
        provider: provider.unwrap_or(EmbedderKind::Openai),
        model: fields.optional("model", report),
        base_url: base_url.map(|url| url.value.trim().to_owned()),
        api_key: variable("api_key", &mut fields, report),
        dimensions: fields.whole("dimensions", 1..=8192, report),
        path: fields.optional("path", report),
        timeout_seconds: fields.number("timeout_seconds", 0.05..=60.0, report),
        min_similarity: fields.number("min_similarity", 0.0..=1.0, report),
        embed_classified: fields.flag("embed_classified", report).unwrap_or_default(),
    };
    let is_static = provider == Some(EmbedderKind::Static);
    let (needs, why, others): (_, _, &[&str]) = if is_static {
        ("path", "the folder with `model.safetensors`", &["model", "base_url", "api_key"])
    } else {
        ("model", "the name of its model, as in `text-embedding-3-small`", &["path"])
    };
    let is_there = if is_static { embedder.path.is_some() } else { embedder.model.is_some() };
    if provider.is_some() && !is_there {
        report
            .error(codes::MISSING_FIELD, fields.place(), format!("an embedder needs `{needs}`"))
            .help(format!("write {why}"));
    }
    for other in others {
        if let Some(key) = fields.key(other).filter(|_| provider.is_some()) {
            let what = if is_static { "a model in a folder" } else { "an embedder that is asked" };
            report.error(codes::INVALID_VALUE, key, format!("{what} has no `{other}`"));
        }
    }
    fields.finish(Unknown::Refused, &[], report);
    Some(embedder)
}

//! Texts as vectors: what an embedder is, and the dialects it is asked in, as pure functions.

mod gemini;
mod ollama;
mod openai;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{
    Error, Usage,
    provider::Key,
    wire::{self, Answer, HttpParts},
};
use crate::base::Secret;

/// Most dimensions of a vector; no model has as many.
pub const MOST_DIMENSIONS: usize = 8192;
/// Most texts of one question; Gemini takes no more than a hundred.
pub const MOST_TEXTS: usize = 64;

/// The name of embedders in metrics, logs and errors; what it stands for is settled in one place.
pub(super) const PROVIDER: &str = "embedder";

/// How an embedder is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EmbedWire {
    /// `OpenAI`'s `/embeddings`, which most servers speak too.
    OpenAi,
    /// Google's `batchEmbedContents`.
    Gemini,
    /// Ollama's `/api/embed`.
    Ollama,
}

impl EmbedWire {
    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OpenAi => "openai",
            Self::Gemini => "gemini",
            Self::Ollama => "ollama",
        }
    }
}

/// Where texts are turned into vectors, and by which model.
#[derive(Debug, Clone)]
pub struct Embedder {
    /// How it is spoken to.
    pub wire: EmbedWire,
    /// Its address.
    pub base_url: String,
    /// Where the address is set, for messages about it.
    pub base_url_from: String,
    /// Its key.
    pub key: Key,
    /// Its model.
    pub model: String,
    /// How long vectors are to be; as the model makes them when absent.
    pub dimensions: Option<u32>,
    /// Whether it is at another address than the maker of the model, whose prices do not count there.
    pub is_own: bool,
}

/// What texts are: some models put questions elsewhere than what answers them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// To be found.
    Document,
    /// To find with.
    Query,
}

/// Texts as vectors.
#[derive(Debug, Clone, PartialEq)]
pub struct Embedded {
    /// One for each text, in their order, all of one length.
    pub vectors: Vec<Vec<f32>>,
    /// The tokens that were read; 0 where nobody says.
    pub usage: Usage,
    /// What that cost in US dollars, when it is known.
    pub cost_usd: Option<f64>,
}

/// What an answer holds, before it is looked at.
struct Answered {
    vectors: Vec<Vec<f32>>,
    input_tokens: u64,
}

impl Embedder {
    /// What an address may end with, though the paths of the dialect bring it.
    pub(super) fn versions(&self) -> &'static [&'static str] {
        match self.wire {
            EmbedWire::OpenAi => &["/embeddings"],
            EmbedWire::Gemini => &["/v1beta"],
            EmbedWire::Ollama => &["/v1", "/api"],
        }
    }

    /// Puts a question into its dialect; `None` when `key` cannot stand in a header.
    pub(super) fn encode(
        &self,
        key: Option<&Secret>,
        purpose: Purpose,
        texts: &[String],
    ) -> Option<HttpParts> {
        match self.wire {
            EmbedWire::OpenAi => openai::encode(self, key, texts),
            EmbedWire::Gemini => gemini::encode(self, key, purpose, texts),
            EmbedWire::Ollama => ollama::encode(self, key, texts),
        }
    }

    /// Reads the answer to a question about so many texts.
    ///
    /// # Errors
    /// [`Error::Status`] for any status but 2xx, [`Error::Malformed`] for vectors that cannot be used.
    pub(super) fn decode(&self, texts: usize, answer: &Answer<'_>) -> Result<Embedded, Error> {
        wire::accepted(answer)?;
        let read = match self.wire {
            EmbedWire::OpenAi => openai::decode(answer.body),
            EmbedWire::Gemini => gemini::decode(answer.body),
            EmbedWire::Ollama => ollama::decode(answer.body),
        };
        let checked = read.and_then(|answered| {
            self.fit(texts, &answered.vectors)?;
            let usage = Usage { input_tokens: answered.input_tokens, ..Usage::default() };
            Ok(Embedded { vectors: answered.vectors, usage, cost_usd: None })
        });
        checked.map_err(|reason| Error::Malformed {
            provider: Arc::clone(answer.provider),
            reason: crate::base::text::truncate(&reason, 200),
        })
    }

    /// Whether vectors can be used.
    ///
    /// # Errors
    /// Why not.
    fn fit(&self, texts: usize, vectors: &[Vec<f32>]) -> Result<(), String> {
        if vectors.len() != texts {
            return Err(format!("it holds {} vectors for {texts} texts", vectors.len()));
        }
        let length = vectors.first().map_or(0, Vec::len);
        if length == 0 || length > MOST_DIMENSIONS {
            return Err(format!(
                "a vector has {length} dimensions; there must be from 1 to {MOST_DIMENSIONS}"
            ));
        }
        if let Some(wanted) = self.dimensions.filter(|wanted| usize::try_from(*wanted) != Ok(length)) {
            return Err(format!("a vector has {length} dimensions, and {wanted} were asked for"));
        }
        if vectors.iter().any(|vector| vector.len() != length) {
            return Err("its vectors are not all of one length".to_owned());
        }
        Ok(())
    }
}

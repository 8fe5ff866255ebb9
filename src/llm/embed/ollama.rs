//! Ollama's `/api/embed`.
//!
//! Source: <https://github.com/ollama/ollama/blob/main/docs/api.md#generate-embeddings>.

use http::header;
use serde::Deserialize;
use serde_json::json;

use super::{Answered, Embedder};
use crate::{
    base::Secret,
    llm::wire::{Form, HttpParts, headers, key_header, to_json},
};

#[derive(Deserialize)]
struct Body {
    embeddings: Vec<Vec<f32>>,
    #[serde(default)]
    prompt_eval_count: u64,
}

pub(super) fn encode(embedder: &Embedder, key: Option<&Secret>, texts: &[String]) -> Option<HttpParts> {
    let mut headers = headers(Form::Whole);
    if let Some(key) = key {
        headers.insert(header::AUTHORIZATION, key_header("Bearer ", key)?);
    }
    let mut body = json!({"model": embedder.model, "input": texts, "truncate": true});
    if let (Some(dimensions), Some(body)) = (embedder.dimensions, body.as_object_mut()) {
        body.insert("dimensions".to_owned(), dimensions.into());
    }
    Some(HttpParts { path: "/api/embed".to_owned(), headers, body: to_json(&body) })
}

pub(super) fn decode(body: &[u8]) -> Result<Answered, String> {
    let body: Body = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    Ok(Answered { vectors: body.embeddings, input_tokens: body.prompt_eval_count })
}

//! `OpenAI`'s `/embeddings`, as most servers speak it.
//!
//! Source: <https://platform.openai.com/docs/api-reference/embeddings>.

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
    data: Vec<One>,
    #[serde(default)]
    usage: Tokens,
}

#[derive(Deserialize)]
struct One {
    index: Option<usize>,
    embedding: Vec<f32>,
}

#[derive(Default, Deserialize)]
struct Tokens {
    #[serde(default)]
    prompt_tokens: u64,
}

pub(super) fn encode(embedder: &Embedder, key: Option<&Secret>, texts: &[String]) -> Option<HttpParts> {
    let mut headers = headers(Form::Whole);
    if let Some(key) = key {
        headers.insert(header::AUTHORIZATION, key_header("Bearer ", key)?);
    }
    let mut body = json!({"model": embedder.model, "input": texts});
    // Older models refuse to be asked for it.
    if let (Some(dimensions), Some(body)) = (embedder.dimensions, body.as_object_mut()) {
        body.insert("dimensions".to_owned(), dimensions.into());
    }
    Some(HttpParts { path: "/embeddings".to_owned(), headers, body: to_json(&body) })
}

pub(super) fn decode(body: &[u8]) -> Result<Answered, String> {
    let body: Body = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    let mut vectors = vec![Vec::new(); body.data.len()];
    for (position, one) in body.data.into_iter().enumerate() {
        // Not all servers number them, and those that do may give them in any order.
        let place = vectors.get_mut(one.index.unwrap_or(position)).filter(|place| place.is_empty());
        *place.ok_or("its vectors are numbered wrongly")? = one.embedding;
    }
    Ok(Answered { vectors, input_tokens: body.usage.prompt_tokens })
}

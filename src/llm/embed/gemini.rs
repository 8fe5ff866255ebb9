//! Google's `batchEmbedContents`, version v1beta.
//!
//! Source: <https://ai.google.dev/api/embeddings>.

use http::HeaderName;
use serde::Deserialize;
use serde_json::json;

use super::{Answered, Embedder, Purpose};
use crate::{
    base::Secret,
    llm::wire::{Form, HttpParts, headers, key_header, to_json},
};

#[derive(Deserialize)]
struct Body {
    embeddings: Vec<One>,
}

#[derive(Deserialize)]
struct One {
    values: Vec<f32>,
}

pub(super) fn encode(
    embedder: &Embedder,
    key: Option<&Secret>,
    purpose: Purpose,
    texts: &[String],
) -> Option<HttpParts> {
    let mut headers = headers(Form::Whole);
    if let Some(key) = key {
        headers.insert(HeaderName::from_static("x-goog-api-key"), key_header("", key)?);
    }
    let model = embedder.model.strip_prefix("models/").unwrap_or(&embedder.model);
    let kind = match purpose {
        Purpose::Document => "RETRIEVAL_DOCUMENT",
        Purpose::Query => "RETRIEVAL_QUERY",
    };
    let requests = texts.iter().map(|text| {
        let content = json!({"parts": [{"text": text}]});
        let mut one = json!({"model": format!("models/{model}"), "content": content, "taskType": kind});
        if let (Some(dimensions), Some(one)) = (embedder.dimensions, one.as_object_mut()) {
            one.insert("outputDimensionality".to_owned(), dimensions.into());
        }
        one
    });
    let body = json!({"requests": requests.collect::<Vec<_>>()});
    // The name becomes part of a path and must not lead out of it.
    let model: String = form_urlencoded::byte_serialize(model.as_bytes()).collect();
    Some(HttpParts {
        path: format!("/v1beta/models/{model}:batchEmbedContents"),
        headers,
        body: to_json(&body),
    })
}

pub(super) fn decode(body: &[u8]) -> Result<Answered, String> {
    let body: Body = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    let vectors = body.embeddings.into_iter().map(|one| one.values).collect();
    Ok(Answered { vectors, input_tokens: 0 })
}

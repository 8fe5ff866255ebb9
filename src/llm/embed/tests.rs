use http::HeaderMap;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::*;

fn embedder(wire: EmbedWire, dimensions: Option<u32>) -> Embedder {
    Embedder {
        wire,
        base_url: "http://127.0.0.1:1".to_owned(),
        base_url_from: "a test".to_owned(),
        key: Key::None,
        model: "models/m-1".to_owned(),
        dimensions,
        is_own: true,
    }
}

fn asked(wire: EmbedWire, dimensions: Option<u32>, purpose: Purpose) -> (HttpParts, Value) {
    let texts = ["one".to_owned(), "二".to_owned()];
    let parts = embedder(wire, dimensions).encode(Secret::new("k-123456").as_ref(), purpose, &texts).unwrap();
    let body = serde_json::from_slice(&parts.body).unwrap();
    (parts, body)
}

fn decode(wire: EmbedWire, dimensions: Option<u32>, status: u16, body: &str) -> Result<Embedded, Error> {
    let (provider, headers) = ("embedder".into(), HeaderMap::new());
    let received = Timestamp::UNIX_EPOCH;
    let answer = Answer { provider: &provider, status, headers: &headers, body: body.as_bytes(), received };
    embedder(wire, dimensions).decode(2, &answer)
}

#[test]
fn each_dialect_asks_in_its_own_words() {
    let (parts, body) = asked(EmbedWire::OpenAi, Some(2), Purpose::Query);
    assert_eq!(
        (parts.path.as_str(), &parts.headers["authorization"]),
        ("/embeddings", &"Bearer k-123456".parse().unwrap())
    );
    assert_eq!(body, json!({"model": "models/m-1", "input": ["one", "二"], "dimensions": 2}));
    assert!(!format!("{parts:?}").contains("k-123456"));
    let (parts, body) = asked(EmbedWire::Ollama, None, Purpose::Document);
    assert_eq!(parts.path, "/api/embed");
    assert_eq!(body, json!({"model": "models/m-1", "input": ["one", "二"], "truncate": true}));
    for (purpose, kind) in [(Purpose::Query, "RETRIEVAL_QUERY"), (Purpose::Document, "RETRIEVAL_DOCUMENT")] {
        let (parts, body) = asked(EmbedWire::Gemini, Some(3), purpose);
        assert_eq!(parts.path, "/v1beta/models/m-1:batchEmbedContents");
        assert_eq!(parts.headers["x-goog-api-key"], "k-123456");
        let one = |text: &str| json!({"model": "models/m-1", "content": {"parts": [{"text": text}]}, "taskType": kind, "outputDimensionality": 3});
        assert_eq!(body, json!({"requests": [one("one"), one("二")]}));
    }
}

#[test]
fn each_dialect_answers_in_its_own_words() {
    let expected = vec![vec![1.0, 0.5], vec![0.0, -2.0]];
    for (wire, body, tokens) in [
        (
            EmbedWire::OpenAi,
            r#"{"data":[{"index":1,"embedding":[0,-2]},{"index":0,"embedding":[1,0.5]}],"usage":{"prompt_tokens":7,"total_tokens":7}}"#,
            7,
        ),
        (EmbedWire::OpenAi, r#"{"data":[{"embedding":[1,0.5]},{"embedding":[0,-2]}]}"#, 0),
        (EmbedWire::Gemini, r#"{"embeddings":[{"values":[1,0.5]},{"values":[0,-2]}]}"#, 0),
        (EmbedWire::Ollama, r#"{"model":"m","embeddings":[[1,0.5],[0,-2]],"prompt_eval_count":5}"#, 5),
    ] {
        let embedded = decode(wire, Some(2), 200, body).unwrap();
        assert_eq!((&embedded.vectors, embedded.usage.input_tokens), (&expected, tokens), "{body}");
    }
}

#[test]
fn vectors_that_cannot_be_used_are_no_answer() {
    for (body, says) in [
        ("", "EOF"),
        ("{}", "embeddings"),
        (r#"{"embeddings":[[1]]}"#, "1 vectors for 2 texts"),
        (r#"{"embeddings":[[],[]]}"#, "0 dimensions"),
        (r#"{"embeddings":[[1,2],[1]]}"#, "not all of one length"),
        (r#"{"embeddings":[[1,1e39],[1,2]]}"#, "out of range"),
        (r#"{"embeddings":[[1,null],[1,2]]}"#, "null"),
    ] {
        let error = decode(EmbedWire::Ollama, None, 200, body).unwrap_err();
        assert_eq!(error.class(), "malformed", "{body}");
        assert!(error.to_string().contains(says), "{body}: {error}");
    }
    let error = decode(EmbedWire::Ollama, Some(3), 200, r#"{"embeddings":[[1,2],[3,4]]}"#).unwrap_err();
    assert!(error.to_string().contains("2 dimensions, and 3 were asked for"), "{error}");
    let twice = r#"{"data":[{"index":0,"embedding":[1]},{"index":0,"embedding":[1]}]}"#;
    assert!(decode(EmbedWire::OpenAi, None, 200, twice).unwrap_err().to_string().contains("numbered"));
    let refused = decode(EmbedWire::OpenAi, None, 401, r#"{"error":{"message":"who are you"}}"#).unwrap_err();
    assert_eq!(refused.to_string(), "embedder answered 401: who are you");
}

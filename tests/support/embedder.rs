//! An embedder that gives the vectors it is told to, in the words of every dialect.

use std::sync::{Arc, Mutex};

use axum::{
    Json, Router,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse as _, Response},
    routing::post,
};
use serde_json::{Value, json};
use tokio::sync::watch;

use super::served::Served;

/// Makes the vector of a text; an `Err` is an HTTP status for the whole question.
type Answer = dyn Fn(&str) -> Result<Vec<f32>, u16> + Send + Sync;

/// A question that came in.
#[derive(Debug, Clone)]
pub struct Embedding {
    pub path: String,
    pub key: Option<String>,
    pub texts: Vec<String>,
    pub body: Value,
}

/// How questions are answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    Answers,
    /// With this status.
    Fails(u16),
    /// Not before it is in another mood.
    Hangs,
}

pub struct FakeEmbedder {
    served: Served,
    asked: Arc<Mutex<Vec<Embedding>>>,
    mood: watch::Sender<Mood>,
}

#[derive(Clone)]
struct Shared {
    asked: Arc<Mutex<Vec<Embedding>>>,
    mood: watch::Receiver<Mood>,
    answer: Arc<Answer>,
}

impl FakeEmbedder {
    pub async fn answering(answer: impl Fn(&str) -> Result<Vec<f32>, u16> + Send + Sync + 'static) -> Self {
        let (mood, moods) = watch::channel(Mood::Answers);
        let asked = Arc::default();
        let shared = Shared { asked: Arc::clone(&asked), mood: moods, answer: Arc::new(answer) };
        let router = Router::new()
            .route("/v1/embeddings", post(openai))
            .route("/v1beta/models/{call}", post(gemini))
            .route("/api/embed", post(ollama))
            .with_state(shared);
        Self { served: Served::start(router).await, asked, mood }
    }

    /// Its address, as this machine knows it.
    pub fn url(&self) -> &str {
        &self.served.url
    }

    /// Its address as that of another machine.
    pub fn url_from_elsewhere(&self) -> String {
        self.served.url.replace("127.0.0.1", "0.0.0.0")
    }

    pub fn be(&self, mood: Mood) {
        self.mood.send_replace(mood);
    }

    /// What was asked so far.
    pub fn asked(&self) -> Vec<Embedding> {
        self.asked.lock().unwrap().clone()
    }

    /// All texts it was told so far.
    pub fn texts(&self) -> Vec<String> {
        self.asked().into_iter().flat_map(|asked| asked.texts).collect()
    }
}

impl Shared {
    async fn take(
        mut self,
        path: String,
        headers: &HeaderMap,
        texts: Vec<String>,
        body: Value,
    ) -> Result<Vec<Vec<f32>>, Response> {
        let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap().to_owned());
        let bearer = text("authorization").map(|key| key.trim_start_matches("Bearer ").to_owned());
        let key = bearer.or_else(|| text("x-goog-api-key"));
        self.asked.lock().unwrap().push(Embedding { path, key, texts: texts.clone(), body });
        let mood = *self.mood.wait_for(|mood| *mood != Mood::Hangs).await.unwrap();
        if let Mood::Fails(status) = mood {
            return Err(refusal(status));
        }
        let vectors: Result<_, u16> = texts.iter().map(|text| (self.answer)(text)).collect();
        vectors.map_err(refusal)
    }
}

fn refusal(status: u16) -> Response {
    (StatusCode::from_u16(status).unwrap(), Json(json!({"error": {"message": "as told"}}))).into_response()
}

fn texts(body: &Value, place: &str) -> Vec<String> {
    let list = body[place].as_array().unwrap();
    list.iter().map(|text| text.as_str().unwrap().to_owned()).collect()
}

async fn openai(State(shared): State<Shared>, headers: HeaderMap, Json(body): Json<Value>) -> Response {
    match shared.take("/v1/embeddings".to_owned(), &headers, texts(&body, "input"), body).await {
        Err(refusal) => refusal,
        Ok(vectors) => {
            let data = vectors.into_iter().enumerate();
            let data = data.map(|(index, vector)| json!({"index": index, "embedding": vector}));
            Json(json!({"data": data.collect::<Vec<_>>(), "usage": {"prompt_tokens": 5, "total_tokens": 5}}))
                .into_response()
        }
    }
}

async fn gemini(
    State(shared): State<Shared>,
    Path(call): Path<String>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Response {
    let requests = body["requests"].as_array().unwrap();
    let text = |request: &Value| request["content"]["parts"][0]["text"].as_str().unwrap().to_owned();
    let texts = requests.iter().map(text).collect();
    match shared.take(format!("/v1beta/models/{call}"), &headers, texts, body).await {
        Err(refusal) => refusal,
        Ok(vectors) => {
            let embeddings = vectors.into_iter().map(|vector| json!({"values": vector}));
            Json(json!({"embeddings": embeddings.collect::<Vec<_>>()})).into_response()
        }
    }
}

async fn ollama(State(shared): State<Shared>, headers: HeaderMap, Json(body): Json<Value>) -> Response {
    match shared.take("/api/embed".to_owned(), &headers, texts(&body, "input"), body).await {
        Err(refusal) => refusal,
        Ok(vectors) => Json(json!({"embeddings": vectors, "prompt_eval_count": 5})).into_response(),
    }
}

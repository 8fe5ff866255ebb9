//! A provider that answers as it is told and remembers what it was asked.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    thread,
};

use axum::{
    Json, Router,
    extract::State,
    http::StatusCode,
    response::{IntoResponse as _, Response},
    routing::post,
};
use serde_json::{Value, json};
use tokio::{
    net::TcpListener,
    runtime,
    sync::{Semaphore, mpsc, oneshot},
};

use super::PATIENCE;

/// What the provider has been asked, in order: the body of each call.
type Calls = Arc<Mutex<Vec<Value>>>;

/// Speaks both Anthropic's Messages and OpenAI's chat completions, on a port of its own.
pub struct FakeModel {
    pub url: String,
    calls: Calls,
    turns: Arc<Semaphore>,
    asked: mpsc::UnboundedReceiver<()>,
    /// Ends it when dropped.
    _stop: oneshot::Sender<()>,
}

/// Makes an answer of a system prompt; an `Err` is an HTTP status.
type Answer = dyn Fn(&str) -> Result<String, u16> + Send + Sync;

#[derive(Clone)]
struct Provider {
    calls: Calls,
    turns: Arc<Semaphore>,
    asked: mpsc::UnboundedSender<()>,
    answer: Arc<Answer>,
}

impl FakeModel {
    /// Answers every call at once with what `answer` makes of its system prompt; an `Err` is an HTTP status.
    pub async fn answering(answer: impl Fn(&str) -> Result<String, u16> + Send + Sync + 'static) -> Self {
        Self::start(answer, Semaphore::MAX_PERMITS).await
    }

    /// Answers only as many calls as [`FakeModel::release`] allows; the others hang.
    pub async fn held(answer: impl Fn(&str) -> Result<String, u16> + Send + Sync + 'static) -> Self {
        Self::start(answer, 0).await
    }

    async fn start(
        answer: impl Fn(&str) -> Result<String, u16> + Send + Sync + 'static,
        turns: usize,
    ) -> Self {
        let (asked, told) = mpsc::unbounded_channel();
        let provider = Provider {
            calls: Calls::default(),
            turns: Arc::new(Semaphore::new(turns)),
            asked,
            answer: Arc::new(answer),
        };
        let (calls, turns) = (Arc::clone(&provider.calls), Arc::clone(&provider.turns));
        let router = Router::new()
            .route("/v1/messages", post(messages))
            .route("/v1/chat/completions", post(completions))
            .with_state(provider);
        let (address, bound) = oneshot::channel();
        let (stop, stopped) = oneshot::channel::<()>();
        // On a thread of its own it answers even while the test waits for the program.
        thread::spawn(move || {
            let runtime = runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
                address.send(listener.local_addr().unwrap()).unwrap();
                tokio::select! {
                    ended = axum::serve(listener, router) => ended.unwrap(),
                    _ = stopped => {}
                }
            });
        });
        let url = format!("http://{}", bound.await.unwrap());
        Self { url, calls, turns, asked: told, _stop: stop }
    }

    /// Lets `count` more calls be answered.
    pub fn release(&self, count: usize) {
        self.turns.add_permits(count);
    }

    /// Waits until one more call has come in.
    pub async fn asked(&mut self) {
        tokio::time::timeout(PATIENCE, self.asked.recv()).await.expect("nobody asks").unwrap();
    }

    /// The system prompts of all calls so far, in the order they came in.
    pub fn prompts(&self) -> Vec<String> {
        self.calls.lock().unwrap().iter().map(system).collect()
    }

    /// What each call so far was to work on, in the order they came in; see [`Project::small`](super::Project::small).
    pub fn works(&self) -> Vec<String> {
        self.prompts().iter().map(|prompt| work(prompt).to_owned()).collect()
    }

    /// What makes the server use it for Anthropic's models.
    pub fn env(&self) -> [(&str, &str); 2] {
        [("ANTHROPIC_API_KEY", "test-key-anthropic"), ("ANTHROPIC_BASE_URL", &self.url)]
    }
}

impl Provider {
    async fn take(&self, body: &Value) -> Result<String, StatusCode> {
        self.calls.lock().unwrap().push(body.clone());
        let _ = self.asked.send(());
        self.turns.acquire().await.unwrap().forget();
        (self.answer)(&system(body)).map_err(|status| StatusCode::from_u16(status).unwrap())
    }
}

/// What a prompt of an employee of [`Project::small`](super::Project::small) tells to work on.
pub fn work(prompt: &str) -> &str {
    prompt.split_once("Work on ").map_or("", |(_, work)| work.trim_end().trim_end_matches('.'))
}

fn system(body: &Value) -> String {
    let text = body["system"].as_str().or_else(|| body["messages"][0]["content"].as_str());
    text.unwrap_or_default().to_owned()
}

async fn messages(State(provider): State<Provider>, Json(body): Json<Value>) -> Response {
    match provider.take(&body).await {
        Ok(text) => Json(json!({
            "id": "msg_1", "type": "message", "role": "assistant", "model": body["model"],
            "content": [{"type": "text", "text": text}], "stop_reason": "end_turn",
            "usage": {"input_tokens": 11, "output_tokens": 7},
        }))
        .into_response(),
        Err(status) => {
            let error = json!({"type": "error", "error": {"type": "api_error", "message": "as told"}});
            (status, Json(error)).into_response()
        }
    }
}

async fn completions(State(provider): State<Provider>, Json(body): Json<Value>) -> Response {
    match provider.take(&body).await {
        Ok(text) => Json(json!({
            "id": "chatcmpl-1", "object": "chat.completion", "model": body["model"],
            "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}],
            "usage": {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18},
        }))
        .into_response(),
        Err(status) => (status, Json(json!({"error": {"message": "as told", "type": "api_error"}}))).into_response(),
    }
}

//! A provider that answers as it is told and remembers what it was asked.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
};

use axum::{
    Json, Router,
    body::Body,
    extract::{Request, State},
    http::{HeaderMap, StatusCode},
    middleware::{self, Next},
    response::{IntoResponse as _, Response},
    routing::{get, post},
};
use futures_util::{StreamExt as _, stream};
use serde_json::{Value, json};
use tokio::sync::{Semaphore, mpsc};

use super::{PATIENCE, served::Served};

/// A key that ends with this is refused where a list of models is asked for.
pub const WRONG_KEY: &str = "-wrong";

/// What the provider has been asked, in order: the body of each call.
type Calls = Arc<Mutex<Vec<Value>>>;

/// The key that came with each call.
type Keys = Arc<Mutex<Vec<Option<String>>>>;

/// Speaks both Anthropic's Messages and OpenAI's chat completions, on a port of its own.
pub struct FakeModel {
    pub url: String,
    openai_url: String,
    calls: Calls,
    keys: Keys,
    turns: Arc<Semaphore>,
    asked: mpsc::UnboundedReceiver<()>,
    given_up: mpsc::UnboundedReceiver<()>,
    /// Ends it when dropped.
    _served: Served,
}

/// Makes the content of an answer, in the form of Anthropic's Messages, of the body of a call; an `Err` is an HTTP status.
type Answer = dyn Fn(&Value) -> Result<Value, u16> + Send + Sync;

/// Its models, for who brings a key that is none of [`WRONG_KEY`].
async fn models(headers: HeaderMap) -> Response {
    match key(&headers) {
        Some(key) if key.ends_with(WRONG_KEY) => {
            (StatusCode::UNAUTHORIZED, format!("no such key: {key}")).into_response()
        }
        _ => Json(json!({"data": []})).into_response(),
    }
}

#[derive(Clone)]
struct Provider {
    calls: Calls,
    turns: Arc<Semaphore>,
    asked: mpsc::UnboundedSender<()>,
    given_up: mpsc::UnboundedSender<()>,
    answer: Arc<Answer>,
}

impl FakeModel {
    /// Answers every call at once with what `answer` makes of its system prompt; an `Err` is an HTTP status.
    pub async fn answering(answer: impl Fn(&str) -> Result<String, u16> + Send + Sync + 'static) -> Self {
        Self::start(saying(answer), Semaphore::MAX_PERMITS).await
    }

    /// Answers as many calls as [`FakeModel::release`] allows with the content that `act` makes of their bodies.
    pub async fn acting(act: impl Fn(&Value) -> Value + Send + Sync + 'static) -> Self {
        Self::start(move |body| Ok(act(body)), 0).await
    }

    /// Answers every call at once with what `answer` makes of its body; an `Err` is an HTTP status.
    pub async fn answering_bodies(
        answer: impl Fn(&Value) -> Result<String, u16> + Send + Sync + 'static,
    ) -> Self {
        let said = move |body: &Value| Ok(json!([{"type": "text", "text": answer(body)?}]));
        Self::start(said, Semaphore::MAX_PERMITS).await
    }

    /// Answers only as many calls as [`FakeModel::release`] allows; the others hang.
    pub async fn held(answer: impl Fn(&str) -> Result<String, u16> + Send + Sync + 'static) -> Self {
        Self::start(saying(answer), 0).await
    }

    async fn start(
        answer: impl Fn(&Value) -> Result<Value, u16> + Send + Sync + 'static,
        turns: usize,
    ) -> Self {
        let (asked, told) = mpsc::unbounded_channel();
        let (given_up, gone) = mpsc::unbounded_channel();
        let provider = Provider {
            calls: Calls::default(),
            turns: Arc::new(Semaphore::new(turns)),
            asked,
            given_up,
            answer: Arc::new(answer),
        };
        let (calls, turns) = (Arc::clone(&provider.calls), Arc::clone(&provider.turns));
        let router = Router::new()
            .route("/v1/messages", post(messages))
            .route("/v1/chat/completions", post(completions))
            .with_state(provider)
            .route("/v1/models", get(models));
        let keys = Keys::default();
        let noted = Arc::clone(&keys);
        let router = router.layer(middleware::from_fn(move |request: Request, next: Next| {
            noted.lock().unwrap().push(key(request.headers()));
            next.run(request)
        }));
        let served = Served::start(router).await;
        let url = served.url.clone();
        Self {
            openai_url: format!("{url}/v1"),
            url,
            calls,
            keys,
            turns,
            asked: told,
            given_up: gone,
            _served: served,
        }
    }

    /// Lets `count` more calls be answered.
    pub fn release(&self, count: usize) {
        self.turns.add_permits(count);
    }

    /// Waits until one more call has come in.
    pub async fn asked(&mut self) {
        tokio::time::timeout(PATIENCE, self.asked.recv()).await.expect("nobody asks").unwrap();
    }

    /// Waits until one more call was given up by its caller before it was answered.
    pub async fn given_up(&mut self) {
        tokio::time::timeout(PATIENCE, self.given_up.recv()).await.expect("nobody gives up").unwrap();
    }

    /// The system prompts of all calls so far, in the order they came in.
    pub fn prompts(&self) -> Vec<String> {
        self.calls.lock().unwrap().iter().map(system).collect()
    }

    /// The bodies of all calls so far.
    pub fn bodies(&self) -> Vec<Value> {
        self.calls.lock().unwrap().clone()
    }

    /// The keys that came with the calls so far.
    pub fn keys(&self) -> Vec<Option<String>> {
        self.keys.lock().unwrap().clone()
    }

    /// What each call so far was to work on, in the order they came in; see [`Project::small`](super::Project::small).
    pub fn works(&self) -> Vec<String> {
        self.prompts().iter().map(|prompt| work(prompt).to_owned()).collect()
    }

    /// What makes the server use it for Anthropic's models.
    pub fn env(&self) -> [(&str, &str); 2] {
        [("ANTHROPIC_API_KEY", "test-key-anthropic"), ("ANTHROPIC_BASE_URL", &self.url)]
    }

    /// The same for OpenAI's.
    pub fn openai_env(&self) -> [(&str, &str); 2] {
        [("OPENAI_API_KEY", "test-key-openai"), ("OPENAI_BASE_URL", &self.openai_url)]
    }
}

impl Provider {
    async fn take(&self, body: &Value) -> Result<Value, StatusCode> {
        self.calls.lock().unwrap().push(body.clone());
        let _ = self.asked.send(());
        let unanswered = Unanswered(Some(self.given_up.clone()));
        self.turns.acquire().await.unwrap().forget();
        unanswered.answered();
        (self.answer)(body).map_err(|status| StatusCode::from_u16(status).unwrap())
    }
}

impl Provider {
    /// Tells the first character of the answer at once, and the rest when there is a turn.
    fn tell(
        &self,
        body: &Value,
        before: &[Value],
        piece: impl Fn(&str) -> Value,
        after: &[Value],
    ) -> Response {
        self.calls.lock().unwrap().push(body.clone());
        let _ = self.asked.send(());
        let text = match (self.answer)(body) {
            Ok(content) => text(&content).to_owned(),
            Err(status) => return refusal(StatusCode::from_u16(status).unwrap()),
        };
        let (head, tail) = text.split_at(text.chars().next().map_or(0, char::len_utf8));
        let head = events(before) + &events(&[piece(head)]);
        let tail = events(&[piece(tail)]) + &events(after);
        let turns = Arc::clone(&self.turns);
        let unanswered = Unanswered(Some(self.given_up.clone()));
        let rest = async move {
            turns.acquire().await.unwrap().forget();
            unanswered.answered();
            tail
        };
        let parts = stream::once(async { head }).chain(stream::once(rest)).map(Ok::<_, Infallible>);
        ([("content-type", "text/event-stream")], Body::from_stream(parts)).into_response()
    }
}

/// A call; dropped before it is answered, it was given up.
struct Unanswered(Option<mpsc::UnboundedSender<()>>);

impl Unanswered {
    fn answered(mut self) {
        self.0.take();
    }
}

impl Drop for Unanswered {
    fn drop(&mut self) {
        if let Some(given_up) = &self.0 {
            let _ = given_up.send(());
        }
    }
}

/// Makes text of a system prompt.
fn saying(
    answer: impl Fn(&str) -> Result<String, u16> + Send + Sync + 'static,
) -> impl Fn(&Value) -> Result<Value, u16> + Send + Sync + 'static {
    move |body| Ok(json!([{"type": "text", "text": answer(&system(body))?}]))
}

fn text(content: &Value) -> &str {
    content[0]["text"].as_str().unwrap()
}

/// Answers with the first word of what is to be worked on.
#[expect(clippy::unnecessary_wraps, reason = "the form of an answer")]
pub fn first_word(prompt: &str) -> Result<String, u16> {
    Ok(format!("[{}]", work(prompt).split(' ').next().unwrap()))
}

/// What a prompt of an employee of [`Project::small`](super::Project::small) tells to work on.
pub fn work(prompt: &str) -> &str {
    prompt.split_once("Work on ").map_or("", |(_, work)| work.trim_end().trim_end_matches('.'))
}

fn key(headers: &HeaderMap) -> Option<String> {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap().to_owned());
    text("x-api-key").or_else(|| Some(text("authorization")?.trim_start_matches("Bearer ").to_owned()))
}

fn system(body: &Value) -> String {
    let text = body["system"].as_str().or_else(|| body["messages"][0]["content"].as_str());
    text.unwrap_or_default().to_owned()
}

async fn messages(State(provider): State<Provider>, Json(body): Json<Value>) -> Response {
    let model = &body["model"];
    if body["stream"] == true {
        let begun = json!({"type": "message_start", "message": {"model": model, "usage": {"input_tokens": 11, "output_tokens": 1}}});
        let piece = |text: &str| json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}});
        let stopped = json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 7}});
        return provider.tell(&body, &[begun], piece, &[stopped, json!({"type": "message_stop"})]);
    }
    match provider.take(&body).await {
        Ok(content) => {
            let calls = content.as_array().unwrap().iter().any(|block| block["type"] == "tool_use");
            Json(json!({
                "id": "msg_1", "type": "message", "role": "assistant", "model": model,
                "content": content, "stop_reason": if calls { "tool_use" } else { "end_turn" },
                "usage": {"input_tokens": 11, "output_tokens": 7},
            }))
            .into_response()
        }
        Err(status) => refusal(status),
    }
}

async fn completions(State(provider): State<Provider>, Json(body): Json<Value>) -> Response {
    let model = &body["model"];
    if body["stream"] == true {
        let piece = |text: &str| json!({"model": model, "choices": [{"index": 0, "delta": {"content": text}, "finish_reason": null}]});
        let stopped = json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]});
        let usage = json!({"choices": [], "usage": {"prompt_tokens": 11, "completion_tokens": 7}});
        return provider.tell(&body, &[], piece, &[stopped, usage, Value::String("[DONE]".to_owned())]);
    }
    match provider.take(&body).await {
        Ok(content) => Json(json!({
            "id": "chatcmpl-1", "object": "chat.completion", "model": model,
            "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text(&content)}}],
            "usage": {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18},
        }))
        .into_response(),
        Err(status) => refusal(status),
    }
}

/// An error in the form of both.
fn refusal(status: StatusCode) -> Response {
    (status, Json(json!({"type": "error", "error": {"type": "api_error", "message": "as told"}})))
        .into_response()
}

fn events(values: &[Value]) -> String {
    let data = |value: &Value| {
        value.as_str().filter(|text| *text == "[DONE]").map_or_else(|| value.to_string(), str::to_owned)
    };
    let framed: Vec<_> = values.iter().map(|value| format!("data: {}\n\n", data(value))).collect();
    framed.concat()
}

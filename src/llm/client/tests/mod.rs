//! The client against stand-ins for providers on this machine.

mod faults;
mod resilience;
mod stream;
mod whole;

use std::{
    future::pending,
    sync::atomic::{AtomicUsize, Ordering},
};

use axum::{
    Router,
    body::{Body, Bytes},
    http::{HeaderMap, Response, StatusCode},
};
use tokio::net::TcpListener;

use super::*;
use crate::{
    base::Tracker,
    llm::{Finish, Message, Snapshot, provider::Provider},
};

const ANSWER: &str = include_str!("../../../../tests/fixtures/llm/openai-completion.json");
const STREAM: &str = include_str!("../../../../tests/fixtures/llm/openai-stream.sse");
const KEY: &str = "sk-test-5e6f";

/// What the stand-in for a provider does on its n-th request (from 0).
type Script = fn(usize) -> Response<Body>;

struct Stage {
    client: Client,
    meter: Arc<Meter>,
    /// Of `openai` and of `deepseek`.
    requests: [Arc<AtomicUsize>; 2],
    _tracker: Tracker,
}

fn answer(status: u16, headers: &[(&str, &str)], body: impl Into<Body>) -> Response<Body> {
    let mut response = Response::builder().status(StatusCode::from_u16(status).unwrap());
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    response.body(body.into()).unwrap()
}

/// An answer that never begins.
fn silence() -> Response<Body> {
    answer(200, &[("x-silence", "")], "")
}

/// A route that plays `script`, and how often it was asked.
fn playing(script: Script) -> (axum::routing::MethodRouter, Arc<AtomicUsize>) {
    let requests = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&requests);
    let handler = move |headers: HeaderMap, _body: Bytes| {
        assert_eq!(headers["authorization"], format!("Bearer {KEY}"));
        let response = script(counter.fetch_add(1, Ordering::SeqCst));
        async move { if response.headers().contains_key("x-silence") { pending().await } else { response } }
    };
    (axum::routing::post(handler), requests)
}

/// A client whose `openai` is `script`, listening on this machine.
async fn stage(script: Script, change: impl FnOnce(&mut Settings)) -> Stage {
    stage_of_two([script, |_| answer(500, &[], "not in this play")], change).await
}

/// A client whose `openai` and `deepseek` are these.
async fn stage_of_two(scripts: [Script; 2], change: impl FnOnce(&mut Settings)) -> Stage {
    let [(openai, first), (deepseek, second)] = scripts.map(playing);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router =
        Router::new().route("/v1/chat/completions", openai).route("/second/chat/completions", deepseek);
    let tracker = Tracker::new();
    tracker.spawn(async move { axum::serve(listener, router).await });
    let mut settings = Settings {
        providers: providers(&format!("http://{address}")),
        retry_pause: Duration::from_millis(1),
        ..Settings::default()
    };
    change(&mut settings);
    let meter = Arc::new(Meter::new());
    let client = Client::new(settings, Arc::clone(&meter));
    Stage { client, meter, requests: [first, second], _tracker: tracker }
}

/// Both providers at this address.
fn providers(url: &str) -> Providers {
    let known = Provider::known(|name| match name {
        "OPENAI_API_KEY" | "DEEPSEEK_API_KEY" => Some(KEY.to_owned()),
        "OPENAI_BASE_URL" => Some(format!("{url}/v1")),
        "DEEPSEEK_BASE_URL" => Some(format!("{url}/second")),
        _ => None,
    });
    Providers::new(Vec::new(), known)
}

/// An address where nobody listens.
async fn nowhere() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

impl Stage {
    async fn ask(&self) -> Result<Reply, Error> {
        self.client.complete(&request("gpt-4o")).await
    }

    /// Asks `gpt-4o`, and `deepseek-chat` when that fails.
    async fn ask_both(&self) -> Result<Reply, Error> {
        let fallback = Some(Choice::of("deepseek-chat"));
        self.client.complete(&Request { fallback, ..request("gpt-4o") }).await
    }

    fn requests(&self) -> usize {
        self.requests[0].load(Ordering::SeqCst)
    }

    fn all_requests(&self) -> [usize; 2] {
        [0, 1].map(|at| self.requests[at].load(Ordering::SeqCst))
    }
}

fn request(model: &str) -> Request {
    Request {
        model: Choice::of(model),
        system: "s".to_owned(),
        messages: vec![Message::user("hello")],
        tools: Vec::new(),
        max_tokens: None,
        temperature: None,
        thinking: None,
        fallback: None,
        account: "tester".to_owned(),
    }
}

/// The way to `OpenAI`.
fn lane(client: &Client) -> Arc<super::lane::Lane> {
    let settings = &client.0.settings;
    client.0.lanes.of(settings.providers.of("gpt-4o").unwrap(), settings)
}

/// One failed call of class `class`, as the meter saw it.
fn assert_one_failure(snapshot: &Snapshot, provider: &str, class: &str) {
    assert_eq!((snapshot.calls.total, snapshot.calls.failed), (1, 1));
    assert_eq!(snapshot.by_provider[provider].errors[class], 1, "{snapshot:?}");
    assert_eq!(snapshot.by_employee["tester"].calls, 1);
}

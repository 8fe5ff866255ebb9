//! Somebody results are delivered to: takes what is posted, and answers as it is told.

use std::sync::{Arc, Mutex};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, Method, Uri},
    response::{IntoResponse as _, Response},
};
use reqwest::StatusCode;
use serde_json::Value;
use tokio::sync::{Semaphore, mpsc};

use super::{PATIENCE, served::Served};

/// What came in.
#[derive(Debug, Clone)]
pub struct Received {
    pub method: String,
    pub uri: String,
    pub headers: HeaderMap,
    pub body: Bytes,
    /// The body, if it is text.
    pub text: String,
}

impl Received {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    #[track_caller]
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).unwrap_or_else(|| panic!("no `{name}`: {:?}", self.headers)).to_str().unwrap()
    }
}

/// An answer: a status, headers, a body.
pub type Answer = (u16, Vec<(&'static str, String)>, String);

type Act = dyn Fn(usize, &Received) -> Answer + Send + Sync;

#[derive(Clone)]
struct Desk {
    received: Arc<Mutex<Vec<Received>>>,
    arrived: mpsc::UnboundedSender<()>,
    turns: Arc<Semaphore>,
    act: Arc<Act>,
}

/// A receiver on a port of its own.
pub struct Receiver {
    pub url: String,
    received: Arc<Mutex<Vec<Received>>>,
    arrived: mpsc::UnboundedReceiver<()>,
    turns: Arc<Semaphore>,
    /// Ends it when dropped.
    _served: Served,
}

impl Receiver {
    /// Answers with what `act` makes of the number of a request, from 0, and the request.
    pub async fn acting(act: impl Fn(usize, &Received) -> Answer + Send + Sync + 'static) -> Self {
        Self::start(act, Semaphore::MAX_PERMITS).await
    }

    /// Answers the requests, in their order, with these statuses, and then with 200.
    pub async fn with_statuses(statuses: &'static [u16]) -> Self {
        Self::acting(|number, _| (statuses.get(number).copied().unwrap_or(200), Vec::new(), "{}".to_owned()))
            .await
    }

    /// Answers with 200 as often as [`Receiver::release`] allows; the others hang.
    pub async fn held() -> Self {
        Self::start(|_, _| (200, Vec::new(), "{}".to_owned()), 0).await
    }

    async fn start(act: impl Fn(usize, &Received) -> Answer + Send + Sync + 'static, turns: usize) -> Self {
        let (arrived, told) = mpsc::unbounded_channel();
        let desk = Desk {
            received: Arc::default(),
            arrived,
            turns: Arc::new(Semaphore::new(turns)),
            act: Arc::new(act),
        };
        let (received, turns) = (Arc::clone(&desk.received), Arc::clone(&desk.turns));
        let router = Router::new().fallback(take).with_state(desk);
        let served = Served::start(router).await;
        Self { url: served.url.clone(), received, arrived: told, turns, _served: served }
    }

    /// Lets `count` more requests be answered.
    pub fn release(&self, count: usize) {
        self.turns.add_permits(count);
    }

    /// Waits until one more request has come in.
    pub async fn arrival(&mut self) {
        tokio::time::timeout(PATIENCE, self.arrived.recv()).await.expect("nothing came in").unwrap();
    }

    /// All that came in so far.
    pub fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }
}

async fn take(
    State(desk): State<Desk>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let text = String::from_utf8_lossy(&body).into_owned();
    let received = Received { method: method.to_string(), uri: uri.to_string(), headers, body, text };
    let number = {
        let mut all = desk.received.lock().unwrap();
        all.push(received.clone());
        all.len() - 1
    };
    let _ = desk.arrived.send(());
    desk.turns.acquire().await.unwrap().forget();
    let (status, headers, body) = (desk.act)(number, &received);
    let mut response = (StatusCode::from_u16(status).unwrap(), body).into_response();
    for (name, value) in headers {
        response.headers_mut().insert(name, value.parse().unwrap());
    }
    response
}

//! One request and its response: plain JSON if the answer is all there is to say, else a stream of events.

use std::{
    convert::Infallible,
    future::{Future, poll_fn},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use axum::{body::Body, response::Response};
use bytes::Bytes;
use futures_util::{future::BoxFuture, stream};
use http::{HeaderValue, StatusCode, header};
use tokio::time::{Sleep, sleep};

use crate::mcp::outbox::Outbox;
use crate::{base::Tracker, mcp::rpc::Answer};

/// A call that is being answered. It has no answer when the client cancelled it.
pub(super) type Call = BoxFuture<'static, Option<Answer>>;

/// A call, and what it says on the way.
pub(super) struct Exchange {
    call: Option<Call>,
    answer: Option<Answer>,
    outbox: Arc<Outbox>,
    keep_alive: Duration,
    silence: Option<Pin<Box<Sleep>>>,
    /// Where the call goes on when the client is gone; without it, that ends the call.
    survives: Option<Tracker>,
}

/// What happens next.
enum Step {
    Message(String),
    Answer(Answer),
    /// Nothing, for so long that proxies may lose patience.
    Silence,
    /// All was said.
    Over,
}

impl Exchange {
    /// An exchange that ends when the client is gone: the rule from 2026-07-28 on.
    pub(super) fn new(call: Call, outbox: Arc<Outbox>, keep_alive: Duration) -> Self {
        Self { call: Some(call), answer: None, outbox, keep_alive, silence: None, survives: None }
    }

    /// The same, but the call goes on without the client: the rule before.
    pub(super) fn surviving(mut self, tracker: Tracker) -> Self {
        self.survives = Some(tracker);
        self
    }

    /// Waits for the first thing that is said; `status` is for an answer that comes first.
    pub(super) async fn respond(mut self, status: impl FnOnce(&Answer) -> StatusCode) -> Response {
        match poll_fn(|context| self.poll_step(context)).await {
            Step::Answer(answer) => {
                let status = status(&answer);
                answer_json(status, answer.json)
            }
            Step::Over => events(Body::empty()),
            Step::Message(message) => self.stream(event(&message)),
            Step::Silence => self.stream(COMMENT.to_owned()),
        }
    }

    fn stream(self, first: String) -> Response {
        let rest = stream::unfold((Some(first), self), |(first, mut exchange)| async move {
            let events = match first {
                Some(first) => first,
                None => poll_fn(|context| exchange.poll_events(context)).await?,
            };
            Some((Ok::<_, Infallible>(Bytes::from(events)), (None, exchange)))
        });
        events(Body::from_stream(rest))
    }

    /// All events that are ready, in one piece; `None` after the last.
    fn poll_events(&mut self, context: &mut Context<'_>) -> Poll<Option<String>> {
        let mut events = String::new();
        loop {
            match self.poll_step(context) {
                Poll::Ready(Step::Message(message)) => events.push_str(&event(&message)),
                Poll::Ready(Step::Answer(answer)) => events.push_str(&event(&answer.json)),
                Poll::Ready(Step::Silence) => events.push_str(COMMENT),
                Poll::Ready(Step::Over) if events.is_empty() => {
                    return Poll::Ready(None);
                }
                Poll::Pending if events.is_empty() => return Poll::Pending,
                Poll::Ready(Step::Over) | Poll::Pending => {
                    return Poll::Ready(Some(events));
                }
            }
        }
    }

    fn poll_step(&mut self, context: &mut Context<'_>) -> Poll<Step> {
        if let Some(message) = self.outbox.pop() {
            return Poll::Ready(self.said(Step::Message(message)));
        }
        if let Some(call) = &mut self.call
            && let Poll::Ready(answer) = call.as_mut().poll(context)
        {
            self.call = None;
            self.answer = answer;
        }
        // What was said while the call ran goes before its answer.
        if let Poll::Ready(message) = self.outbox.poll_pop(context) {
            return Poll::Ready(self.said(Step::Message(message)));
        }
        if let Some(answer) = self.answer.take() {
            return Poll::Ready(Step::Answer(answer));
        }
        if self.call.is_none() {
            return Poll::Ready(Step::Over);
        }
        let keep_alive = self.keep_alive;
        let silence = self.silence.get_or_insert_with(|| Box::pin(sleep(keep_alive)));
        match silence.as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(self.said(Step::Silence)),
            Poll::Pending => Poll::Pending,
        }
    }

    /// Silence is counted anew after each thing said.
    fn said(&mut self, step: Step) -> Step {
        self.silence = None;
        step
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        // Outside a runtime the process is ending, and nothing can go on.
        let running = tokio::runtime::Handle::try_current().is_ok();
        if let (Some(tracker), Some(call), true) = (&self.survives, self.call.take(), running) {
            tracker.spawn(call);
        }
    }
}

const COMMENT: &str = ":\n\n";

fn event(message: &str) -> String {
    format!("event: message\ndata: {message}\n\n")
}

/// A response that is one JSON message.
pub(super) fn answer_json(status: StatusCode, json: String) -> Response {
    let mut response = Response::new(Body::from(json));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// A response without a body.
pub(super) fn bare(status: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

fn events(body: Body) -> Response {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache, no-transform"));
    // nginx would hold events back until its buffer is full.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}

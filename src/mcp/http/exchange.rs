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

use super::{sessions::Streamable, silence::COMMENT};
use crate::{
    base::Tracker,
    mcp::{
        outbox::{Outbox, Said},
        rpc::Answer,
    },
    protocol::Version,
};

/// A call that is being answered. It has no answer when the client cancelled it.
pub(super) type Call = BoxFuture<'static, Option<Answer>>;

/// A call, and what it says on the way.
pub(super) struct Exchange {
    call: Option<Call>,
    answer: Option<Answer>,
    outbox: Arc<Outbox>,
    keep_alive: Duration,
    silence: Option<Pin<Box<Sleep>>>,
    /// What the call has apart from its connection; without it, the end of the connection ends the call.
    life: Option<Life>,
}

/// The life that a call of the older era has of its own.
pub(super) struct Life {
    /// Where it goes on when the client is gone.
    pub(super) tracker: Tracker,
    /// Where what it says is kept.
    pub(super) open: Arc<Streamable>,
}

/// What happens next.
enum Step {
    Message(String),
    /// The connection is to be closed, though the call goes on.
    HangUp,
    Answer(Answer),
    /// Nothing, for so long that proxies may lose patience.
    Silence,
    /// All was said.
    Over,
}

impl Exchange {
    /// An exchange that ends when the client is gone: the rule from 2026-07-28 on.
    pub(super) fn new(call: Call, outbox: Arc<Outbox>, keep_alive: Duration) -> Self {
        Self { call: Some(call), answer: None, outbox, keep_alive, silence: None, life: None }
    }

    /// The same, but the call goes on without the client: the rule before.
    pub(super) fn living(mut self, life: Life) -> Self {
        self.life = Some(life);
        self
    }

    /// Waits for the first thing that is said; `status` is for an answer that comes first.
    pub(super) async fn respond(mut self, status: impl FnOnce(&Answer) -> StatusCode) -> Response {
        let first = poll_fn(|context| self.poll_step(context)).await;
        match (first, self.life.take()) {
            (Step::Answer(answer), _) => {
                let status = status(&answer);
                answer_json(status, answer.json)
            }
            (Step::Over, _) => events(Body::empty()),
            (first, Some(life)) => self.keep(first, &life),
            (Step::Message(message), None) => self.stream(event(&message)),
            (Step::Silence | Step::HangUp, None) => self.stream(COMMENT.to_owned()),
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

    /// Has the call go on by itself, and connects the client to what it says.
    fn keep(mut self, first: Step, life: &Life) -> Response {
        let stream = life.open.streams.open();
        let connection = stream.connect(None, self.keep_alive, None);
        if life.open.session.version().is_some_and(Version::has_polling) {
            stream.prime();
        }
        let mut over = self.record(first, &stream);
        life.tracker.spawn(async move {
            while !over {
                let step = poll_fn(|context| self.poll_step(context)).await;
                over = self.record(step, &stream);
            }
        });
        events(Body::from_stream(connection))
    }

    /// Puts into `stream` what was said; tells whether that was all.
    fn record(&mut self, step: Step, stream: &super::streams::Stream) -> bool {
        // The connection tells by itself that it is alive.
        self.keep_alive = Duration::MAX;
        match step {
            Step::Message(message) => stream.say(&message),
            Step::HangUp => stream.hang_up(),
            Step::Answer(answer) => stream.say(&answer.json),
            Step::Silence => {}
            Step::Over => {
                stream.finish();
                return true;
            }
        }
        false
    }

    /// All events that are ready, in one piece; `None` after the last.
    fn poll_events(&mut self, context: &mut Context<'_>) -> Poll<Option<String>> {
        let mut events = String::new();
        loop {
            match self.poll_step(context) {
                Poll::Ready(Step::Message(message)) => events.push_str(&event(&message)),
                Poll::Ready(Step::Answer(answer)) => events.push_str(&event(&answer.json)),
                Poll::Ready(Step::Silence) => events.push_str(COMMENT),
                // Without a life of its own, a call cannot be come back to.
                Poll::Ready(Step::HangUp) => {}
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
        if let Some(said) = self.outbox.pop() {
            return Poll::Ready(self.said(said.into()));
        }
        if let Some(call) = &mut self.call
            && let Poll::Ready(answer) = call.as_mut().poll(context)
        {
            self.call = None;
            self.answer = answer;
        }
        // What was said while the call ran goes before its answer.
        if let Poll::Ready(said) = self.outbox.poll_pop(context) {
            return Poll::Ready(self.said(said.into()));
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

impl From<Said> for Step {
    fn from(said: Said) -> Self {
        match said {
            Said::Message(message) => Self::Message(message),
            Said::HangUp => Self::HangUp,
        }
    }
}

impl Drop for Exchange {
    /// The client has gone before anything was said to it, so there is no event it could come back to.
    fn drop(&mut self) {
        self.outbox.close();
        // Outside a runtime the process is ending, and nothing can go on.
        let running = tokio::runtime::Handle::try_current().is_ok();
        if let (Some(life), Some(call), true) = (&self.life, self.call.take(), running) {
            life.tracker.spawn(call);
        }
    }
}

/// A message as an event.
pub(super) fn event(message: &str) -> String {
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

/// A response that is a stream of events.
pub(super) fn events(body: Body) -> Response {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache, no-transform"));
    // nginx would hold events back until its buffer is full.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}

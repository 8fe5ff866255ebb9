//! The transport of 2024-11-05: a stream that stays open carries all answers, and messages are posted beside it.
//!
//! `GET /sse` opens a session and its stream, whose first event names where to post. What is posted is accepted, and
//! answered on the stream. Clients of later revisions still come this way, so every revision of the older era is spoken
//! here; the newer one has no such transport.
//!
//! Source: MCP 2024-11-05, "HTTP with SSE".

mod channel;
mod queue;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    response::{IntoResponse as _, Response},
    routing::any,
};
use futures_util::future::join_all;
use http::{Method, StatusCode, Uri, request::Parts};
use serde_json::value::RawValue;

use self::channel::{Channel, Events};
use super::{
    Endpoint, Options, Post, accepted,
    calls::{self, Asked},
    exchange::{Call, answer_json, events},
    gate,
};
use crate::{
    mcp::{BATCH_LIMIT, rpc::Answer},
    protocol::{
        Era, Error, Version,
        envelope::{self, Envelope, Id, Kind},
        era::{self, Peek},
        headers::{self, Header},
    },
    tools::Caller,
};

/// Serves streams at `/sse`, and takes messages at `/messages/`, within the limits of `endpoint`.
pub(super) fn routes_beside(endpoint: &Endpoint, options: &Options) -> Router {
    Router::new()
        .route("/sse", any(stream))
        .route("/messages", any(message))
        .route("/messages/", any(message))
        .with_state(Arc::new(endpoint.beside::<Channel>(options)))
}

type Shared = Arc<Endpoint<Channel>>;

async fn stream(State(endpoint): State<Shared>, request: Request) -> Response {
    let (parts, _) = request.into_parts();
    if let Err(refusal) = gate::check_names(&endpoint.names, &parts.headers, &parts.uri) {
        return refusal.into_response();
    }
    if parts.method != Method::GET {
        return gate::method_not_allowed("GET", "GET a stream here; its first event says where to POST");
    }
    open(&endpoint, &post_of(&parts))
}

async fn message(State(endpoint): State<Shared>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    if let Err(refusal) = gate::check_names(&endpoint.names, &parts.headers, &parts.uri) {
        return refusal.into_response();
    }
    if parts.method != Method::POST {
        return gate::method_not_allowed("POST", "POST a JSON-RPC message here; GET /sse is the stream");
    }
    let body = match gate::check_kind(&parts.headers) {
        Ok(()) => gate::read_body(&parts.headers, body, endpoint.body).await,
        Err(refusal) => Err(refusal),
    };
    let body = match body {
        Ok(body) => body,
        Err(refusal) => return refusal.into_response(),
    };
    let post = post_of(&parts);
    let Some(id) = session_id(&parts.uri) else {
        let error = "name one `session_id`: post to where the first event of the stream says";
        return refuse(StatusCode::BAD_REQUEST, None, &Error::invalid_request(error), None);
    };
    let Some(channel) = endpoint.sessions.get(id, post.principal.as_ref()) else {
        let error = Error::invalid_request("no such session; `GET /sse` opens a new one");
        return refuse(StatusCode::NOT_FOUND, None, &error, None);
    };
    let posted = Posted { endpoint: &endpoint, post: &post, channel: &channel, id };
    posted.take(&body).await
}

fn post_of(parts: &Parts) -> Post<'_> {
    Post { headers: &parts.headers, principal: parts.extensions.get::<Caller>().map(Caller::shared) }
}

/// The session that a message is for; `None` unless exactly one is named.
fn session_id(uri: &Uri) -> Option<&str> {
    let mut named = uri.query()?.split('&').filter_map(|pair| pair.strip_prefix("session_id="));
    named.next().filter(|_| named.next().is_none())
}

/// Opens a session and its stream.
fn open(endpoint: &Shared, post: &Post<'_>) -> Response {
    if let Err(refusal) = gate::check_stream(post.headers) {
        return refusal.into_response();
    }
    let channel = Arc::new(Channel::new(Arc::clone(&endpoint.budget)));
    // A client whose connection broke comes back by itself and does not greet again, but says what was settled before.
    settle(&channel, post.header(headers::VERSION));
    channel.follow(&endpoint.server);
    let opened = endpoint.sessions.open(Arc::clone(&channel), post.principal.clone());
    let Ok(opened) = opened else {
        let error = Error::internal("no session could be opened; the system gives no random numbers");
        return refuse(StatusCode::SERVICE_UNAVAILABLE, None, &error, None);
    };
    let first = format!("event: endpoint\ndata: /messages/?session_id={}\n\n", opened.id);
    let stream = Events::new(endpoint, channel, opened.id, post.principal.clone(), first);
    events(Body::from_stream(stream))
}

/// Settles the revision that a request names in its header, if it is one of the older era.
fn settle(channel: &Channel, said: Header<'_>) {
    let version = said.value().and_then(Version::parse).filter(|version| version.era() == Era::Legacy);
    if let Some(version) = version {
        channel.session.assume(version);
    }
}

/// Something that was posted to a session.
struct Posted<'a> {
    endpoint: &'a Shared,
    post: &'a Post<'a>,
    channel: &'a Arc<Channel>,
    /// Of the session.
    id: &'a str,
}

impl Posted<'_> {
    fn version(&self) -> Option<Version> {
        self.channel.session.version()
    }

    /// Takes a body: a message, or an array of them where the revision has that. Only what is no message at all is
    /// refused by status: clients take a refusal for the end of the transport.
    async fn take(&self, body: &[u8]) -> Response {
        let unreadable = |error: &Error| refuse(StatusCode::BAD_REQUEST, None, error, self.version());
        let text = match std::str::from_utf8(body) {
            Ok(text) => text,
            Err(error) => return unreadable(&Error::parse(error)),
        };
        match envelope::batch(text, BATCH_LIMIT) {
            None => {}
            Some(_) if !self.version().is_some_and(Version::has_batches) => {
                let error = "this protocol version has no batches; send one message at a time";
                return unreadable(&Error::invalid_request(error));
            }
            Some(Ok(messages)) => return self.take_batch(&messages).await,
            Some(Err(error)) => return unreadable(&error),
        }
        let envelope = match Envelope::parse_text(text) {
            Ok(envelope) => envelope,
            Err(error) => return unreadable(&error),
        };
        match envelope.kind() {
            Kind::Request(id, method) => self.answer(id, method, envelope.params()),
            Kind::Notification(method) => {
                self.endpoint.rpc.notify(method, envelope.params(), &self.channel.session).await;
                self.channel.follow(&self.endpoint.server);
                accepted()
            }
            Kind::Response(_) => {
                self.channel.session.respond(&envelope);
                accepted()
            }
            Kind::Invalid(id) => {
                let error = Error::invalid_request("neither a request, nor a notification, nor a response");
                refuse(StatusCode::BAD_REQUEST, id, &error, self.version())
            }
        }
    }

    /// Takes a request; its answer goes to the stream, a refusal too.
    fn answer(&self, id: Id<'_>, method: &str, params: Option<&RawValue>) -> Response {
        let peek = Peek::of(params);
        if method != "initialize" {
            self.channel.follow(&self.endpoint.server);
        }
        let request = Asked { id, method, params, peek: &peek };
        let outlet = Arc::clone(&self.channel.queue) as _;
        let call = match era::of(Header::Absent, &peek) {
            // Also a probe for the newer era gets the answer that a server of the older one has for it.
            Era::Modern if method != "server/discover" => Err(Error::invalid_request(
                "this transport has the revisions up to 2025-11-25; for newer ones post to /mcp",
            )),
            _ => calls::prepare(self.endpoint, self.post, &self.channel.session, &request, outlet)
                .map_err(|(_, error)| error),
        };
        match call {
            Ok(call) => self.start(call, Some(id)),
            Err(error) => self.say(error.answer(Some(id), self.version())),
        }
    }

    async fn take_batch(&self, messages: &[&RawValue]) -> Response {
        let mut calls: Vec<Call> = Vec::new();
        let outlet = Arc::clone(&self.channel.queue) as _;
        for message in messages {
            let session = &self.channel.session;
            match calls::take(self.endpoint, self.post, session, message.get(), &outlet).await {
                Ok(call) => calls.extend(call),
                Err(json) => calls.push(Box::pin(async { Some(Answer { json, code: None }) })),
            }
        }
        if calls.is_empty() {
            return accepted();
        }
        let all = async move {
            let answers: Vec<_> =
                join_all(calls).await.into_iter().flatten().map(|answer| answer.json).collect();
            (!answers.is_empty()).then(|| Answer { json: format!("[{}]", answers.join(",")), code: None })
        };
        self.start(Box::pin(all), None)
    }

    /// Has the call run by itself, and its answer go to the stream.
    fn start(&self, call: Call, id: Option<Id<'_>>) -> Response {
        let Ok(place) = Arc::clone(&self.channel.calls).try_acquire_owned() else {
            tracing::warn!("too many requests of one session at once; one more was turned away");
            let error =
                Error::internal("too many requests of this session are running; wait for their answers");
            return self.say(error.answer(id, self.version()));
        };
        let endpoint = Arc::clone(self.endpoint);
        let (channel, id, principal) =
            (Arc::clone(self.channel), self.id.to_owned(), self.post.principal.clone());
        self.endpoint.tracker.spawn(async move {
            if let Some(answer) = call.await
                && !channel.queue.deliver(answer.json).await
                && endpoint.sessions.close(&id, principal.as_ref())
            {
                tracing::info!("a client does not read its stream; its session was ended");
            }
            drop(place);
            // At the end of the server the stream waits for nothing but this.
            channel.queue.wake();
        });
        accepted()
    }

    /// Says at once what comes of a request; one that there is no room for is turned away.
    fn say(&self, answer: String) -> Response {
        match self.channel.queue.offer(answer) {
            Ok(()) => accepted(),
            Err(queue::Refused::Closed) => {
                let error = Error::invalid_request("the session has ended; `GET /sse` opens a new one");
                refuse(StatusCode::NOT_FOUND, None, &error, self.version())
            }
            Err(queue::Refused::Full(answer)) => answer_json(StatusCode::SERVICE_UNAVAILABLE, answer),
        }
    }
}

fn refuse(status: StatusCode, id: Option<Id<'_>>, error: &Error, version: Option<Version>) -> Response {
    answer_json(status, error.answer(id, version))
}

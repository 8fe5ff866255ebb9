//! The older era over HTTP: a session from `initialize` to DELETE, in which calls survive their connection.

use std::sync::Arc;

use axum::{
    body::Body,
    response::{IntoResponse as _, Response},
};
use futures_util::future::join_all;
use http::{HeaderValue, StatusCode};
use serde_json::value::RawValue;

use super::{
    Endpoint, Post, accepted,
    calls::{Asked, prepare, take},
    exchange::{Call, Exchange, Life, answer_json, bare, events},
    gate, method_not_allowed,
    sessions::Streamable,
    unreadable,
};
use crate::mcp::{
    outbox::{Nowhere, Outbox},
    rpc::Answer,
};
use crate::protocol::{
    Context, Error, Session, Version,
    context::Outlet,
    envelope::{Envelope, Id, Kind},
    era::Peek,
    headers::{self, Header},
};

/// Answers one message.
pub(super) async fn post(
    endpoint: &Arc<Endpoint>,
    post: &Post<'_>,
    envelope: &Envelope<'_>,
    peek: &Peek<'_>,
) -> Response {
    let kind = envelope.kind();
    let id = match kind {
        Kind::Invalid(id) => {
            let error = Error::invalid_request("neither a request, nor a notification, nor a response");
            return refuse(StatusCode::BAD_REQUEST, id, &error, post);
        }
        Kind::Request(id, "initialize") => return open(endpoint, post, id, envelope, peek).await,
        Kind::Request(id, _) => Some(id),
        Kind::Notification(_) | Kind::Response(_) => None,
    };
    let open = match find(endpoint, post) {
        Ok(open) => open,
        Err((status, error)) => return refuse(status, id, &error, post),
    };
    let (id, method) = match kind {
        Kind::Request(id, method) => (id, method),
        Kind::Notification(method) => {
            endpoint.rpc.notify(method, envelope.params(), &open.session).await;
            return accepted();
        }
        Kind::Response(_) | Kind::Invalid(_) => {
            open.session.respond(envelope);
            return accepted();
        }
    };
    let outbox = Arc::new(Outbox::default());
    let request = Asked { id, method, params: envelope.params(), peek };
    match prepare(endpoint, post, &open.session, &request, Arc::clone(&outbox) as _) {
        Ok(call) => respond(endpoint, call, outbox, open).await,
        Err((status, error)) => refuse(status, Some(id), &error, post),
    }
}

/// Runs a call and answers with what comes of it.
async fn respond(endpoint: &Endpoint, call: Call, outbox: Arc<Outbox>, open: Arc<Streamable>) -> Response {
    let life = Life { tracker: endpoint.tracker.clone(), open };
    Exchange::new(call, outbox, endpoint.keep_alive).living(life).respond(|_| StatusCode::OK).await
}

/// Answers an array of messages, which one revision has.
pub(super) async fn batch(endpoint: &Arc<Endpoint>, post: &Post<'_>, messages: &[&RawValue]) -> Response {
    let open = match find(endpoint, post) {
        Ok(open) if open.session.version().is_some_and(Version::has_batches) => open,
        // Without a session there is no revision that has batches either.
        Err((status, error)) if status == StatusCode::NOT_FOUND => return refuse(status, None, &error, post),
        Ok(_) | Err(_) => {
            let error = "this protocol version has no batches; send one message at a time";
            return unreadable(post, &Error::invalid_request(error));
        }
    };
    let outbox = Arc::new(Outbox::default());
    let outlet: Arc<dyn Outlet> = Arc::clone(&outbox) as _;
    let mut calls: Vec<Call> = Vec::new();
    let mut answers: Vec<String> = Vec::new();
    for message in messages {
        match take(endpoint, post, &open.session, message.get(), &outlet).await {
            Ok(call) => calls.extend(call),
            Err(answer) => answers.push(answer),
        }
    }
    if calls.is_empty() && answers.is_empty() {
        return accepted();
    }
    // What the calls say on the way goes before the array of their answers.
    let all = Box::pin(async move {
        answers.extend(join_all(calls).await.into_iter().flatten().map(|answer| answer.json));
        (!answers.is_empty()).then(|| Answer { json: format!("[{}]", answers.join(",")), code: None })
    });
    respond(endpoint, all, outbox, open).await
}

/// Connects the client to a stream: the one its last event was on, or the one that belongs to no call.
pub(super) fn get(endpoint: &Arc<Endpoint>, post: &Post<'_>) -> Response {
    if let Err(refusal) = gate::check_stream(post.headers) {
        return refusal.into_response();
    }
    let open = match find(endpoint, post) {
        Ok(open) => open,
        Err((status, error)) => return refuse(status, None, &error, post),
    };
    let ending = || Some(endpoint.tracker.stopping().clone().cancelled_owned());
    let connection = match post.header(headers::LAST_EVENT) {
        Header::Absent if endpoint.server.host().bus().is_none() => return method_not_allowed(),
        Header::Absent => {
            let follow = |stream| endpoint.server.follow(&open.session, stream);
            open.streams.standalone(|stream| follow(stream)).connect(None, endpoint.keep_alive, ending())
        }
        last => match last.value().and_then(|id| open.streams.find(id)) {
            Some((stream, event)) => stream.connect(Some(event), endpoint.keep_alive, ending()),
            None => {
                let error = Error::invalid_request("no such event is kept; go on without `Last-Event-ID`");
                return refuse(StatusCode::BAD_REQUEST, None, &error, post);
            }
        },
    };
    events(Body::from_stream(connection))
}

/// Ends the session that a DELETE names.
pub(super) fn end(endpoint: &Arc<Endpoint>, post: &Post<'_>) -> Response {
    let id = post.header(headers::SESSION).value().unwrap_or_default();
    let ended = endpoint.sessions.close(id, post.principal.as_ref());
    bare(if ended { StatusCode::NO_CONTENT } else { StatusCode::NOT_FOUND })
}

/// Answers `initialize`, and opens a session if that went well.
async fn open(
    endpoint: &Arc<Endpoint>,
    post: &Post<'_>,
    id: Id<'_>,
    envelope: &Envelope<'_>,
    peek: &Peek<'_>,
) -> Response {
    let session = Arc::new(Session::new());
    // When it cannot be read the method says so itself.
    let _ = session.negotiate(envelope.params().map(RawValue::get));
    let context = Context::legacy(Arc::clone(&session), peek, post.caller(), Arc::new(Nowhere));
    let answer = endpoint.rpc.call(id, "initialize", envelope.params(), context).await;
    let refused = answer.code.is_some();
    let mut response = answer_json(StatusCode::OK, answer.json);
    if refused {
        return response;
    }
    let opened = Arc::new(Streamable::new(session, &endpoint.budget));
    let opened = endpoint.sessions.open(opened, post.principal.clone()).ok();
    if opened.as_ref().is_some_and(|opened| opened.unswept) {
        sweep(endpoint);
    }
    let Some(name) = opened.and_then(|opened| HeaderValue::from_str(&opened.id).ok()) else {
        let error = Error::internal("no session could be opened; the system gives no random numbers");
        return refuse(StatusCode::INTERNAL_SERVER_ERROR, Some(id), &error, post);
    };
    response.headers_mut().insert(headers::SESSION, name);
    response
}

/// Forgets idle sessions from time to time, for as long as there are sessions.
fn sweep(endpoint: &Arc<Endpoint>) {
    let swept = Arc::clone(endpoint);
    endpoint.tracker.spawn(async move {
        loop {
            tokio::select! {
                () = swept.tracker.stopping().cancelled() => return,
                () = tokio::time::sleep(swept.sessions.rhythm()) => {}
            }
            if !swept.sessions.sweep() {
                return;
            }
        }
    });
}

/// The session that a request names.
fn find(endpoint: &Endpoint, post: &Post<'_>) -> Result<Arc<Streamable>, (StatusCode, Error)> {
    let id = match post.header(headers::SESSION) {
        Header::Value(id) => id,
        Header::Absent | Header::Unclear => {
            let error = "send one `Mcp-Session-Id` header, with what the answer to `initialize` said there";
            return Err((StatusCode::BAD_REQUEST, Error::invalid_request(error)));
        }
    };
    let open = endpoint.sessions.get(id, post.principal.as_ref()).ok_or_else(|| {
        let error = Error::invalid_request("no such session; `initialize` opens a new one");
        (StatusCode::NOT_FOUND, error)
    })?;
    let said = match post.header(headers::VERSION) {
        Header::Absent => return Ok(open),
        Header::Value(said) => Some(said),
        Header::Unclear => None,
    };
    let settled = open.session.version().map(Version::as_str);
    if said != settled {
        let error = "`MCP-Protocol-Version` is not the version that this session settled on";
        return Err((StatusCode::BAD_REQUEST, Error::invalid_request(error)));
    }
    Ok(open)
}

fn refuse(status: StatusCode, id: Option<Id<'_>>, error: &Error, post: &Post<'_>) -> Response {
    let version = post.header(headers::VERSION).value().and_then(Version::parse);
    answer_json(status, error.answer(id, version))
}

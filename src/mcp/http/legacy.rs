//! The older era over HTTP: a session from `initialize` to DELETE, in which calls survive their connection.

use std::sync::Arc;

use axum::response::Response;
use futures_util::future::join_all;
use http::{HeaderValue, StatusCode};
use serde_json::value::RawValue;

use super::{
    Endpoint, Post, accepted,
    exchange::{Call, Exchange, answer_json, bare},
    unreadable,
};
use crate::mcp::outbox::{Nowhere, Outbox};
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
    let (id, method) = match envelope.kind() {
        Kind::Invalid(id) => {
            let error = Error::invalid_request("neither a request, nor a notification, nor a response");
            return refuse(StatusCode::BAD_REQUEST, id, &error, post);
        }
        Kind::Request(id, "initialize") => return open(endpoint, post, id, envelope, peek).await,
        Kind::Request(id, method) => (Some(id), method),
        Kind::Notification(method) => (None, method),
        Kind::Response(_) => (None, ""),
    };
    let session = match find(endpoint, post) {
        Ok(session) => session,
        Err((status, error)) => return refuse(status, id, &error, post),
    };
    let Some(id) = id else {
        endpoint.rpc.notify(method, envelope.params(), &session).await;
        return accepted();
    };
    let outbox = Arc::new(Outbox::default());
    let outlet = Arc::clone(&outbox) as Arc<dyn Outlet>;
    match prepare(endpoint, post, &session, (id, method, envelope.params()), outlet) {
        Ok(call) => {
            let exchange = Exchange::new(call, outbox, endpoint.keep_alive);
            exchange.surviving(endpoint.tracker.clone()).respond(|_| StatusCode::OK).await
        }
        Err(error) => refuse(StatusCode::OK, Some(id), &error, post),
    }
}

/// Answers an array of messages, which one revision has.
pub(super) async fn batch(endpoint: &Arc<Endpoint>, post: &Post<'_>, messages: &[&RawValue]) -> Response {
    let session = match find(endpoint, post) {
        Ok(session) if session.version().is_some_and(Version::has_batches) => session,
        // Without a session there is no revision that has batches either.
        Err((status, error)) if status == StatusCode::NOT_FOUND => return refuse(status, None, &error, post),
        Ok(_) | Err(_) => {
            let error = "this protocol version has no batches; send one message at a time";
            return unreadable(post, &Error::invalid_request(error));
        }
    };
    let mut calls: Vec<Call> = Vec::new();
    let mut answers: Vec<String> = Vec::new();
    for message in messages {
        match take(endpoint, post, &session, message.get()).await {
            Ok(call) => calls.extend(call),
            Err(answer) => answers.push(answer),
        }
    }
    let done = join_all(calls).await;
    answers.extend(done.into_iter().flatten().map(|answer| answer.json));
    if answers.is_empty() {
        return accepted();
    }
    answer_json(StatusCode::OK, format!("[{}]", answers.join(",")))
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
    let opened = endpoint.sessions.open(session, post.principal.clone());
    let Some(name) = opened.ok().and_then(|name| HeaderValue::from_str(&name).ok()) else {
        let error = Error::internal("no session could be opened; the system gives no random numbers");
        return refuse(StatusCode::INTERNAL_SERVER_ERROR, Some(id), &error, post);
    };
    response.headers_mut().insert(headers::SESSION, name);
    response
}

/// The session that a request names.
fn find(endpoint: &Endpoint, post: &Post<'_>) -> Result<Arc<Session>, (StatusCode, Error)> {
    let id = match post.header(headers::SESSION) {
        Header::Value(id) => id,
        Header::Absent | Header::Unclear => {
            let error = "send one `Mcp-Session-Id` header, with what the answer to `initialize` said there";
            return Err((StatusCode::BAD_REQUEST, Error::invalid_request(error)));
        }
    };
    let session = endpoint.sessions.get(id, post.principal.as_ref()).ok_or_else(|| {
        let error = Error::invalid_request("no such session; `initialize` opens a new one");
        (StatusCode::NOT_FOUND, error)
    })?;
    let said = match post.header(headers::VERSION) {
        Header::Absent => return Ok(session),
        Header::Value(said) => Some(said),
        Header::Unclear => None,
    };
    let settled = session.version().map(Version::as_str);
    if said != settled {
        let error = "`MCP-Protocol-Version` is not the version that this session settled on";
        return Err((StatusCode::BAD_REQUEST, Error::invalid_request(error)));
    }
    Ok(session)
}

/// Makes a call of a request; `None` comes out of it when the client cancels it.
fn prepare(
    endpoint: &Endpoint,
    post: &Post<'_>,
    session: &Arc<Session>,
    (id, method, params): (Id<'_>, &str, Option<&RawValue>),
    outlet: Arc<dyn Outlet>,
) -> Result<Call, Error> {
    let context = Context::legacy(Arc::clone(session), &Peek::of(params), post.caller(), outlet);
    let running = session.begin(id, &context)?;
    let cancelled = context.cancelled().clone();
    let call = endpoint.rpc.call(id, method, params, context);
    Ok(Box::pin(async move {
        let answer = tokio::select! {
            biased;
            () = cancelled.cancelled() => None,
            answer = call => Some(answer),
        };
        drop(running);
        answer
    }))
}

/// Takes one message of a batch: a call if it wants an answer, or the answer if it is wrong.
async fn take(
    endpoint: &Endpoint,
    post: &Post<'_>,
    session: &Arc<Session>,
    text: &str,
) -> Result<Option<Call>, String> {
    let version = session.version();
    let envelope = Envelope::parse_text(text).map_err(|error| error.answer(None, version))?;
    match envelope.kind() {
        Kind::Request(id, "initialize") => {
            Err(Error::invalid_request("`initialize` may not stand in a batch").answer(Some(id), version))
        }
        Kind::Request(id, method) => {
            let request = (id, method, envelope.params());
            prepare(endpoint, post, session, request, Arc::new(Nowhere))
                .map(Some)
                .map_err(|error| error.answer(Some(id), version))
        }
        Kind::Notification(method) => {
            endpoint.rpc.notify(method, envelope.params(), session).await;
            Ok(None)
        }
        Kind::Response(_) => Ok(None),
        Kind::Invalid(id) => {
            let error = Error::invalid_request("neither a request, nor a notification, nor a response");
            Err(error.answer(id, version))
        }
    }
}

fn refuse(status: StatusCode, id: Option<Id<'_>>, error: &Error, post: &Post<'_>) -> Response {
    let version = post.header(headers::VERSION).value().and_then(Version::parse);
    answer_json(status, error.answer(id, version))
}

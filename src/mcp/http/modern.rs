//! The modern era over HTTP: each POST stands for itself, and closing the connection cancels it.

use std::sync::Arc;

use axum::response::Response;
use http::StatusCode;

use super::{
    Endpoint, Post, accepted,
    exchange::{Exchange, answer_json},
    gate::Seen,
};
use crate::mcp::outbox::Outbox;
use crate::protocol::{
    Context, Error, Version,
    envelope::{Envelope, Id, Kind},
    era::{self, Peek},
    error::http_status,
    methods::LISTEN,
};

/// Answers one message.
pub(super) async fn post(
    endpoint: &Arc<Endpoint>,
    post: &Post<'_>,
    envelope: &Envelope<'_>,
    peek: &Peek<'_>,
) -> Response {
    let (id, method) = match envelope.kind() {
        Kind::Request(id, method) => (id, method),
        // There is nothing to obey: to cancel, a client closes the connection of the request, and who could name
        // requests of others here could cancel them.
        Kind::Notification(_) => return accepted(),
        Kind::Response(_) => {
            let error =
                "this protocol version has no requests to a client, so there is nothing to respond to";
            return refuse(None, &Error::invalid_request(error));
        }
        Kind::Invalid(id) => {
            return refuse(id, &Error::invalid_request("neither a request nor a notification"));
        }
    };
    let seen = Seen(post.headers);
    let admitted = match era::admit(method, peek, Some(&seen), |tool| endpoint.server.mirrors(tool)) {
        Ok(admitted) => admitted,
        Err(error) => return refuse(Some(id), &error),
    };
    // A stream of changes is no work; the protocol bounds how many there are.
    let slot = match (method != LISTEN).then(|| endpoint.slot()).transpose() {
        Ok(slot) => slot,
        Err((status, error)) => return answer_json(status, error.answer(Some(id), Some(admitted.version))),
    };
    let outbox = Arc::new(Outbox::default());
    let context = Context::modern(id, &admitted, peek, post.caller(), Arc::clone(&outbox) as _);
    let call = endpoint.rpc.call(id, method, envelope.params(), context);
    let call = Box::pin(async move {
        let answer = call.await;
        drop(slot);
        Some(answer)
    });
    Exchange::new(call, outbox, endpoint.keep_alive).respond(|answer| status(answer.code)).await
}

fn refuse(id: Option<Id<'_>>, error: &Error) -> Response {
    answer_json(status(Some(error.code())), error.answer(id, Some(Version::V2026_07_28)))
}

fn status(code: Option<i32>) -> StatusCode {
    code.map_or(StatusCode::OK, |code| {
        StatusCode::from_u16(http_status(code)).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    })
}

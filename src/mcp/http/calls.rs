//! How a message of the older era becomes a call, whatever transport it came by.

use std::sync::Arc;

use http::StatusCode;
use serde_json::value::RawValue;

use super::{Endpoint, Post, exchange::Call, sessions::Open};
use crate::protocol::{
    Context, Error, Session,
    context::Outlet,
    envelope::{Envelope, Id, Kind},
    era::Peek,
};

/// A request, taken apart.
pub(super) struct Asked<'a> {
    pub(super) id: Id<'a>,
    pub(super) method: &'a str,
    pub(super) params: Option<&'a RawValue>,
    pub(super) peek: &'a Peek<'a>,
}

/// Makes a call of a request; `None` comes out of it when the client cancels it.
pub(super) fn prepare<S: Open>(
    endpoint: &Endpoint<S>,
    post: &Post<'_>,
    session: &Arc<Session>,
    asked: &Asked<'_>,
    outlet: Arc<dyn Outlet>,
) -> Result<Call, (StatusCode, Error)> {
    let Asked { id, method, params, peek } = *asked;
    let slot = endpoint.slot()?;
    if method == "initialize" {
        // Not before there is room for it: a client that was turned away greets again.
        session.negotiate(params.map(RawValue::get)).map_err(|error| (StatusCode::OK, error))?;
    }
    let context = Context::legacy(Arc::clone(session), peek, post.caller(), outlet);
    let running = session.begin(id, &context).map_err(|error| (StatusCode::OK, error))?;
    let cancelled = context.cancelled().clone();
    let call = endpoint.rpc.call(id, method, params, context);
    Ok(Box::pin(async move {
        let answer = tokio::select! {
            biased;
            () = cancelled.cancelled() => None,
            answer = call => Some(answer),
        };
        drop((running, slot));
        answer
    }))
}

/// Takes one message of a batch: a call if it wants an answer, or the answer if it is wrong.
pub(super) async fn take<S: Open>(
    endpoint: &Endpoint<S>,
    post: &Post<'_>,
    session: &Arc<Session>,
    text: &str,
    outlet: &Arc<dyn Outlet>,
) -> Result<Option<Call>, String> {
    let version = session.version();
    let envelope = Envelope::parse_text(text).map_err(|error| error.answer(None, version))?;
    match envelope.kind() {
        Kind::Request(id, "initialize") => {
            Err(Error::invalid_request("`initialize` may not stand in a batch").answer(Some(id), version))
        }
        Kind::Request(id, method) => {
            let params = envelope.params();
            let request = Asked { id, method, params, peek: &Peek::of(params) };
            prepare(endpoint, post, session, &request, Arc::clone(outlet))
                .map(Some)
                .map_err(|(_, error)| error.answer(Some(id), version))
        }
        Kind::Notification(method) => {
            endpoint.rpc.notify(method, envelope.params(), session).await;
            Ok(None)
        }
        Kind::Response(_) => {
            session.respond(&envelope);
            Ok(None)
        }
        Kind::Invalid(id) => {
            let error = Error::invalid_request("neither a request, nor a notification, nor a response");
            Err(error.answer(id, version))
        }
    }
}

//! The one file that knows jsonrpsee: a root service over the methods of the protocol, and the middleware around that.
//!
//! The root is our own, for jsonrpsee's does not hand notifications on and cannot be reached without its servers,
//! which answer MCP wrongly (a notification gets a body, a negative id is taken for none). It answers with what the
//! protocol answers, not with jsonrpsee's `MethodResponse`: that one reads each finished message once more, to be sure
//! that it is JSON.

use std::{
    borrow::Cow,
    future::{Future, ready},
    panic::AssertUnwindSafe,
    sync::Arc,
};

use futures_util::FutureExt as _;
use jsonrpsee::{
    Extensions,
    core::middleware::{Batch, Notification, Request, RpcServiceBuilder, RpcServiceT},
    types::{Id as RpcId, TwoPointZero},
};
use serde_json::value::RawValue;
use tracing::Instrument as _;

use crate::{
    base::clock::Stopwatch,
    protocol::{
        Context, Error, Server, Session,
        envelope::Id,
        methods::{Method, notified},
        shape::Payload,
    },
};

/// What a method answers.
type Outcome = Result<Payload, Error>;

/// Answers requests and obeys notifications. Clones are the same service.
#[derive(Clone)]
pub(super) struct Rpc {
    service: Traced<Root>,
}

/// The answer to one request.
#[derive(Debug)]
pub(super) struct Answer {
    /// The whole message, on one line.
    pub(super) json: String,
    /// The code, when it is an error.
    pub(super) code: Option<i32>,
}

impl Rpc {
    /// The service of `server`.
    pub(super) fn new(server: Arc<Server>) -> Self {
        Self { service: RpcServiceBuilder::new().layer_fn(Traced).service(Root { server }) }
    }

    /// Answers a request. Dropping the future cancels it.
    pub(super) fn call(
        &self,
        id: Id<'_>,
        method: &str,
        params: Option<&RawValue>,
        context: Context,
    ) -> impl Future<Output = Answer> + Send + use<> {
        let method: Cow<'static, str> = match Method::find(method) {
            Some(known) => Cow::Borrowed(known.name),
            None => Cow::Owned(method.to_owned()),
        };
        let params = params.map(|params| Cow::Owned(params.to_owned()));
        let token: Box<str> = id.token().into();
        let id = rpc_id(id);
        let mut extensions = Extensions::new();
        extensions.insert(context);
        let request = Request { jsonrpc: TwoPointZero, id, method, params, extensions };
        let service = self.service.clone();
        async move {
            match service.call(request).await {
                Ok(payload) => Answer { json: payload.answer(&token), code: None },
                Err(error) => {
                    Answer { json: error.answer(Id::parse(&token), None), code: Some(error.code()) }
                }
            }
        }
    }

    /// Obeys a notification of the peer of `session`.
    pub(super) async fn notify(&self, method: &str, params: Option<&RawValue>, session: &Arc<Session>) {
        let mut notification: Notification<'_> =
            jsonrpsee::types::Notification::new(Cow::Borrowed(method), params.map(Cow::Borrowed));
        notification.extensions.insert(Arc::clone(session));
        self.service.notification(notification).await;
    }
}

/// The id as jsonrpsee can hold it, for the middleware. It has no negative and no very large numbers; the answer
/// carries the token that the peer wrote.
fn rpc_id(id: Id<'_>) -> RpcId<'static> {
    let text =
        || serde_json::from_str(id.token()).map_or(RpcId::Null, |text: String| RpcId::Str(text.into()));
    id.token().parse().map_or_else(|_| text(), RpcId::Number)
}

/// The innermost service: has the protocol answer.
#[derive(Clone)]
struct Root {
    server: Arc<Server>,
}

impl RpcServiceT for Root {
    type MethodResponse = Outcome;
    type NotificationResponse = ();
    type BatchResponse = ();

    fn call<'a>(&self, request: Request<'a>) -> impl Future<Output = Outcome> + Send + 'a {
        let server = Arc::clone(&self.server);
        async move {
            let Some(method) = Method::find(&request.method) else {
                return Err(Error::method_not_found(&request.method));
            };
            let Some(context) = request.extensions.get::<Context>() else {
                return Err(Error::internal("a request arrived without a context"));
            };
            let params = request.params.as_deref().map(RawValue::get);
            let answer = AssertUnwindSafe(method.answer(&server, params, context)).catch_unwind().await;
            answer.unwrap_or_else(|_| {
                tracing::error!(method = method.name, "a request made the server panic");
                Err(Error::internal("the request failed inside the server; its log says why"))
            })
        }
    }

    // Only one revision has batches; the transports take them apart and send each message here.
    fn batch<'a>(&self, _batch: Batch<'a>) -> impl Future<Output = ()> + Send + 'a {
        ready(())
    }

    fn notification<'a>(&self, heard: Notification<'a>) -> impl Future<Output = ()> + Send + 'a {
        if let Some(session) = heard.extensions.get::<Arc<Session>>() {
            notified(&heard.method, heard.params.as_deref().map(RawValue::get), session);
        }
        ready(())
    }
}

/// Puts each call into a span that names the method; never its parameters, which may be confidential.
#[derive(Clone)]
struct Traced<S>(S);

impl<S> RpcServiceT for Traced<S>
where
    S: RpcServiceT<MethodResponse = Outcome> + Clone + Send + Sync + 'static,
{
    type MethodResponse = Outcome;
    type NotificationResponse = S::NotificationResponse;
    type BatchResponse = S::BatchResponse;

    fn call<'a>(&self, request: Request<'a>) -> impl Future<Output = Outcome> + Send + 'a {
        // Names of methods that do not exist come from outside and have no bound.
        let method = Method::find(&request.method).map_or("unknown", |method| method.name);
        let span = tracing::info_span!("rpc.call", method);
        let service = self.0.clone();
        async move {
            let watch = Stopwatch::start();
            let response = service.call(request).await;
            let latency_ms = watch.elapsed_ms();
            if let Err(error) = &response {
                tracing::warn!(code = error.code(), latency_ms, "refused");
            } else {
                tracing::debug!(latency_ms, "answered");
            }
            response
        }
        .instrument(span)
    }

    fn batch<'a>(&self, batch: Batch<'a>) -> impl Future<Output = Self::BatchResponse> + Send + 'a {
        let service = self.0.clone();
        async move { service.batch(batch).await }
    }

    fn notification<'a>(
        &self,
        heard: Notification<'a>,
    ) -> impl Future<Output = Self::NotificationResponse> + Send + 'a {
        let service = self.0.clone();
        async move { service.notification(heard).await }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn middleware_sees_the_ids_that_jsonrpsee_can_hold() {
        #[track_caller]
        fn check(token: &str, expected: RpcId<'_>) {
            assert_eq!(rpc_id(Id::parse(token).unwrap()), expected);
        }
        check("1", RpcId::Number(1));
        check("18446744073709551615", RpcId::Number(u64::MAX));
        check(r#""a""#, RpcId::Str("a".into()));
        check(r#""\u0061""#, RpcId::Str("a".into()));
        check("-5", RpcId::Null);
        check("99999999999999999999", RpcId::Null);
    }
}

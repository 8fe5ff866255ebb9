//! The one file that knows jsonrpsee: a table of methods, a root service over it, and the middleware around that.
//!
//! The root is our own, for jsonrpsee's does not hand notifications on and cannot be reached without its servers,
//! which answer MCP wrongly (a notification gets a body, a negative id is taken for none).

use std::{borrow::Cow, future::Future, panic::AssertUnwindSafe, sync::Arc};

use futures_util::FutureExt as _;
use jsonrpsee::{
    ConnectionId, Extensions, MethodCallback, MethodResponse, Methods, RpcModule,
    core::middleware::{Batch, Notification, Request, RpcServiceBuilder, RpcServiceT},
    types::{ErrorObject, ErrorObjectOwned, Id as RpcId, Params},
};
use serde_json::value::RawValue;
use tracing::Instrument as _;

use crate::{
    base::clock::Stopwatch,
    protocol::{
        Context, Error, Server, Session,
        envelope::Id,
        methods::{METHODS, Method, notified},
    },
};

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
        let root = Root { methods: table(server) };
        Self { service: RpcServiceBuilder::new().layer_fn(Traced).service(root) }
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
        let (id, token) = plain_id(id);
        let mut extensions = Extensions::new();
        extensions.insert(context);
        let service = self.service.clone();
        async move {
            let request = Request { jsonrpc: jsonrpsee::types::TwoPointZero, id, method, params, extensions };
            let response = service.call(request).await;
            let code = response.as_error_code();
            let json = one_line(Box::<str>::from(response.into_json()).into());
            let json = match token {
                Some(token) => with_id(&json, &token),
                None => json,
            };
            Answer { json, code }
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

/// The id as jsonrpsee can hold it; what it cannot (negative and very large numbers, escaped strings) travels beside
/// it as the token it was.
fn plain_id(id: Id<'_>) -> (RpcId<'static>, Option<Box<str>>) {
    let token = id.token();
    let text = token.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    match (text, token.parse::<u64>()) {
        (Some(text), _) if !text.contains('\\') => (RpcId::Str(Cow::Owned(text.to_owned())), None),
        (None, Ok(number)) => (RpcId::Number(number), None),
        _ => (RpcId::Null, Some(token.into())),
    }
}

/// Puts the id back into an answer that was made without.
fn with_id(json: &str, token: &str) -> String {
    json.replacen(r#""id":null"#, &format!(r#""id":{token}"#), 1)
}

/// Lines end messages on stdio and events in a stream. Inside JSON they can only be white space between tokens.
fn one_line(json: String) -> String {
    if json.bytes().any(|byte| matches!(byte, b'\n' | b'\r')) {
        return json.replace(['\n', '\r'], " ");
    }
    json
}

/// Every method of the protocol, as jsonrpsee keeps them.
fn table(server: Arc<Server>) -> Methods {
    let mut module = RpcModule::from_arc(server);
    for method in METHODS {
        module
            .register_async_method(method.name, move |params, server, extensions| {
                answer(method, params, server, extensions)
            })
            .expect("the names in the table are distinct");
    }
    module.into()
}

async fn answer(
    method: &'static Method,
    params: Params<'static>,
    server: Arc<Server>,
    extensions: Extensions,
) -> Result<crate::protocol::shape::Payload, ErrorObjectOwned> {
    let Some(context) = extensions.get::<Context>() else {
        return Err(object(&Error::internal("a request arrived without a context")));
    };
    let answer = AssertUnwindSafe(method.answer(&server, params.as_str(), context)).catch_unwind().await;
    let answer = answer.unwrap_or_else(|_| {
        tracing::error!(method = method.name, "a request made the server panic");
        Err(Error::internal("the request failed inside the server; its log says why"))
    });
    answer.map_err(|error| object(&error))
}

fn object(error: &Error) -> ErrorObjectOwned {
    ErrorObject::owned(error.code(), error.message(), error.data())
}

/// The innermost service: looks the method up and runs it.
#[derive(Clone)]
struct Root {
    methods: Methods,
}

impl RpcServiceT for Root {
    type MethodResponse = MethodResponse;
    type NotificationResponse = MethodResponse;
    type BatchResponse = MethodResponse;

    fn call<'a>(&self, request: Request<'a>) -> impl Future<Output = MethodResponse> + Send + 'a {
        let callback = self.methods.method(&request.method).cloned();
        async move {
            let Request { id, method, params, extensions, .. } = request;
            let params = Params::new(params.as_deref().map(RawValue::get)).into_owned();
            match callback {
                Some(MethodCallback::Async(run)) => {
                    run(id.into_owned(), params, ConnectionId(0), usize::MAX, extensions).await
                }
                Some(MethodCallback::Sync(run)) => run(id, params, usize::MAX, extensions),
                _ => MethodResponse::error(id, object(&Error::method_not_found(&method))),
            }
        }
    }

    // Only one revision has batches; the transports take them apart and send each message here.
    #[expect(clippy::manual_async_fn, reason = "the trait says so")]
    fn batch<'a>(&self, _batch: Batch<'a>) -> impl Future<Output = MethodResponse> + Send + 'a {
        async { MethodResponse::notification() }
    }

    fn notification<'a>(&self, heard: Notification<'a>) -> impl Future<Output = MethodResponse> + Send + 'a {
        if let Some(session) = heard.extensions.get::<Arc<Session>>() {
            notified(&heard.method, heard.params.as_deref().map(RawValue::get), session);
        }
        async { MethodResponse::notification() }
    }
}

/// Puts each call into a span that names the method; never its parameters, which may be confidential.
#[derive(Clone)]
struct Traced<S>(S);

impl<S> RpcServiceT for Traced<S>
where
    S: RpcServiceT<MethodResponse = MethodResponse> + Clone + Send + Sync + 'static,
{
    type MethodResponse = MethodResponse;
    type NotificationResponse = S::NotificationResponse;
    type BatchResponse = S::BatchResponse;

    fn call<'a>(&self, request: Request<'a>) -> impl Future<Output = MethodResponse> + Send + 'a {
        // Names of methods that do not exist come from outside and have no bound.
        let method = Method::find(&request.method).map_or("unknown", |method| method.name);
        let span = tracing::info_span!("rpc.call", method);
        let service = self.0.clone();
        async move {
            let watch = Stopwatch::start();
            let response = service.call(request).await;
            let latency_ms = watch.elapsed_ms();
            if let Some(code) = response.as_error_code() {
                tracing::warn!(code, latency_ms, "refused");
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
    fn ids_that_jsonrpsee_cannot_hold_are_put_back() {
        #[track_caller]
        fn check(token: &str, held: bool) {
            let (id, beside) = plain_id(Id::parse(token).unwrap());
            assert_eq!(beside.is_none(), held, "{id:?}");
            if let Some(beside) = beside {
                let json = r#"{"jsonrpc":"2.0","id":null,"result":{"id":null}}"#;
                let expected = format!(r#"{{"jsonrpc":"2.0","id":{token},"result":{{"id":null}}}}"#);
                assert_eq!(with_id(json, &beside), expected);
            }
        }
        check("1", true);
        check("18446744073709551615", true);
        check(r#""a""#, true);
        check(r#""""#, true);
        check("-5", false);
        check("99999999999999999999", false);
        check(r#""\u0061""#, false);
    }

    #[test]
    fn answers_stay_on_their_line() {
        assert_eq!(one_line("{\n\"a\":\r\n1}".into()), "{ \"a\":  1}");
        assert_eq!(one_line("{\"a\":\"\\n\"}".into()), "{\"a\":\"\\n\"}");
    }
}

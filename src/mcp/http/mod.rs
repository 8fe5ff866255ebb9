//! MCP over HTTP: one endpoint for both eras.

mod calls;
mod exchange;
mod gate;
mod legacy;
mod modern;
mod sessions;
mod silence;
mod sse;
mod streams;
#[cfg(test)]
mod tests;

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    extract::{Request, State},
    response::{IntoResponse as _, Response},
    routing::any,
};
use http::{HeaderMap, Method, StatusCode};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use self::{
    exchange::{answer_json, bare},
    sessions::{Sessions, Streamable},
    streams::Budget,
};
use super::rpc::Rpc;
use crate::{
    base::{HostNames, Tracker},
    protocol::{
        Era, Error, Host, Server, Version,
        envelope::{self, Envelope},
        era::{self, Peek},
        headers::{self, Header},
    },
    tools::Caller,
};

/// How the endpoint is set up.
#[derive(Debug, Clone)]
pub struct Options {
    /// Names, beside those of the local machine, that `Host` and `Origin` may hold; ports do not count. `*` allows
    /// all, which is safe only where each request needs a token.
    pub allowed_hosts: Vec<String>,
    /// Largest body, in bytes.
    pub max_body_bytes: usize,
    /// Longest time a body may take to arrive.
    pub body_time: Duration,
    /// Most requests that are answered at once; more are turned away.
    pub call_limit: usize,
    /// Most streams of changes that are open at once.
    pub stream_limit: usize,
    /// Most sessions of the older era; the one unused for longest makes room.
    pub session_limit: usize,
    /// A session without a request for so long is forgotten.
    pub session_idle: Duration,
    /// How long a stream may be silent before a comment is sent.
    pub keep_alive: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            allowed_hosts: Vec::new(),
            max_body_bytes: 1 << 20,
            body_time: Duration::from_secs(30),
            call_limit: 1024,
            stream_limit: 1024,
            session_limit: 1024,
            session_idle: Duration::from_hours(1),
            keep_alive: Duration::from_secs(15),
        }
    }
}

/// What all requests share; `S` is what belongs to a session.
struct Endpoint<S = Streamable> {
    server: Arc<Server>,
    rpc: Rpc,
    sessions: Sessions<S>,
    budget: Arc<Budget>,
    calls: Arc<Semaphore>,
    tracker: Tracker,
    keep_alive: Duration,
    names: HostNames,
    body: gate::BodyBounds,
}

impl<S: sessions::Open> Endpoint<S> {
    fn new(host: Arc<dyn Host>, options: &Options, tracker: Tracker) -> Self {
        let server = Server::new(host).with_streams(options.stream_limit, tracker.stopping().clone());
        let server = Arc::new(server);
        Self {
            rpc: Rpc::new(Arc::clone(&server)),
            server,
            sessions: Sessions::new(options.session_limit, options.session_idle),
            budget: Arc::default(),
            calls: Arc::new(Semaphore::new(options.call_limit.min(Semaphore::MAX_PERMITS))),
            tracker,
            keep_alive: options.keep_alive,
            names: HostNames::new(&options.allowed_hosts),
            body: gate::BodyBounds { bytes: options.max_body_bytes, time: options.body_time },
        }
    }

    /// The same with sessions of another kind: what is limited is limited for both together.
    fn beside<T: sessions::Open>(&self, options: &Options) -> Endpoint<T> {
        Endpoint {
            server: Arc::clone(&self.server),
            rpc: self.rpc.clone(),
            sessions: Sessions::new(options.session_limit, options.session_idle),
            budget: Arc::clone(&self.budget),
            calls: Arc::clone(&self.calls),
            tracker: self.tracker.clone(),
            keep_alive: self.keep_alive,
            names: HostNames::new(&options.allowed_hosts),
            body: self.body,
        }
    }

    /// A place for one more call.
    ///
    /// # Errors
    /// When there is none.
    fn slot(&self) -> Result<OwnedSemaphorePermit, (StatusCode, Error)> {
        Arc::clone(&self.calls).try_acquire_owned().map_err(|_| {
            tracing::warn!("too many requests at once; one more was turned away");
            (StatusCode::SERVICE_UNAVAILABLE, Error::internal("the server is busy; try again later"))
        })
    }
}

/// What a request says beside its body.
struct Post<'a> {
    headers: &'a HeaderMap,
    principal: Option<Arc<str>>,
}

impl Post<'_> {
    /// Who asks.
    fn caller(&self) -> Arc<str> {
        self.principal.clone().unwrap_or_else(|| Arc::from("http"))
    }

    /// What stands under the header `name`.
    fn header(&self, name: &str) -> Header<'_> {
        gate::header(self.headers, name)
    }
}

/// Serves `host` at `/mcp`. Authentication and limits of rate are layers around the router; a layer that knows who calls
/// says so by a [`Caller`] in the extensions of the request: sessions belong to their caller, and work is recorded under
/// its name.
pub fn router(host: Arc<dyn Host>, options: &Options, tracker: Tracker) -> Router {
    routes(Endpoint::new(host, options, tracker))
}

/// The same, and beside it the way of 2024-11-05 at `/sse` and `/messages/`. All but the number of sessions is limited
/// for both together.
pub fn router_with_sse(host: Arc<dyn Host>, options: &Options, tracker: Tracker) -> Router {
    let endpoint: Endpoint = Endpoint::new(host, options, tracker);
    let sse = sse::routes_beside(&endpoint, options);
    routes(endpoint).merge(sse)
}

fn routes(endpoint: Endpoint) -> Router {
    Router::new().route("/mcp", any(handle)).with_state(Arc::new(endpoint))
}

async fn handle(State(endpoint): State<Arc<Endpoint>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    if let Err(refusal) = gate::check_names(&endpoint.names, &parts.headers, &parts.uri) {
        return refusal.into_response();
    }
    let principal = parts.extensions.get::<Caller>().map(Caller::shared);
    let post = Post { headers: &parts.headers, principal };
    match parts.method {
        Method::POST => {}
        Method::DELETE if post.header(headers::SESSION) != Header::Absent => {
            return legacy::end(&endpoint, &post);
        }
        Method::GET if post.header(headers::SESSION) != Header::Absent => {
            return legacy::get(&endpoint, &post);
        }
        _ => return method_not_allowed(),
    }
    let body = match gate::check_form(post.headers) {
        Ok(()) => gate::read_body(post.headers, body, endpoint.body).await,
        Err(refusal) => Err(refusal),
    };
    match body {
        Ok(body) => take(&endpoint, &post, &body).await,
        Err(refusal) => refusal.into_response(),
    }
}

/// Takes a body: a message, or an array of them.
async fn take(endpoint: &Arc<Endpoint>, post: &Post<'_>, body: &[u8]) -> Response {
    let text = match std::str::from_utf8(body) {
        Ok(text) => text,
        Err(error) => return unreadable(post, &Error::parse(error)),
    };
    if let Some(batch) = envelope::batch(text, super::BATCH_LIMIT) {
        return match batch {
            Ok(messages) => legacy::batch(endpoint, post, &messages).await,
            Err(error) => unreadable(post, &error),
        };
    }
    let envelope = match Envelope::parse_text(text) {
        Ok(envelope) => envelope,
        Err(error) => return unreadable(post, &error),
    };
    let peek = Peek::of(envelope.params());
    match era::of(post.header(headers::VERSION), &peek) {
        Era::Modern => modern::post(endpoint, post, &envelope, &peek).await,
        Era::Legacy => legacy::post(endpoint, post, &envelope, &peek).await,
    }
}

/// The answer to what has no readable id.
fn unreadable(post: &Post<'_>, error: &Error) -> Response {
    let version = post.header(headers::VERSION).value().and_then(Version::parse);
    answer_json(StatusCode::BAD_REQUEST, error.answer(None, version))
}

fn method_not_allowed() -> Response {
    let usage = "POST a JSON-RPC message, or GET or DELETE a session named by `Mcp-Session-Id`";
    gate::method_not_allowed("GET, POST, DELETE", usage)
}

/// A message was taken that has no answer.
fn accepted() -> Response {
    bare(StatusCode::ACCEPTED)
}

//! The bearer token (RFC 6750), asked for on every path but a few.

use std::{net::IpAddr, sync::Arc};

use axum::{
    extract::{Request, State},
    http::{Extensions, HeaderMap, HeaderValue, Method, StatusCode, header, request::Parts},
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::{
    Access, Denials, Limits, Problem, Resource, Shared,
    address::{self, Peer},
    brake::Brake,
    denials::Why,
    rate, resource, trace, webhook,
};
use crate::{defs::Scope, tools::Caller};

/// Paths that are served without a token, compared whole: a probe has none, and GitHub signs instead.
const OPEN: [&str; 5] = ["/health", "/healthz", "/readyz", "/docs", "/webhook/github"];

/// Who may pass, and what the others are told.
#[derive(Debug, Clone)]
pub(super) struct Guard {
    access: Access,
    challenge: HeaderValue,
    brake: Arc<Brake>,
    denials: Arc<Denials>,
}

impl Guard {
    /// Lets pass whom `access` knows, and counts the others.
    pub(super) fn new(
        access: Access,
        resource: Option<&Resource>,
        denials: Arc<Denials>,
        shared: Option<Arc<Shared>>,
    ) -> Self {
        let challenge = resource.and_then(Resource::challenge);
        let challenge = challenge.unwrap_or(HeaderValue::from_static("Bearer realm=\"crew\""));
        Self { access, challenge, brake: Arc::new(Brake::new(shared)), denials }
    }

    /// Who sends a request with this head.
    ///
    /// # Errors
    /// 401 without a token that is known, 403 with one that does not allow it, and 429 to an address that has brought
    /// too many wrong ones: its tokens are not looked at for a while.
    async fn caller(&self, head: &Parts) -> Result<Caller, Problem> {
        let path = head.uri.path();
        if !self.access.is_guarded() {
            return Ok(Caller::new("anonymous"));
        }
        // Of a signed delivery its handler verifies the signature.
        if is_open(path) || webhook::is_signed(path, &head.headers) {
            return Ok(Caller::new("anonymous").with_scope(Scope::Read));
        }
        let client = client(&head.extensions);
        let Some(offered) = token(&head.headers) else {
            self.denials.count(Why::NoToken, client);
            return Err(self.unauthorized());
        };
        if let Some(client) = client
            && let Some(wait) = self.brake.blocks(client, head.extensions.get().copied()).await
        {
            self.denials.count(Why::Blocked, Some(client));
            return Err(rate::too_many("rate limit exceeded: too many wrong tokens from this address", wait));
        }
        let Some(caller) = self.access.holder(offered) else {
            if let Some(client) = client {
                self.brake.failed(client).await;
            }
            self.denials.count(Why::WrongToken, client);
            return Err(self.unauthorized());
        };
        let scope = needed(&head.method, path);
        caller.require(scope).map_err(|denied| {
            self.denials.count(Why::Scope, client);
            let challenge =
                format!(r#"Bearer realm="crew", error="insufficient_scope", scope="{}""#, scope.as_str());
            let challenge = HeaderValue::from_str(&challenge).expect("a scope is a word");
            Problem::from(denied).with(header::WWW_AUTHENTICATE, challenge)
        })?;
        Ok(caller)
    }

    /// Whether what asks without having to bring a token brings one that is known, or none is needed. Guesses count as they
    /// do elsewhere.
    pub(super) async fn knows(&self, head: &Parts, limits: &Limits) -> bool {
        if !self.access.is_guarded() {
            return true;
        }
        let Some(offered) = token(&head.headers) else { return false };
        let client = head
            .extensions
            .get()
            .map(|Peer(peer)| address::counted(limits.proxies.resolve(peer.ip(), &head.headers)));
        if let Some(client) = client
            && self.brake.blocks(client, None).await.is_some()
        {
            return false;
        }
        let is_known = self.access.holder(offered).is_some();
        if let Some(client) = client.filter(|_| !is_known) {
            self.brake.failed(client).await;
            self.denials.count(Why::WrongToken, Some(client));
        }
        is_known
    }

    fn unauthorized(&self) -> Problem {
        Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", "unauthorized")
            .with(header::WWW_AUTHENTICATE, self.challenge.clone())
    }
}

/// Refuses a request without the token; else tells the handlers who calls, as a [`Caller`] extension.
pub(super) async fn layer(State(guard): State<Guard>, request: Request, next: Next) -> Response {
    let (mut head, body) = request.into_parts();
    match guard.caller(&head).await {
        Ok(caller) => {
            trace::note_caller(caller.name());
            let client = client(&head.extensions);
            head.extensions.insert(caller);
            let response = next.run(Request::from_parts(head, body)).await;
            // Past the token there are only signatures to be wrong.
            if response.status() == StatusCode::UNAUTHORIZED {
                guard.denials.count(Why::Signature, client);
            }
            response
        }
        Err(problem) => problem.into_response(),
    }
}

/// The address that a request with these extensions comes from.
fn client(extensions: &Extensions) -> Option<IpAddr> {
    extensions.get().map(|rate::Client(address)| *address)
}

/// What a request needs before its handler has looked at it. Which tool is called, and what that needs, stands in the
/// body: the tools see to it themselves.
fn needed(method: &Method, path: &str) -> Scope {
    let of_tools = ["/mcp", "/sse"].contains(&path)
        || ["/messages", "/api/tools/"].iter().any(|own| path.starts_with(own));
    match *method {
        Method::GET | Method::HEAD | Method::OPTIONS => Scope::Read,
        _ if of_tools => Scope::Read,
        Method::POST if path.starts_with("/tasks/") && path.ends_with("/approve") => Scope::Admin,
        Method::POST => Scope::Run,
        _ => Scope::Admin,
    }
}

/// The token in the one `Authorization` header. Two could mean different things to a proxy and to us.
fn token(headers: &HeaderMap) -> Option<&[u8]> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return None };
    let value = value.as_bytes().trim_ascii();
    let (scheme, offered) = value.split_at(value.iter().position(|byte| *byte == b' ')?);
    let offered = offered.trim_ascii();
    (scheme.eq_ignore_ascii_case(b"Bearer") && !offered.is_empty()).then_some(offered)
}

/// Whether `path` is served to anybody: a client that has no token yet must be able to find out where to get one.
pub(super) fn is_open(path: &str) -> bool {
    OPEN.contains(&path) || path.strip_prefix(resource::PATH).is_some_and(|rest| matches!(rest, "" | "/mcp"))
}

/// Whether `path` takes deliveries, which are signed and have a budget of their own.
pub(super) fn is_delivery(path: &str) -> bool {
    is_open(path) && path.starts_with("/webhook/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_bearer_token_is_one() {
        let check = |values: &[&[u8]], expected: bool| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(header::AUTHORIZATION, HeaderValue::from_bytes(value).unwrap());
            }
            let found = token(&headers) == Some("tök-123".as_bytes());
            assert_eq!(found, expected, "{headers:?}");
        };
        check(&["Bearer tök-123".as_bytes()], true);
        check(&["bearer tök-123".as_bytes()], true);
        check(&["BEARER  tök-123 ".as_bytes()], true);
        check(&[], false);
        check(&[b""], false);
        check(&[b"Bearer"], false);
        check(&[b"Bearer "], false);
        check(&["tök-123".as_bytes()], false);
        check(&["Basic tök-123".as_bytes()], false);
        check(&["Bearer tök-1234".as_bytes()], false);
        check(&["Bearertök-123".as_bytes()], false);
        check(&[b"Bearer \xe4\xbd\xa0"], false);
        check(&[b"Bearer \xff\xfe"], false);
        check(&["Bearer tök-123".as_bytes(), b"Bearer other"], false);
    }

    #[test]
    fn to_look_to_start_and_to_decide_are_three_things() {
        #[track_caller]
        fn check(method: &Method, path: &str, expected: Scope) {
            assert_eq!(needed(method, path), expected, "{method} {path}");
        }
        check(&Method::GET, "/tasks", Scope::Read);
        check(&Method::HEAD, "/tasks/x/approve", Scope::Read);
        check(&Method::POST, "/run/employee/approve", Scope::Run);
        check(&Method::POST, "/tasks/x/cancel", Scope::Run);
        check(&Method::POST, "/tasks/x/approve", Scope::Admin);
        check(&Method::DELETE, "/tasks/x", Scope::Admin);
        check(&Method::POST, "/mcp", Scope::Read);
        check(&Method::DELETE, "/mcp", Scope::Read);
        check(&Method::POST, "/mcp/x", Scope::Run);
        check(&Method::POST, "/api/tools/run_pipeline", Scope::Read);
    }
}

//! The bearer token (RFC 6750), asked for on every path but two.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::{Problem, Resource, resource, webhook};
use crate::{base::Secret, tools::Caller};

/// Paths that are served without a token, compared whole: a probe has none, and GitHub signs instead.
const OPEN: [&str; 2] = ["/health", "/webhook/github"];

/// Who may pass, and what the others are told.
#[derive(Debug, Clone)]
pub(super) struct Guard {
    token: Option<Arc<Secret>>,
    challenge: HeaderValue,
}

impl Guard {
    /// Lets pass who has `token`; everybody when there is none.
    pub(super) fn new(token: Option<Secret>, resource: Option<&Resource>) -> Self {
        let challenge = resource.and_then(Resource::challenge);
        let challenge = challenge.unwrap_or(HeaderValue::from_static("Bearer realm=\"crew\""));
        Self { token: token.map(Arc::new), challenge }
    }
}

/// Refuses a request without the token; else tells the handlers who calls, as a [`Caller`] extension.
pub(super) async fn layer(State(guard): State<Guard>, mut request: Request, next: Next) -> Response {
    let caller = match &guard.token {
        Some(_) if is_open(request.uri().path()) => "anonymous",
        // Its handler verifies the signature.
        Some(_) if webhook::is_signed(request.uri().path(), request.headers()) => "anonymous",
        Some(token) if carries(request.headers(), token) => "token",
        Some(_) => return unauthorized(guard.challenge).into_response(),
        None => "anonymous",
    };
    request.extensions_mut().insert(Caller::new(caller));
    next.run(request).await
}

/// Whether there is exactly one `Authorization` header and it holds the token. Two could mean different things to
/// a proxy and to us.
fn carries(headers: &HeaderMap, token: &Secret) -> bool {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return false };
    let value = value.as_bytes().trim_ascii();
    let Some(space) = value.iter().position(|byte| *byte == b' ') else { return false };
    let (scheme, offered) = value.split_at(space);
    scheme.eq_ignore_ascii_case(b"Bearer") && token.matches(offered.trim_ascii())
}

/// Whether `path` is served to anybody: a client that has no token yet must be able to find out where to get one.
pub(super) fn is_open(path: &str) -> bool {
    OPEN.contains(&path) || path.strip_prefix(resource::PATH).is_some_and(|rest| matches!(rest, "" | "/mcp"))
}

fn unauthorized(challenge: HeaderValue) -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", "unauthorized")
        .with(header::WWW_AUTHENTICATE, challenge)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_token_passes() {
        let token = Secret::new("tök-123").unwrap();
        let check = |values: &[&[u8]], expected: bool| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(header::AUTHORIZATION, HeaderValue::from_bytes(value).unwrap());
            }
            assert_eq!(carries(&headers, &token), expected, "{headers:?}");
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
}

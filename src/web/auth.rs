//! The bearer token (RFC 6750), asked for on every path but two.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::Problem;
use crate::{base::Secret, tools::Caller};

/// Paths that are served without a token, compared whole: a probe has none, and GitHub signs instead.
pub(super) const OPEN: [&str; 2] = ["/health", "/webhook/github"];

/// Who may pass.
#[derive(Debug, Clone)]
pub(super) struct Guard(Option<Arc<Secret>>);

impl Guard {
    /// Lets pass who has `token`; everybody when there is none.
    pub(super) fn new(token: Option<Secret>) -> Self {
        Self(token.map(Arc::new))
    }
}

/// Refuses a request without the token; else tells the handlers who calls, as a [`Caller`] extension.
pub(super) async fn layer(State(guard): State<Guard>, mut request: Request, next: Next) -> Response {
    let caller = match &guard.0 {
        Some(_) if OPEN.contains(&request.uri().path()) => "anonymous",
        Some(token) if carries(request.headers(), token) => "token",
        Some(_) => return unauthorized().into_response(),
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

fn unauthorized() -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", "unauthorized")
        .with(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"crew\""))
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

//! Which pages of other origins may call (CORS).

use std::time::Duration;

use axum::http::{HeaderName, HeaderValue, Method, header};
use tower_http::cors::{AllowOrigin, CorsLayer};

/// How long a browser may remember the answer.
const REMEMBERED: Duration = Duration::from_mins(10);

/// What the routes have; a method without a route is not advertised.
const METHODS: [Method; 6] =
    [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];

/// What callers send, and the headers of MCP.
const SENT: [&str; 12] = [
    "accept",
    "accept-language",
    "authorization",
    "content-language",
    "content-type",
    "idempotency-key",
    "last-event-id",
    "mcp-method",
    "mcp-name",
    "mcp-protocol-version",
    "mcp-session-id",
    "x-trace-id",
];

/// What pages may read of an answer, beside what they always may.
const TOLD: [&str; 6] =
    ["location", "mcp-protocol-version", "mcp-session-id", "retry-after", "www-authenticate", "x-trace-id"];

/// The layer for `origins`; none when there are none. Origins are compared whole, as browsers write them. A page of a
/// named origin may send credentials, one of any (`*`) may not.
pub(super) fn layer(origins: &[String]) -> Option<CorsLayer> {
    if origins.is_empty() {
        return None;
    }
    let any = origins.iter().any(|origin| origin == "*");
    let origins = if any {
        AllowOrigin::any()
    } else {
        AllowOrigin::list(origins.iter().filter_map(|origin| HeaderValue::from_str(origin).ok()))
    };
    let layer = CorsLayer::new()
        .allow_origin(origins)
        .allow_credentials(!any)
        .allow_methods(METHODS)
        .allow_headers(SENT.map(HeaderName::from_static))
        .expose_headers(TOLD.map(HeaderName::from_static))
        .max_age(REMEMBERED)
        .vary([header::ORIGIN]);
    Some(layer)
}

/// Checks that `origin` is one as browsers write it: scheme, host, and port if it is not the usual one.
///
/// # Errors
/// What is wrong with it, for a person.
pub fn check_origin(origin: &str) -> Result<(), String> {
    if origin == "*" {
        return Ok(());
    }
    let host = ["https://", "http://"].iter().find_map(|scheme| origin.strip_prefix(scheme));
    let fits = |host: &str| {
        !host.is_empty()
            && host.bytes().all(|byte| byte.is_ascii_graphic() && !byte.is_ascii_uppercase())
            && !host.contains(['/', '?', '#', '@', '*', ','])
    };
    if host.is_some_and(fits) {
        return Ok(());
    }
    Err(format!(
        "`{}` is no origin; write scheme and host in small letters, as in `https://app.example.com`",
        origin.escape_debug()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_written_as_browsers_do() {
        for good in ["https://app.example.com", "http://localhost:3000", "http://[::1]:3000", "*"] {
            assert_eq!(check_origin(good), Ok(()), "{good}");
        }
        for bad in [
            "",
            "app.example.com",
            "https://",
            "https://a.example/",
            "https://*.a.example",
            "null",
            "https://A.example",
        ] {
            assert!(check_origin(bad).is_err(), "{bad}");
        }
    }
}

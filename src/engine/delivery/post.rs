//! What all that goes over HTTP has in common.

use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde_json::Value;

use super::courier::{Courier, Outcome};
use crate::{
    base::{clock, retry::retry_after},
    engine::outbound::{Request, Response},
};

/// A request that posts `body` as JSON.
pub(super) fn json(url: String, body: &Value) -> Request {
    Request::post(url, body.to_string())
        .header(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))
}

/// Sends it, and tells what came back when that was a success.
pub(super) async fn post(courier: &Courier, request: Request) -> Result<Response, Outcome> {
    let response = match courier.outbound.send(request).await {
        Ok(response) => response,
        Err(error) if error.is_transient() => return Err(Outcome::again(error.chain())),
        Err(error) => return Err(Outcome::Never(error.chain())),
    };
    match judge(response.status, &response.headers) {
        Some(outcome) => Err(outcome),
        None => Ok(response),
    }
}

/// What a status means; `None` for success. A redirect is none: whoever has moved says so to a person.
pub(super) fn judge(status: StatusCode, headers: &HeaderMap) -> Option<Outcome> {
    let code = status.as_u16();
    match code {
        200..=299 => None,
        408 | 425 | 429 | 500..=599 => {
            Some(Outcome::Again { detail: format!("HTTP {code}"), after: retry_after(headers, clock::now()) })
        }
        300..=399 => Some(Outcome::Never(format!("HTTP {code}: redirects are not followed"))),
        _ => Some(Outcome::Never(format!("HTTP {code}"))),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_may_pass_is_tried_again() {
        #[track_caller]
        fn check(status: u16, retry_after: &str, expected: Option<&Outcome>) {
            let mut headers = HeaderMap::new();
            headers.insert(header::RETRY_AFTER, HeaderValue::from_str(retry_after).unwrap());
            assert_eq!(judge(StatusCode::from_u16(status).unwrap(), &headers).as_ref(), expected);
        }
        let again = |status: u16, after: Option<u64>| {
            let after = after.map(Duration::from_secs);
            Some(Outcome::Again { detail: format!("HTTP {status}"), after })
        };
        check(204, "", None);
        check(302, "", Some(&Outcome::Never("HTTP 302: redirects are not followed".to_owned())));
        check(404, "5", Some(&Outcome::Never("HTTP 404".to_owned())));
        check(408, "", again(408, None).as_ref());
        check(429, "7", again(429, Some(7)).as_ref());
        check(503, "Fri, 01 Jan 2021 00:00:00 GMT", again(503, Some(0)).as_ref());
        check(503, "soon", again(503, None).as_ref());
    }
}

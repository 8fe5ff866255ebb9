//! That a call is of who shares the secret: Standard Webhooks, HMAC-SHA256 over id, time and body.
//!
//! Source: <https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>.

use axum::http::{HeaderMap, HeaderName};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use jiff::{SignedDuration, Timestamp};
use sha2::Sha256;

use crate::{
    base::Secret,
    web::{Problem, run},
};

const ID: HeaderName = HeaderName::from_static("webhook-id");
const TIMESTAMP: HeaderName = HeaderName::from_static("webhook-timestamp");
const SIGNATURE: HeaderName = HeaderName::from_static("webhook-signature");

/// How far the time of a call may be from ours, either way.
const TOLERANCE: SignedDuration = SignedDuration::from_mins(5);

/// Whether a call claims to be signed, so that its signature is to be verified and no token asked for.
pub(in crate::web) fn is_signed(path: &str, headers: &HeaderMap) -> bool {
    matches!(path, "/webhook" | "/webhook/openclaw") && headers.contains_key(SIGNATURE)
}

/// The id of a call that is signed with `secret` and of `now`; the same id comes again when a call is repeated.
///
/// # Errors
/// 401 without saying what is wrong with the signature, 400 when the id could not be that of a call.
pub(super) fn verified<'h>(
    secret: &Secret,
    headers: &'h HeaderMap,
    body: &[u8],
    now: Timestamp,
) -> Result<&'h str, Problem> {
    is_of(secret, headers, body, now).ok_or_else(super::invalid_signature)?;
    run::visible(headers, &ID)?.ok_or_else(super::invalid_signature)
}

fn is_of(secret: &Secret, headers: &HeaderMap, body: &[u8], now: Timestamp) -> Option<()> {
    let key = STANDARD.decode(secret.expose().strip_prefix("whsec_")?).ok().filter(|key| !key.is_empty())?;
    let (id, time, signatures) = (one(headers, &ID)?, one(headers, &TIMESTAMP)?, one(headers, &SIGNATURE)?);
    let sent = Timestamp::from_second(time.parse().ok()?).ok()?;
    if sent.duration_since(now).abs() > TOLERANCE {
        return None;
    }
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).expect("a key of any length fits HMAC");
    for part in [id.as_bytes(), b".", time.as_bytes(), b".", body] {
        mac.update(part);
    }
    // There are several while a secret is being changed.
    let offered = signatures.split(' ').filter_map(|one| STANDARD.decode(one.strip_prefix("v1,")?).ok());
    offered.fold(None, |found, digest| mac.clone().verify_slice(&digest).ok().or(found))
}

fn one<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    // The example of the specification's libraries.
    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const MESSAGE: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
    const SENT: &str = "1614265330";
    const BODY: &[u8] = br#"{"test": 2432232314}"#;
    const GOOD: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

    #[track_caller]
    fn check(parts: [Option<&str>; 3], secret: &str, body: &[u8], late: i64, expected: bool) {
        let mut headers = HeaderMap::new();
        for (name, value) in [ID, TIMESTAMP, SIGNATURE].into_iter().zip(parts) {
            if let Some(value) = value {
                headers.append(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
            }
        }
        let now = Timestamp::from_second(1_614_265_330 + late).unwrap();
        let found = is_of(&Secret::new(secret).unwrap(), &headers, body, now);
        assert_eq!(found.is_some(), expected, "{headers:?} {late}");
    }

    #[test]
    fn the_documented_example_is_genuine() {
        let whole = [Some(MESSAGE), Some(SENT), Some(GOOD)];
        check(whole, SECRET, BODY, 0, true);
        check(whole, SECRET, BODY, 300, true);
        check(whole, SECRET, BODY, -300, true);
        let several = format!("v1,AAAA v1a,xyz {GOOD} v1,!!");
        check([Some(MESSAGE), Some(SENT), Some(&several)], SECRET, BODY, 0, true);
    }

    #[test]
    fn anything_else_is_not() {
        let whole = [Some(MESSAGE), Some(SENT), Some(GOOD)];
        check(whole, SECRET, BODY, 301, false);
        check(whole, SECRET, BODY, -301, false);
        check(whole, SECRET, b"{}", 0, false);
        check(whole, "whsec_AAAA", BODY, 0, false);
        check(whole, "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", BODY, 0, false);
        check(whole, "whsec_", BODY, 0, false);
        check([Some("msg_other"), Some(SENT), Some(GOOD)], SECRET, BODY, 0, false);
        check([Some(MESSAGE), Some("1614265331"), Some(GOOD)], SECRET, BODY, 0, false);
        check([Some(MESSAGE), Some("soon"), Some(GOOD)], SECRET, BODY, 0, false);
        check([Some(MESSAGE), Some("9999999999999999"), Some(GOOD)], SECRET, BODY, 0, false);
        for part in 0..3 {
            let mut lacking = whole;
            lacking[part] = None;
            check(lacking, SECRET, BODY, 0, false);
        }
        for signature in ["", "v1,", "g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=", "v2,g0hM", "签名"] {
            check([Some(MESSAGE), Some(SENT), Some(signature)], SECRET, BODY, 0, false);
        }
    }
}

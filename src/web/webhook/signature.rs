//! That a delivery is GitHub's: HMAC-SHA256 over its raw bytes.
//!
//! Source: <https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries>.

use axum::http::{HeaderMap, HeaderName};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::base::Secret;

const SIGNATURE: HeaderName = HeaderName::from_static("x-hub-signature-256");

/// Whether the one `X-Hub-Signature-256` header is `sha256=` and the hexadecimal digest of `body` under `secret`.
/// Digests are compared as bytes, in a time that tells nothing of them.
pub(super) fn is_of(secret: &Secret, headers: &HeaderMap, body: &[u8]) -> bool {
    let mut values = headers.get_all(SIGNATURE).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return false };
    let Some(digits) = value.as_bytes().strip_prefix(b"sha256=") else { return false };
    let Ok(digest) = hex::decode(digits) else { return false };
    let mut mac =
        Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes()).expect("a key of any length fits HMAC");
    mac.update(body);
    mac.verify_slice(&digest).is_ok()
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    /// The example of GitHub's documentation.
    const DIGEST: &str = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";

    fn check(values: &[&[u8]], body: &[u8], expected: bool) {
        let secret = Secret::new("It's a Secret to Everybody").unwrap();
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(SIGNATURE, HeaderValue::from_bytes(value).unwrap());
        }
        assert_eq!(is_of(&secret, &headers, body), expected, "{headers:?}");
    }

    #[test]
    fn the_documented_example_is_genuine() {
        let body = b"Hello, World!";
        check(&[format!("sha256={DIGEST}").as_bytes()], body, true);
        check(&[format!("sha256={}", DIGEST.to_uppercase()).as_bytes()], body, true);
    }

    #[test]
    fn anything_else_is_not() {
        let body = b"Hello, World!";
        let good = format!("sha256={DIGEST}");
        check(&[good.as_bytes()], b"Hello, World?", false);
        check(&[good.as_bytes(), good.as_bytes()], body, false);
        check(&[], body, false);
        check(&[b""], body, false);
        check(&[b"sha256="], body, false);
        check(&[b"sha256=00"], body, false);
        check(&[DIGEST.as_bytes()], body, false);
        check(&[format!("md5={DIGEST}").as_bytes()], body, false);
        check(&[format!("{good}00").as_bytes()], body, false);
        check(&[format!("sha256={}", "z".repeat(64)).as_bytes()], body, false);
        check(&[b"sha256=\xff\xfe"], body, false);
    }
}

//! When to try again: what the other side asks for, and a share of chance, so that what failed together does not come back
//! together.

use std::time::Duration;

use http::{HeaderMap, header};
use jiff::Timestamp;

/// The header `Retry-After` of an answer that came at `received`: seconds, or an HTTP date in any of its three forms (RFC 9110
/// §10.2.3). A date that has passed means now, more seconds than can be counted mean never.
pub fn retry_after(headers: &HeaderMap, received: Timestamp) -> Option<Duration> {
    let value = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(Duration::from_secs(value.parse().unwrap_or(u64::MAX)));
    }
    let date = Timestamp::try_from(httpdate::parse_http_date(value).ok()?).ok()?;
    Some(Duration::try_from(date.duration_since(received)).unwrap_or(Duration::ZERO))
}

/// A number from 0 to 1 by chance; 0.5 where the machine has none to give.
pub fn chance() -> f64 {
    getrandom::u32().map_or(0.5, |bits| f64::from(bits) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let received: Timestamp = "2026-11-22T08:49:37Z".parse().unwrap();
        let check = |value: &str, expected: Option<u64>| {
            let headers =
                HeaderMap::from_iter([(header::RETRY_AFTER, HeaderValue::from_str(value).unwrap())]);
            assert_eq!(retry_after(&headers, received), expected.map(Duration::from_secs), "`{value}`");
        };
        check("7", Some(7));
        check(" 0 ", Some(0));
        check("Sun, 22 Nov 2026 08:49:47 GMT", Some(10));
        check("Sunday, 22-Nov-26 08:49:47 GMT", Some(10));
        check("Sun Nov 22 08:49:47 2026", Some(10));
        check("Sun, 22 Nov 2026 08:00:00 GMT", Some(0));
        check("soon", None);
        check("99999999999999999999999999", Some(u64::MAX));
        check("", None);
        check("-1", None);
        check("1.5", None);
        assert_eq!(retry_after(&HeaderMap::new(), received), None);
    }

    #[test]
    fn chance_is_a_fraction() {
        assert!((0.0..=1.0).contains(&chance()));
    }
}

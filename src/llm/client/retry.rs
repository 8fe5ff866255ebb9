//! When a failed attempt is worth another.

use std::time::Duration;

use crate::llm::Error;

/// Attempts after the first.
const RETRIES: u32 = 2;
/// Longest pause chosen here.
const LONGEST_PAUSE: Duration = Duration::from_secs(8);
/// Longest pause a provider may ask for; beyond it, the caller is told instead of kept waiting.
const LONGEST_WISH: Duration = Duration::from_secs(30);

/// How long to wait after `error` before attempt `attempt + 1` (the first attempt is 0); `None` to give up.
///
/// The pause is `first`·2^attempt, at most 8 s, and up to half as much again by `chance` (0 to 1), so that
/// callers that failed together do not return together. A longer `Retry-After` of the provider is waited for.
/// A pause that would not end within `left` is not begun.
pub(super) fn pause(
    error: &Error,
    attempt: u32,
    first: Duration,
    chance: f64,
    left: Duration,
) -> Option<Duration> {
    if attempt >= RETRIES || !error.is_transient() {
        return None;
    }
    let wish = match error {
        Error::Status { retry_after, .. } => retry_after.unwrap_or_default(),
        _ => Duration::ZERO,
    };
    let own = first.saturating_mul(1 << attempt).min(LONGEST_PAUSE).mul_f64(1.0 + chance / 2.0);
    let pause = own.max(wish);
    (wish <= LONGEST_WISH && pause < left).then_some(pause)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::llm::Cause;

    const FIRST: Duration = Duration::from_millis(500);
    const LONG: Duration = Duration::from_mins(5);

    fn status(status: u16, retry_after: Option<u64>) -> Error {
        let retry_after = retry_after.map(Duration::from_secs);
        Error::Status {
            provider: "openai".into(),
            status,
            cause: Cause::Other,
            message: String::new(),
            retry_after,
        }
    }

    #[test]
    fn pauses_double_and_jitter() {
        let check = |attempt, chance, expected: Option<u64>| {
            let pause = pause(&status(503, None), attempt, FIRST, chance, LONG);
            assert_eq!(pause, expected.map(Duration::from_millis));
        };
        check(0, 0.0, Some(500));
        check(0, 1.0, Some(750));
        check(1, 0.0, Some(1000));
        check(1, 0.5, Some(1250));
        check(2, 0.0, None);
    }

    #[test]
    fn a_provider_may_ask_for_patience_but_not_for_long() {
        let check = |seconds, expected: Option<u64>| {
            let pause = pause(&status(429, Some(seconds)), 0, FIRST, 0.0, LONG);
            assert_eq!(pause, expected.map(Duration::from_millis));
        };
        check(0, Some(500));
        check(3, Some(3000));
        check(30, Some(30_000));
        check(31, None);
        check(u64::MAX, None);
    }

    #[test]
    fn what_cannot_succeed_is_not_repeated() {
        for code in [400, 401, 403, 404, 422, 302] {
            assert_eq!(pause(&status(code, Some(1)), 0, FIRST, 0.0, LONG), None, "{code}");
        }
        for code in [408, 429, 500, 502, 503, 504, 529] {
            assert!(pause(&status(code, None), 0, FIRST, 0.0, LONG).is_some(), "{code}");
        }
        let malformed = Error::Malformed { provider: "openai".into(), reason: String::new() };
        assert_eq!(pause(&malformed, 0, FIRST, 0.0, LONG), None);
        assert_eq!(pause(&status(503, None), 0, FIRST, 0.0, FIRST), None, "no time left");
    }
}

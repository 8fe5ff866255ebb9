//! When a delivery that came to nothing is worth another attempt.

use std::time::Duration;

/// How often and how long a delivery is tried.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Patience {
    /// Most attempts.
    pub attempts: u32,
    /// The pause after the first; each is twice the one before.
    pub first: Duration,
    /// The longest pause, unless the receiver asks for a longer one.
    pub longest: Duration,
    /// How old a result may be that is still sent.
    pub age: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            attempts: 12,
            first: Duration::from_secs(5),
            longest: Duration::from_hours(1),
            age: Duration::from_hours(24),
        }
    }
}

impl Patience {
    /// How long to wait after attempt `attempt` (from 1) of a delivery of this age; `None` to give up.
    ///
    /// The pause is up to half as much again by `chance` (0 to 1), so that what failed together does not come back
    /// together. What the receiver asks for is waited for, if the result is not too old then.
    pub(super) fn pause(
        &self,
        attempt: u32,
        age: Duration,
        asked: Option<Duration>,
        chance: f64,
    ) -> Option<Duration> {
        if attempt >= self.attempts {
            return None;
        }
        let doubled = 2_u32.saturating_pow(attempt.saturating_sub(1));
        let own = self.first.saturating_mul(doubled).min(self.longest).mul_f64(1.0 + chance / 2.0);
        let pause = own.max(asked.unwrap_or_default());
        (age.saturating_add(pause) < self.age).then_some(pause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_and_end() {
        const SECOND: Duration = Duration::from_secs(1);
        #[track_caller]
        fn check(attempt: u32, age: u64, asked: Option<u64>, chance: f64, expected: Option<u64>) {
            let pause = Patience::default().pause(
                attempt,
                SECOND * u32::try_from(age).unwrap(),
                asked.map(Duration::from_secs),
                chance,
            );
            assert_eq!(pause.map(|pause| pause.as_secs()), expected);
        }
        check(1, 0, None, 0.0, Some(5));
        check(1, 0, None, 1.0, Some(7));
        check(2, 0, None, 0.0, Some(10));
        check(11, 0, None, 0.0, Some(3600));
        check(12, 0, None, 0.0, None);
        check(u32::MAX, 0, None, 0.0, None);
        check(1, 0, Some(3), 0.0, Some(5));
        check(1, 0, Some(7200), 0.0, Some(7200));
        check(1, 0, Some(u64::MAX), 0.0, None);
        check(1, 86_390, None, 0.0, Some(5));
        check(1, 86_396, None, 0.0, None);
    }
}

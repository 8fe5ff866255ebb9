//! The one place that asks the machine what time it is, so that time can be reasoned about.

use std::time::{Duration, Instant};

use jiff::Timestamp;

/// The wall clock: what is written into records and shown to people.
#[expect(clippy::disallowed_methods, reason = "this is the clock the others are told to use")]
pub fn now() -> Timestamp {
    Timestamp::now()
}

/// The monotonic clock: what durations are measured with.
#[derive(Debug, Clone, Copy)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts measuring.
    #[expect(clippy::disallowed_methods, reason = "this is the clock the others are told to use")]
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// Time since [`Stopwatch::start`].
    pub fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }

    /// Whole milliseconds since [`Stopwatch::start`]; what records and logs carry.
    pub fn elapsed_ms(&self) -> u64 {
        u64::try_from(self.0.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

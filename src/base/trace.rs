//! One id per request, in its log lines, its answer and its errors.

use std::{
    fmt,
    future::Future,
    sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering},
    },
};

tokio::task_local! {
    static CURRENT: TraceId;
}

/// The id of a request: 16 hexadecimal digits by chance. The caller gets it, the log explains it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceId(u64);

impl TraceId {
    /// The id of the request being served; a new one outside of any.
    pub fn current() -> Self {
        CURRENT.try_with(|id| *id).unwrap_or_else(|_| Self::generate())
    }

    /// Runs `work` under this id.
    pub async fn scope<F: Future>(self, work: F) -> F::Output {
        CURRENT.scope(self, work).await
    }

    /// A new id. Ids tell requests apart and keep no secret, so that the system is asked for chance once; a machine without
    /// any has the same ids after each start, which is no reason to refuse a request.
    pub fn generate() -> Self {
        static START: OnceLock<u64> = OnceLock::new();
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let start = *START.get_or_init(|| getrandom::u64().unwrap_or_default());
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        Self(mixed(start.wrapping_add(count.wrapping_mul(0x9e37_79b9_7f4a_7c15))))
    }
}

/// Scatters numbers that follow each other; no two become the same.
///
/// Source: `SplitMix64`, Steele et al., "Fast splittable pseudorandom number generators", 2014.
fn mixed(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

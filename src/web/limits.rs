//! What the bridge takes on.

use std::{num::NonZeroU32, sync::Arc, time::Duration};

use super::{Proxies, Shared};

/// How much is accepted of whom. The defaults suit a team behind one proxy.
#[derive(Debug)]
pub struct Limits {
    /// Requests of one address in a minute, where callers need a token; `None` counts nothing.
    pub requests_per_minute: Option<NonZeroU32>,
    /// Deliveries of webhooks of one address in a minute; `None` counts nothing.
    pub deliveries_per_minute: Option<NonZeroU32>,
    /// The proxies whose word on where a request comes from is taken.
    pub proxies: Proxies,
    /// Most bytes of a body; one more is refused.
    pub body_bytes: usize,
    /// Longest time a body may take to arrive.
    pub body_time: Duration,
    /// Longest time until an answer begins. A run that is waited for goes on without its caller then.
    pub request_time: Duration,
    /// Most requests that are worked on at once; more are turned away. Streams that have begun do not count.
    pub requests: usize,
    /// Most streams of events that are open at once.
    pub streams: usize,
    /// The pages of other origins that may call, as browsers write them: `https://app.example.com`; `*` for all.
    pub cors_origins: Vec<String>,
    /// Where requests, deliveries and wrong tokens are counted for all replicas; `None` where there is but one.
    pub shared: Option<Arc<Shared>>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            requests_per_minute: NonZeroU32::new(60),
            deliveries_per_minute: NonZeroU32::new(300),
            proxies: Proxies::default(),
            body_bytes: 1 << 20,
            body_time: Duration::from_secs(30),
            request_time: Duration::from_mins(5),
            requests: 512,
            streams: 512,
            cors_origins: Vec::new(),
            shared: None,
        }
    }
}

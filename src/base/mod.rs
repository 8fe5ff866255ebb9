//! Floor 0: small values every other floor may use; nothing here does I/O.

mod aside;
mod breaker;
pub mod clock;
mod hosts;
pub mod metric;
mod priority;
pub mod reach;
pub mod retry;
mod secret;
pub mod text;
mod trace;
mod tracker;

pub use aside::{blocking, joined};
pub use breaker::{Breaker, Pass};
pub use hosts::HostNames;
pub use priority::{NotAPriority, Priority};
pub use secret::Secret;
pub use trace::{SpanId, TraceId};
pub use tracker::Tracker;

/// A map by ids that this program makes up itself: nobody can choose them to be alike, so that a quick hash will do.
pub type IdMap<K, V> = std::collections::HashMap<K, V, foldhash::fast::RandomState>;

//! Floor 1: what is kept on disk; knows nothing of what it stores.
//!
//! Two shapes cover everything: a [`Log`] of JSON lines that only grows, and a [`document`] that is replaced whole.
//! Both are readable by their owner alone (mode 0600), and both are on the disk, not in a cache, once a call
//! says so. A [`Trail`] is a log of bounded size that nothing waits on. An [`OwnerLock`] keeps a second process from
//! writing the same log, and a [`log::Shared`] is one that many processes write, one after the other; a
//! [`postgres::SharedLog`] is the same for processes on many machines.

pub mod document;
mod error;
mod folder;
mod lock;
pub mod log;
pub mod postgres;
mod trail;

pub use error::Error;
pub use lock::OwnerLock;
pub use log::Log;
pub use trail::Trail;

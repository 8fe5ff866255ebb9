//! Floor 0: small values every other floor may use; nothing here does I/O.

pub mod clock;
mod secret;
pub mod text;
mod tracker;

pub use secret::Secret;
pub use tracker::Tracker;

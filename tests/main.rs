//! What a user can see of the program, tried on the real binary.
#![allow(
    clippy::unwrap_used,
    clippy::string_slice,
    clippy::indexing_slicing,
    reason = "in a test, a panic is how a fault shows"
)]

mod defs;
mod floors;
mod pipelines;
#[expect(dead_code, unused_imports, reason = "shared by tests that use different parts of it")]
mod support;
mod wire;

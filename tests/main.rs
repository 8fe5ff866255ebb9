//! What a user can see of the program, tried on the real binary.
#![allow(
    clippy::unwrap_used,
    clippy::string_slice,
    clippy::indexing_slicing,
    reason = "in a test, a panic is how a fault shows"
)]
#![allow(unreachable_pub, reason = "the harness is a module here, and reads as a library")]

mod again;
mod approvals;
mod backup;
mod cli;
mod defs;
mod deliveries;
mod durability;
mod floors;
mod mcp;
mod measures;
mod models;
mod pipelines;
mod schemas;
mod serve;
mod stream;
mod support;
mod tools;
mod weaknesses;
mod webhook;
mod wire;

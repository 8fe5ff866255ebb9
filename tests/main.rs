//! What a user can see of the program, tried on the real binary.
#![allow(
    clippy::unwrap_used,
    clippy::string_slice,
    clippy::indexing_slicing,
    reason = "in a test, a panic is how a fault shows"
)]
#![allow(unreachable_pub, reason = "the harness is a module here, and reads as a library")]

mod acts;
mod again;
mod approvals;
mod backup;
mod boundaries;
mod budgets;
mod callers;
mod cli;
mod config;
mod consent;
mod defs;
mod deliveries;
mod deployment;
mod discussions;
mod doctor;
mod durability;
mod evaluation;
mod external;
mod first_steps;
mod floors;
mod identity;
mod keys;
mod limits;
mod looking;
mod mcp;
mod meaning;
mod measures;
mod memory;
mod models;
mod money;
mod pipelines;
mod recordings;
mod records;
mod replicas;
mod rest;
mod retries;
mod schemas;
mod scripts;
mod serve;
mod shared_limits;
mod skills;
mod spans;
mod stream;
mod support;
mod tools;
mod weaknesses;
mod webhook;
mod wire;

//! Floor 5: the HTTP bridge: runs, tasks, GitHub's deliveries, health and metrics.
//!
//! A thin translator: it verifies, has the rest of the program plan the work, submits it as a task, and answers.
//! [`bridge()`] holds every route and layer on one page; other surfaces are mounted into it and share its layers.

mod address;
mod again;
mod approve;
mod auth;
mod body;
mod brake;
mod bridge;
mod cors;
mod cost;
mod delivery;
mod denials;
mod evaluation;
mod events;
mod ledger;
mod limits;
mod load;
mod memory;
mod openapi;
mod order;
mod origin;
mod parameters;
mod plan;
mod problem;
mod query;
mod rate;
mod ready;
mod record;
mod resource;
mod router;
mod run;
mod shared;
mod skill;
mod state;
mod status;
mod stream;
mod task;
#[cfg(test)]
mod tests;
mod tokens;
mod tools;
mod trace;
pub mod webhook;

pub use address::{NotARange, Peer, Proxies};
pub use bridge::Bridge;
pub use cors::check_origin;
pub use denials::Denials;
pub use limits::Limits;
pub use problem::Problem;
pub use ready::Readiness;
pub use resource::Resource;
pub use router::bridge;
pub use shared::{NoRedis, Shared, Sharing};
pub use state::{Runs, State};
pub use tokens::{Access, Tokens};

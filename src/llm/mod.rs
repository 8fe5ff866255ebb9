//! Floor 1: language models as wires and one client; knows no employee and no task.

mod client;
mod echo;
mod error;
mod meter;
mod provider;
mod types;
mod wire;

pub use client::{Client, Endpoint, Settings};
pub use error::Error;
pub use meter::{Account, ByProvider, Call, Calls, Latency, Meter, Snapshot, Tokens};
pub use provider::{ECHO, Http, Provider, Service, Wire};
pub use types::{Finish, Message, Reply, Request, Role, Usage};

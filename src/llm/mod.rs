//! Floor 1: language models as wires and one client; knows no employee and no task.

mod client;
mod echo;
mod embed;
mod error;
mod estimate;
mod measure;
mod meter;
mod prices;
mod provider;
mod tape;
mod types;
mod wire;

pub use client::{Client, Estimate, Greeted, Served, Settings};
pub use embed::{EmbedWire, Embedded, Embedder, MOST_DIMENSIONS, MOST_TEXTS, Purpose};
pub use error::{Cause, Error};
pub use estimate::tokens as most_tokens;
pub use meter::{Account, ByProvider, Call, Calls, Latency, Meter, Snapshot, Tokens};
pub use prices::{Price, Prices};
pub use provider::{ECHO, Endpoint, Key, Provider, Providers, Wire};
pub use tape::{Difference, Exchange, Tape};
pub use types::{
    Choice, Event, Finish, Message, Reply, Request, Said, Thoughts, ToolCall, ToolResult, ToolSpec, Usage,
};

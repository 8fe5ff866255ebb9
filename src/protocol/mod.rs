//! Floor 1: MCP over JSON-RPC as values; knows no tool, no HTTP and no jsonrpsee.
//!
//! Two generations of the protocol are spoken side by side. [`era`] tells which one a request belongs to, [`methods`]
//! lists what can be asked, [`shape`] fits each result to the revision of the peer, and [`Host`] is what a program
//! implements to be served. Transports feed messages in and carry answers out; they are not here.
//!
//! Source: the Model Context Protocol, <https://modelcontextprotocol.io/specification>, revisions 2024-11-05,
//! 2025-03-26, 2025-06-18, 2025-11-25 and 2026-07-28.

pub mod bus;
pub mod content;
pub mod context;
pub mod envelope;
pub mod era;
pub mod error;
pub mod headers;
mod host;
mod info;
pub mod input;
mod listen;
pub mod methods;
mod named;
mod page;
pub mod prompt;
pub mod resource;
mod server;
mod session;
pub mod shape;
pub mod skill;
pub mod task;
#[cfg(test)]
pub(crate) mod testing;
pub mod tool;
mod version;

pub use bus::Bus;
pub use content::Content;
pub use context::Context;
pub use error::Error;
pub use host::{Asked, Completer, Host, Subject};
pub use info::{Icon, Implementation, Info};
pub use input::{Answers, Inquiry, Outcome, Question, Reply};
pub use server::Server;
pub use session::{Running, Session};
pub use skill::SkillHost;
pub use task::TaskHost;
pub use version::{Era, Version};

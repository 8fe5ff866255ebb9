//! Floor 5: the transports of MCP, and crew as something to be served over them.
//!
//! Each request takes the same way: a transport reads a message, `protocol` says which era it belongs to and admits
//! it, `rpc` answers it through a stack of jsonrpsee middleware, the transport carries the answer out. The transports
//! differ in framing and in what ends a request, and in nothing else.

mod host;
mod http;
mod lines;
mod outbox;
mod rpc;
mod stdio;

#[cfg(test)]
mod testing;

pub use host::{Crew, Library, Scopes};
pub use http::{Options, router, router_with_sse};
pub use stdio::serve_stdio;

/// Most messages that a batch may hold.
const BATCH_LIMIT: usize = 100;

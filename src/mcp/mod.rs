//! Floor 5: the transports of MCP, and crew as something to be served over them.
//!
//! Each request takes the same way: a transport reads a message, `protocol` says which era it belongs to and admits
//! it, `rpc` answers it through a stack of jsonrpsee middleware, the transport carries the answer out. The transports
//! differ in framing and in what ends a request, and in nothing else.

mod exchange;
mod gate;
mod host;
mod http;
mod legacy;
mod lines;
mod modern;
mod outbox;
mod rpc;
mod sessions;
mod stdio;

#[cfg(test)]
mod testing;

pub use host::{Crew, Library};
pub use http::{Options, Principal, router};
pub use stdio::serve_stdio;

/// Most messages that a batch may hold.
const BATCH_LIMIT: usize = 100;

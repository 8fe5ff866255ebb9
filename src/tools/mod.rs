//! Floor 4: one registry of tools; knows no JSON-RPC, no HTTP and no command line.
//!
//! A tool is written once, as a [`Tool`], and listed once, in [`Registry`]. Every surface (MCP, REST, a model's
//! tool calls, documentation) is a reader of that list, so no two of them can disagree.

mod ctx;
mod error;
mod registry;

pub use ctx::{Caller, Ctx, Progress};
pub use error::Error;
pub use registry::{Annotations, Output, Registry, Spec, Tool};

//! Floor 1: language models as wires and one client; knows no employee and no task.

mod error;
mod types;

pub use error::Error;
pub use types::{Finish, Message, Reply, Request, Role, Usage};

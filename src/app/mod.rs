//! Floor 6: configuration, wiring, serving. The only floor that reads the environment.

pub mod backup;
mod config;
mod library;
mod measures;
mod news;
mod office;
mod pipes;
mod post;
mod project;
mod runs;
mod sample;
mod serve;
mod served;
mod stdio;
mod telemetry;

pub use config::{Environment, Settings, TokenError};
pub use office::{DELIVERIES, Journal, journal, open};
pub use post::Post;
pub use project::ConfigError;
pub use serve::{Bind, Serve, Started, serve};
pub use stdio::stdio;
pub use telemetry::start as start_telemetry;

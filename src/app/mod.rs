//! Floor 6: configuration, wiring, serving. The only floor that reads the environment.

mod alerts;
mod archivist;
pub mod backup;
mod config;
pub mod doctor;
mod http;
mod in_force;
mod library;
mod limits;
mod measures;
mod news;
mod office;
mod pipes;
mod post;
mod project;
mod recording;
mod runs;
mod sample;
mod serve;
mod served;
mod settling;
mod stdio;
mod telemetry;
mod tokens;

pub use config::{Environment, Settings, TokenError};
pub use in_force::{Unsettled, in_force};
pub use limits::Limiting;
pub use office::{Journal, OUTBOX, journal, open};
pub use post::Post;
pub use project::ConfigError;
pub use recording::{RECORDINGS, Recorded, folded};
pub use serve::{Bind, Serve, Started, serve};
pub use settling::{Origin, SettingError, Settled};
pub use stdio::stdio;
pub use telemetry::{Telemetry, start as start_telemetry};
pub use tokens::TokensError;

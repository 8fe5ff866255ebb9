//! Logs: on stderr, never on stdout, which belongs to the answer or to the protocol.

use std::io;

use tracing_subscriber::{
    Layer as _, filter::Targets, fmt, layer::SubscriberExt as _, util::SubscriberInitExt as _,
};

use super::Environment;

/// Starts logging. `CREW_LOG` holds filter directives (`debug`, `crew::tasks=trace`); without it, `verbose` chooses
/// between the levels info and `quiet_level`. `CREW_LOG_FORMAT=json` writes one JSON object a line.
///
/// Has no effect when logging was started before.
pub fn start(env: &Environment, verbose: bool, quiet_level: &str) {
    let default = if verbose { "debug" } else { quiet_level };
    // Not the filter that knows spans and fields: reading its language takes a good part of what a start takes.
    let filter: Targets = env
        .get("CREW_LOG")
        .and_then(|directives| directives.parse().ok())
        .or_else(|| default.parse().ok())
        .unwrap_or_default();
    let logs = fmt::layer().with_writer(io::stderr);
    let logs = if env.get("CREW_LOG_FORMAT") == Some("json") {
        logs.json().flatten_event(true).boxed()
    } else {
        logs.with_ansi(io::IsTerminal::is_terminal(&io::stderr())).with_target(false).boxed()
    };
    let started = tracing_subscriber::registry().with(logs).with(filter).try_init();
    if let Err(error) = started {
        tracing::debug!(%error, "logging was already started");
    }
}

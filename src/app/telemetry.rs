//! Logs: on stderr, never on stdout, which belongs to the answer or to the protocol.

use std::io;

use tracing_subscriber::EnvFilter;

use super::Environment;

/// Starts logging. `CREW_LOG` holds filter directives (`debug`, `crew::tasks=trace`); without it, `verbose` chooses
/// between the levels info and `quiet_level`. `CREW_LOG_FORMAT=json` writes one JSON object a line.
///
/// Has no effect when logging was started before.
pub fn start(env: &Environment, verbose: bool, quiet_level: &str) {
    let default = if verbose { "debug" } else { quiet_level };
    let filter = EnvFilter::try_new(env.get("CREW_LOG").unwrap_or(default))
        .unwrap_or_else(|_| EnvFilter::new(default));
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    let started = if env.get("CREW_LOG_FORMAT") == Some("json") {
        logs.json().flatten_event(true).try_init()
    } else {
        logs.with_ansi(io::IsTerminal::is_terminal(&io::stderr())).with_target(false).try_init()
    };
    if let Err(error) = started {
        tracing::debug!(%error, "logging was already started");
    }
}

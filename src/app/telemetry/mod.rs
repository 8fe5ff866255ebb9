//! Logs, on stderr, never on stdout, which belongs to the answer or to the protocol; and spans, for whoever collects them.

mod conventions;
mod spans;

use std::io;

use tracing_subscriber::{
    Layer as _,
    filter::{LevelFilter, Targets},
    fmt,
    layer::SubscriberExt as _,
    util::SubscriberInitExt as _,
};

use self::spans::Spans;
use super::Environment;

/// How logs can be written.
const FORMATS: [&str; 2] = ["json", "text"];

/// What is told of the program while it runs. Spans that were not sent yet are sent when it ends.
#[derive(Debug, Default)]
#[must_use = "what was not sent yet is sent when this ends"]
pub struct Telemetry {
    spans: Option<Spans>,
}

impl Telemetry {
    /// Sends what was not sent yet; waits for that five seconds at most.
    pub fn end(self) {
        if let Some(spans) = self.spans {
            spans.end();
        }
    }
}

/// Whether a word of `directives` stands alone and is neither a level nor a part of this program: a level with a slip of the
/// pen, which would be taken for the only part that may log.
fn has_stray_word(directives: &str) -> bool {
    let mut words =
        directives.split(',').map(str::trim).filter(|word| !word.is_empty() && !word.contains('='));
    words.any(|word| !word.starts_with("crew") && word.parse::<LevelFilter>().is_err())
}

/// Starts logging. `CREW_LOG` holds filter directives (`debug`, `crew::tasks=trace`); without it, `verbose` chooses
/// between the levels info and `quiet_level`. `CREW_LOG_FORMAT=json` writes one JSON object a line.
///
/// Where `OTEL_EXPORTER_OTLP_ENDPOINT` names a collector, spans go there too.
///
/// Has no effect when logging was started before.
pub fn start(env: &Environment, verbose: bool, quiet_level: &str) -> Telemetry {
    let default = if verbose { "debug" } else { quiet_level };
    // Not the filter that knows spans and fields: reading its language takes a good part of what a start takes.
    let asked =
        env.get("CREW_LOG").map(|text| text.parse::<Targets>().ok().filter(|_| !has_stray_word(text)));
    let is_unread = matches!(asked, Some(None));
    let filter = asked.flatten().or_else(|| default.parse().ok()).unwrap_or_default();
    let logs = fmt::layer().with_writer(io::stderr);
    let logs = if env.get("CREW_LOG_FORMAT") == Some("json") {
        logs.json().flatten_event(true).boxed()
    } else {
        logs.with_ansi(io::IsTerminal::is_terminal(&io::stderr())).with_target(false).boxed()
    };
    let (spans, complaint) = match Spans::wanted(env).transpose() {
        Ok(spans) => (spans, None),
        Err(error) => (None, Some(error)),
    };
    let started = match &spans {
        // One filter for all costs less than one a layer.
        None => tracing_subscriber::registry().with(logs).with(filter).try_init(),
        Some(spans) => {
            tracing_subscriber::registry().with(logs.with_filter(filter)).with(spans.layer()).try_init()
        }
    };
    if let Err(error) = started {
        tracing::debug!(%error, "logging was already started");
    }
    if is_unread {
        tracing::error!("CREW_LOG cannot be read; it is as if it was not set: `{default}`");
    }
    if let Some(other) = env.get("CREW_LOG_FORMAT").filter(|format| !FORMATS.contains(format)) {
        tracing::error!(
            "CREW_LOG_FORMAT is `{}`; it is `json` or `text`, which it is now",
            other.escape_debug()
        );
    }
    if let Some(error) = complaint {
        tracing::error!(%error, "spans cannot be sent; the program goes on without");
    }
    Telemetry { spans }
}

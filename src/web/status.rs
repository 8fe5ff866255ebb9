//! How the server is: health, metrics, schedules.

use axum::{
    Json,
    extract::State as Shared,
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};

use serde::Serialize;

use super::State;
use crate::{
    engine::delivery::{Attempts, Outbox},
    llm,
};

/// What is counted, as JSON.
#[derive(Serialize)]
struct All {
    #[serde(flatten)]
    models: llm::Snapshot,
    /// What came of the attempts to deliver results.
    #[serde(skip_serializing_if = "Option::is_none")]
    deliveries: Option<Attempts>,
}

/// The very bytes that probes have always compared with.
pub(super) const HEALTHY: &str = r#"{"status":"ok","service":"crew-webhook"}"#;

/// `GET /health`.
pub(super) async fn health() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], HEALTHY).into_response()
}

/// The type of the text form, see <https://prometheus.io/docs/instrumenting/exposition_formats/>.
const PROMETHEUS: &str = "text/plain; version=0.0.4; charset=utf-8";

/// `GET /metrics`: JSON, or what Prometheus reads for whoever asks for text.
pub(super) async fn metrics(Shared(state): Shared<State>, headers: HeaderMap) -> Response {
    if wants_text(&headers) {
        prometheus(Shared(state)).await
    } else {
        let deliveries = state.outbox.as_ref().map(Outbox::attempts);
        Json(All { models: state.meter.snapshot(), deliveries }).into_response()
    }
}

/// `GET /metrics/prometheus`.
pub(super) async fn prometheus(Shared(state): Shared<State>) -> Response {
    ([(header::CONTENT_TYPE, PROMETHEUS)], state.runs.measures()).into_response()
}

/// Whether text is asked for rather than JSON: more than it, or before it. `*/*` asks for nothing in particular, and gets
/// what it always got.
fn wants_text(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let (mut best, mut is_text) = (0.0, false);
    for range in accepted.flat_map(|value| value.split(',')) {
        let mut parts = range.split(';').map(str::trim);
        let text = match parts.next().unwrap_or_default().to_ascii_lowercase().as_str() {
            "text/plain" | "text/*" => true,
            "application/json" | "application/*" => false,
            _ => continue,
        };
        let weight = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
        let weight = weight.map_or(1.0, |text| text.parse::<f64>().unwrap_or_default());
        if weight > best {
            (best, is_text) = (weight, text);
        }
    }
    is_text
}

/// `GET /cron/status`.
pub(super) async fn cron(Shared(state): Shared<State>) -> Json<serde_json::Value> {
    Json(state.runs.cron_status())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_is_what_is_asked_for_most() {
        #[track_caller]
        fn check(accept: &'static str, text: bool) {
            let headers = HeaderMap::from_iter([(header::ACCEPT, accept.parse().unwrap())]);
            assert_eq!(wants_text(&headers), text, "{accept}");
        }
        check("*/*", false);
        check("text/plain", true);
        check("text/html, text/plain;version=0.0.4", true);
        check("application/json, text/plain", false);
        check("text/plain, application/json", true);
        check("application/json;q=0.5, text/plain", true);
        check("text/plain;q=0.5, application/json;q=0.6", false);
        check("text/plain;q=0, application/json;q=0.1", false);
        check("application/openmetrics-text", false);
        check("application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1", true);
    }
}

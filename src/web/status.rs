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

/// Whether text is asked for before JSON. `*/*` asks for nothing in particular, and gets what it always got.
fn wants_text(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let first = accepted.flat_map(|value| value.split(',')).find_map(|range| {
        let name = range.split(';').next().unwrap_or_default().trim();
        match name {
            "text/plain" | "text/*" | "application/openmetrics-text" => Some(true),
            "application/json" | "application/*" => Some(false),
            _ => None,
        }
    });
    first.unwrap_or(false)
}

/// `GET /cron/status`.
pub(super) async fn cron(Shared(state): Shared<State>) -> Json<serde_json::Value> {
    Json(state.runs.cron_status())
}

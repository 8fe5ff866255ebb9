//! How the server is: health, metrics, schedules.

use axum::{
    Json,
    extract::State as Shared,
    http::header,
    response::{IntoResponse, Response},
};

use super::State;
use crate::llm::Snapshot;

/// The very bytes that probes have always compared with.
const HEALTHY: &str = r#"{"status":"ok","service":"crew-webhook"}"#;

/// `GET /health`.
pub(super) async fn health() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], HEALTHY).into_response()
}

/// `GET /metrics`.
pub(super) async fn metrics(Shared(state): Shared<State>) -> Json<Snapshot> {
    Json(state.meter.snapshot())
}

/// `GET /cron/status`.
pub(super) async fn cron(Shared(state): Shared<State>) -> Json<serde_json::Value> {
    Json(state.runs.cron_status())
}

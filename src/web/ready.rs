//! `GET /healthz` and `GET /readyz`: whether the server lives, and whether it can work.

use axum::{
    Extension, Json,
    extract::State as Shared,
    http::{StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

use super::{State, auth::Guard};

/// What is to be known of tasks that nobody keeps.
const NOT_KEPT: &str =
    "not kept: another process keeps those of this project, and those of this server end with it";

/// What stands in the way of work.
#[derive(Debug, Clone, Default)]
pub struct Readiness {
    /// Why tasks cannot be recorded, if so.
    pub tasks: Option<String>,
    /// What is wrong with definitions that cannot be used.
    pub definitions: Vec<String>,
}

/// `GET /healthz`: the process answers.
pub(super) async fn healthz() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], r#"{"status":"ok"}"#).into_response()
}

/// `GET /readyz`: 503 when nothing can be accepted. Tasks that end with the process, and definitions that cannot be used,
/// are told, and keep nobody from the others. Where callers need a token, whoever brings none that is known learns how many
/// there are and not what is in them.
pub(super) async fn readyz(
    Shared(state): Shared<State>,
    Extension(guard): Extension<Guard>,
    head: Parts,
) -> Response {
    let Readiness { tasks, definitions } = state.runs.readiness().await;
    let (broken, is_kept) = (definitions.len(), state.tasks.is_durable());
    let (code, status) = match (&tasks, broken) {
        (Some(_), _) => (StatusCode::SERVICE_UNAVAILABLE, "unavailable"),
        (None, 0) if is_kept => (StatusCode::OK, "ready"),
        (None, _) => (StatusCode::OK, "degraded"),
    };
    let shown = guard.knows(&head, &state.limits).await;
    let told = |text: &str| if shown { text.to_owned() } else { "cannot be recorded".to_owned() };
    let recorded = match &tasks {
        Some(why) => told(why),
        None if is_kept => "ok".to_owned(),
        None => NOT_KEPT.to_owned(),
    };
    let mut answer = json!({
        "status": status,
        "checks": {
            "tasks": recorded,
            "definitions": if broken == 0 { "ok".to_owned() } else { format!("{broken} cannot be used; `knowlyr-crew check` shows what is wrong with them") },
        },
    });
    if let Value::Object(answer) = &mut answer
        && shown
        && broken > 0
    {
        answer.insert("findings".to_owned(), json!(definitions));
    }
    (code, Json(answer)).into_response()
}

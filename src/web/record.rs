//! What was written down, under `/api/sessions`, `/api/logs` and `/api/meetings`: the answers of the tools for it.

use axum::{
    Extension, Json,
    extract::{Query, State as Shared, rejection::QueryRejection},
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{
    Problem, State,
    tools::{Name, listed, named},
};
use crate::tools::Caller;

/// Which sessions to list.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WhichSessions {
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    session_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<usize>,
}

/// Which meetings to list.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WhichMeetings {
    #[serde(skip_serializing_if = "Option::is_none")]
    keyword: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<usize>,
}

/// Which work logs to list.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WhichLogs {
    #[serde(rename(serialize = "employee_name"), skip_serializing_if = "Option::is_none")]
    employee: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    severity: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<usize>,
}

/// A query as the arguments of a tool.
pub(super) fn args<T: Serialize>(
    which: Result<Query<T>, QueryRejection>,
) -> Result<Map<String, Value>, Problem> {
    let Query(which) = which.map_err(|rejection| Problem::unfit(rejection.body_text()))?;
    match serde_json::to_value(which) {
        Ok(Value::Object(args)) => Ok(args),
        _ => Ok(Map::new()),
    }
}

/// `GET /api/sessions?type=&subject=&limit=`.
pub(super) async fn sessions(
    Shared(state): Shared<State>,
    Extension(caller): Extension<Caller>,
    which: Result<Query<WhichSessions>, QueryRejection>,
) -> Result<Json<Value>, Problem> {
    listed(&state, caller, ("list_sessions", "sessions"), &args(which)?).await
}

/// `GET /api/sessions/{id}`.
pub(super) async fn session(
    Shared(state): Shared<State>,
    Extension(caller): Extension<Caller>,
    id: Name,
) -> Result<Json<Value>, Problem> {
    named(&state, caller, ("get_session", "session_id"), id).await
}

/// `GET /api/logs?employee=&severity=&limit=`.
pub(super) async fn logs(
    Shared(state): Shared<State>,
    Extension(caller): Extension<Caller>,
    which: Result<Query<WhichLogs>, QueryRejection>,
) -> Result<Json<Value>, Problem> {
    listed(&state, caller, ("get_work_log", "logs"), &args(which)?).await
}

/// `GET /api/logs/{id}`: as it is listed, with its `entries`.
pub(super) async fn log(
    Shared(state): Shared<State>,
    Extension(caller): Extension<Caller>,
    id: Name,
) -> Result<Json<Value>, Problem> {
    let Json(answer) = named(&state, caller, ("get_work_log", "session_id"), id).await?;
    let mut told = answer.pointer("/logs/0").cloned().unwrap_or_default();
    if let (Some(log), Value::Object(answer)) = (told.as_object_mut(), answer) {
        // How many there are stands in the list; here they are.
        let rest = answer.into_iter().filter(|(name, _)| name != "logs");
        log.extend(rest);
    }
    Ok(Json(told))
}

/// `GET /api/meetings?keyword=&limit=`.
pub(super) async fn meetings(
    Shared(state): Shared<State>,
    Extension(caller): Extension<Caller>,
    which: Result<Query<WhichMeetings>, QueryRejection>,
) -> Result<Json<Value>, Problem> {
    listed(&state, caller, ("list_meeting_history", "meetings"), &args(which)?).await
}

/// `GET /api/meetings/{id}`.
pub(super) async fn meeting(
    Shared(state): Shared<State>,
    Extension(caller): Extension<Caller>,
    id: Name,
) -> Result<Json<Value>, Problem> {
    named(&state, caller, ("get_meeting_detail", "meeting_id"), id).await
}

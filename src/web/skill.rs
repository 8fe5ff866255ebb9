//! What is laid before employees, over HTTP: `GET /api/skills`, `GET /api/skills/stats` and `POST /api/skills/check-triggers`,
//! which are `list_employee_skills` and `try_employee_skills`.

use axum::{
    Extension, Json,
    body::Body,
    extract::{Query, State as Shared, rejection::QueryRejection},
    http::HeaderMap,
};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Problem, State, body, tools::asked};
use crate::tools::Caller;

/// Whose skills.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Which {
    /// Name or trigger of the employee; all of them, unless given.
    employee: Option<String>,
}

/// `GET /api/skills?employee=`.
pub(super) async fn list(
    Shared(state): Shared<State>,
    Extension(caller): Extension<Caller>,
    which: Result<Query<Which>, QueryRejection>,
) -> Result<Json<Value>, Problem> {
    let items = skills(&state, caller, which).await?;
    Ok(Json(json!({ "total": items.len(), "items": items })))
}

/// `GET /api/skills/stats?employee=`: the counts alone.
pub(super) async fn stats(
    Shared(state): Shared<State>,
    Extension(caller): Extension<Caller>,
    which: Result<Query<Which>, QueryRejection>,
) -> Result<Json<Value>, Problem> {
    let mut items = skills(&state, caller, which).await?;
    let items: Vec<Value> = items.iter_mut().map(|skill| skill["statistics"].take()).collect();
    Ok(Json(json!({ "total": items.len(), "items": items })))
}

/// `POST /api/skills/check-triggers`: the body is what `try_employee_skills` takes.
pub(super) async fn check(
    Shared(state): Shared<State>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Value>, Problem> {
    let args = body::object(&headers, body).await?;
    Ok(Json(Value::Object(asked(&state, caller, "try_employee_skills", &args).await?)))
}

async fn skills(
    state: &State,
    caller: Caller,
    which: Result<Query<Which>, QueryRejection>,
) -> Result<Vec<Value>, Problem> {
    let Query(which) = which.map_err(|rejection| Problem::unfit(rejection.body_text()))?;
    let args: Map<String, Value> =
        which.employee.map(|name| ("employee".to_owned(), name.into())).into_iter().collect();
    let mut answer = asked(state, caller, "list_employee_skills", &args).await?;
    Ok(match answer.remove("skills") {
        Some(Value::Array(items)) => items,
        _ => Vec::new(),
    })
}

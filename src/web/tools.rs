//! The tools over HTTP: `GET /api/tools`, `POST /api/tools/{name}`, and what can be listed by them under `/api`.

use std::sync::Arc;

use axum::{
    Extension, Json,
    body::Body,
    extract::{Path, State as Shared, rejection::PathRejection},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::{Map, Value, json, value::to_raw_value};
use tokio_util::sync::CancellationToken;

use super::{Problem, State, body};
use crate::{
    tasks::Task,
    tools::{self, Begun, Caller, Ctx},
};

type Name = Result<Path<String>, PathRejection>;

/// `GET /api/tools`: every tool with the schemas of what it takes and answers.
pub(super) async fn list(Shared(state): Shared<State>) -> Json<Value> {
    let tools: Vec<_> = state.tools.specs().collect();
    Json(json!({ "items": tools, "total": tools.len() }))
}

/// `POST /api/tools/{name}`: calls a tool with the body as its arguments, and answers what it answers. A client that goes
/// away gives up the call. Work that takes longer than a request may is answered with its task (202), and goes on.
pub(super) async fn call(
    Shared(state): Shared<State>,
    Extension(caller): Extension<Caller>,
    name: Name,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let Path(name) = name.map_err(|_| Problem::not_found("no such tool"))?;
    let args = body::object(&headers, body).await?;
    let task = match begin(&state, caller, &name, &args).await? {
        Begun::Done(output) => return Ok(Json(output.json).into_response()),
        Begun::Task(task) => task,
    };
    let settled = tokio::time::timeout(state.limits.request_time, state.tasks.settled(&task.task_id)).await;
    let task = match settled {
        Ok(Ok(ended)) if ended.status.is_final() => ended,
        Ok(Ok(waiting)) => return Ok(goes_on(&waiting)),
        Ok(Err(error)) => return Err(error.into()),
        Err(_) => return Ok(goes_on(&state.tasks.get(&task.task_id).await.unwrap_or(task))),
    };
    match state.tools.conclude(&task) {
        Some(Ok(output)) => Ok(Json(output.json).into_response()),
        // The work itself failed: the answer is its record, as of a run that was waited for.
        Some(Err(tools::Error::Failed(_))) | None => {
            Ok((StatusCode::BAD_GATEWAY, Json(task)).into_response())
        }
        Some(Err(error)) => Err(error.into()),
    }
}

fn goes_on(task: &Arc<Task>) -> Response {
    let location = format!("/tasks/{}", task.task_id);
    (StatusCode::ACCEPTED, [(header::LOCATION, location)], Json(Arc::clone(task))).into_response()
}

async fn begin(
    state: &State,
    caller: Caller,
    name: &str,
    args: &Map<String, Value>,
) -> Result<Begun, Problem> {
    let args = to_raw_value(args).map_err(|error| Problem::internal(&error))?;
    let given_up = CancellationToken::new();
    let _guard = given_up.clone().drop_guard();
    let ctx = Ctx::new(caller).with_cancel(given_up);
    Ok(state.tools.begin(name, ctx, &args).await?)
}

/// What a tool answers as a JSON object.
async fn asked(
    state: &State,
    caller: Caller,
    tool: &str,
    args: &Map<String, Value>,
) -> Result<Map<String, Value>, Problem> {
    let Begun::Done(output) = begin(state, caller, tool, args).await? else {
        return Err(Problem::not_found("no such path"));
    };
    serde_json::from_str(output.json.get()).map_err(|error| Problem::internal(&error))
}

/// The list that `tool` answers under `key`, in the form of all lists.
async fn listed(state: &State, caller: Caller, tool: &str, key: &str) -> Result<Json<Value>, Problem> {
    let mut answer = asked(state, caller, tool, &Map::new()).await?;
    let items = answer.remove(key).unwrap_or_else(|| json!([]));
    let total = items.as_array().map_or(0, Vec::len);
    Ok(Json(json!({ "items": items, "total": total })))
}

/// `GET /api/employees`.
pub(super) async fn employees(
    Shared(state): Shared<State>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<Value>, Problem> {
    listed(&state, caller, "list_employees", "employees").await
}

/// `GET /api/employees/{name}`: the whole definition.
pub(super) async fn employee(
    Shared(state): Shared<State>,
    Extension(caller): Extension<Caller>,
    name: Name,
) -> Result<Json<Value>, Problem> {
    let Path(name) = name.map_err(|_| Problem::not_found("no such employee"))?;
    let args = Map::from_iter([("name".to_owned(), name.into())]);
    Ok(Json(Value::Object(asked(&state, caller, "get_employee", &args).await?)))
}

/// `GET /api/pipelines`.
pub(super) async fn pipelines(
    Shared(state): Shared<State>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<Value>, Problem> {
    listed(&state, caller, "list_pipelines", "pipelines").await
}

/// `GET /api/discussions`.
pub(super) async fn discussions(
    Shared(state): Shared<State>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<Value>, Problem> {
    listed(&state, caller, "list_discussions", "discussions").await
}

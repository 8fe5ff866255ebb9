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

use super::{
    Problem, State, body,
    run::{self, IDEMPOTENCY_KEY, visible},
};
use crate::{
    tasks::Task,
    tools::{self, Begun, Caller, Ctx, WorkKey},
};

pub(super) type Name = Result<Path<String>, PathRejection>;

/// `GET /api/tools`: every tool with the schemas of what it takes and answers.
pub(super) async fn list(Shared(state): Shared<State>) -> Json<Value> {
    let tools: Vec<_> = state.tools.specs().collect();
    Json(json!({ "items": tools, "total": tools.len() }))
}

/// `POST /api/tools/{name}`: calls a tool with the body as its arguments, and answers what it answers. A client that goes
/// away gives up the call. Work that takes longer than a request may is answered with its task (202), and goes on.
/// Under an `Idempotency-Key` work is begun once.
pub(super) async fn call(
    Shared(state): Shared<State>,
    Extension(caller): Extension<Caller>,
    name: Name,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let Path(name) = name.map_err(|_| Problem::not_found("no such tool"))?;
    let args = body::object(&headers, body).await?;
    let key = visible(&headers, &IDEMPOTENCY_KEY)?.map(|key| WorkKey::new(&caller, key, &name, &args));
    let task = match begin(&state, caller, &name, &args, key).await? {
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
        Some(Err(tools::Error::Failed(_))) | None => Ok((run::failed(&task), Json(task)).into_response()),
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
    key: Option<WorkKey>,
) -> Result<Begun, Problem> {
    let args = to_raw_value(args).map_err(|error| Problem::internal(&error))?;
    let given_up = CancellationToken::new();
    let _guard = given_up.clone().drop_guard();
    let mut ctx = Ctx::new(caller).with_cancel(given_up);
    if let Some(key) = key {
        ctx = ctx.with_key(key);
    }
    Ok(state.tools.begin(name, ctx, &args).await?)
}

/// What a tool answers as a JSON object.
pub(super) async fn asked(
    state: &State,
    caller: Caller,
    tool: &str,
    args: &Map<String, Value>,
) -> Result<Map<String, Value>, Problem> {
    let Begun::Done(output) = begin(state, caller, tool, args, None).await? else {
        return Err(Problem::not_found("no such path"));
    };
    serde_json::from_str(output.json.get()).map_err(|error| Problem::internal(&error))
}

/// The list that `tool` answers under `key` when it is called with `args`, in the form of all lists.
pub(super) async fn listed(
    state: &State,
    caller: Caller,
    (tool, key): (&str, &str),
    args: &Map<String, Value>,
) -> Result<Json<Value>, Problem> {
    let mut answer = asked(state, caller, tool, args).await?;
    let items = answer.remove(key).unwrap_or_else(|| json!([]));
    let total = items.as_array().map_or(0, Vec::len);
    Ok(Json(json!({ "items": items, "total": total })))
}

/// What `tool` answers about the thing whose name or id stands in the path, which it takes as `key`.
pub(super) async fn named(
    state: &State,
    caller: Caller,
    (tool, key): (&str, &str),
    name: Name,
) -> Result<Json<Value>, Problem> {
    let Path(name) = name.map_err(|_| Problem::not_found("the name in the path is no text"))?;
    let args = Map::from_iter([(key.to_owned(), name.into())]);
    Ok(Json(Value::Object(asked(state, caller, tool, &args).await?)))
}

/// `GET /api/employees`.
pub(super) async fn employees(
    Shared(state): Shared<State>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<Value>, Problem> {
    listed(&state, caller, ("list_employees", "employees"), &Map::new()).await
}

/// `GET /api/employees/{name}`: the whole definition.
pub(super) async fn employee(
    Shared(state): Shared<State>,
    Extension(caller): Extension<Caller>,
    name: Name,
) -> Result<Json<Value>, Problem> {
    named(&state, caller, ("get_employee", "name"), name).await
}

/// `GET /api/pipelines`.
pub(super) async fn pipelines(
    Shared(state): Shared<State>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<Value>, Problem> {
    listed(&state, caller, ("list_pipelines", "pipelines"), &Map::new()).await
}

/// `GET /api/discussions`.
pub(super) async fn discussions(
    Shared(state): Shared<State>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<Value>, Problem> {
    listed(&state, caller, ("list_discussions", "discussions"), &Map::new()).await
}

//! `POST /run/…`: work asked for directly.

use axum::{
    Extension, Json,
    body::Body,
    extract::{Path, State as Shared, rejection::PathRejection},
    http::{HeaderMap, HeaderName, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;

use super::{Problem, State, body, order::RunRequest, stream};
use crate::{
    defs::TargetKind,
    engine::{self, Order, delivery::Wish},
    tasks::{Code, Status, Submitted, Task, TaskId, Trigger},
    tools::{self, Caller},
};

pub(super) const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// Most characters of a key that a client makes up.
const KEY_CHARS: usize = 128;

/// That work was accepted, now or before.
#[derive(Debug, Serialize)]
struct Ack {
    task_id: TaskId,
    status: Status,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    duplicate: bool,
}

/// `POST /run/employee/{name}`.
pub(super) async fn employee(
    Shared(state): Shared<State>,
    Extension(caller): Extension<Caller>,
    name: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    start(&state, TargetKind::Employee, &caller, name, &headers, body).await
}

/// `POST /run/pipeline/{name}`.
pub(super) async fn pipeline(
    Shared(state): Shared<State>,
    Extension(caller): Extension<Caller>,
    name: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    start(&state, TargetKind::Pipeline, &caller, name, &headers, body).await
}

/// `POST /run/discussion/{name}`.
pub(super) async fn discussion(
    Shared(state): Shared<State>,
    Extension(caller): Extension<Caller>,
    name: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    start(&state, TargetKind::Discussion, &caller, name, &headers, body).await
}

/// Plans, submits, and answers at once or, with `sync`, at the end, or with `stream` all the while. A client that goes away while it waits does not
/// cancel the work.
async fn start(
    state: &State,
    kind: TargetKind,
    caller: &Caller,
    name: Result<Path<String>, PathRejection>,
    headers: &HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let Path(name) = name.map_err(|_| Problem::unreadable("the name in the path is no text"))?;
    let key = idempotency_key(headers, caller)?;
    let request = RunRequest::parse(body::object(headers, body).await?)?;
    if request.stream && kind != TargetKind::Employee {
        return Err(Problem::unfit("only employees can be streamed; use `sync` or follow `/tasks/{id}`"));
    }
    let order = Order {
        kind,
        target: name,
        args: request.args.clone(),
        model: request.model.clone(),
        trigger: Trigger::DIRECT,
        caller: Some(caller.name().to_owned()),
        idempotency_key: key,
    };
    let wishes = state.runs.wishes(&request.deliver)?;
    let mut new = state.runs.plan(order).await?;
    Wish::add(wishes, &mut new);
    request.put(&mut new);
    // What there is no room to tell is not begun.
    let place = if request.stream { Some(state.stream_place()?) } else { None };
    if request.stream {
        new.options.insert(engine::STREAM.to_owned(), true.into());
    }
    let submitted = tools::accept(&state.tasks, new).await?;
    if let Some(place) = place {
        return Ok(stream::tell(state, &submitted.id, place));
    }
    if request.sync { finish(state, &submitted.id).await } else { Ok(ack(state, submitted)) }
}

/// The key under which `caller` has the same work done only once. Callers do not share keys.
///
/// # Errors
/// 400, see [`visible`].
pub(super) fn idempotency_key(headers: &HeaderMap, caller: &Caller) -> Result<Option<String>, Problem> {
    Ok(visible(headers, &IDEMPOTENCY_KEY)?.map(|key| format!("http:{key} {}", caller.name())))
}

/// 202 for work accepted now, 200 for work accepted before; `Location` tells where it is followed.
pub(super) fn ack(state: &State, submitted: Submitted) -> Response {
    let Submitted { id, fresh } = submitted;
    let status = if fresh { StatusCode::ACCEPTED } else { StatusCode::OK };
    let known = state.tasks.summary(&id).filter(|_| !fresh);
    let location = format!("/tasks/{id}");
    let body = Ack {
        // A worker may have begun already; what was accepted was a pending task.
        status: known.map_or(Status::Pending, |task| task.status),
        task_id: id,
        duplicate: !fresh,
    };
    (status, [(header::LOCATION, location)], Json(body)).into_response()
}

/// The full record once the task has ended: 200 when completed, 502 when it failed, 402 when that is for its budget, 409
/// when it was cancelled. One that waits for an approval is answered with 202: nobody is kept waiting for a person.
pub(super) async fn finish(state: &State, id: &TaskId) -> Result<Response, Problem> {
    let settled = tokio::time::timeout(state.limits.request_time, state.tasks.settled(id)).await;
    // What takes longer than a request may goes on without its caller.
    let task = match settled {
        Ok(task) => task?,
        Err(_) => state.tasks.get(id).await?,
    };
    let status = match task.status {
        Status::Completed => StatusCode::OK,
        Status::Failed => failed(&task),
        Status::Cancelled => StatusCode::CONFLICT,
        // The program ends before the task has; it is kept and goes on with the next start.
        Status::Pending | Status::Running | Status::AwaitingApproval => StatusCode::ACCEPTED,
    };
    Ok((status, [(header::LOCATION, format!("/tasks/{id}"))], Json(task)).into_response())
}

/// The status by which a caller who waited is told of a task that failed.
pub(super) fn failed(task: &Task) -> StatusCode {
    if task.code == Some(Code::BUDGET_REACHED) {
        return StatusCode::PAYMENT_REQUIRED;
    }
    StatusCode::BAD_GATEWAY
}

/// A header of 1 to 128 visible ASCII characters, if it is there.
///
/// # Errors
/// 400 when it is there and holds anything else, or twice.
pub(super) fn visible<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, Problem> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let text = value.to_str().ok().filter(|text| {
        (1..=KEY_CHARS).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
    });
    match (text, values.next()) {
        (Some(text), None) => Ok(Some(text)),
        _ => Err(Problem::unreadable(format!(
            "the header `{name}` must be one value of 1 to {KEY_CHARS} visible ASCII characters"
        ))),
    }
}

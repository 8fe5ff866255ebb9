//! `GET /tasks` and `GET /tasks/{id}`: what became of work.

use axum::{
    Json,
    extract::{
        Path, Query, State as Shared,
        rejection::{PathRejection, QueryRejection},
    },
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Problem, State, delivery::WithDeliveries};
use crate::tasks::{Code, Filter, Status, Task, TaskId, Trigger};

/// Most tasks one request lists.
const LIMIT: usize = 200;
/// How many it lists unless told.
const SOME: usize = 50;

/// Which tasks to list.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Which {
    /// Only those in this state.
    status: Option<Status>,
    /// Only those for this employee or pipeline.
    target: Option<String>,
    /// At most this many, 1 to 200.
    limit: Option<usize>,
}

/// Tasks in brief, the newest first.
#[derive(Debug, Serialize)]
pub(super) struct List {
    tasks: Vec<Row>,
}

/// A task in brief: neither arguments nor results, which may be long.
#[derive(Debug, Serialize)]
struct Row {
    task_id: TaskId,
    status: Status,
    trigger: Trigger,
    target_type: String,
    target_name: String,
    created_at: Timestamp,
    completed_at: Option<Timestamp>,
    error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<Code>,
    #[serde(skip_serializing_if = "Option::is_none")]
    origin: Option<TaskId>,
}

impl From<&Task> for Row {
    fn from(task: &Task) -> Self {
        Self {
            task_id: task.task_id.clone(),
            status: task.status,
            trigger: task.trigger.clone(),
            target_type: task.target_type.clone(),
            target_name: task.target_name.clone(),
            created_at: task.created_at,
            completed_at: task.completed_at,
            error: task.error.clone(),
            code: task.code.clone(),
            origin: task.origin.clone(),
        }
    }
}

/// `GET /tasks?status=&target=&limit=`.
pub(super) async fn list(
    Shared(state): Shared<State>,
    which: Result<Query<Which>, QueryRejection>,
) -> Result<Json<List>, Problem> {
    let Query(which) = which.map_err(|rejection| Problem::unfit(rejection.body_text()))?;
    let limit = which.limit.unwrap_or(SOME);
    if !(1..=LIMIT).contains(&limit) {
        return Err(Problem::unfit(format!("`limit` is 1 to {LIMIT}, not {limit}")));
    }
    let filter =
        Filter { status: which.status, target: which.target, limit: Some(limit), ..Filter::default() };
    let tasks = state.tasks.list(&filter).iter().map(|task| Row::from(&**task)).collect();
    Ok(Json(List { tasks }))
}

/// `GET /tasks/{id}`: the full record.
pub(super) async fn get(
    Shared(state): Shared<State>,
    id: Result<Path<String>, PathRejection>,
) -> Result<Json<WithDeliveries>, Problem> {
    // What cannot be an id is not there either; which of the two it was helps nobody.
    let id = id.ok().and_then(|Path(id)| id.parse::<TaskId>().ok());
    let task = id.and_then(|id| state.tasks.get(&id));
    let task = task.map(|task| Json(WithDeliveries::of(&state, task)));
    task.ok_or_else(|| Problem::not_found("task not found"))
}

//! `GET /tasks` and `GET /tasks/{id}`: what became of work.

use std::{fmt, sync::Arc};

use axum::{
    Json,
    extract::{
        Path, Query, State as Shared,
        rejection::{PathRejection, QueryRejection},
    },
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Problem, State, delivery::WithDeliveries};
use crate::{
    base::Priority,
    tasks::{Code, Status, Summary, Task, TaskId, Trigger},
};

/// Most tasks one request lists.
const LIMIT: usize = 200;
/// How many it lists unless told.
const SOME: usize = 50;

/// Which tasks to list.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Which {
    /// Only those in this state; `dead` are those that failed after all the tries they were given.
    status: Option<Wanted>,
    /// Only those for this employee or pipeline.
    target: Option<String>,
    /// Only those that work on this kind of thing, for instance `pipeline`.
    #[serde(rename = "type")]
    target_type: Option<String>,
    /// Only those that this started, for instance `cron`.
    trigger: Option<String>,
    /// Only those of this caller.
    caller: Option<String>,
    /// At most this many, 1 to 200.
    limit: Option<usize>,
    /// Only those after this place in the list: the `next_cursor` of the page before.
    cursor: Option<String>,
}

/// A status, or a kind of failure.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(untagged, expecting = "expected a status of tasks, or `dead`")]
enum Wanted {
    Status(Status),
    Dead(Dead),
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Dead {
    Dead,
}

impl Which {
    fn fits(&self, task: &Summary) -> bool {
        let is = |wanted: &Option<String>, has: &str| wanted.as_ref().is_none_or(|wanted| wanted == has);
        let stands = match self.status {
            None => true,
            Some(Wanted::Dead(_)) => task.dead,
            Some(Wanted::Status(status)) => status == task.status,
        };
        stands
            && is(&self.target, &task.target_name)
            && is(&self.target_type, &task.target_type)
            && is(&self.trigger, task.trigger.as_str())
            && is(&self.caller, task.caller.as_deref().unwrap_or_default())
    }
}

/// A place in the list: the task that was last shown. It may be forgotten meanwhile; the place stays.
#[derive(Debug, PartialEq, Eq)]
struct Cursor {
    at: Timestamp,
    id: TaskId,
}

impl Cursor {
    fn of(task: &Summary) -> Self {
        Self { at: task.created_at, id: task.task_id.clone() }
    }

    fn parse(text: &str) -> Option<Self> {
        let text = String::from_utf8(URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
        let (at, id) = text.split_once(' ')?;
        Some(Self { at: at.parse().ok()?, id: id.parse().ok()? })
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(format!("{} {}", self.at, self.id)))
    }
}

/// Tasks in brief, the newest first.
#[derive(Debug, Serialize)]
pub(super) struct List {
    tasks: Vec<Row>,
    /// Asks for the page after this one; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
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
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    dead: bool,
    priority: Priority,
    #[serde(skip_serializing_if = "Option::is_none")]
    origin: Option<TaskId>,
}

impl From<&Summary> for Row {
    fn from(task: &Summary) -> Self {
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
            dead: task.dead,
            priority: task.priority,
            origin: task.origin.clone(),
        }
    }
}

/// `GET /tasks?status=&target=&type=&trigger=&caller=&limit=&cursor=`.
pub(super) async fn list(
    Shared(state): Shared<State>,
    which: Result<Query<Which>, QueryRejection>,
) -> Result<Json<List>, Problem> {
    let Query(which) = which.map_err(|rejection| Problem::unfit(rejection.body_text()))?;
    let limit = which.limit.unwrap_or(SOME);
    if !(1..=LIMIT).contains(&limit) {
        return Err(Problem::unfit(format!("`limit` is 1 to {LIMIT}, not {limit}")));
    }
    let unknown = || Problem::unfit("`cursor` is not the `next_cursor` of a page");
    let cursor = which.cursor.as_deref().map(|text| Cursor::parse(text).ok_or_else(unknown)).transpose()?;
    let after = cursor.map(|cursor| (cursor.at, cursor.id));
    // One more tells whether there is another page.
    let found = state.tasks.page(after, limit + 1, |task| which.fits(task));
    let page = found.get(..limit).unwrap_or(&found);
    let next_cursor = page.last().filter(|_| found.len() > limit).map(|task| Cursor::of(task).to_string());
    let tasks = page.iter().map(|task| Row::from(&**task)).collect();
    Ok(Json(List { tasks, next_cursor }))
}

/// `GET /tasks/{id}`: the full record.
pub(super) async fn get(
    Shared(state): Shared<State>,
    id: Result<Path<String>, PathRejection>,
) -> Result<Json<WithDeliveries>, Problem> {
    find(&state, id).await.map(|task| Json(WithDeliveries::of(&state, task)))
}

/// The task of this id.
///
/// # Errors
/// 404. What cannot be an id is not there either; which of the two it was helps nobody.
pub(super) async fn find(
    state: &State,
    id: Result<Path<String>, PathRejection>,
) -> Result<Arc<Task>, Problem> {
    let id = id.ok().and_then(|Path(id)| id.parse::<TaskId>().ok());
    let id = id.ok_or_else(|| Problem::not_found("task not found"))?;
    Ok(state.tasks.get(&id).await?)
}

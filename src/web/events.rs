//! `GET /tasks/{id}/events`: a task told while it is worked on, as server-sent events.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    body::Body,
    extract::{Path, State as Shared, rejection::PathRejection},
    http::{HeaderMap, HeaderName, StatusCode, header},
    response::{IntoResponse, Response},
};
use futures_util::stream;
use serde_json::{Map, Value, json};
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio_util::sync::CancellationToken;

use super::{Problem, State, task};
use crate::tasks::{Status, Task};

/// After this much silence a comment is sent, so that nobody in between takes the connection for dead.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// When a client that lost its connection should come back.
const RETRY: Duration = Duration::from_secs(2);
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
const BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// How much of a task a client knows: so many steps, and the status it was last told. The id of an event says both.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Known {
    steps: usize,
    status: Option<String>,
}

impl Known {
    /// What the client knows that heard the event `id` last; nothing, when this is no id of ours.
    fn of(id: &str) -> Self {
        let Some((steps, status)) = id.split_once('.') else { return Self::default() };
        let Ok(steps) = steps.parse() else { return Self::default() };
        Self { steps, status: (status != "-").then(|| status.to_owned()) }
    }

    fn id(&self) -> String {
        format!("{}.{}", self.steps, self.status.as_deref().unwrap_or("-"))
    }

    /// Whether nothing of `task` is left to tell, now or later.
    fn is_all_of(&self, task: &Task) -> bool {
        task.status.is_final()
            && self.steps >= task.steps.len()
            && self.status.as_deref() == Some(task.status.as_str())
    }

    /// The events that tell the rest of `task`, as it stands.
    fn catch_up(&mut self, task: &Task) -> String {
        let mut events = String::new();
        for step in task.steps.iter().skip(self.steps) {
            self.steps += 1;
            let step = serde_json::to_value(step).unwrap_or_default();
            events.push_str(&self.event("step", &step));
        }
        if self.status.as_deref() != Some(task.status.as_str()) {
            self.status = Some(task.status.as_str().to_owned());
            events.push_str(&self.event("status", &status(task)));
        }
        events
    }

    fn event(&self, name: &str, data: &Value) -> String {
        format!("id: {}\nevent: {name}\ndata: {data}\n\n", self.id())
    }
}

/// How a task stands; with what came of it, once it has ended.
fn status(task: &Task) -> Value {
    let mut told = Map::new();
    let mut tell = |name: &str, value: Value| told.insert(name.to_owned(), value);
    tell("task_id", json!(task.task_id));
    tell("status", json!(task.status));
    tell("attempts", json!(task.attempts));
    if task.status == Status::AwaitingApproval {
        tell("waiting", json!(task.waiting));
    }
    if task.status.is_final() {
        tell("result", json!(task.result));
        tell("error", json!(task.error));
        tell("completed_at", json!(task.completed_at));
    }
    Value::Object(told)
}

/// One client that follows.
struct Following {
    changes: watch::Receiver<Arc<Task>>,
    known: Known,
    stopping: CancellationToken,
    over: bool,
    _place: OwnedSemaphorePermit,
}

impl Following {
    /// What to send next; `None` after the end.
    async fn next(&mut self) -> Option<String> {
        while !self.over {
            let task = Arc::clone(&self.changes.borrow_and_update());
            let events = self.known.catch_up(&task);
            self.over = task.status.is_final();
            if !events.is_empty() {
                return Some(events);
            }
            tokio::select! {
                biased;
                changed = self.changes.changed() => self.over |= changed.is_err(),
                // The client comes back to the next start, and hears the rest there.
                () = self.stopping.cancelled() => return None,
                () = tokio::time::sleep(KEEP_ALIVE) => return Some(": keep-alive\n\n".to_owned()),
            }
        }
        None
    }
}

/// `GET /tasks/{id}/events`: `step` for each step as it finishes, `status` whenever that changes, until the task has
/// ended. `Last-Event-ID` goes on where a connection was lost; 204 when there is nothing left, which tells a browser
/// not to come back.
pub(super) async fn follow(
    Shared(state): Shared<State>,
    id: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let task = task::find(&state, id).await?;
    let last = headers.get(LAST_EVENT_ID).and_then(|id| id.to_str().ok());
    let known = last.map(Known::of).unwrap_or_default();
    if known.is_all_of(&task) {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let changes = state.tasks.watch(&task.task_id).await?;
    let (stopping, place) = (state.tracker.stopping().clone(), state.stream_place()?);
    let following = Following { changes, known, stopping, over: false, _place: place };
    let retry = format!("retry: {}\n\n", RETRY.as_millis());
    let frames = stream::unfold((Some(retry), following), |(retry, mut following)| async move {
        let frame = match retry {
            Some(retry) => retry,
            None => following.next().await?,
        };
        Some((Ok::<_, Infallible>(frame), (None, following)))
    });
    let headers = [
        (header::CONTENT_TYPE, "text/event-stream; charset=utf-8"),
        (header::CACHE_CONTROL, "no-cache"),
        // nginx would collect the answer before it passes it on.
        (BUFFERING, "no"),
    ];
    Ok((headers, Body::from_stream(frames)).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_says_what_is_known() {
        for known in [Known::default(), Known { steps: 3, status: Some("running".to_owned()) }] {
            assert_eq!(Known::of(&known.id()), known);
        }
        for other in ["", "x", "1", "-1.running", "a.running"] {
            assert_eq!(Known::of(other), Known::default(), "{other}");
        }
    }
}

//! A run told while it works, as server-sent events.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    body::Body,
    http::{HeaderName, StatusCode, header},
    response::{IntoResponse, Response},
};
use futures_util::{future::BoxFuture, stream};
use serde_json::{Value, json};
use tokio::sync::OwnedSemaphorePermit;

use super::State;
use crate::{
    base::text,
    engine::Reader,
    tasks::{Status, Task, TaskId},
};

/// After this much silence a comment is sent, so that nobody in between takes the connection for dead.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// Most characters of an error.
const ERROR_CHARS: usize = 500;
const BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// One client that reads along.
struct Telling {
    id: TaskId,
    reader: Reader,
    ended: BoxFuture<'static, Option<Arc<Task>>>,
    over: bool,
    _place: OwnedSemaphorePermit,
}

/// Tells what the task says from its beginning: `{"token"}` for each piece of text, then the event `done`, or `error`, or
/// `waiting` when a person has to decide before it goes on. The pieces make up the result of the task, wherever the client
/// came in. A client that goes away cancels nothing. It takes `place` among all streams until its end.
pub(super) fn tell(state: &State, id: &TaskId, place: OwnedSemaphorePermit) -> Response {
    let reader = state.live.output(id).read();
    let (tasks, owned) = (state.tasks.clone(), id.clone());
    let ended = Box::pin(async move { tasks.settled(&owned).await.ok() });
    let telling = Telling { id: id.clone(), reader, ended, over: false, _place: place };
    let frames = stream::unfold(telling, |mut telling| async move {
        let frame = telling.next().await?;
        Some((Ok::<_, Infallible>(frame), telling))
    });
    let headers = [
        (header::CONTENT_TYPE, "text/event-stream; charset=utf-8".to_owned()),
        (header::CACHE_CONTROL, "no-cache".to_owned()),
        // nginx would collect the answer before it passes it on.
        (BUFFERING, "no".to_owned()),
        (header::LOCATION, format!("/tasks/{id}")),
    ];
    (StatusCode::OK, headers, Body::from_stream(frames)).into_response()
}

impl Telling {
    /// What to send next; `None` after the end.
    async fn next(&mut self) -> Option<String> {
        if self.over {
            return None;
        }
        tokio::select! {
            biased;
            text = self.reader.more() => Some(token(&text)),
            task = &mut self.ended => {
                self.over = true;
                Some(self.end(task.as_deref()))
            }
            () = tokio::time::sleep(KEEP_ALIVE) => Some(": keep-alive\n\n".to_owned()),
        }
    }

    fn end(&self, task: Option<&Task>) -> String {
        let failed = |code: &str, error: &str| {
            event("error", &json!({"error": text::truncate(error, ERROR_CHARS), "code": code}))
        };
        let Some(task) = task else { return failed("not-found", "task not found") };
        match task.status {
            Status::Completed => self.done(task.result.as_ref().unwrap_or(&Value::Null)),
            Status::Failed => failed("run-failed", task.error.as_deref().unwrap_or("it failed")),
            Status::Cancelled => failed("cancelled", "the task was cancelled"),
            Status::AwaitingApproval => event(
                "waiting",
                &json!({"task_id": task.task_id, "status": task.status, "waiting": task.waiting}),
            ),
            Status::Pending | Status::Running => {
                failed("unavailable", "the server ends; the task goes on with its next start")
            }
        }
    }

    fn done(&self, result: &Value) -> String {
        let output = result.get("output").and_then(Value::as_str).unwrap_or_default();
        let rest = self.reader.unread(output);
        let mut frames = if rest.is_empty() { String::new() } else { token(rest) };
        let field = |name: &str| result.get(name).cloned().unwrap_or_default();
        let done = json!({
            "employee": field("employee"),
            "model": field("model"),
            "input_tokens": field("input_tokens"),
            "output_tokens": field("output_tokens"),
            "task_id": self.id,
        });
        frames.push_str(&event("done", &done));
        frames
    }
}

fn token(text: &str) -> String {
    format!("data: {}\n\n", json!({"token": text}))
}

fn event(name: &str, data: &Value) -> String {
    format!("event: {name}\ndata: {data}\n\n")
}

//! `POST /tasks/{id}/cancel`, `…/resume`, `…/replay` and `…/fork`.

use std::time::Duration;

use axum::{
    Extension, Json,
    body::Body,
    extract::{Path, State as Shared, rejection::PathRejection},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use serde_json::{Map, Value};

use super::{
    Problem, State,
    body::{self, a_kind},
    order::{is_dollars, texts},
    run::{IDEMPOTENCY_KEY, ack, visible},
    task::find,
};
use crate::{
    base::text,
    engine::{Again, Changes},
    tasks::Task,
    tools::{self, Caller},
};

/// How long the answer to a cancellation waits for the task to have ended.
const PATIENCE: Duration = Duration::from_secs(5);

type Id = Result<Path<String>, PathRejection>;

/// `POST /tasks/{id}/cancel`: the record of the task as it ended. One that takes longer to stop is shown as it stands.
pub(super) async fn cancel(
    Shared(state): Shared<State>,
    id: Id,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let task = find(&state, id).await?;
    Wish::parse(body::object(&headers, body).await?, &[])?;
    let task = match tokio::time::timeout(PATIENCE, state.tasks.cancel(&task.task_id)).await {
        Ok(ended) => ended?,
        Err(_) => state.tasks.get(&task.task_id).await.unwrap_or(task),
    };
    let location = format!("/tasks/{}", task.task_id);
    Ok((StatusCode::ACCEPTED, [(header::LOCATION, location)], Json(task)).into_response())
}

/// `POST /tasks/{id}/resume`: a task that failed or was cancelled goes on.
pub(super) async fn resume(
    Shared(state): Shared<State>,
    Extension(caller): Extension<Caller>,
    id: Id,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let task = find(&state, id).await?;
    let wish =
        Wish::parse(body::object(&headers, body).await?, &["force", "model", "max_cost_usd", "max_tokens"])?;
    begin(&state, &task, &Again::Resume, wish.changes, &caller, &HeaderMap::new()).await
}

/// `POST /tasks/{id}/replay`: an ended task once more, as a new one.
pub(super) async fn replay(
    Shared(state): Shared<State>,
    Extension(caller): Extension<Caller>,
    id: Id,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let task = find(&state, id).await?;
    let wish = Wish::parse(body::object(&headers, body).await?, &[])?;
    begin(&state, &task, &Again::Replay, wish.changes, &caller, &headers).await
}

/// `POST /tasks/{id}/fork`: an ended task from one of its steps on, as a new one.
pub(super) async fn fork(
    Shared(state): Shared<State>,
    Extension(caller): Extension<Caller>,
    id: Id,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let task = find(&state, id).await?;
    let wish = Wish::parse(
        body::object(&headers, body).await?,
        &["step", "args", "force", "model", "max_cost_usd", "max_tokens"],
    )?;
    let step = wish.step.ok_or_else(|| {
        Problem::unfit(
            "say `step`: the first step to do anew, one of the `steps` that `GET /tasks/{id}` shows",
        )
    })?;
    begin(&state, &task, &Again::Fork(step), wish.changes, &caller, &headers).await
}

async fn begin(
    state: &State,
    task: &Task,
    how: &Again,
    changes: Changes,
    caller: &Caller,
    headers: &HeaderMap,
) -> Result<Response, Problem> {
    let idempotency_key = visible(headers, &IDEMPOTENCY_KEY)?.map(|key| format!("http:{key}"));
    let changes = Changes { caller: Some(caller.name().to_owned()), idempotency_key, ..changes };
    let anew = state.runs.again(task, how, changes).await?;
    Ok(ack(state, tools::begin(&state.tasks, task, anew).await?))
}

/// The body of such a request; all of it may be left out.
#[derive(Debug, Default, PartialEq)]
struct Wish {
    step: Option<String>,
    changes: Changes,
}

impl Wish {
    /// Reads a body strictly; `null` stands for a key that is not given. Who asks is told by the token, so that the
    /// predecessor's `user_id` and `agent_id` are passed over.
    ///
    /// # Errors
    /// 422 naming the key, unless it is among `keys`.
    fn parse(object: Map<String, Value>, keys: &[&str]) -> Result<Self, Problem> {
        let mut wish = Self::default();
        for (key, value) in object {
            if ["user_id", "agent_id"].contains(&key.as_str()) {
                continue;
            }
            if !keys.contains(&key.as_str()) {
                let near = text::closest(&key, keys.iter().copied());
                let near = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
                let key = text::truncate(&key, 100);
                return Err(Problem::unfit(format!("unknown key `{key}`{near}")));
            }
            match (key.as_str(), value) {
                (_, Value::Null) => {}
                ("force", Value::Bool(force)) => wish.changes.force = force,
                ("args", Value::Object(args)) => wish.changes.args = texts(args)?,
                ("step", Value::String(step)) => wish.step = Some(step),
                ("max_cost_usd", Value::Number(most)) if is_dollars(&most) => {
                    wish.changes.budget.max_cost_usd = most.as_f64();
                }
                ("max_tokens", Value::Number(most)) if most.as_u64() > Some(0) => {
                    wish.changes.budget.max_tokens = most.as_u64();
                }
                ("model", Value::String(model)) if !model.trim().is_empty() => {
                    wish.changes.model = Some(model);
                }
                (key, value) => {
                    let wanted = match key {
                        "force" => "`true` or `false`",
                        "args" => "an object",
                        "max_cost_usd" => "a number of US dollars, more than 0",
                        "max_tokens" => "a whole number, more than 0",
                        _ => "a text that is not blank",
                    };
                    let kind = a_kind(&value);
                    return Err(Problem::unfit(format!("`{key}` must be {wanted}, not {kind}")));
                }
            }
        }
        Ok(wish)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(body: &Value, keys: &[&str], expected: Result<Wish, &str>) {
        let wish = Wish::parse(body.as_object().unwrap().clone(), keys);
        assert_eq!(
            wish.map_err(|problem| problem.text().to_owned()),
            expected.map_err(str::to_owned),
            "{body}"
        );
    }

    #[test]
    fn a_wish_is_read_strictly() {
        const ALL: &[&str] = &["step", "args", "force", "model"];
        check(&json!({}), &[], Ok(Wish::default()));
        check(&json!({"user_id": "u", "agent_id": 7}), &[], Ok(Wish::default()));
        check(&json!({"force": null, "model": null}), ALL, Ok(Wish::default()));
        let changes = Changes {
            args: [("n".to_owned(), "1".to_owned())].into_iter().collect(),
            model: Some("m".to_owned()),
            force: true,
            ..Changes::default()
        };
        let wish = Wish { step: Some("0:a".to_owned()), changes };
        check(&json!({"step": "0:a", "args": {"n": 1}, "model": "m", "force": true}), ALL, Ok(wish));
        check(&json!({"forse": true}), ALL, Err("unknown key `forse`; did you mean `force`?"));
        check(&json!({"force": true}), &[], Err("unknown key `force`"));
        check(&json!({"force": "true"}), ALL, Err("`force` must be `true` or `false`, not a text"));
        check(&json!({"step": 3}), ALL, Err("`step` must be a text that is not blank, not a number"));
        check(&json!({"args": [1]}), ALL, Err("`args` must be an object, not an array"));
    }
}

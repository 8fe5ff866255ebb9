//! `POST /tasks/{id}/cancel`, `…/resume`, `…/replay` and `…/fork`.

use std::{sync::Arc, time::Duration};

use axum::{
    Extension, Json, RequestExt as _,
    extract::{FromRequest, Path, Request},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use serde_json::{Map, Value};

use super::{
    Problem, State, body,
    order::{grant, misfit, texts, unknown},
    run::{self, ack},
    task::find,
};
use crate::{
    engine::{Again, Anew, Changes},
    tasks::{Submitted, Task},
    tools::{self, Caller},
};

/// How long the answer to a cancellation waits for the task to have ended.
const PATIENCE: Duration = Duration::from_secs(5);

/// `POST /tasks/{id}/cancel`: the record of the task as it ended. One that takes longer to stop is shown as it stands.
pub(super) async fn cancel(asked: Asked) -> Result<Response, Problem> {
    let Asked { state, caller, task, object, .. } = asked;
    nothing(object)?;
    let cancelling = state.acts.cancel(&state.tasks, &task.task_id, caller.name());
    let task = match tokio::time::timeout(PATIENCE, cancelling).await {
        Ok(ended) => ended?,
        Err(_) => state.tasks.get(&task.task_id).await.unwrap_or(task),
    };
    let location = format!("/tasks/{}", task.task_id);
    Ok((StatusCode::ACCEPTED, [(header::LOCATION, location)], Json(task)).into_response())
}

/// `POST /tasks/{id}/resume`: a task that failed or was cancelled goes on.
pub(super) async fn resume(asked: Asked) -> Result<Response, Problem> {
    asked.begin(&["force", "model", "max_cost_usd", "max_tokens"], |_| Ok(Again::Resume)).await
}

/// `POST /tasks/{id}/replay`: an ended task once more, as a new one.
pub(super) async fn replay(asked: Asked) -> Result<Response, Problem> {
    asked.begin(&[], |_| Ok(Again::Replay)).await
}

/// `POST /tasks/{id}/fork`: an ended task from one of its steps on, as a new one.
pub(super) async fn fork(asked: Asked) -> Result<Response, Problem> {
    let lacking = "say `step`: the first step to do anew, one of the `steps` that `GET /tasks/{id}` shows";
    asked
        .begin(&["step", "args", "force", "model", "max_cost_usd", "max_tokens"], |wish| {
            wish.step.take().map(Again::Fork).ok_or_else(|| Problem::unfit(lacking))
        })
        .await
}

/// Takes a body that has nothing to say.
///
/// # Errors
/// 422 naming a key.
pub(super) fn nothing(object: Map<String, Value>) -> Result<(), Problem> {
    Wish::parse(object, &[]).map(drop)
}

/// What is asked of a task.
pub(super) struct Asked {
    state: State,
    caller: Caller,
    task: Arc<Task>,
    headers: HeaderMap,
    object: Map<String, Value>,
}

impl FromRequest<State> for Asked {
    type Rejection = Problem;

    async fn from_request(mut request: Request, state: &State) -> Result<Self, Problem> {
        let caller = request.extract_parts::<Extension<Caller>>().await;
        let Extension(caller) = caller.map_err(|error| Problem::internal(&error))?;
        let task = find(state, request.extract_parts::<Path<String>>().await).await?;
        let headers = request.headers().clone();
        let object = body::object(&headers, request.into_body()).await?;
        Ok(Self { state: state.clone(), caller, task, headers, object })
    }
}

impl Asked {
    /// Has the task done again in the way that `how` takes from what is wished for, which has these keys.
    async fn begin(
        self,
        keys: &[&str],
        how: impl FnOnce(&mut Wish) -> Result<Again, Problem>,
    ) -> Result<Response, Problem> {
        let Self { state, caller, task, headers, object } = self;
        let mut wish = Wish::parse(object, keys)?;
        let how = how(&mut wish)?;
        let idempotency_key = run::idempotency_key(&headers, &caller)?;
        let before = || Submitted { id: task.task_id.clone(), fresh: false };
        let key = idempotency_key.clone().filter(|_| how == Again::Resume);
        if key.as_ref().is_some_and(|key| tools::went_on(&task, key)) {
            return Ok(ack(&state, before()));
        }
        let changes = Changes { caller: Some(caller.name().to_owned()), idempotency_key, ..wish.changes };
        let mut anew = state.runs.again(&task, &how, changes).await?;
        if let (Anew::Same(how), Some(key)) = (&mut anew, &key) {
            tools::note_key(how, &task, key);
        }
        match tools::begin(&state.acts, &state.tasks, &task, anew).await {
            Ok(submitted) => Ok(ack(&state, submitted)),
            Err(error) => {
                // Another under the same key may have been a little faster.
                let now = state.tasks.get(&task.task_id).await.ok();
                let is_known = now.zip(key.as_ref()).is_some_and(|(now, key)| tools::went_on(&now, key));
                if is_known { Ok(ack(&state, before())) } else { Err(error.into()) }
            }
        }
    }
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
                return Err(unknown(&key, keys));
            }
            match (key.as_str(), value) {
                (_, Value::Null) => {}
                ("force", Value::Bool(force)) => wish.changes.force = force,
                ("args", Value::Object(args)) => wish.changes.args = texts(args)?,
                ("step", Value::String(step)) => wish.step = Some(step),
                ("model", Value::String(model)) if !model.trim().is_empty() => {
                    wish.changes.model = Some(model);
                }
                (key, value) if grant(&mut wish.changes.budget, key, &value) => {}
                (key, value) => return Err(misfit(key, &value)),
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

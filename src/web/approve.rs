//! `POST /tasks/{id}/approve`: what a person decided about a task that waits.

use std::sync::Arc;

use axum::{
    Extension, Json,
    body::Body,
    extract::{Path, State as Shared, rejection::PathRejection},
    http::HeaderMap,
};
use serde_json::{Map, Value};

use super::{Problem, State, body};
use crate::{
    base::text,
    tasks::{Decision, Task, TaskId},
    tools::Caller,
};

/// `POST /tasks/{id}/approve`: the record of the task as it stands then.
pub(super) async fn approve(
    Shared(state): Shared<State>,
    Extension(caller): Extension<Caller>,
    id: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Arc<Task>>, Problem> {
    let id = id.ok().and_then(|Path(id)| id.parse::<TaskId>().ok());
    let id = id.ok_or_else(|| Problem::not_found("task not found"))?;
    let said = Said::parse(body::object(&headers, body).await?)?;
    let by = Some(caller.name().to_owned());
    let decision = Decision { approved: said.approved, comment: said.comment, by };
    Ok(Json(state.acts.decide(&state.tasks, &id, said.step.as_deref(), decision).await?))
}

/// The body of such a request. Without one, it is a yes.
#[derive(Debug, PartialEq)]
struct Said {
    approved: bool,
    comment: Option<String>,
    step: Option<String>,
}

impl Said {
    /// Reads a body strictly, for nobody's no must become a yes: whoever says anything has to say `approved`.
    ///
    /// The predecessor's `action` (`approve` or `reject`), `reason` and `user_id` are understood too. The last of them
    /// is not believed: who decides is told by the token.
    ///
    /// # Errors
    /// 422 naming the key.
    fn parse(object: Map<String, Value>) -> Result<Self, Problem> {
        let mut approved = object.is_empty().then_some(true);
        let (mut comment, mut step) = (None, None);
        for (key, value) in object {
            match (key.as_str(), value) {
                ("comment" | "reason" | "step", Value::Null) | ("user_id", _) => {}
                ("approved", Value::Bool(said)) if approved.is_none_or(|other| other == said) => {
                    approved = Some(said);
                }
                ("action", Value::String(action)) if matches!(&*action, "approve" | "reject") => {
                    let said = action == "approve";
                    if approved.is_some_and(|other| other != said) {
                        return Err(Problem::unfit("`approved` and `action` contradict each other"));
                    }
                    approved = Some(said);
                }
                ("comment" | "reason", Value::String(text)) => {
                    comment = Some(text).filter(|text| !text.trim().is_empty());
                }
                ("step", Value::String(text)) => step = Some(text),
                (key, _) => {
                    let key = text::truncate(key, 64);
                    return Err(Problem::unfit(format!(
                        "`{key}` does not fit; send `approved` (true or false), and if need be `comment` and `step` (texts)"
                    )));
                }
            }
        }
        let Some(approved) = approved else {
            return Err(Problem::unfit("say `approved`: true or false"));
        };
        Ok(Self { approved, comment, step })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_yes_is_a_yes_and_nothing_else_is() {
        #[track_caller]
        fn check(body: &Value, approved: Option<bool>) {
            let said = Said::parse(body.as_object().unwrap().clone());
            assert_eq!(said.ok().map(|said| said.approved), approved, "{body}");
        }
        check(&json!({}), Some(true));
        check(&json!({"approved": true}), Some(true));
        check(&json!({"approved": false, "comment": "no"}), Some(false));
        check(&json!({"action": "reject", "reason": "no", "user_id": "u"}), Some(false));
        check(&json!({"action": "approve", "approved": true}), Some(true));
        check(&json!({"action": "approve", "approved": false}), None);
        check(&json!({"approved": false, "action": "approve"}), None);
        check(&json!({"action": "maybe"}), None);
        check(&json!({"approved": "false"}), None);
        check(&json!({"approved": null}), None);
        check(&json!({"comment": "no!"}), None);
        check(&json!({"step": "x"}), None);
        check(&json!({"aproved": false}), None);
        check(&json!({"approved": true, "step": 3}), None);
    }
}

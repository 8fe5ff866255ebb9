//! Webhooks: deliveries of GitHub, and calls of whoever else is told to start something.
//!
//! Anybody can reach these paths, so nothing of a delivery is looked at before its signature has been verified, and without
//! a secret every signed delivery is refused.

mod generic;
mod github;
mod memory;
mod newest;
mod payload;
mod route;
mod signature;
mod standard;
mod subject;

use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse as _, Response},
};
use serde_json::json;

pub(super) use self::{
    generic::{KEYS, any, openclaw},
    github::github,
    standard::is_signed,
};
pub use self::{memory::Deliveries, newest::settle, route::Config};
use super::{Problem, State, run};
use crate::tasks::{Submitted, TaskId};

fn invalid_signature() -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, "invalid-signature", "invalid signature")
}

/// The answer to a delivery that came before: its task, and how that stands as long as anybody knows.
fn before(state: &State, id: TaskId) -> Response {
    if state.tasks.summary(&id).is_some() {
        return run::ack(state, Submitted { id, fresh: false });
    }
    (StatusCode::OK, Json(json!({"task_id": id, "duplicate": true}))).into_response()
}

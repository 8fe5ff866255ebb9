//! `GET /deliveries` and `POST /deliveries/{id}/redeliver`: where results went, and once more.

use std::sync::Arc;

use axum::{
    Extension, Json,
    body::Body,
    extract::{
        Path, Query, State as Shared,
        rejection::{PathRejection, QueryRejection},
    },
    http::{HeaderMap, StatusCode},
};
use serde::{Deserialize, Serialize};

use super::{Problem, State, again, body};
use crate::{
    base::text,
    defs::Destination,
    engine::delivery::{DeliveryId, DeliveryStatus, Refused, Sending, Which},
    tasks::{Task, TaskId},
    tools::Caller,
};

/// Most deliveries one request lists.
const LIMIT: usize = 200;
/// How many it lists unless told.
const SOME: usize = 50;

/// Which deliveries to list.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    /// Only those in this state.
    status: Option<DeliveryStatus>,
    /// Only those of this task.
    task_id: Option<TaskId>,
    /// Only those that go this way.
    #[serde(rename = "type")]
    kind: Option<String>,
    /// At most this many, 1 to 200.
    limit: Option<usize>,
}

/// Deliveries, the newest first.
#[derive(Debug, Serialize)]
pub(super) struct List {
    deliveries: Vec<Sending>,
}

/// A task and where its result went.
#[derive(Debug, Serialize)]
pub(super) struct WithDeliveries {
    #[serde(flatten)]
    task: Arc<Task>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    deliveries: Vec<Sending>,
}

impl WithDeliveries {
    /// The task with what the outbox knows of it.
    pub(super) fn of(state: &State, task: Arc<Task>) -> Self {
        let deliveries = state.outbox.as_ref().map(|outbox| outbox.of_task(&task.task_id));
        Self { task, deliveries: deliveries.unwrap_or_default() }
    }
}

/// `GET /deliveries?status=&task_id=&type=&limit=`.
pub(super) async fn list(
    Shared(state): Shared<State>,
    which: Result<Query<Asked>, QueryRejection>,
) -> Result<Json<List>, Problem> {
    let Query(which) = which.map_err(|rejection| Problem::unfit(rejection.body_text()))?;
    let limit = which.limit.unwrap_or(SOME);
    if !(1..=LIMIT).contains(&limit) {
        return Err(Problem::unfit(format!("`limit` is 1 to {LIMIT}, not {limit}")));
    }
    if let Some(kind) = which.kind.as_deref().filter(|kind| !Destination::KINDS.contains(kind)) {
        let kind = text::truncate(kind, 100);
        return Err(Problem::unfit(format!(
            "`type` is one of {}, not `{kind}`",
            Destination::KINDS.join(", ")
        )));
    }
    let which = Which { status: which.status, task: which.task_id, kind: which.kind, limit: Some(limit) };
    let deliveries = state.outbox.as_ref().map(|outbox| outbox.list(&which)).unwrap_or_default();
    Ok(Json(List { deliveries }))
}

/// `POST /deliveries/{id}/redeliver`: 202 with the delivery as it waits; 409 while it is on its way, or when its task is
/// forgotten.
pub(super) async fn redeliver(
    Shared(state): Shared<State>,
    Extension(caller): Extension<Caller>,
    id: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
    body: Body,
) -> Result<(StatusCode, Json<Sending>), Problem> {
    let absent = || Problem::not_found("delivery not found");
    again::nothing(body::object(&headers, body).await?)?;
    let id: DeliveryId = id.ok().and_then(|Path(id)| id.parse().ok()).ok_or_else(absent)?;
    let outbox = state.outbox.as_ref().ok_or_else(absent)?;
    match state.acts.redeliver(outbox, &id, caller.name()).await {
        Ok(delivery) => Ok((StatusCode::ACCEPTED, Json(delivery))),
        Err(Refused::NotFound(_)) => Err(absent()),
        Err(error @ (Refused::UnderWay(_) | Refused::Forgotten(_))) => {
            Err(Problem::conflict(error.to_string()))
        }
        Err(Refused::Store(error)) => {
            let _ = Problem::internal(&error);
            Err(Problem::unavailable("deliveries cannot be recorded now", None))
        }
    }
}

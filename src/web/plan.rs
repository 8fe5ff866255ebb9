//! `GET /api/plan/{kind}/{name}`: what a run would do and cost.

use axum::{
    Json,
    extract::{Path, Query, State as Shared, rejection::PathRejection, rejection::QueryRejection},
};

use super::{Problem, State};
use crate::{
    defs::TargetKind,
    engine::{self, Args, Forecast},
};

/// Every parameter of the query is a value for the run, by its name.
pub(super) async fn plan(
    Shared(state): Shared<State>,
    what: Result<Path<(TargetKind, String)>, PathRejection>,
    args: Result<Query<Args>, QueryRejection>,
) -> Result<Json<Forecast>, Problem> {
    let kinds = "there are plans of `employee`, `pipeline` and `discussion`: `/api/plan/pipeline/NAME`";
    let Path((kind, name)) = what.map_err(|_| Problem::not_found(kinds))?;
    let Query(args) = args.map_err(|rejection| Problem::unfit(rejection.body_text()))?;
    let past = engine::past::recent(&state.tasks).await;
    Ok(Json(state.runs.forecast(kind, name, args, past).await?))
}

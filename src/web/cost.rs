//! `GET /api/cost/summary`: what finished work has cost.

use axum::{
    Json,
    extract::{Query, State as Shared, rejection::QueryRejection},
};
use serde::Deserialize;

use super::{Problem, State};
use crate::engine::{self, CostQuery, CostSummary};

/// What to count.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Which {
    /// The last how many days, 1 to 3650; 7 unless given.
    days: Option<u32>,
    /// Only what this employee took.
    employee: Option<String>,
}

/// `GET /api/cost/summary?days=&employee=`.
pub(super) async fn summary(
    Shared(state): Shared<State>,
    which: Result<Query<Which>, QueryRejection>,
) -> Result<Json<CostSummary>, Problem> {
    let Query(which) = which.map_err(|rejection| Problem::unfit(rejection.body_text()))?;
    let query = CostQuery { days: which.days.unwrap_or(CostQuery::DAYS), employee: which.employee };
    let query = query.checked().map_err(Problem::unfit)?;
    Ok(Json(engine::past::cost(&state.tasks, &query).await?))
}

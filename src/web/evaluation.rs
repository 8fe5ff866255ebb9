//! What employees decided, over HTTP: `GET /api/decisions` and `GET /api/calibration`, which are `list_decisions` and
//! `get_calibration`.

use axum::{
    Extension, Json,
    extract::{Query, State as Shared, rejection::QueryRejection},
};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Problem, State, tools::asked};
use crate::tools::Caller;

/// Which decisions.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Which {
    /// Name or trigger of the employee.
    employee: Option<String>,
    /// `pending` or `evaluated`.
    status: Option<String>,
    /// Only decisions of this kind.
    category: Option<String>,
    /// At most this many, from 1 to 1000; 20 unless given.
    limit: Option<usize>,
}

/// What to count.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Counted {
    /// Name or trigger of the employee.
    employee: Option<String>,
    /// Only decisions of this kind.
    category: Option<String>,
}

/// `GET /api/decisions?employee=&status=&category=&limit=`.
pub(super) async fn decisions(
    Shared(state): Shared<State>,
    Extension(caller): Extension<Caller>,
    which: Result<Query<Which>, QueryRejection>,
) -> Result<Json<Value>, Problem> {
    let Query(which) = which.map_err(|rejection| Problem::unfit(rejection.body_text()))?;
    let mut args =
        given([("employee", which.employee), ("status", which.status), ("category", which.category)]);
    args.extend(which.limit.map(|limit| ("limit".to_owned(), limit.into())));
    let mut answer = asked(&state, caller, "list_decisions", &args).await?;
    let mut take = |key: &str| answer.remove(key).unwrap_or_default();
    Ok(Json(json!({ "items": take("decisions"), "total": take("total") })))
}

/// `GET /api/calibration?employee=&category=`.
pub(super) async fn calibration(
    Shared(state): Shared<State>,
    Extension(caller): Extension<Caller>,
    which: Result<Query<Counted>, QueryRejection>,
) -> Result<Json<Value>, Problem> {
    let Query(which) = which.map_err(|rejection| Problem::unfit(rejection.body_text()))?;
    let args = given([("employee", which.employee), ("category", which.category)]);
    let mut answer = asked(&state, caller, "get_calibration", &args).await?;
    let items = answer.remove("calibrations").unwrap_or_else(|| json!([]));
    let total = items.as_array().map_or(0, Vec::len);
    Ok(Json(json!({ "items": items, "total": total })))
}

fn given<const N: usize>(pairs: [(&str, Option<String>); N]) -> Map<String, Value> {
    pairs.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?.into()))).collect()
}

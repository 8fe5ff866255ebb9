//! What employees remember, over HTTP: `GET` and `POST /api/memory`, which are `query_memory` and `add_memory`, and
//! `POST /api/memory/recall-feedback`, which is `rate_memory`.

use axum::{
    Extension, Json,
    body::Body,
    extract::{Query, State as Shared, rejection::QueryRejection},
    http::{HeaderMap, StatusCode},
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{Problem, State, body, record, tools::asked};
use crate::tools::Caller;

/// Which memories.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Which {
    /// Name or trigger of the employee.
    employee: String,
    /// Only memories of this kind.
    category: Option<String>,
    /// Only memories with one of these tags: `a,b`.
    tags: Option<String>,
    /// At most this many, from 1 to 1000; 20 unless given.
    limit: Option<usize>,
}

/// `GET /api/memory?employee=&category=&tags=&limit=`.
pub(super) async fn query(
    Shared(state): Shared<State>,
    Extension(caller): Extension<Caller>,
    which: Result<Query<Which>, QueryRejection>,
) -> Result<Json<Value>, Problem> {
    let Query(which) = which.map_err(|rejection| Problem::unfit(rejection.body_text()))?;
    let mut args = Map::from_iter([("employee".to_owned(), Value::String(which.employee))]);
    args.extend(which.category.map(|category| ("category".to_owned(), category.into())));
    args.extend(which.limit.map(|limit| ("limit".to_owned(), limit.into())));
    let tags = which.tags.map(|tags| tags.split(',').map(str::to_owned).collect::<Vec<_>>());
    args.extend(tags.map(|tags| ("tags".to_owned(), tags.into())));
    let mut answer = asked(&state, caller, "query_memory", &args).await?;
    let items = answer.remove("memories").unwrap_or_else(|| json!([]));
    let total = items.as_array().map_or(0, Vec::len);
    Ok(Json(json!({ "items": items, "total": total })))
}

/// What is looked for.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    /// Words.
    query: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    employee: Option<String>,
    /// `memory`, unless given, `session` or `all`.
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    category: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<usize>,
}

/// `GET /api/memory/search?query=&employee=&kind=&category=&limit=`: each hit says in `kind` what it is.
pub(super) async fn search(
    Shared(state): Shared<State>,
    Extension(caller): Extension<Caller>,
    wanted: Result<Query<Wanted>, QueryRejection>,
) -> Result<Json<Value>, Problem> {
    let mut answer = asked(&state, caller, "search_memory", &record::args(wanted)?).await?;
    let mut items = Vec::new();
    for (list, kind) in [("memories", "memory"), ("sessions", "session")] {
        let Some(Value::Array(hits)) = answer.remove(list) else { continue };
        items.extend(hits.into_iter().map(|mut hit| {
            if let Some(fields) = hit.as_object_mut() {
                fields.insert("kind".to_owned(), kind.into());
            }
            hit
        }));
    }
    let score = |hit: &Value| hit.get("score").and_then(Value::as_f64).unwrap_or_default();
    items.sort_by(|a, b| score(b).total_cmp(&score(a)));
    let total = items.len();
    Ok(Json(json!({ "items": items, "total": total })))
}

/// `POST /api/memory`: the body is what `add_memory` takes. What was remembered before is 200, what is new 201.
pub(super) async fn add(
    Shared(state): Shared<State>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    body: Body,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let args = body::object(&headers, body).await?;
    let added = asked(&state, caller, "add_memory", &args).await?;
    let is_known = added.get("known") == Some(&Value::Bool(true));
    let status = if is_known { StatusCode::OK } else { StatusCode::CREATED };
    Ok((status, Json(Value::Object(added))))
}

/// `POST /api/memory/recall-feedback`: the body is what `rate_memory` takes. How many were of use and how many were not is
/// told as earlier versions did, and beside it what became of each.
pub(super) async fn rate(
    Shared(state): Shared<State>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Value>, Problem> {
    let args = body::object(&headers, body).await?;
    let mut rated = asked(&state, caller, "rate_memory", &args).await?;
    let mut list = |key: &str| match rated.remove(key) {
        Some(Value::Array(items)) => items,
        _ => Vec::new(),
    };
    let [updated, decayed, known, ignored] = ["updated", "decayed", "known", "ignored"].map(&mut list);
    let counts = (updated.len(), decayed.len(), known.len());
    let items: Vec<Value> = updated.into_iter().chain(decayed).chain(known).collect();
    Ok(Json(json!({
        "updated": counts.0, "decayed": counts.1, "known": counts.2, "items": items, "ignored": ignored,
    })))
}

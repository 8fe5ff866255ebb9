//! `POST /webhook/github`.

use axum::{
    Json,
    body::Body,
    extract::State as Shared,
    http::{HeaderMap, HeaderName, StatusCode},
    response::{IntoResponse as _, Response},
};
use indexmap::IndexMap;
use serde_json::{Value, json};

use super::{Config, before, invalid_signature, newest::Newest, payload, signature};
use crate::{
    defs::{OnMissing, Route},
    engine::{Order, delivery::Wish},
    tasks::{Budget, NewTask, OwnRetry, Trigger},
    web::{Problem, State, body, run},
};

const EVENT: HeaderName = HeaderName::from_static("x-github-event");
const DELIVERY: HeaderName = HeaderName::from_static("x-github-delivery");

/// Verifies a delivery, finds its route, submits the work, and answers before any of it is done.
pub(in crate::web) async fn github(
    Shared(state): Shared<State>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let config = state.runs.webhook();
    let (config, secret) =
        config.as_deref().and_then(|config| Some((config, config.secret.as_ref()?))).ok_or_else(|| {
            Problem::new(StatusCode::FORBIDDEN, "webhook-not-configured", "webhook secret not configured")
        })?;
    let bytes = body::read(body).await?;
    if !signature::is_of(secret, &headers, &bytes) {
        return Err(invalid_signature());
    }
    let event = run::visible(&headers, &EVENT)?
        .ok_or_else(|| Problem::unreadable("missing X-GitHub-Event header"))?;
    if event == "ping" {
        return Ok(Json(json!({"message": "pong"})).into_response());
    }
    let payload = Value::Object(payload::parse(&headers, &bytes)?);
    let Some(route) = config.route(event, &payload) else {
        return Ok(nothing("no matching route", event));
    };
    // GitHub sends the same id again when a delivery is repeated, by itself or by hand.
    let delivery = run::visible(&headers, &DELIVERY)?
        .ok_or_else(|| Problem::unreadable("missing X-GitHub-Delivery header"))?;
    let key = format!("github:{delivery}");
    if let Some(id) = state.deliveries.known(&key, &state.tasks).await {
        return Ok(before(&state, id));
    }
    let Some(args) = fill(route, &payload)? else {
        return Ok(nothing("the delivery lacks values that the route skips without", event));
    };
    start(&state, config, route, args, &payload, key).await
}

/// Plans the work of `route` and has it accepted.
async fn start(
    state: &State,
    config: &Config,
    route: &Route,
    args: IndexMap<String, String>,
    payload: &Value,
    key: String,
) -> Result<Response, Problem> {
    let order = Order {
        kind: route.target.kind,
        target: route.target.name.clone(),
        args,
        model: None,
        trigger: Trigger::GITHUB,
        caller: Some("github".to_owned()),
        idempotency_key: Some(key.clone()),
    };
    let mut new = state.runs.plan(order).await?;
    new.priority = route.priority;
    Budget::from(route.budget).put(&mut new.options);
    if let Some(retry) = route.retry {
        OwnRetry::from(retry).put(&mut new.options);
    }
    Wish::add(config.wishes(route, payload), &mut new);
    let newest = route.supersede.then(|| Newest::of(route, payload)).flatten();
    // In a future of its own: a client that goes away must leave nothing half done.
    let owned = state.clone();
    let accepting = state.tracker.spawn(async move { accept(&owned, new, newest, &key).await });
    accepting.await.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))
}

/// Accepts the work of a delivery; where the newest counts, only if this is the newest, and in place of older ones.
async fn accept(
    state: &State,
    mut new: NewTask,
    newest: Option<Newest>,
    key: &str,
) -> Result<Response, Problem> {
    // One at a time: of two deliveries that come together each must see the other.
    let _turn = if newest.is_some() { Some(state.deliveries.turn().await) } else { None };
    if let Some(newest) = &newest {
        if let Some(newer) = newest.newer(&state.tasks) {
            let body = json!({"message": "superseded by a newer delivery", "task_id": newer});
            return Ok(Json(body).into_response());
        }
        newest.mark(&mut new.options);
    }
    let submitted = state.tasks.submit(new).await?;
    state.deliveries.note(key, &submitted.id).await;
    if let Some(newest) = newest.filter(|_| submitted.fresh) {
        newest.supersede(&state.tasks, &state.tracker, &submitted.id);
    }
    Ok(run::ack(state, submitted))
}

fn nothing(message: &str, event: &str) -> Response {
    Json(json!({"message": message, "event": event})).into_response()
}

/// The values of a route; `None` when it lacks some and skips then.
///
/// # Errors
/// 422 with all places the payload does not have, unless the route says otherwise.
fn fill(route: &Route, payload: &Value) -> Result<Option<IndexMap<String, String>>, Problem> {
    let mut missing = Vec::new();
    let args = route.args.iter();
    let filled = args.map(|(name, places)| (name.clone(), places.fill(payload, &mut missing))).collect();
    match route.on_missing {
        _ if missing.is_empty() => Ok(Some(filled)),
        OnMissing::Empty => Ok(Some(filled)),
        OnMissing::Skip => Ok(None),
        OnMissing::Error => Err(Problem::unfit(format!("the delivery has no `{}`", missing.join("`, `")))),
    }
}

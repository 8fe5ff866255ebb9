//! `POST /webhook/github`: deliveries of GitHub start work.
//!
//! Anybody can reach this path, so nothing of a delivery is looked at before its signature has been verified, and
//! without a secret every delivery is refused.

mod payload;
mod route;
mod signature;
mod template;

use axum::{
    Json,
    body::Body,
    extract::State as Shared,
    http::{HeaderMap, HeaderName, StatusCode},
    response::{IntoResponse, Response},
};
use indexmap::IndexMap;
use serde_json::{Value, json};

pub use route::Config;

use super::{Problem, State, body, run};
use crate::{
    engine::{Order, delivery::Wish},
    tasks::Trigger,
};

const EVENT: HeaderName = HeaderName::from_static("x-github-event");
const DELIVERY: HeaderName = HeaderName::from_static("x-github-delivery");

/// Verifies a delivery, finds its route, submits the work, and answers before any of it is done.
pub(super) async fn github(
    Shared(state): Shared<State>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let config = state.runs.webhook();
    let (config, secret) =
        config.as_deref().and_then(|config| Some((config, config.secret.as_ref()?))).ok_or_else(|| {
            Problem::new(StatusCode::FORBIDDEN, "webhook-not-configured", "webhook secret not configured")
        })?;
    let bytes = body::read(&headers, body).await?;
    if !signature::is_of(secret, &headers, &bytes) {
        return Err(Problem::new(StatusCode::UNAUTHORIZED, "invalid-signature", "invalid signature"));
    }
    let event = run::visible(&headers, &EVENT)?
        .ok_or_else(|| Problem::unreadable("missing X-GitHub-Event header"))?;
    if event == "ping" {
        return Ok(Json(json!({"message": "pong"})).into_response());
    }
    let payload = Value::Object(payload::parse(&headers, &bytes)?);
    let Some(route) = config.route(event, &payload) else {
        return Ok(Json(json!({"message": "no matching route", "event": event})).into_response());
    };
    // GitHub sends the same id again when a delivery is repeated, by itself or by hand.
    let delivery = run::visible(&headers, &DELIVERY)?
        .ok_or_else(|| Problem::unreadable("missing X-GitHub-Delivery header"))?;
    let order = Order {
        kind: route.target.kind,
        target: route.target.name.clone(),
        args: fill(&route.args, &payload)?,
        model: None,
        trigger: Trigger::GITHUB,
        caller: Some("github".to_owned()),
        idempotency_key: Some(format!("github:{delivery}")),
    };
    let mut new = state.runs.plan(order).await?;
    Wish::add(config.wishes(route, &payload), &mut new);
    let submitted = state.tasks.submit(new).await?;
    Ok(run::ack(&state, submitted))
}

/// Fills the templates of a route; all places the payload does not have are reported at once.
fn fill(args: &IndexMap<String, String>, payload: &Value) -> Result<IndexMap<String, String>, Problem> {
    let mut missing = Vec::new();
    let filled = args
        .iter()
        .map(|(name, value)| (name.clone(), template::fill(value, payload, &mut missing)))
        .collect();
    if missing.is_empty() {
        return Ok(filled);
    }
    Err(Problem::unfit(format!("the delivery has no `{}`", missing.join("`, `"))))
}

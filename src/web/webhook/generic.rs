//! `POST /webhook` and `POST /webhook/openclaw`: whoever is told to start something names it.
//!
//! With the headers of Standard Webhooks the signature is what is verified; without them the bearer token was.

use axum::{
    Extension,
    body::Body,
    extract::State as Shared,
    http::{HeaderMap, StatusCode},
    response::Response,
};
use serde_json::{Map, Value};

use super::{before, invalid_signature, standard};
use crate::{
    base::{clock, text},
    defs::TargetKind,
    engine::{Order, delivery::Wish},
    tasks::Trigger,
    tools::{self, Caller},
    web::{Problem, State, body, order::RunRequest, run},
};

/// What a call may say; `stream` is not among it, as there is nobody to read along.
pub(in crate::web) const KEYS: [&str; 12] = [
    "target_type",
    "target_name",
    "args",
    "sync",
    "model",
    "deliver",
    "timeout_seconds",
    "deadline_seconds",
    "agent_id",
    "priority",
    "max_cost_usd",
    "max_tokens",
];

/// `POST /webhook`: a pipeline, unless the body says otherwise.
pub(in crate::web) async fn any(
    Shared(state): Shared<State>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    start(&state, &caller, Trigger::named("webhook"), TargetKind::Pipeline, &headers, body).await
}

/// `POST /webhook/openclaw`: an employee, unless the body says otherwise.
pub(in crate::web) async fn openclaw(
    Shared(state): Shared<State>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    start(&state, &caller, Trigger::named("openclaw"), TargetKind::Employee, &headers, body).await
}

async fn start(
    state: &State,
    caller: &Caller,
    trigger: Trigger,
    default: TargetKind,
    headers: &HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let bytes = body::read(body).await?;
    let config = state.runs.webhook();
    let mut signed = None;
    if standard::is_signed("/webhook", headers) {
        let secret = config.as_deref().and_then(|config| config.generic_secret.as_ref());
        signed =
            Some(standard::verified(secret.ok_or_else(invalid_signature)?, headers, &bytes, clock::now())?);
    }
    let key = match signed {
        Some(id) => Some(format!("webhook:{id}")),
        None => run::idempotency_key(headers, caller)?,
    };
    if let (Some(key), true) = (&key, signed.is_some())
        && let Some(id) = state.deliveries.known(key, &state.tasks).await
    {
        return Ok(before(state, id));
    }
    let mut object = body::json(headers, &bytes)?;
    let (kind, target) = target(&mut object, default)?;
    let known = |key: &str| key == "stream" || KEYS.contains(&key) || text::closest(key, KEYS).is_some();
    object.retain(|key, _| known(key));
    let request = RunRequest::parse(object)?;
    if request.stream {
        return Err(Problem::unfit("a webhook cannot be streamed; use `sync` or follow `/tasks/{id}`"));
    }
    let wishes = state.runs.wishes(&request.deliver)?;
    let order = Order {
        kind,
        target,
        args: request.args.clone(),
        model: request.model.clone(),
        trigger,
        caller: Some(if signed.is_some() { "webhook".to_owned() } else { caller.name().to_owned() }),
        idempotency_key: key.clone(),
    };
    let mut new = state.runs.plan(order).await?;
    Wish::add(wishes, &mut new);
    request.put(&mut new);
    let submitted = tools::accept(&state.tasks, new).await?;
    if let (Some(key), true) = (&key, signed.is_some()) {
        state.deliveries.note(key, &submitted.id).await;
    }
    if request.sync { run::finish(state, &submitted.id).await } else { Ok(run::ack(state, submitted)) }
}

/// What is to be started.
///
/// # Errors
/// 400 when it is not named, or is of no kind there is.
fn target(object: &mut Map<String, Value>, default: TargetKind) -> Result<(TargetKind, String), Problem> {
    let missing = || Problem::unreadable("missing target_name");
    let kind = match object.shift_remove("target_type") {
        None | Some(Value::Null) => default,
        Some(other) => {
            let known = TargetKind::ALL.into_iter().find(|kind| other == kind.as_str());
            known.ok_or_else(|| {
                let other = text::truncate(&other.to_string(), 100);
                let message =
                    format!("`target_type` must be `employee`, `pipeline` or `discussion`, not {other}");
                Problem::new(StatusCode::BAD_REQUEST, "unknown-target-type", message)
            })?
        }
    };
    match object.shift_remove("target_name") {
        None | Some(Value::Null) => Err(missing()),
        Some(Value::String(name)) if name.trim().is_empty() => Err(missing()),
        Some(Value::String(name)) => Ok((kind, name)),
        Some(other) => {
            let message = format!("`target_name` must be a text, not {}", body::a_kind(&other));
            Err(Problem::unreadable(message))
        }
    }
}

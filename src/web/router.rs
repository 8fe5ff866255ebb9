//! Every route and every layer.

use std::sync::Arc;

use axum::{
    Router, middleware,
    routing::{get, post},
};
use tower::ServiceBuilder;
use tower_http::catch_panic::CatchPanicLayer;

use super::{
    State, again, approve, auth, delivery, origin, problem, resource, run, status, task, trace, webhook,
};

/// The bridge, with `mounted` (the routes of other surfaces, for instance `/mcp`) behind the same layers.
///
/// A request passes, from the outside: trace id and span; where there is no token, the names in Host and Origin; where
/// there is one, the bearer token (not for `/health` and `/webhook/github`); panics become a problem; route. Unknown
/// paths are asked for the token as well, so that a stranger learns nothing.
///
/// # Panics
/// When `mounted` has a route of the same path: a mistake in the program.
pub fn router(state: State, mounted: Router) -> Router {
    let token = state.token.clone();
    let names = token.is_none().then(|| Arc::clone(&state.hosts));
    let guard = auth::Guard::new(token, state.resource.as_ref());
    let metadata = state.resource.clone().map(|resource| {
        let paths = [resource::PATH.to_owned(), format!("{}/mcp", resource::PATH)];
        paths
            .iter()
            .fold(Router::new(), |router, path| router.route(path, get(resource::metadata)))
            .with_state(resource)
    });
    Router::new()
        .route("/health", get(status::health))
        .route("/metrics", get(status::metrics))
        .route("/metrics/prometheus", get(status::prometheus))
        .route("/cron/status", get(status::cron))
        .route("/run/employee/{name}", post(run::employee))
        .route("/run/pipeline/{name}", post(run::pipeline))
        .route("/tasks", get(task::list))
        .route("/tasks/{id}", get(task::get))
        .route("/tasks/{id}/approve", post(approve::approve))
        .route("/deliveries", get(delivery::list))
        .route("/deliveries/{id}/redeliver", post(delivery::redeliver))
        .route("/tasks/{id}/cancel", post(again::cancel))
        .route("/tasks/{id}/resume", post(again::resume))
        .route("/tasks/{id}/replay", post(again::replay))
        .route("/tasks/{id}/fork", post(again::fork))
        .route("/webhook/github", post(webhook::github))
        .with_state(state)
        .merge(metadata.unwrap_or_default())
        .merge(mounted)
        .fallback(problem::no_route)
        .method_not_allowed_fallback(problem::no_method)
        .layer(
            ServiceBuilder::new()
                .layer(middleware::from_fn(trace::layer))
                .layer(middleware::from_fn_with_state(names, origin::layer))
                .layer(middleware::from_fn_with_state(guard, auth::layer))
                .layer(CatchPanicLayer::custom(problem::panicked)),
        )
}

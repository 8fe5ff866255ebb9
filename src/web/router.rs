//! Every route and every layer.

use std::sync::Arc;

use axum::{
    Extension, Router, middleware,
    routing::{MethodRouter, get, post},
};
use tower::{ServiceBuilder, util::option_layer};
use tower_http::catch_panic::CatchPanicLayer;

use super::{
    Bridge, State, again, approve, auth, cors, cost, delivery, evaluation, events,
    load::{self, Load},
    memory, openapi, origin, plan, problem, query,
    rate::{self, Budgets},
    ready, record, resource, run, skill, status, task, tools,
    trace::{self, Refusals},
    webhook,
};

/// The bridge, with `mounted` (the routes of other surfaces, for instance `/mcp`) behind the same layers.
///
/// A request passes, from the outside: trace id, span and the headers of every answer; the pages of other origins;
/// what could be understood in two ways; the address it comes from, and how often that may ask; where there is no
/// token, the names in Host and Origin; where there is one, the bearer token; a place among those that are worked on;
/// panics become a problem; for the bridge's own routes, the bounds of bodies; route. Unknown paths are asked for the
/// token as well, so that a stranger learns nothing. What probes ask takes a shorter way.
///
/// # Panics
/// When `mounted` has a route of the same path: a mistake in the program.
pub fn bridge(state: State, mounted: Router) -> Bridge {
    let limits = Arc::clone(&state.limits);
    let guarded = state.access.is_guarded();
    let names = (!guarded).then(|| Arc::clone(&state.hosts));
    let (denials, shared) = (Arc::clone(&state.denials), limits.shared.clone());
    let guard = auth::Guard::new(state.access.clone(), state.resource.as_ref(), denials, shared);
    let (budgets, load) = (Arc::new(Budgets::new(&limits, guarded)), Arc::new(Load::new(&limits)));
    let known = Extension(guard.clone());
    let cors = cors::layer(&limits.cors_origins);
    let layers = ServiceBuilder::new()
        .layer(middleware::from_fn_with_state(Arc::new(Refusals::default()), trace::layer))
        .layer(option_layer(cors.clone()))
        .layer(middleware::from_fn(load::plain))
        .layer(middleware::from_fn_with_state(budgets, rate::layer))
        .layer(middleware::from_fn_with_state(names, origin::layer))
        .layer(middleware::from_fn_with_state(guard, auth::layer))
        .layer(middleware::from_fn_with_state(Arc::clone(&load), load::layer))
        .layer(CatchPanicLayer::custom(problem::panicked));
    let probes = Router::new()
        .route("/health", get(status::health))
        .route("/healthz", get(ready::healthz))
        .route("/readyz", get(ready::readyz).layer(known))
        .with_state(state.clone())
        .method_not_allowed_fallback(problem::no_method)
        .layer(ServiceBuilder::new().layer(middleware::from_fn(trace::quiet)).layer(option_layer(cors)));
    let router = own(state)
        .layer(middleware::from_fn(query::layer))
        .layer(middleware::from_fn_with_state(load, load::body))
        .merge(mounted)
        .fallback(problem::no_route)
        .method_not_allowed_fallback(problem::no_method)
        .layer(layers)
        .merge(probes);
    Bridge::new(router)
}

/// The routes of the bridge itself.
fn own(state: State) -> Router {
    let metadata = state.resource.clone().map(|resource| {
        let paths = [resource::PATH.to_owned(), format!("{}/mcp", resource::PATH)];
        paths
            .iter()
            .fold(Router::new(), |router, path| router.route(path, get(resource::metadata)))
            .with_state(resource)
    });
    routes().router.with_state(state).merge(metadata.unwrap_or_default())
}

/// Routes, and the list of their paths: what is described has to be what there is.
struct Routes {
    router: Router<State>,
    #[cfg(test)]
    paths: Vec<&'static str>,
}

impl Routes {
    fn new() -> Self {
        Self {
            router: Router::new(),
            #[cfg(test)]
            paths: Vec::new(),
        }
    }

    fn route(mut self, path: &'static str, method: MethodRouter<State>) -> Self {
        self.router = self.router.route(path, method);
        #[cfg(test)]
        self.paths.push(path);
        self
    }
}

/// The paths of the routes.
#[cfg(test)]
pub(super) fn paths() -> Vec<&'static str> {
    routes().paths
}

fn routes() -> Routes {
    Routes::new()
        .route("/metrics", get(status::metrics))
        .route("/metrics/prometheus", get(status::prometheus))
        .route("/cron/status", get(status::cron))
        .route("/run/employee/{name}", post(run::employee))
        .route("/run/pipeline/{name}", post(run::pipeline))
        .route("/run/discussion/{name}", post(run::discussion))
        .route("/api/cost/summary", get(cost::summary))
        .route("/api/plan/{kind}/{name}", get(plan::plan))
        .route("/tasks", get(task::list))
        .route("/tasks/{id}", get(task::get))
        .route("/tasks/{id}/approve", post(approve::approve))
        .route("/deliveries", get(delivery::list))
        .route("/deliveries/{id}/redeliver", post(delivery::redeliver))
        .route("/webhook", post(webhook::any))
        .route("/tasks/{id}/cancel", post(again::cancel))
        .route("/tasks/{id}/resume", post(again::resume))
        .route("/tasks/{id}/replay", post(again::replay))
        .route("/tasks/{id}/fork", post(again::fork))
        .route("/webhook/github", post(webhook::github))
        .route("/webhook/openclaw", post(webhook::openclaw))
        .route("/tasks/{id}/events", get(events::follow))
        .route("/api/tools", get(tools::list))
        .route("/api/tools/{name}", post(tools::call))
        .route("/api/memory", get(memory::query).post(memory::add))
        .route("/api/memory/search", get(memory::search))
        .route("/api/memory/recall-feedback", post(memory::rate))
        .route("/api/skills", get(skill::list))
        .route("/api/skills/stats", get(skill::stats))
        .route("/api/skills/check-triggers", post(skill::check))
        .route("/api/decisions", get(evaluation::decisions))
        .route("/api/calibration", get(evaluation::calibration))
        .route("/api/employees", get(tools::employees))
        .route("/api/employees/{name}", get(tools::employee))
        .route("/api/pipelines", get(tools::pipelines))
        .route("/api/discussions", get(tools::discussions))
        .route("/api/sessions", get(record::sessions))
        .route("/api/sessions/{id}", get(record::session))
        .route("/api/logs", get(record::logs))
        .route("/api/logs/{id}", get(record::log))
        .route("/api/meetings", get(record::meetings))
        .route("/api/meetings/{id}", get(record::meeting))
        .route("/openapi.json", get(openapi::document))
        .route("/docs", get(openapi::page))
}

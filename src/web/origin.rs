//! Keeps web pages away from a server that asks for no token: a page elsewhere can make a browser on this machine send
//! requests here, and a name of its own point here.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::{HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::{Problem, auth};
use crate::base::HostNames;

/// Refuses a request under a name that is not this server's. `None` refuses nothing: the token does.
pub(super) async fn layer(
    State(names): State<Option<Arc<HostNames>>>,
    request: Request,
    next: Next,
) -> Response {
    let open = auth::is_open(request.uri().path());
    if let Some(names) = names.filter(|_| !open) {
        let known = |value: &HeaderValue| value.to_str().is_ok_and(|text| names.allow(text));
        let headers = request.headers();
        let all = |name| headers.get_all(name).into_iter().all(known);
        if !all(header::HOST) || !all(header::ORIGIN) {
            return Problem::new(
                StatusCode::FORBIDDEN,
                "host-not-allowed",
                "this server asks for no token, so it is served under its own names only; set a token, or add the name \
                 with --allow-host",
            )
            .into_response();
        }
    }
    next.run(request).await
}

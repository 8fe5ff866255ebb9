//! The bridge as a socket is served with it: what is asked most often and needs least is answered before it is routed.

use std::{
    convert::Infallible,
    future::{Future, ready},
    sync::Arc,
};

use axum::{
    Router,
    body::{Body, Bytes},
    http::{HeaderMap, HeaderValue, Method, Request, header},
    response::Response,
};
use futures_util::{FutureExt, future::Either};
use metrics::{Counter, counter};
use tower::Service;

use super::{
    Peer, status,
    trace::{self, begun},
};
use crate::base::{TraceId, metric};

/// All that this program answers over HTTP. Clones share it.
#[derive(Debug, Clone)]
pub struct Bridge {
    router: Router,
    health: Arc<Health>,
}

impl Bridge {
    pub(super) fn new(router: Router) -> Self {
        Self { router: router.with_state(()), health: Arc::new(Health::new()) }
    }

    /// The answer to `request`, which `peer` has sent.
    pub fn answer<B>(
        &self,
        peer: Peer,
        mut request: Request<B>,
    ) -> impl Future<Output = Response> + Send + use<B>
    where
        B: http_body::Body<Data = Bytes, Error: Into<axum::BoxError>> + Send + 'static,
    {
        if let Some(answer) = self.health.answer(&request) {
            return Either::Left(ready(answer));
        }
        request.extensions_mut().insert(peer);
        let answer = self.router.clone().call(request.map(Body::new));
        Either::Right(answer.map(|answer| answer.unwrap_or_else(|never: Infallible| match never {})))
    }
}

/// Whether the program lives: probes ask it all day, from many places, and the answer is always the same.
#[derive(Debug)]
struct Health {
    /// Those of every answer; the id differs.
    headers: HeaderMap,
    /// How often it was told. Finding the measure by its labels takes as long as the answer.
    told: Counter,
}

impl Health {
    const PATH: &str = "/health";

    fn new() -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        trace::finish(&mut headers, TraceId::generate());
        let told =
            counter!(metric::HTTP_REQUESTS, "method" => "GET", "route" => Self::PATH, "status" => "200");
        Self { headers, told }
    }

    /// The answer, if it is all that `request` asks for. Pages of other origins, other methods and what is not quite
    /// that path go the way of all others.
    fn answer<B>(&self, request: &Request<B>) -> Option<Response> {
        let asked = request.headers();
        if request.uri().path() != Self::PATH
            || request.method() != Method::GET
            || asked.contains_key(header::ORIGIN)
        {
            return None;
        }
        let id = begun(asked).map_or_else(TraceId::generate, |(id, _)| id);
        let mut answer = Response::new(Body::from(status::HEALTHY));
        *answer.headers_mut() = self.headers.clone();
        answer.headers_mut().insert(trace::HEADER, trace::value(id));
        self.told.increment(1);
        Some(answer)
    }
}

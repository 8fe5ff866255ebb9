//! Keeps a request from taking more than its share: of bytes, of places, of time.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    body::{Body, Bytes},
    extract::{Request, State},
    http::{HeaderMap, StatusCode, Version, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use http_body::{Body as _, Frame, SizeHint};
use tokio::{sync::Semaphore, time::Sleep};

use super::{Limits, Problem};

/// Longest path with its query, in bytes.
const URI: usize = 8 << 10;
/// What a handler that keeps to `request_time` by itself may take longer.
const GRACE: Duration = Duration::from_secs(15);

/// Places for requests, and their limits.
#[derive(Debug)]
pub(super) struct Load {
    places: Semaphore,
    limits: Arc<Limits>,
}

impl Load {
    pub(super) fn new(limits: &Arc<Limits>) -> Self {
        let places = Semaphore::new(limits.requests.min(Semaphore::MAX_PERMITS));
        Self { places, limits: Arc::clone(limits) }
    }
}

/// Refuses what two readers could understand in two ways: that is how requests are smuggled past a proxy. A length that
/// stands beside chunks may not be seen here: the server reads by the chunks then, as the standard has it, and closes the
/// connection after its answer.
pub(super) async fn plain(request: Request, next: Next) -> Response {
    let headers = request.headers();
    let ambiguous = headers.get_all(header::HOST).iter().nth(1).is_some()
        || (headers.contains_key(header::TRANSFER_ENCODING)
            && (headers.contains_key(header::CONTENT_LENGTH)
                || request.version() < Version::HTTP_11
                || !is_chunked(headers)));
    let nowhere = request.version() == Version::HTTP_11
        && !headers.contains_key(header::HOST)
        && request.uri().authority().is_none();
    if ambiguous || nowhere {
        let text = if ambiguous {
            "the request says twice where it goes, or how long it is"
        } else {
            "the request does not say where it goes: send `Host`"
        };
        return Problem::unreadable(text).with(header::CONNECTION, CLOSE).into_response();
    }
    if request.uri().path_and_query().is_some_and(|path| path.as_str().len() > URI) {
        let text = format!("a path with its query has at most {URI} bytes");
        return Problem::new(StatusCode::URI_TOO_LONG, "uri-too-long", text).into_response();
    }
    next.run(request).await
}

/// Whether a body is chunked once, and nothing else is done to it.
fn is_chunked(headers: &HeaderMap) -> bool {
    let values = headers.get_all(header::TRANSFER_ENCODING).iter();
    let codings: Vec<&[u8]> = values.flat_map(|value| value.as_bytes().split(|byte| *byte == b',')).collect();
    matches!(codings[..], [only] if only.trim_ascii().eq_ignore_ascii_case(b"chunked"))
}

const CLOSE: axum::http::HeaderValue = axum::http::HeaderValue::from_static("close");

/// Gives a request one of the places, and takes it away when the answer has not begun in time.
pub(super) async fn layer(State(load): State<Arc<Load>>, request: Request, next: Next) -> Response {
    let Ok(_place) = load.places.try_acquire() else {
        return Problem::unavailable("the server is busy; try again later", None).into_response();
    };
    let serving = tokio::time::timeout(load.limits.request_time + GRACE, next.run(request));
    serving.await.unwrap_or_else(|_| {
        let text = "this took too long and was given up; what was accepted goes on";
        Problem::unavailable(text, None).into_response()
    })
}

/// Bounds the body, whoever reads it.
pub(super) async fn body(State(load): State<Arc<Load>>, request: Request, next: Next) -> Response {
    let limit = load.limits.body_bytes;
    let declared = request.headers().get(header::CONTENT_LENGTH);
    let declared = declared.and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    // A declared length is believed only when it is too large.
    if declared.is_some_and(|length| length > limit as u64) {
        return too_large(limit).with(header::CONNECTION, CLOSE).into_response();
    }
    let time = load.limits.body_time;
    let request = request.map(|inner| {
        if inner.is_end_stream() {
            return inner;
        }
        Body::new(Bounded { inner, left: limit, limit, timer: Box::pin(tokio::time::sleep(time)) })
    });
    next.run(request).await
}

/// A body that ends with an error when it is too long or too slow.
struct Bounded {
    inner: Body,
    left: usize,
    limit: usize,
    timer: Pin<Box<Sleep>>,
}

/// Why a body was not read to its end.
#[derive(Debug, thiserror::Error)]
pub(super) enum Broken {
    /// It has more than so many bytes.
    #[error("a body has at most {0} bytes")]
    TooLarge(usize),
    /// It did not arrive in time.
    #[error("the body took too long to arrive")]
    TooSlow,
    /// The connection broke.
    #[error("the body broke off")]
    Off(#[source] axum::Error),
}

impl http_body::Body for Bounded {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let bounded = self.get_mut();
        match Pin::new(&mut bounded.inner).poll_frame(context) {
            Poll::Ready(Some(Ok(frame))) => {
                let length = frame.data_ref().map_or(0, Bytes::len);
                Poll::Ready(Some(match bounded.left.checked_sub(length) {
                    Some(left) => {
                        bounded.left = left;
                        Ok(frame)
                    }
                    None => Err(Broken::TooLarge(bounded.limit)),
                }))
            }
            Poll::Ready(Some(Err(error))) => Poll::Ready(Some(Err(Broken::Off(error)))),
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Pending => bounded.timer.as_mut().poll(context).map(|()| Some(Err(Broken::TooSlow))),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl From<Broken> for Problem {
    fn from(broken: Broken) -> Self {
        match broken {
            Broken::TooLarge(limit) => too_large(limit),
            Broken::TooSlow => {
                Self::new(StatusCode::REQUEST_TIMEOUT, "request-timeout", "the body took too long to arrive")
            }
            Broken::Off(_) => Self::unreadable("the body broke off"),
        }
    }
}

fn too_large(limit: usize) -> Problem {
    let text = format!("request too large: a body has at most {limit} bytes");
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", text)
}

//! HTTP/1.1 on a socket: connections that are bounded in number and in time, and come to an end when the program does.
//!
//! The stock server of axum has no say in how long a client may take to send a head, nor in how many headers it may have.

mod wire;

use std::{convert::Infallible, io, net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use futures_util::FutureExt;
use hyper::{Request, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
};

use self::wire::Wire;
use crate::{
    base::Tracker,
    web::{Bridge, Peer},
};

/// How connections are bounded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bounds {
    /// Most connections; those that come later wait until one is free.
    pub(super) connections: usize,
    /// Longest time for the head of a request, and between two requests.
    pub(super) head_time: Duration,
    /// Longest time that a client may leave its answer unread.
    pub(super) unread_time: Duration,
    /// Most headers of a request.
    pub(super) headers: usize,
    /// Most bytes of the head of a request.
    pub(super) head_bytes: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            connections: 4096,
            head_time: Duration::from_secs(20),
            unread_time: Duration::from_mins(1),
            headers: 100,
            head_bytes: 32 << 10,
        }
    }
}

/// After a failure that is not the client's: descriptors have run out, and some are given back meanwhile.
const PAUSE: Duration = Duration::from_secs(1);

/// Serves `bridge` on `listener` until `tracker` stops. Each connection is one of the tracker's futures: it is closed
/// once its request has been answered.
pub(super) async fn serve(listener: TcpListener, bridge: Bridge, bounds: Bounds, tracker: &Tracker) {
    let stopping = tracker.stopping().clone();
    let places = Arc::new(Semaphore::new(bounds.connections.min(Semaphore::MAX_PERMITS)));
    loop {
        let accepted = async {
            let place = Arc::clone(&places).acquire_owned().await.expect("nobody closes it");
            (listener.accept().await, place)
        };
        let (accepted, place) = tokio::select! {
            biased;
            () = stopping.cancelled() => return,
            accepted = accepted => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                let connection = Connection { stream, peer, bridge: bridge.clone(), bounds };
                tracker.spawn(connection.run(tracker.clone(), place));
            }
            Err(error) if is_of_client(&error) => {}
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted; trying again");
                tokio::select! {
                    biased;
                    () = stopping.cancelled() => return,
                    () = tokio::time::sleep(PAUSE) => {}
                }
            }
        }
    }
}

fn is_of_client(error: &io::Error) -> bool {
    use io::ErrorKind as Kind;
    matches!(error.kind(), Kind::ConnectionRefused | Kind::ConnectionAborted | Kind::ConnectionReset)
}

struct Connection {
    stream: TcpStream,
    peer: SocketAddr,
    bridge: Bridge,
    bounds: Bounds,
}

impl Connection {
    async fn run(self, tracker: Tracker, _place: OwnedSemaphorePermit) {
        let Self { stream, peer, bridge, bounds } = self;
        // Without this, an answer written in two parts waits for the client's acknowledgement of the first.
        let _ = stream.set_nodelay(true);
        let service = service_fn(move |request: Request<Incoming>| {
            bridge.answer(Peer(peer), request).map(Ok::<_, Infallible>)
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(bounds.head_time)
            .max_headers(bounds.headers)
            .max_header_size(bounds.head_bytes)
            .serve_connection(TokioIo::new(Wire::new(stream, bounds.unread_time)), service);
        let mut connection = pin!(connection);
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = tracker.stopping().cancelled() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%peer, %error, "a connection ended early");
        }
    }
}

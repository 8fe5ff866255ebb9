//! One session: it lives as long as the stream that opened it.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use futures_util::Stream;
use parking_lot::Mutex;
use tokio::sync::Semaphore;
use tokio_util::sync::WaitForCancellationFutureOwned;

use super::{Endpoint, queue::Queue};
use crate::{
    mcp::http::{
        sessions::Open,
        silence::{COMMENT, Silence},
        streams::Budget,
    },
    protocol::{Server, Session, bus::Listening},
};

/// Most requests of one session that are answered at once.
pub(super) const CALLS: usize = 256;

/// A session, and what it has to say.
pub(super) struct Channel {
    pub(super) session: Arc<Session>,
    pub(super) queue: Arc<Queue>,
    /// Places for requests; one is taken until its answer is in the queue.
    pub(super) calls: Arc<Semaphore>,
    following: Mutex<Following>,
}

/// Whether the client is told of changes.
enum Following {
    NotYet,
    Begun { _listening: Option<Listening> },
    Over,
}

impl Channel {
    pub(super) fn new(budget: Arc<Budget>) -> Self {
        Self {
            session: Arc::new(Session::new()),
            queue: Arc::new(Queue::new(budget)),
            calls: Arc::new(Semaphore::new(CALLS)),
            following: Mutex::new(Following::NotYet),
        }
    }

    /// Tells the client of changes from now on, if it has greeted.
    pub(super) fn follow(&self, server: &Server) {
        let mut following = self.following.lock();
        if matches!(*following, Following::NotYet) && self.session.version().is_some() {
            let listening = server.follow(&self.session, Arc::clone(&self.queue) as _);
            *following = Following::Begun { _listening: listening };
        }
    }

    /// Whether a request waits for its answer.
    fn is_busy(&self) -> bool {
        self.calls.available_permits() < CALLS
    }
}

impl Open for Channel {
    fn end(&self) {
        let following = std::mem::replace(&mut *self.following.lock(), Following::Over);
        drop(following);
        self.session.cancel_all();
        self.queue.close();
    }

    fn is_live(&self) -> bool {
        self.is_busy()
    }
}

/// The stream: the body of the response that opened the session. Dropping it ends the session.
pub(super) struct Events {
    endpoint: Arc<Endpoint<Channel>>,
    channel: Arc<Channel>,
    id: String,
    principal: Option<Arc<str>>,
    /// What the stream begins with.
    first: Option<String>,
    silence: Silence,
    ending: Pin<Box<WaitForCancellationFutureOwned>>,
}

impl Events {
    /// The stream of the session `id`, which begins with the event `first`.
    pub(super) fn new(
        endpoint: &Arc<Endpoint<Channel>>,
        channel: Arc<Channel>,
        id: String,
        principal: Option<Arc<str>>,
        first: String,
    ) -> Self {
        Self {
            silence: Silence::new(endpoint.keep_alive),
            ending: Box::pin(endpoint.tracker.stopping().clone().cancelled_owned()),
            endpoint: Arc::clone(endpoint),
            channel,
            id,
            principal,
            first: Some(first),
        }
    }
}

impl Stream for Events {
    type Item = Result<Bytes, Infallible>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let events = self.get_mut();
        if let Some(first) = events.first.take() {
            return Poll::Ready(Some(Ok(first.into())));
        }
        // Looked at before the queue: what was busy just now may have its answer in there.
        let busy = events.channel.is_busy();
        if let Poll::Ready(said) = events.channel.queue.poll_events(context) {
            events.silence.broken();
            return Poll::Ready(said.map(|said| Ok(said.into())));
        }
        // When the server ends, what runs may still be answered.
        if events.ending.as_mut().poll(context).is_ready() && !busy {
            return Poll::Ready(None);
        }
        events.silence.poll(context).map(|()| Some(Ok(Bytes::from_static(COMMENT.as_bytes()))))
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        self.channel.end();
        self.endpoint.sessions.close(&self.id, self.principal.as_ref());
    }
}

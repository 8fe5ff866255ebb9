//! Where the notifications of one HTTP request wait for its response.

use std::{
    collections::VecDeque,
    task::{Context, Poll},
};

use futures_util::task::AtomicWaker;
use parking_lot::Mutex;

use crate::protocol::context::Outlet;

/// Most notifications that wait; what comes on top is dropped.
const LIMIT: usize = 256;

/// A queue that costs nothing until something is put into it.
#[derive(Default)]
pub(super) struct Outbox {
    queue: Mutex<VecDeque<String>>,
    waker: AtomicWaker,
}

impl Outbox {
    /// Takes what waits longest.
    pub(super) fn pop(&self) -> Option<String> {
        self.queue.lock().pop_front()
    }

    /// Takes what waits longest, or asks to be woken when something comes.
    pub(super) fn poll_pop(&self, context: &mut Context<'_>) -> Poll<String> {
        if let Some(message) = self.pop() {
            return Poll::Ready(message);
        }
        self.waker.register(context.waker());
        // It may have come while we were registering.
        self.pop().map_or(Poll::Pending, Poll::Ready)
    }
}

impl Outlet for Outbox {
    fn send(&self, message: String) -> bool {
        let mut queue = self.queue.lock();
        if queue.len() == LIMIT {
            tracing::debug!("a client reads too slowly; a notification was dropped");
            return false;
        }
        queue.push_back(message);
        drop(queue);
        self.waker.wake();
        true
    }
}

/// For messages that have no way back to the client.
pub(super) struct Nowhere;

impl Outlet for Nowhere {
    fn send(&self, _: String) -> bool {
        false
    }
}

//! Where what one HTTP request has to say waits for its response.

use std::{
    collections::VecDeque,
    task::{Context, Poll},
};

use futures_util::task::AtomicWaker;
use parking_lot::Mutex;

use crate::protocol::context::Outlet;

/// Most messages that wait; what comes on top is refused.
const LIMIT: usize = 256;
/// Most bytes that wait, unless a single message has more.
const BYTES: usize = 4 << 20;

/// Something to be said before the answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// This message.
    Message(String),
    /// Nothing more by this connection.
    HangUp,
}

/// A queue that costs nothing until something is put into it.
#[derive(Default)]
pub(super) struct Outbox {
    queue: Mutex<Queue>,
    waker: AtomicWaker,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Said>,
    bytes: usize,
    closed: bool,
}

impl Outbox {
    /// Takes what waits longest.
    pub(super) fn pop(&self) -> Option<Said> {
        let mut queue = self.queue.lock();
        let said = queue.waiting.pop_front()?;
        if let Said::Message(message) = &said {
            queue.bytes -= message.len();
        }
        Some(said)
    }

    /// Takes what waits longest, or asks to be woken when something comes.
    pub(super) fn poll_pop(&self, context: &mut Context<'_>) -> Poll<Said> {
        if let Some(said) = self.pop() {
            return Poll::Ready(said);
        }
        self.waker.register(context.waker());
        // It may have come while we were registering.
        self.pop().map_or(Poll::Pending, Poll::Ready)
    }

    /// Nobody will take anything any more.
    pub(super) fn close(&self) {
        *self.queue.lock() = Queue { closed: true, ..Queue::default() };
    }

    fn push(&self, said: Said) -> bool {
        let mut queue = self.queue.lock();
        let more = if let Said::Message(message) = &said { message.len() } else { 0 };
        let full = queue.waiting.len() >= LIMIT || (queue.bytes > 0 && queue.bytes + more > BYTES);
        if queue.closed || full {
            tracing::debug!("a client reads too slowly or has gone; a message was dropped");
            return false;
        }
        queue.bytes += more;
        queue.waiting.push_back(said);
        drop(queue);
        self.waker.wake();
        true
    }
}

impl Outlet for Outbox {
    fn send(&self, message: String) -> bool {
        self.push(Said::Message(message))
    }

    fn hang_up(&self) {
        self.push(Said::HangUp);
    }
}

/// For messages that have no way back to the client.
pub(super) struct Nowhere;

impl Outlet for Nowhere {
    fn send(&self, _: String) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_is_bounded() {
        let outbox = Outbox::default();
        assert!(outbox.send("x".repeat(BYTES * 2)), "one message always fits");
        assert!(!outbox.send("x".into()));
        assert!(outbox.pop().is_some());
        let taken = (0..LIMIT * 2).filter(|_| outbox.send("x".into())).count();
        assert_eq!(taken, LIMIT);
        outbox.close();
        assert_eq!(outbox.pop(), None);
        assert!(!outbox.send("x".into()));
    }
}

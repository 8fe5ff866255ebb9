//! What waits to be sent on the stream of one session: in the order it was said, and bounded.

use std::{
    collections::VecDeque,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use futures_util::task::AtomicWaker;
use parking_lot::Mutex;
use tokio::{sync::Notify, time::timeout};

use crate::{
    mcp::http::{exchange::event, streams::Budget},
    protocol::context::Outlet,
};

/// Most messages that wait.
const MESSAGES: usize = 1024;
/// Most bytes that wait, unless a single message has more.
const BYTES: usize = 4 << 20;
/// About as many bytes go out in one piece.
const PIECE: usize = 64 << 10;
/// How long an answer waits for a client that takes nothing.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// Why a message was not taken.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// Too much waits already; here it is back.
    Full(String),
    /// Nobody will take anything any more.
    Closed,
}

/// Messages on their way to one client.
pub(super) struct Queue {
    waiting: Mutex<Waiting>,
    budget: Arc<Budget>,
    reader: AtomicWaker,
    room: Notify,
}

#[derive(Default)]
struct Waiting {
    messages: VecDeque<String>,
    bytes: usize,
    closed: bool,
}

impl Queue {
    /// An empty queue, which counts what it holds against `budget`.
    pub(super) fn new(budget: Arc<Budget>) -> Self {
        Self { waiting: Mutex::default(), budget, reader: AtomicWaker::new(), room: Notify::new() }
    }

    /// Takes `message` if there is room.
    ///
    /// # Errors
    /// When there is none, or the queue is closed.
    pub(super) fn offer(&self, message: String) -> Result<(), Refused> {
        let mut waiting = self.waiting.lock();
        if waiting.closed {
            return Err(Refused::Closed);
        }
        let crowded = waiting.bytes + message.len() > BYTES || self.budget.is_spent();
        if waiting.messages.len() >= MESSAGES || (waiting.bytes > 0 && crowded) {
            return Err(Refused::Full(message));
        }
        self.budget.take(message.len());
        waiting.bytes += message.len();
        waiting.messages.push_back(message);
        drop(waiting);
        self.reader.wake();
        Ok(())
    }

    /// Takes `message` once there is room; tells whether it did. It does not when the client takes nothing for
    /// [`PATIENCE`], or the queue is closed.
    pub(super) async fn deliver(&self, mut message: String) -> bool {
        loop {
            let mut room = std::pin::pin!(self.room.notified());
            room.as_mut().enable();
            match self.offer(message) {
                Ok(()) => return true,
                Err(Refused::Closed) => return false,
                Err(Refused::Full(back)) => message = back,
            }
            if timeout(PATIENCE, room).await.is_err() {
                return false;
            }
        }
    }

    /// Takes what waits longest, as events; `None` when the queue is closed.
    pub(super) fn poll_events(&self, context: &Context<'_>) -> Poll<Option<String>> {
        self.reader.register(context.waker());
        let mut waiting = self.waiting.lock();
        if waiting.closed {
            return Poll::Ready(None);
        }
        let (mut events, mut taken) = (String::new(), 0);
        while events.len() < PIECE
            && let Some(message) = waiting.messages.pop_front()
        {
            taken += message.len();
            events.push_str(&event(&message));
        }
        if events.is_empty() {
            return Poll::Pending;
        }
        waiting.bytes -= taken;
        drop(waiting);
        self.budget.give(taken);
        self.room.notify_waiters();
        Poll::Ready(Some(events))
    }

    /// Has the reader look again.
    pub(super) fn wake(&self) {
        self.reader.wake();
    }

    /// Nothing more is taken or given; what waits is let go.
    pub(super) fn close(&self) {
        let gone =
            std::mem::replace(&mut *self.waiting.lock(), Waiting { closed: true, ..Waiting::default() });
        self.budget.give(gone.bytes);
        self.room.notify_waiters();
        self.reader.wake();
    }
}

impl Outlet for Queue {
    fn send(&self, message: String) -> bool {
        let sent = self.offer(message).is_ok();
        if !sent {
            tracing::debug!("a client reads too slowly or has gone; a message was dropped");
        }
        sent
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        self.budget.give(self.waiting.get_mut().bytes);
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use futures_util::FutureExt as _;

    use super::*;

    async fn taken(queue: &Queue) -> Option<String> {
        poll_fn(|context| queue.poll_events(context)).await
    }

    #[tokio::test]
    async fn what_waits_is_bounded_and_kept_in_order() {
        let queue = Queue::new(Arc::default());
        assert_eq!(queue.offer("x".repeat(BYTES * 2)), Ok(()), "one message always fits");
        assert_eq!(queue.offer("a".into()), Err(Refused::Full("a".into())));
        assert!(taken(&queue).await.unwrap().len() > BYTES * 2);
        let fitting = (0..MESSAGES * 2).filter(|number| queue.send(number.to_string())).count();
        assert_eq!(fitting, MESSAGES);
        assert!(
            taken(&queue)
                .await
                .unwrap()
                .starts_with("event: message\ndata: 0\n\nevent: message\ndata: 1\n\n")
        );
        queue.close();
        assert_eq!(queue.offer("a".into()), Err(Refused::Closed));
        assert_eq!(taken(&queue).await, None);
    }

    #[tokio::test]
    async fn all_queues_together_are_bounded() {
        let budget = Arc::<Budget>::default();
        let (one, other) = (Queue::new(Arc::clone(&budget)), Queue::new(Arc::clone(&budget)));
        assert_eq!(one.offer("x".repeat(65 << 20)), Ok(()));
        assert_eq!(other.offer("a".into()), Ok(()), "each may have one");
        assert_eq!(other.offer("b".into()), Err(Refused::Full("b".into())));
        drop(one);
        assert_eq!(other.offer("b".into()), Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_waits_for_room_but_not_for_ever() {
        let queue = Queue::new(Arc::default());
        assert!(queue.deliver("x".repeat(BYTES)).await);
        let mut late = Box::pin(queue.deliver("late".into()));
        assert!(late.as_mut().now_or_never().is_none());
        taken(&queue).await;
        assert!(late.await);
        assert_eq!(taken(&queue).await.unwrap(), "event: message\ndata: late\n\n");

        assert!(queue.deliver("x".repeat(BYTES)).await);
        assert!(!queue.deliver("never".into()).await, "nobody reads");
        let mut closed = Box::pin(queue.deliver("never".into()));
        assert!(closed.as_mut().now_or_never().is_none());
        queue.close();
        assert!(!closed.await);
    }
}

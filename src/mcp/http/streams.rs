//! The event streams of a session of the older era: what was said on each is kept for a while, so that a client that
//! lost its connection can come back for the rest.
//!
//! Source: MCP 2025-11-25, "Streamable HTTP", section on resumability and redelivery.

use std::{
    collections::{BTreeMap, VecDeque},
    convert::Infallible,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Waker},
    time::Duration,
};

use bytes::Bytes;
use futures_util::Stream as Events;
use parking_lot::Mutex;
use tokio_util::sync::WaitForCancellationFutureOwned;

use super::silence::{COMMENT, Silence};
use crate::protocol::{bus::Listening, context::Outlet};

/// Most events that are kept of one stream.
const EVENTS: usize = 256;
/// Most bytes of them, unless a single one has more.
const BYTES: usize = 1 << 20;
/// Most bytes of events that are kept in all; beyond that each stream keeps its last event only.
const BYTES_IN_ALL: usize = 64 << 20;
/// Streams that came to their end and are still kept.
const FINISHED: usize = 8;
/// When a client that lost its connection should come back.
const RETRY: Duration = Duration::from_millis(500);

/// Counts the bytes that all streams of an endpoint keep.
#[derive(Debug, Default)]
pub(super) struct Budget(AtomicUsize);

impl Budget {
    /// Counts `bytes` more; tells whether all is too much now.
    pub(super) fn take(&self, bytes: usize) -> bool {
        self.0.fetch_add(bytes, Ordering::Relaxed) + bytes > BYTES_IN_ALL
    }

    /// Counts `bytes` less.
    pub(super) fn give(&self, bytes: usize) {
        self.0.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Whether all is too much.
    pub(super) fn is_spent(&self) -> bool {
        self.0.load(Ordering::Relaxed) > BYTES_IN_ALL
    }
}

/// One stream.
pub(super) struct Stream {
    number: u64,
    budget: Arc<Budget>,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    events: VecDeque<(u64, String)>,
    bytes: usize,
    /// The number of the next event.
    next: u64,
    /// The first event that no connection has taken yet.
    unsent: u64,
    /// Counts the connections; only the newest is written to.
    connections: u64,
    connected: bool,
    /// The connection is to be closed before this event.
    hang_up: Option<u64>,
    finished: bool,
    waker: Option<Waker>,
}

impl Stream {
    fn new(number: u64, budget: Arc<Budget>) -> Self {
        Self { number, budget, kept: Mutex::default() }
    }

    /// Begins with an event that holds nothing, so that there is one to come back to.
    pub(super) fn prime(&self) {
        let retry = RETRY.as_millis();
        self.push(|id| format!("id: {id}\nretry: {retry}\ndata: \n\n"));
    }

    /// Says `message`.
    pub(super) fn say(&self, message: &str) {
        self.push(|id| format!("id: {id}\nevent: message\ndata: {message}\n\n"));
    }

    fn push(&self, event: impl FnOnce(&str) -> String) {
        let mut kept = self.kept.lock();
        if kept.finished {
            return;
        }
        let number = kept.next;
        let event = event(&format!("{}-{number}", self.number));
        kept.next += 1;
        kept.bytes += event.len();
        let spent = self.budget.take(event.len());
        kept.events.push_back((number, event));
        while kept.events.len() > 1 && (kept.events.len() > EVENTS || kept.bytes > BYTES || spent) {
            let Some((number, event)) = kept.events.pop_front() else { break };
            kept.bytes -= event.len();
            self.budget.give(event.len());
            if number >= kept.unsent {
                tracing::debug!("a client does not read its stream; an event was dropped");
            }
        }
        wake(kept);
    }

    /// Closes the connection after what was said so far; the stream goes on.
    pub(super) fn hang_up(&self) {
        let mut kept = self.kept.lock();
        kept.hang_up = Some(kept.next);
        wake(kept);
    }

    /// Nothing more will be said.
    pub(super) fn finish(&self) {
        let mut kept = self.kept.lock();
        kept.finished = true;
        wake(kept);
    }

    fn is_finished(&self) -> bool {
        self.kept.lock().finished
    }

    fn is_connected(&self) -> bool {
        self.kept.lock().connected
    }

    /// Connects to the stream, after the event `last`, or without one after what was taken before. An older connection
    /// is closed: it may be one that the client has lost, and each event goes to one connection.
    pub(super) fn connect(
        self: &Arc<Self>,
        last: Option<u64>,
        keep_alive: Duration,
        ending: Option<WaitForCancellationFutureOwned>,
    ) -> Connection {
        let mut kept = self.kept.lock();
        kept.connections += 1;
        kept.connected = true;
        kept.hang_up = None;
        let next = last.map_or(kept.unsent, |last| last.saturating_add(1));
        let number = kept.connections;
        wake(kept);
        let ending = ending.map(Box::pin);
        let silence = Silence::new(keep_alive);
        Connection { stream: Arc::clone(self), number, next, silence, ending }
    }
}

impl Outlet for Stream {
    fn send(&self, message: String) -> bool {
        self.say(&message);
        true
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.budget.give(self.kept.get_mut().bytes);
    }
}

/// Wakes the connection, outside the lock.
fn wake(mut kept: parking_lot::MutexGuard<'_, Kept>) {
    let waker = kept.waker.take();
    drop(kept);
    if let Some(waker) = waker {
        waker.wake();
    }
}

/// One connection that reads a stream: the body of a response.
pub(super) struct Connection {
    stream: Arc<Stream>,
    number: u64,
    next: u64,
    silence: Silence,
    ending: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
}

impl Connection {
    /// All events that are there, in one piece.
    fn poll_kept(&mut self, context: &Context<'_>) -> Poll<Option<String>> {
        let mut kept = self.stream.kept.lock();
        if kept.connections != self.number {
            return Poll::Ready(None);
        }
        let until = kept.hang_up.unwrap_or(u64::MAX);
        let mut events = String::new();
        for (number, event) in &kept.events {
            if (self.next..until).contains(number) {
                events.push_str(event);
            }
        }
        if !events.is_empty() {
            self.next = kept.next.min(until);
            kept.unsent = kept.unsent.max(self.next);
            return Poll::Ready(Some(events));
        }
        if kept.finished || kept.hang_up.is_some() {
            return Poll::Ready(None);
        }
        kept.waker = Some(context.waker().clone());
        Poll::Pending
    }
}

impl Events for Connection {
    type Item = Result<Bytes, Infallible>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let connection = self.get_mut();
        if let Poll::Ready(events) = connection.poll_kept(context) {
            connection.silence.broken();
            return Poll::Ready(events.map(|events| Ok(Bytes::from(events))));
        }
        if let Some(ending) = &mut connection.ending
            && ending.as_mut().poll(context).is_ready()
        {
            return Poll::Ready(None);
        }
        connection.silence.poll(context).map(|()| Some(Ok(Bytes::from_static(COMMENT.as_bytes()))))
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let mut kept = self.stream.kept.lock();
        if kept.connections == self.number {
            kept.connected = false;
            kept.waker = None;
        }
    }
}

/// The streams of one session.
pub(super) struct Streams {
    table: Mutex<Table>,
    budget: Arc<Budget>,
}

#[derive(Default)]
struct Table {
    last: u64,
    /// The answers of calls, by the numbers of their streams.
    calls: BTreeMap<u64, Arc<Stream>>,
    /// What belongs to no call, and what fills it.
    standalone: Option<(Arc<Stream>, Option<Listening>)>,
    closed: bool,
}

/// The number of the stream that belongs to no call.
const STANDALONE: u64 = 0;

impl Streams {
    pub(super) fn new(budget: Arc<Budget>) -> Self {
        Self { table: Mutex::default(), budget }
    }

    /// A stream for the answer of a call.
    pub(super) fn open(&self) -> Arc<Stream> {
        let mut table = self.table.lock();
        table.last += 1;
        let number = table.last;
        let stream = Arc::new(Stream::new(number, Arc::clone(&self.budget)));
        if table.closed {
            return stream;
        }
        let finished: Vec<u64> = table
            .calls
            .iter()
            .filter(|(_, stream)| stream.is_finished())
            .map(|(number, _)| *number)
            .collect();
        let kept = if self.budget.is_spent() { 0 } else { FINISHED - 1 };
        for number in finished.iter().rev().skip(kept) {
            table.calls.remove(number);
        }
        table.calls.insert(number, Arc::clone(&stream));
        stream
    }

    /// The stream that belongs to no call; `fill` sees to it that something is said there.
    pub(super) fn standalone(&self, fill: impl FnOnce(Arc<Stream>) -> Option<Listening>) -> Arc<Stream> {
        let mut table = self.table.lock();
        if let Some((stream, _)) = &table.standalone {
            return Arc::clone(stream);
        }
        let stream = Arc::new(Stream::new(STANDALONE, Arc::clone(&self.budget)));
        if table.closed {
            stream.finish();
        } else {
            table.standalone = Some((Arc::clone(&stream), fill(Arc::clone(&stream))));
        }
        stream
    }

    /// The stream that the event `id` is of, and the number of the event.
    pub(super) fn find(&self, id: &str) -> Option<(Arc<Stream>, u64)> {
        let (stream, event) = id.split_once('-')?;
        let (stream, event) = (stream.parse::<u64>().ok()?, event.parse::<u64>().ok()?);
        let table = self.table.lock();
        let found = match (stream, &table.standalone) {
            (STANDALONE, Some((standalone, _))) => standalone,
            (number, _) => table.calls.get(&number)?,
        };
        Some((Arc::clone(found), event))
    }

    /// Whether the client is reading something.
    pub(super) fn are_read(&self) -> bool {
        let table = self.table.lock();
        let standalone = table.standalone.iter().map(|(stream, _)| stream);
        standalone.chain(table.calls.values()).any(|stream| stream.is_connected())
    }

    /// Ends all of them, for good.
    pub(super) fn close(&self) {
        let table = std::mem::replace(&mut *self.table.lock(), Table { closed: true, ..Table::default() });
        let standalone = table.standalone.iter().map(|(stream, _)| stream);
        for stream in standalone.chain(table.calls.values()) {
            stream.finish();
        }
    }
}

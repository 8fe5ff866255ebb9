//! An answer told while it comes in.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use futures_util::{Stream, future::BoxFuture};
use tokio::sync::mpsc;

use crate::{
    base::clock::Stopwatch,
    llm::{Error, Event, Reply},
};

/// Pieces that may wait to be read before the provider has to.
const WAITING: usize = 16;

/// Where a call puts the text that comes in.
#[derive(Debug)]
pub(in crate::llm) struct Teller {
    listener: mpsc::Sender<String>,
    watch: Stopwatch,
    first: Option<std::time::Duration>,
}

impl Teller {
    /// Tells `text`, unless there is none, and waits while the listener has enough to read.
    pub(in crate::llm) async fn tell(&mut self, text: String) {
        if text.is_empty() {
            return;
        }
        self.first.get_or_insert_with(|| self.watch.elapsed());
        // A listener that is gone has dropped the call with itself.
        let _ = self.listener.send(text).await;
    }

    /// Whether anything was told: from then on nothing can be taken back or begun anew.
    pub(super) fn has_told(&self) -> bool {
        self.first.is_some()
    }

    /// How long it took until the first text was there.
    pub(super) fn first(&self) -> Option<std::time::Duration> {
        self.first
    }
}

/// A call that is under way. It is worked on while it is read, and ends when it is dropped.
pub(super) struct Telling {
    work: Option<BoxFuture<'static, Result<Reply, Error>>>,
    heard: mpsc::Receiver<String>,
    outcome: Option<Result<Reply, Error>>,
}

impl Telling {
    /// The call that `work` makes with the teller it is given.
    pub(super) fn new(work: impl FnOnce(Teller) -> BoxFuture<'static, Result<Reply, Error>>) -> Self {
        let (listener, heard) = mpsc::channel(WAITING);
        let teller = Teller { listener, watch: Stopwatch::start(), first: None };
        Self { work: Some(work(teller)), heard, outcome: None }
    }
}

impl Stream for Telling {
    type Item = Result<Event, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        if let Poll::Ready(Some(text)) = this.heard.poll_recv(cx) {
            return Poll::Ready(Some(Ok(Event::Text(text))));
        }
        if let Some(work) = &mut this.work {
            if let Poll::Ready(outcome) = work.as_mut().poll(cx) {
                this.work = None;
                this.outcome = Some(outcome);
            }
            if let Poll::Ready(Some(text)) = this.heard.poll_recv(cx) {
                return Poll::Ready(Some(Ok(Event::Text(text))));
            }
            if this.work.is_some() {
                return Poll::Pending;
            }
        }
        let end = this.outcome.take();
        Poll::Ready(end.map(|outcome| outcome.map(|reply| Event::Done(Box::new(reply)))))
    }
}

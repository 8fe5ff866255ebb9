//! How long a connection was silent.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::time::{Sleep, sleep};

/// What is sent lest a silent connection be taken for a dead one.
pub(super) const COMMENT: &str = ":\n\n";

/// Tells when nothing was said for so long that proxies may lose patience.
pub(super) struct Silence {
    longest: Duration,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Silence {
    /// Silence that may last for `longest`.
    pub(super) fn new(longest: Duration) -> Self {
        Self { longest, timer: None }
    }

    /// Something was said; it is counted anew from here.
    pub(super) fn broken(&mut self) {
        self.timer = None;
    }

    /// Ready when it lasted too long; it is then counted anew.
    pub(super) fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let longest = self.longest;
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep(longest)));
        let over = timer.as_mut().poll(context);
        if over.is_ready() {
            self.timer = None;
        }
        over
    }
}

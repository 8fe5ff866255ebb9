//! Background work that shutdown knows about.

use std::future::Future;

use tokio::task::JoinHandle;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::TraceId;

/// Spawns futures that shutdown can ask to stop and wait for. Clones share one set.
#[derive(Debug, Clone, Default)]
pub struct Tracker {
    tasks: TaskTracker,
    stop: CancellationToken,
    end: CancellationToken,
}

impl Tracker {
    /// An empty set, not stopping.
    pub fn new() -> Self {
        Self::default()
    }

    /// Runs `future` in the background, under the trace of whoever spawns it. It should end soon after [`Tracker::stopping`] fires.
    pub fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        match TraceId::known() {
            Some(id) => self.tasks.spawn(id.scope(future)),
            None => self.tasks.spawn(future),
        }
    }

    /// Fires once [`Tracker::stop`] was called.
    pub fn stopping(&self) -> &CancellationToken {
        &self.stop
    }

    /// Asks everything to stop; returns at once.
    pub fn stop(&self) {
        self.stop.cancel();
        self.tasks.close();
    }

    /// Fires once [`Tracker::hurry`] was called.
    pub fn ending(&self) -> &CancellationToken {
        &self.end
    }

    /// The process ends in a moment: whoever waits for what still runs is to wait no longer. Call [`Tracker::stop`] first.
    pub fn hurry(&self) {
        self.end.cancel();
    }

    /// Waits until all that was spawned has ended. Call [`Tracker::stop`] first.
    pub async fn wait(&self) {
        self.tasks.wait().await;
    }
}

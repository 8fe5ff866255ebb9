//! Floor 2: finds definitions on disk and resolves names.
//!
//! Everything is read into a [`Snapshot`] that never changes; when a file has changed, a new one takes its place.
//! Reading never writes.

mod check;
pub mod codes;
mod discussions;
mod files;
mod load;
mod project;
mod snapshot;
mod stamp;
#[cfg(test)]
mod tests;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use arc_swap::ArcSwapOption;
use tokio::sync::Mutex;

pub use project::{Project, ProjectType, detect};
pub use snapshot::{Conflict, ConflictKind, DiscussionEntry, Entry, Finding, Layer, PipelineEntry, Snapshot};
use stamp::Stamp;

/// The definitions of one project.
#[derive(Debug)]
pub struct Catalog {
    root: PathBuf,
    current: ArcSwapOption<Snapshot>,
    /// What the files looked like before they were last read. Held while they are read, so that they are read once.
    stamp: Mutex<Option<Stamp>>,
}

impl Catalog {
    /// A catalog of the project in `root`; reads nothing yet.
    pub fn open(root: PathBuf) -> Self {
        Self { root, current: ArcSwapOption::empty(), stamp: Mutex::new(None) }
    }

    /// The folder of the project.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The definitions last read; none when they never were. Costs nothing.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.current.load_full().unwrap_or_default()
    }

    /// The definitions last read, reading them if they never were.
    pub async fn current(&self) -> Arc<Snapshot> {
        if let Some(snapshot) = self.current.load_full() {
            return snapshot;
        }
        let mut stamp = self.stamp.lock().await;
        // Another caller may have read them while this one waited.
        if let Some(snapshot) = self.current.load_full() {
            return snapshot;
        }
        self.reload(&mut stamp).await;
        self.snapshot()
    }

    /// Looks whether a file has changed, and if so reads all again. Tells whether it did. Meant to be called every few
    /// seconds, not for every request.
    pub async fn refresh(&self) -> bool {
        let mut stamp = self.stamp.lock().await;
        let root = self.root.clone();
        let seen = blocking(move || Stamp::take(&root)).await;
        if self.current.load().is_some() && *stamp == seen {
            return false;
        }
        self.reload(&mut stamp).await;
        true
    }

    async fn reload(&self, stamp: &mut Option<Stamp>) {
        let root = self.root.clone();
        let read = blocking(move || {
            // Before reading: a change in between is then noticed the next time.
            let stamp = Stamp::take(&root);
            (stamp, load::load(&root))
        });
        if let Some((seen, snapshot)) = read.await {
            *stamp = Some(seen);
            self.current.store(Some(Arc::new(snapshot)));
        }
    }
}

/// Runs `work` where it may wait for the disk; `None` when the program is ending.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => Some(done),
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        Err(_) => None,
    }
}

//! Floor 2: finds definitions on disk and resolves names.
//!
//! Everything is read into a [`Snapshot`] that never changes; when a file has changed, a new one takes its place.
//! Reading never writes.

mod check;
pub mod codes;
mod discussions;
mod employees;
mod files;
mod lint;
mod load;
mod places;
mod project;
mod skills;
mod snapshot;
mod stamp;
#[cfg(test)]
mod tests;
mod tree;
mod triggers;
mod watch;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use arc_swap::ArcSwapOption;
use tokio::sync::{Mutex, watch as watch_channel};

pub use employees::{Checked, Valid, validate};
pub use files::Identity;
pub use lint::{Linted, lint};
pub use places::Layer;
pub use project::{Part, Project, ProjectType, detect};
pub use skills::FOLDER as SKILLS;
pub use snapshot::{
    Conflict, ConflictKind, DiscussionEntry, Entry, Finding, PipelineEntry, SkillEntry, Snapshot,
};
pub use tree::{Tree, Unshown};
pub use watch::{Besides, Watch};

use crate::base::blocking;
use employees::Cache;
use stamp::Stamp;

/// The definitions of one project.
#[derive(Debug)]
pub struct Catalog {
    root: PathBuf,
    /// Where the employees are that a person has in every project.
    user: Option<PathBuf>,
    current: ArcSwapOption<Snapshot>,
    /// Held while files are read, so that they are read once.
    known: Mutex<Known>,
    /// Told when they were read.
    read: watch_channel::Sender<()>,
}

/// What is known of the files from the last time they were read.
#[derive(Debug, Default)]
struct Known {
    /// What they looked like before.
    stamp: Option<Stamp>,
    /// What came of them.
    cache: Arc<Cache>,
}

impl Catalog {
    /// A catalog of the project in `root`; reads nothing yet.
    pub fn open(root: PathBuf) -> Self {
        Self {
            root,
            user: None,
            current: ArcSwapOption::empty(),
            known: Mutex::default(),
            read: watch_channel::Sender::new(()),
        }
    }

    /// The same with the employees in the folder `user`, which every project of a person has.
    #[must_use]
    pub fn with_user_employees(mut self, user: Option<PathBuf>) -> Self {
        self.user = user;
        self
    }

    /// The folder of the project.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The definitions last read; none when they never were. Costs nothing.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.current.load_full().unwrap_or_default()
    }

    /// The definitions last read, if they ever were. Costs nothing.
    pub fn loaded(&self) -> Option<Arc<Snapshot>> {
        self.current.load_full()
    }

    /// Tells whenever the definitions were read again.
    pub fn watch(&self) -> watch_channel::Receiver<()> {
        self.read.subscribe()
    }

    /// The definitions last read, reading them if they never were.
    pub async fn current(&self) -> Arc<Snapshot> {
        if let Some(snapshot) = self.current.load_full() {
            return snapshot;
        }
        let mut known = self.known.lock().await;
        // Another caller may have read them while this one waited.
        if let Some(snapshot) = self.current.load_full() {
            return snapshot;
        }
        self.reload(&mut known).await;
        self.snapshot()
    }

    /// Looks whether a file has changed, and if so reads what has. Tells whether anything did. Meant to be called when
    /// something moved, or every few seconds; not for every request.
    pub async fn refresh(&self) -> bool {
        let mut known = self.known.lock().await;
        let (root, user) = (self.root.clone(), self.user.clone());
        let seen = blocking(move || Stamp::take(&root, user.as_ref())).await;
        if self.current.load().is_some() && known.stamp == seen {
            return false;
        }
        self.reload(&mut known).await;
        true
    }

    async fn reload(&self, known: &mut Known) {
        let (root, user, before) = (self.root.clone(), self.user.clone(), Arc::clone(&known.cache));
        let last = self.loaded();
        let read = blocking(move || {
            // Before reading: a change in between is then noticed the next time.
            let stamp = Stamp::take(&root, user.as_ref());
            (stamp, load::load(&root, user.as_ref(), &before, last.as_deref()))
        });
        if let Some((seen, (snapshot, cache))) = read.await {
            *known = Known { stamp: Some(seen), cache: Arc::new(cache) };
            self.current.store(Some(Arc::new(snapshot)));
            self.read.send_replace(());
        }
    }
}

//! Tells when files of definitions move, without looking at them again and again.

use std::{
    collections::HashSet,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use notify::{
    Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _, event::AccessKind, event::AccessMode,
};
use tokio::{sync::Notify, time::timeout};

use super::{Catalog, blocking, places};

/// Editors write a file in several steps; what comes within this time of each other is one change.
const SETTLE: Duration = Duration::from_millis(100);
/// A file that is written to all the time must not keep the others from being seen.
const LONGEST: Duration = Duration::from_millis(500);

/// Watches the folders of definitions of one catalog. The operating system tells of changes, so nothing is done while
/// there are none.
#[derive(Debug)]
pub struct Watch {
    watcher: RecommendedWatcher,
    moved: Arc<Notify>,
    folders: Vec<PathBuf>,
    /// Folders that are watched, and whether with all that is below.
    watched: HashSet<(PathBuf, bool)>,
}

impl Watch {
    /// Begins to watch, and with the definitions what is in the folders `more` of the project; `None` when the system
    /// cannot, and the files are to be looked at every few seconds instead.
    pub async fn begin(catalog: &Catalog, more: &'static [&'static str]) -> Option<Self> {
        let (root, user) = (catalog.root.clone(), catalog.user.clone());
        blocking(move || Self::open(&root, user.as_ref(), more)).await.flatten()
    }

    fn open(root: &Path, user: Option<&PathBuf>, more: &[&str]) -> Option<Self> {
        let root = root.canonicalize().ok()?;
        let moved = Arc::new(Notify::new());
        let told = Arc::clone(&moved);
        let watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            if event.as_ref().map_or(true, |event| is_change(event.kind)) {
                told.notify_one();
            }
        });
        let mut folders = vec![root.clone(), root.join(".crew")];
        folders.extend(places::all(user).into_iter().map(|place| root.join(place.folder)));
        folders.push(root.join(".crew/pipelines"));
        folders.push(root.join(".crew/discussions"));
        folders.extend(more.iter().map(|folder| root.join(folder)));
        let mut watch = Self { watcher: watcher.ok()?, moved, folders, watched: HashSet::new() };
        watch.arm().ok()?;
        Some(watch)
    }

    /// Watches every folder that is there, and of one that is not the nearest that is, so that its making is noticed.
    /// The root itself is watched without what is below: it may hold anything.
    fn arm(&mut self) -> notify::Result<()> {
        let mut wanted = HashSet::new();
        for (place, folder) in self.folders.iter().enumerate() {
            // The first two hold much that is no definition.
            let is_whole = place > 1;
            if folder.is_dir() {
                wanted.insert((folder.clone(), is_whole));
            } else if let Some(near) = folder.ancestors().find(|near| near.is_dir()) {
                wanted.insert((near.to_owned(), false));
            }
        }
        for (folder, _) in self.watched.difference(&wanted) {
            // It may be gone, and its watch with it.
            let _ = self.watcher.unwatch(folder);
        }
        for (folder, is_whole) in wanted.difference(&self.watched) {
            let mode = if *is_whole { RecursiveMode::Recursive } else { RecursiveMode::NonRecursive };
            self.watcher.watch(folder, mode)?;
        }
        self.watched = wanted;
        Ok(())
    }

    /// Waits until something moved and nothing does any more.
    pub async fn changed(&self) {
        self.moved.notified().await;
        let settled = async { while timeout(SETTLE, self.moved.notified()).await.is_ok() {} };
        // What moves after that is waited for the next time.
        let _ = timeout(LONGEST, settled).await;
    }

    /// Watches folders that were made since. `None` when the system has no more watches to give.
    pub async fn renew(mut self) -> Option<Self> {
        blocking(move || self.arm().ok().map(|()| self)).await.flatten()
    }
}

/// Reading files is no change, though some systems tell of it.
fn is_change(kind: EventKind) -> bool {
    match kind {
        EventKind::Access(access) => access == AccessKind::Close(AccessMode::Write),
        _ => true,
    }
}

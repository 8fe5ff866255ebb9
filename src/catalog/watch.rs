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

use super::{Catalog, blocking, places, skills};

/// Editors write a file in several steps; what comes within this time of each other is one change.
const SETTLE: Duration = Duration::from_millis(100);
/// A file that is written to all the time must not keep the others from being seen.
const LONGEST: Duration = Duration::from_millis(500);

/// What is watched beside the definitions, from the root of the project.
#[derive(Debug, Clone, Copy)]
pub struct Besides {
    /// Folders with all that is below.
    pub with: &'static [&'static str],
    /// A file among the definitions that is none, and is written to so often that it would keep everybody busy.
    pub without: &'static str,
}

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
    /// Begins to watch, and with the definitions what `besides` names; `None` when the system cannot, and the files are
    /// to be looked at every few seconds instead.
    pub async fn begin(catalog: &Catalog, besides: Besides) -> Option<Self> {
        let (root, user) = (catalog.root.clone(), catalog.user.clone());
        blocking(move || Self::open(&root, user.as_ref(), besides)).await.flatten()
    }

    fn open(root: &Path, user: Option<&PathBuf>, besides: Besides) -> Option<Self> {
        let root = root.canonicalize().ok()?;
        let moved = Arc::new(Notify::new());
        let told = Arc::clone(&moved);
        let busy = root.join(besides.without);
        let watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            if event.as_ref().map_or(true, |event| is_change(event.kind) && !is_only_of(&busy, &event.paths))
            {
                told.notify_one();
            }
        });
        let mut folders = vec![root.clone(), root.join(".crew")];
        folders.extend(places::all(user).into_iter().map(|place| root.join(place.folder)));
        folders.push(root.join(".crew/pipelines"));
        folders.push(root.join(".crew/discussions"));
        folders.push(root.join(skills::FOLDER));
        folders.extend(besides.with.iter().map(|folder| root.join(folder)));
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

/// Whether all that moved is `file`, or belongs to it: its lock, or a copy on its way to take its place.
fn is_only_of(file: &Path, moved: &[PathBuf]) -> bool {
    let name = file.as_os_str().as_encoded_bytes();
    !moved.is_empty() && moved.iter().all(|path| path.as_os_str().as_encoded_bytes().starts_with(name))
}

/// Reading files is no change, though some systems tell of it.
fn is_change(kind: EventKind) -> bool {
    match kind {
        EventKind::Access(access) => access == AccessKind::Close(AccessMode::Write),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_file_wakes_nobody() {
        #[track_caller]
        fn check(moved: &[&str], expected: bool) {
            let moved: Vec<_> = moved.iter().map(|path| Path::new("/p/.crew").join(path)).collect();
            assert_eq!(is_only_of(Path::new("/p/.crew/tasks.jsonl"), &moved), expected, "{moved:?}");
        }
        check(&["tasks.jsonl"], true);
        check(&["tasks.jsonl.lock"], true);
        check(&["tasks.jsonl", "tasks.jsonl.new"], true);
        check(&["tasks.jsonl", "cron.yaml"], false);
        check(&["employees/tasks.jsonl"], false);
        check(&["cron.yaml"], false);
        check(&[], false);
    }

    #[tokio::test]
    async fn a_saved_file_is_noticed_also_in_a_new_folder() {
        let root = tempfile::tempdir().unwrap();
        let catalog = Catalog::open(root.path().to_owned());
        let besides = Besides { with: &[".crew/notes"], without: ".crew/tasks.jsonl" };
        let Some(mut watch) = Watch::begin(&catalog, besides).await else { return };
        for file in
            [".crew/notes/a", ".crew/notes/a", ".crew/employees/x.md", "private/employees/y/employee.yaml"]
        {
            let path = root.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, file).unwrap();
            watch.changed().await;
            watch = watch.renew().await.unwrap();
        }
    }
}

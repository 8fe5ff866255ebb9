//! Tells when files of definitions move, without looking at them again and again.

use std::{
    collections::HashMap,
    io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use notify::{
    ErrorKind, Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _, event::AccessKind,
    event::AccessMode,
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
    folders: Arc<[PathBuf]>,
    /// Folders that are watched, and whether with all that is below.
    watched: HashMap<PathBuf, bool>,
    /// Whether one of the folders may be another than the one that is watched: it was taken away, or made again under its
    /// name. Its number tells nothing, as file systems give it to the next folder.
    uprooted: Arc<AtomicBool>,
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
        let mut folders = vec![root.clone(), root.join(".crew")];
        folders.extend(places::all(user).into_iter().map(|place| root.join(place.folder)));
        folders.push(root.join(".crew/pipelines"));
        folders.push(root.join(".crew/discussions"));
        folders.push(root.join(skills::FOLDER));
        folders.extend(besides.with.iter().map(|folder| root.join(folder)));
        let folders = Arc::<[PathBuf]>::from(folders);
        let (uprooted, roots) = (Arc::new(AtomicBool::new(false)), Arc::clone(&folders));
        let lost = Arc::clone(&uprooted);
        let watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            if event.as_ref().map_or(true, |event| is_change(event.kind) && !is_only_of(&busy, &event.paths))
            {
                if event.as_ref().map_or(true, |event| event.need_rescan() || holds_one(&event.paths, &roots))
                {
                    lost.store(true, Ordering::Release);
                }
                told.notify_one();
            }
        });
        let mut watch = Self { watcher: watcher.ok()?, moved, folders, watched: HashMap::new(), uprooted };
        watch.arm().ok()?;
        Some(watch)
    }

    /// Watches every folder that is there, and of one that is not the nearest that is, so that its making is noticed.
    /// The root itself is watched without what is below: it may hold anything.
    fn arm(&mut self) -> notify::Result<()> {
        let is_uprooted = self.uprooted.swap(false, Ordering::AcqRel);
        let wanted = self.wanted();
        for (folder, is_whole) in std::mem::take(&mut self.watched) {
            if !is_uprooted && wanted.get(&folder) == Some(&is_whole) {
                self.watched.insert(folder, is_whole);
            } else {
                // It may be gone, and its watch with it.
                let _ = self.watcher.unwatch(&folder);
            }
        }
        for (folder, is_whole) in wanted {
            if self.watched.contains_key(&folder) {
                continue;
            }
            let mode = if is_whole { RecursiveMode::Recursive } else { RecursiveMode::NonRecursive };
            match self.watcher.watch(&folder, mode) {
                Ok(()) => {
                    self.watched.insert(folder, is_whole);
                }
                // It was taken away between the two looks at it: there has to be another.
                Err(error) if is_gone(&error) => self.moved.notify_one(),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// What there is to be watched, and whether with all that is below.
    fn wanted(&self) -> HashMap<PathBuf, bool> {
        let mut wanted = HashMap::new();
        for (place, folder) in self.folders.iter().enumerate() {
            // The first two hold much that is no definition.
            let is_whole = place > 1;
            if folder.is_dir() {
                *wanted.entry(folder.clone()).or_default() |= is_whole;
            } else if let Some(near) = folder.ancestors().find(|near| near.is_dir()) {
                wanted.entry(near.to_owned()).or_default();
            }
        }
        wanted
    }

    /// Waits until something moved and nothing does any more.
    pub async fn changed(&self) {
        self.moved.notified().await;
        let settled = async { while timeout(SETTLE, self.moved.notified()).await.is_ok() {} };
        // What moves after that is waited for the next time.
        let _ = timeout(LONGEST, settled).await;
    }

    /// Watches folders that were made since, be it in the place of others. `None` when the system has no more watches to give.
    pub async fn renew(mut self) -> Option<Self> {
        blocking(move || self.arm().ok().map(|()| self)).await.flatten()
    }
}

/// Whether all that moved is `file`, or belongs to it: its lock, or a copy on its way to take its place.
fn is_only_of(file: &Path, moved: &[PathBuf]) -> bool {
    let name = file.as_os_str().as_encoded_bytes();
    !moved.is_empty() && moved.iter().all(|path| path.as_os_str().as_encoded_bytes().starts_with(name))
}

/// Whether one of `moved` is one of `folders`, or holds one.
fn holds_one(moved: &[PathBuf], folders: &[PathBuf]) -> bool {
    moved.iter().any(|path| folders.iter().any(|folder| folder.starts_with(path)))
}

fn is_gone(error: &notify::Error) -> bool {
    match &error.kind {
        ErrorKind::PathNotFound => true,
        ErrorKind::Io(error) => error.kind() == io::ErrorKind::NotFound,
        _ => false,
    }
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

    /// What it takes on a machine that has much else to do.
    const PATIENCE: Duration = Duration::from_secs(20);

    async fn noticed(watch: Watch, what: &str) -> Watch {
        timeout(PATIENCE, watch.changed()).await.unwrap_or_else(|_| panic!("nobody noticed {what}"));
        watch.renew().await.unwrap()
    }

    #[tokio::test]
    async fn a_folder_that_took_the_place_of_another_is_watched() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path().canonicalize().unwrap();
        let catalog = Catalog::open(root.clone());
        let pipelines = root.join(".crew/pipelines");
        let write = |folder: &Path, text: &str| {
            std::fs::create_dir_all(folder).unwrap();
            std::fs::write(folder.join("a.yaml"), text).unwrap();
        };
        write(&pipelines, "1");
        let besides = Besides { with: &[], without: ".crew/tasks.jsonl" };
        let Some(mut watch) = Watch::begin(&catalog, besides).await else { return };
        // Taken away and copied again at once, then exchanged for another, then all of it.
        std::fs::remove_dir_all(&pipelines).unwrap();
        write(&pipelines, "2");
        watch = noticed(watch, "the folder that was made again").await;
        write(&pipelines, "3");
        watch = noticed(watch, "a file in it").await;
        write(&root.join(".crew/new"), "4");
        watch = noticed(watch, "a folder beside it").await;
        std::fs::rename(&pipelines, root.join(".crew/old")).unwrap();
        std::fs::rename(root.join(".crew/new"), &pipelines).unwrap();
        watch = noticed(watch, "the exchange").await;
        write(&pipelines, "5");
        watch = noticed(watch, "a file in the other folder").await;
        std::fs::remove_dir_all(root.join(".crew")).unwrap();
        write(&pipelines, "6");
        watch = noticed(watch, "that all was made again").await;
        write(&pipelines, "7");
        noticed(watch, "a file in what was made again").await;
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
            watch = noticed(watch, file).await;
        }
    }
}

//! Tells cheaply whether anything a snapshot is made of has changed.

use std::{
    fs::{self, Metadata},
    path::{Path, PathBuf},
    time::SystemTime,
};

use super::project;

/// Folders with definitions, with how deep they go.
const FOLDERS: [(&str, u32); 4] =
    [(".crew/employees", 3), ("private/employees", 3), (".crew/pipelines", 1), (".crew/discussions", 1)];
/// Single files with definitions.
const FILES: [&str; 4] =
    [".crew/webhook.yaml", ".crew/cron.yaml", "private/organization.yaml", ".crew/organization.yaml"];
/// Enough for any project; what comes after is seen at the next start.
const MOST: usize = 50_000;

/// What could be seen of every file without opening it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Stamp(Vec<Mark>);

#[derive(Debug, PartialEq, Eq)]
struct Mark {
    path: PathBuf,
    len: u64,
    modified: Option<SystemTime>,
    /// A file that was replaced is another file.
    inode: u64,
}

impl Stamp {
    /// Looks at the files of a project.
    pub(super) fn take(root: &Path) -> Self {
        let mut stamp = Self::default();
        for (folder, depth) in FOLDERS {
            stamp.folder(&root.join(folder), depth);
        }
        for file in FILES.into_iter().chain(project::SIGNS.iter().copied()) {
            let path = root.join(file);
            if let Ok(seen) = fs::metadata(&path) {
                stamp.mark(path, &seen);
            }
        }
        stamp.0.sort_by(|a, b| a.path.cmp(&b.path));
        stamp
    }

    fn folder(&mut self, path: &Path, depth: u32) {
        let Ok(entries) = fs::read_dir(path) else { return };
        for entry in entries.flatten() {
            if self.0.len() >= MOST {
                return;
            }
            let hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
            let path = entry.path();
            let Ok(seen) = fs::metadata(&path) else { continue };
            if hidden {
                continue;
            }
            if seen.is_dir() && depth > 1 {
                self.folder(&path, depth - 1);
            }
            self.mark(path, &seen);
        }
    }

    fn mark(&mut self, path: PathBuf, seen: &Metadata) {
        // The time of a folder says nothing that its entries do not.
        let (len, modified) = if seen.is_dir() { (0, None) } else { (seen.len(), seen.modified().ok()) };
        self.0.push(Mark { path, len, modified, inode: inode(seen) });
    }
}

#[cfg(unix)]
fn inode(seen: &Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::ino(seen)
}

#[cfg(not(unix))]
fn inode(_seen: &Metadata) -> u64 {
    0
}

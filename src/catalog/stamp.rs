//! Tells cheaply whether anything a snapshot is made of has changed.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::{files::Identity, places, project, skills, tree};

/// Folders with other definitions, and how deep these lie in them.
const FOLDERS: [(&str, u32); 3] = [(".crew/pipelines", 1), (".crew/discussions", 1), (skills::FOLDER, 2)];
/// How deep the definitions of employees may lie: below their layer, their own folder, and the folders in that.
const DEEPEST: u32 = 2 + tree::DEEPEST;
/// Single files with definitions.
const FILES: [&str; 7] = [
    ".crew/webhook.yaml",
    ".crew/cron.yaml",
    ".crew/schedules.json",
    ".crew/config.yaml",
    ".crew/mcp_servers.yaml",
    "private/organization.yaml",
    ".crew/organization.yaml",
];
/// Enough for any project; what comes after is seen at the next start.
const MOST: usize = 50_000;

/// What could be seen of every file without opening it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Stamp(Vec<Identity>);

impl Stamp {
    /// Looks at the files of a project.
    pub(super) fn take(root: &Path, user: Option<&PathBuf>) -> Self {
        let mut stamp = Self::default();
        for place in places::all(user) {
            stamp.folder(&root.join(place.folder), DEEPEST);
        }
        for (folder, depth) in FOLDERS {
            stamp.folder(&root.join(folder), depth);
        }
        for file in FILES.into_iter().chain(project::SIGNS.iter().copied()) {
            let path = root.join(file);
            if let Ok(seen) = fs::metadata(&path) {
                stamp.0.push(Identity::seen(path, &seen));
            }
        }
        stamp.0.sort_by(|a, b| a.path().cmp(b.path()));
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
            self.0.push(Identity::seen(path, &seen));
        }
    }
}

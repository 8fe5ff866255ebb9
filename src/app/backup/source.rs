//! Which files of a project are copied.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use anyhow::Context as _;

use super::{FOLDERS, LeftOut};
use crate::app::office::JOURNAL;

/// A file to be copied.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Source {
    /// Below the root, with slashes.
    pub(super) name: String,
    pub(super) path: PathBuf,
}

/// The files of the project at `root`, the journal of tasks first, and what is passed over.
///
/// # Errors
/// When a folder cannot be read: a backup that silently lacks it is none.
pub(super) fn files(root: &Path) -> anyhow::Result<(Vec<Source>, Vec<LeftOut>)> {
    let (mut found, mut left_out) = (Vec::new(), Vec::new());
    for folder in FOLDERS {
        walk(&root.join(folder), folder, &mut found, &mut left_out)?;
    }
    found.sort_by_cached_key(|source| (source.name != JOURNAL, source.name.clone()));
    left_out.sort_by(|a, b| a.path.cmp(&b.path));
    Ok((found, left_out))
}

/// How many files of the project at `root` would be copied, and how many are passed over.
///
/// # Errors
/// When a folder cannot be read.
pub fn survey(root: &Path) -> anyhow::Result<(usize, usize)> {
    let (found, left_out) = files(root)?;
    Ok((found.len(), left_out.len()))
}

fn walk(
    folder: &Path,
    name: &str,
    found: &mut Vec<Source>,
    left_out: &mut Vec<LeftOut>,
) -> anyhow::Result<()> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error).with_context(|| format!("cannot read `{}`", folder.display())),
    };
    for entry in entries {
        let entry = entry.with_context(|| format!("cannot read `{}`", folder.display()))?;
        let path = entry.path();
        let Some(own) = entry.file_name().to_str().map(str::to_owned) else {
            let path = format!("{name}/{}", entry.file_name().to_string_lossy());
            left_out.push(LeftOut { path, reason: "its name is not UTF-8" });
            continue;
        };
        let name = format!("{name}/{own}");
        let kind = entry.file_type().with_context(|| format!("cannot inspect `{}`", path.display()))?;
        if let Some(reason) = passed_over(&name, &own, kind) {
            left_out.extend(reason.map(|reason| LeftOut { path: name, reason }));
        } else if kind.is_dir() {
            walk(&path, &name, found, left_out)?;
        } else {
            found.push(Source { name, path });
        }
    }
    Ok(())
}

/// Whether a file is passed over, and what is to be said of that.
#[expect(clippy::option_option, reason = "passed over, and perhaps worth a word")]
fn passed_over(name: &str, own: &str, kind: fs::FileType) -> Option<Option<&'static str>> {
    let extension = Path::new(own).extension().unwrap_or_default();
    if kind.is_symlink() {
        return Some(Some("it is a link; what it leads to is not part of the project"));
    }
    if !kind.is_dir() && !kind.is_file() {
        return Some(Some("it is no file"));
    }
    if name == ".crew/webhook-secret" {
        return Some(Some("it is a secret; a new one is made"));
    }
    // Locks, half-written replacements of documents, and what is made from other files.
    let passing = extension == "lock"
        || (own.starts_with('.') && own.contains(".new-"))
        || name == ".crew/lanes"
        || [".crew/tasks.index", ".crew/sessions.index", ".crew/logs.index"].contains(&name)
        || [".crew/memory-index.db", ".crew/sessions-index.db"].iter().any(|index| name.starts_with(index));
    passing.then_some(None)
}

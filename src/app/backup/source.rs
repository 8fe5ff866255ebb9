//! Which files of a project are copied.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use anyhow::Context as _;

use super::{FOLDERS, LeftOut};
use crate::{app::office::JOURNAL, store::document};

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
            left_out.push(LeftOut { path: name, reason });
        } else if kind.is_dir() {
            walk(&path, &name, found, left_out)?;
        } else {
            found.push(Source { name, path });
        }
    }
    Ok(())
}

/// Why a file is passed over, if it is.
fn passed_over(name: &str, own: &str, kind: fs::FileType) -> Option<&'static str> {
    if kind.is_symlink() {
        return Some("it is a link; what it leads to is not part of the project");
    }
    if !kind.is_dir() && !kind.is_file() {
        return Some("it is no file");
    }
    if name == ".crew/webhook-secret" {
        return Some("it is a secret; a new one is made");
    }
    if is_lock(name) || name == ".crew/lanes" {
        return Some("it is a lock of crew");
    }
    if kind.is_file() && is_half_written(own) {
        return Some("it is half of a file that crew was writing");
    }
    let is_index = [".crew/tasks.index", ".crew/sessions.index", ".crew/logs.index"].contains(&name)
        || [".crew/memory-index.db", ".crew/sessions-index.db"].iter().any(|index| name.starts_with(index));
    is_index.then_some("crew makes it again from other files")
}

/// Whether a file is a lock of crew's own: one of its logs or of the schedules that were added, all of which are in
/// `.crew`. The locks of others, such as `uv.lock`, say something.
pub(super) fn is_lock(name: &str) -> bool {
    name == ".crew/schedules.json.lock" || (name.starts_with(".crew/") && name.ends_with(".jsonl.lock"))
}

/// Whether a file has the name of one that crew puts in place of another once it is written, or of exported tasks.
fn is_half_written(own: &str) -> bool {
    document::is_replacement(own.strip_suffix(".jsonl").unwrap_or(own))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_crews_own_is_passed_over() {
        let written = "0".repeat(32);
        for (own, expected) in [
            (format!(".cron.yaml.new-{written}"), true),
            (format!(".tasks.new-{written}.jsonl"), true),
            (".env.new-keys".to_owned(), false),
            (format!("cron.yaml.new-{written}"), false),
            (format!(".cron.yaml.new-{written}0"), false),
            (format!(".cron.yaml.new-{written}.bak"), false),
        ] {
            assert_eq!(is_half_written(&own), expected, "{own}");
        }
        for (name, expected) in [
            (".crew/tasks.jsonl.lock", true),
            (".crew/memory/a.jsonl.lock", true),
            (".crew/schedules.json.lock", true),
            (".crew/uv.lock", false),
            ("private/a/poetry.lock", false),
            ("private/notes.jsonl.lock", false),
        ] {
            assert_eq!(is_lock(name), expected, "{name}");
        }
    }
}

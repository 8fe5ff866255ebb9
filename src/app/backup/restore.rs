//! From an archive back to a project.

use std::{
    fs::{self, File, OpenOptions},
    io,
    path::{Component, Path, PathBuf},
};

use anyhow::{Context as _, bail, ensure};
use serde::Serialize;

use super::{
    FOLDERS, Manifest,
    archive::{self, Packed},
    source,
};
use crate::{app::office::JOURNAL, base::clock, store::OwnerLock};

/// What became of a restoration.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Restored {
    /// What the archive holds.
    pub manifest: Manifest,
    /// Where the folders are now that were there before.
    pub kept: Vec<PathBuf>,
    /// Folders that are in the way, when nothing was to be written.
    pub in_the_way: Vec<PathBuf>,
}

/// Puts what `archive` holds into the project at `root`. With `replace`, folders that are there already are kept under
/// another name; else they are refused.
///
/// All of it is written beside the project and compared before anything is moved: a damaged archive changes nothing.
///
/// # Errors
/// When the archive cannot be used, folders are in the way, or a server works on the project.
pub fn restore(archive: &Path, root: &Path, replace: bool) -> anyhow::Result<Restored> {
    let in_the_way = occupied(root, &archive::verify(archive)?)?;
    if let (false, Some(first)) = (replace, in_the_way.first()) {
        bail!("`{}` is there already; `--force` keeps it under another name", first.display());
    }
    let _owner = owner(root)?;
    let stamp = clock::now().strftime("%Y%m%dT%H%M%S%.3fZ").to_string();
    let staging = Staging(root.join(format!(".crew-restoring-{stamp}")));
    fs::create_dir(&staging.0).with_context(|| format!("cannot create `{}`", staging.0.display()))?;
    let manifest = archive::read(archive, |packed, content| staging.put(packed, content))?;
    let kept = exchange(root, &staging.0, folders(&manifest), &stamp)?;
    sync(root)?;
    Ok(Restored { manifest, kept, in_the_way: Vec::new() })
}

/// Puts `folders` of `staged` in the place of those of `root`, which are kept under another name: all of them or none.
/// Gives where they are kept.
pub(super) fn exchange(
    root: &Path,
    staged: &Path,
    folders: impl Iterator<Item = &'static str>,
    stamp: &str,
) -> anyhow::Result<Vec<PathBuf>> {
    let mut moved = Vec::new();
    let mut kept = Vec::new();
    let mut rename = |from: PathBuf, to: PathBuf| -> io::Result<()> {
        fs::rename(&from, &to)?;
        moved.push((from, to));
        Ok(())
    };
    let mut each = |folder: &str| -> anyhow::Result<()> {
        let place = root.join(folder);
        let aside = root.join(format!("{folder}.before-{stamp}"));
        match rename(place.clone(), aside.clone()) {
            Ok(()) => kept.push(aside),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error).with_context(|| format!("cannot move `{}`", place.display())),
        }
        rename(staged.join(folder), place.clone())
            .with_context(|| format!("cannot create `{}`", place.display()))
    };
    let mut folders = folders;
    match folders.try_for_each(&mut each) {
        Ok(()) => Ok(kept),
        Err(error) => Err(undo(moved, error)),
    }
}

/// Moves everything back, the last first. Gives `error` with what is to be known of that.
fn undo(moved: Vec<(PathBuf, PathBuf)>, error: anyhow::Error) -> anyhow::Error {
    for (from, to) in moved.into_iter().rev() {
        if let Err(again) = fs::rename(&to, &from) {
            return error.context(format!(
                "the project is restored in part: `{}`, which was `{}`, cannot be moved back ({again})",
                to.display(),
                from.display()
            ));
        }
    }
    error.context("nothing was restored, all is where it was")
}

/// Reads `archive` and says what [`restore`] would meet; writes nothing.
///
/// # Errors
/// When the archive cannot be used.
pub fn rehearse(archive: &Path, root: &Path) -> anyhow::Result<Restored> {
    let manifest = archive::verify(archive)?;
    let in_the_way = occupied(root, &manifest)?;
    Ok(Restored { manifest, kept: Vec::new(), in_the_way })
}

/// The folders an archive brings.
fn folders(manifest: &Manifest) -> impl Iterator<Item = &'static str> {
    let brings = |folder: &&str| manifest.files.iter().any(|file| top(&file.path) == *folder);
    FOLDERS.into_iter().filter(brings)
}

fn top(path: &str) -> &str {
    path.split('/').next().unwrap_or_default()
}

/// The folders an archive brings that are there and not empty. What only locks of crew are in counts as empty.
fn occupied(root: &Path, manifest: &Manifest) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for folder in folders(manifest) {
        let path = root.join(folder);
        let entries = match fs::read_dir(&path) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error).with_context(|| format!("cannot read `{}`", path.display())),
        };
        let is_lock = |entry: &fs::DirEntry| {
            source::is_lock(&format!("{folder}/{}", entry.file_name().to_string_lossy()))
        };
        if entries.flatten().any(|entry| !is_lock(&entry)) {
            found.push(path);
        }
    }
    Ok(found)
}

/// Keeps servers away for as long as it lives.
fn owner(root: &Path) -> anyhow::Result<Option<OwnerLock>> {
    let journal = root.join(JOURNAL);
    if !journal.try_exists().with_context(|| format!("cannot inspect `{}`", journal.display()))? {
        return Ok(None);
    }
    OwnerLock::acquire(&journal).map(Some).context("a server works on this project; end it first")
}

/// Where files are put until all are there; gone when dropped.
struct Staging(PathBuf);

impl Staging {
    fn put(&self, packed: &Packed<'_>, content: &mut dyn io::Read) -> anyhow::Result<()> {
        let path = self.0.join(inside(packed.name)?);
        let folder = path.parent().unwrap_or(&self.0);
        fs::create_dir_all(folder).with_context(|| format!("cannot create `{}`", folder.display()))?;
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt as _;
            options.mode(packed.mode & 0o755);
        }
        let write = |mut file: File| io::copy(content, &mut file).and_then(|_| file.sync_all());
        options.open(&path).and_then(write).with_context(|| format!("cannot write `{}`", path.display()))?;
        sync(folder)
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        // What is left of it is litter beside the project, which its name explains.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A path of an archive, if it stays inside the folders a project is made of.
fn inside(name: &str) -> anyhow::Result<&Path> {
    let path = Path::new(name);
    let plain = path.components().all(|part| matches!(part, Component::Normal(_)));
    ensure!(
        plain && FOLDERS.contains(&top(name)) && name.contains('/') && !name.contains('\\'),
        "`{}` leads out of the project",
        name.escape_debug()
    );
    Ok(path)
}

fn sync(folder: &Path) -> anyhow::Result<()> {
    if cfg!(unix) {
        File::open(folder)
            .and_then(|handle| handle.sync_all())
            .with_context(|| format!("cannot sync `{}`", folder.display()))?;
    }
    Ok(())
}

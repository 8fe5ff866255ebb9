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
    let mut kept = Vec::new();
    for folder in folders(&manifest) {
        let place = root.join(folder);
        let aside = root.join(format!("{folder}.before-{stamp}"));
        match fs::rename(&place, &aside) {
            Ok(()) => kept.push(aside),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error).with_context(|| format!("cannot move `{}`", place.display())),
        }
        fs::rename(staging.0.join(folder), &place)
            .with_context(|| format!("cannot create `{}`", place.display()))?;
    }
    sync(root)?;
    Ok(Restored { manifest, kept, in_the_way: Vec::new() })
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

/// The folders an archive brings that are there and not empty. What only locks are in counts as empty.
fn occupied(root: &Path, manifest: &Manifest) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for folder in folders(manifest) {
        let path = root.join(folder);
        let entries = match fs::read_dir(&path) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error).with_context(|| format!("cannot read `{}`", path.display())),
        };
        let counts =
            |entry: &fs::DirEntry| entry.path().extension().is_none_or(|extension| extension != "lock");
        if entries.flatten().any(|entry| counts(&entry)) {
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

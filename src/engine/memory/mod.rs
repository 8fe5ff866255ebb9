//! What employees remember: `.crew/memory/<employee>.jsonl`, one entry a line.
//!
//! The files are the truth, and readable by whoever read them before. An entry is added by appending its line; what changes
//! one puts a new file in place of the old one, or appends it once more where the file is large (see `shelf`). All of it
//! happens under a lock that every writer takes, so that servers, editors and the command line can work on one project. Each
//! process reads a file once, and then what is new; of an entry it keeps a card, not what it says.
//!
//! Everything here waits for the disk; callers on a runtime go through [`Crew::remember`](super::Crew::remember).

mod alike;
mod archive;
mod card;
mod consolidate;
mod draft;
mod embedding;
mod entry;
mod error;
mod feedback;
mod filter;
mod foreign;
pub mod index;
mod indexed;
mod names;
mod operations;
mod orders;
mod outcome;
pub(super) mod prompt;
mod query;
mod search;
mod settings;
mod shelf;
mod traits;
mod transfer;
mod view;

use std::{
    fs, io,
    num::NonZeroUsize,
    path::{Path, PathBuf},
    sync::Arc,
};

use lru::LruCache;
use parking_lot::Mutex;

pub use archive::Removed;
pub use consolidate::Consolidated;
pub use draft::{Draft, DraftStatus};
pub(super) use embedding::Scope;
pub use embedding::{Embedding, Error as EmbeddingError, Filled, Rules};
pub use entry::{Category, Entry, Visibility};
pub(super) use entry::{moment, written};
pub use error::Error;
pub use feedback::{Feedback, Ignored, MOST_RATED, Rated, Usefulness};
pub use filter::{Clearance, Domains, Private};
pub use names::Holder;
pub use operations::{Added, Corrected};
pub use outcome::Outcome;
pub use query::{Found, Order, Owner, Query};
pub use search::{Question, Searched};
pub use settings::Settings;
pub use traits::{LONGEST_CONTENT, New, Patch, Traits};
pub use transfer::{Imported, Transfer};
pub use view::Broken;

pub use crate::defs::Classification;

use self::{
    card::Card,
    index::Index,
    indexed::{Indexed, SharedIndex},
    shelf::Shelf,
    view::View,
};

/// Where memories are, relative to the root of a project.
pub const FOLDER: &str = ".crew/memory";
/// Where the search index is, relative to the root of a project. Made from the files, it can be removed at any time.
const INDEX: &str = ".crew/memory-index.db";
/// How the names of files end.
const ENDING: &str = ".jsonl";
/// Files of which a process remembers what was in them.
const SHELVES: NonZeroUsize = NonZeroUsize::MIN.saturating_add(63);
/// Most files that are looked at.
const MOST_FILES: usize = 10_000;

/// The memories of a project.
#[derive(Debug)]
pub struct Memory {
    folder: PathBuf,
    settings: Settings,
    shelves: Mutex<LruCache<PathBuf, Arc<Mutex<Shelf>>>>,
    index: SharedIndex,
}

impl Memory {
    /// The memories of the project at `root`. Reads nothing yet.
    pub fn open(root: &Path, settings: Settings) -> Self {
        let index = Arc::new(Indexed::new(root.join(INDEX)));
        Self { folder: root.join(FOLDER), settings, shelves: Mutex::new(LruCache::new(SHELVES)), index }
    }

    /// How they are kept.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The stems of all files, in order.
    ///
    /// # Errors
    /// When the folder cannot be read; without one there are none.
    fn stems(&self) -> Result<Vec<String>, Error> {
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(source) => {
                let path = self.folder.clone();
                return Err(crate::store::Error::File { action: "read", path, source }.into());
            }
        };
        let stem = |entry: fs::DirEntry| {
            let name = entry.file_name().into_string().ok().filter(|_| is_file(&entry.path()))?;
            name.strip_suffix(ENDING).filter(|stem| !stem.starts_with('.')).map(str::to_owned)
        };
        let mut stems: Vec<String> = entries.flatten().take(MOST_FILES).filter_map(stem).collect();
        stems.sort_unstable();
        Ok(stems)
    }

    /// Whether anything was kept of `holder`.
    pub fn is_kept(&self, holder: &Holder) -> bool {
        !Self::files(&self.folder, holder).is_empty()
    }

    /// The files that hold the memory of `holder`, below `folder`.
    fn files(folder: &Path, holder: &Holder) -> Vec<PathBuf> {
        let path = |stem: String| folder.join(stem + ENDING);
        holder.stems().into_iter().map(path).filter(|path| is_file(path)).collect()
    }

    /// The file that new entries of `holder` go to, below `folder`.
    fn home(folder: &Path, holder: &Holder) -> PathBuf {
        let first = || holder.stems().into_iter().next().unwrap_or_default();
        Self::files(folder, holder).into_iter().next().unwrap_or_else(|| folder.join(first() + ENDING))
    }

    /// What a process knows of a file.
    fn shelf(&self, path: &Path) -> Arc<Mutex<Shelf>> {
        let mut shelves = self.shelves.lock();
        // What is put away and what waits is not searched.
        let index = (path.parent() == Some(&self.folder)).then(|| Arc::clone(&self.index));
        let new = || Arc::new(Mutex::new(Shelf::new(path, self.settings.half_life_days, index)));
        Arc::clone(shelves.get_or_insert(path.to_owned(), new))
    }

    /// Whether changes left something to be done by [`Memory::settle`].
    pub fn is_unsettled(&self) -> bool {
        self.index.opened().is_some_and(Index::is_unsettled)
    }

    /// How many changes of memories the search index took since [`Memory::settle`].
    pub fn changes(&self) -> usize {
        self.index.opened().map_or(0, Index::changes)
    }

    /// Packs what was added to the search index, so that it stays quick, which takes some hundredths of a second.
    pub fn pack(&self) {
        if let Some(Err(error)) = self.index.opened().map(Index::pack) {
            indexed::complain(&error);
        }
    }

    /// The same, and moves what was written to its place in the file, which is synced.
    pub fn settle(&self) {
        if let Some(Err(error)) = self.index.opened().map(Index::settle) {
            indexed::complain(&error);
        }
    }

    /// Looks at a file as it is now.
    fn look<T>(&self, path: &Path, look: impl FnOnce(&View) -> Result<T, Error>) -> Result<T, Error> {
        let book = self.shelf(path);
        let mut book = book.lock();
        look(book.read()?)
    }
}

/// Whether there is a file. A link leads elsewhere, and a pipe would be waited for.
fn is_file(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|seen| seen.is_file())
}

/// The stem of a file.
fn stem_of(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.strip_suffix(ENDING).unwrap_or(&name).to_owned()
}

#[cfg(test)]
mod tests;

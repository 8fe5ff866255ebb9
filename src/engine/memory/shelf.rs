//! One file of entries: read along, and changed under its lock.

use std::{collections::HashMap, path::PathBuf};

use super::{
    Entry, Error,
    indexed::{SharedIndex, State},
    view::View,
};
use crate::store::log::{Change, Place, Shared};

/// Most bytes of a file; a hundred times what a hundred thousand entries take is a mistake.
const MOST_BYTES: u64 = 1 << 30;

/// A file, and what was last read of it.
#[derive(Debug)]
pub(super) struct Shelf {
    path: PathBuf,
    place: Place,
    view: View,
    index: Option<SharedIndex>,
}

/// What is to be done to a file.
#[derive(Debug, Default)]
pub(super) struct Edit {
    /// Entries that take the place of lines, or nothing in their place.
    changes: HashMap<u64, Option<Entry>>,
    /// Entries that come behind.
    added: Vec<Entry>,
}

impl Edit {
    pub(super) fn add(&mut self, entry: Entry) {
        self.added.push(entry);
    }

    pub(super) fn put(&mut self, line: u64, entry: Entry) {
        self.changes.insert(line, Some(entry));
    }

    pub(super) fn remove(&mut self, line: u64) {
        self.changes.insert(line, None);
    }
}

impl Shelf {
    /// A file whose entries are searched by `index`, if they are.
    pub(super) fn new(path: PathBuf, index: Option<SharedIndex>) -> Self {
        Self { path, place: Place::default(), view: View::default(), index }
    }

    /// The state of the file as it was last read.
    pub(super) fn state(&self) -> State {
        State { file: self.place.identity(), lines: self.place.lines() }
    }

    /// The entries as they are now.
    pub(super) fn read(&mut self) -> Result<&View, Error> {
        self.check_size()?;
        self.place.read_on(&self.path, &mut self.view)?;
        Ok(&self.view)
    }

    /// Refuses a file that would not fit into memory.
    fn check_size(&self) -> Result<(), Error> {
        let size = std::fs::metadata(&self.path).map_or(0, |seen| seen.len());
        if size > MOST_BYTES {
            return Err(Error::Conflict(format!(
                "`{}` has {size} bytes; at most {MOST_BYTES} are read, so archive some of it",
                self.path.display()
            )));
        }
        Ok(())
    }

    /// The entries as they were last read.
    pub(super) fn view(&self) -> &View {
        &self.view
    }

    /// Does what `edit` makes of the entries as they are now, while nobody else writes. It is on the disk then.
    pub(super) fn edit<T>(
        &mut self,
        edit: impl FnOnce(&View, &mut Edit) -> Result<T, Error>,
    ) -> Result<T, Error> {
        self.check_size()?;
        let shared = Shared::lock(&self.path)?;
        shared.read_on(&mut self.place, &mut self.view)?;
        let before = self.state();
        let mut wanted = Edit::default();
        let given = edit(&self.view, &mut wanted)?;
        // Lines move when others go: told by id before that, as it is by id that they are found after it.
        let gone: Vec<String> = if wanted.changes.is_empty() {
            Vec::new()
        } else {
            let gone = self.view.lines().filter(|(line, _)| wanted.changes.contains_key(line));
            gone.map(|(_, entry)| entry.id.clone()).collect()
        };
        let mut more = Vec::new();
        for entry in &wanted.added {
            more.extend(entry.line()?);
        }
        if wanted.changes.is_empty() {
            if !more.is_empty() {
                shared.append(&more)?;
            }
        } else {
            let mut lines = HashMap::with_capacity(wanted.changes.len());
            for (line, entry) in &wanted.changes {
                lines.insert(*line, entry.as_ref().map(serde_json::to_vec).transpose()?);
            }
            let change = |line: crate::store::log::Line<'_>| match lines.remove(&line.number) {
                None => Change::Keep,
                Some(None) => Change::Drop,
                Some(Some(bytes)) => Change::Put(bytes),
            };
            shared.rewrite(change, &more)?;
        }
        shared.read_on(&mut self.place, &mut self.view)?;
        let changed: Vec<String> =
            gone.into_iter().chain(wanted.added.into_iter().map(|entry| entry.id)).collect();
        if let Some(index) = self.index.as_ref().filter(|_| !changed.is_empty()) {
            // While nobody else writes, so that states follow each other in the index as they do in the file.
            index.follow(&super::stem_of(&self.path), &before, &self.state(), &changed, &self.view);
        }
        Ok(given)
    }
}

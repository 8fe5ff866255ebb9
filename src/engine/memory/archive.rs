//! What is put away: `.crew/memory/archive/<employee>.jsonl`, each entry under its own id.
//!
//! An entry is written to the one file before it is taken out of the other. A crash in between leaves it in both, where
//! doing the same again brings it to its end.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::{
    Clearance, Entry, Error, Found, Holder, Memory, Query, entry::written, operations, orders::By,
    shelf::Shelf, view::View,
};
use crate::base::clock;

/// Where they are, below the folder of memories.
pub(super) const FOLDER: &str = "archive";
/// The field that says since when.
const SINCE: &str = "archived_at";

/// What was put away.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Removed {
    /// The ids of the entries.
    pub archived: Vec<String>,
}

impl Memory {
    /// Puts an entry away.
    ///
    /// # Errors
    /// [`Error::Unknown`], [`Error::Store`] when the disk refuses.
    pub fn archive(&self, holder: &Holder, id: &str) -> Result<Removed, Error> {
        let (path, id) = self.locate(holder, id)?;
        let book = self.shelf(&path);
        let mut book = book.lock();
        let archived = self.put_away(&path, &mut book, |_| vec![id.clone()])?;
        if archived.is_empty() {
            return Err(operations::unknown(holder, &id, book.view()));
        }
        Ok(Removed { archived })
    }

    /// Puts away every entry whose days are over.
    ///
    /// # Errors
    /// [`Error::Store`] when the disk refuses.
    pub fn expire(&self, holder: &Holder) -> Result<Removed, Error> {
        let now = clock::now();
        let over = |view: &View| {
            let over = view.by(By::Time).filter(|card| card.is_expired(now) && holder.is(&card.employee));
            over.map(|card| card.id.to_string()).collect::<Vec<_>>()
        };
        let mut archived = Vec::new();
        for path in Self::files(&self.folder, holder) {
            // Who only looks leaves no lock behind.
            if self.look(&path, |view| Ok(over(view).is_empty()))? {
                continue;
            }
            let book = self.shelf(&path);
            archived.extend(self.put_away(&path, &mut book.lock(), over)?);
        }
        Ok(Removed { archived })
    }

    /// Brings an archived entry back, under its own id.
    ///
    /// # Errors
    /// [`Error::Unknown`], [`Error::Store`] when the disk refuses.
    pub fn restore(&self, holder: &Holder, id: &str) -> Result<Entry, Error> {
        let (from, id) = self.locate_archived(holder, id)?;
        let path = self.folder.join(from.file_name().unwrap_or_default());
        let book = self.shelf(&path);
        let mut book = book.lock();
        let archive = self.shelf(&from);
        let mut archive = archive.lock();
        let gone = || Error::Unknown {
            what: "archived memory",
            id: id.clone(),
            employee: holder.name().to_owned(),
            near: None,
        };
        let restored = book.edit(|view, edit| {
            if let Some(known) = view.get(&id) {
                return view.entry(known);
            }
            let kept = archive.read()?;
            let mut entry = kept.entry(kept.get(&id).ok_or_else(gone)?)?;
            entry.extra.shift_remove(SINCE);
            edit.add(entry.clone());
            Ok(entry)
        })?;
        // While nobody can put it away again.
        book.edit(|view, _| {
            let ids: Vec<_> = view.get(&id).map(|_| id.clone()).into_iter().collect();
            remove(&mut archive, &ids)
        })?;
        Ok(restored)
    }

    /// What is put away of `holder`, as far as the reader may be told.
    ///
    /// # Errors
    /// [`Error::Store`] when it cannot be read.
    pub fn archived(&self, holder: &Holder, query: &Query, clearance: &Clearance) -> Result<Found, Error> {
        self.query_in(&self.folder.join(FOLDER), holder, query, clearance)
    }

    /// Puts away what is over and what is worth least, until somewhat less than `most` entries are left. `spared` stays.
    pub(super) fn trim(&self, path: &Path, book: &mut Shelf, most: usize, spared: &str) -> Result<(), Error> {
        let now = clock::now();
        // Somewhat less, so that this is not to be done each time.
        let rest = most - most / 10;
        let worst = |view: &View| {
            let least = || view.by(By::Worth).rev().filter(|card| *card.id != *spared);
            let over = least().filter(|card| card.is_expired(now));
            let others = least().filter(|card| !card.is_expired(now));
            let gone = over.chain(others).take(view.live().saturating_sub(rest));
            gone.map(|card| card.id.to_string()).collect::<Vec<_>>()
        };
        let archived = self.put_away(path, book, worst)?;
        tracing::info!(path = %path.display(), entries = archived.len(), "what was worth least went to the archive");
        Ok(())
    }

    /// Moves what `which` names out of a file and into its archive.
    fn put_away(
        &self,
        path: &Path,
        book: &mut Shelf,
        which: impl Fn(&View) -> Vec<String>,
    ) -> Result<Vec<String>, Error> {
        let archive = self.shelf(&self.archive_of(path));
        let mut archive = archive.lock();
        book.edit(|view, edit| {
            let ids = which(view);
            let found: Vec<_> = ids.iter().filter_map(|id| view.get(id)).collect();
            archive.edit(|kept, to| {
                for card in found.iter().filter(|card| kept.get(&card.id).is_none()) {
                    let mut entry = view.entry(card)?;
                    entry.extra.insert(SINCE.to_owned(), written(clock::now()).into());
                    to.add(entry);
                }
                Ok(())
            })?;
            let ids: Vec<String> = found.iter().map(|card| card.id.to_string()).collect();
            edit.remove(ids.clone());
            Ok(ids)
        })
    }

    /// The archive of a file.
    pub(super) fn archive_of(&self, path: &Path) -> PathBuf {
        self.folder.join(FOLDER).join(path.file_name().unwrap_or_default())
    }

    /// The archive an entry of `holder` is in, and its whole id.
    pub(super) fn locate_archived(&self, holder: &Holder, id: &str) -> Result<(PathBuf, String), Error> {
        for path in Self::files(&self.folder.join(FOLDER), holder) {
            if let operations::Found::This(id) =
                self.look(&path, |view| Ok(operations::find(view, holder, id)))?
            {
                return Ok((path, id));
            }
        }
        let (id, employee) = (operations::shown(id), holder.name().to_owned());
        Err(Error::Unknown { what: "archived memory", id, employee, near: None })
    }

    /// Forgets these in an archive, if they are there.
    pub(super) fn forget_archived(&self, path: &Path, ids: &[String]) -> Result<Vec<String>, Error> {
        if !super::is_file(path) {
            return Ok(Vec::new());
        }
        remove(&mut self.shelf(path).lock(), ids)
    }
}

fn remove(book: &mut Shelf, ids: &[String]) -> Result<Vec<String>, Error> {
    book.edit(|view, edit| {
        let found: Vec<String> = ids.iter().filter(|id| view.get(id).is_some()).cloned().collect();
        edit.remove(found.clone());
        Ok(found)
    })
}

//! What is put away: `.crew/memory/archive/<employee>.jsonl`, each entry under its own id.
//!
//! An entry is written to the one file before it is taken out of the other. A crash in between leaves it in both, where
//! doing the same again brings it to its end.

use std::{
    collections::HashSet,
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use serde::Serialize;

use super::{
    Entry, Error, Holder, Memory,
    entry::written,
    operations::{self, Found},
    shelf::Shelf,
    view::View,
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
            let over = view.newest().filter(|entry| entry.is_expired(now) && holder.is(&entry.employee));
            over.map(|entry| entry.id.clone()).collect::<Vec<_>>()
        };
        let mut archived = Vec::new();
        for path in Self::files(&self.folder, holder) {
            // Who only looks leaves no lock behind.
            if self.look(&path, |view| over(view).is_empty())? {
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
            if let Some((_, known)) = view.get(&id) {
                return Ok(Entry::clone(known));
            }
            let mut entry =
                archive.read()?.get(&id).map(|(_, entry)| Entry::clone(entry)).ok_or_else(gone)?;
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

    /// What is put away of `holder`, the newest first.
    ///
    /// # Errors
    /// [`Error::Store`] when it cannot be read.
    pub fn archived(&self, holder: &Holder) -> Result<Vec<Entry>, Error> {
        let mut all = Vec::new();
        for path in Self::files(&self.folder.join(FOLDER), holder) {
            all.extend(self.look(&path, |view| {
                let own = view.newest().filter(|entry| holder.is(&entry.employee));
                own.map(|entry| Entry::clone(entry)).collect::<Vec<_>>()
            })?);
        }
        Ok(all)
    }

    /// Puts away what is worth least, until somewhat less than `most` entries hold. `spared` stays.
    pub(super) fn trim(&self, path: &Path, book: &mut Shelf, most: usize, spared: &str) -> Result<(), Error> {
        let (now, half_life) = (clock::now(), self.settings.half_life_days);
        // Somewhat less, so that this is not to be done each time.
        let rest = most - most / 10;
        let worst = |view: &View| {
            let mut held: Vec<_> = view.newest().filter(|entry| entry.holds(now)).collect();
            held.retain(|entry| entry.id != spared);
            held.sort_by(|a, b| worth(a, now, half_life).total_cmp(&worth(b, now, half_life)));
            let over = (held.len() + 1).saturating_sub(rest);
            held.iter().take(over).map(|entry| entry.id.clone()).collect::<Vec<_>>()
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
                for (_, entry) in found.iter().filter(|(_, entry)| kept.get(&entry.id).is_none()) {
                    let mut entry = Entry::clone(entry);
                    entry.extra.insert(SINCE.to_owned(), written(clock::now()).into());
                    to.add(entry);
                }
                Ok(())
            })?;
            for (line, _) in &found {
                edit.remove(*line);
            }
            Ok(found.iter().map(|(_, entry)| entry.id.clone()).collect())
        })
    }

    /// The archive of a file.
    pub(super) fn archive_of(&self, path: &Path) -> PathBuf {
        self.folder.join(FOLDER).join(path.file_name().unwrap_or_default())
    }

    /// The archive an entry of `holder` is in, and its whole id.
    pub(super) fn locate_archived(&self, holder: &Holder, id: &str) -> Result<(PathBuf, String), Error> {
        for path in Self::files(&self.folder.join(FOLDER), holder) {
            if let Found::This(id) = self.look(&path, |view| operations::find(view, holder, id))? {
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
        let known: HashSet<&String> = ids.iter().collect();
        let found = view.lines().filter(|(_, entry)| known.contains(&entry.id));
        Ok(found
            .map(|(line, entry)| {
                edit.remove(line);
                entry.id.clone()
            })
            .collect())
    })
}

/// How many entries hold.
pub(super) fn holding(view: &View, now: Timestamp) -> usize {
    view.newest().filter(|entry| entry.holds(now)).count()
}

/// What an entry is worth keeping: what was said to be important and was found to be so again stays, however old it is.
pub(super) fn worth(entry: &Entry, now: Timestamp, half_life_days: f64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "small numbers")]
    let (importance, verified) =
        (entry.importance.clamp(0, 5) as f64, entry.verified_count.clamp(0, 10) as f64);
    importance * 2.0 + verified + entry.confidence_at(now, half_life_days)
}

//! Adding, correcting, changing and forgetting.

use std::{collections::HashSet, path::PathBuf};

use serde::Serialize;

use super::{
    Clearance, Entry, Error, Holder, Memory, New, Patch, archive,
    entry::{new_id, written},
    traits,
    view::View,
};
use crate::base::{clock, text::closest};

/// Most corrections of corrections that are followed.
const LONGEST_CHAIN: usize = 10_000;
/// Least letters of an id that stand for the whole.
const LEAST_PREFIX: usize = 6;

/// An entry that was added, or was there.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Added {
    /// The entry.
    pub entry: Entry,
    /// Whether it is new; what says the same as one that holds is not added again.
    pub is_new: bool,
}

/// An entry that was corrected.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Corrected {
    /// The correction.
    pub entry: Entry,
    /// The id of the entry whose place it took: the last of the chain that was asked for.
    pub corrected: String,
}

impl Memory {
    /// Adds an entry. It is on the disk then.
    ///
    /// # Errors
    /// [`Error::Unfit`] when something is out of bounds, [`Error::Store`] when the disk refuses.
    pub fn add(&self, holder: &Holder, new: &New) -> Result<Added, Error> {
        let now = clock::now();
        let mut entry = new.entry(holder.name(), now)?;
        if new.traits.ttl_days.is_none() {
            entry.ttl_days = i64::from(self.settings.ttl_days);
        }
        let home = Self::home(&self.folder, holder);
        let book = self.shelf(&home);
        let mut book = book.lock();
        let added = book.edit(|view, edit| {
            if let Some(known) = view.same(&entry, now).filter(|known| holder.is(&known.employee)) {
                return Ok(Added { entry: Entry::clone(known), is_new: false });
            }
            while view.get(&entry.id).is_some() {
                entry.id = new_id(now);
            }
            edit.add(entry.clone());
            Ok(Added { entry, is_new: true })
        })?;
        let most = usize::try_from(self.settings.max_entries).unwrap_or(usize::MAX);
        if most > 0 && added.is_new && archive::holding(book.view(), now) > most {
            self.trim(&home, &mut book, most, &added.entry.id)?;
        }
        Ok(added)
    }

    /// Puts what is right in place of what was wrong, and keeps both. Of an entry that was corrected before, the last
    /// correction is corrected, so that one alone holds.
    ///
    /// # Errors
    /// [`Error::Unknown`], [`Error::Conflict`] when the chain of corrections leads nowhere, [`Error::Unfit`].
    pub fn correct(
        &self,
        holder: &Holder,
        id: &str,
        content: &str,
        source_session: &str,
    ) -> Result<Corrected, Error> {
        let content = traits::content(content)?;
        let source_session = traits::line("source_session", source_session)?;
        let (path, id) = self.locate(holder, id)?;
        let book = self.shelf(&path);
        let mut book = book.lock();
        book.edit(|view, edit| {
            let (line, last) = end_of_chain(view, &id, holder)?;
            if last.content.trim() == content {
                let told = format!("`{}` says that already; there is nothing to correct", last.id);
                return Err(Error::Conflict(told));
            }
            let now = clock::now();
            let mut new_id = new_id(now);
            while view.get(&new_id).is_some() {
                new_id = super::entry::new_id(now);
            }
            let entry = Entry {
                id: new_id,
                created_at: written(now),
                content: content.to_owned(),
                source_session,
                confidence: 1.0,
                supersedes: last.id.clone(),
                verified_count: 0,
                last_accessed: String::new(),
                ..last.clone()
            };
            let corrected = last.id.clone();
            edit.put(line, Entry { superseded_by: entry.id.clone(), confidence: 0.0, ..last });
            edit.add(entry.clone());
            Ok(Corrected { entry, corrected })
        })
    }

    /// Changes what is said about an entry.
    ///
    /// # Errors
    /// [`Error::Unknown`], [`Error::Conflict`] when another entry took its place, [`Error::Unfit`].
    pub fn update(&self, holder: &Holder, id: &str, patch: &Patch) -> Result<Entry, Error> {
        if patch.is_empty() {
            return Err(Error::Unfit("say what is to be changed".to_owned()));
        }
        let (place, id) = self.locate(holder, id)?;
        let book = self.shelf(&place);
        let mut book = book.lock();
        book.edit(|view, edit| {
            let (line, entry) = view.get(&id).ok_or_else(|| unknown(holder, &id, view))?;
            if !entry.is_live() {
                return Err(Error::Conflict(format!(
                    "`{id}` was corrected; `{}` holds in its place",
                    entry.superseded_by
                )));
            }
            let mut changed = Entry::clone(entry);
            patch.apply(&mut changed)?;
            if changed != **entry {
                edit.put(line, changed.clone());
            }
            Ok(changed)
        })
    }

    /// Forgets an entry and what it corrected, in the archive too. Gives the ids of all that is gone.
    ///
    /// # Errors
    /// [`Error::Unknown`], [`Error::Store`] when the disk refuses.
    pub fn delete(&self, holder: &Holder, id: &str) -> Result<Vec<String>, Error> {
        let (path, id) = match self.locate(holder, id) {
            Ok(found) => found,
            Err(unknown) => {
                let archived = self.locate_archived(holder, id).map_err(|_| unknown)?;
                return self.forget_archived(&archived.0, &[archived.1]);
            }
        };
        let book = self.shelf(&path);
        let mut book = book.lock();
        let gone = book.edit(|view, edit| {
            view.get(&id).ok_or_else(|| unknown(holder, &id, view))?;
            let gone = with_earlier(view, &id);
            for id in &gone {
                if let Some((line, _)) = view.get(id) {
                    edit.remove(line);
                }
            }
            Ok(gone)
        })?;
        self.forget_archived(&self.archive_of(&path), &gone)?;
        Ok(gone)
    }

    /// An entry, whether it holds or not, for a reader who may be told of it.
    ///
    /// # Errors
    /// [`Error::Unknown`] when there is none, or none that the reader may be told of.
    pub fn get(&self, holder: &Holder, id: &str, clearance: &Clearance) -> Result<Entry, Error> {
        let (path, id) = self.locate(holder, id)?;
        let entry = self.look(&path, |view| view.get(&id).map(|(_, entry)| Entry::clone(entry)))?;
        let hidden = || Error::Unknown { what: "memory", id, employee: holder.name().to_owned(), near: None };
        entry.filter(|entry| clearance.admits(entry, holder.name())).ok_or_else(hidden)
    }

    /// The file an entry of `holder` is in, and its whole id; `id` may be the beginning of one.
    pub(super) fn locate(&self, holder: &Holder, id: &str) -> Result<(PathBuf, String), Error> {
        let mut near = None;
        for path in Self::files(&self.folder, holder) {
            let found = self.look(&path, |view| find(view, holder, id))?;
            match found {
                Found::This(id) => return Ok((path, id)),
                Found::Several => {
                    let told =
                        format!("several memories begin with `{}`; write more of it", id.escape_debug());
                    return Err(Error::Unfit(told));
                }
                Found::Near(other) => near = near.or(other),
            }
        }
        Err(Error::Unknown { what: "memory", id: shown(id), employee: holder.name().to_owned(), near })
    }
}

/// What an id leads to.
pub(super) enum Found {
    This(String),
    Several,
    /// Nothing; perhaps this was meant.
    Near(Option<String>),
}

/// Finds an id in a file, or one that begins with it.
pub(super) fn find(view: &View, holder: &Holder, id: &str) -> Found {
    if let Some((_, entry)) = view.get(id).filter(|(_, entry)| holder.is(&entry.employee)) {
        return Found::This(entry.id.clone());
    }
    let own = || view.newest().filter(|entry| holder.is(&entry.employee)).map(|entry| entry.id.as_str());
    let mut fit = own().filter(|own| id.len() >= LEAST_PREFIX && own.starts_with(id));
    match (fit.next(), fit.next()) {
        (Some(one), None) => Found::This(one.to_owned()),
        (Some(_), Some(_)) => Found::Several,
        // An id has nothing of words, so that only a slip of the fingers is near.
        (None, _) => Found::Near(closest(id, own().take(200)).filter(|_| id.len() >= 8).map(str::to_owned)),
    }
}

/// An id that was given, as it can be told.
pub(super) fn shown(id: &str) -> String {
    crate::base::text::truncate(&id.escape_debug().to_string(), 64)
}

pub(super) fn unknown(holder: &Holder, id: &str, view: &View) -> Error {
    let near = match find(view, holder, id) {
        Found::Near(near) => near,
        _ => None,
    };
    Error::Unknown { what: "memory", id: shown(id), employee: holder.name().to_owned(), near }
}

/// The entry that holds in place of `id`, and its line.
fn end_of_chain(view: &View, id: &str, holder: &Holder) -> Result<(u64, Entry), Error> {
    let (mut line, mut entry) = view.get(id).ok_or_else(|| unknown(holder, id, view))?;
    for _ in 0..LONGEST_CHAIN {
        if entry.is_live() {
            return Ok((line, Entry::clone(entry)));
        }
        let Some(next) = view.get(&entry.superseded_by) else {
            return Err(Error::Conflict(format!(
                "`{id}` was corrected by `{}`, which is no longer there",
                entry.superseded_by
            )));
        };
        (line, entry) = next;
    }
    Err(Error::Conflict(format!("the corrections of `{id}` have no end")))
}

/// An id, and those of all entries it took the place of.
fn with_earlier(view: &View, id: &str) -> Vec<String> {
    let mut all = vec![id.to_owned()];
    let mut known: HashSet<String> = all.iter().cloned().collect();
    let mut at = 0;
    while let Some(id) = all.get(at).cloned() {
        let earlier = view.lines().filter(|(_, entry)| entry.superseded_by == id);
        let earlier: Vec<String> = earlier.map(|(_, entry)| entry.id.clone()).collect();
        all.extend(earlier.into_iter().filter(|id| known.insert(id.clone())));
        at += 1;
    }
    all
}

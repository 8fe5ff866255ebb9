//! Adding, correcting, changing and forgetting.

use std::{
    collections::{HashMap, HashSet},
    path::PathBuf,
};

use serde::Serialize;

use super::{
    Clearance, Entry, Error, Holder, Memory, New, Patch,
    entry::{new_id, unrated, written},
    orders::By,
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
            if let Some(entry) = view.same(&entry, now)?.filter(|known| holder.is(&known.employee)) {
                return Ok(Added { entry, is_new: false });
            }
            while view.get(&entry.id).is_some() {
                entry.id = new_id(now);
            }
            edit.add(entry.clone());
            Ok(Added { entry, is_new: true })
        })?;
        let most = usize::try_from(self.settings.max_entries).unwrap_or(usize::MAX);
        if most > 0 && added.is_new && book.view().live() > most {
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
            let last = end_of_chain(view, &id, holder)?;
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
                q_value: unrated(),
                recall_count: 0,
                rated_from: Vec::new(),
                last_accessed: String::new(),
                ..last.clone()
            };
            let corrected = last.id.clone();
            edit.put(Entry { superseded_by: entry.id.clone(), confidence: 0.0, ..last });
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
            let entry = view.entry(view.get(&id).ok_or_else(|| unknown(holder, &id, view))?)?;
            if !entry.is_live() {
                return Err(Error::Conflict(format!(
                    "`{id}` was corrected; `{}` holds in its place",
                    entry.superseded_by
                )));
            }
            let mut changed = entry.clone();
            patch.apply(&mut changed)?;
            if changed != entry {
                edit.put(changed.clone());
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
            edit.remove(gone.clone());
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
        self.look(&path, |view| {
            let hidden = || Error::Unknown {
                what: "memory",
                id: id.clone(),
                employee: holder.name().to_owned(),
                near: None,
            };
            let card = view.get(&id).filter(|card| clearance.admits(card, holder.name()));
            view.entry(card.ok_or_else(hidden)?)
        })
    }

    /// The file an entry of `holder` is in, and its whole id; `id` may be the beginning of one.
    pub(super) fn locate(&self, holder: &Holder, id: &str) -> Result<(PathBuf, String), Error> {
        let mut near = None;
        for path in Self::files(&self.folder, holder) {
            let found = self.look(&path, |view| Ok(find(view, holder, id)))?;
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
    if let Some(card) = view.get(id).filter(|card| holder.is(&card.employee)) {
        return Found::This(card.id.to_string());
    }
    let own = || view.by(By::Time).filter(|card| holder.is(&card.employee)).map(|card| &*card.id);
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

/// The entry that holds in place of `id`.
fn end_of_chain(view: &View, id: &str, holder: &Holder) -> Result<Entry, Error> {
    let mut card = view.get(id).ok_or_else(|| unknown(holder, id, view))?;
    for _ in 0..LONGEST_CHAIN {
        let Some(next) = &card.superseded_by else { return view.entry(card) };
        card = view.get(next).ok_or_else(|| {
            Error::Conflict(format!("`{id}` was corrected by `{}`, which is no longer there", shown(next)))
        })?;
    }
    Err(Error::Conflict(format!("the corrections of `{id}` have no end")))
}

/// An id, and those of all entries it took the place of.
fn with_earlier(view: &View, id: &str) -> Vec<String> {
    let mut replaced: HashMap<&str, Vec<&str>> = HashMap::new();
    for card in view.cards() {
        if let Some(by) = &card.superseded_by {
            replaced.entry(by).or_default().push(&card.id);
        }
    }
    let (mut all, mut known) = (vec![id], HashSet::from([id]));
    let mut at = 0;
    while let Some(id) = all.get(at) {
        let earlier = replaced.get(id).into_iter().flatten().copied();
        all.extend(earlier.filter(|id| known.insert(id)));
        at += 1;
    }
    all.into_iter().map(str::to_owned).collect()
}

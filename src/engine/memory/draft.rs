//! What waits for somebody to approve of it: `.crew/memory/drafts/<employee>.jsonl`.
//!
//! A draft is an entry with a state beside it. Only one that is pending can be decided, once; it becomes an entry under the
//! same id, so that deciding it again after a crash adds nothing twice.

use std::{collections::BTreeSet, path::PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Card, ENDING, Entry, Error, Holder, Memory, New,
    entry::written,
    operations::{self, Found},
    orders::By,
    traits,
};
use crate::base::clock;

/// Where they are, below the folder of memories.
const FOLDER: &str = "drafts";

/// An entry that is not one yet.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Draft {
    /// Whether it was decided, and how.
    pub status: DraftStatus,
    /// The entry, with who decided and when among its further fields.
    #[serde(flatten)]
    pub entry: Entry,
}

/// What became of a draft.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum DraftStatus {
    /// It waits.
    #[default]
    Pending,
    /// It is an entry.
    Approved,
    /// It is none.
    Rejected,
}

impl DraftStatus {
    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Approved => "approved",
            Self::Rejected => "rejected",
        }
    }

    fn of(entry: &Entry) -> Self {
        let status = entry.extra.get("status").cloned().unwrap_or_default();
        serde_json::from_value(status).unwrap_or_default()
    }
}

impl From<Entry> for Draft {
    fn from(mut entry: Entry) -> Self {
        let status = DraftStatus::of(&entry);
        entry.extra.shift_remove("status");
        Self { status, entry }
    }
}

impl Memory {
    /// Keeps an entry until somebody approves of it.
    ///
    /// # Errors
    /// [`Error::Unfit`] when something is out of bounds, [`Error::Store`] when the disk refuses.
    pub fn draft(&self, holder: &Holder, new: &New) -> Result<Draft, Error> {
        let now = clock::now();
        let mut entry = new.entry(holder.name(), now)?;
        entry.extra.insert("status".to_owned(), DraftStatus::Pending.as_str().into());
        let book = self.shelf(&Self::home(&self.folder.join(FOLDER), holder));
        let entry = book.lock().edit(|view, edit| {
            let is_pending = |known: &Entry| DraftStatus::of(known) == DraftStatus::Pending;
            if let Some(known) = view.same(&entry, now)?.filter(is_pending) {
                return Ok(known);
            }
            edit.add(entry.clone());
            Ok(entry)
        })?;
        Ok(entry.into())
    }

    /// The drafts, of one or of all, the newest first; those that were decided too if `all` says so.
    ///
    /// # Errors
    /// [`Error::Store`] when they cannot be read.
    pub fn drafts(&self, holder: Option<&Holder>, all: bool) -> Result<Vec<Draft>, Error> {
        let mut drafts = Vec::new();
        for path in self.draft_files(holder) {
            self.look(&path, |view| {
                let is_own = |card: &&Card| holder.is_none_or(|holder| holder.is(&card.employee));
                for card in view.by(By::Time).filter(is_own) {
                    let draft = Draft::from(view.entry(card)?);
                    drafts.extend(Some(draft).filter(|draft| all || draft.status == DraftStatus::Pending));
                }
                Ok(())
            })?;
        }
        drafts.sort_by_key(|draft| std::cmp::Reverse(draft.entry.created()));
        Ok(drafts)
    }

    /// Makes a draft an entry.
    ///
    /// # Errors
    /// [`Error::Unknown`], [`Error::Conflict`] when it was decided before.
    pub fn approve(&self, id: &str, by: &str) -> Result<Entry, Error> {
        self.decide(id, by, DraftStatus::Approved, "")
    }

    /// Decides that a draft does not become an entry.
    ///
    /// # Errors
    /// As [`Memory::approve`], and [`Error::Unfit`] when the reason is more than a line.
    pub fn reject(&self, id: &str, by: &str, reason: &str) -> Result<Entry, Error> {
        self.decide(id, by, DraftStatus::Rejected, &traits::line("reason", reason)?)
    }

    fn decide(&self, id: &str, by: &str, status: DraftStatus, reason: &str) -> Result<Entry, Error> {
        let (path, id) = self.locate_draft(id)?;
        let book = self.shelf(&path);
        let mut book = book.lock();
        book.edit(|view, edit| {
            let mut entry = view.entry(view.get(&id).ok_or_else(|| no_draft(&id))?)?;
            let before = DraftStatus::of(&entry);
            if before != DraftStatus::Pending {
                let told = format!("draft `{id}` was {} before; a decision counts once", before.as_str());
                return Err(Error::Conflict(told));
            }
            entry.extra.shift_remove("status");
            if status == DraftStatus::Approved {
                self.take_in(&entry)?;
            }
            let mut decided = entry.clone();
            let said = [
                ("status", status.as_str()),
                ("reviewed_at", &written(clock::now())),
                ("reviewed_by", by),
                ("reject_reason", reason),
            ];
            for (name, value) in said.into_iter().filter(|(_, value)| !value.is_empty()) {
                decided.extra.insert(name.to_owned(), value.into());
            }
            edit.put(decided);
            Ok(entry)
        })
    }

    /// Adds an approved entry to its memory, unless it is there.
    fn take_in(&self, entry: &Entry) -> Result<(), Error> {
        let home = Self::home(&self.folder, &Holder::named(&entry.employee));
        let book = self.shelf(&home);
        let mut book = book.lock();
        book.edit(|view, edit| {
            if view.get(&entry.id).is_none() && view.same(entry, clock::now())?.is_none() {
                edit.add(entry.clone());
            }
            Ok(())
        })
    }

    fn draft_files(&self, holder: Option<&Holder>) -> Vec<PathBuf> {
        let folder = self.folder.join(FOLDER);
        match holder {
            Some(holder) => Self::files(&folder, holder),
            None => {
                let entries = std::fs::read_dir(&folder).into_iter().flatten().flatten();
                let paths = entries.map(|entry| entry.path()).filter(|path| super::is_file(path));
                let mut paths: Vec<PathBuf> =
                    paths.filter(|path| path.to_string_lossy().ends_with(ENDING)).collect();
                paths.sort();
                paths
            }
        }
    }

    fn locate_draft(&self, id: &str) -> Result<(PathBuf, String), Error> {
        for path in self.draft_files(None) {
            let found = self.look(&path, |view| {
                let whose: BTreeSet<_> = view.cards().map(|card| &card.employee).collect();
                Ok(whose.into_iter().find_map(|name| {
                    match operations::find(view, &Holder::named(name), id) {
                        Found::This(id) => Some(id),
                        _ => None,
                    }
                }))
            })?;
            if let Some(id) = found {
                return Ok((path, id));
            }
        }
        Err(no_draft(id))
    }
}

fn no_draft(id: &str) -> Error {
    Error::NoDraft { id: operations::shown(id) }
}

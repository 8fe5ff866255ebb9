//! Finding memories by what they say.

use std::{collections::HashMap, sync::Arc};

use parking_lot::Mutex;

use super::{
    Clearance, Entry, Error, Holder, Memory, Query,
    index::{self, Index},
    indexed::{self, Indexed},
    shelf::Shelf,
    similar,
};
use crate::base::clock;

/// An entry that was found, and how well it fits; that counts within one search only.
#[derive(Debug, Clone, PartialEq)]
pub struct Searched {
    /// The higher, the better.
    pub score: f64,
    /// The entry.
    pub entry: Arc<Entry>,
}

/// The files that are searched, by their stems.
type Shelves = HashMap<String, Arc<Mutex<Shelf>>>;

impl Memory {
    /// What `holder`, or anybody, remembers about `text`, the best first. The text is words, and nothing in it has a meaning
    /// of its own.
    ///
    /// # Errors
    /// [`Error::Unfit`] for a text without words, [`Error::Store`] when memories cannot be read.
    pub fn search(
        &self,
        holder: Option<&Holder>,
        text: &str,
        query: &Query,
        clearance: &Clearance,
    ) -> Result<Vec<Searched>, Error> {
        if !text.contains(char::is_alphanumeric) {
            return Err(Error::Unfit("`query` holds no word to look for".to_owned()));
        }
        let is_wanted = |entry: &Entry, stem: &str| {
            let owner = holder.map_or(owner(entry, stem), Holder::name);
            holder.is_none_or(|holder| holder.is(&entry.employee))
                && self.fits(entry, query)
                && clearance.admits(entry, owner)
        };
        self.find(holder, text, query.limit, 0.0, &is_wanted)
    }

    /// Finds what is about `text` and wanted, with at least this score.
    pub(super) fn find(
        &self,
        holder: Option<&Holder>,
        text: &str,
        limit: usize,
        least: f64,
        is_wanted: &dyn Fn(&Entry, &str) -> bool,
    ) -> Result<Vec<Searched>, Error> {
        let stems = match holder {
            Some(holder) => {
                let files = Self::files(&self.folder, holder);
                files.iter().map(|path| super::stem_of(path)).collect()
            }
            None => self.stems()?,
        };
        let mut shelves = Shelves::new();
        for stem in stems {
            let shelf = self.shelf(&self.folder.join(format!("{stem}{}", super::ENDING)));
            shelf.lock().read()?;
            shelves.insert(stem, shelf);
        }
        if let Some(index) = self.index.there() {
            match self.by_index(index, &shelves, text, limit, least, is_wanted) {
                Ok(found) => return Ok(found),
                Err(error) => indexed::complain(&error),
            }
        }
        Ok(by_words(&shelves, text, limit, least, is_wanted))
    }

    fn by_index(
        &self,
        index: &Index,
        shelves: &Shelves,
        text: &str,
        limit: usize,
        least: f64,
        is_wanted: &dyn Fn(&Entry, &str) -> bool,
    ) -> Result<Vec<Searched>, index::Error> {
        for (stem, shelf) in shelves {
            let shelf = shelf.lock();
            Indexed::catch_up(index, stem, &shelf.state(), shelf.view())?;
        }
        let get = |stem: &str, key: &str| {
            let shelf = shelves.get(stem)?.lock();
            let (_, entry) = shelf.view().get(indexed::id_of(key))?;
            Some(Arc::clone(entry)).filter(|entry| is_wanted(entry, stem))
        };
        let keep = |facts: &index::Facts| get(&facts.employee, &facts.id).is_some();
        let employees: Vec<String> = shelves.keys().cloned().collect();
        if employees.is_empty() {
            return Ok(Vec::new());
        }
        let half_life_days = self.settings.half_life_days;
        let query =
            index::Query { text, employees: &employees, limit, least, now: clock::now(), half_life_days };
        let hits = index.search(&query, &keep)?.into_iter();
        Ok(hits
            .filter_map(|hit| Some(Searched { score: hit.score, entry: get(&hit.employee, &hit.id)? }))
            .collect())
    }

    /// Makes the search index anew. Gives how many entries of how many files are in it.
    ///
    /// # Errors
    /// [`Error::Store`] when memories cannot be read, [`Error::Index`] when the index cannot be written.
    pub fn reindex(&self) -> Result<(u64, usize), Error> {
        let index = self.index.open().ok_or(Error::NoIndex)?;
        let (mut entries, stems) = (0, self.stems()?);
        for stem in &stems {
            let shelf = self.shelf(&self.folder.join(format!("{stem}{}", super::ENDING)));
            let mut shelf = shelf.lock();
            shelf.read()?;
            Indexed::clear(index, stem)?;
            Indexed::catch_up(index, stem, &shelf.state(), shelf.view())?;
            entries += index.count(stem)?;
        }
        Ok((entries, stems.len()))
    }
}

/// Whose entry it is that was found in this file.
fn owner<'e>(entry: &'e Entry, stem: &'e str) -> &'e str {
    if entry.employee.is_empty() { stem } else { &entry.employee }
}

/// Looks through the files: where there is no index yet, or none that can be used.
fn by_words(
    shelves: &Shelves,
    text: &str,
    limit: usize,
    least: f64,
    is_wanted: &dyn Fn(&Entry, &str) -> bool,
) -> Vec<Searched> {
    let wanted = similar::words(text);
    let mut found = Vec::new();
    for (stem, shelf) in shelves {
        let shelf = shelf.lock();
        for entry in shelf.view().newest().filter(|entry| is_wanted(entry, stem)) {
            let mut words = similar::words(&entry.content);
            for word in entry.tags.iter().chain(&entry.keywords) {
                words.extend(similar::words(word));
            }
            let common = wanted.intersection(&words).count();
            #[expect(clippy::cast_precision_loss, reason = "counts of words")]
            let score = common as f64 / wanted.len().max(1) as f64;
            if common > 0 && score >= least {
                found.push(Searched { score, entry: Arc::clone(entry) });
            }
        }
    }
    found.sort_by(|a, b| b.score.total_cmp(&a.score).then_with(|| b.entry.created().cmp(&a.entry.created())));
    found.truncate(limit);
    found
}

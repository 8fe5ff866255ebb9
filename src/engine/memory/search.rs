//! Finding memories by what they say.

use std::{
    cmp::Reverse,
    collections::{HashMap, HashSet},
    sync::Arc,
};

use jiff::Timestamp;
use parking_lot::Mutex;

use super::{
    Card, Clearance, Entry, Error, Holder, Memory, Query, alike,
    index::{self, Index, Meaning, Part, Wanted},
    indexed::{self, Indexed, Patience},
    orders::By,
    shelf::Shelf,
    view::View,
};
use crate::base::clock;

/// Most entries of a file that are read for words that are in no index.
const MOST_READ: usize = 1000;

/// An entry that was found, and how well it fits; that counts within one search only.
#[derive(Debug, Clone, PartialEq)]
pub struct Searched {
    /// The higher, the better.
    pub score: f64,
    /// Why, the largest first; they add up to the score.
    pub parts: Vec<Part>,
    /// The entry.
    pub entry: Entry,
}

/// What is searched for: plain text, and what it means where a model has said so.
#[derive(Debug, Clone, Copy)]
pub struct Question<'q> {
    /// Words; nothing in them is syntax.
    pub text: &'q str,
    /// What they mean.
    pub meaning: Option<&'q Meaning>,
}

impl<'q> From<&'q str> for Question<'q> {
    fn from(text: &'q str) -> Self {
        Self { text, meaning: None }
    }
}

/// What is searched for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wish<'w> {
    /// Words, and what they mean.
    pub(super) question: Question<'w>,
    /// At most this many entries.
    pub(super) limit: usize,
    /// Least score.
    pub(super) least: f64,
    /// Most entries of a file that are indexed for it first; what is not in the index is not found.
    pub(super) most: usize,
    /// How sure at least everything is at a moment that is wanted and holds, where that is known. What is less sure is not
    /// looked at, however much of it there is.
    pub(super) sure: Option<(f64, Timestamp)>,
}

impl Wish<'_> {
    /// The cards of a file that may be wanted.
    fn candidates<'v>(&self, view: &'v View) -> Box<dyn Iterator<Item = &'v Card> + 'v> {
        match self.sure {
            // Somewhat less sure, for numbers are rounded.
            Some((least, at)) => Box::new(view.worth(least * 0.999, at)),
            None => Box::new(view.cards()),
        }
    }
}

/// The files that are searched, by their stems.
type Shelves = HashMap<String, Arc<Mutex<Shelf>>>;

impl Memory {
    /// What `holder`, or anybody, remembers about `question`, the best first.
    ///
    /// # Errors
    /// [`Error::Unfit`] for a text without words, [`Error::Store`] when memories cannot be read.
    pub fn search<'q>(
        &self,
        holder: Option<&Holder>,
        question: impl Into<Question<'q>>,
        query: &Query,
        clearance: &Clearance,
    ) -> Result<Vec<Searched>, Error> {
        let question = question.into();
        if !question.text.contains(char::is_alphanumeric) {
            return Err(Error::Unfit("`query` holds no word to look for".to_owned()));
        }
        let now = clock::now();
        let is_wanted = |card: &Card, stem: &str| {
            let owner = holder.map_or(owner(card, stem), Holder::name);
            holder.is_none_or(|holder| holder.is(&card.employee))
                && self.fits(card, query, now)
                && clearance.admits(card, owner)
        };
        let wish = Wish { question, limit: query.limit, least: 0.0, most: usize::MAX, sure: None };
        self.find(holder, &wish, &is_wanted)
    }

    /// Finds what is wished for, and wanted.
    pub(super) fn find(
        &self,
        holder: Option<&Holder>,
        wish: &Wish<'_>,
        is_wanted: &dyn Fn(&Card, &str) -> bool,
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
            let book = self.shelf(&self.folder.join(format!("{stem}{}", super::ENDING)));
            book.lock().read()?;
            shelves.insert(stem, book);
        }
        if shelves.values().all(|book| wish.candidates(book.lock().view()).next().is_none()) {
            return Ok(Vec::new());
        }
        if let Some(index) = self.index.there() {
            match self.by_index(index, &shelves, wish, is_wanted) {
                // Words like `more` are in no index.
                Ok(found)
                    if found.is_empty() && wish.least <= 0.0 && index::is_left_out(wish.question.text) =>
                {
                    return by_words(&shelves, wish, is_wanted, MOST_READ);
                }
                Ok(found) => return Ok(found),
                Err(error) => indexed::complain(&error),
            }
        }
        by_words(&shelves, wish, is_wanted, usize::MAX)
    }

    fn by_index(
        &self,
        index: &Index,
        shelves: &Shelves,
        wish: &Wish<'_>,
        is_wanted: &dyn Fn(&Card, &str) -> bool,
    ) -> Result<Vec<Searched>, Error> {
        for (stem, book) in shelves {
            let book = book.lock();
            Indexed::catch_up(index, stem, &book.state(), book.view(), wish.most, Patience::UntilFree)?;
        }
        let employees: Vec<String> = shelves.keys().cloned().collect();
        if employees.is_empty() {
            return Ok(Vec::new());
        }
        let half_life_days = self.settings.half_life_days;
        let query = index::Query {
            text: wish.question.text,
            employees: &employees,
            limit: wish.limit,
            least: wish.least,
            now: clock::now(),
            half_life_days,
        };
        // An index that is behind, or ahead, finds what is wanted no more.
        let keep = |facts: &index::Facts| {
            shelves.get(&facts.employee).is_some_and(|book| {
                let book = book.lock();
                book.view()
                    .get(indexed::id_of(&facts.id))
                    .is_some_and(|card| is_wanted(card, &facts.employee))
            })
        };
        let all = || {
            let mut names = HashSet::new();
            for (stem, book) in shelves {
                let book = book.lock();
                let wanted = wish.candidates(book.view()).filter(|card| is_wanted(card, stem));
                names.extend(wanted.map(|card| index::name(&indexed::key(stem, &card.id))));
            }
            names
        };
        let wanted = Wanted { keep: &keep, all: Some(&all) };
        let mut found = Vec::new();
        for hit in index.search_among(&query, wish.question.meaning, &wanted)? {
            let Some(book) = shelves.get(&hit.employee).map(|book| book.lock()) else { continue };
            if let Some(card) = book.view().get(indexed::id_of(&hit.id)) {
                let entry = book.view().entry(card)?;
                found.push(Searched { score: hit.score, parts: hit.parts, entry });
            }
        }
        Ok(found)
    }

    /// Makes the search index anew, and has files without lines that count no more. Gives how many entries of how many files
    /// are in the index.
    ///
    /// # Errors
    /// [`Error::Store`] when memories cannot be read, [`Error::Index`] when the index cannot be written.
    pub fn reindex(&self) -> Result<(u64, usize), Error> {
        let index = self.index.open().ok_or(Error::NoIndex)?;
        let (mut entries, stems) = (0, self.stems()?);
        for stem in &stems {
            let book = self.shelf(&self.folder.join(format!("{stem}{}", super::ENDING)));
            let mut book = book.lock();
            book.tidy()?;
            Indexed::clear(index, stem)?;
            Indexed::catch_up(index, stem, &book.state(), book.view(), usize::MAX, Patience::UntilFree)?;
            entries += index.count(stem)?;
        }
        index.settle()?;
        Ok((entries, stems.len()))
    }
}

/// Whose entry it is that was found in this file.
pub(super) fn owner<'c>(card: &'c Card, stem: &'c str) -> &'c str {
    if card.employee.is_empty() { stem } else { &card.employee }
}

/// Looks through the files, the newest `most` entries of each: where there is no index yet, or none that can be used.
fn by_words(
    shelves: &Shelves,
    wish: &Wish<'_>,
    is_wanted: &dyn Fn(&Card, &str) -> bool,
    most: usize,
) -> Result<Vec<Searched>, Error> {
    let wanted = alike::words(wish.question.text);
    let mut found = Vec::new();
    for (stem, book) in shelves {
        let book = book.lock();
        for card in book.view().by(By::Time).filter(|card| is_wanted(card, stem)).take(most) {
            let entry = book.view().entry(card)?;
            let mut words = alike::words(&entry.content);
            for word in entry.tags.iter().chain(&entry.keywords) {
                words.extend(alike::words(word));
            }
            let common = wanted.intersection(&words).count();
            #[expect(clippy::cast_precision_loss, reason = "counts of words")]
            let score = common as f64 / wanted.len().max(1) as f64;
            if common > 0 && score >= wish.least {
                let parts = vec![Part { name: "words", score }];
                found.push((Searched { score, parts, entry }, card.created));
            }
        }
    }
    found.sort_by(|(a, before), (b, after)| {
        b.score.total_cmp(&a.score).then(Reverse(before).cmp(&Reverse(after)))
    });
    Ok(found.into_iter().take(wish.limit).map(|(found, _)| found).collect())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use jiff::SignedDuration;

    use super::*;
    use crate::engine::memory::{Category, FOLDER, Settings, entry::written};

    /// Entries of a file: most of them are looked through before one of the few that are wanted comes.
    const MANY: u64 = 1500;

    /// Words that look chosen by chance, the same each time (xorshift).
    fn words(chance: &mut u64, count: usize) -> String {
        let mut word = || {
            *chance ^= *chance << 13;
            *chance ^= *chance >> 7;
            *chance ^= *chance << 17;
            format!("word{}", *chance % 40)
        };
        (0..count).map(|_| word()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn what_is_found_is_what_going_through_all_finds() {
        let root = tempfile::tempdir().unwrap();
        let (now, mut chance) = (clock::now(), 7);
        let mut lines = Vec::new();
        for number in 0..MANY {
            let new = Entry::new("ann", Category::Finding, &words(&mut chance, 8), now);
            let hours = i64::try_from(number * 7919 % MANY).unwrap();
            let created_at = written(now - SignedDuration::from_hours(hours));
            let importance = i64::try_from(number % 5).unwrap() + 1;
            let entry = Entry { id: format!("id{number}"), created_at, importance, ..new };
            lines.extend(entry.line().unwrap());
        }
        fs::create_dir_all(root.path().join(FOLDER)).unwrap();
        fs::write(root.path().join(FOLDER).join("ann.jsonl"), lines).unwrap();
        let settings = Settings { half_life_days: 7.0, ..Settings::default() };
        let memory = Memory::open(root.path(), settings);
        memory.reindex().unwrap();
        let index = memory.index.there().unwrap();
        let shelf = memory.shelf(&root.path().join(FOLDER).join("ann.jsonl"));
        let mut told = 0;
        // All of them, many, few, one or two, none.
        for sure in [0.0, 0.2, 0.9, 0.995, 1.0] {
            for (turn, least) in (0..10).zip([0.0, 0.15].into_iter().cycle()) {
                let text = words(&mut chance, 3 + turn);
                let is_wanted =
                    |card: &Card, _: &str| card.holds(now) && card.confidence_at(now, 7.0) >= sure;
                let wish = Wish {
                    question: text.as_str().into(),
                    limit: 13,
                    least,
                    most: usize::MAX,
                    sure: Some((sure, now)),
                };
                let found = memory.find(None, &wish, &is_wanted).unwrap();
                let query =
                    index::Query { text: &text, employees: &[], limit: 13, least, now, half_life_days: 7.0 };
                let plainly = index.search(&query, &|facts| {
                    let shelf = shelf.lock();
                    shelf.view().get(indexed::id_of(&facts.id)).is_some_and(|card| is_wanted(card, "ann"))
                });
                let found: Vec<String> = found.into_iter().map(|found| found.entry.id).collect();
                let plainly: Vec<String> =
                    plainly.unwrap().iter().map(|hit| indexed::id_of(&hit.id).to_owned()).collect();
                assert_eq!(found, plainly, "{text}, {sure}, {least}");
                told += found.len();
            }
        }
        assert!(told > 100, "{told}");
    }
}

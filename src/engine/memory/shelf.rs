//! One file of entries: read along, and changed under its lock.
//!
//! What is added is appended. A change takes the place of its line in a new file, as long as the file is small. In a large
//! one it is appended as well, for of two lines with one id the later counts; when an eighth of the file counts no more, and
//! whenever something is to be gone, the file is written anew without it.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};

use super::{
    Entry, Error,
    indexed::{SharedIndex, State},
    view::View,
};
use crate::store::log::{Change, Line, Place, Shared};

/// Most bytes of a file; a hundred times what a hundred thousand entries take is a mistake.
const MOST_BYTES: u64 = 1 << 30;
/// Bytes up to which a changed file is written anew each time.
const SMALL: u64 = 1 << 18;
/// Which part of a file may count no more.
const OUTDATED: u64 = 8;

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
    /// Entries that take the place of those with the same id.
    changed: Vec<Entry>,
    /// Ids of entries that are to be gone.
    removed: Vec<String>,
    /// Entries that come behind.
    added: Vec<Entry>,
}

impl Edit {
    pub(super) fn add(&mut self, entry: Entry) {
        self.added.push(entry);
    }

    /// Changes the entry that has this id already.
    pub(super) fn put(&mut self, entry: Entry) {
        self.changed.push(entry);
    }

    /// Has the entries of these ids gone.
    pub(super) fn remove(&mut self, ids: impl IntoIterator<Item = String>) {
        self.removed.extend(ids);
    }

    /// The ids of all that is not as it was.
    fn ids(&self) -> Vec<String> {
        let entries = self.added.iter().chain(&self.changed).map(|entry| entry.id.clone());
        entries.chain(self.removed.iter().cloned()).collect()
    }
}

impl Shelf {
    /// A file whose entries are searched by `index`, if they are.
    pub(super) fn new(path: &Path, half_life_days: f64, index: Option<SharedIndex>) -> Self {
        let view = View::new(path, half_life_days);
        Self { path: path.to_owned(), place: Place::default(), view, index }
    }

    /// The state of the file as it was last read.
    pub(super) fn state(&self) -> State {
        State { file: self.place.identity(), lines: self.place.lines() }
    }

    /// The entries as they are now.
    pub(super) fn read(&mut self) -> Result<&View, Error> {
        self.size()?;
        self.place.read_on(&self.path, &mut self.view)?;
        Ok(&self.view)
    }

    /// How many bytes the file has. Refuses one that is too large.
    fn size(&self) -> Result<u64, Error> {
        let size = std::fs::metadata(&self.path).map_or(0, |seen| seen.len());
        if size > MOST_BYTES {
            return Err(Error::Conflict(format!(
                "`{}` has {size} bytes; at most {MOST_BYTES} are read, so archive some of it",
                self.path.display()
            )));
        }
        Ok(size)
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
        let size = self.size()?;
        let shared = Shared::lock(&self.path)?;
        shared.read_on(&mut self.place, &mut self.view)?;
        let before = self.state();
        let mut wanted = Edit::default();
        let given = edit(&self.view, &mut wanted)?;
        let ids = wanted.ids();
        if ids.is_empty() {
            return Ok(given);
        }
        if self.is_to_be_rewritten(&wanted, size) {
            self.rewrite(&shared, &wanted)?;
        } else {
            // What is new comes before what it takes the place of: were only the first line written, nothing is lost.
            let lines = wanted.added.iter().chain(&wanted.changed).map(Entry::line);
            shared.append(&lines.collect::<Result<Vec<_>, _>>()?.concat())?;
        }
        shared.read_on(&mut self.place, &mut self.view)?;
        if let Some(index) = &self.index {
            // While nobody else writes, so that states follow each other in the index as they do in the file.
            index.follow(&super::stem_of(&self.path), &before, &self.state(), &ids, &self.view);
        }
        Ok(given)
    }

    /// Writes the file anew without the lines that count no more, if there are any.
    pub(super) fn tidy(&mut self) -> Result<(), Error> {
        if self.read()?.outdated().lines.is_empty() {
            return Ok(());
        }
        let shared = Shared::lock(&self.path)?;
        shared.read_on(&mut self.place, &mut self.view)?;
        self.rewrite(&shared, &Edit::default())?;
        shared.read_on(&mut self.place, &mut self.view)?;
        Ok(())
    }

    /// Whether appending does not do. Several changes at once happen whole only that way.
    fn is_to_be_rewritten(&self, wanted: &Edit, size: u64) -> bool {
        let is_crowded = || self.view.outdated().bytes * OUTDATED > size;
        !wanted.removed.is_empty()
            || wanted.changed.len() > 1
            || wanted.changed.len() == 1 && (size < SMALL || is_crowded())
    }

    fn rewrite(&self, shared: &Shared, wanted: &Edit) -> Result<(), Error> {
        let mut changes = HashMap::with_capacity(wanted.changed.len() + wanted.removed.len());
        for entry in &wanted.changed {
            let bytes = serde_json::to_vec(entry)?;
            changes.extend(self.view.get(&entry.id).map(|card| (card.line, Change::Put(bytes))));
        }
        let gone = wanted.removed.iter().filter_map(|id| self.view.get(id));
        changes.extend(gone.map(|card| (card.line, Change::Drop)));
        let outdated = &self.view.outdated().lines;
        let change = |line: Line<'_>| match changes.remove(&line.number) {
            Some(change) => change,
            None if outdated.contains(&line.number) => Change::Drop,
            None => Change::Keep,
        };
        let added = wanted.added.iter().map(Entry::line).collect::<Result<Vec<_>, _>>()?;
        Ok(shared.rewrite(change, &added.concat())?)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::{base::clock, engine::memory::Category, store::log::read};

    /// Entries of a file that is larger than what is written anew each time.
    const MANY: usize = 600;

    /// A file of `MANY` entries, `0` to `599`.
    fn large(folder: &Path) -> PathBuf {
        let path = folder.join("ann.jsonl");
        let mut lines = Vec::new();
        for number in 0..MANY {
            lines.extend(entry(number, &format!("{number} is {}", "long ".repeat(80))).line().unwrap());
        }
        assert!(lines.len() as u64 > SMALL);
        fs::write(&path, lines).unwrap();
        path
    }

    fn entry(number: usize, content: &str) -> Entry {
        let id = number.to_string();
        Entry { id, ..Entry::new("ann", Category::Finding, content, clock::now()) }
    }

    fn shelf(path: &Path) -> Shelf {
        Shelf::new(path, 90.0, None)
    }

    fn change(shelf: &mut Shelf, number: usize, content: &str) {
        let put = |_: &View, edit: &mut Edit| {
            edit.put(entry(number, content));
            Ok(())
        };
        shelf.edit(put).unwrap();
    }

    fn content(shelf: &mut Shelf, number: usize) -> Option<String> {
        let view = shelf.read().unwrap();
        view.get(&number.to_string()).map(|card| view.entry(card).unwrap().content)
    }

    fn lines(path: &Path) -> u64 {
        read(path, |_| Ok::<(), std::convert::Infallible>(())).unwrap().lines
    }

    #[test]
    fn a_change_of_a_large_file_is_appended() {
        let folder = tempfile::tempdir().unwrap();
        let path = large(folder.path());
        let (mut one, mut other) = (shelf(&path), shelf(&path));
        let before = fs::read(&path).unwrap();
        assert_eq!(other.read().unwrap().live(), MANY);
        change(&mut one, 7, "seven");
        change(&mut one, 7, "Seven");
        assert!(fs::read(&path).unwrap().starts_with(&before));
        for shelf in [&mut one, &mut other, &mut shelf(&path)] {
            assert_eq!(content(shelf, 7).unwrap(), "Seven");
            assert_eq!((shelf.view().live(), shelf.view().outdated().lines.len()), (MANY, 2));
        }
    }

    #[test]
    fn what_counts_no_more_is_gone_when_it_is_much() {
        let folder = tempfile::tempdir().unwrap();
        let path = large(folder.path());
        let (mut one, mut other) = (shelf(&path), shelf(&path));
        let longest = "long ".repeat(80);
        let most = (0..MANY * 2).map(|turn| {
            change(&mut one, turn % 50, &format!("{turn} is {longest}"));
            lines(&path)
        });
        let most = usize::try_from(most.max().unwrap()).unwrap();
        assert!((MANY + 50..MANY * 5 / 4).contains(&most), "{most}");
        for shelf in [&mut one, &mut other] {
            assert!(content(shelf, 49).unwrap().starts_with(&format!("{} ", MANY * 2 - 1)));
            assert!(content(shelf, 50).unwrap().starts_with("50 "));
            assert_eq!(shelf.view().live(), MANY);
        }
        one.tidy().unwrap();
        assert_eq!((lines(&path), other.read().unwrap().outdated().lines.len()), (MANY as u64, 0));
    }

    #[test]
    fn what_is_removed_is_gone_with_all_it_said_before() {
        let folder = tempfile::tempdir().unwrap();
        let path = large(folder.path());
        let mut shelf = shelf(&path);
        change(&mut shelf, 3, "the key is 1234");
        change(&mut shelf, 3, "the key is 5678");
        let remove = |_: &View, edit: &mut Edit| {
            edit.remove(["3".to_owned()]);
            Ok(())
        };
        shelf.edit(remove).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        assert!(!text.contains("the key") && !text.contains("\"3 is "));
        assert_eq!((content(&mut shelf, 3), shelf.view().live()), (None, MANY - 1));
    }

    #[test]
    fn a_correction_that_was_cut_off_loses_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = large(folder.path());
        let mut one = shelf(&path);
        let correct = |_: &View, edit: &mut Edit| {
            edit.put(Entry { superseded_by: "right".to_owned(), ..entry(5, "wrong") });
            edit.add(Entry { id: "right".to_owned(), supersedes: "5".to_owned(), ..entry(0, "right") });
            Ok(())
        };
        let before = fs::metadata(&path).unwrap().len();
        one.edit(correct).unwrap();
        let after = fs::metadata(&path).unwrap().len();
        for length in before..after {
            let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
            let whole = fs::read(&path).unwrap();
            file.set_len(length).unwrap();
            let mut other = shelf(&path);
            let view = other.read().unwrap();
            let holds = |id: &str| view.get(id).is_some_and(super::super::Card::is_live);
            assert!(holds("5") != holds("right"), "{length}");
            assert_eq!(view.live(), MANY, "{length}");
            let told = view.entry(view.get("5").unwrap()).unwrap();
            assert_eq!(told.is_live(), holds("5"), "{length}");
            drop(file);
            fs::write(&path, whole).unwrap();
        }
    }
}

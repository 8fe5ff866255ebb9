//! The entries of one file, as they were last read.

use std::{
    collections::{HashMap, HashSet},
    fs::File,
    path::{Path, PathBuf},
    sync::Arc,
};

use jiff::Timestamp;

use super::{
    Entry, Error,
    card::{self, Card, Words},
    orders::{By, Orders},
};
use crate::{
    engine::parts::{self, THREADS},
    store::log::{Line, Reader, read_span},
};

/// Most lines without meaning that are told one by one.
const TOLD: usize = 20;
/// Lines that several threads read.
const MANY: usize = 512;

/// The entries of one file.
#[derive(Debug)]
pub(super) struct View {
    path: PathBuf,
    /// What the lines are in.
    file: Option<Arc<File>>,
    cards: Vec<Card>,
    by_id: HashMap<Arc<str>, usize>,
    by_sense: HashMap<u64, usize>,
    /// The ids of entries that were corrected, and of what corrects each.
    corrected: HashMap<Arc<str>, Arc<str>>,
    orders: Orders,
    /// Of each thread that reads lines, so that none waits for another.
    words: [Words; THREADS],
    live: usize,
    outdated: Outdated,
    broken: Vec<Broken>,
    broken_count: usize,
}

/// Lines in whose place later ones with the same id count.
#[derive(Debug, Default)]
pub(super) struct Outdated {
    /// Their numbers.
    pub(super) lines: HashSet<u64>,
    /// How long they are together.
    pub(super) bytes: u64,
}

/// A line that is no entry. It stays where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// Its number, from 1.
    pub line: u64,
    /// What is wrong with it.
    pub reason: String,
}

impl View {
    /// Of the file at `path`, of which nothing is read yet.
    pub(super) fn new(path: &Path, half_life_days: f64) -> Self {
        Self::with(path.to_owned(), Orders::new(half_life_days))
    }

    fn with(path: PathBuf, orders: Orders) -> Self {
        Self {
            path,
            file: None,
            cards: Vec::new(),
            by_id: HashMap::new(),
            by_sense: HashMap::new(),
            corrected: HashMap::new(),
            orders,
            words: Default::default(),
            live: 0,
            outdated: Outdated::default(),
            broken: Vec::new(),
            broken_count: 0,
        }
    }

    /// The card of an id.
    pub(super) fn get(&self, id: &str) -> Option<&Card> {
        self.cards.get(*self.by_id.get(id)?)
    }

    /// All cards, also of what no longer holds, as they came.
    pub(super) fn cards(&self) -> impl Iterator<Item = &Card> {
        self.cards.iter()
    }

    /// The cards in an order, the first first.
    pub(super) fn by(&self, order: By) -> impl DoubleEndedIterator<Item = &Card> {
        self.orders.get(order, &self.cards).filter_map(|at| self.cards.get(at))
    }

    /// The cards that are worth most, of those that are at least so sure at a moment.
    pub(super) fn worth(&self, least: f64, now: Timestamp) -> impl Iterator<Item = &Card> {
        self.orders.worth((least, now), &self.cards).filter_map(|at| self.cards.get(at))
    }

    /// How many entries no other one took the place of.
    pub(super) fn live(&self) -> usize {
        self.live
    }

    /// The entry of a card.
    ///
    /// # Errors
    /// [`Error::Store`] when it cannot be read, [`Error::Conflict`] when somebody wrote over the file where it lies.
    pub(super) fn entry(&self, card: &Card) -> Result<Entry, Error> {
        let file = self.file.as_ref().ok_or_else(|| self.changed())?;
        let line = read_span(&self.path, file, card.span)?;
        let mut entry: Entry = serde_json::from_slice(&line).map_err(|_| self.changed())?;
        if entry.id != *card.id {
            return Err(self.changed());
        }
        if let Some(by) = card.superseded_by.as_ref().filter(|_| entry.is_live()) {
            (entry.superseded_by, entry.confidence) = (by.to_string(), 0.0);
        }
        Ok(entry)
    }

    fn changed(&self) -> Error {
        Error::Conflict(format!("`{}` changed while it was read; try again", self.path.display()))
    }

    /// The entry that holds and says the same as `entry`, to the same readers.
    ///
    /// # Errors
    /// As [`View::entry`].
    pub(super) fn same(&self, entry: &Entry, now: Timestamp) -> Result<Option<Entry>, Error> {
        let card = self.by_sense.get(&card::sense_of(entry)).and_then(|at| self.cards.get(*at));
        let Some(card) = card.filter(|card| card.holds(now)) else { return Ok(None) };
        let sense = |entry: &Entry| (entry.category, entry.classification, entry.visibility);
        Ok(Some(self.entry(card)?).filter(|known| {
            sense(known) == sense(entry)
                && known.content.trim() == entry.content.trim()
                && known.domain == entry.domain
        }))
    }

    /// Lines that count no more.
    pub(super) fn outdated(&self) -> &Outdated {
        &self.outdated
    }

    /// Lines that are no entries: the first of them, and how many there are.
    pub(super) fn broken(&self) -> (&[Broken], usize) {
        (&self.broken, self.broken_count)
    }
}

impl Reader for View {
    fn anew(&mut self) {
        *self = Self::with(std::mem::take(&mut self.path), self.orders.emptied());
    }

    fn opened(&mut self, file: &Arc<File>) {
        self.file = Some(Arc::clone(file));
    }

    fn line(&mut self, line: Line<'_>) {
        self.lines(&[line]);
    }

    fn lines(&mut self, lines: &[Line<'_>]) {
        let read = parts::each(lines, MANY, &mut self.words, |line, words| Card::read(*line, words));
        for (line, read) in lines.iter().zip(read) {
            self.take(line.number, read);
        }
    }
}

impl View {
    /// Has an entry give way to its correction, if it did not.
    fn give_way(&mut self, old: &str, to: &Arc<str>) {
        let Some(at) = self.by_id.get(old) else { return };
        let Some(card) = self.cards.get_mut(*at).filter(|card| card.is_live() && card.id != *to) else {
            return;
        };
        let before = card.clone();
        card.give_way(to);
        self.live -= 1;
        self.orders.put(*at, Some(&before), card);
    }

    /// Takes what was read of a line.
    fn take(&mut self, number: u64, read: Result<(Card, u64), serde_json::Error>) {
        let (mut card, sense) = match read {
            Ok(read) => read,
            Err(error) => {
                self.broken_count += 1;
                if self.broken.len() < TOLD {
                    self.broken.push(Broken { line: number, reason: error.to_string() });
                }
                return;
            }
        };
        // A writer may have been killed between a correction and the line of what it corrects: the correction counts.
        if let Some(old) = &card.supersedes {
            self.corrected.insert(Arc::clone(old), Arc::clone(&card.id));
            self.give_way(&Arc::clone(old), &card.id);
        }
        let by = self.corrected.get(&card.id).filter(|_| card.is_live());
        if let Some(by) = by.filter(|by| card.supersedes.as_ref() != Some(by)) {
            card.give_way(by);
        }
        let at = *self.by_id.entry(Arc::clone(&card.id)).or_insert(self.cards.len());
        self.live += usize::from(card.is_live());
        if card.is_live() {
            self.by_sense.insert(sense, at);
        }
        // Of two lines with one id the later counts.
        let before = self.cards.get_mut(at);
        self.orders.put(at, before.as_deref(), &card);
        match before {
            None => self.cards.push(card),
            Some(before) => {
                self.live -= usize::from(before.is_live());
                self.outdated.lines.insert(before.line);
                self.outdated.bytes += before.span.length + 1;
                *before = card;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(lines: &[&str]) -> View {
        let mut view = View::new(Path::new("x"), 90.0);
        for (number, text) in (1..).zip(lines) {
            view.line(Line { number, at: 0, bytes: text.as_bytes() });
        }
        view
    }

    #[test]
    fn the_newest_is_by_time_and_then_by_place() {
        let lines = [
            r#"{"id":"1","created_at":"2026-01-03T00:00:00","category":"finding","content":"c"}"#,
            r#"{"id":"2","created_at":"2026-01-01T00:00:00Z","category":"finding","content":"a"}"#,
            "{\"id\":",
            r#"{"id":"3","created_at":"2026-01-02T00:00:00+00:00","category":"finding","content":"b"}"#,
            r#"{"id":"4","created_at":"2026-01-03T00:00:00Z","category":"finding","content":"d"}"#,
            r#"{"id":"3","created_at":"2026-01-02T00:00:00Z","category":"finding","content":"B"}"#,
            r#"{"id":"5","category":"observation","content":"x"}"#,
        ];
        let view = view(&lines);
        let told: Vec<_> = view.by(By::Time).map(|card| &*card.id).collect();
        assert_eq!(told, ["4", "1", "3", "2"]);
        assert_eq!((view.get("3").unwrap().line, view.live()), (6, 4));
        let outdated = view.outdated();
        assert!(outdated.lines.contains(&4) && outdated.bytes == lines[3].len() as u64 + 1);
        let (broken, count) = view.broken();
        assert_eq!((broken[0].line, broken[1].line, count), (3, 7, 2));
        assert!(broken[1].reason.contains("observation"), "{broken:?}");
    }

    #[test]
    fn many_lines_at_once_are_read_as_one_by_one() {
        let lines: Vec<String> = (0..MANY * 3)
            .map(|number| match number % 10 {
                0 => "{".to_owned(),
                turn => format!(
                    r#"{{"id":"{}","category":"finding","content":"{number}","importance":{},"tags":["t{turn}"]}}"#,
                    number * 7 % 1000,
                    number % 5 + 1
                ),
            })
            .collect();
        let texts: Vec<&str> = lines.iter().map(String::as_str).collect();
        let one_by_one = view(&texts);
        let numbered: Vec<Line<'_>> =
            (1..).zip(&texts).map(|(number, text)| Line { number, at: 0, bytes: text.as_bytes() }).collect();
        let mut at_once = View::new(Path::new("x"), 90.0);
        at_once.lines(&numbered);
        assert!(one_by_one.cards().eq(at_once.cards()));
        assert_eq!(one_by_one.broken(), at_once.broken());
        assert_eq!(one_by_one.live(), at_once.live());
    }

    #[test]
    fn what_has_faded_is_stepped_over() {
        let line = |id: u32, day: u32, importance: u32| {
            format!(
                r#"{{"id":"{id}","created_at":"2026-01-{day:02}T00:00:00Z","category":"finding","content":"x","importance":{importance}}}"#
            )
        };
        let lines =
            [line(1, 2, 3), line(2, 30, 3), line(3, 31, 1), line(4, 1, 5), line(5, 29, 5), line(6, 28, 3)];
        let mut view = View::new(Path::new("x"), 7.0);
        for (number, text) in (1..).zip(&lines) {
            view.line(Line { number, at: 0, bytes: text.as_bytes() });
        }
        let now = "2026-02-01T00:00:00Z".parse().unwrap();
        let worth = |least| view.worth(least, now).map(|card| &*card.id).collect::<Vec<_>>();
        assert_eq!(worth(0.0), view.by(By::Worth).map(|card| &*card.id).collect::<Vec<_>>());
        assert_eq!(worth(0.0), ["5", "4", "2", "6", "1", "3"]);
        assert_eq!(worth(0.5), ["5", "2", "6", "3"]);
    }

    #[test]
    fn an_order_that_was_looked_at_follows() {
        let mut view = view(&[]);
        let orders = [By::Time, By::Importance, By::Confidence, By::Worth, By::Shared, By::Outcomes];
        let told =
            |view: &View| orders.map(|by| view.by(by).map(|card| card.id.to_string()).collect::<Vec<_>>());
        let mut lines = Vec::new();
        for number in 0..60_u64 {
            let (id, day, importance) = (number * 7 % 20, number * 11 % 28 + 1, number % 5 + 1);
            let more = match number % 4 {
                0 => r#","superseded_by":"x""#,
                1 => r#","shared":true"#,
                2 => r#","tags":["outcome"],"confidence":0.5"#,
                _ => &format!(r#","supersedes":"{}""#, number * 3 % 20),
            };
            lines.push(format!(
                r#"{{"id":"{id}","created_at":"2026-01-{day:02}T00:00:00Z","category":"finding","content":"{number}","importance":{importance}{more}}}"#
            ));
        }
        told(&view);
        for (number, text) in (1..).zip(&lines) {
            view.line(Line { number, at: 0, bytes: text.as_bytes() });
            let texts: Vec<&str> =
                lines.iter().take(usize::try_from(number).unwrap()).map(String::as_str).collect();
            assert_eq!(told(&view), told(&self::view(&texts)), "after line {number}");
        }
    }
}

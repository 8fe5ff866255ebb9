//! The entries of one file, as they were last read.

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    sync::Arc,
};

use jiff::Timestamp;

use super::{Category, Classification, Entry, Visibility};
use crate::store::log::{Line, Reader};

/// Most lines without meaning that are told one by one.
const TOLD: usize = 20;

/// The entries of one file.
#[derive(Debug, Default)]
pub(super) struct View {
    entries: Vec<Kept>,
    by_id: HashMap<String, usize>,
    by_text: HashMap<u64, usize>,
    /// The places of entries, by when they were written.
    order: Vec<usize>,
    broken: Vec<Broken>,
    broken_count: usize,
}

#[derive(Debug)]
struct Kept {
    line: u64,
    created: Timestamp,
    entry: Arc<Entry>,
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
    /// The entry of an id, and the line it is in.
    pub(super) fn get(&self, id: &str) -> Option<(u64, &Arc<Entry>)> {
        let kept = self.entries.get(*self.by_id.get(id)?)?;
        Some((kept.line, &kept.entry))
    }

    /// All entries, also those that no longer hold, the newest first.
    pub(super) fn newest(&self) -> impl Iterator<Item = &Arc<Entry>> {
        self.order.iter().rev().filter_map(|at| self.entries.get(*at)).map(|kept| &kept.entry)
    }

    /// The same with the lines they are in.
    pub(super) fn lines(&self) -> impl Iterator<Item = (u64, &Arc<Entry>)> {
        self.entries.iter().map(|kept| (kept.line, &kept.entry))
    }

    /// The entry that holds and says the same as `entry`, to the same readers.
    pub(super) fn same(&self, entry: &Entry, now: Timestamp) -> Option<&Arc<Entry>> {
        let kept = self.entries.get(*self.by_text.get(&text_hash(entry))?)?;
        let is_same = kept.entry.holds(now) && same_text(&kept.entry, entry);
        is_same.then_some(&kept.entry)
    }

    /// Lines that are no entries: the first of them, and how many there are.
    pub(super) fn broken(&self) -> (&[Broken], usize) {
        (&self.broken, self.broken_count)
    }
}

impl Reader for View {
    fn anew(&mut self) {
        *self = Self::default();
    }

    fn line(&mut self, line: Line<'_>) {
        let entry: Entry = match line.parse() {
            Ok(entry) => entry,
            Err(error) => {
                self.broken_count += 1;
                if self.broken.len() < TOLD {
                    self.broken.push(Broken { line: line.number, reason: error.to_string() });
                }
                return;
            }
        };
        let kept = Kept { line: line.number, created: entry.created(), entry: Arc::new(entry) };
        let text = text_hash(&kept.entry);
        // Of two lines with one id the later counts.
        let at = match self.by_id.get(&kept.entry.id).copied() {
            Some(at) => {
                self.order.retain(|other| *other != at);
                at
            }
            None => {
                self.by_id.insert(kept.entry.id.clone(), self.entries.len());
                self.entries.len()
            }
        };
        let created = kept.created;
        if let Some(before) = self.entries.get_mut(at) {
            *before = kept;
        } else {
            self.entries.push(kept);
        }
        self.by_text.insert(text, at);
        let is_earlier =
            |other: &usize| self.entries.get(*other).is_some_and(|other| other.created <= created);
        // Nearly always the newest: looked for from the end.
        let place = match self.order.last() {
            Some(last) if !is_earlier(last) => self.order.partition_point(is_earlier),
            _ => self.order.len(),
        };
        self.order.insert(place, at);
    }
}

/// What makes two entries say the same to the same readers.
fn sense(entry: &Entry) -> (Category, Classification, Visibility, &str, &[String]) {
    (entry.category, entry.classification, entry.visibility, entry.content.trim(), &entry.domain)
}

fn same_text(a: &Entry, b: &Entry) -> bool {
    sense(a) == sense(b)
}

fn text_hash(entry: &Entry) -> u64 {
    let mut hasher = DefaultHasher::new();
    sense(entry).hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(lines: &[&str]) -> View {
        let mut view = View::default();
        for (number, text) in (1..).zip(lines) {
            view.line(Line { number, at: 0, bytes: text.as_bytes() });
        }
        view
    }

    #[test]
    fn the_newest_is_by_time_and_then_by_place() {
        let view = view(&[
            r#"{"id":"1","created_at":"2026-01-03T00:00:00","category":"finding","content":"c"}"#,
            r#"{"id":"2","created_at":"2026-01-01T00:00:00Z","category":"finding","content":"a"}"#,
            "{\"id\":",
            r#"{"id":"3","created_at":"2026-01-02T00:00:00+00:00","category":"finding","content":"b"}"#,
            r#"{"id":"4","created_at":"2026-01-03T00:00:00Z","category":"finding","content":"d"}"#,
            r#"{"id":"3","created_at":"2026-01-02T00:00:00Z","category":"finding","content":"B"}"#,
            r#"{"id":"5","category":"observation","content":"x"}"#,
        ]);
        let told: Vec<_> = view.newest().map(|entry| entry.content.as_str()).collect();
        assert_eq!(told, ["d", "c", "B", "a"]);
        assert_eq!(view.get("3").unwrap().0, 6);
        let (broken, count) = view.broken();
        assert_eq!((broken[0].line, broken[1].line, count), (3, 7, 2));
        assert!(broken[1].reason.contains("observation"), "{broken:?}");
    }
}

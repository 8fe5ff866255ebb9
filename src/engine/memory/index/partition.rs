//! The memory of one employee during a search.

use std::collections::HashMap;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::{
    Error, Facts,
    block::{self, BLOCK},
    forward::{Forward, Term},
};

/// Most that BM25 lets a word count that is said again and again, and how much longer entries are held against it.
const K1: f64 = 1.0;
const B: f64 = 0.5;

/// The memory of one employee.
#[derive(Debug)]
pub(super) struct Partition {
    pub(super) employee: i64,
    name: String,
    pub(super) live: i64,
    pub(super) length: i64,
    pub(super) coherence: f64,
    /// Words of each entry, by number; 0 for one that is gone.
    pub(super) lengths: Vec<u16>,
    /// Entries that are in no block yet.
    tail: Vec<(i64, Forward)>,
}

/// A word and what it counts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Weighed {
    pub(super) term: Term,
    pub(super) weight: f64,
}

/// Two numbers for each entry: how well it fits, and the weight of the words that it has.
#[derive(Debug, Default)]
pub(super) struct Sums {
    pub(super) score: Vec<f32>,
    pub(super) covered: Vec<f32>,
}

impl Partition {
    /// All of those whose names are given, or all.
    pub(super) fn load(connection: &Connection, names: &[String]) -> Result<Vec<Self>, Error> {
        let mut all = Vec::new();
        let columns = "select key, name, live, length, coherence, next, folded from employee";
        let mut read = |text: &str, value: &[&dyn rusqlite::ToSql]| -> Result<(), Error> {
            let mut rows = connection.prepare_cached(text)?;
            let mut rows = rows.query(value)?;
            while let Some(row) = rows.next()? {
                let (next, folded): (i64, i64) = (row.get(5)?, row.get(6)?);
                let mut partition = Self {
                    employee: row.get(0)?,
                    name: row.get(1)?,
                    live: row.get(2)?,
                    length: row.get(3)?,
                    coherence: row.get(4)?,
                    lengths: vec![0; usize::try_from(next).map_err(|_| Error::Torn)?],
                    tail: Vec::new(),
                };
                partition.fill(connection, folded, next)?;
                all.push(partition);
            }
            Ok(())
        };
        if names.is_empty() {
            read(columns, &[])?;
        }
        for name in names {
            read(&format!("{columns} where name = ?"), &[name])?;
        }
        Ok(all)
    }

    fn fill(&mut self, connection: &Connection, folded: i64, next: i64) -> Result<(), Error> {
        let mut rows = connection.prepare_cached("select first, lengths from block where employee = ?")?;
        let mut rows = rows.query([self.employee])?;
        while let Some(row) = rows.next()? {
            let first = usize::try_from(row.get::<_, i64>(0)?).map_err(|_| Error::Torn)?;
            let bytes = row.get_ref(1)?.as_blob().map_err(|_| Error::Torn)?;
            let (pairs, _) = bytes.as_chunks::<2>();
            for (place, pair) in self.lengths.iter_mut().skip(first).zip(pairs) {
                *place = u16::from_le_bytes(*pair);
            }
        }
        self.tail = block::read(connection, self.employee, folded.max(next - BLOCK), next)?;
        for (number, forward) in &self.tail {
            if let Some(place) = usize::try_from(*number).ok().and_then(|at| self.lengths.get_mut(at)) {
                *place = forward.length();
            }
        }
        Ok(())
    }

    /// In how many entries a word is.
    pub(super) fn entries_with(&self, connection: &Connection, term: Term) -> Result<i64, Error> {
        let mut row =
            connection.prepare_cached("select entries from term where employee = ? and term = ?")?;
        let packed: Option<i64> = row.query_row(params![self.employee, term], |row| row.get(0)).optional()?;
        let tail = self.tail.iter().filter(|(_, forward)| forward.weight(term) > 0).count();
        Ok(packed.unwrap_or(0).max(0) + i64::try_from(tail).unwrap_or(0))
    }

    /// Adds up BM25 over `words` for every entry. `average` is the length of an entry.
    pub(super) fn sum(
        &self,
        connection: &Connection,
        words: &[Weighed],
        average: f64,
    ) -> Result<Sums, Error> {
        let mut sums = Sums { score: vec![0.0; self.lengths.len()], covered: vec![0.0; self.lengths.len()] };
        let brakes: Vec<f64> = self.brakes(average);
        for word in words {
            let mut add = |number: i64, weight: u8| {
                let Ok(at) = usize::try_from(number) else { return };
                let Some(brake) = brakes.get(at) else { return };
                let score = word.weight * saturated(f64::from(weight), *brake);
                if let (Some(sum), Some(covered)) = (sums.score.get_mut(at), sums.covered.get_mut(at)) {
                    *sum += narrow(score);
                    *covered += narrow(word.weight);
                }
            };
            block::occurrences(connection, self.employee, word.term, &mut add)?;
            for (number, forward) in &self.tail {
                let weight = forward.weight(word.term);
                if weight > 0 {
                    add(*number, weight);
                }
            }
        }
        // What is gone may still be in a block.
        for (at, length) in self.lengths.iter().enumerate() {
            if *length == 0 {
                for sum in [&mut sums.score, &mut sums.covered] {
                    if let Some(sum) = sum.get_mut(at) {
                        *sum = 0.0;
                    }
                }
            }
        }
        Ok(sums)
    }

    /// How much the length of each entry holds its words back.
    fn brakes(&self, average: f64) -> Vec<f64> {
        self.lengths.iter().map(|length| brake(*length, average)).collect()
    }

    /// What `pairs` of words that stand side by side in an entry count.
    pub(super) fn side_by_side(forward: &Forward, pairs: &HashMap<(Term, Term), f64>, average: f64) -> f64 {
        let mut counts: HashMap<(Term, Term), f64> = HashMap::new();
        let mut before = None;
        for term in forward.in_order() {
            if let Some(before) = before.replace(term) {
                let pair = ordered(before, term);
                if pairs.contains_key(&pair) {
                    *counts.entry(pair).or_default() += 1.0;
                }
            }
        }
        let brake = brake(forward.length(), average);
        counts.iter().map(|(pair, count)| pairs.get(pair).unwrap_or(&0.0) * saturated(*count, brake)).sum()
    }

    /// What is known of an entry, and its words.
    pub(super) fn entry(
        &self,
        connection: &Connection,
        number: usize,
    ) -> Result<Option<(Facts, Forward)>, Error> {
        let mut row = connection.prepare_cached(
            "select id, category, tags, private, classification, domains, created_at, importance, confidence,
             usefulness, words from entry where employee = ? and number = ?",
        )?;
        let number = i64::try_from(number).map_err(|_| Error::Torn)?;
        let mut rows = row.query(params![self.employee, number])?;
        let Some(row) = rows.next()? else { return Ok(None) };
        let split = |joined: String| {
            joined.split('\u{1f}').filter(|word| !word.is_empty()).map(str::to_owned).collect()
        };
        let facts = Facts {
            id: row.get(0)?,
            employee: self.name.clone(),
            category: row.get(1)?,
            tags: split(row.get(2)?),
            is_private: row.get(3)?,
            classification: row.get(4)?,
            domains: split(row.get(5)?),
            created_at: Timestamp::from_second(row.get(6)?).map_err(|_| Error::Torn)?,
            importance: row.get(7)?,
            confidence: row.get(8)?,
            usefulness: row.get(9)?,
        };
        let forward = Forward::unpack(row.get_ref(10)?.as_blob().map_err(|_| Error::Torn)?)?;
        Ok(Some((facts, forward)))
    }

    /// The words of an entry.
    pub(super) fn words(&self, connection: &Connection, number: usize) -> Result<Option<Forward>, Error> {
        let number = i64::try_from(number).map_err(|_| Error::Torn)?;
        Ok(block::read(connection, self.employee, number, number + 1)?.pop().map(|(_, forward)| forward))
    }
}

/// A pair, whichever comes first.
pub(super) fn ordered(a: Term, b: Term) -> (Term, Term) {
    (a.min(b), a.max(b))
}

/// The most that [`saturated`] comes to.
pub(super) const MOST: f64 = K1 + 1.0;

fn brake(length: u16, average: f64) -> f64 {
    K1 * (1.0 - B + B * f64::from(length) / average)
}

fn saturated(weight: f64, brake: f64) -> f64 {
    weight * MOST / (weight + brake)
}

#[expect(clippy::cast_possible_truncation, reason = "half the memory, and more precise than any ranking")]
pub(super) fn narrow(number: f64) -> f32 {
    number as f32
}

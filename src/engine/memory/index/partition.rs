//! The memory of one employee during a search.

use std::{collections::HashMap, num::NonZeroUsize, sync::Arc};

use jiff::Timestamp;
use lru::LruCache;
use parking_lot::Mutex;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::{
    Error, Facts, block,
    forward::{Forward, Term},
};

/// Most that BM25 lets a word count that is said again and again, and how much longer entries are held against it.
const K1: f32 = 1.0;
const B: f32 = 0.5;

/// Employees whose memories are kept ready for the next search.
const READY: NonZeroUsize = NonZeroUsize::new(16).expect("it is not zero");

/// The memory of one employee, as it was at one moment.
#[derive(Debug)]
pub(super) struct Partition {
    employee: i64,
    name: String,
    pub(super) live: i64,
    pub(super) length: i64,
    pub(super) coherence: f64,
    /// Words of each entry, by number; 0 for one that is gone.
    pub(super) lengths: Vec<u16>,
    /// What stands for the id of each entry, by number.
    pub(super) names: Vec<Term>,
    /// Each word in the entries that are in no block yet, the number of its entry and what it weighs there; in order.
    tail: Vec<(Term, i64, u8)>,
}

/// Memories that were searched lately, each with the number of its last change.
#[derive(Debug)]
pub(super) struct Ready(Mutex<LruCache<i64, (i64, Arc<Partition>)>>);

impl Default for Ready {
    fn default() -> Self {
        Self(Mutex::new(LruCache::new(READY)))
    }
}

impl Ready {
    /// Those whose names are given, or all.
    pub(super) fn get(
        &self,
        connection: &Connection,
        names: &[String],
    ) -> Result<Vec<Arc<Partition>>, Error> {
        let mut found = Vec::new();
        if names.is_empty() {
            let mut rows = connection.prepare_cached("select key, changed from employee")?;
            let rows = rows.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
            found = rows.collect::<Result<Vec<(i64, i64)>, _>>()?;
        }
        let mut row = connection.prepare_cached("select key, changed from employee where name = ?")?;
        for name in names {
            found.extend(row.query_row([name], |row| Ok((row.get(0)?, row.get(1)?))).optional()?);
        }
        found.sort_unstable();
        found.dedup();
        found.into_iter().map(|(key, changed)| self.one(connection, key, changed)).collect()
    }

    fn one(&self, connection: &Connection, key: i64, changed: i64) -> Result<Arc<Partition>, Error> {
        if let Some((then, partition)) = self.0.lock().get(&key)
            && *then == changed
        {
            return Ok(Arc::clone(partition));
        }
        let partition = Arc::new(Partition::load(connection, key)?);
        self.0.lock().put(key, (changed, Arc::clone(&partition)));
        Ok(partition)
    }
}

/// A word and what it counts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Weighed {
    pub(super) term: Term,
    pub(super) weight: f64,
}

/// What words come to in one entry.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Sum {
    /// How well it fits.
    pub(super) score: f32,
    /// What the words weigh that it has.
    pub(super) covered: f32,
}

impl Partition {
    /// The key of the employee.
    pub(super) fn key(&self) -> i64 {
        self.employee
    }

    fn load(connection: &Connection, key: i64) -> Result<Self, Error> {
        let mut row = connection.prepare_cached(
            "select name, live, length, coherence, next, folded from employee where key = ?",
        )?;
        let (mut partition, next, folded) = row.query_row([key], |row| {
            let partition = Self {
                employee: key,
                name: row.get(0)?,
                live: row.get(1)?,
                length: row.get(2)?,
                coherence: row.get(3)?,
                lengths: Vec::new(),
                names: Vec::new(),
                tail: Vec::new(),
            };
            Ok((partition, row.get::<_, i64>(4)?, row.get::<_, i64>(5)?))
        })?;
        let count = usize::try_from(next).map_err(|_| Error::Torn)?;
        (partition.lengths, partition.names) = (vec![0; count], vec![0; count]);
        let mut rows = connection.prepare_cached("select first, lengths from block where employee = ?")?;
        let mut rows = rows.query([key])?;
        while let Some(row) = rows.next()? {
            let first = usize::try_from(row.get::<_, i64>(0)?).map_err(|_| Error::Torn)?;
            let bytes = row.get_ref(1)?.as_blob().map_err(|_| Error::Torn)?;
            let (pairs, _) = bytes.as_chunks::<2>();
            for (place, pair) in partition.lengths.iter_mut().skip(first).zip(pairs) {
                *place = u16::from_le_bytes(*pair);
            }
        }
        let mut rows = connection.prepare_cached("select first, names from name where employee = ?")?;
        let mut rows = rows.query([key])?;
        while let Some(row) = rows.next()? {
            let first = usize::try_from(row.get::<_, i64>(0)?).map_err(|_| Error::Torn)?;
            let (names, _) = row.get_ref(1)?.as_blob().map_err(|_| Error::Torn)?.as_chunks::<8>();
            for (place, name) in partition.names.iter_mut().skip(first).zip(names) {
                *place = Term::from_le_bytes(*name);
            }
        }
        for block::Row { number, name, forward } in block::read(connection, key, folded, next)? {
            let at = usize::try_from(number).map_err(|_| Error::Torn)?;
            if let Some(place) = partition.lengths.get_mut(at) {
                *place = forward.length();
            }
            if let Some(place) = partition.names.get_mut(at) {
                *place = name;
            }
            partition.tail.extend(forward.terms.iter().map(|(term, weight)| (*term, number, *weight)));
        }
        partition.tail.sort_unstable();
        Ok(partition)
    }

    /// Where a word is in the entries that are in no block yet.
    fn in_tail(&self, term: Term) -> &[(Term, i64, u8)] {
        let begin = self.tail.partition_point(|(other, ..)| *other < term);
        let rest = self.tail.get(begin..).unwrap_or_default();
        rest.get(..rest.partition_point(|(other, ..)| *other == term)).unwrap_or_default()
    }

    /// In how many entries a word is.
    pub(super) fn entries_with(&self, connection: &Connection, term: Term) -> Result<i64, Error> {
        let mut row =
            connection.prepare_cached("select entries from term where employee = ? and term = ?")?;
        let packed: Option<i64> = row.query_row(params![self.employee, term], |row| row.get(0)).optional()?;
        let tail = i64::try_from(self.in_tail(term).len()).unwrap_or(0);
        Ok(packed.unwrap_or(0).max(0) + tail)
    }

    /// Adds up BM25 over `words` for every entry, which is held back by its length as [`Partition::brakes`] says.
    pub(super) fn sum(
        &self,
        connection: &Connection,
        words: &[Weighed],
        brakes: &[f32],
    ) -> Result<Vec<Sum>, Error> {
        let mut sums = vec![Sum::default(); self.lengths.len()];
        for word in words {
            let most = narrow(word.weight);
            let mut add = |number: i64, weight: u8| {
                let place =
                    usize::try_from(number).ok().and_then(|at| Some((sums.get_mut(at)?, brakes.get(at)?)));
                if let Some((sum, brake)) = place {
                    sum.score += most * saturated(f32::from(weight), *brake);
                    sum.covered += most;
                }
            };
            block::occurrences(connection, self.employee, word.term, &mut add)?;
            for (_, number, weight) in self.in_tail(word.term) {
                add(*number, *weight);
            }
        }
        Ok(sums)
    }

    /// How much the length of each entry holds its words back, when entries are `average` words long; what is gone is
    /// held back altogether, since it may still be in a block.
    pub(super) fn brakes(&self, average: f64) -> Vec<f32> {
        let average = narrow(average);
        self.lengths
            .iter()
            .map(|length| if *length == 0 { f32::INFINITY } else { brake(*length, average) })
            .collect()
    }

    /// What `pairs` of words that stand side by side in an entry count.
    pub(super) fn side_by_side(forward: &Forward, pairs: &HashMap<(Term, Term), f64>, average: f64) -> f64 {
        let mut counts: HashMap<(Term, Term), f32> = HashMap::new();
        let mut before = None;
        for term in forward.in_order() {
            if let Some(before) = before.replace(term) {
                let pair = ordered(before, term);
                if pairs.contains_key(&pair) {
                    *counts.entry(pair).or_default() += 1.0;
                }
            }
        }
        let brake = brake(forward.length(), narrow(average));
        let scores = counts
            .iter()
            .filter_map(|(pair, count)| Some(pairs.get(pair)? * f64::from(saturated(*count, brake))));
        scores.sum()
    }

    /// What is known of an entry, and its words.
    pub(super) fn entry(
        &self,
        connection: &Connection,
        number: usize,
    ) -> Result<Option<(Facts, Forward)>, Error> {
        let mut row = connection.prepare_cached(
            "select id, category, tags, private, classification, domains, created_at, importance, confidence,
             usefulness, words from entry where place = ?",
        )?;
        let number = i64::try_from(number).map_err(|_| Error::Torn)?;
        let mut rows = row.query([block::place(self.employee, number)])?;
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
        Ok(block::read(connection, self.employee, number, number + 1)?.pop().map(|row| row.forward))
    }
}

/// A pair, whichever comes first.
pub(super) fn ordered(a: Term, b: Term) -> (Term, Term) {
    (a.min(b), a.max(b))
}

/// The most that [`saturated`] comes to.
pub(super) const MOST: f32 = K1 + 1.0;

fn brake(length: u16, average: f32) -> f32 {
    K1 * (1.0 - B + B * f32::from(length) / average)
}

fn saturated(weight: f32, brake: f32) -> f32 {
    weight * MOST / (weight + brake)
}

#[expect(clippy::cast_possible_truncation, reason = "half the memory, and more precise than any ranking")]
pub(super) fn narrow(number: f64) -> f32 {
    number as f32
}

//! Blocks of entries: for each word that occurs in one, in which entries it does.
//!
//! Entries are packed a block at a time, so that adding one writes little, and so that a word that is everywhere is read
//! in few pieces. Those that are not in a block yet are looked through one by one.

use std::collections::{BTreeMap, HashMap};

use rusqlite::{Connection, params};

use super::{
    Error,
    forward::{Forward, Term, number, take, term},
};

/// Entries of a block.
pub(super) const BLOCK: i64 = 512;
/// Bits of a place that are for the number of an entry.
const NUMBER_BITS: u32 = 40;
/// How many blocks are made one when that many entries come at once.
const LARGE: i64 = 8;
/// Entries from which on it is asked how much neighbours have in common.
const YOUNG: i64 = 16;

/// Where an entry is: those of one employee are side by side, in the order of their numbers.
pub(super) fn place(employee: i64, number: i64) -> i64 {
    (employee << NUMBER_BITS) | number
}

/// The employee and the number of an entry at a place.
pub(super) fn at(place: i64) -> (i64, i64) {
    (place >> NUMBER_BITS, place & ((1 << NUMBER_BITS) - 1))
}

/// An entry and its words.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) number: i64,
    /// What stands for its id.
    pub(super) name: Term,
    pub(super) forward: Forward,
}

/// Which blocks are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pack {
    /// Large ones alone: whoever adds one entry at a time leaves the others to `upkeep`.
    Large,
    /// All that are full.
    All,
}

/// Packs what is ready to be packed. `before` is what was the number of the next entry before the change. Gives how many
/// entries are in no block then.
pub(super) fn fold(connection: &Connection, employee: i64, before: i64, which: Pack) -> Result<i64, Error> {
    let (next, mut folded, mut coherence): (i64, i64, f64) = connection
        .prepare_cached("select next, folded, coherence from employee where key = ?")?
        .query_row([employee], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    let was = (folded, coherence);
    // While there is no block, it is found out anew each time when there are twice as many.
    let has_doubled = before.max(1).ilog2() < next.max(1).ilog2();
    if folded == 0 && (YOUNG..BLOCK * LARGE).contains(&next) && has_doubled {
        coherence = measure(&read(connection, employee, 0, next)?);
    }
    let least = if which == Pack::Large { BLOCK * LARGE } else { BLOCK };
    while next - folded >= least {
        let size = if next - folded >= BLOCK * LARGE { BLOCK * LARGE } else { BLOCK };
        let entries = read(connection, employee, folded, folded + size)?;
        #[expect(clippy::cast_precision_loss, reason = "counts of entries")]
        let share = size as f64 / (folded + size) as f64;
        coherence += (measure(&entries) - coherence) * share;
        pack(connection, employee, folded, size, &entries)?;
        folded += size;
    }
    if was != (folded, coherence) {
        connection
            .prepare_cached("update employee set folded = ?, coherence = ? where key = ?")?
            .execute(params![folded, coherence, employee])?;
    }
    Ok(next - folded)
}

/// The entries of an employee from a number to before another one.
pub(super) fn read(connection: &Connection, employee: i64, from: i64, to: i64) -> Result<Vec<Row>, Error> {
    let mut rows = connection
        .prepare_cached("select place, id, words from entry where place >= ? and place < ? order by place")?;
    let mut rows = rows.query(params![place(employee, from), place(employee, to)])?;
    let mut entries = Vec::new();
    while let Some(row) = rows.next()? {
        let (number, name) = (at(row.get(0)?).1, term(row.get_ref(1)?.as_str().map_err(|_| Error::Torn)?));
        let words = row.get_ref(2)?.as_blob().map_err(|_| Error::Torn)?;
        entries.push(Row { number, name, forward: Forward::unpack(words)? });
    }
    Ok(entries)
}

fn pack(connection: &Connection, employee: i64, first: i64, size: i64, entries: &[Row]) -> Result<(), Error> {
    let size = usize::try_from(size).map_err(|_| Error::Torn)?;
    let (mut lengths, mut names) = (vec![0_u8; size * 2], vec![0_u8; size * 8]);
    let mut words: BTreeMap<Term, (i64, i64, Vec<u8>)> = BTreeMap::new();
    for Row { number: place, name, forward } in entries {
        let at = usize::try_from(place - first).map_err(|_| Error::Torn)?;
        let (length, name) = (forward.length().to_le_bytes(), name.to_le_bytes());
        lengths.get_mut(at * 2..at * 2 + 2).ok_or(Error::Torn)?.copy_from_slice(&length);
        names.get_mut(at * 8..at * 8 + 8).ok_or(Error::Torn)?.copy_from_slice(&name);
        for (term, weight) in &forward.terms {
            let (last, count, bytes) = words.entry(*term).or_insert((first, 0, Vec::new()));
            number(u64::try_from(place - *last).map_err(|_| Error::Torn)?, bytes);
            bytes.push(*weight);
            (*last, *count) = (*place, *count + 1);
        }
    }
    connection
        .prepare_cached("insert into block (employee, first, lengths) values (?, ?, ?)")?
        .execute(params![employee, first, lengths])?;
    connection
        .prepare_cached("insert into name (employee, first, names) values (?, ?, ?)")?
        .execute(params![employee, first, names])?;
    let mut posting = connection
        .prepare_cached("insert into posting (employee, term, first, entries) values (?, ?, ?, ?)")?;
    let mut counted = connection.prepare_cached(
        "insert into term (employee, term, entries) values (?, ?, ?)
         on conflict do update set entries = entries + excluded.entries",
    )?;
    for (term, (_, count, bytes)) in words {
        posting.execute(params![employee, term, first, bytes])?;
        counted.execute(params![employee, term, count])?;
    }
    Ok(())
}

/// Reads where a word occurs: calls `each` with the number of every entry and the weight there. Also entries that are
/// gone since.
pub(super) fn occurrences(
    connection: &Connection,
    employee: i64,
    term: Term,
    mut each: impl FnMut(i64, u8),
) -> Result<(), Error> {
    let mut rows =
        connection.prepare_cached("select first, entries from posting where employee = ? and term = ?")?;
    let mut rows = rows.query(params![employee, term])?;
    while let Some(row) = rows.next()? {
        let mut place: i64 = row.get(0)?;
        let mut bytes = row.get_ref(1)?.as_blob().map_err(|_| Error::Torn)?;
        while !bytes.is_empty() {
            place = i64::try_from(take(&mut bytes)?)
                .ok()
                .and_then(|more| place.checked_add(more))
                .ok_or(Error::Torn)?;
            let (weight, rest) = bytes.split_first().ok_or(Error::Torn)?;
            bytes = rest;
            each(place, *weight);
        }
    }
    Ok(())
}

/// How much more alike neighbours are than any two entries: the difference of their mean cosines. About 0.1 for a
/// conversation that is kept turn by turn, 0 for entries that have nothing to do with each other.
#[expect(clippy::cast_precision_loss, reason = "counts of entries")]
fn measure(entries: &[Row]) -> f64 {
    let mut counts: HashMap<Term, f64> = HashMap::new();
    for (term, _) in entries.iter().flat_map(|row| &row.forward.terms) {
        *counts.entry(*term).or_default() += 1.0;
    }
    let count = entries.len() as f64;
    let weight = |term: &Term| (1.0 + (count / counts.get(term).copied().unwrap_or(1.0))).ln().powi(2);
    let norms: Vec<f64> = entries
        .iter()
        .map(|row| row.forward.terms.iter().map(|(term, _)| weight(term)).sum::<f64>().sqrt().max(1e-9))
        .collect();
    let cosine = |a: usize, b: usize| -> Option<f64> {
        let (one, other) = (&entries.get(a)?.forward, &entries.get(b)?.forward);
        let common = one.terms.iter().filter(|(term, _)| other.weight(*term) > 0);
        Some(common.map(|(term, _)| weight(term)).sum::<f64>() / (norms.get(a)? * norms.get(b)?))
    };
    // Half of all away, and a step that meets nobody twice: far enough to stand for any two.
    let far = entries.len() / 2;
    let pairs = (0..far).filter_map(|at| Some(cosine(at * 2, at * 2 + 1)? - cosine(at, at + far)?));
    let (sum, pairs) = pairs.fold((0.0, 0.0), |(sum, count), more| (sum + more, count + 1.0));
    if pairs > 0.0 { sum / pairs } else { 0.0 }
}

//! Changes of the index.

use std::collections::{HashMap, HashSet};

use rusqlite::{Connection, OptionalExtension as _, Transaction, TransactionBehavior, params};

use super::{
    Change, Document, Error,
    block::{self, Pack},
    forward::{Forward, Term, term},
    vectors,
};
use crate::engine::parts::{self, THREADS};

/// Entries that are gone, beyond which those that are left are packed anew when they are fewer.
const GONE: i64 = 1024;
/// Documents whose words several threads look for.
const MANY: usize = 256;

/// Makes a change, whole. Gives how many entries of the employee are in no block then.
pub(super) fn apply(connection: &mut Connection, change: &Change<'_>) -> Result<i64, Error> {
    let writing = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    writing
        .prepare_cached("insert into employee (name) values (?) on conflict do nothing")?
        .execute([change.employee])?;
    let mut row = writing.prepare_cached("select key, next from employee where name = ?")?;
    let (employee, mut before) = row.query_row([change.employee], |row| Ok((row.get(0)?, row.get(1)?)))?;
    drop(row);
    if change.anew {
        empty(&writing, employee)?;
        writing.execute(
            "delete from entry where place >= ? and place < ?",
            [block::place(employee, 0), block::place(employee + 1, 0)],
        )?;
        writing.execute(
            "update employee set next = 0, folded = 0, live = 0, length = 0, coherence = 0, embedded = 0 where key = ?",
            [employee],
        )?;
        before = 0;
    }
    for id in change.remove {
        take_out(&writing, id)?;
    }
    let mut new = Vec::new();
    for document in change.put {
        // Of two with one id the later counts.
        if !is_known(&writing, employee, document)? {
            new.push(document);
        }
    }
    put(&writing, employee, &new)?;
    if change.anew {
        vectors::forget_orphans(&writing, employee)?;
    }
    if let Some(stamp) = change.stamp {
        writing
            .prepare_cached("update employee set stamp = ? where key = ?")?
            .execute(params![stamp, employee])?;
    }
    let left = block::fold(&writing, employee, before, Pack::Large)?;
    tidy(&writing, employee)?;
    writing.commit()?;
    Ok(left)
}

/// Packs what is ready to be packed, of one employee after the other: in between others can write.
pub(super) fn pack(connection: &mut Connection) -> Result<(), Error> {
    let mut rows = connection.prepare_cached("select key from employee where next - folded >= ?")?;
    let keys = rows.query_map([block::BLOCK], |row| row.get(0))?.collect::<Result<Vec<i64>, _>>()?;
    drop(rows);
    for key in keys {
        let writing = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        block::fold(&writing, key, 0, Pack::All)?;
        writing.prepare_cached("update employee set changed = random() where key = ?")?.execute([key])?;
        writing.commit()?;
    }
    Ok(())
}

/// Takes documents out, whosever they are.
pub(super) fn remove(connection: &mut Connection, ids: &[String]) -> Result<(), Error> {
    let writing = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut owners = Vec::new();
    for id in ids {
        owners.extend(take_out(&writing, id)?);
    }
    owners.sort_unstable();
    owners.dedup();
    for owner in owners {
        tidy(&writing, owner)?;
    }
    writing.commit()?;
    Ok(())
}

/// What the index of an employee is up to date with.
pub(super) fn stamp(connection: &Connection, employee: &str) -> Result<Option<String>, Error> {
    let mut row = connection.prepare_cached("select stamp from employee where name = ?")?;
    Ok(row.query_row([employee], |row| row.get(0)).optional()?.flatten())
}

/// How many documents of an employee there are.
pub(super) fn count(connection: &Connection, employee: &str) -> Result<u64, Error> {
    let mut row = connection.prepare_cached("select live from employee where name = ?")?;
    let live: Option<i64> = row.query_row([employee], |row| row.get(0)).optional()?;
    Ok(live.and_then(|live| u64::try_from(live).ok()).unwrap_or(0))
}

/// The ids of the documents of an employee.
pub(super) fn ids(connection: &Connection, employee: &str) -> Result<Vec<String>, Error> {
    let mut row = connection.prepare_cached("select key from employee where name = ?")?;
    let Some(key) = row.query_row([employee], |row| row.get::<_, i64>(0)).optional()? else {
        return Ok(Vec::new());
    };
    let mut rows = connection.prepare_cached("select id from entry where place >= ? and place < ?")?;
    let ids = rows.query_map([block::place(key, 0), block::place(key + 1, 0)], |row| row.get(0))?;
    Ok(ids.collect::<Result<_, _>>()?)
}

/// Whether a document is there with the same words; what else is said of it is brought up to date then. Otherwise one of
/// its id is there no more.
fn is_known(writing: &Transaction<'_>, employee: i64, document: &Document) -> Result<bool, Error> {
    let source = source(document);
    let mut row =
        writing.prepare_cached("select place, source, classification, private from entry where id = ?")?;
    let there: Option<(i64, i64, String, bool)> = row
        .query_row([&document.id], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))
        .optional()?;
    if let Some((place, before, classification, private)) = there {
        if block::at(place).0 == employee && before == source {
            if classification != document.classification || private != document.is_private {
                // Whether it may have a vector is asked again.
                vectors::ask_again(writing, place)?;
            }
            writing
                .prepare_cached(
                    "update entry set category = ?2, tags = ?3, private = ?4, classification = ?5, domains = ?6,
                     created_at = ?7, importance = ?8, confidence = ?9, usefulness = ?10 where place = ?1
                     and (category, tags, private, classification, domains, created_at, importance, confidence,
                     usefulness) is not (?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
                )?
                .execute(params![
                    place,
                    document.category,
                    joined(&document.tags),
                    document.is_private,
                    document.classification,
                    joined(&document.domains),
                    document.created_at.as_second(),
                    document.importance,
                    document.confidence,
                    document.usefulness,
                ])?;
            return Ok(true);
        }
        take_out(writing, &document.id)?;
    }
    Ok(false)
}

/// Adds documents that are not there, the last of each id.
fn put(writing: &Transaction<'_>, employee: i64, documents: &[&Document]) -> Result<(), Error> {
    let last: HashMap<&str, usize> =
        documents.iter().enumerate().map(|(at, document)| (document.id.as_str(), at)).collect();
    let mut spellings = HashSet::new();
    let words = parts::each(documents, MANY, &mut [(); THREADS], |document, ()| Forward::of(document));
    for (at, (document, (forward, spelled))) in documents.iter().zip(words).enumerate() {
        if last.get(document.id.as_str()) == Some(&at) {
            insert(writing, employee, document, &forward)?;
            spellings.extend(spelled);
        }
    }
    let mut known =
        writing.prepare_cached("insert into spelling (word) values (?) on conflict do nothing")?;
    let mut spellings: Vec<String> = spellings.into_iter().filter(|word| word.len() > 2).collect();
    // In their order, so that many are soon put where they belong.
    spellings.sort_unstable();
    for word in spellings {
        known.execute([word])?;
    }
    Ok(())
}

fn insert(
    writing: &Transaction<'_>,
    employee: i64,
    document: &Document,
    forward: &Forward,
) -> Result<(), Error> {
    let number: i64 = writing
        .prepare_cached(
            "update employee set next = next + 1, live = live + 1, length = length + ?2 where key = ?1 returning next - 1",
        )?
        .query_row(params![employee, forward.length()], |row| row.get(0))?;
    writing
        .prepare_cached(
            "insert into entry (place, id, category, tags, private, classification, domains, created_at,
             importance, confidence, usefulness, length, source, words)
             values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )?
        .execute(params![
            block::place(employee, number),
            document.id,
            document.category,
            joined(&document.tags),
            document.is_private,
            document.classification,
            joined(&document.domains),
            document.created_at.as_second(),
            document.importance,
            document.confidence,
            document.usefulness,
            forward.length(),
            source(document),
            forward.pack(),
        ])?;
    Ok(())
}

/// What decides whether the words of a document are the same as before.
fn source(document: &Document) -> Term {
    let names =
        document.tags.iter().chain(&document.keywords).fold(String::new(), |all, name| all + "\0" + name);
    term(&format!("{}{names}\0\0{}", document.text, document.created_at.as_second()))
}

/// Takes a document out, and tells whose it was.
fn take_out(writing: &Transaction<'_>, id: &str) -> Result<Option<i64>, Error> {
    let mut row = writing.prepare_cached("delete from entry where id = ? returning place, length, words")?;
    let gone: Option<(i64, i64, Vec<u8>)> =
        row.query_row([id], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).optional()?;
    let Some((place, length, words)) = gone else { return Ok(None) };
    vectors::forget(writing, id)?;
    let (employee, number) = block::at(place);
    let folded: i64 = writing
        .prepare_cached(
            "update employee set live = live - 1, length = length - ?2 where key = ?1 returning folded",
        )?
        .query_row(params![employee, length], |row| row.get(0))?;
    if number < folded {
        let mut row = writing.prepare_cached(
            "select first, lengths from block where employee = ? and first <= ? order by first desc limit 1",
        )?;
        let (first, mut lengths): (i64, Vec<u8>) =
            row.query_row([employee, number], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let at = usize::try_from((number - first) * 2).map_err(|_| Error::Torn)?;
        lengths.get_mut(at..at + 2).ok_or(Error::Torn)?.fill(0);
        writing
            .prepare_cached("update block set lengths = ?3 where employee = ?1 and first = ?2")?
            .execute(params![employee, first, lengths])?;
        let mut fewer = writing
            .prepare_cached("update term set entries = entries - 1 where employee = ? and term = ?")?;
        for (term, _) in Forward::unpack(&words)?.terms {
            fewer.execute(params![employee, term])?;
        }
    }
    Ok(Some(employee))
}

/// Notes that an employee's entries changed, and packs them anew when most of what is packed is gone.
fn tidy(writing: &Transaction<'_>, employee: i64) -> Result<(), Error> {
    let mut row = writing
        .prepare_cached("update employee set changed = random() where key = ? returning next, live")?;
    let (next, live): (i64, i64) = row.query_row([employee], |row| Ok((row.get(0)?, row.get(1)?)))?;
    if next - live <= live + GONE {
        return Ok(());
    }
    empty(writing, employee)?;
    let mut places =
        writing.prepare("select place from entry where place >= ? and place < ? order by place")?;
    let of_employee = [block::place(employee, 0), block::place(employee + 1, 0)];
    let places = places.query_map(of_employee, |row| row.get(0))?.collect::<Result<Vec<i64>, _>>()?;
    let mut renumber = writing.prepare("update entry set place = ?2 where place = ?1")?;
    // From below, so that no two ever have one number.
    for (number, place) in (0_i64..).zip(&places) {
        renumber.execute([*place, block::place(employee, number)])?;
    }
    writing.execute("update employee set next = live, folded = 0, embedded = 0 where key = ?", [employee])?;
    block::fold(writing, employee, 0, Pack::All)?;
    Ok(())
}

/// Takes apart the blocks of an employee.
fn empty(writing: &Transaction<'_>, employee: i64) -> Result<(), Error> {
    for table in ["block", "name", "posting", "term"] {
        writing.execute(&format!("delete from {table} where employee = ?"), [employee])?;
    }
    Ok(())
}

/// Words in one column.
fn joined(words: &[String]) -> String {
    words.join("\u{1f}")
}

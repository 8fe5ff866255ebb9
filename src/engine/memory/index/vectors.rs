//! Vectors of entries: of one model, of one length, each of a text as it was.
//!
//! A vector is a byte a dimension: an eighth of what the model gave, and as good for telling what is about the same. What
//! has no vector yet is found here, and found again when another model is set.

use rusqlite::{Connection, OptionalExtension as _, Transaction, TransactionBehavior, params};

use super::{Error, block};

/// Most that a dimension comes to, as a byte.
const LARGEST: f32 = 127.0;

/// Whose vectors are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Model<'m> {
    /// What tells it from every other model.
    pub name: &'m str,
    /// Which entries it is told of, in a word; of another one, those that have none are asked about again.
    pub scope: &'m str,
}

/// Entries of one employee that have no vector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bare {
    /// Whose they are.
    pub employee: String,
    /// Their ids.
    pub ids: Vec<String>,
    key: i64,
    sources: Vec<i64>,
    numbers: Vec<i64>,
    since: i64,
}

impl Bare {
    /// Leaves all but the first `count`.
    pub fn truncate(&mut self, count: usize) {
        self.ids.truncate(count);
        self.sources.truncate(count);
        self.numbers.truncate(count);
    }
}

/// What became of vectors that were to be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// They are there.
    Here,
    /// They are there, and all others went, which were of another length.
    Alone,
    /// They are not: those of another model are wanted meanwhile.
    Foreign,
}

/// How much of the index has vectors.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Coverage {
    /// Whose they are; `None` while there were never any.
    pub model: Option<String>,
    /// How long they are; 0 while there is none.
    pub dimensions: u32,
    /// How many entries have one.
    pub vectors: u64,
    /// How many entries there are.
    pub entries: u64,
    /// How many entries were not looked at yet.
    pub waiting: u64,
}

/// A vector of length 1, a byte a dimension.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Vector {
    /// What one step of a byte is.
    pub(super) step: f32,
    pub(super) bytes: Vec<i8>,
}

impl Vector {
    /// `None` for a vector that points nowhere.
    pub(super) fn of(numbers: &[f32]) -> Option<Self> {
        let length = numbers.iter().map(|number| number * number).sum::<f32>().sqrt();
        let largest = numbers.iter().fold(0.0_f32, |largest, number| largest.max(number.abs()));
        if !length.is_normal() || !largest.is_normal() {
            return None;
        }
        #[expect(clippy::cast_possible_truncation, reason = "from -127 to 127")]
        let byte = |number: &f32| (number / largest * LARGEST).round() as i8;
        Some(Self { step: largest / LARGEST / length, bytes: numbers.iter().map(byte).collect() })
    }

    /// How alike two are, from -1 to 1.
    pub(super) fn cosine(&self, other: &Self) -> f32 {
        dot(&self.bytes, &other.bytes) * self.step * other.step
    }

    fn pack(&self) -> Vec<u8> {
        let bytes = self.bytes.iter().map(|byte| byte.cast_unsigned());
        self.step.to_le_bytes().into_iter().chain(bytes).collect()
    }

    /// The step and the bytes of a packed vector.
    ///
    /// # Errors
    /// [`Error::Torn`] when it is none.
    pub(super) fn unpack(packed: &[u8]) -> Result<(f32, impl Iterator<Item = i8>), Error> {
        let (step, bytes) = packed.split_first_chunk::<4>().ok_or(Error::Torn)?;
        Ok((f32::from_le_bytes(*step), bytes.iter().map(|byte| byte.cast_signed().max(-127))))
    }
}

/// Bytes that are multiplied at a time.
const LANES: usize = 16;

/// What two vectors have in common, in steps of both. Written so that processors do many bytes at once.
#[inline]
#[expect(clippy::cast_precision_loss, reason = "more precise than the bytes")]
pub(super) fn dot(a: &[i8], b: &[i8]) -> f32 {
    let (a_parts, a_rest) = a.as_chunks::<{ 2 * LANES }>();
    let (b_parts, b_rest) = b.as_chunks::<{ 2 * LANES }>();
    let mut sums = [0_i32; LANES];
    for (a, b) in a_parts.iter().zip(b_parts) {
        let ((a, a_more), (b, b_more)) = (a.split_at(LANES), b.split_at(LANES));
        for ((((sum, a), b), a_more), b_more) in sums.iter_mut().zip(a).zip(b).zip(a_more).zip(b_more) {
            // No byte is below -127, so that the sum of two products fits into 16 bits.
            let both = i16::from(*a) * i16::from(*b) + i16::from(*a_more) * i16::from(*b_more);
            *sum += i32::from(both);
        }
    }
    let rest: i32 = a_rest.iter().zip(b_rest).map(|(a, b)| i32::from(*a) * i32::from(*b)).sum();
    (sums.iter().sum::<i32>() + rest) as f32
}

/// Entries without a vector of `model`, at most `most`, of one employee; `None` when all have one, or are to have none.
pub(super) fn bare(
    connection: &mut Connection,
    model: Model<'_>,
    most: usize,
) -> Result<Option<Bare>, Error> {
    // Usually there is nothing to do, and nobody else is kept waiting for that to be found out.
    let is_done: bool = connection
        .prepare_cached(
            "select exists (select 1 from embedding where model = ? and scope = ?)
             and not exists (select 1 from employee where embedded < next)",
        )?
        .query_row([model.name, model.scope], |row| row.get(0))?;
    if is_done || most == 0 {
        return Ok(None);
    }
    let writing = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    begin(&writing, model)?;
    let mut found = None;
    while found.is_none() {
        let mut row = writing.prepare_cached(
            "select key, name, embedded, next from employee where embedded < next order by key limit 1",
        )?;
        let behind: Option<(i64, String, i64, i64)> =
            row.query_row([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))).optional()?;
        let Some((key, employee, since, next)) = behind else { break };
        let mut rows = writing.prepare_cached(
            "select entry.place, entry.id, entry.source from entry
             left join vector on vector.id = entry.id and vector.source = entry.source
             where entry.place >= ? and entry.place < ? and vector.number is null order by entry.place limit ?",
        )?;
        let range = [block::place(key, since), block::place(key, next)];
        let rows = rows
            .query_map(params![range[0], range[1], i64::try_from(most).unwrap_or(i64::MAX)], |row| {
                Ok((row.get::<_, i64>(0)?, row.get(1)?, row.get(2)?))
            })?;
        let rows = rows.collect::<Result<Vec<(i64, String, i64)>, _>>()?;
        if rows.is_empty() {
            writing.execute("update employee set embedded = next where key = ?", [key])?;
            continue;
        }
        let numbers = rows.iter().map(|(place, ..)| block::at(*place).1).collect();
        let (ids, sources) = rows.into_iter().map(|(_, id, source)| (id, source)).unzip();
        found = Some(Bare { employee, ids, key, sources, numbers, since });
    }
    writing.commit()?;
    Ok(found)
}

/// Keeps vectors of `bare`: one for each of its entries, `None` for those that are to have none.
pub(super) fn keep(
    connection: &mut Connection,
    model: Model<'_>,
    bare: &Bare,
    vectors: &[Option<Vec<f32>>],
) -> Result<Kept, Error> {
    let writing = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let known: Option<(String, i64)> = writing
        .query_row("select model, dimensions from embedding", [], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((_, before)) = known.filter(|(name, _)| name == model.name) else { return Ok(Kept::Foreign) };
    let length = vectors.iter().flatten().map(Vec::len).next();
    let mut kept = Kept::Here;
    if let Some(length) = length.map(|length| i64::try_from(length).unwrap_or(i64::MAX))
        && length != before
    {
        if before > 0 {
            empty(&writing, model)?;
            kept = Kept::Alone;
        }
        writing.execute("update embedding set dimensions = ?", [length])?;
    }
    let mut put = writing.prepare_cached(
        "insert or replace into vector (employee, id, source, bits)
         select ?1, ?2, ?3, ?4 where exists (select 1 from entry where id = ?2 and source = ?3)",
    )?;
    for ((id, source), vector) in bare.ids.iter().zip(&bare.sources).zip(vectors) {
        let same_length = vector.as_ref().filter(|vector| Some(vector.len()) == length);
        if let Some(vector) = same_length.and_then(|vector| Vector::of(vector)) {
            put.execute(params![bare.key, id, source, vector.pack()])?;
        }
    }
    drop(put);
    // Whoever changed it meanwhile wants it to be looked at again.
    if let Some(last) = bare.numbers.last() {
        writing
            .prepare_cached("update employee set embedded = ? where key = ? and embedded = ?")?
            .execute([last + 1, bare.key, bare.since])?;
    }
    writing.commit()?;
    Ok(kept)
}

/// Sees to it that vectors are those of `model`; those of another one go.
fn begin(writing: &Transaction<'_>, model: Model<'_>) -> Result<(), Error> {
    let known: Option<(String, String)> = writing
        .query_row("select model, scope from embedding", [], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    match known {
        Some((name, scope)) if name == model.name && scope == model.scope => {}
        Some((name, _)) if name == model.name => {
            writing.execute("update embedding set scope = ?", [model.scope])?;
            writing.execute("update employee set embedded = 0", [])?;
        }
        _ => empty(writing, model)?,
    }
    Ok(())
}

/// Begins anew, without any vector.
fn empty(writing: &Transaction<'_>, model: Model<'_>) -> Result<(), Error> {
    writing.execute("delete from vector", [])?;
    writing.execute("update employee set embedded = 0", [])?;
    writing.execute(
        "insert or replace into embedding (one, model, scope, dimensions, epoch, gone)
         values (1, ?, ?, 0, random(), 0)",
        [model.name, model.scope],
    )?;
    Ok(())
}

/// Takes all vectors out, so that they are made anew.
pub(super) fn discard(connection: &mut Connection) -> Result<(), Error> {
    let writing = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    writing.execute_batch("delete from vector; delete from embedding; update employee set embedded = 0;")?;
    Ok(writing.commit()?)
}

/// Takes out the vector of an entry that is gone, or says something else.
pub(super) fn forget(writing: &Transaction<'_>, id: &str) -> Result<(), Error> {
    let gone = writing.prepare_cached("delete from vector where id = ?")?.execute([id])?;
    note_gone(writing, gone)
}

/// Takes out the vectors of an employee whose entries are gone, or say something else.
pub(super) fn forget_orphans(writing: &Transaction<'_>, employee: i64) -> Result<(), Error> {
    let gone = writing.execute(
        "delete from vector where employee = ? and not exists
         (select 1 from entry where entry.id = vector.id and entry.source = vector.source)",
        [employee],
    )?;
    note_gone(writing, gone)
}

fn note_gone(writing: &Transaction<'_>, gone: usize) -> Result<(), Error> {
    if gone > 0 {
        let gone = i64::try_from(gone).unwrap_or(i64::MAX);
        writing.prepare_cached("update embedding set gone = gone + ?")?.execute([gone])?;
    }
    Ok(())
}

/// Has it asked again whether the entry at a place is to have a vector.
pub(super) fn ask_again(writing: &Transaction<'_>, place: i64) -> Result<(), Error> {
    let (employee, number) = block::at(place);
    writing
        .prepare_cached("update employee set embedded = min(embedded, ?) where key = ?")?
        .execute([number, employee])?;
    Ok(())
}

/// The vector of an entry as it is now.
pub(super) fn of_entry(connection: &Connection, id: &str) -> Result<Option<Vector>, Error> {
    let mut row = connection.prepare_cached(
        "select bits from vector where id = ?1 and source = (select source from entry where id = ?1)",
    )?;
    let mut rows = row.query([id])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let (step, bytes) = Vector::unpack(row.get_ref(0)?.as_blob().map_err(|_| Error::Torn)?)?;
    Ok(Some(Vector { step, bytes: bytes.collect() }))
}

/// Whether there is a vector of the model that is called `name`.
pub(super) fn any(connection: &Connection, name: &str) -> Result<bool, Error> {
    let mut row = connection.prepare_cached(
        "select exists (select 1 from vector) and exists (select 1 from embedding where model = ?)",
    )?;
    Ok(row.query_row([name], |row| row.get(0))?)
}

/// How much of the index has vectors.
pub(super) fn coverage(connection: &Connection) -> Result<Coverage, Error> {
    let known: Option<(String, u32)> = connection
        .query_row("select model, dimensions from embedding", [], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let count = |sql: &str| {
        let count: i64 = connection.query_row(sql, [], |row| row.get(0))?;
        Ok::<_, Error>(u64::try_from(count).unwrap_or(0))
    };
    let (model, dimensions) = known.map_or((None, 0), |(model, dimensions)| (Some(model), dimensions));
    Ok(Coverage {
        model,
        dimensions,
        vectors: count("select count(*) from vector")?,
        entries: count("select coalesce(sum(live), 0) from employee")?,
        waiting: count(
            "select count(*) from entry join employee on employee.key = entry.place >> 40
             where entry.place & ((1 << 40) - 1) >= employee.embedded and not exists
             (select 1 from vector where vector.id = entry.id and vector.source = entry.source)",
        )?,
    })
}

//! All vectors side by side in memory, to be gone through in a few milliseconds.
//!
//! Read once, then only what is new. A vector that is gone stays until so many are that it is read anew: whatever is found
//! is looked up in the database before it counts.

use std::collections::HashSet;

use parking_lot::RwLock;
use rusqlite::{Connection, OptionalExtension as _};

use super::{
    Error, Meaning,
    forward::{Term, term},
    vectors::{Vector, dot},
};

/// Most bytes of vectors; those that came later are not looked at.
const MOST_BYTES: usize = 1 << 29;
/// Which part of the vectors may be gone before all are read anew: they still count for what is usual.
const GONE: i64 = 8;
/// From so many vectors on, what is usual among them is known.
const MANY: usize = 32;
/// How far above what is usual something is that is about the same, in standard deviations.
const UNUSUAL: f32 = 1.5;

/// Vectors as they were last read.
#[derive(Debug, Default)]
pub(super) struct Matrix(RwLock<Rows>);

#[derive(Debug, Default)]
struct Rows {
    epoch: i64,
    gone: i64,
    dimensions: usize,
    numbers: Vec<i64>,
    names: Vec<Term>,
    employees: Vec<i64>,
    steps: Vec<f32>,
    bytes: Vec<i8>,
}

/// How alike the vectors of some employees are to another.
#[derive(Debug, Default)]
pub(super) struct Likeness {
    /// What the vectors are called in the database.
    pub(super) numbers: Vec<i64>,
    /// What stands for the ids of their entries.
    pub(super) names: Vec<Term>,
    /// The cosine of each; 0 where it is too small to mean anything.
    pub(super) cosines: Vec<f32>,
}

impl Matrix {
    /// How alike the vectors of `employees` are to `meaning`. Nothing is, where vectors are those of another model or of
    /// another length.
    pub(super) fn likeness(
        &self,
        connection: &Connection,
        meaning: &Meaning,
        employees: &HashSet<i64>,
    ) -> Result<Likeness, Error> {
        let mut row = connection.prepare_cached("select model, dimensions, epoch, gone from embedding")?;
        let known: Option<(String, u32, i64, i64)> =
            row.query_row([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))).optional()?;
        let Some((model, dimensions, epoch, gone)) = known else { return Ok(Likeness::default()) };
        let dimensions = usize::try_from(dimensions).map_err(|_| Error::Torn)?;
        let Some(vector) = Vector::of(&meaning.vector)
            .filter(|vector| *model == *meaning.model && vector.bytes.len() == dimensions)
        else {
            return Ok(Likeness::default());
        };
        let newest: Option<i64> =
            connection.prepare_cached("select max(number) from vector")?.query_row([], |row| row.get(0))?;
        let rows = self.0.read();
        if rows.is_up_to_date(epoch, gone, newest) {
            return Ok(rows.likeness(&vector, meaning.floor, employees));
        }
        drop(rows);
        let mut rows = self.0.write();
        if !rows.is_same(epoch, gone) {
            *rows = Rows { epoch, gone, dimensions, ..Rows::default() };
        }
        rows.read_on(connection)?;
        Ok(rows.likeness(&vector, meaning.floor, employees))
    }
}

impl Rows {
    /// Whether what is known can be added to.
    fn is_same(&self, epoch: i64, gone: i64) -> bool {
        let count = i64::try_from(self.numbers.len()).unwrap_or(i64::MAX);
        self.epoch == epoch && (self.gone..=self.gone + count / GONE).contains(&gone)
    }

    fn is_up_to_date(&self, epoch: i64, gone: i64, newest: Option<i64>) -> bool {
        let is_full = self.bytes.len() + self.dimensions > MOST_BYTES;
        self.is_same(epoch, gone) && (is_full || newest <= self.numbers.last().copied())
    }

    fn read_on(&mut self, connection: &Connection) -> Result<(), Error> {
        let mut rows = connection.prepare_cached(
            "select number, employee, bits, id from vector where number > ? order by number",
        )?;
        let mut rows = rows.query([self.numbers.last().copied().unwrap_or(0)])?;
        while let Some(row) = rows.next()? {
            if self.bytes.len() + self.dimensions > MOST_BYTES {
                tracing::warn!(
                    vectors = self.numbers.len(),
                    "there are more vectors of memories than are kept ready; the newest are found by their words alone"
                );
                break;
            }
            let packed = row.get_ref(2)?.as_blob().map_err(|_| Error::Torn)?;
            let (step, bytes) = Vector::unpack(packed)?;
            let before = self.bytes.len();
            self.bytes.extend(bytes);
            if self.bytes.len() - before != self.dimensions {
                self.bytes.truncate(before);
                return Err(Error::Torn);
            }
            self.numbers.push(row.get(0)?);
            self.names.push(term(row.get_ref(3)?.as_str().map_err(|_| Error::Torn)?));
            self.employees.push(row.get(1)?);
            self.steps.push(step);
        }
        Ok(())
    }

    fn likeness(&self, vector: &Vector, floor: f32, employees: &HashSet<i64>) -> Likeness {
        let mut cosines = Vec::with_capacity(self.numbers.len());
        let (mut whose, mut is_wanted) = (None, false);
        let (mut count, mut sum, mut squares) = (0_usize, 0.0_f64, 0.0_f64);
        let rows = self.bytes.chunks_exact(self.dimensions.max(1));
        for ((bytes, step), employee) in rows.zip(&self.steps).zip(&self.employees) {
            if whose.replace(*employee) != Some(*employee) {
                is_wanted = employees.contains(employee);
            }
            if !is_wanted {
                cosines.push(0.0);
                continue;
            }
            let cosine = dot(bytes, &vector.bytes) * step * vector.step;
            count += 1;
            sum += f64::from(cosine);
            squares += f64::from(cosine) * f64::from(cosine);
            cosines.push(cosine);
        }
        // Some models find everything much alike: then only what is more so than usual means anything.
        let floor = if count >= MANY { floor.max(unusual(count, sum, squares)) } else { floor };
        for cosine in &mut cosines {
            if *cosine < floor {
                *cosine = 0.0;
            }
        }
        Likeness { numbers: self.numbers.clone(), names: self.names.clone(), cosines }
    }
}

/// What is clearly more than usual among `count` numbers of this sum and these squares.
fn unusual(count: usize, sum: f64, squares: f64) -> f32 {
    #[expect(clippy::cast_precision_loss, reason = "a count of entries")]
    let count = count as f64;
    let mean = sum / count;
    let deviation = (squares / count - mean * mean).max(0.0).sqrt();
    super::partition::narrow(mean + f64::from(UNUSUAL) * deviation)
}

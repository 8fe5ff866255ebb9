//! The search index of what employees remember: derived from their files, ranked without a model.
//!
//! One SQLite database holds, for each employee, the words of every entry and, for blocks of entries, where each word
//! occurs. A search adds up how well each entry fits (BM25 with the fields weighed together), lets the best ones lend
//! words to the question, and lets entries that were written around a good one have a share in it, as far as neighbours
//! in this memory are about the same. Nothing here is the truth: whatever is missing, torn or of another version is
//! thrown away and made anew by the caller, who compares [`Index::stamp`] with the files.
//!
//! Everything waits for the disk; callers on a runtime go through a blocking thread. Any number of threads and processes
//! may use one index.

mod block;
mod dates;
mod error;
mod forward;
mod fuse;
mod matrix;
mod near;
mod partition;
mod query;
mod rank;
mod schema;
mod stop;
mod take;
mod upkeep;
mod vectors;
mod words;
mod write;

#[cfg(test)]
mod tests;

use std::{
    collections::HashSet,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use jiff::Timestamp;
use parking_lot::Mutex;
use rusqlite::Connection;

pub use error::Error;
pub use rank::Part;
pub use vectors::{Bare, Coverage, Kept, Model};
pub(in crate::engine) use words::is_wide;

/// Documents of a change that is large but not too large: packed in one piece, and held in memory while it is made.
pub const BATCH: usize = 4096;
/// Connections that are kept for the next search.
const KEPT: usize = 4;
/// How long a change waits that can be made later as well.
const MOMENT: Duration = Duration::from_millis(2);

/// The words that `text` consists of, without their endings; those that say nothing are left out unless there are no others.
pub(in crate::engine) fn gist(text: &str) -> HashSet<String> {
    let plain = words::words(text).into_iter().filter(|word| word.role.is_in_order());
    plain.map(|word| word.term).collect()
}

/// Whether all words of `text` are such as are left out of the index.
pub(super) fn is_left_out(text: &str) -> bool {
    words::are_only_stops(text)
}

/// What stands for the id of a document where many are gone through.
pub(super) fn name(id: &str) -> i64 {
    forward::term(id)
}

/// The search index of a project's memories.
#[derive(Debug)]
pub struct Index {
    path: PathBuf,
    idle: Mutex<Vec<Connection>>,
    ready: partition::Ready,
    matrix: matrix::Matrix,
    upkeep: upkeep::Upkeep,
}

/// An entry, as far as it is searched for.
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    /// Its id; a document of the same id takes the place of what was there.
    pub id: String,
    /// Whose memory it is.
    pub employee: String,
    /// What is remembered.
    pub text: String,
    /// Words for grouping; a match counts more than one in the text.
    pub tags: Vec<String>,
    /// Words it is found by; a match counts more than one in the text.
    pub keywords: Vec<String>,
    /// What kind of memory it is, as it is written.
    pub category: String,
    /// When it was written.
    pub created_at: Timestamp,
    /// From 1 to 5.
    pub importance: i64,
    /// From 0 to 1.
    pub confidence: f64,
    /// How often it was of use when it was told, from 0 to 1; 0.5 when nobody knows.
    pub usefulness: f64,
    /// Whether only the owner may read it.
    pub is_private: bool,
    /// How far it may be told, as it is written.
    pub classification: String,
    /// Whoever knows about one of these may read it.
    pub domains: Vec<String>,
}

impl Document {
    /// An entry of which nothing else is known.
    pub fn new(id: &str, employee: &str, text: &str, created_at: Timestamp) -> Self {
        Self {
            id: id.to_owned(),
            employee: employee.to_owned(),
            text: text.to_owned(),
            tags: Vec::new(),
            keywords: Vec::new(),
            category: String::new(),
            created_at,
            importance: 3,
            confidence: 1.0,
            usefulness: 0.5,
            is_private: false,
            classification: String::new(),
            domains: Vec::new(),
        }
    }
}

/// What is known of an entry that fits, by which whoever searches decides whether it may be told.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Facts {
    /// Its id.
    pub id: String,
    /// Whose memory it is.
    pub employee: String,
    /// What kind of memory it is, as it is written.
    pub category: String,
    /// Its tags.
    pub tags: Vec<String>,
    /// Whether only the owner may read it.
    pub is_private: bool,
    /// How far it may be told, as it is written.
    pub classification: String,
    /// Whoever knows about one of these may read it.
    pub domains: Vec<String>,
    /// When it was written.
    pub created_at: Timestamp,
    /// From 1 to 5.
    pub importance: i64,
    /// From 0 to 1, when it was written.
    pub confidence: f64,
    /// From 0 to 1.
    pub usefulness: f64,
}

/// What is looked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Query<'q> {
    /// Plain text; nothing in it is syntax.
    pub text: &'q str,
    /// In whose memories; empty for all of them.
    pub employees: &'q [String],
    /// At most this many hits.
    pub limit: usize,
    /// Least score of a hit. Whoever puts hits before a model unasked may want 0.15; 0 for all that fit at all.
    pub least: f64,
    /// The moment from which the age of an entry is counted.
    pub now: Timestamp,
    /// Days after which what is old counts half of what being new counts; 0 when age does not matter.
    pub half_life_days: f64,
}

/// Which documents are wanted of those that fit.
pub(super) struct Wanted<'w> {
    /// Whether this one is.
    pub(super) keep: &'w dyn Fn(&Facts) -> bool,
    /// All that are, as [`name`] calls them, and perhaps some others. Asked once, when many of the best are not wanted.
    pub(super) all: Option<&'w dyn Fn() -> HashSet<i64>>,
}

/// What a question means, as a model says it in a vector.
#[derive(Debug, Clone, PartialEq)]
pub struct Meaning {
    /// The model, as [`Model::name`] has it; vectors of another one are not compared with it.
    pub model: Arc<str>,
    /// The vector, of any length but 0.
    pub vector: Arc<[f32]>,
    /// Least cosine of what is about the same.
    pub floor: f32,
}

impl Meaning {
    /// How near two texts are, as the same model sees them: the cosine of their vectors; 0 when one has no direction.
    pub(in crate::engine) fn nearness(&self, other: &Self) -> f32 {
        let product = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
        let lengths = product(&self.vector, &self.vector) * product(&other.vector, &other.vector);
        if lengths > 0.0 { product(&self.vector, &other.vector) / lengths.sqrt() } else { 0.0 }
    }
}

/// An entry that fits.
#[derive(Debug, Clone, PartialEq)]
pub struct Hit {
    /// Its id.
    pub id: String,
    /// Whose memory it is.
    pub employee: String,
    /// How well it fits: 1 is about what an entry gets that says all that was asked. The sum of its parts.
    pub score: f64,
    /// Why, the largest first.
    pub parts: Vec<Part>,
}

/// A change of the memory of one employee, which happens whole or not at all.
#[derive(Debug, Clone, Default)]
pub struct Change<'c> {
    /// Whose.
    pub employee: &'c str,
    /// Whether all that was there goes first.
    pub anew: bool,
    /// What is no longer there, by id.
    pub remove: &'c [String],
    /// What is there now.
    pub put: &'c [Document],
    /// What the index of this employee is up to date with from now on; kept as it is when there is none.
    pub stamp: Option<&'c str>,
}

impl Index {
    /// Opens the index at `path`, and makes an empty one when there is none, or none that can be used.
    ///
    /// # Errors
    /// [`Error`] when the file can be neither used nor replaced.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let connection = schema::open(path)?;
        Ok(Self {
            path: path.to_owned(),
            idle: Mutex::new(vec![connection]),
            ready: partition::Ready::default(),
            matrix: matrix::Matrix::default(),
            upkeep: upkeep::Upkeep::default(),
        })
    }

    /// Adds documents, or puts them in place of those of the same id.
    ///
    /// # Errors
    /// [`Error`] when the index cannot be written; nothing was.
    pub fn put(&self, documents: &[Document]) -> Result<(), Error> {
        for put in documents.chunk_by(|a, b| a.employee == b.employee) {
            let employee = put.first().map_or("", |document| document.employee.as_str());
            self.apply(&Change { employee, put, ..Change::default() })?;
        }
        Ok(())
    }

    /// Takes documents out, whosever they are. Ids that are not there are no matter.
    ///
    /// # Errors
    /// [`Error`] when the index cannot be written; nothing was.
    pub fn remove(&self, ids: &[String]) -> Result<(), Error> {
        self.with(Torn::Leave, |connection| write::remove(connection, ids))
    }

    /// Makes a change.
    ///
    /// # Errors
    /// [`Error`] when the index cannot be written; nothing was. [`Error::Torn`] and the like leave an empty index without
    /// stamps, which is to be filled anew.
    pub fn apply(&self, change: &Change<'_>) -> Result<(), Error> {
        let apply = |connection: &mut Connection| write::apply(connection, change);
        let done = match self.with(Torn::Leave, apply) {
            // All that there is comes with the change, so that nothing is lost.
            Err(error) if error.is_torn() && change.anew => self.with(Torn::Leave, apply),
            done => done,
        };
        self.upkeep.note(change.put.len() + change.remove.len(), done?);
        Ok(())
    }

    /// Makes a change unless somebody else is writing. Gives whether it was made.
    ///
    /// # Errors
    /// As [`Index::apply`].
    pub fn apply_if_free(&self, change: &Change<'_>) -> Result<bool, Error> {
        if self.upkeep.is_under_way() {
            return Ok(false);
        }
        let applied = self.with(Torn::Leave, |connection| {
            connection.busy_timeout(MOMENT)?;
            let done = write::apply(connection, change);
            connection.busy_timeout(schema::PATIENCE)?;
            match done {
                Err(error) if error.is_busy() => Ok(None),
                done => done.map(Some),
            }
        });
        let Some(unpacked) = applied? else { return Ok(false) };
        self.upkeep.note(change.put.len() + change.remove.len(), unpacked);
        Ok(true)
    }

    /// Whether changes left something to be done by [`Index::pack`] or [`Index::settle`].
    pub fn is_unsettled(&self) -> bool {
        self.upkeep.is_due()
    }

    /// How many changes there were since [`Index::settle`].
    pub fn changes(&self) -> usize {
        self.upkeep.changes()
    }

    /// Packs what was added, so that searches stay quick. It takes some hundredths of a second, in which others who write
    /// wait. While somebody else does it there is nothing to do.
    ///
    /// # Errors
    /// [`Error`] when the index cannot be written; it is as good as before.
    pub fn pack(&self) -> Result<(), Error> {
        let Some(turn) = self.upkeep.begin().filter(upkeep::Turn::is_ripe) else { return Ok(()) };
        turn.pack(&mut upkeep::open(&self.path)?)
    }

    /// The same, and moves what was written to its place in the file, so that it stays small; nobody has to wait for that.
    ///
    /// # Errors
    /// As [`Index::pack`].
    pub fn settle(&self) -> Result<(), Error> {
        let Some(turn) = self.upkeep.begin() else { return Ok(()) };
        let mut connection = upkeep::open(&self.path)?;
        turn.pack(&mut connection)?;
        turn.move_written(&connection)
    }

    /// What the index of an employee is up to date with: what the last [`Change::stamp`] said. `None` when the index has
    /// nothing of that employee.
    ///
    /// # Errors
    /// [`Error`] when the index cannot be read.
    pub fn stamp(&self, employee: &str) -> Result<Option<String>, Error> {
        self.with(Torn::Again, |connection| write::stamp(connection, employee))
    }

    /// How many documents of an employee can be found.
    ///
    /// # Errors
    /// [`Error`] when the index cannot be read.
    pub fn count(&self, employee: &str) -> Result<u64, Error> {
        self.with(Torn::Again, |connection| write::count(connection, employee))
    }

    /// The ids of all documents of an employee, in no order.
    ///
    /// # Errors
    /// [`Error`] when the index cannot be read.
    pub fn ids(&self, employee: &str) -> Result<Vec<String>, Error> {
        self.with(Torn::Again, |connection| write::ids(connection, employee))
    }

    /// The documents that fit a query by their words, the best first. Those that `keep` says no to do not count towards the
    /// limit.
    ///
    /// # Errors
    /// [`Error`] when the index cannot be read.
    pub fn search(&self, query: &Query<'_>, keep: &dyn Fn(&Facts) -> bool) -> Result<Vec<Hit>, Error> {
        self.search_meaning(query, None, keep)
    }

    /// The same by their words and by what they mean. [`Query::least`] counts for what fits by its words, before both are
    /// put together.
    ///
    /// # Errors
    /// [`Error`] when the index cannot be read.
    pub fn search_meaning(
        &self,
        query: &Query<'_>,
        meaning: Option<&Meaning>,
        keep: &dyn Fn(&Facts) -> bool,
    ) -> Result<Vec<Hit>, Error> {
        self.search_among(query, meaning, &Wanted { keep, all: None })
    }

    /// The same, for whoever can say which documents `keep` would say yes to.
    ///
    /// # Errors
    /// [`Error`] when the index cannot be read.
    pub(super) fn search_among(
        &self,
        query: &Query<'_>,
        meaning: Option<&Meaning>,
        wanted: &Wanted<'_>,
    ) -> Result<Vec<Hit>, Error> {
        let caches = (&self.ready, &self.matrix);
        self.with(Torn::Again, |connection| rank::search(connection, caches, query, meaning, wanted))
    }

    /// Documents without a vector of `model`, at most `most`, of one employee; `None` when there is nothing left to do.
    /// Vectors of another model go.
    ///
    /// # Errors
    /// [`Error`] when the index cannot be used.
    pub fn bare(&self, model: Model<'_>, most: usize) -> Result<Option<Bare>, Error> {
        self.with(Torn::Leave, |connection| vectors::bare(connection, model, most))
    }

    /// Keeps vectors of `bare`, one for each of its documents; `None` for one that is to have none.
    ///
    /// # Errors
    /// [`Error`] when the index cannot be written; nothing was.
    pub fn keep(&self, model: Model<'_>, bare: &Bare, vectors: &[Option<Vec<f32>>]) -> Result<Kept, Error> {
        self.with(Torn::Leave, |connection| vectors::keep(connection, model, bare, vectors))
    }

    /// Takes all vectors out, so that they are made anew.
    ///
    /// # Errors
    /// [`Error`] when the index cannot be written; nothing was.
    pub fn discard_vectors(&self) -> Result<(), Error> {
        self.with(Torn::Leave, vectors::discard)
    }

    /// Whether any document has a vector of the model that is called `name`.
    ///
    /// # Errors
    /// [`Error`] when the index cannot be read.
    pub fn has_vectors(&self, name: &str) -> Result<bool, Error> {
        self.with(Torn::Again, |connection| vectors::any(connection, name))
    }

    /// How much of the index has vectors.
    ///
    /// # Errors
    /// [`Error`] when the index cannot be read.
    pub fn coverage(&self) -> Result<Coverage, Error> {
        self.with(Torn::Again, |connection| vectors::coverage(connection))
    }

    /// Does `work` with a connection. An index that turns out to be torn is emptied, so that its caller fills it anew.
    fn with<R>(&self, torn: Torn, work: impl Fn(&mut Connection) -> Result<R, Error>) -> Result<R, Error> {
        let idle = self.idle.lock().pop();
        let mut connection = match idle {
            Some(connection) => connection,
            None => schema::open(&self.path)?,
        };
        match work(&mut connection) {
            Ok(done) => {
                let mut idle = self.idle.lock();
                if idle.len() < KEPT {
                    idle.push(connection);
                }
                Ok(done)
            }
            Err(error) if error.is_torn() => {
                drop(connection);
                self.idle.lock().clear();
                schema::discard(&self.path)?;
                match torn {
                    Torn::Again => work(&mut schema::open(&self.path)?),
                    Torn::Leave => Err(error),
                }
            }
            Err(error) => Err(error),
        }
    }
}

/// What to do when the index was torn, and is empty now.
#[derive(Debug, Clone, Copy)]
enum Torn {
    /// Ask the empty one.
    Again,
    /// Write nothing: the caller believes that more is there than is.
    Leave,
}

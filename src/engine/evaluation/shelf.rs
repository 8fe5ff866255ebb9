//! The file of decisions: read along, and changed under its lock.

use std::{collections::HashMap, path::PathBuf, sync::Arc};

use super::{Decision, Error, fit::shown};
use crate::{
    base::text::closest,
    engine::memory::Broken,
    store::log::{Change, Line, Place, Reader, Shared},
};

/// Most bytes of the file: ten times what a hundred thousand decisions take.
const MOST_BYTES: u64 = 1 << 29;
/// Least letters of an id that stand for the whole.
const LEAST_PREFIX: usize = 4;
/// Most lines without meaning that are told one by one.
const TOLD: usize = 20;

/// The file, and what was last read of it.
#[derive(Debug)]
pub(super) struct Shelf {
    path: PathBuf,
    place: Place,
    view: View,
}

/// The decisions as they were last read.
#[derive(Debug, Default)]
pub(super) struct View {
    kept: Vec<(u64, Arc<Decision>)>,
    by_id: HashMap<String, usize>,
    broken: Vec<Broken>,
    broken_count: usize,
}

/// What is to be done to the file.
#[derive(Debug)]
pub(super) enum Edit {
    /// Nothing.
    Nothing,
    /// A decision comes behind.
    Add(Box<Decision>),
    /// A decision takes the place of that of its id.
    Put(Box<Decision>),
    /// The decision of this id is gone.
    Remove(String),
}

impl Shelf {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, place: Place::default(), view: View::default() }
    }

    /// The decisions as they are now.
    pub(super) fn read(&mut self) -> Result<&View, Error> {
        self.check_size()?;
        self.place.read_on(&self.path, &mut self.view)?;
        Ok(&self.view)
    }

    /// Does what `edit` makes of the decisions as they are now, while nobody else writes. Once it is on the disk, and still
    /// before anybody else can write, does what comes of it.
    pub(super) fn edit<T, U>(
        &mut self,
        edit: impl FnOnce(&View) -> Result<(Edit, T), Error>,
        then: impl FnOnce(T) -> U,
    ) -> Result<U, Error> {
        self.check_size()?;
        let shared = Shared::lock(&self.path)?;
        shared.read_on(&mut self.place, &mut self.view)?;
        let (edit, given) = edit(&self.view)?;
        match edit {
            Edit::Nothing => {}
            Edit::Add(decision) => shared.append(&decision.line()?)?,
            Edit::Put(decision) => {
                let mut bytes = decision.line()?;
                bytes.pop();
                self.change(&shared, &decision.id, || Change::Put(bytes))?;
            }
            Edit::Remove(id) => self.change(&shared, &id, || Change::Drop)?,
        }
        shared.read_on(&mut self.place, &mut self.view)?;
        Ok(then(given))
    }

    /// Changes the line of `id`; all others stay as they are.
    fn change(&self, shared: &Shared, id: &str, change: impl FnOnce() -> Change) -> Result<(), Error> {
        let line = self.view.place(id).and_then(|at| self.view.kept.get(at)).map(|(line, _)| *line);
        let mut change = Some(change);
        let changed = |here: Line<'_>| match change.take_if(|_| Some(here.number) == line) {
            Some(change) => change(),
            None => Change::Keep,
        };
        Ok(shared.rewrite(changed, b"")?)
    }

    /// Refuses a file that would not fit into memory.
    fn check_size(&self) -> Result<(), Error> {
        let size = std::fs::metadata(&self.path).map_or(0, |seen| seen.len());
        if size > MOST_BYTES {
            return Err(Error::Conflict(format!(
                "`{}` has {size} bytes; at most {MOST_BYTES} are read, so put some of it elsewhere",
                self.path.display()
            )));
        }
        Ok(())
    }
}

impl View {
    fn place(&self, id: &str) -> Option<usize> {
        self.by_id.get(id).copied()
    }

    /// Whether an id is taken.
    pub(super) fn has(&self, id: &str) -> bool {
        self.by_id.contains_key(id)
    }

    /// The decision of an id, or the only one whose id begins so.
    ///
    /// # Errors
    /// [`Error::Unknown`], or [`Error::Unfit`] when it is the beginning of several.
    pub(super) fn find(&self, id: &str) -> Result<&Arc<Decision>, Error> {
        let id = id.trim();
        if let Some((_, decision)) = self.place(id).and_then(|at| self.kept.get(at)) {
            return Ok(decision);
        }
        let ids = || self.newest().map(|decision| decision.id.as_str());
        let begins = |decision: &&Arc<Decision>| id.len() >= LEAST_PREFIX && decision.id.starts_with(id);
        let mut fit = self.newest().filter(begins);
        match (fit.next(), fit.next()) {
            (Some(one), None) => Ok(one),
            (Some(_), Some(_)) => {
                Err(Error::Unfit(format!("several decisions begin with `{}`; write more of it", shown(id))))
            }
            (None, _) => {
                let near = closest(id, ids().take(200)).map(str::to_owned);
                Err(Error::Unknown { id: shown(id), near })
            }
        }
    }

    /// All decisions, the newest first.
    pub(super) fn newest(&self) -> impl Iterator<Item = &Arc<Decision>> {
        self.kept.iter().rev().map(|(_, decision)| decision)
    }

    /// Lines that are no decisions: the first of them, and how many there are.
    pub(super) fn broken(&self) -> (&[Broken], usize) {
        (&self.broken, self.broken_count)
    }
}

impl Reader for View {
    fn anew(&mut self) {
        *self = Self::default();
    }

    fn line(&mut self, line: Line<'_>) {
        match line.parse::<Decision>() {
            Ok(decision) => {
                let kept = (line.number, Arc::new(decision));
                // Of two lines with one id the later counts.
                match self.by_id.get(&kept.1.id).and_then(|at| self.kept.get_mut(*at)) {
                    Some(before) => *before = kept,
                    None => {
                        self.by_id.insert(kept.1.id.clone(), self.kept.len());
                        self.kept.push(kept);
                    }
                }
            }
            Err(error) => {
                self.broken_count += 1;
                if self.broken.len() < TOLD {
                    self.broken.push(Broken { line: line.number, reason: error.to_string() });
                }
            }
        }
    }
}

//! A log whose lines can be asked for again: by what they are about, without reading the rest.

use std::{fs::File, path::Path, sync::Arc};

use super::{
    Log, Mark,
    places::{Places, Span, Subject, read_at},
    rewrite, stands_at,
};
use crate::store::Error;

/// A log, and where in it the lines of each subject are. Clones share both.
#[derive(Debug, Clone)]
pub struct Records {
    log: Log,
    places: Arc<Places>,
}

/// How a log stands at one moment.
#[derive(Debug)]
pub struct Standing {
    /// Its end.
    pub end: Mark,
    /// The lines of each subject that lines may be added to.
    pub open: Vec<Vec<Span>>,
    /// The lines of the ended subjects that were asked for, in that order; none for one that is not there.
    pub sealed: Vec<Vec<Span>>,
    /// Lines that nobody understands.
    pub strange: Vec<Span>,
    /// The file of all these places.
    pub file: Arc<File>,
}

impl Records {
    pub(super) fn new(log: Log, places: Arc<Places>) -> Self {
        Self { log, places }
    }

    /// Where the log is.
    pub fn path(&self) -> &Path {
        self.log.path()
    }

    /// Whether the log is where it was.
    ///
    /// # Errors
    /// [`Error::File`] when it was taken away, or another file is in its place.
    pub fn check(&self) -> Result<(), Error> {
        let file = Arc::clone(&self.places.lock().file);
        stands_at(&file, self.path()).map_err(Error::file("find", self.path()))
    }

    /// Adds a line about `subject`, as [`Log::append_line`]. A line about nothing is gone when the log is next rewritten.
    ///
    /// # Errors
    /// As there.
    pub async fn append(&self, subject: Option<Subject>, line: Vec<u8>) -> Result<(), Error> {
        self.log.add(subject, line).await
    }

    /// The bytes of the lines about `subject`, the oldest first; none when there are none. Blocks.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn read(&self, subject: Subject) -> Result<Vec<Vec<u8>>, Error> {
        let (file, spans) = {
            let state = self.places.lock();
            let subjects = &state.subjects;
            let spans = subjects.open.get(&subject).or_else(|| subjects.sealed.get(&subject));
            (Arc::clone(&state.file), spans.cloned().unwrap_or_default())
        };
        // A log that is rewritten meanwhile leaves this file to those who still read it.
        read_spans(self.path(), &file, &spans)
    }

    /// Nothing more is expected about `subject`.
    pub fn seal(&self, subject: Subject) {
        let mut state = self.places.lock();
        if let Some(mut spans) = state.subjects.open.remove(&subject) {
            spans.shrink_to_fit();
            state.subjects.sealed.insert(subject, spans);
        }
    }

    /// Something more is expected about `subject` after all.
    pub fn unseal(&self, subject: Subject) {
        let mut state = self.places.lock();
        if let Some(spans) = state.subjects.sealed.remove(&subject) {
            state.subjects.open.insert(subject, spans);
        }
    }

    /// The lines about `subject` are needed no more.
    pub fn release(&self, subject: Subject) {
        let mut state = self.places.lock();
        let open = state.subjects.open.remove(&subject);
        if let Some(spans) = open.or_else(|| state.subjects.sealed.remove(&subject)) {
            state.needed -= spans.iter().map(|span| span.length).sum::<u64>();
        }
    }

    /// Bytes in the log, and how many of them nobody needs.
    pub fn sizes(&self) -> (u64, u64) {
        let state = self.places.lock();
        (state.size, state.size - state.needed)
    }

    /// How the log stands; of the ended subjects only those in `sealed`.
    pub fn standing(&self, sealed: impl Iterator<Item = Subject>) -> Standing {
        let state = self.places.lock();
        let subjects = &state.subjects;
        let place = |subject| subjects.sealed.get(&subject).cloned().unwrap_or_default();
        Standing {
            end: Mark { at: state.size, lines: state.lines },
            open: subjects.open.values().cloned().collect(),
            sealed: sealed.map(place).collect(),
            strange: subjects.strange.clone(),
            file: Arc::clone(&state.file),
        }
    }

    /// Writes the log anew with what is needed, byte for byte and in its order, while it is written on; lines that nobody
    /// understands are moved to `<path>.rejected`. Blocks.
    ///
    /// A crash leaves the old file or the new one, each with everything that was acknowledged.
    ///
    /// # Errors
    /// When the disk refuses; the log goes on as it was.
    pub fn rewrite(&self) -> Result<(), Error> {
        rewrite::rewrite(&self.log, &self.places)
    }
}

/// The lines in these places of a file. Blocks.
///
/// # Errors
/// When the file cannot be read.
pub fn read_spans(path: &Path, file: &File, spans: &[Span]) -> Result<Vec<Vec<u8>>, Error> {
    let mut lines = Vec::new();
    for span in spans {
        let bytes = read_at(file, *span).map_err(Error::file("read", path))?;
        lines.extend(bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).map(<[u8]>::to_vec));
    }
    Ok(lines)
}

/// The bytes in a place of a file. Blocks.
///
/// # Errors
/// When the file cannot be read.
pub fn read_span(path: &Path, file: &File, span: Span) -> Result<Vec<u8>, Error> {
    read_at(file, span).map_err(Error::file("read", path))
}

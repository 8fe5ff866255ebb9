//! Where in a log the lines are that belong together.

use std::{fs::File, io, sync::Arc};

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use super::Mark;
use crate::base::IdMap;

/// What lines are about: a number that whoever writes them gives, and never gives to anything else.
pub type Subject = u64;

/// A line, or lines that follow each other, in bytes with the `\n`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "(u64, u64)", into = "(u64, u64)")]
pub struct Span {
    /// Where it begins.
    pub at: u64,
    /// How long it is.
    pub length: u64,
}

impl From<(u64, u64)> for Span {
    fn from((at, length): (u64, u64)) -> Self {
        Self { at, length }
    }
}

impl From<Span> for (u64, u64) {
    fn from(span: Span) -> Self {
        (span.at, span.length)
    }
}

impl Span {
    /// Adds a line to those of a subject; they are in the order of the file.
    pub fn push(self, spans: &mut Vec<Self>) {
        match spans.last_mut() {
            Some(last) if last.at + last.length == self.at => last.length += self.length,
            _ => spans.push(self),
        }
    }
}

/// Which lines of a log belong to which subject, as somebody who read it found.
#[derive(Debug, Default)]
pub struct Subjects {
    /// Those that lines may be added to.
    pub open: IdMap<Subject, Vec<Span>>,
    /// Those that have ended.
    pub sealed: IdMap<Subject, Vec<Span>>,
    /// Lines that nobody understands.
    pub strange: Vec<Span>,
}

impl Subjects {
    /// Every place that holds something.
    pub(super) fn spans(&self) -> impl Iterator<Item = Span> {
        let lines = self.open.values().chain(self.sealed.values());
        lines.flatten().chain(&self.strange).copied()
    }

    fn of(&mut self, subject: Subject) -> Option<&mut Vec<Span>> {
        self.open.get_mut(&subject).or_else(|| self.sealed.get_mut(&subject))
    }
}

/// The places of a log that is being written, and the file they are in.
#[derive(Debug)]
pub(super) struct Places {
    state: Mutex<State>,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) file: Arc<File>,
    pub(super) subjects: Subjects,
    /// Bytes that belong to something.
    pub(super) needed: u64,
    /// Bytes in all.
    pub(super) size: u64,
    /// Lines in all.
    pub(super) lines: u64,
}

impl Places {
    pub(super) fn new(file: File, subjects: Subjects, end: Mark) -> Self {
        let needed = subjects.spans().map(|span| span.length).sum();
        Self {
            state: Mutex::new(State {
                file: Arc::new(file),
                subjects,
                needed,
                size: end.at,
                lines: end.lines,
            }),
        }
    }

    pub(super) fn lock(&self) -> parking_lot::MutexGuard<'_, State> {
        self.state.lock()
    }

    /// Lines are on the disk: what they are about, where they begin and how long they are.
    pub(super) fn added(&self, lines: impl Iterator<Item = (Option<Subject>, u64, u64)>) {
        let mut state = self.state.lock();
        for (subject, at, length) in lines {
            state.size = at + length;
            state.lines += 1;
            let Some(subject) = subject else { continue };
            state.needed += length;
            let span = Span { at, length };
            match state.subjects.of(subject) {
                Some(spans) => span.push(spans),
                None => drop(state.subjects.open.insert(subject, vec![span])),
            }
        }
    }
}

/// Reads `length` bytes from a place of a file that others read and write too.
pub(super) fn read_at(file: &File, span: Span) -> io::Result<Vec<u8>> {
    let length = usize::try_from(span.length).map_err(io::Error::other)?;
    let mut bytes = vec![0; length];
    #[cfg(unix)]
    std::os::unix::fs::FileExt::read_exact_at(file, &mut bytes, span.at)?;
    #[cfg(windows)]
    {
        use std::os::windows::fs::FileExt as _;
        let mut done = 0;
        while let Some(rest) = bytes.get_mut(done..).filter(|rest| !rest.is_empty()) {
            match file.seek_read(rest, span.at + done as u64)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                more => done += more,
            }
        }
    }
    Ok(bytes)
}

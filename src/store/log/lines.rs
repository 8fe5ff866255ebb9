//! Reading a log: one line at a time, however long the file.

use std::{
    fmt,
    fs::File,
    io::{self, BufRead, BufReader, Seek as _, SeekFrom},
    path::Path,
};

use serde::{Deserialize, Serialize};

use crate::store::Error;

/// How many unreadable lines are each given a warning; the rest are only counted.
const WARNINGS: u64 = 20;

/// One line of a log, without its `\n`. Never blank.
#[derive(Debug, Clone, Copy)]
pub struct Line<'a> {
    /// Its place in the file, from 1.
    pub number: u64,
    /// Where in the file it begins, in bytes.
    pub at: u64,
    /// What it holds: JSON, if nobody damaged the file.
    pub bytes: &'a [u8],
}

impl<'a> Line<'a> {
    /// The record the line holds.
    pub fn parse<T: Deserialize<'a>>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_slice(self.bytes)
    }
}

/// What a reading came across.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Seen {
    /// Lines that are not blank.
    pub lines: u64,
    /// Lines the reader did not understand; they were warned about and stay in the file.
    pub skipped: u64,
}

/// A place in a log from which to read on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// In bytes; the beginning of a line.
    pub at: u64,
    /// How many lines are before it.
    pub lines: u64,
}

/// Reads a log without owning it, as of now: a last line that is still being written is left out.
///
/// Shows `each` every line that is not blank. Where it answers with an error, the line is skipped: a warning names
/// the file, the line and the reason. A log that does not exist is empty.
pub fn read<E: fmt::Display>(
    path: &Path,
    each: impl FnMut(Line<'_>) -> Result<(), E>,
) -> Result<Seen, Error> {
    match File::open(path) {
        Ok(file) => Ok(read_on(path, file, Mark::default(), each)?.0),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Seen::default()),
        Err(error) => Err(Error::file("open", path)(error)),
    }
}

/// The same of an open file, from a place on. Also tells where it came to, the end of the last whole line.
pub fn read_on<E: fmt::Display>(
    path: &Path,
    mut file: File,
    from: Mark,
    each: impl FnMut(Line<'_>) -> Result<(), E>,
) -> Result<(Seen, Mark), Error> {
    file.seek(SeekFrom::Start(from.at)).map_err(Error::file("read", path))?;
    scan(path, BufReader::with_capacity(1 << 16, file), from, each)
}

/// The loop behind [`read`]. Lines end at `\n` and nowhere else: JSON may hold U+2028 and its kin as they are.
pub(super) fn scan<E: fmt::Display>(
    path: &Path,
    mut source: impl BufRead,
    mut mark: Mark,
    mut each: impl FnMut(Line<'_>) -> Result<(), E>,
) -> Result<(Seen, Mark), Error> {
    let mut seen = Seen::default();
    let mut buffer = Vec::new();
    loop {
        buffer.clear();
        source.read_until(b'\n', &mut buffer).map_err(Error::file("read", path))?;
        let Some(bytes) = buffer.strip_suffix(b"\n") else { break };
        let (number, at) = (mark.lines + 1, mark.at);
        mark = Mark { at: at + buffer.len() as u64, lines: number };
        if bytes.trim_ascii().is_empty() {
            continue;
        }
        seen.lines += 1;
        if let Err(reason) = each(Line { number, at, bytes }) {
            seen.skipped += 1;
            if seen.skipped <= WARNINGS {
                tracing::warn!(path = %path.display(), line = number, %reason, "skipped a line that cannot be read; it stays in the file");
            }
        }
    }
    if seen.skipped > WARNINGS {
        tracing::warn!(path = %path.display(), lines = seen.skipped, "skipped this many lines in all");
    }
    Ok((seen, mark))
}

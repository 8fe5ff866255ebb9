//! Making a log smaller while it is written.
//!
//! What is needed is copied to a new file beside the log. Then the writer, between two batches, adds what came meanwhile,
//! syncs the new file, gives it the name of the log, and goes on in it. Until it has that name the old file is complete,
//! and from then on the new one is.

use std::{
    fs::File,
    io::{self, Write as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use tokio::sync::oneshot;

use super::{
    Log,
    places::{Places, Span, read_at},
    writer::Request,
};
use crate::store::{Error, document::Replacement, folder};

/// What is copied in one piece. Once a larger block than 128 KiB was given back, glibc takes such blocks from where small
/// ones are, too, and can give back less and less.
const PIECE: u64 = 1 << 16;

/// A log written anew up to a place.
#[derive(Debug)]
pub(super) struct Rewritten {
    path: PathBuf,
    new: Replacement,
    /// What was copied, in the order of the file.
    copied: Vec<Moved>,
    /// Up to where the old file was seen to.
    upto: u64,
    /// The length of the new one.
    length: u64,
    /// How many lines of the old one are not in the new one.
    left: u64,
}

/// Bytes that are somewhere else now.
#[derive(Debug, Clone, Copy)]
struct Moved {
    from: Span,
    to: u64,
}

pub(super) fn rewrite(log: &Log, places: &Places) -> Result<(), Error> {
    let path = log.path();
    let (file, mut needed, strange, upto, before) = {
        let state = places.lock();
        let subjects = &state.subjects;
        let needed: Vec<_> =
            subjects.open.values().chain(subjects.sealed.values()).flatten().copied().collect();
        (Arc::clone(&state.file), needed, subjects.strange.clone(), state.size, state.lines)
    };
    reject(path, &file, &strange)?;
    needed.sort_unstable_by_key(|span| span.at);
    let mut joined = Vec::new();
    for span in needed {
        span.push(&mut joined);
    }
    let writing = Error::file("write the successor of", path);
    let mut new = Replacement::begin_log(path)?;
    let (copied, length, lines) = copy(&file, &joined, &mut new).map_err(writing)?;
    let rewritten = Rewritten { path: path.to_owned(), new, copied, upto, length, left: before - lines };
    let (done, answer) = oneshot::channel();
    let closed = || Error::Closed { path: path.to_owned() };
    let requests = log.requests().ok_or_else(closed)?;
    requests.blocking_send(Request::Exchange(Box::new(rewritten), done)).map_err(|_| closed())?;
    answer.blocking_recv().map_err(|_| closed())?
}

/// Copies these places, and tells where they are now, how many bytes and how many lines they are.
fn copy(file: &File, spans: &[Span], new: &mut Replacement) -> io::Result<(Vec<Moved>, u64, u64)> {
    let (mut copied, mut length, mut lines) = (Vec::with_capacity(spans.len()), 0, 0);
    for span in spans {
        copied.push(Moved { from: *span, to: length });
        lines += copy_span(file, *span, new)?;
        length += span.length;
    }
    Ok((copied, length, lines))
}

fn copy_span(file: &File, span: Span, new: &mut Replacement) -> io::Result<u64> {
    let mut lines = 0;
    pieces(file, span, |bytes| {
        lines += lines_in(bytes);
        new.write_all(bytes)
    })?;
    Ok(lines)
}

fn pieces(file: &File, span: Span, mut each: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
    let end = span.at + span.length;
    let mut at = span.at;
    while at < end {
        let length = PIECE.min(end - at);
        each(&read_at(file, Span { at, length })?)?;
        at += length;
    }
    Ok(())
}

fn lines_in(bytes: &[u8]) -> u64 {
    bytes.iter().map(|byte| u64::from(*byte == b'\n')).sum()
}

/// Puts lines that nobody understands into a file of their own. After a crash they may be there twice.
fn reject(path: &Path, file: &File, strange: &[Span]) -> Result<(), Error> {
    if strange.is_empty() {
        return Ok(());
    }
    let mut name = path.as_os_str().to_owned();
    name.push(".rejected");
    let aside = PathBuf::from(name);
    let writing = || Error::file("write", &aside);
    let mut out = folder::private().append(true).create(true).open(&aside).map_err(writing())?;
    for span in strange {
        pieces(file, *span, |bytes| out.write_all(bytes)).map_err(writing())?;
    }
    out.sync_all().map_err(writing())?;
    folder::sync(&folder::of(&aside))?;
    tracing::warn!(
        path = %path.display(), moved_to = %aside.display(), places = strange.len(),
        "lines that cannot be read were moved aside"
    );
    Ok(())
}

impl Rewritten {
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Adds what came since, up to `good`, and puts the new file in place of the old one. The answer is what to write to
    /// from now on, and how long it is.
    pub(super) fn finish(self, places: &Places, good: u64) -> Result<(File, u64), Error> {
        let Self { path, mut new, copied, upto, length, left } = self;
        let old = Arc::clone(&places.lock().file);
        let tail = Span { at: upto, length: good - upto };
        copy_span(&old, tail, &mut new).map_err(Error::file("write the successor of", &path))?;
        let (file, reading) = new.exchange()?;
        let (begin, length) = (length, length + tail.length);
        let mut state = places.lock();
        state.file = Arc::new(reading);
        state.size = length;
        state.lines -= left;
        let rejected: u64 = state.subjects.strange.drain(..).map(|span| span.length).sum();
        state.needed -= rejected;
        let subjects = &mut state.subjects;
        let all = subjects.open.values_mut().chain(subjects.sealed.values_mut()).flatten();
        for span in all {
            span.at = moved(&copied, upto, begin, span.at);
        }
        drop(state);
        if let Err(error) = folder::sync(&folder::of(&path)) {
            tracing::error!(
                path = %path.display(),
                error = &error as &dyn std::error::Error,
                "a log was made smaller, and the folder cannot be synced: with the power, its new name may be lost"
            );
        }
        Ok((file, length))
    }
}

/// Where a place of the old file is in the new one.
fn moved(copied: &[Moved], upto: u64, tail: u64, at: u64) -> u64 {
    if at >= upto {
        return at - upto + tail;
    }
    let index = copied.partition_point(|moved| moved.from.at <= at);
    let moved = index.checked_sub(1).and_then(|index| copied.get(index));
    moved.map_or(at, |moved| moved.to + (at - moved.from.at))
}

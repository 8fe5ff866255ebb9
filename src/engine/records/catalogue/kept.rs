//! What was read of the files of a folder, in a file of its own beside it, `.crew/<folder>.index`, which only whoever writes
//! records keeps up, so that looking leaves nothing behind:
//!
//! ```json
//! {"format":1}
//! {"id":"…","seen":[1764115200000000000,812],"brief":{…}}
//! ```
//!
//! Of one id the last line counts, and only while the file looks like that. Whatever is missing or wrong there costs time
//! and nothing else. It is never held as a whole by who keeps it up: there may be very many records.

use std::{
    borrow::Cow,
    fs::{self, OpenOptions},
    io::{self, BufRead as _, Write as _},
    path::PathBuf,
    sync::Arc,
};

use parking_lot::{Mutex, MutexGuard};
use serde::{Deserialize, Serialize};

use super::{Brief, Entry};
use crate::{engine::records::folder::Seen, store::document::Replacement};

/// Lines that say nothing any more, beyond which the file is written anew when they are more than the others.
const STALE: usize = 1000;
/// Longest line.
const LONGEST: usize = 1 << 20;
/// How many lines are written at a time.
const BATCH: usize = 500;

/// The file.
#[derive(Debug)]
pub(super) struct Kept {
    path: PathBuf,
    writing: Mutex<()>,
}

/// The file while nobody else in this process writes to it.
pub(super) struct Keeping<'k> {
    kept: &'k Kept,
    _writing: MutexGuard<'k, ()>,
}

#[derive(Serialize, Deserialize)]
struct Format {
    format: u32,
}

#[derive(Deserialize)]
struct Line<B> {
    id: String,
    seen: Seen,
    brief: B,
}

#[derive(Serialize)]
struct LineOf<'e, B> {
    id: &'e str,
    seen: Seen,
    brief: &'e B,
}

/// Which file a line is about, and what that looked like.
#[derive(Deserialize)]
struct About<'l> {
    #[serde(borrow)]
    id: Cow<'l, str>,
    seen: Seen,
}

impl About<'_> {
    /// The place of its file among `files`, which are in order, and whether that looks so still.
    fn place(line: &[u8], files: &[(String, Seen)]) -> Option<(usize, bool)> {
        let about = serde_json::from_slice::<About<'_>>(line).ok()?;
        let place = files.binary_search_by(|(id, _)| id.as_str().cmp(&about.id)).ok()?;
        Some((place, files.get(place)?.1 == about.seen))
    }
}

impl Kept {
    pub(super) fn at(path: PathBuf) -> Self {
        Self { path, writing: Mutex::new(()) }
    }

    /// Whether there is one.
    pub(super) fn is_there(&self) -> bool {
        self.path.is_file()
    }

    /// Waits until nobody else writes.
    pub(super) fn begin(&self) -> Keeping<'_> {
        Keeping { kept: self, _writing: self.writing.lock() }
    }

    /// The same at once, or not at all.
    pub(super) fn try_begin(&self) -> Option<Keeping<'_>> {
        Some(Keeping { kept: self, _writing: self.writing.try_lock()? })
    }

    /// All that is kept, as it was written.
    pub(super) fn load<B: Brief>(&self) -> Vec<Arc<Entry<B>>> {
        let mut known = Vec::new();
        let read = self.lines(B::FORMAT, |line| {
            if let Ok(Line { id, seen, brief }) = serde_json::from_slice(line) {
                known.push(Arc::new(Entry { id, seen, brief }));
            }
            Ok(())
        });
        if let Err(error) = read {
            tracing::warn!(path = %self.path.display(), %error, "an index of records is passed over");
        }
        known
    }

    /// Shows `each` line behind the first. Returns whether the file is one of this format.
    fn lines(&self, format: u32, mut each: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<bool> {
        let file = match fs::File::open(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            opened => opened?,
        };
        let mut source = io::BufReader::with_capacity(1 << 16, file);
        let mut line = Vec::new();
        source.read_until(b'\n', &mut line)?;
        if !serde_json::from_slice::<Format>(&line).is_ok_and(|head| head.format == format) {
            return Ok(false);
        }
        loop {
            line.clear();
            if source.read_until(b'\n', &mut line)? == 0 {
                return Ok(true);
            }
            each(line.strip_suffix(b"\n").unwrap_or(&line))?;
        }
    }
}

impl Keeping<'_> {
    /// Adds lines.
    pub(super) fn add<'e, B: Brief>(&self, entries: impl IntoIterator<Item = &'e Entry<B>>) {
        if let Err(error) = self.append(entries) {
            self.complain(&error);
        }
    }

    /// Brings it up to date with `files`, of which those are read that it does not tell of.
    pub(super) fn bring_up<B: Brief>(
        &self,
        files: impl Iterator<Item = (String, Seen)>,
        read: impl Fn(Vec<(String, Seen)>) -> Vec<Entry<B>>,
    ) {
        let mut files: Vec<_> = files.collect();
        files.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        if let Err(error) = self.write(files, read) {
            self.complain(&error);
        }
    }

    fn write<B: Brief>(
        &self,
        files: Vec<(String, Seen)>,
        read: impl Fn(Vec<(String, Seen)>) -> Vec<Entry<B>>,
    ) -> io::Result<()> {
        if files.is_empty() && !self.kept.is_there() {
            return Ok(());
        }
        let mut told = vec![false; files.len()];
        let mut lines = 0_usize;
        let is_whole = self.kept.lines(B::FORMAT, |line| {
            lines += 1;
            if let Some((place, is_so)) = About::place(line, &files)
                && let Some(told) = told.get_mut(place)
            {
                *told = is_so;
            }
            Ok(())
        })?;
        let stale = lines.saturating_sub(told.iter().filter(|told| **told).count());
        let mut anew = None;
        if !is_whole || stale > STALE.max(files.len()) {
            anew = Some(self.begin_anew::<B>(&files, &mut told)?);
        }
        let mut missing = files.into_iter().zip(told).filter(|(_, told)| !told).map(|(file, _)| file);
        loop {
            let batch = read(missing.by_ref().take(BATCH).collect());
            if batch.is_empty() {
                break;
            }
            match &mut anew {
                Some(anew) => anew.write_all(&text(&batch)?)?,
                None => self.append(&batch)?,
            }
        }
        anew.map_or(Ok(()), |anew| anew.commit().map_err(io::Error::other))
    }

    /// A file to take the place of this one, with those lines of it that are so still; `told` is set for these.
    fn begin_anew<B: Brief>(&self, files: &[(String, Seen)], told: &mut [bool]) -> io::Result<Replacement> {
        let mut anew = Replacement::begin(&self.kept.path).map_err(io::Error::other)?;
        serde_json::to_writer(&mut anew, &Format { format: B::FORMAT })?;
        anew.write_all(b"\n")?;
        told.fill(false);
        self.kept.lines(B::FORMAT, |line| {
            let place = About::place(line, files).filter(|(_, is_so)| *is_so);
            match place.and_then(|(place, _)| told.get_mut(place)) {
                Some(told) if !*told => {
                    *told = true;
                    anew.write_all(line)?;
                    anew.write_all(b"\n")
                }
                _ => Ok(()),
            }
        })?;
        Ok(anew)
    }

    fn append<'e, B: Brief>(&self, entries: impl IntoIterator<Item = &'e Entry<B>>) -> io::Result<()> {
        let text = text(entries)?;
        // One write, so that what others add at the same time stands before or behind it.
        OpenOptions::new().append(true).open(&self.kept.path)?.write_all(&text)
    }

    fn complain(&self, error: &io::Error) {
        let path = self.kept.path.display();
        tracing::warn!(%path, %error, "an index of records could not be written; looking takes longer");
    }
}

fn text<'e, B: Brief>(entries: impl IntoIterator<Item = &'e Entry<B>>) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    for entry in entries {
        let line = serde_json::to_vec(&LineOf { id: &entry.id, seen: entry.seen, brief: &entry.brief })?;
        if line.len() < LONGEST {
            text.extend(line);
            text.push(b'\n');
        }
    }
    Ok(text)
}

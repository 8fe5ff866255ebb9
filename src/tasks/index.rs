//! `.crew/tasks.index`: what the journal tells of tasks that are over, and where, so that a start need not read all of it.
//!
//! ```json
//! {"task":{"spans":[[0,812]],"summary":{"task_id":"…","status":"completed",…}}}
//! {"checkpoint":{"format":1,"end":{"at":4194304,"lines":9000},"edge":1234,"open":[[[812,300]]],"strange":[]}}
//! {"crc":56789}
//! ```
//!
//! It only grows, section by section, each of which ends with its checksum. The last checkpoint tells up to where the
//! journal has been seen to. All of it can be made again from the journal: a file that is missing, torn, wrong, or of
//! another journal costs time and nothing else, which is why nobody waits until it is on the disk.

use std::{
    borrow::Cow,
    collections::VecDeque,
    fs::{self, File},
    io::{self, BufReader, BufWriter, Write as _},
    num::NonZeroUsize,
    path::{Path, PathBuf},
    sync::Arc,
    thread,
};

use serde::{Deserialize, Serialize};

use super::Summary;
use crate::store::{
    self,
    log::{self, Mark, Span, Standing, Subject},
};

/// What is written; another one is made anew.
const FORMAT: u32 = 1;

/// How much of both ends of what was seen to says which journal it was.
const EDGE: u64 = 4096;

/// Bytes that are read, and then made sense of, at a time.
const BLOCK: usize = 1 << 20;

/// The index as far as it is right.
#[derive(Debug)]
pub(super) struct Index {
    path: PathBuf,
    /// Its length.
    length: u64,
    /// Up to where in the journal.
    covers: u64,
}

/// What an index told.
#[derive(Debug)]
pub(super) struct Loaded {
    pub(super) index: Index,
    /// Where the lines of each task are that was not over.
    pub(super) open: Vec<Vec<Span>>,
    pub(super) strange: Vec<Span>,
    /// From where on the journal has to be read.
    pub(super) end: Mark,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::large_enum_variant, reason = "only one exists at a time, on its way to or from a line")]
enum Entry<'a> {
    Task { spans: Cow<'a, [Span]>, summary: Cow<'a, Summary> },
    Checkpoint(Checkpoint),
    Crc(u32),
}

#[derive(Debug, Serialize, Deserialize)]
struct Checkpoint {
    format: u32,
    end: Mark,
    edge: u32,
    open: Vec<Vec<Span>>,
    strange: Vec<Span>,
}

impl Index {
    /// The index of the journal at this path, of which nothing is right yet.
    pub(super) fn none(journal: &Path) -> Self {
        Self { path: journal.with_extension("index"), length: 0, covers: 0 }
    }

    /// Up to where in the journal it is right, in bytes.
    pub(super) fn covers(&self) -> u64 {
        self.covers
    }

    /// What the index of the journal at this path tells, if it is of `file`: shows `each` task that is over, of which the
    /// last one of an id counts. All of that is void when there is no answer. Blocks.
    pub(super) fn load(journal: &Path, file: &File, each: impl FnMut(Summary, Vec<Span>)) -> Option<Loaded> {
        let path = Self::none(journal).path;
        let loading = || {
            let Some((checkpoint, length)) = read(&path, each)? else { return Ok(None) };
            let edge = edge(journal, file, checkpoint.end.at).map_err(io::Error::other)?;
            Ok::<_, io::Error>((edge == Some(checkpoint.edge)).then_some((length, checkpoint)))
        };
        match loading() {
            Ok(Some((length, Checkpoint { end, open, strange, .. }))) => {
                let index = Self { path, length, covers: end.at };
                return Some(Loaded { index, open, strange, end });
            }
            Ok(None) => {
                tracing::info!(path = %path.display(), "the index is torn or does not fit the journal; it is made anew");
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "the index cannot be read; it is made anew");
            }
        }
        None
    }

    /// Adds a section: how the journal stands, and the tasks that are over and were not told of before. Blocks.
    ///
    /// # Errors
    /// When the disk refuses; the index is as right as before.
    pub(super) fn add(
        &mut self,
        journal: &Path,
        standing: Standing,
        over: &[(Subject, Arc<Summary>)],
    ) -> io::Result<()> {
        let failed = |error: store::Error| io::Error::other(error);
        let Some(edge) = edge(journal, &standing.file, standing.end.at).map_err(failed)? else {
            return Err(io::ErrorKind::UnexpectedEof.into());
        };
        let mut options = fs::OpenOptions::new();
        options.create(true).truncate(false).write(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(&self.path)?;
        // What is beyond was cut off, or is wrong.
        file.set_len(self.length)?;
        let mut section = Section::begin(file, self.length)?;
        let told = standing.sealed.iter().zip(over).filter(|(spans, _)| !spans.is_empty());
        for (spans, (_, summary)) in told {
            section.put(&Entry::Task { spans: Cow::Borrowed(spans), summary: Cow::Borrowed(summary) })?;
        }
        let Standing { end, open, strange, .. } = standing;
        section.put(&Entry::Checkpoint(Checkpoint { format: FORMAT, end, edge, open, strange }))?;
        self.length = section.finish()?;
        self.covers = end.at;
        Ok(())
    }

    /// Forgets all of it, as places have changed: the next section is the first.
    pub(super) fn clear(&mut self) {
        (self.length, self.covers) = (0, 0);
    }
}

/// Reads an index: shows `each` task, and gives the last checkpoint and the length. `None` when some of it is wrong, the
/// end is missing, or it is of another version.
fn read(path: &Path, mut each: impl FnMut(Summary, Vec<Span>)) -> io::Result<Option<(Checkpoint, u64)>> {
    let mut source = BufReader::with_capacity(1 << 16, File::open(path)?);
    let readers = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    thread::scope(|scope| {
        // What other threads make sense of, in its order, while what came before is shown.
        let mut ahead = VecDeque::with_capacity(readers);
        let (mut last, mut length) = (None, 0);
        let (mut crc, mut is_whole) = (crc32fast::Hasher::new(), false);
        loop {
            while ahead.len() < readers {
                let block = block(&mut source)?;
                if block.is_empty() {
                    break;
                }
                length += block.len() as u64;
                ahead.push_back(scope.spawn(move || told(&block)));
            }
            let Some(next) = ahead.pop_front() else {
                return Ok(last.filter(|_| is_whole).zip(Some(length)));
            };
            let Ok(Some(Told { entries, sums })) = next.join() else { return Ok(None) };
            let mut sums = sums.into_iter();
            for entry in entries {
                is_whole = false;
                match entry {
                    Entry::Task { spans, summary } => {
                        each(summary.into_owned(), spans.into_owned());
                    }
                    Entry::Checkpoint(found) if found.format == FORMAT => last = Some(found),
                    Entry::Checkpoint(_) => return Ok(None),
                    Entry::Crc(given) => {
                        sums.next().iter().for_each(|sum| crc.combine(sum));
                        if std::mem::take(&mut crc).finalize() != given {
                            return Ok(None);
                        }
                        is_whole = true;
                    }
                }
            }
            sums.for_each(|sum| crc.combine(&sum));
        }
    })
}

/// What lines tell.
struct Told {
    /// In their order.
    entries: Vec<Entry<'static>>,
    /// Of the lines of each section that ends among them, and of those behind.
    sums: Vec<crc32fast::Hasher>,
}

/// The next lines, all of them whole; nothing at the end.
fn block(source: &mut impl io::BufRead) -> io::Result<Vec<u8>> {
    let mut block = Vec::with_capacity(BLOCK + BLOCK / 8);
    while block.len() < BLOCK && source.read_until(b'\n', &mut block)? > 0 {}
    Ok(block)
}

/// What lines tell; `None` when one means nothing or is not whole.
fn told(block: &[u8]) -> Option<Told> {
    let (mut entries, mut sums, mut crc) = (Vec::new(), Vec::new(), crc32fast::Hasher::new());
    // As text all at once, so that nothing in it has to be checked again.
    for line in str::from_utf8(block).ok()?.split_inclusive('\n') {
        let entry = serde_json::from_str(line.strip_suffix('\n')?).ok()?;
        if let Entry::Crc(_) = entry {
            sums.push(std::mem::take(&mut crc));
        } else {
            crc.update(line.as_bytes());
        }
        entries.push(entry);
    }
    sums.push(crc);
    Some(Told { entries, sums })
}

/// What a journal up to `end` is told by; `None` when it is shorter.
fn edge(path: &Path, file: &File, end: u64) -> Result<Option<u32>, store::Error> {
    let length = file.metadata().map(|metadata| metadata.len());
    if length.is_ok_and(|length| length < end) {
        return Ok(None);
    }
    let size = EDGE.min(end);
    let mut crc = crc32fast::Hasher::new();
    for at in [0, end - size] {
        crc.update(&log::read_span(path, file, Span { at, length: size })?);
    }
    Ok(Some(crc.finalize()))
}

/// A section being written.
struct Section {
    out: BufWriter<File>,
    crc: crc32fast::Hasher,
    length: u64,
}

impl Section {
    fn begin(mut file: File, length: u64) -> io::Result<Self> {
        io::Seek::seek(&mut file, io::SeekFrom::Start(length))?;
        Ok(Self { out: BufWriter::with_capacity(1 << 16, file), crc: crc32fast::Hasher::new(), length })
    }

    fn put(&mut self, entry: &Entry<'_>) -> io::Result<()> {
        let mut line = serde_json::to_vec(entry)?;
        line.push(b'\n');
        self.crc.update(&line);
        self.length += line.len() as u64;
        self.out.write_all(&line)
    }

    /// Ends it; the answer is how long the index is now.
    fn finish(mut self) -> io::Result<u64> {
        let crc = std::mem::take(&mut self.crc).finalize();
        self.put(&Entry::Crc(crc))?;
        self.out.flush()?;
        Ok(self.length)
    }
}

//! The one thread that writes a log: many records, one write, one sync.

use std::{
    fs::{self, File},
    io,
    io::Write as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use tokio::sync::{mpsc, oneshot};

use super::{
    places::{Places, Subject},
    rewrite::Rewritten,
};
use crate::store::Error;

/// Records that may wait to be written; a caller beyond that waits for its turn.
pub(super) const QUEUE: usize = 1024;

/// A batch takes no further record once it holds this many bytes.
const BATCH_BYTES: usize = 4 << 20;

/// What a log is written to. A trait so that tests can make it fail.
pub(super) trait Medium: Send + 'static {
    /// Adds bytes at the end.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// Returns once everything is on the disk.
    fn sync(&mut self) -> io::Result<()>;
    /// Cuts off everything after `length` bytes.
    fn truncate(&mut self, length: u64) -> io::Result<()>;
    /// Writes to `file` from now on.
    fn exchange(&mut self, file: File);
    /// See [`stands_at`].
    fn stands_at(&self, path: &Path) -> io::Result<()>;
}

/// Fails when what is at `path` is not `file`: what is written to that is read by nobody who comes later.
pub(super) fn stands_at(file: &File, path: &Path) -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        let (there, own) = (fs::metadata(path)?, file.metadata()?);
        if (there.dev(), there.ino()) != (own.dev(), own.ino()) {
            return Err(io::Error::other("another file is in its place"));
        }
    }
    #[cfg(not(unix))]
    {
        // Where a file that is open cannot be taken away, it is enough that there is one.
        let _ = (fs::metadata(path)?, file);
    }
    Ok(())
}

impl Medium for File {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write_all(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        self.set_len(length)
    }

    fn exchange(&mut self, file: File) {
        *self = file;
    }

    fn stands_at(&self, path: &Path) -> io::Result<()> {
        stands_at(self, path)
    }
}

/// What the writer is asked for.
#[derive(Debug)]
pub(super) enum Request {
    /// To write a line.
    Line(Addition),
    /// To go on in the file that a log was written anew to.
    Exchange(Box<Rewritten>, oneshot::Sender<Result<(), Error>>),
}

/// A line, with its `\n`, what it is about, and whom to tell.
#[derive(Debug)]
pub(super) struct Addition {
    pub(super) line: Vec<u8>,
    pub(super) subject: Option<Subject>,
    pub(super) done: oneshot::Sender<Written>,
}

/// What became of a line.
pub(super) type Written = Result<(), Arc<io::Error>>;

/// What the thread owns.
pub(super) struct Writer<M> {
    path: PathBuf,
    medium: M,
    /// Bytes that are on the disk for certain; always the end of a line.
    good: u64,
    /// Whether the file ends at `good`.
    clean: bool,
    /// Where lines are, for logs that are asked.
    places: Option<Arc<Places>>,
}

impl<M: Medium> Writer<M> {
    pub(super) fn new(path: PathBuf, medium: M, good: u64, places: Option<Arc<Places>>) -> Self {
        Self { path, medium, good, clean: true, places }
    }

    /// Writes until every sender is gone. While one batch is synced, the next gathers in the queue.
    pub(super) fn run(mut self, mut requests: mpsc::Receiver<Request>) {
        let mut bytes = Vec::new();
        let mut waiting = Vec::new();
        while let Some(first) = requests.blocking_recv() {
            let (mut next, mut exchange) = (Some(first), None);
            while let Some(request) = next {
                match request {
                    Request::Line(Addition { line, subject, done }) => {
                        bytes.extend_from_slice(&line);
                        waiting.push((subject, line.len() as u64, done));
                    }
                    Request::Exchange(new, done) => {
                        exchange = Some((new, done));
                        break;
                    }
                }
                next = if bytes.len() < BATCH_BYTES { requests.try_recv().ok() } else { None };
            }
            if !waiting.is_empty() {
                self.write(&bytes, &mut waiting);
            }
            bytes.clear();
            bytes.shrink_to(BATCH_BYTES);
            if let Some((new, done)) = exchange {
                // Whoever asked may have stopped listening; the log is smaller all the same.
                let _ = done.send(self.exchange(*new));
            }
        }
    }

    /// Writes one batch, and tells everybody in it.
    fn write(&mut self, bytes: &[u8], waiting: &mut Vec<(Option<Subject>, u64, oneshot::Sender<Written>)>) {
        let mut at = self.good;
        let outcome = self.commit(bytes).map_err(Arc::new);
        if let Some(places) = self.places.as_ref().filter(|_| outcome.is_ok()) {
            places.added(waiting.iter().map(|(subject, length, _)| {
                let line = (*subject, at, *length);
                at += length;
                line
            }));
        }
        for (_, _, done) in waiting.drain(..) {
            // Whoever handed it over may not listen, or no longer; the record is kept all the same.
            if let Err(Err(error)) = done.send(outcome.clone()) {
                tracing::error!(%error, "a record could not be written, and nobody waits to be told");
            }
        }
    }

    /// Goes on in another file, once what came meanwhile is there as well.
    fn exchange(&mut self, new: Rewritten) -> Result<(), Error> {
        let Some(places) = self.places.clone() else { return Ok(()) };
        // The name belongs to whatever has it now.
        self.medium.stands_at(&self.path).map_err(Error::file("replace", &self.path))?;
        if !self.clean {
            self.rewind().map_err(Error::file("cut back", new.path()))?;
        }
        let (file, length) = new.finish(&places, self.good)?;
        self.medium.exchange(file);
        self.good = length;
        Ok(())
    }

    /// Writes and syncs one batch, or leaves the file as it was.
    fn commit(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.medium.stands_at(&self.path)?;
        if !self.clean {
            self.rewind()?;
        }
        match self.medium.append(bytes).and_then(|()| self.medium.sync()) {
            Ok(()) => {
                self.good += bytes.len() as u64;
                Ok(())
            }
            Err(error) => {
                // Half a batch must not stay: the callers are told that nothing of it was kept.
                self.clean = false;
                if let Err(again) = self.rewind() {
                    tracing::warn!(error = %again, "a log cannot be cut back yet; this is tried again before the next record");
                }
                Err(error)
            }
        }
    }

    fn rewind(&mut self) -> io::Result<()> {
        self.medium.truncate(self.good)?;
        self.medium.sync()?;
        self.clean = true;
        Ok(())
    }
}

//! The one thread that writes a log: many records, one write, one sync.

use std::{fs::File, io, io::Write as _, sync::Arc};

use tokio::sync::{mpsc, oneshot};

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
}

/// A line, with its `\n`, and whom to tell.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) line: Vec<u8>,
    pub(super) done: oneshot::Sender<Outcome>,
}

/// What became of a line.
pub(super) type Outcome = Result<(), Arc<io::Error>>;

/// What the thread owns.
pub(super) struct Writer<M> {
    medium: M,
    /// Bytes that are on the disk for certain; always the end of a line.
    good: u64,
    /// Whether the file ends at `good`.
    clean: bool,
}

impl<M: Medium> Writer<M> {
    pub(super) fn new(medium: M, good: u64) -> Self {
        Self { medium, good, clean: true }
    }

    /// Writes until every sender is gone. While one batch is synced, the next gathers in the queue.
    pub(super) fn run(mut self, mut requests: mpsc::Receiver<Request>) {
        let mut bytes = Vec::new();
        let mut waiting = Vec::new();
        while let Some(first) = requests.blocking_recv() {
            let mut next = Some(first);
            while let Some(Request { line, done }) = next {
                bytes.extend_from_slice(&line);
                waiting.push(done);
                next = if bytes.len() < BATCH_BYTES { requests.try_recv().ok() } else { None };
            }
            let outcome = self.commit(&bytes).map_err(Arc::new);
            for done in waiting.drain(..) {
                // Whoever handed it over may not listen, or no longer; the record is kept all the same.
                if let Err(Err(error)) = done.send(outcome.clone()) {
                    tracing::error!(%error, "a record could not be written, and nobody waits to be told");
                }
            }
            bytes.clear();
            bytes.shrink_to(BATCH_BYTES);
        }
    }

    /// Writes and syncs one batch, or leaves the file as it was.
    fn commit(&mut self, bytes: &[u8]) -> io::Result<()> {
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

//! Append-only files of JSON lines.
//!
//! A record is acknowledged once it is on the disk (`fdatasync`); records that arrive together share one sync.
//! A crash can only lose records nobody was told about: the next owner cuts off a torn last line. Bytes that
//! were once acknowledged are never changed in place; [`Claim::retain`] and [`Records::rewrite`] write a new file and
//! swap it in.

#[cfg(test)]
pub(crate) mod faulty;
mod lines;
mod places;
mod records;
mod rewrite;
mod shared;
mod tail;
#[cfg(test)]
mod tests;
mod writer;

use std::{
    convert::Infallible,
    fmt,
    fs::File,
    io::Write as _,
    path::{Path, PathBuf},
    sync::Arc,
    thread::JoinHandle,
};

use serde::Serialize;
use tokio::sync::{mpsc, oneshot};

pub use self::lines::{Line, Mark, Seen, read, read_on};
use self::places::Places;
pub use self::places::{Span, Subject, Subjects};
pub use self::records::{Records, Standing, read_span, read_spans};
pub use self::shared::{Change, Place, Reader, Shared};
pub use self::tail::whole_lines;
use self::writer::{Addition, Medium, QUEUE, Request, Writer, Written, stands_at};
use super::{Error, OwnerLock, document, folder};

/// A log that is owned and whole, but not yet written to: the time to read it.
#[derive(Debug)]
pub struct Claim {
    path: PathBuf,
    lock: OwnerLock,
}

impl Claim {
    /// Becomes the owner of the log at `path`, creating it (mode 0600) and its folder if need be.
    ///
    /// A torn last line is repaired: kept when it is whole JSON, else moved to `<path>.torn-<time>`.
    ///
    /// # Errors
    /// [`Error::Owned`] when somebody else is the owner; nothing was touched.
    pub fn take(path: &Path) -> Result<Self, Error> {
        let lock = OwnerLock::acquire(path)?;
        document::sweep(path);
        let mut file = open(path)?;
        folder::restrict(path, &file);
        tail::repair(path, &mut file)?;
        folder::sync(&folder::of(path))?;
        Ok(Self { path: path.to_owned(), lock })
    }

    /// Shows `each` every line that is not blank, oldest first; see [`read`].
    pub fn read<E: fmt::Display>(&self, each: impl FnMut(Line<'_>) -> Result<(), E>) -> Result<Seen, Error> {
        read(&self.path, each)
    }

    /// Bytes in the file.
    pub fn size(&self) -> Result<u64, Error> {
        Ok(std::fs::metadata(&self.path).map_err(Error::file("inspect", &self.path))?.len())
    }

    /// Replaces the log by those of its lines that `keep` answers for, byte for byte and in their order.
    ///
    /// A crash leaves the old file or the new one.
    pub fn retain(&self, mut keep: impl FnMut(Line<'_>) -> bool) -> Result<(), Error> {
        let mut new = document::Replacement::begin(&self.path)?;
        let mut outcome = Ok(());
        self.read(|line| {
            if outcome.is_ok() && keep(line) {
                outcome = new.write_all(line.bytes).and_then(|()| new.write_all(b"\n"));
            }
            Ok::<(), Infallible>(())
        })?;
        outcome.map_err(Error::file("write", &self.path))?;
        new.commit()
    }

    /// Moves what there is to `<path>.1`, in place of what was there, and begins anew with nothing.
    pub fn put_aside(&self) -> Result<(), Error> {
        let mut aside = self.path.clone().into_os_string();
        aside.push(".1");
        std::fs::rename(&self.path, aside).map_err(Error::file("put aside", &self.path))?;
        open(&self.path)?;
        folder::sync(&folder::of(&self.path))
    }

    /// Starts writing.
    pub fn start(self) -> Result<Log, Error> {
        let file = open(&self.path)?;
        self.start_on(file)
    }

    fn start_on(self, medium: impl Medium) -> Result<Log, Error> {
        let good = self.size()?;
        Log::start(self.path, medium, good, None, self.lock)
    }

    /// The file, to be read.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn file(&self) -> Result<File, Error> {
        File::open(&self.path).map_err(Error::file("open", &self.path))
    }

    /// Starts writing a log that can be asked, whose lines were read up to `end` and belong to `subjects`.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub fn start_records(self, subjects: Subjects, end: Mark) -> Result<Records, Error> {
        let medium = open(&self.path)?;
        self.start_records_on(medium, subjects, end)
    }

    fn start_records_on(self, medium: impl Medium, subjects: Subjects, end: Mark) -> Result<Records, Error> {
        let places = Arc::new(Places::new(self.file()?, subjects, end));
        let log = Log::start(self.path, medium, end.at, Some(Arc::clone(&places)), self.lock)?;
        Ok(Records::new(log, places))
    }
}

/// A log being written. Clones share one writer; the log is released when the last of them is dropped, which waits
/// for records already handed over.
#[derive(Debug, Clone)]
pub struct Log {
    handle: Arc<Handle>,
}

#[derive(Debug)]
struct Handle {
    path: PathBuf,
    /// `None` only while it is being dropped.
    requests: Option<mpsc::Sender<Request>>,
    thread: Option<JoinHandle<()>>,
}

impl Log {
    /// [`Claim::take`], [`Claim::read`] and [`Claim::start`] in one. Blocks; meant for start-up.
    ///
    /// # Errors
    /// [`Error::Owned`] when another process writes this log.
    pub fn open<E: fmt::Display>(
        path: &Path,
        each: impl FnMut(Line<'_>) -> Result<(), E>,
    ) -> Result<Self, Error> {
        let claim = Claim::take(path)?;
        claim.read(each)?;
        claim.start()
    }

    fn start(
        path: PathBuf,
        medium: impl Medium,
        good: u64,
        places: Option<Arc<Places>>,
        lock: OwnerLock,
    ) -> Result<Self, Error> {
        let (requests, queue) = mpsc::channel(QUEUE);
        let writer = Writer::new(path.clone(), medium, good, places);
        let thread = std::thread::Builder::new()
            .name("log-writer".to_owned())
            .spawn(move || {
                // The lock outlives the last write, never the other way round.
                let _lock = lock;
                writer.run(queue);
            })
            .map_err(Error::file("start the writer of", &path))?;
        Ok(Self { handle: Arc::new(Handle { path, requests: Some(requests), thread: Some(thread) }) })
    }

    /// Where the log is.
    pub fn path(&self) -> &Path {
        &self.handle.path
    }

    fn requests(&self) -> Option<&mpsc::Sender<Request>> {
        self.handle.requests.as_ref()
    }

    /// Adds a record as one line of JSON; see [`Log::append_line`].
    pub async fn append<T: Serialize + ?Sized>(&self, record: &T) -> Result<(), Error> {
        let line = serde_json::to_vec(record)
            .map_err(|source| Error::Encode { path: self.handle.path.clone(), source })?;
        self.append_line(line).await
    }

    /// Adds a line of JSON, given without its `\n`. It is on the disk once this returns.
    ///
    /// Lines are kept in the order in which they got into the queue of 1,024; a full queue makes the caller wait.
    /// A caller that stops waiting does not know whether its line was kept.
    ///
    /// # Errors
    /// [`Error::Append`] when the disk refused (full, for instance), or somebody has taken the file away: nothing of this
    /// line was kept, and later lines work again once the disk does, or the file is back. [`Error::LineBreak`] when the line is more than one.
    pub async fn append_line(&self, line: Vec<u8>) -> Result<(), Error> {
        self.add(None, line).await
    }

    /// Hands a record over as one line of JSON without waiting for the disk: for what can be made again from another
    /// log. When the disk refuses it, the log of the program says so.
    ///
    /// # Errors
    /// When it is no JSON, or nobody writes any more.
    pub async fn hand_over<T: Serialize + ?Sized>(&self, record: &T) -> Result<(), Error> {
        let line = serde_json::to_vec(record)
            .map_err(|source| Error::Encode { path: self.handle.path.clone(), source })?;
        self.enqueue(None, line).await.map(drop)
    }

    async fn add(&self, subject: Option<Subject>, line: Vec<u8>) -> Result<(), Error> {
        let answer = self.enqueue(subject, line).await?;
        let path = || self.handle.path.clone();
        let answer = answer.await.map_err(|_| Error::Closed { path: path() })?;
        answer.map_err(|source| Error::Append { path: path(), source })
    }

    /// Puts a line into the queue; what it gives tells when it is on the disk.
    async fn enqueue(
        &self,
        subject: Option<Subject>,
        mut line: Vec<u8>,
    ) -> Result<oneshot::Receiver<Written>, Error> {
        let path = || self.handle.path.clone();
        if line.contains(&b'\n') {
            return Err(Error::LineBreak { path: path() });
        }
        line.push(b'\n');
        let closed = || Error::Closed { path: path() };
        let requests = self.requests().ok_or_else(closed)?;
        let (done, answer) = oneshot::channel();
        requests.send(Request::Line(Addition { line, subject, done })).await.map_err(|_| closed())?;
        Ok(answer)
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.requests = None;
        if let Some(thread) = self.thread.take() {
            // It ends after at most one batch; the lock must be free when this returns.
            let _ = thread.join();
        }
    }
}

/// Opens a log so that every write lands at its end.
fn open(path: &Path) -> Result<File, Error> {
    folder::private().read(true).append(true).create(true).open(path).map_err(Error::file("open", path))
}

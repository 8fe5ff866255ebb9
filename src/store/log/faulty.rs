//! A disk that can be filled up and emptied by a test.

use std::{
    fs::File,
    io,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use super::{Claim, Log, Mark, Records, Subjects, open, writer::Medium};

/// The switches of a [`Disk`].
#[derive(Debug, Default)]
pub(crate) struct Faults {
    /// Half of every write fits, then the disk is full.
    pub(crate) full: AtomicBool,
    /// Nothing can be cut off either.
    pub(crate) stuck: AtomicBool,
    /// How often something was refused.
    pub(crate) refused: AtomicUsize,
    /// How often something was put on the disk.
    pub(crate) syncs: AtomicUsize,
}

struct Disk {
    file: File,
    faults: Arc<Faults>,
}

/// Starts a log on a disk that fails on demand.
pub(crate) fn start(claim: Claim, faults: &Arc<Faults>) -> Log {
    let disk = Disk { file: open(&claim.path).unwrap(), faults: Arc::clone(faults) };
    claim.start_on(disk).unwrap()
}

/// The same, by subject.
pub(crate) fn start_records(claim: Claim, faults: &Arc<Faults>) -> Records {
    let disk = Disk { file: open(&claim.path).unwrap(), faults: Arc::clone(faults) };
    claim.start_records_on(disk, Subjects::default(), Mark::default()).unwrap()
}

impl Faults {
    fn refuse(&self, when: &AtomicBool) -> io::Result<()> {
        if when.load(Ordering::SeqCst) {
            self.refused.fetch_add(1, Ordering::SeqCst);
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(())
    }
}

impl Medium for Disk {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.faults.full.load(Ordering::SeqCst) {
            self.file.append(&bytes[..bytes.len() / 2])?;
        }
        self.faults.refuse(&self.faults.full)?;
        self.file.append(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.faults.syncs.fetch_add(1, Ordering::SeqCst);
        self.file.sync()
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        self.faults.refuse(&self.faults.stuck)?;
        self.file.truncate(length)
    }

    fn exchange(&mut self, file: File) {
        self.file = file;
    }

    fn stands_at(&self, path: &Path) -> io::Result<()> {
        self.file.stands_at(path)
    }
}

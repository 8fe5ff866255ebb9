//! Exactly one owner per file.

use std::{
    fs::{File, TryLockError},
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use super::{Error, folder};
use crate::base::clock::Stopwatch;

/// How long to wait at first before a lock is tried again, and how long at most.
const PAUSES: (Duration, Duration) = (Duration::from_micros(200), Duration::from_millis(10));

/// Owns a file, for as long as it lives, by a lock on `<path>.lock`.
///
/// The lock is the system's (`flock`), so it ends with the process however that dies. The lock file holds the
/// owner's process id as text and is never removed: removing it would let two owners lock two different files.
#[derive(Debug)]
pub struct OwnerLock {
    file: File,
}

impl OwnerLock {
    /// Becomes the owner of `path`, which need not exist; its folder is created.
    ///
    /// # Errors
    /// [`Error::Owned`] when somebody else is, be it in this process.
    pub fn acquire(path: &Path) -> Result<Self, Error> {
        folder::create_for(path)?;
        let lock_path = lock_path(path);
        let mut file = folder::private()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&lock_path)
            .map_err(Error::file("open", &lock_path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(Error::Owned { path: path.to_owned(), pid: pid_in(&mut file) });
            }
            Err(TryLockError::Error(source)) => {
                return Err(Error::File { action: "lock", path: lock_path, source });
            }
        }
        sign(&mut file).map_err(Error::file("write", &lock_path))?;
        Ok(Self { file })
    }
}

impl OwnerLock {
    /// Becomes the owner of `path` as soon as nobody else is. Blocks for at most `patience`.
    ///
    /// # Errors
    /// [`Error::Owned`] when somebody else still is after that.
    pub fn wait(path: &Path, patience: Duration) -> Result<Self, Error> {
        let watch = Stopwatch::start();
        let (mut pause, longest) = PAUSES;
        loop {
            match Self::acquire(path) {
                Err(Error::Owned { .. }) if watch.elapsed() < patience => {
                    thread::sleep(pause);
                    pause = longest.min(pause * 2);
                }
                done => return done,
            }
        }
    }
}

impl Drop for OwnerLock {
    fn drop(&mut self) {
        // Closing the file would do, but a child that was forked in between may hold a copy of it.
        if let Err(error) = self.file.unlock() {
            tracing::debug!(%error, "a lock could not be released before its file is closed");
        }
    }
}

fn lock_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    name.into()
}

/// Writes the number of this process, unless it is there: who empties a file again and again waits for the journal of the
/// file system, and so does the line that is then written under the lock.
fn sign(file: &mut File) -> io::Result<()> {
    let own = std::process::id().to_string();
    let mut there = Vec::new();
    (&mut *file).take(32).read_to_end(&mut there)?;
    if there == own.as_bytes() {
        return Ok(());
    }
    file.set_len(0)?;
    file.seek(SeekFrom::Start(0))?;
    file.write_all(own.as_bytes())
}

/// The number another owner wrote; it may not have got round to it yet.
fn pid_in(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_owner_is_told_who_the_first_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/log.jsonl");
        let first = OwnerLock::acquire(&path).unwrap();
        let refused = OwnerLock::acquire(&path).unwrap_err();
        assert!(
            matches!(refused, Error::Owned { pid: Some(pid), .. } if pid == std::process::id()),
            "{refused}"
        );
        let soon = Duration::from_millis(5);
        assert!(matches!(OwnerLock::wait(&path, soon), Err(Error::Owned { .. })));
        let waiting = thread::spawn({
            let path = path.clone();
            move || OwnerLock::wait(&path, Duration::from_mins(1)).map(drop)
        });
        drop(first);
        waiting.join().unwrap().unwrap();
        // Whatever an earlier owner wrote, the number is that of this one.
        for before in ["", "1", "99999999999999999999", &std::process::id().to_string()] {
            std::fs::write(lock_path(&path), before).unwrap();
            let owner = OwnerLock::acquire(&path).unwrap();
            let told = std::fs::read_to_string(lock_path(&path)).unwrap();
            assert_eq!(told, std::process::id().to_string());
            drop(owner);
        }
    }
}

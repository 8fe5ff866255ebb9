//! A project in one file: all that it cannot make again, and back.
//!
//! An archive is a gzipped tar with a `manifest.json` at its end that names every file with its size and SHA-256. It is
//! read once more before anybody is told that it is there.
//!
//! A server may go on while it is copied. Logs only grow, so that what is copied of one is whole up to the last line
//! break; documents are replaced whole, so that a copy is the old one or the new one. The journal of tasks is copied
//! first: what other files know of tasks is then never older than it, and a delivery that was made is not made again.

mod archive;
mod restore;
mod source;
mod tasks;

use std::path::PathBuf;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use archive::{back_up, verify};
pub use restore::{Restored, rehearse, restore};
pub use source::survey;
pub use tasks::{Exported, export, unserved};

/// The folders of a project that are copied.
const FOLDERS: [&str; 2] = [".crew", "private"];

/// The file at the end of an archive.
const MANIFEST: &str = "manifest.json";

/// What this version writes, and the highest it reads.
const FORMAT: u32 = 1;

/// What an archive holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Form of the archive.
    pub format: u32,
    /// The version of crew that made it.
    pub crew: String,
    /// When.
    pub created_at: Timestamp,
    /// Its files, in their order.
    pub files: Vec<Entry>,
}

impl Manifest {
    /// Bytes of all files.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }
}

/// A file in an archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Below the root of the project, with slashes.
    pub path: String,
    /// Its size.
    pub bytes: u64,
    /// Of its content, in hexadecimal.
    pub sha256: String,
}

/// A file or folder of the project that is not in the archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LeftOut {
    /// Below the root of the project, with slashes.
    pub path: String,
    /// Why not.
    pub reason: &'static str,
}

/// What became of a backup.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BackedUp {
    /// The archive; none when nothing was to be written.
    pub archive: Option<PathBuf>,
    /// Size of the archive.
    pub archive_bytes: u64,
    /// What it holds.
    pub manifest: Manifest,
    /// What it does not.
    pub left_out: Vec<LeftOut>,
}

#[cfg(test)]
mod tests;

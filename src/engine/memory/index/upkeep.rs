//! What is done to the index behind whoever writes: entries are packed into blocks, and what was written is moved to its
//! place in the file. Both take as long as hundreds of additions do, and nobody is kept waiting for them.

use std::{
    path::Path,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
};

use rusqlite::Connection;

use super::{Error, block, schema, write};

/// Changed documents after which there is something to do.
const MANY: usize = 512;
/// How often what was written meanwhile is moved, too.
const TURNS: usize = 3;

/// Whether there is something to do, and whether somebody does it.
#[derive(Debug, Default)]
pub(super) struct Upkeep {
    changed: AtomicUsize,
    is_ripe: AtomicBool,
    is_under_way: AtomicBool,
}

/// The one who does it.
#[derive(Debug)]
pub(super) struct Turn<'u>(&'u Upkeep);

/// A connection of its own, which goes with what it read and holds little at a time: searches need other pages.
pub(super) fn open(path: &Path) -> Result<Connection, Error> {
    let connection = schema::open(path)?;
    connection.execute_batch("pragma cache_size = -2000")?;
    Ok(connection)
}

impl Upkeep {
    /// So many documents changed, and so many entries of their employee are in no block.
    pub(super) fn note(&self, documents: usize, unpacked: i64) {
        self.changed.fetch_add(documents.max(1), Relaxed);
        if unpacked >= block::BLOCK {
            self.is_ripe.store(true, Relaxed);
        }
    }

    pub(super) fn is_due(&self) -> bool {
        let is_due = self.is_ripe.load(Relaxed) || self.changed.load(Relaxed) >= MANY;
        is_due && !self.is_under_way()
    }

    pub(super) fn is_under_way(&self) -> bool {
        self.is_under_way.load(Relaxed)
    }

    /// `None` while somebody else does something.
    pub(super) fn begin(&self) -> Option<Turn<'_>> {
        if self.is_under_way.swap(true, Relaxed) {
            return None;
        }
        Some(Turn(self))
    }

    pub(super) fn changes(&self) -> usize {
        self.changed.load(Relaxed)
    }
}

impl Turn<'_> {
    /// Whether there is something to pack, as far as this process knows.
    pub(super) fn is_ripe(&self) -> bool {
        self.0.is_ripe.load(Relaxed)
    }

    pub(super) fn pack(&self, connection: &mut Connection) -> Result<(), Error> {
        // Before it is done, so that what comes meanwhile is seen to the next time.
        self.0.is_ripe.store(false, Relaxed);
        write::pack(connection)
    }

    pub(super) fn move_written(&self, connection: &Connection) -> Result<(), Error> {
        self.0.changed.store(0, Relaxed);
        for _ in 0..TURNS {
            let moved = |row: &rusqlite::Row<'_>| Ok((row.get(1)?, row.get(2)?));
            let (written, moved): (i64, i64) =
                connection.query_row("pragma wal_checkpoint(passive)", [], moved)?;
            if written == moved {
                break;
            }
        }
        Ok(())
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.is_under_way.store(false, Relaxed);
    }
}

//! Keeping the journal small and its index right, while work goes on.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
};

use parking_lot::Mutex;

use super::{Engine, engine::Shared, home::Home, index::Index};
use crate::store::log::Records;

/// Smaller journals are never rewritten.
const REWRITE_FROM: u64 = 4 << 20;

/// How far the journal grows until its index is told of it: what a start has to read at most.
const STRIDE: u64 = 4 << 20;

/// The journal, and its index.
#[derive(Debug)]
pub(super) struct Journal {
    pub(super) records: Records,
    index: Mutex<Index>,
    /// Up to where the index is right.
    covers: AtomicU64,
    /// Whether the disk refused the last time.
    pub(super) refused: AtomicBool,
    /// Whether somebody sees to it.
    busy: AtomicBool,
    /// From which size on it is seen to again, after the disk has refused.
    patience: AtomicU64,
    /// How often forgotten tasks began to be removed, and which of these removals was the last that was done.
    begun: AtomicU64,
    done: AtomicU64,
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    /// The index is behind.
    Index,
    /// More than half of the journal is needed no more.
    Rewrite,
}

impl Journal {
    pub(super) fn new(records: Records, index: Index) -> Self {
        let covers = AtomicU64::new(index.covers());
        let (refused, busy, patience) = (AtomicBool::default(), AtomicBool::default(), AtomicU64::default());
        let (begun, done) = (AtomicU64::default(), AtomicU64::default());
        Self { records, index: Mutex::new(index), covers, refused, busy, patience, begun, done }
    }

    fn needs(&self) -> Option<Need> {
        let (size, dead) = self.records.sizes();
        if size < self.patience.load(Relaxed) {
            None
        } else if size > REWRITE_FROM && dead > size / 2 {
            Some(Need::Rewrite)
        } else {
            (size - self.covers.load(Relaxed).min(size) >= STRIDE).then_some(Need::Index)
        }
    }
}

impl Engine {
    /// How often it was begun to remove forgotten tasks from the file they are kept in.
    pub fn removals_begun(&self) -> u64 {
        let Home::File(journal) = &self.shared.home else { return 0 };
        journal.begun.load(Relaxed)
    }

    /// Whether a task that was forgotten when so many removals had begun is in no file any more, so that no process comes to
    /// know it again.
    pub fn has_removed(&self, begun: u64) -> bool {
        let Home::File(journal) = &self.shared.home else { return true };
        journal.done.load(Relaxed) > begun
    }
}

impl Shared {
    /// Sees to the journal in the background, if it needs that.
    pub(super) fn tend(self: &Arc<Self>) {
        let Home::File(journal) = &self.home else { return };
        if journal.needs().is_none() || journal.busy.swap(true, Relaxed) {
            return;
        }
        let shared = Arc::clone(self);
        self.tracker.spawn(async move {
            let tending = tokio::task::spawn_blocking(move || {
                let Home::File(journal) = &shared.home else { return };
                while let Some(need) = journal.needs() {
                    if shared.see_to(need).is_err() {
                        let (size, _) = journal.records.sizes();
                        journal.patience.store(size + STRIDE, Relaxed);
                    }
                }
                journal.busy.store(false, Relaxed);
            });
            if tending.await.is_err() {
                tracing::error!("the journal of tasks is seen to no more");
            }
        });
    }

    /// Does it. Blocks.
    pub(super) fn see_to(&self, need: Need) -> Result<(), std::io::Error> {
        let Home::File(journal) = &self.home else { return Ok(()) };
        let path = journal.records.path();
        let mut index = journal.index.lock();
        let all = need == Need::Rewrite || index.covers() == 0;
        if need == Need::Rewrite {
            let begun = journal.begun.fetch_add(1, Relaxed) + 1;
            let (_, dead) = journal.records.sizes();
            if let Err(error) = journal.records.rewrite() {
                // The old file is untouched, and goes on.
                tracing::warn!(path = %path.display(), error = &error as &dyn std::error::Error, "the journal could not be made smaller");
                return Err(std::io::Error::other(error));
            }
            journal.done.store(begun, Relaxed);
            tracing::info!(path = %path.display(), bytes = dead, "removed forgotten tasks from the journal");
            // Places have changed.
            index.clear();
        }
        let (over, standing) = {
            let mut table = self.table.lock();
            let over = table.take_fresh(all);
            let standing = journal.records.standing(over.iter().map(|(subject, _)| *subject));
            (over, standing)
        };
        let added = index.add(path, standing, &over);
        journal.covers.store(index.covers(), Relaxed);
        added.inspect_err(|error| {
            tracing::warn!(path = %path.display(), %error, "the index of the journal could not be written; the next start takes longer");
            // What was taken is told with the next whole one.
            index.clear();
            journal.covers.store(0, Relaxed);
        })
    }
}

//! The log of deliveries: read when a project is opened, written before anything is done.

use std::{
    collections::{BTreeMap, HashSet},
    path::{Path, PathBuf},
};

use tokio::sync::OnceCell;

use super::record::{DeliveryId, Event, Sending};
use crate::{
    store::{
        self, Log,
        log::{self, Claim, Line},
    },
    tasks::TaskId,
};

/// Smaller logs are never rewritten.
const COMPACT_FROM: u64 = 1 << 20;

/// All deliveries that are known.
pub(super) type Deliveries = BTreeMap<DeliveryId, Sending>;

/// The log of deliveries, or none. A project that delivers nothing has no file for it.
#[derive(Debug)]
pub(super) struct Journal {
    path: Option<PathBuf>,
    log: OnceCell<Log>,
}

impl Journal {
    /// Reads what an earlier process recorded, and leaves out what belongs to tasks that are `known` no more. Blocks.
    pub(super) fn open(
        path: Option<PathBuf>,
        known: &HashSet<TaskId>,
    ) -> Result<(Self, Deliveries), store::Error> {
        let Some(path) = path else {
            return Ok((Self { path: None, log: OnceCell::new() }, BTreeMap::new()));
        };
        if !path.try_exists().unwrap_or(true) {
            return Ok((Self { path: Some(path), log: OnceCell::new() }, BTreeMap::new()));
        }
        let claim = Claim::take(&path)?;
        let mut deliveries = Deliveries::new();
        claim.read(|line| read(&line, &mut deliveries))?;
        deliveries.retain(|id, _| known.contains(&id.task));
        compact(&path, &claim, &deliveries)?;
        let log = OnceCell::new_with(Some(claim.start()?));
        Ok((Self { path: Some(path), log }, deliveries))
    }

    /// Keeps a line; it is on the disk once this returns.
    pub(super) async fn append(&self, event: &Event) -> Result<(), store::Error> {
        let Some(path) = &self.path else { return Ok(()) };
        let begin = || async {
            let path = path.clone();
            let open = move || Claim::take(&path)?.start();
            tokio::task::spawn_blocking(open)
                .await
                .unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))
        };
        self.log.get_or_try_init(begin).await?.append(event).await
    }
}

/// The deliveries in a log, for a look while another process works on it. Blocks.
pub fn history(path: &Path) -> Result<Vec<Sending>, store::Error> {
    let mut deliveries = Deliveries::new();
    log::read(path, |line| read(&line, &mut deliveries))?;
    Ok(deliveries.into_values().collect())
}

fn read(line: &Line<'_>, deliveries: &mut Deliveries) -> Result<(), serde_json::Error> {
    let event: Event = line.parse()?;
    match event.begin() {
        // The first line counts.
        Some(begun) => {
            deliveries.entry(begun.id.clone()).or_insert(begun);
        }
        None => {
            if let Some(delivery) = deliveries.get_mut(event.id()) {
                delivery.apply(&event);
            }
        }
    }
    Ok(())
}

/// Drops the lines of deliveries that are known no more. Lines that were not understood stay.
fn compact(path: &Path, claim: &Claim, deliveries: &Deliveries) -> Result<(), store::Error> {
    if claim.size()? <= COMPACT_FROM {
        return Ok(());
    }
    let keep = |line: Line<'_>| {
        line.parse::<Event>().map_or(true, |event: Event| deliveries.contains_key(event.id()))
    };
    if let Err(error) = claim.retain(keep) {
        // The old file is untouched, and reading it again next time only costs time.
        tracing::warn!(path = %path.display(), error = &error as &dyn std::error::Error, "the log of deliveries could not be made smaller");
    }
    Ok(())
}

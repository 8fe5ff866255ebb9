//! The log of deliveries: read when a project is opened, written before anything is done.

use std::{
    collections::{BTreeMap, HashMap},
    path::{Path, PathBuf},
};

use parking_lot::Mutex;
use tokio::sync::OnceCell;

use super::record::{DeliveryId, Event, Sending};
use crate::{
    base::blocking,
    store::{
        self,
        log::{self, Claim, Line, Mark, Records, Span, Subject, Subjects},
    },
    tasks::TaskId,
};

/// Smaller logs are never rewritten.
const REWRITE_FROM: u64 = 1 << 20;

/// All deliveries that are known.
pub(super) type Deliveries = BTreeMap<DeliveryId, Sending>;

/// The log of deliveries, or none. A project that delivers nothing has no file for it.
#[derive(Debug)]
pub(super) struct Journal {
    path: Option<PathBuf>,
    /// What is owed is known without it, so that of several processes on one folder only one has to write it.
    spare: bool,
    /// `None` inside when another process writes it.
    records: OnceCell<Option<Records>>,
    /// Which lines are whose.
    numbers: Mutex<Numbers>,
}

/// The lines of a task have a number in common, so that they are left out together when the task is forgotten.
#[derive(Debug, Default)]
struct Numbers {
    known: HashMap<TaskId, Subject>,
    last: Subject,
}

impl Numbers {
    fn of(&mut self, task: &TaskId) -> Subject {
        let Self { known, last } = self;
        *known.entry(task.clone()).or_insert_with(|| {
            *last += 1;
            *last
        })
    }
}

impl Journal {
    /// Reads what an earlier process recorded, and leaves out what belongs to tasks that are `known` no more. A `spare` one
    /// is left to a process that writes it already. Blocks.
    pub(super) fn open(
        path: Option<PathBuf>,
        spare: bool,
        known: impl Fn(&TaskId) -> bool,
    ) -> Result<(Self, Deliveries), store::Error> {
        let exists = |path: &PathBuf| path.try_exists().unwrap_or(true);
        let Some(there) = path.as_ref().filter(|path| exists(path)) else {
            let (records, numbers) = (OnceCell::new(), Mutex::default());
            return Ok((Self { path, spare, records, numbers }, Deliveries::new()));
        };
        let Some(claim) = claim(there, spare)? else {
            let (records, numbers) = (OnceCell::new_with(Some(None)), Mutex::default());
            return Ok((Self { path, spare, records, numbers }, Deliveries::new()));
        };
        let (mut deliveries, mut numbers, mut subjects) =
            (Deliveries::new(), Numbers::default(), Subjects::default());
        let (_, end) = log::read_on(there, claim.file()?, Mark::default(), |line| {
            let span = Span { at: line.at, length: line.bytes.len() as u64 + 1 };
            let id = read(&line, &mut deliveries).inspect_err(|_| span.push(&mut subjects.strange))?;
            span.push(subjects.open.entry(numbers.of(&id.task)).or_default());
            Ok::<_, serde_json::Error>(())
        })?;
        deliveries.retain(|id, _| known(&id.task));
        numbers.known.retain(|task, number| {
            let keeps = known(task);
            if !keeps {
                subjects.open.remove(number);
            }
            keeps
        });
        let records = claim.start_records(subjects, end)?;
        rewrite(&records);
        let (records, numbers) = (OnceCell::new_with(Some(Some(records))), Mutex::new(numbers));
        Ok((Self { path, spare, records, numbers }, deliveries))
    }

    /// Keeps a line; it is on the disk once this returns. Lines that come together share one wait for the disk.
    pub(super) async fn append(&self, event: &Event) -> Result<(), store::Error> {
        let Some(path) = &self.path else { return Ok(()) };
        let line = serde_json::to_vec(event)
            .map_err(|source| store::Error::Encode { path: path.clone(), source })?;
        let begin = || async {
            let (path, spare, ending) =
                (path.clone(), self.spare, store::Error::Closed { path: path.clone() });
            blocking(move || {
                let Some(claim) = claim(&path, spare)? else { return Ok(None) };
                let end = Mark { at: claim.size()?, lines: 0 };
                claim.start_records(Subjects::default(), end).map(Some)
            })
            .await
            .ok_or(ending)?
        };
        let Some(records) = self.records.get_or_try_init(begin).await? else { return Ok(()) };
        let number = self.numbers.lock().of(&event.id().task);
        records.append(Some(number), line).await
    }

    /// The lines of these tasks are needed no more.
    pub(super) async fn forget(&self, tasks: impl IntoIterator<Item = TaskId>) {
        let Some(records) = self.records.get().cloned().flatten() else { return };
        for task in tasks {
            let number = self.numbers.lock().known.remove(&task);
            if let Some(number) = number {
                records.release(number);
            }
        }
        // Nothing is lost when the program ends before.
        let _ = blocking(move || rewrite(&records)).await;
    }
}

/// Takes a log; `None` for a `spare` one that another process writes.
fn claim(path: &Path, spare: bool) -> Result<Option<Claim>, store::Error> {
    match Claim::take(path) {
        Err(store::Error::Owned { .. }) if spare => Ok(None),
        taken => taken.map(Some),
    }
}

/// The deliveries in a log, for a look while another process works on it. Blocks.
pub fn history(path: &Path) -> Result<Vec<Sending>, store::Error> {
    let mut deliveries = Deliveries::new();
    log::read(path, |line| read(&line, &mut deliveries).map(drop))?;
    Ok(deliveries.into_values().collect())
}

/// Applies a line; the answer is what it is about.
fn read(line: &Line<'_>, deliveries: &mut Deliveries) -> Result<DeliveryId, serde_json::Error> {
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
    Ok(event.id().clone())
}

/// Writes the log anew when more than half of it is needed no more. Blocks.
fn rewrite(records: &Records) {
    let (size, needless) = records.sizes();
    if size <= REWRITE_FROM || needless <= size / 2 {
        return;
    }
    if let Err(error) = records.rewrite() {
        // The old file is untouched, and goes on.
        tracing::warn!(path = %records.path().display(), error = &error as &dyn std::error::Error, "the log of deliveries could not be made smaller");
    }
}

//! Taking over a journal: what an earlier process left, and what becomes of it.

use std::{cmp::Reverse, collections::HashSet, path::Path};

use jiff::Timestamp;

use super::{
    Code, Error, Failure, Kind, Status, Task, TaskId,
    journal::Ending,
    legacy::Settled,
    replay::{Known, Replay},
    table::Retain,
};
use crate::{
    base::clock,
    store::{
        self, Log,
        log::{self, Claim},
    },
};

/// Smaller journals are never rewritten.
const COMPACT_FROM: u64 = 4 << 20;

/// A task whose work began this often without finishing a step is given up: it may be what ends the process.
const MAX_FRUITLESS: u32 = 20;

/// A journal taken over.
#[derive(Debug)]
pub(super) struct Recovered {
    pub(super) log: Log,
    /// All tasks; finished ones first, in the order they ended.
    pub(super) tasks: Vec<Task>,
    /// Those to be done, in order.
    pub(super) queued: Vec<TaskId>,
    /// Those that end here; not recorded yet.
    pub(super) ended: Vec<(TaskId, Ending)>,
}

/// Owns and reads the journal at `path`; rewrites it when that pays. Blocks.
pub(super) fn open(path: &Path, retain: Retain, kinds: &HashSet<Kind>) -> Result<Recovered, store::Error> {
    open_compacting(path, retain, kinds, COMPACT_FROM)
}

/// As [`open`]; journals of more than `compact_from` bytes are rewritten when more than half of them is dead.
pub(super) fn open_compacting(
    path: &Path,
    retain: Retain,
    kinds: &HashSet<Kind>,
    compact_from: u64,
) -> Result<Recovered, store::Error> {
    let claim = Claim::take(path)?;
    let mut replay = Replay::new();
    claim.read(|line| replay.read(line))?;
    let now = clock::now();
    replay.forget(retain, now);
    compact(path, &claim, &replay, compact_from)?;

    let (mut tasks, mut queued, mut ended) = (Vec::new(), Vec::new(), Vec::new());
    for known in replay.into_tasks() {
        let (mut task, fate) = decide(known, kinds, now);
        let id = task.task_id.clone();
        match fate {
            Fate::Stay => {}
            Fate::Park => task.status = Status::Pending,
            Fate::Queue => {
                task.status = Status::Pending;
                queued.push(id);
            }
            Fate::End(ending) => ended.push((id, ending)),
        }
        tasks.push(task);
    }
    if !queued.is_empty() || !ended.is_empty() {
        tracing::info!(
            queued = queued.len(),
            ended = ended.len(),
            "took over the tasks an earlier process left unfinished"
        );
    }
    Ok(Recovered { log: claim.start()?, tasks, queued, ended })
}

/// Drops the lines of forgotten tasks, and those of the Python version that later ones repeat. Lines that were not
/// understood stay, as do all lines of live tasks and of the finished ones that are remembered.
fn compact(path: &Path, claim: &Claim, replay: &Replay, from: u64) -> Result<(), store::Error> {
    let (size, dead) = (claim.size()?, replay.dead_bytes());
    if size <= from || dead <= size / 2 {
        return Ok(());
    }
    let mut lines = 0..;
    match claim.retain(|_| lines.next().is_none_or(|index| replay.keeps(index))) {
        Ok(()) => {
            tracing::info!(path = %path.display(), bytes = dead, "removed forgotten tasks from the journal");
        }
        // The old file is untouched, and reading it again next time only costs time.
        Err(error) => {
            tracing::warn!(path = %path.display(), error = &error as &dyn std::error::Error, "the journal could not be made smaller");
        }
    }
    Ok(())
}

enum Fate {
    /// It ended long ago, or waits for a decision.
    Stay,
    /// Done, or done further, by this process.
    Queue,
    /// Nobody here can do it, but a later version might: it waits.
    Park,
    End(Ending),
}

fn decide(known: Known, kinds: &HashSet<Kind>, now: Timestamp) -> (Task, Fate) {
    let Known { task, old, fruitless, .. } = known;
    if task.status.is_final() {
        return (task, Fate::Stay);
    }
    if let Some(old) = old {
        let fate = match old.settle(&task, kinds, now) {
            Settled::Queue => Fate::Queue,
            Settled::End(ending) => Fate::End(ending),
        };
        return (task, fate);
    }
    if task.status == Status::AwaitingApproval {
        return (task, Fate::Stay);
    }
    if fruitless >= MAX_FRUITLESS {
        let message = format!("interrupted {fruitless} times without finishing a step; it was given up");
        return (task, Fate::End(Ending::of(Err(Failure::coded(Code::INTERRUPTED, message)))));
    }
    if !kinds.contains(&task.kind) {
        tracing::warn!(
            task.id = task.task_id.as_str(),
            kind = task.kind.as_str(),
            "nothing here does tasks of this kind; it waits for a version that does"
        );
        return (task, Fate::Park);
    }
    (task, Fate::Queue)
}

/// The tasks in a journal as its lines tell them, the newest first; for a look while another process works on it.
/// Blocks.
pub fn history(journal: &Path) -> Result<Vec<Task>, Error> {
    let mut replay = Replay::new();
    log::read(journal, |line| replay.read(line))?;
    let mut tasks: Vec<_> = replay.into_tasks().into_iter().map(|known| known.task).collect();
    tasks.sort_by_key(|task| Reverse(task.created_at));
    Ok(tasks)
}

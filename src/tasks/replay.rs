//! From lines to tasks: what a journal adds up to, and which of its lines are still needed.

use std::collections::{HashMap, VecDeque};

use jiff::Timestamp;
use serde::{Deserialize, de::IgnoredAny};

use super::{
    Task, TaskId,
    journal::Event,
    legacy::{Old, Record},
    table::Retain,
};
use crate::store::log::Line;

/// The state of all tasks after the lines read so far.
#[derive(Debug)]
pub(super) struct Replay {
    known: HashMap<TaskId, Known>,
    /// Finished tasks in the order they ended.
    finished: VecDeque<TaskId>,
    lines: Vec<LineNote>,
    /// For every task there ever was: whether it is still remembered.
    slots: Vec<bool>,
}

/// A task as read.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) task: Task,
    /// Present while all that is known comes from the Python version.
    pub(super) old: Option<Old>,
    /// How often work on it began since a step last finished.
    pub(super) fruitless: u32,
    slot: usize,
    /// The line that holds all of it, when only the last such line counts.
    snapshot: Option<usize>,
}

#[derive(Debug)]
struct LineNote {
    need: Need,
    bytes: u64,
}

#[derive(Debug, Clone, Copy)]
enum Need {
    /// Not understood, or about a task nobody knows: not ours to throw away.
    Always,
    /// For as long as the task of this slot is remembered.
    Of(usize),
    /// A later line says it all again.
    Never,
}

impl Replay {
    pub(super) fn new() -> Self {
        Self { known: HashMap::new(), finished: VecDeque::new(), lines: Vec::new(), slots: Vec::new() }
    }

    /// Applies the next line.
    ///
    /// # Errors
    /// When it is not a line of a journal; it is then always needed.
    pub(super) fn read(&mut self, line: Line<'_>) -> Result<(), serde_json::Error> {
        self.lines.push(LineNote { need: Need::Always, bytes: line.bytes.len() as u64 + 1 });
        let error = match line.parse::<Event<'_>>() {
            Ok(event) => {
                self.apply(event);
                return Ok(());
            }
            Err(error) => error,
        };
        if line.parse::<Tagged>().is_ok_and(|line| line.event.is_none()) {
            let (task, old) = line.parse::<Record>()?.into_task();
            self.put(task, Some(old));
            return Ok(());
        }
        Err(error)
    }

    fn apply(&mut self, event: Event<'_>) {
        let id = event.task_id().clone();
        if let Event::Created { task } = event {
            return self.put(task.into_owned(), None);
        }
        let Some(known) = self.known.get_mut(&id) else {
            tracing::debug!(task.id = id.as_str(), "a line about a task that is not known");
            return;
        };
        let was_final = known.task.status.is_final();
        match event {
            Event::Started { attempt, at, .. } if !was_final => {
                known.task.start(attempt, at);
                known.fruitless += 1;
                known.old = None;
            }
            Event::Step { record, .. } if !was_final => {
                known.task.step(record.into_owned());
                known.fruitless = 0;
            }
            // The money is gone, however the task ended.
            Event::Spent { spent, .. } => known.task.spend(spent.into_owned()),
            Event::Waiting { waiting, .. } if !was_final => {
                known.task.ask(waiting.into_owned());
                known.fruitless = 0;
            }
            Event::Parked { steps, .. } if !was_final => {
                known.task.park(&steps);
            }
            Event::Finished { ending, .. } => {
                known.task.end(ending.into_owned());
                known.old = None;
            }
            Event::Resumed { again, .. } => {
                known.task.resume(again.into_owned());
                known.fruitless = 0;
                self.finished.retain(|ended| *ended != id);
            }
            // A step or a start that lost a race against the end.
            _ => {}
        }
        let ended = !was_final && known.task.status.is_final();
        let slot = known.slot;
        self.note(Need::Of(slot));
        if ended {
            self.finished.push_back(id);
        }
    }

    /// A line that holds a whole task.
    fn put(&mut self, task: Task, old: Option<Old>) {
        let line = self.lines.len() - 1;
        let id = task.task_id.clone();
        let before = self.known.remove(&id);
        let slot = before.as_ref().map_or_else(
            || {
                self.slots.push(true);
                self.slots.len() - 1
            },
            |before| before.slot,
        );
        if let Some(superseded) = before.as_ref().and_then(|before| before.snapshot)
            && let Some(note) = self.lines.get_mut(superseded)
        {
            note.need = Need::Never;
        }
        let ended = task.status.is_final() && before.is_none_or(|before| !before.task.status.is_final());
        let snapshot = old.is_some().then_some(line);
        let old = old.filter(|_| !task.status.is_final());
        self.known.insert(id.clone(), Known { task, old, fruitless: 0, slot, snapshot });
        self.note(Need::Of(slot));
        if ended {
            self.finished.push_back(id);
        }
    }

    fn note(&mut self, need: Need) {
        if let Some(note) = self.lines.last_mut() {
            note.need = need;
        }
    }

    /// Forgets finished tasks, those that ended first before others. Only once all is read: one that ended may have gone on
    /// later.
    pub(super) fn forget(&mut self, retain: Retain, now: Timestamp) {
        while let Some(oldest) = self.finished.front() {
            let count = self.finished.len();
            let keeps = |known: &Known| !retain.is_over(count, &known.task, now);
            if self.known.get(oldest).is_some_and(keeps) {
                return;
            }
            let known = self.finished.pop_front().and_then(|oldest| self.known.remove(&oldest));
            if let Some(known) = known
                && let Some(remembered) = self.slots.get_mut(known.slot)
            {
                *remembered = false;
            }
        }
    }

    /// Bytes of lines that are not needed.
    pub(super) fn dead_bytes(&self) -> u64 {
        self.lines.iter().filter(|note| !self.needs(note.need)).map(|note| note.bytes).sum()
    }

    /// Whether the line read as number `index` (from 0) is needed.
    pub(super) fn keeps(&self, index: usize) -> bool {
        self.lines.get(index).is_none_or(|note| self.needs(note.need))
    }

    fn needs(&self, need: Need) -> bool {
        match need {
            Need::Always => true,
            Need::Of(slot) => self.slots.get(slot).is_none_or(|remembered| *remembered),
            Need::Never => false,
        }
    }

    /// The tasks: the finished ones in the order they ended, then the live ones in the order they were accepted.
    pub(super) fn into_tasks(mut self) -> Vec<Known> {
        let mut tasks: Vec<_> = self.finished.iter().filter_map(|id| self.known.remove(id)).collect();
        let mut live: Vec<_> = self.known.into_values().collect();
        live.sort_by_key(|known| known.slot);
        tasks.extend(live);
        tasks
    }
}

/// Tells events from records of the Python version, which have no such field.
#[derive(Deserialize)]
struct Tagged {
    event: Option<IgnoredAny>,
}

//! Tasks that are forgotten, and of which it still has to be known what was sent.
//!
//! A journal keeps the lines of a forgotten task until it is next made smaller. A process that reads them before then knows
//! the task again, and would send its result again if nobody knew that it had arrived.

use std::collections::VecDeque;

use parking_lot::Mutex;

use crate::tasks::{Engine, TaskId};

/// Forgotten tasks in the order they were forgotten, each with how many removals had begun by then.
#[derive(Debug, Default)]
pub(super) struct Parting(Mutex<VecDeque<(u64, TaskId)>>);

impl Parting {
    /// Takes in what was `forgotten` now, and lets go what is in no file any more.
    pub(super) fn of(&self, forgotten: impl IntoIterator<Item = TaskId>, tasks: &Engine) -> Vec<TaskId> {
        let begun = tasks.removals_begun();
        let mut parting = self.0.lock();
        parting.extend(forgotten.into_iter().map(|task| (begun, task)));
        let gone = parting.iter().take_while(|(begun, _)| tasks.has_removed(*begun)).count();
        parting.drain(..gone).map(|(_, task)| task).collect()
    }
}

//! Which tasks are looked for.

use super::{Kind, Status, Summary};

/// Which tasks to list; the default is all of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only those of this status.
    pub status: Option<Status>,
    /// Only those of this kind.
    pub kind: Option<Kind>,
    /// Only those that work on the thing of this name.
    pub target: Option<String>,
    /// Only those that had been tried as often as they may.
    pub dead: bool,
    /// At most this many, the newest.
    pub limit: Option<usize>,
}

impl Filter {
    /// Whether a task is one of them.
    pub fn fits(&self, task: &Summary) -> bool {
        self.status.is_none_or(|status| status == task.status)
            && self.kind.as_ref().is_none_or(|kind| *kind == task.kind)
            && self.target.as_ref().is_none_or(|target| *target == task.target_name)
            && (!self.dead || task.dead)
    }
}

//! How long finished tasks are remembered.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::Task;

/// Which finished tasks are remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Retain {
    /// At most this many, the newest.
    pub(super) count: usize,
    /// None that ended longer ago than this.
    pub(super) age: Option<Duration>,
}

impl Retain {
    /// Whether the oldest of `count` finished tasks is to be forgotten.
    pub(super) fn is_over(self, count: usize, oldest: &Task, now: Timestamp) -> bool {
        let age = oldest.completed_at.map(|at| now.duration_since(at));
        let is_old = |age: SignedDuration| {
            self.age.is_some_and(|most| age > SignedDuration::try_from(most).unwrap_or(SignedDuration::MAX))
        };
        count > self.count || age.is_some_and(is_old)
    }
}

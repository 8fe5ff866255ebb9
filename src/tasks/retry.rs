//! Trying again what failed with something that may pass: not at once, and not for ever.

use std::{sync::Arc, time::Duration};

use super::{Failure, Retry, TaskId, engine::Shared, journal::Retrying, lanes};
use crate::base::clock;

/// How often it is looked whether the time of a task has come, at least: clocks are set.
const LOOK: Duration = Duration::from_mins(1);

impl Retry {
    /// How long a task waits that is tried again for the `retry`th time; `chance` is from 0 to 1.
    fn pause(self, retry: u32, chance: f64) -> Duration {
        let doubled = 1_u32.checked_shl(retry.saturating_sub(1)).unwrap_or(u32::MAX);
        let whole = self.backoff.saturating_mul(doubled).min(self.most);
        whole.mul_f64(0.5 + chance / 2.0)
    }
}

impl Shared {
    /// When a task that failed is tried again; `None` when it has been tried as often as it may, or is not in time.
    pub(super) fn try_again(&self, id: &TaskId, failure: &Failure) -> Option<Retrying> {
        let task = self.table.lock().live(id)?;
        let (retry, now) = (task.retries + 1, clock::now());
        if retry >= self.retry.attempts {
            return None;
        }
        let chance = getrandom::u32().map_or(0.5, |random| f64::from(random) / f64::from(u32::MAX));
        let due = now.checked_add(self.retry.pause(retry, chance)).ok()?;
        if task.deadline.is_some_and(|deadline| due >= deadline) {
            return None;
        }
        let (error, code) = (failure.message.clone(), failure.code.clone());
        Some(Retrying { retry, due, error, code, at: now })
    }

    /// Lets tasks wait for a worker once their time has come, until the program is told to stop.
    pub(super) fn keep_time(self: &Arc<Self>) {
        let weak = Arc::downgrade(self);
        let stopping = self.tracker.stopping().clone();
        self.tracker.spawn(async move {
            loop {
                // Not held while it sleeps: an engine that nobody has any more lets its journal go.
                let Some(shared) = weak.upgrade() else { return };
                let (next, waits) = {
                    let mut table = shared.table.lock();
                    (table.wake(clock::now()), table.look_at_lanes())
                };
                shared.stir_all();
                let later = Arc::clone(&shared.later);
                drop(shared);
                let most = if waits { lanes::LOOK } else { LOOK };
                let until = next.map_or(most, |due| {
                    Duration::try_from(due.duration_since(clock::now())).unwrap_or_default().min(most)
                });
                tokio::select! {
                    () = stopping.cancelled() => return,
                    () = later.notified(), if !waits => {}
                    () = tokio::time::sleep(until) => {}
                }
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_limit_and_are_shaken() {
        let retry = Retry { attempts: 9, backoff: Duration::from_secs(10), most: Duration::from_mins(1) };
        let pause = |count, chance| retry.pause(count, chance).as_secs();
        assert_eq!([pause(1, 1.0), pause(2, 1.0), pause(3, 1.0), pause(4, 1.0)], [10, 20, 40, 60]);
        assert_eq!([pause(1, 0.0), pause(2, 0.5), pause(99, 0.0)], [5, 15, 30]);
    }
}

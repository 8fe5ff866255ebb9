//! Trying again what failed with something that may pass: not at once, and not for ever.

use std::{sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Failure, Retry, Task, TaskId, engine::Shared, journal::Retrying, lanes};
use crate::base::{clock, retry::chance};

/// How often it is looked whether the time of a task has come, at least: clocks are set.
const LOOK: Duration = Duration::from_mins(1);

/// How often work is tried in all, where somebody asks that it be and does not say how often.
const ATTEMPTS: u32 = 5;

/// How often one task is tried, and how long it waits in between; what it does not say is as for all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnRetry {
    /// As [`Retry::attempts`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempts: Option<u32>,
    /// As [`Retry::backoff`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backoff_seconds: Option<u32>,
    /// As [`Retry::most`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_backoff_seconds: Option<u32>,
}

impl OwnRetry {
    /// The option of a task that holds it.
    const OPTION: &str = "retry";

    /// Puts it among the options of a task.
    pub fn put(self, options: &mut Map<String, Value>) {
        options.insert(Self::OPTION.to_owned(), serde_json::json!(self));
    }

    fn among(options: &Map<String, Value>) -> Option<Self> {
        serde_json::from_value(options.get(Self::OPTION)?.clone()).ok()
    }
}

impl Retry {
    /// The same with what is said in its place.
    #[must_use]
    pub fn with(self, own: OwnRetry) -> Self {
        let seconds = |own: Option<u32>, other| own.map_or(other, |own| Duration::from_secs(own.into()));
        let usual = if self.attempts > 1 { self.attempts } else { ATTEMPTS };
        Self {
            attempts: own.attempts.unwrap_or(usual),
            backoff: seconds(own.backoff_seconds, self.backoff),
            most: seconds(own.max_backoff_seconds, self.most),
        }
    }

    /// How often `task` is tried: as it says itself, else as all are.
    pub(super) fn of(self, task: &Task) -> Self {
        OwnRetry::among(&task.options).map_or(self, |own| self.with(own))
    }

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
        let how = self.retry.of(&task);
        if retry >= how.attempts {
            return None;
        }
        let due = now.checked_add(how.pause(retry, chance())).ok()?;
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
    fn what_is_nearest_counts() {
        let all = Retry { attempts: 3, ..Retry::default() };
        let own = OwnRetry { backoff_seconds: Some(1), ..OwnRetry::default() };
        assert_eq!(all.with(own), Retry { backoff: Duration::from_secs(1), ..all });
        assert_eq!(Retry::default().with(own).attempts, ATTEMPTS);
        assert_eq!(all.with(OwnRetry { attempts: Some(1), ..own }).attempts, 1);
        assert_eq!(all.with(OwnRetry { attempts: Some(9), ..own }).attempts, 9);
        let mut options = Map::new();
        own.put(&mut options);
        assert_eq!(OwnRetry::among(&options), Some(own));
    }

    #[test]
    fn waits_double_up_to_a_limit_and_are_shaken() {
        let retry = Retry { attempts: 9, backoff: Duration::from_secs(10), most: Duration::from_mins(1) };
        let pause = |count, chance| retry.pause(count, chance).as_secs();
        assert_eq!([pause(1, 1.0), pause(2, 1.0), pause(3, 1.0), pause(4, 1.0)], [10, 20, 40, 60]);
        assert_eq!([pause(1, 0.0), pause(2, 0.5), pause(99, 0.0)], [5, 15, 30]);
    }
}

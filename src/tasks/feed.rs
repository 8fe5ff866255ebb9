//! Tells one reader which tasks have changed, however fast they change.

use indexmap::IndexSet;
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::TaskId;

/// The tasks that have changed since somebody last asked. It holds each task once, and none that was forgotten: it never
/// grows beyond the tasks that are known.
#[derive(Debug, Default)]
pub(super) struct Feed {
    changed: Mutex<IndexSet<TaskId>>,
    news: Notify,
}

impl Feed {
    /// The task has changed.
    pub(super) fn note(&self, id: &TaskId) {
        self.changed.lock().insert(id.clone());
        self.news.notify_one();
    }

    /// The task is known no more.
    pub(super) fn forget(&self, id: &TaskId) {
        self.changed.lock().swap_remove(id);
    }

    /// Waits until tasks have changed, and takes them. May be dropped while it waits.
    pub(super) async fn take(&self) -> Vec<TaskId> {
        loop {
            let changed = std::mem::take(&mut *self.changed.lock());
            if !changed.is_empty() {
                return changed.into_iter().collect();
            }
            self.news.notified().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn each_task_is_told_once_until_it_changes_again() {
        let (feed, ids) = (Feed::default(), [TaskId::generate(), TaskId::generate(), TaskId::generate()]);
        for id in [&ids[0], &ids[1], &ids[0], &ids[2]] {
            feed.note(id);
        }
        feed.forget(&ids[2]);
        assert_eq!(feed.take().await, ids[..2]);
        assert!(feed.take().now_or_never().is_none());
        feed.note(&ids[1]);
        assert_eq!(feed.take().await, ids[1..2]);
    }
}

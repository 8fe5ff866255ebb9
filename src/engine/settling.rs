//! What changes of memories leave to be done in their search index, done while nobody waits for it.

use std::{sync::Arc, time::Duration};

use tokio::time::sleep;

use super::{Crew, memory::Memory};
use crate::base::Tracker;

/// For how long nobody adds a memory before what is in the index is synced to the disk: whoever syncs a line of its own at
/// the same time waits for both.
const QUIET: Duration = Duration::from_millis(100);
/// How often that is waited for.
const MOST_WAITED: u32 = 20;

impl Crew {
    /// Keeps the search index of memories small and quick from now on, in the background, until `tracker` stops.
    pub fn keep_settled(&self, tracker: &Tracker) {
        let (memory, unsettled) = (Arc::clone(self.memory()), Arc::clone(&self.unsettled));
        let stopping = tracker.stopping().clone();
        let keep = async move {
            loop {
                unsettled.notified().await;
                if !memory.is_unsettled() {
                    continue;
                }
                for _ in 0..MOST_WAITED {
                    behind(&memory, Memory::pack).await;
                    let before = memory.changes();
                    sleep(QUIET).await;
                    if memory.changes() == before {
                        break;
                    }
                }
                behind(&memory, Memory::settle).await;
            }
        };
        tracker.spawn(async move {
            // What is under way ends by itself, and is as good when it does not.
            let _ = stopping.run_until_cancelled(keep).await;
        });
    }
}

/// Does `work` where it may wait for the disk.
async fn behind(memory: &Arc<Memory>, work: fn(&Memory)) {
    let memory = Arc::clone(memory);
    // It panics in vain: the index is as good as before, and whoever searches says what is wrong with it.
    let _ = tokio::task::spawn_blocking(move || work(&memory)).await;
}

//! Sees to records while a server runs: what is kept beside them is brought up to date, what is kept no longer goes, and
//! what nobody asks for is not held.

use std::{sync::Arc, time::Duration};

use crate::{
    base::{
        Tracker,
        clock::{self, Stopwatch},
    },
    engine::{
        Crew, past,
        records::{Pruned, Retention},
    },
    tasks::Engine,
};

/// How often records are seen to.
const EVERY: Duration = Duration::from_hours(1);
/// How often it is looked whether anybody still asks for them.
const LOOK: Duration = Duration::from_mins(1);
/// For how long they are held that nobody asks for.
const IDLE: Duration = Duration::from_mins(5);
/// How many records are removed at a time, so that nobody waits long for the disk.
const AT_A_TIME: usize = 200;

/// Begins to see to the records of `crew`, now and every hour.
pub(super) fn start(retention: Retention, crew: Arc<Crew>, tasks: Engine, tracker: &Tracker) {
    let stopping = tracker.stopping().clone();
    tracker.spawn(async move {
        loop {
            if retention.has_bounds() {
                stopping.run_until_cancelled(prune(&retention, &crew, &tasks)).await;
            }
            let records = Arc::clone(crew.records());
            // It fails only when the program ends.
            let _ = tokio::task::spawn_blocking(move || records.sessions.tend()).await;
            let since = Stopwatch::start();
            while since.elapsed() < EVERY {
                if stopping.run_until_cancelled(tokio::time::sleep(LOOK)).await.is_none() {
                    return;
                }
                let records = Arc::clone(crew.records());
                let _ = tokio::task::spawn_blocking(move || records.rest(IDLE)).await;
            }
        }
    });
}

async fn prune(retention: &Retention, crew: &Crew, tasks: &Engine) {
    loop {
        let needed = past::needed(tasks).await;
        let (records, retention) = (Arc::clone(crew.records()), *retention);
        let pruning = tokio::task::spawn_blocking(move || {
            records.prune(&retention, &needed, clock::now(), AT_A_TIME, false)
        });
        match pruning.await {
            Ok(Ok(pruned)) => {
                let Pruned { sessions, logs, meetings, is_cut } = &pruned;
                let [sessions, logs, meetings] = [sessions, logs, meetings].map(Vec::len);
                if sessions + logs + meetings > 0 {
                    tracing::info!(sessions, logs, meetings, "removed records that are kept no longer");
                }
                if !is_cut {
                    return;
                }
            }
            Ok(Err(error)) => {
                tracing::warn!(%error, "records could not be removed");
                return;
            }
            Err(_) => return,
        }
    }
}

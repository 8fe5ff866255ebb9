//! A server that does badly says so itself, to whom its project names.

use std::{sync::Arc, time::Duration};

use crate::{
    base::{Tracker, clock},
    engine::{Alert, Crew, Reading, Rules, Scheduler, Watch},
    tasks::Engine,
};

/// How often it is looked.
const PAUSE: Duration = Duration::from_secs(5);

/// Looks again and again until the program has to end.
pub(super) fn start(
    rules: Rules,
    crew: Arc<Crew>,
    tasks: Engine,
    scheduler: Option<Arc<Scheduler>>,
    tracker: &Tracker,
) {
    let stopping = tracker.stopping().clone();
    tracker.spawn(async move {
        let mut watch = Watch::new(rules);
        let mut untold = Vec::new();
        let mut ticks = tokio::time::interval(PAUSE);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stopping.cancelled() => return,
                _ = ticks.tick() => {}
            }
            let meter = crew.llm().meter();
            let calls = meter.calls();
            let reading = Reading {
                at: clock::now(),
                calls: calls.total,
                failed: calls.failed,
                queue_age: tasks.queue_age().unwrap_or_default(),
                cron_lag: scheduler.as_ref().map(|scheduler| scheduler.lateness().0).unwrap_or_default(),
            };
            let alerts = watch.look(reading, |count| meter.p95_of_newest(count));
            let before = std::mem::take(&mut untold);
            for alert in alerts {
                // One that is only tried again is in the logs already.
                let is_new = !before.iter().any(|known| alert.is_again(known));
                if !tell(&watch, &alert, is_new, &crew, &tasks).await {
                    watch.untold(&alert);
                    untold.push(alert);
                }
            }
        }
    });
}

/// Whether an alert could be told. A new one is in the logs all the same.
async fn tell(watch: &Watch, alert: &Alert, is_new: bool, crew: &Crew, tasks: &Engine) -> bool {
    if is_new {
        tracing::warn!(alert = %alert, "a rule on this server");
    }
    let task = match watch.task(alert, &*crew.definitions().await) {
        Ok(task) => task,
        Err(error) => {
            if is_new {
                tracing::error!(%error, "an alert has nowhere to go");
            }
            return false;
        }
    };
    let accepted = tasks.submit_ahead(task).await;
    if let Err(error) = &accepted
        && is_new
    {
        tracing::error!(error = error as &dyn std::error::Error, "an alert could not be told");
    }
    accepted.is_ok()
}

//! What is measured, as Prometheus reads it.

use std::{fmt, sync::Arc, time::Duration};

use jiff::Timestamp;
use metrics::gauge;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use metrics_process::Collector;

use crate::{
    base::{
        Tracker, clock,
        metric::{self, Shape},
    },
    defs::Destination,
    engine::{
        Scheduler,
        delivery::{Attempts, Outbox},
    },
    tasks::Engine,
};

/// Upper bounds in seconds: answers of the server itself are in the first ones, those of models in the last.
const BUCKETS: [f64; 16] =
    [0.001, 0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 900.0];

/// How often samples are put into their buckets when nobody asks for them.
const UPKEEP: Duration = Duration::from_secs(10);

/// Measures of this process. What only the moment tells is looked up when somebody asks.
#[derive(Clone)]
pub(super) struct Measures {
    handle: PrometheusHandle,
    process: Collector,
    /// When the program began, as near as matters.
    begun: Timestamp,
    tasks: Engine,
    scheduler: Option<Arc<Scheduler>>,
    outbox: Option<Outbox>,
}

impl Measures {
    /// Begins to measure.
    ///
    /// # Errors
    /// When something else in this process measures already.
    pub(super) fn start(
        tasks: Engine,
        scheduler: Option<Arc<Scheduler>>,
        outbox: Option<Outbox>,
        tracker: &Tracker,
    ) -> anyhow::Result<Self> {
        let builder = PrometheusBuilder::new();
        let builder = builder.set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &BUCKETS)?;
        let handle = builder.install_recorder()?;
        for metric in metric::ALL {
            match metric.shape {
                Shape::Counter => metrics::describe_counter!(metric.name, metric.help),
                Shape::Gauge => metrics::describe_gauge!(metric.name, metric.help),
                Shape::Histogram => metrics::describe_histogram!(metric.name, metric.help),
            }
        }
        // A counter that begins with what it counts first shows no increase then.
        for way in Destination::KINDS {
            for outcome in Attempts::OUTCOMES {
                metrics::counter!(metric::DELIVERIES, "type" => way, "outcome" => outcome).increment(0);
            }
        }
        let process = Collector::default();
        process.describe();
        gauge!(metric::BUILD, "version" => env!("CARGO_PKG_VERSION")).set(1.0);
        let (upkeep, stopping) = (handle.clone(), tracker.stopping().clone());
        tracker.spawn(async move {
            let mut ticks = tokio::time::interval(UPKEEP);
            loop {
                tokio::select! {
                    () = stopping.cancelled() => return,
                    _ = ticks.tick() => upkeep.run_upkeep(),
                }
            }
        });
        let begun = clock::now();
        Ok(Self { handle, process, begun, tasks, scheduler, outbox })
    }

    /// All of them in the text form of Prometheus.
    pub(super) fn render(&self) -> String {
        self.process.collect();
        // The collector needs more of /proc for this than a unit that is kept in shows.
        gauge!("process_start_time_seconds").set(self.begun.as_duration().as_secs_f64());
        let counts = self.tasks.counts();
        for (status, count) in [
            ("pending", counts.pending),
            ("running", counts.running),
            ("awaiting_approval", counts.awaiting_approval),
            ("completed", counts.completed),
            ("failed", counts.failed),
            ("cancelled", counts.cancelled),
        ] {
            gauge!(metric::TASKS, "status" => status).set(number(count));
        }
        let age = self.tasks.queue_age().unwrap_or_default();
        gauge!(metric::QUEUE_AGE).set(age.as_secs_f64());
        if let Some(replicas) = self.tasks.replicas() {
            gauge!(metric::REPLICAS).set(number(replicas.alive));
            gauge!(metric::JOURNAL_WAITING).set(number(replicas.waiting));
        }
        if let Some(scheduler) = &self.scheduler {
            let (lag, missed) = scheduler.lateness();
            gauge!(metric::CRON_LAG).set(lag.as_secs_f64());
            gauge!(metric::CRON_MISSED).set(number(usize::try_from(missed).unwrap_or(usize::MAX)));
        }
        if let Some(outbox) = &self.outbox {
            let standing = outbox.standing();
            for (status, count) in [
                ("pending", standing.pending),
                ("sending", standing.sending),
                ("delivered", standing.delivered),
                ("dead", standing.dead),
            ] {
                gauge!(metric::OUTBOX, "status" => status).set(number(count));
            }
            gauge!(metric::OUTBOX_AGE).set(standing.age.as_secs_f64());
        }
        self.handle.render()
    }
}

#[expect(clippy::cast_precision_loss, reason = "nobody counts more than 2^53 of anything here")]
fn number(count: usize) -> f64 {
    count as f64
}

impl fmt::Debug for Measures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Measures").finish_non_exhaustive()
    }
}

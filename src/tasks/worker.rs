//! Workers: each takes the task that has waited longest, and has its body run.

use std::{
    any::Any,
    borrow::Cow,
    future::{pending, poll_fn},
    panic::AssertUnwindSafe,
    sync::Arc,
    task::Poll,
};

use futures_util::{FutureExt as _, future::BoxFuture};
use jiff::Timestamp;
use metrics::counter;
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use super::{
    Code, Failure, Steps, Task, TaskId,
    engine::Shared,
    home::Unrecorded,
    journal::{Ending, Event},
    lanes::Entered,
    recovery::MAX_FRUITLESS,
};
use crate::base::{
    TraceId,
    clock::{self, Stopwatch},
    metric,
};

impl Shared {
    /// One worker: runs until nothing waits or the program is told to stop.
    pub(super) async fn work(self: Arc<Self>) {
        while let Some((task, cancel)) = self.next() {
            let _lane = match self.enter_lane(&task, &cancel).await {
                Entered::Goes(lane) => lane,
                Entered::Waits => continue,
            };
            self.begin(task, cancel).await;
        }
    }

    /// Does one task under its trace.
    pub(super) async fn begin(self: &Arc<Self>, task: Arc<Task>, cancel: CancellationToken) {
        let trace = task.trace_id.as_deref().and_then(|id| id.parse().ok());
        let trace = trace.unwrap_or_else(TraceId::generate);
        let span = tracing::info_span!(
            "task.run",
            trace_id = %trace,
            task.id = task.task_id.as_str(),
            kind = task.kind.as_str(),
            attempt = task.attempts + 1
        );
        match trace.scope(self.run(task, cancel).instrument(span)).await {
            Ok(()) => {}
            Err(Unrecorded::Ending) => tracing::warn!("a task was interrupted; the next start continues it"),
            Err(Unrecorded::Elsewhere) => tracing::debug!("another replica has a task"),
        }
    }

    /// The task that has waited longest. Without one the worker is let go, so that whoever brings the next hires another.
    fn next(&self) -> Option<(Arc<Task>, CancellationToken)> {
        let mut table = self.table.lock();
        let next = if self.tracker.stopping().is_cancelled() { None } else { table.claim() };
        if next.is_none() {
            table.let_go();
        }
        next
    }

    /// Does one task, from its start to its end or until it is parked, each on record.
    async fn run(self: &Arc<Self>, task: Arc<Task>, cancel: CancellationToken) -> Result<(), Unrecorded> {
        let id = task.task_id.clone();
        let (attempt, at) = (task.attempts + 1, clock::now());
        if self.table.lock().fruitless(&id) >= MAX_FRUITLESS {
            let ending = Ending::given_up(MAX_FRUITLESS);
            return self.end(&id, None, ending, &Stopwatch::start()).await;
        }
        let event = Event::Started { task_id: id.clone(), attempt, at, by: self.home.replica() };
        self.record(&event, None).await.inspect_err(|_| self.let_be(&id))?;
        let task = self.table.lock().live(&id).unwrap_or(task);

        let is_tried_again = self.retry.of(&task).attempts > 1;
        let watch = Stopwatch::start();
        let steps = Steps::of(Arc::clone(self), &task, attempt, cancel.clone());
        let outcome = self.attempt(task, steps.clone(), &cancel).await;
        if steps.is_interrupted() {
            return Err(self.home.interrupted());
        }
        let ending = match outcome {
            Outcome::Parked => {
                tracing::info!("task waits for an approval");
                return Ok(());
            }
            Outcome::Cancelled => Ending::cancelled(),
            Outcome::Answered(Err(failure)) if failure.transient && is_tried_again => {
                let Some(again) = self.try_again(&id, &failure) else {
                    let ending = Ending { dead: true, ..Ending::of(Err(failure)) };
                    return self.end(&id, Some(attempt), ending, &watch).await;
                };
                let event = Event::Retrying { task_id: id.clone(), again: Cow::Borrowed(&again) };
                self.record(&event, Some(attempt)).await?;
                tracing::warn!(error = again.error, retry = again.retry, due = %again.due, "task failed and is tried again");
                counter!(metric::TASK_RETRIES).increment(1);
                self.later.notify_one();
                return Ok(());
            }
            Outcome::Answered(answer) => Ending::of(answer),
        };
        self.end(&id, Some(attempt), ending, &watch).await
    }

    /// Ends a task, that came to its end in `attempt` or before one.
    async fn end(
        self: &Arc<Self>,
        id: &TaskId,
        attempt: Option<u32>,
        ending: Ending,
        watch: &Stopwatch,
    ) -> Result<(), Unrecorded> {
        let event =
            Event::Finished { task_id: id.clone(), by: self.home.replica(), ending: Cow::Borrowed(&ending) };
        // One that another replica has does not end here.
        if self.home.replica().is_some() && !self.table.lock().admits(&event, attempt) {
            return Err(Unrecorded::Elsewhere);
        }
        self.tell_body(id, &ending).await;
        self.record(&event, attempt).await?;
        tracing::info!(status = ending.status.as_str(), latency_ms = watch.elapsed_ms(), "task ended");
        self.tend();
        Ok(())
    }

    /// Tells the body of the task how that ends.
    pub(super) async fn tell_body(&self, id: &TaskId, ending: &Ending) {
        let Some(task) = self.table.lock().live(id) else { return };
        let Some(body) = self.bodies.get(&task.kind) else { return };
        let mut last = Task::clone(&task);
        last.end(ending.clone());
        let told = AssertUnwindSafe(async { body.ended(Arc::new(last)).await });
        if let Err(panic) = told.catch_unwind().await {
            tracing::error!(error = panic_text(panic.as_ref()), "a body panicked as it was told of an end");
        }
    }

    /// Runs the body to its end, until it is parked, or until it is cancelled; then it is dropped.
    async fn attempt(&self, task: Arc<Task>, steps: Steps, cancel: &CancellationToken) -> Outcome {
        let Some(body) = self.bodies.get(&task.kind).map(Arc::clone) else {
            let message = format!("nothing here does tasks of kind `{}`", task.kind.as_str());
            return Outcome::Answered(Err(Failure::new(message)));
        };
        // All of it is inside: a body may panic while it is made, polled or dropped.
        let guarded = AssertUnwindSafe(async move {
            let id = task.task_id.clone();
            let deadline = task.deadline;
            let body = body.run(task, steps.clone());
            tokio::select! {
                biased;
                () = cancel.cancelled() => Outcome::Cancelled,
                () = passed(deadline) => {
                    let message = "it took longer than the time it may take";
                    Outcome::Answered(Err(Failure::coded(Code::DEADLINE, message)))
                }
                outcome = self.follow(&id, body, &steps) => outcome,
            }
        });
        guarded.catch_unwind().await.unwrap_or_else(|panic| {
            let message = format!("the task panicked: {}", panic_text(panic.as_ref()));
            tracing::error!(error = message, "a body panicked");
            Outcome::Answered(Err(Failure::coded(Code::PANICKED, message)))
        })
    }

    /// Polls the body until it has an answer, or parks the task when nothing but decisions is waited for.
    async fn follow(
        &self,
        id: &TaskId,
        mut body: BoxFuture<'static, Result<Value, Failure>>,
        steps: &Steps,
    ) -> Outcome {
        loop {
            let mut seen = None;
            let waiting = poll_fn(|cx| {
                if let Poll::Ready(answer) = body.as_mut().poll(cx) {
                    return Poll::Ready(Err(answer));
                }
                let Some((moves, waiting)) = steps.idle() else { return Poll::Pending };
                // Parts of a body may have woken each other, so it is idle only if a second look finds it so.
                if seen.replace(moves) == Some(moves) {
                    return Poll::Ready(Ok(waiting));
                }
                cx.waker().wake_by_ref();
                Poll::Pending
            });
            let waiting = match waiting.await {
                // Told to stop while it was polled, it may have noticed that itself.
                Err(Err(_)) if steps.cancelled().is_cancelled() => return Outcome::Cancelled,
                Err(answer) => return Outcome::Answered(answer),
                Ok(waiting) => waiting,
            };
            let event = Event::Parked { task_id: id.clone(), steps: Cow::Borrowed(&waiting) };
            match self.record(&event, Some(steps.attempt())).await {
                Err(_) => return Outcome::Answered(Err(steps.interrupted())),
                Ok(heard) if heard.is_parked => {
                    steps.park();
                    return Outcome::Parked;
                }
                Ok(_) => {}
            }
            // A decision came in between, or a request to stop; the body has been woken by it.
        }
    }
}

/// How an attempt at a task ended.
enum Outcome {
    Answered(Result<Value, Failure>),
    Cancelled,
    /// It goes on in another attempt, once somebody decided.
    Parked,
}

/// Returns once that moment is over; never, when there is none.
async fn passed(deadline: Option<Timestamp>) {
    let Some(deadline) = deadline else { return pending().await };
    let left = deadline.duration_since(clock::now());
    tokio::time::sleep(left.try_into().unwrap_or_default()).await;
}

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no reason given")
}

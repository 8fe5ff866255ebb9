//! Rules on how a server does, and what is told when one is broken or kept again.
//!
//! What is told is a task that is done at once and delivers its text: so it survives the process, is told once, and shows
//! where all work shows. Which rules are broken is known to this process alone; after a restart it is found out anew.

use std::{collections::VecDeque, fmt, sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use jiff::Timestamp;
use serde_json::Value;

use super::delivery::{UnknownDestination, Wish};
use crate::{
    catalog::Snapshot,
    tasks::{Body, Failure, Kind, NewTask, Steps, Task, Trigger},
};

/// A task that tells of a rule.
pub const ALERT: Kind = Kind::new("crew.alert");

/// The value of such a task that holds what it says.
const TEXT: &str = "text";

/// Fewer calls than these say nothing about a rate.
const LEAST_CALLS: u64 = 10;

/// What must be so.
#[derive(Debug, Clone, PartialEq)]
pub struct Rules {
    /// Names of the destinations that are told.
    pub notify: Vec<String>,
    /// What nineteen of twenty calls of models may take.
    pub p95: Option<Duration>,
    /// Which part of the calls of models may fail, from 0 to 1.
    pub error_rate: Option<f64>,
    /// How long a task may wait to be begun.
    pub queue_age: Option<Duration>,
    /// How late a schedule may be.
    pub cron_lag: Option<Duration>,
    /// How far back calls of models count.
    pub window: Duration,
    /// How long a rule must be broken before anybody is told.
    pub patience: Duration,
}

/// How a server does at one moment.
#[derive(Debug, Clone, Copy)]
pub struct Reading {
    /// When.
    pub at: Timestamp,
    /// Calls of models since the program began.
    pub calls: u64,
    /// Those among them that failed.
    pub failed: u64,
    /// How long the oldest task has waited to be begun.
    pub queue_age: Duration,
    /// How late the schedules are.
    pub cron_lag: Duration,
}

/// One of the rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rule {
    P95,
    ErrorRate,
    QueueAge,
    CronLag,
}

const RULES: [Rule; 4] = [Rule::P95, Rule::ErrorRate, Rule::QueueAge, Rule::CronLag];

/// What is to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alert {
    rule: Rule,
    since: Timestamp,
    over: bool,
    text: String,
}

impl Alert {
    /// Whether `earlier` is the same, tried before.
    pub fn is_again(&self, earlier: &Self) -> bool {
        (self.rule, self.since, self.over) == (earlier.rule, earlier.since, earlier.over)
    }
}

/// Which rules are broken, and since when.
#[derive(Debug)]
pub struct Watch {
    rules: Rules,
    /// Earlier readings, the oldest first; the first is the newest one from before the window.
    readings: VecDeque<Reading>,
    broken: [Option<Broken>; RULES.len()],
}

#[derive(Debug, Clone, Copy)]
struct Broken {
    since: Timestamp,
    told: bool,
}

impl Watch {
    /// Watches these.
    pub fn new(rules: Rules) -> Self {
        Self { rules, readings: VecDeque::new(), broken: [None; RULES.len()] }
    }

    /// Looks at how the server does now; `p95` tells what nineteen of twenty of the newest so many calls took.
    pub fn look(&mut self, now: Reading, p95: impl FnOnce(u64) -> Option<Duration>) -> Vec<Alert> {
        let window = self.rules.window;
        let is_over = |reading: &Reading| since(reading.at, now.at) >= window;
        while self.readings.get(1).is_some_and(is_over) {
            self.readings.pop_front();
        }
        let before = *self.readings.front().unwrap_or(&now);
        self.readings.push_back(now);
        let calls = now.calls.saturating_sub(before.calls);
        let failed = now.failed.saturating_sub(before.failed);
        let p95 = (calls > 0 && self.rules.p95.is_some()).then(|| p95(calls)).flatten();
        let mut alerts = Vec::new();
        for (place, rule) in RULES.into_iter().enumerate() {
            let finding = self.finding(rule, now, (calls, failed), p95);
            alerts.extend(self.settle(place, rule, now.at, finding));
        }
        alerts
    }

    /// What is wrong by this rule, if anything is.
    fn finding(
        &self,
        rule: Rule,
        now: Reading,
        (calls, failed): (u64, u64),
        p95: Option<Duration>,
    ) -> Option<String> {
        let over = |value: Duration, limit: Option<Duration>| limit.filter(|limit| value > *limit);
        let minutes = self.rules.window.as_secs() / 60;
        match rule {
            Rule::P95 => {
                let taken = p95?;
                let limit = over(taken, self.rules.p95)?;
                Some(format!(
                    "Of {calls} calls of models in the last {minutes} minutes, one in twenty took {} or longer; the limit is {}.",
                    seconds(taken),
                    seconds(limit)
                ))
            }
            Rule::ErrorRate => {
                let limit = self.rules.error_rate?;
                #[expect(clippy::cast_precision_loss, reason = "nobody counts 2^53 calls")]
                let rate = failed as f64 / calls.max(1) as f64;
                (calls >= LEAST_CALLS && rate > limit).then(|| {
                    format!(
                        "Of {calls} calls of models in the last {minutes} minutes, {failed} failed ({:.0} %); the limit is {:.0} %.",
                        rate * 100.0,
                        limit * 100.0
                    )
                })
            }
            Rule::QueueAge => {
                let limit = over(now.queue_age, self.rules.queue_age)?;
                Some(format!(
                    "A task has waited {} to be begun; the limit is {}.",
                    seconds(now.queue_age),
                    seconds(limit)
                ))
            }
            Rule::CronLag => {
                let limit = over(now.cron_lag, self.rules.cron_lag)?;
                Some(format!(
                    "A schedule is {} late; the limit is {}.",
                    seconds(now.cron_lag),
                    seconds(limit)
                ))
            }
        }
    }

    fn settle(&mut self, place: usize, rule: Rule, now: Timestamp, finding: Option<String>) -> Option<Alert> {
        let broken = self.broken.get_mut(place)?;
        match (finding, *broken) {
            (Some(finding), before) => {
                let before = before.unwrap_or(Broken { since: now, told: false });
                let due = !before.told && since(before.since, now) >= self.rules.patience;
                *broken = Some(Broken { told: before.told || due, ..before });
                let text = format!("Alert: {}\n\n{finding}", rule.title());
                due.then_some(Alert { rule, since: before.since, over: false, text })
            }
            (None, Some(Broken { since, told })) => {
                *broken = None;
                let text = format!("Over: {}\n\nIt had been so since {since}.", rule.title());
                told.then_some(Alert { rule, since, over: true, text })
            }
            (None, None) => None,
        }
    }

    /// `alert` could not be told: as long as its rule is broken, it is tried again.
    pub fn untold(&mut self, alert: &Alert) {
        let broken = RULES.iter().zip(&mut self.broken).find(|(rule, _)| **rule == alert.rule);
        if let Some((_, Some(broken))) = broken {
            broken.told = false;
        }
    }

    /// The task that tells of `alert`.
    ///
    /// # Errors
    /// When a destination is gone.
    pub fn task(&self, alert: &Alert, definitions: &Snapshot) -> Result<NewTask, UnknownDestination> {
        let Alert { rule, since, over, text } = alert;
        let mut task = NewTask::new(ALERT, rule.name());
        task.trigger = Trigger::ALERT;
        let state = if *over { "over" } else { "begun" };
        task.idempotency_key = Some(format!("alert:{rule}:{since}:{state}"));
        task.args.insert(TEXT.to_owned(), text.clone());
        Wish::add(Wish::named(&self.rules.notify, definitions)?, &mut task);
        Ok(task)
    }
}

impl fmt::Display for Alert {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Rule {
    fn name(self) -> &'static str {
        match self {
            Self::P95 => "p95",
            Self::ErrorRate => "error-rate",
            Self::QueueAge => "queue-age",
            Self::CronLag => "cron-lag",
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::P95 => "models answer slowly",
            Self::ErrorRate => "calls of models fail",
            Self::QueueAge => "tasks wait too long",
            Self::CronLag => "schedules are late",
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The body of [`ALERT`]: it gives what it was given to say.
#[derive(Debug)]
pub(super) struct Telling;

impl Body for Telling {
    fn run(&self, task: Arc<Task>, _: Steps) -> BoxFuture<'static, Result<Value, Failure>> {
        let text = task.args.get(TEXT).cloned().unwrap_or_default();
        Box::pin(async move { Ok(Value::String(text)) })
    }
}

fn since(then: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(now.duration_since(then)).unwrap_or_default()
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules() -> Rules {
        Rules {
            notify: vec!["ops".to_owned()],
            p95: Some(Duration::from_secs(30)),
            error_rate: Some(0.2),
            queue_age: Some(Duration::from_mins(5)),
            cron_lag: None,
            window: Duration::from_mins(10),
            patience: Duration::from_mins(1),
        }
    }

    /// A reading so many seconds after the first.
    fn reading(second: i64, calls: u64, failed: u64, queue: u64) -> Reading {
        Reading {
            at: Timestamp::from_second(1_800_000_000 + second).unwrap(),
            calls,
            failed,
            queue_age: Duration::from_secs(queue),
            cron_lag: Duration::from_hours(1),
        }
    }

    /// What is told, and whether that is an end.
    fn told(alerts: &[Alert]) -> Vec<(&'static str, bool)> {
        alerts.iter().map(|alert| (alert.rule.name(), alert.over)).collect()
    }

    #[test]
    fn a_rule_is_told_once_after_a_while_and_once_more_when_it_is_over() {
        let mut watch = Watch::new(rules());
        let mut look = |second, queue| told(&watch.look(reading(second, 0, 0, queue), |_| None));
        assert_eq!(look(0, 301), []);
        assert_eq!(look(30, 0), [], "a moment is nothing");
        assert_eq!(look(60, 400), []);
        assert_eq!(look(119, 400), []);
        assert_eq!(look(120, 400), [("queue-age", false)]);
        assert_eq!(look(600, 900), []);
        assert_eq!(look(660, 10), [("queue-age", true)]);
        assert_eq!(look(720, 10), []);
    }

    #[test]
    fn what_could_not_be_told_is_told_later() {
        let mut watch = Watch::new(rules());
        let mut look = |second, queue, is_told: bool| {
            let alerts = watch.look(reading(second, 0, 0, queue), |_| None);
            alerts.iter().filter(|_| !is_told).for_each(|alert| watch.untold(alert));
            (told(&alerts), alerts.first().map(|alert| alert.since))
        };
        look(0, 400, false);
        let (first, since) = look(60, 400, false);
        assert_eq!(first, [("queue-age", false)]);
        assert_eq!(look(65, 400, true), (vec![("queue-age", false)], since), "it is the same alert");
        assert_eq!(look(70, 400, true), (vec![], None));
        assert_eq!(look(75, 10, true).0, [("queue-age", true)]);
        look(80, 400, true);
        look(140, 400, false);
        assert_eq!(look(145, 10, true).0, [], "nobody knows that it had begun");
    }

    #[test]
    fn only_calls_of_the_window_count() {
        let mut watch = Watch::new(Rules { patience: Duration::ZERO, p95: None, ..rules() });
        let mut look = |second, calls, failed| {
            let alerts = watch.look(reading(second, calls, failed, 0), |_| None);
            told(&alerts)
        };
        assert_eq!(look(0, 100, 100), [], "what was before it began says nothing");
        assert_eq!(look(60, 109, 109), [], "nine calls are too few");
        assert_eq!(look(120, 110, 110), [("error-rate", false)]);
        assert_eq!(look(300, 160, 110), [("error-rate", true)]);
        assert_eq!(look(1200, 170, 113), [("error-rate", false)], "of ten calls since then three failed");
    }

    #[test]
    fn slow_models_are_told_of_with_figures() {
        let mut watch = Watch::new(Rules { patience: Duration::ZERO, ..rules() });
        assert_eq!(watch.look(reading(0, 5, 0, 0), |_| unreachable!("no call was made")), []);
        let slow = |count| {
            assert_eq!(count, 40);
            Some(Duration::from_millis(42_100))
        };
        let alerts = watch.look(reading(15, 45, 0, 0), slow);
        assert_eq!(
            alerts[0].text,
            "Alert: models answer slowly\n\nOf 40 calls of models in the last 10 minutes, one in twenty took 42.1 s or longer; the limit is 30.0 s."
        );
        let mut definitions = Snapshot::default();
        assert!(watch.task(&alerts[0], &definitions).is_err());
        let mail = crate::defs::Destination::Named("ops".to_owned());
        let delivery =
            crate::defs::Delivery { to: mail, only: Vec::new(), span: crate::defs::Span::default() };
        definitions.destinations = Arc::new([("ops".to_owned(), delivery)].into_iter().collect());
        let task = watch.task(&alerts[0], &definitions).unwrap();
        assert_eq!(task.idempotency_key.as_deref(), Some("alert:p95:2027-01-15T08:00:15Z:begun"));
        assert!(task.options.contains_key(super::super::delivery::DELIVER));
    }
}

//! One schedule: which of its moments have come, and what becomes of each. Knows no clock: it is told what time it is.

use std::{
    collections::VecDeque,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    time::Duration,
};

use croner::Cron;
use jiff::{SignedDuration, Timestamp, Zoned, tz::TimeZone};

use super::kept::{Kept, Last};
use crate::defs::{Misfire, Overlap, Schedule, cron_expression};

/// How late a moment may be seen to and still be on time: a restart, a busy machine.
const ON_TIME: SignedDuration = SignedDuration::from_secs(90);
/// A clock that goes back by more was set; by less, it was corrected, and nothing comes due again.
const SET_BACK: SignedDuration = SignedDuration::from_secs(60);
/// The most runs that make up for missed moments.
const MOST_MADE_UP: usize = 10;
/// The most moments that wait for the run before them.
const MOST_QUEUED: usize = 10;
/// The most moments that are counted when many have gone by at once.
const MOST_COUNTED: u64 = 1000;
/// After a run could not begin, how soon it is tried again.
const PAUSE: SignedDuration = SignedDuration::from_secs(5);

/// A schedule and how it stands.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) schedule: Schedule,
    pub(super) zone: TimeZone,
    pub(super) kept: Kept,
    /// Whether `kept` has changed since it was kept.
    pub(super) changed: bool,
    cron: Cron,
    /// The first moment that has not been seen to.
    next: Option<Timestamp>,
    /// When a run that could not begin is tried again.
    again: Option<Timestamp>,
    /// Those of the moments started last that had waited for the run before them.
    taken: Vec<Timestamp>,
}

/// Moments that have come due: the newest of them, and how many there were.
#[derive(Debug, Default)]
struct Came {
    newest: VecDeque<Timestamp>,
    count: u64,
}

impl Came {
    fn push(&mut self, moment: Timestamp) {
        self.count += 1;
        self.newest.push_back(moment);
        if self.newest.len() > MOST_MADE_UP + 1 {
            self.newest.pop_front();
        }
    }
}

impl Row {
    /// `schedule` as it stands after what was `kept` of it, at `now`. Without that, or when it is due at other times than it
    /// was, it begins now. `None` when its expression or zone cannot be read, which its file would not have passed with.
    pub(super) fn new(
        schedule: &Schedule,
        timezone: Option<&str>,
        kept: Option<Kept>,
        now: Timestamp,
    ) -> Option<Self> {
        let zone = match schedule.timezone.as_deref().or(timezone) {
            Some(name) => TimeZone::get(name).ok()?,
            None => TimeZone::system(),
        };
        let cron = cron_expression(&schedule.cron).ok()?;
        let state = if schedule.enabled { "" } else { " off" };
        let when = format!("{} {}{state}", schedule.cron, zone.iana_name().unwrap_or("local"));
        let fresh =
            Kept { when, until: now, missed: 0, queued: VecDeque::new(), held_since: None, last: None };
        let (kept, changed) = match kept {
            Some(kept) if kept.when == fresh.when => (kept, false),
            Some(kept) => (Kept { missed: kept.missed, last: kept.last, ..fresh }, true),
            None => (fresh, true),
        };
        let schedule = schedule.clone();
        let mut row =
            Self { schedule, zone, kept, changed, cron, next: None, again: None, taken: Vec::new() };
        row.next = row.after(row.kept.until);
        Some(row)
    }

    /// What is to be started at `now`, by the moments it is due at. `busy` tells whether the last run goes on.
    pub(super) fn look(&mut self, now: Timestamp, busy: bool) -> Vec<Timestamp> {
        if !self.schedule.enabled {
            return Vec::new();
        }
        if self.kept.until.duration_since(now) > SET_BACK {
            tracing::warn!(schedule = self.schedule.name, "the clock was set back");
            (self.kept.until, self.changed) = (now, true);
            self.next = self.after(now);
        }
        let left = self.again.map(|again| again.duration_since(now));
        if left.is_some_and(|left| left.is_positive() && left <= PAUSE) {
            return Vec::new();
        }
        let came = self.came_due(now);
        let due = self.made_up(&came, now);
        let starting = self.arranged(due, busy);
        if starting.is_empty() {
            self.let_go();
        }
        starting
    }

    /// A run of the moment `due` began, or never will.
    pub(super) fn began(&mut self, last: Last) {
        (self.kept.last, self.changed) = (Some(last), true);
        self.let_go();
    }

    /// Nothing is held back any more.
    fn let_go(&mut self) {
        self.again = None;
        self.changed |= self.kept.held_since.take().is_some();
    }

    /// The run of `moment` could not begin at `now`; it is tried again. One that had not waited for another run comes due
    /// anew, so that it does not pile up with those after it.
    pub(super) fn put_back(&mut self, moment: Timestamp, now: Timestamp) {
        let has_waited = self.taken.contains(&moment);
        let first = if has_waited { now } else { moment };
        let since = self.kept.held_since.map_or(first, |since| since.min(first));
        (self.kept.held_since, self.changed) = (Some(since), true);
        self.again = now.checked_add(PAUSE).ok();
        let queued = &mut self.kept.queued;
        if has_waited {
            queued.insert(queued.partition_point(|waits| *waits < moment), moment);
            return;
        }
        // What came after it comes due again, too.
        queued.retain(|waits| *waits < moment);
        if self.next.is_none_or(|next| moment < next) {
            self.kept.until = moment.checked_sub(SignedDuration::from_secs(1)).unwrap_or(moment);
            self.next = Some(moment);
        }
    }

    /// How long until there is something to do.
    pub(super) fn wait(&self, now: Timestamp) -> Option<Duration> {
        let next = self.next?;
        let begins = later(next, self.jitter(next));
        let begins = self.again.map_or(begins, |again| again.max(begins));
        Some(Duration::try_from(begins.duration_since(now)).unwrap_or_default())
    }

    /// How many of its moments were missed.
    pub(super) fn missed(&self) -> u64 {
        self.kept.missed
    }

    /// How long the next run has been due already, or the first of those that cannot begin.
    pub(super) fn late(&self, now: Timestamp) -> Duration {
        let first = self.next.into_iter().chain(self.kept.held_since).min();
        let begins = first.map(|first| later(first, self.jitter(first)));
        begins.and_then(|begins| Duration::try_from(now.duration_since(begins)).ok()).unwrap_or_default()
    }

    /// The first moment that has not been seen to.
    pub(super) fn next(&self) -> Option<Zoned> {
        self.next.map(|next| next.to_zoned(self.zone.clone()))
    }

    /// The moments after `now`, as long as there are any.
    pub(super) fn upcoming(&self, now: Timestamp) -> impl Iterator<Item = Zoned> {
        std::iter::successors(self.after(now), |moment| self.after(*moment))
            .map(|moment| moment.to_zoned(self.zone.clone()))
    }

    /// Takes the moments that have come by `now`.
    fn came_due(&mut self, now: Timestamp) -> Came {
        let mut came = Came::default();
        while let Some(moment) = self.next.filter(|moment| later(*moment, self.jitter(*moment)) <= now) {
            came.push(moment);
            self.changed = true;
            if came.count < MOST_COUNTED {
                self.kept.until = moment;
                self.next = self.after(moment);
                continue;
            }
            // So many that it matters to nobody how many.
            let mut at = now.to_zoned(self.zone.clone());
            let mut latest = VecDeque::new();
            for inclusive in std::iter::once(true).chain(std::iter::repeat(false)).take(MOST_MADE_UP + 1) {
                let Ok(before) = self.cron.find_previous_occurrence(&at, inclusive) else { break };
                latest.push_front(before.timestamp());
                at = before;
            }
            came.newest = latest;
            self.kept.until = now;
            self.next = self.after(now);
        }
        came
    }

    /// Those of the moments that get a run.
    fn made_up(&mut self, came: &Came, now: Timestamp) -> Vec<Timestamp> {
        let Some(newest) = came.newest.back() else { return Vec::new() };
        // Nothing is missed because it could not begin, but only the newest waits where one is enough.
        let is_held = self.kept.held_since.is_some();
        let on_time = is_held || now.duration_since(later(*newest, self.jitter(*newest))) <= ON_TIME;
        let runs = match (self.schedule.misfire, on_time) {
            (Misfire::Skip, false) => 0,
            (Misfire::Skip, true) | (Misfire::Once, _) => 1,
            (Misfire::All, on_time) => MOST_MADE_UP + usize::from(on_time),
        };
        let first = came.newest.len().saturating_sub(runs);
        let runs: Vec<_> = came.newest.iter().skip(first).copied().collect();
        let why = if is_held { "it could not begin" } else { "nobody watched the clock" };
        self.miss(came.count.saturating_sub(runs.len() as u64), why);
        runs
    }

    /// Those of the moments whose runs begin now; the others wait or are missed.
    fn arranged(&mut self, due: Vec<Timestamp>, mut busy: bool) -> Vec<Timestamp> {
        self.taken.clear();
        if self.schedule.overlap == Overlap::Allow {
            self.taken.extend(std::mem::take(&mut self.kept.queued));
            return self.taken.iter().copied().chain(due).collect();
        }
        let mut starting = Vec::new();
        if !busy && let Some(first) = self.kept.queued.pop_front() {
            (busy, self.changed) = (true, true);
            self.taken.push(first);
            starting.push(first);
        }
        // Runs that are made up for wait for each other, whatever else may not wait.
        let waits = self.schedule.overlap == Overlap::Queue || due.len() > 1;
        for moment in due {
            if !busy {
                busy = true;
                starting.push(moment);
            } else if waits && self.kept.queued.len() < MOST_QUEUED {
                self.kept.queued.push_back(moment);
            } else {
                self.miss(1, "the run before goes on");
            }
        }
        starting
    }

    fn miss(&mut self, count: u64, why: &str) {
        if count > 0 {
            tracing::warn!(schedule = self.schedule.name, count, why, "missed");
            (self.kept.missed, self.changed) = (self.kept.missed.saturating_add(count), true);
        }
    }

    /// The first moment after `from`.
    fn after(&self, from: Timestamp) -> Option<Timestamp> {
        let enabled = self.schedule.enabled;
        let from = enabled.then(|| from.to_zoned(self.zone.clone()))?;
        self.cron.find_next_occurrence(&from, false).ok().map(|next| next.timestamp())
    }

    /// How much later the run of `moment` begins: by chance, but the same however often one asks.
    fn jitter(&self, moment: Timestamp) -> Duration {
        let most = self.schedule.jitter.as_secs();
        if most == 0 {
            return Duration::ZERO;
        }
        let mut hasher = DefaultHasher::new();
        (&self.schedule.name, moment.as_second()).hash(&mut hasher);
        Duration::from_secs(hasher.finish() % (most + 1))
    }
}

fn later(moment: Timestamp, by: Duration) -> Timestamp {
    moment.checked_add(by).unwrap_or(moment)
}

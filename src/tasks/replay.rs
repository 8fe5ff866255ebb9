//! From lines to tasks: what a journal adds up to, and where in it each task is. Of tasks that are over only their
//! summaries are held.

use std::{collections::hash_map::Entry, fs::File, path::Path, sync::Arc};

use jiff::Timestamp;
use serde::{Deserialize, de::IgnoredAny};

use super::{
    Spent, Summary, Task, TaskId,
    index::Index,
    journal::Event,
    legacy::{Old, Record},
    table::Retain,
};
use crate::{
    base::IdMap,
    store::{
        self,
        log::{self, Line, Mark, Span, Subject, Subjects},
    },
};

/// A task that is not over, or all that is known of one that is.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) task: Task,
    /// Present while all that is known comes from the Python version.
    pub(super) old: Option<Old>,
    /// How often work on it began since a step last finished.
    pub(super) fruitless: u32,
    /// The replica that has it; of one that is over, the one that sees to its result.
    pub(super) owner: Option<Arc<str>>,
    /// Whether somebody wants it stopped.
    pub(super) is_stopped: bool,
    /// Whether its result was seen to.
    pub(super) is_settled: bool,
}

impl From<Task> for Known {
    fn from(task: Task) -> Self {
        Self { task, old: None, fruitless: 0, owner: None, is_stopped: false, is_settled: false }
    }
}

/// The state of all tasks after the lines read so far.
#[derive(Debug)]
pub(super) struct Replay<'f> {
    /// Where the lines come from.
    path: &'f Path,
    file: &'f File,
    tasks: IdMap<TaskId, (Subject, State)>,
    subjects: Subjects,
    next: Subject,
    /// Why a task could not be read again.
    failed: Option<store::Error>,
}

#[derive(Debug)]
enum State {
    Live(Box<Known>),
    /// With whether the index tells of it as it is.
    Over(Arc<Summary>, bool),
}

/// What a journal adds up to.
#[derive(Debug)]
pub(super) struct Read {
    /// Tasks that are over, those that ended first before others, and whether the index tells of them as they are.
    pub(super) over: Vec<(Subject, Arc<Summary>, bool)>,
    /// The others, in the order they were accepted.
    pub(super) live: Vec<(Subject, Known)>,
    /// Where the lines of all these are.
    pub(super) subjects: Subjects,
    /// The end of the journal.
    pub(super) end: Mark,
    /// What is kept beside the journal.
    pub(super) index: Index,
}

/// Reads the journal at `path` from an open file of it: what its index tells, and then the lines that came later. Blocks.
///
/// # Errors
/// When the file cannot be read.
pub(super) fn read(path: &Path, file: &File) -> Result<Read, store::Error> {
    let mut replay = Replay::new(path, file);
    let loaded = Index::load(path, file, |summary, spans| replay.put_over(summary, spans));
    let (index, end) = match loaded {
        Some(loaded) => {
            for spans in loaded.open {
                replay.put_open(spans)?;
            }
            replay.subjects.strange = loaded.strange;
            (loaded.index, loaded.end)
        }
        None => {
            replay = Replay::new(path, file);
            (Index::none(path), Mark::default())
        }
    };
    let again = file.try_clone().map_err(|source| store::Error::File {
        action: "open",
        path: path.to_owned(),
        source,
    })?;
    let (_, end) = log::read_on(path, again, end, |line| replay.line(line))?;
    replay.into_read(index, end)
}

/// The task that these lines add up to; `None` when they are of none.
pub(super) fn rebuild<'l>(lines: impl IntoIterator<Item = &'l [u8]>) -> Option<Known> {
    let mut known: Option<Known> = None;
    for line in lines {
        match (parse(line), &mut known) {
            (Ok(Parsed::Whole(whole)), _) => known = Some(*whole),
            (Ok(Parsed::Event(event)), Some(known)) if *event.task_id() == known.task.task_id => {
                known.apply(*event);
            }
            _ => {}
        }
    }
    known
}

/// What a line holds.
enum Parsed<'l> {
    /// A task as of that line.
    Whole(Box<Known>),
    /// Something that happened to one.
    Event(Box<Event<'l>>),
}

fn parse(line: &[u8]) -> Result<Parsed<'_>, serde_json::Error> {
    let error = match serde_json::from_slice::<Event<'_>>(line) {
        Ok(Event::Created { task, by }) => {
            return Ok(Parsed::Whole(Box::new(Known { owner: by, ..task.into_owned().into() })));
        }
        Ok(event) => return Ok(Parsed::Event(Box::new(event))),
        Err(error) => error,
    };
    if serde_json::from_slice::<Tagged>(line).is_ok_and(|line| line.event.is_none()) {
        let (task, old) = serde_json::from_slice::<Record>(line)?.into_task();
        let old = Some(old).filter(|_| !task.status.is_final());
        return Ok(Parsed::Whole(Box::new(Known { old, ..task.into() })));
    }
    Err(error)
}

impl Known {
    fn apply(&mut self, event: Event<'_>) {
        let was_final = self.task.status.is_final();
        match event {
            Event::Started { attempt, at, by, .. } if !was_final => {
                self.task.start(attempt, at);
                self.owner = by;
                self.fruitless += 1;
                self.old = None;
            }
            Event::Step { record, .. } if !was_final => {
                self.task.step(record.into_owned());
                self.fruitless = 0;
            }
            // The money is gone, however the task ended.
            Event::Spent { spent, .. } => Spent::add(&mut self.task.spent, spent.into_owned()),
            Event::Waiting { waiting, .. } if !was_final => {
                self.task.ask(waiting.into_owned());
                self.fruitless = 0;
            }
            Event::Parked { steps, .. } if !was_final && !self.is_stopped => {
                let is_parked = self.task.park(&steps);
                self.owner = self.owner.take().filter(|_| !is_parked);
            }
            Event::Retrying { again, .. } if !was_final => {
                self.task.retry(again.into_owned());
                self.owner = None;
                self.fruitless = 0;
            }
            Event::Finished { ending, by, .. } => {
                self.task.end(ending.into_owned());
                self.owner = by;
                self.old = None;
            }
            Event::Resumed { again, .. } => {
                self.task.resume(again.into_owned());
                (self.owner, self.is_stopped, self.is_settled) = (None, false, false);
                self.fruitless = 0;
            }
            Event::Stop { .. } if !was_final => self.is_stopped = true,
            Event::Left { by, .. } if !was_final && self.owner.as_ref() == Some(&by) => {
                self.task.leave();
                self.owner = None;
            }
            Event::Adopted { by, .. } => self.owner = Some(by),
            Event::Settled { resumed, .. } => self.is_settled |= resumed == self.task.resumed,
            // A step or a start that lost a race against the end.
            _ => {}
        }
    }
}

impl<'f> Replay<'f> {
    fn new(path: &'f Path, file: &'f File) -> Self {
        let (tasks, subjects) = (IdMap::default(), Subjects::default());
        Self { path, file, tasks, subjects, next: 0, failed: None }
    }

    /// Applies the next line.
    ///
    /// # Errors
    /// When it is not a line of a journal; it is set aside when that is next rewritten.
    fn line(&mut self, line: Line<'_>) -> Result<(), serde_json::Error> {
        let span = Span { at: line.at, length: line.bytes.len() as u64 + 1 };
        let parsed = parse(line.bytes).inspect_err(|_| span.push(&mut self.subjects.strange))?;
        match parsed {
            Parsed::Whole(whole) => self.put(*whole, vec![span]),
            Parsed::Event(event) => self.event(*event, span),
        }
        Ok(())
    }

    fn event(&mut self, event: Event<'_>, span: Span) {
        let id = event.task_id();
        let Some((subject, state)) = self.tasks.get_mut(id) else {
            tracing::warn!(task.id = id.as_str(), at = span.at, "a line about a task that is not known");
            return span.push(&mut self.subjects.strange);
        };
        let open = self.subjects.open.get_mut(subject);
        if let Some(spans) = open.or_else(|| self.subjects.sealed.get_mut(subject)) {
            span.push(spans);
        }
        match state {
            State::Live(known) => {
                known.apply(event);
                if known.task.status.is_final() {
                    *state = State::Over(Arc::new(Summary::from(&known.task)), false);
                    let spans = self.subjects.open.remove(subject).unwrap_or_default();
                    self.subjects.sealed.insert(*subject, spans);
                }
            }
            State::Over(summary, told) => match event {
                Event::Spent { spent, .. } => {
                    *told = false;
                    Spent::add(&mut Arc::make_mut(summary).spent, spent.into_owned());
                }
                Event::Resumed { .. } => {
                    // All of it is needed again; the line itself is the last of its places.
                    let spans = self.subjects.sealed.remove(subject).unwrap_or_default();
                    if let Err(error) = self.put_open(spans) {
                        self.failed = Some(error);
                    }
                }
                _ => {}
            },
        }
    }

    /// A task as of a line, in place of whatever was known of it.
    fn put(&mut self, known: Known, spans: Vec<Span>) {
        let id = known.task.task_id.clone();
        let subject = self.forget(&id).unwrap_or_else(|| self.take_number());
        let state = if known.task.status.is_final() {
            self.subjects.sealed.insert(subject, spans);
            State::Over(Arc::new(Summary::from(&known.task)), false)
        } else {
            self.subjects.open.insert(subject, spans);
            State::Live(Box::new(known))
        };
        self.tasks.insert(id, (subject, state));
    }

    fn put_over(&mut self, summary: Summary, spans: Vec<Span>) {
        let subject = match self.tasks.entry(summary.task_id.clone()) {
            Entry::Occupied(mut known) => {
                known.get_mut().1 = State::Over(Arc::new(summary), true);
                known.get().0
            }
            Entry::Vacant(free) => {
                self.next += 1;
                free.insert((self.next, State::Over(Arc::new(summary), true)));
                self.next
            }
        };
        self.subjects.sealed.insert(subject, spans);
    }

    /// The task whose lines are there.
    fn put_open(&mut self, spans: Vec<Span>) -> Result<(), store::Error> {
        let lines = log::read_spans(self.path, self.file, &spans)?;
        match rebuild(lines.iter().map(Vec::as_slice)) {
            Some(known) => self.put(known, spans),
            // Lines without a beginning are nobody's.
            None => self.subjects.strange.extend(spans),
        }
        Ok(())
    }

    fn take_number(&mut self) -> Subject {
        self.next += 1;
        self.next
    }

    fn forget(&mut self, id: &TaskId) -> Option<Subject> {
        let (subject, _) = self.tasks.remove(id)?;
        self.subjects.open.remove(&subject);
        self.subjects.sealed.remove(&subject);
        Some(subject)
    }

    fn into_read(self, index: Index, end: Mark) -> Result<Read, store::Error> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let (mut over, mut live) = (Vec::with_capacity(self.tasks.len()), Vec::new());
        for (subject, state) in self.tasks.into_values() {
            match state {
                State::Over(summary, told) => over.push((subject, summary, told)),
                State::Live(known) => live.push((subject, *known)),
            }
        }
        over.sort_by_cached_key(|(subject, summary, _)| (summary.ended_at(), *subject));
        live.sort_unstable_by_key(|(subject, _)| *subject);
        Ok(Read { over, live, subjects: self.subjects, end, index })
    }
}

impl Read {
    /// Of a journal that is not there.
    pub(super) fn nothing(path: &Path) -> Self {
        let (over, live, subjects) = (Vec::new(), Vec::new(), Subjects::default());
        Self { over, live, subjects, end: Mark::default(), index: Index::none(path) }
    }

    /// Forgets tasks that are over, those that ended first before others.
    pub(super) fn forget(&mut self, retain: Retain, now: Timestamp) {
        let all = self.over.len();
        let mut owed = self.over.iter().filter(|(_, task, _)| retain.is_owed(task)).count();
        let mut others = all - owed.min(retain.owed);
        self.over.retain(|(subject, task, _)| {
            if retain.is_owed(task) {
                owed -= 1;
                if owed < retain.owed {
                    return true;
                }
            }
            let forgotten = retain.is_over(others, task, now);
            if forgotten {
                others -= 1;
                self.subjects.sealed.remove(subject);
            }
            !forgotten
        });
    }
}

/// Tells events from records of the Python version, which have no such field.
#[derive(Deserialize)]
struct Tagged {
    event: Option<IgnoredAny>,
}

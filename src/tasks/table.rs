//! The tasks in memory: what is known of each, who waits, in which order.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use jiff::Timestamp;
use metrics::{counter, histogram};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{
    Error, Kind, Status, StepRecord, Task, TaskId, Waiting, engine::Filter, feed::Feed, journal::Again,
};
use crate::base::{clock, metric};

/// All live tasks and the newest finished ones. Every operation is short: O(log n) at most, except listing.
#[derive(Debug)]
pub(super) struct Table {
    entries: HashMap<TaskId, Entry>,
    by_age: BTreeMap<(Timestamp, u64), TaskId>,
    keys: HashMap<String, Key>,
    /// Waiting tasks, the next one first.
    queue: VecDeque<TaskId>,
    /// Finished tasks, the one to forget first at the front.
    finished: VecDeque<TaskId>,
    counts: Counts,
    /// How many tasks ask for a decision, parked or not.
    asking: usize,
    /// Told of every change.
    feed: Arc<Feed>,
    /// Told of every task that ends, once somebody listens.
    endings: Option<Arc<Feed>>,
    /// Tasks on their way into the journal, which already have a place in the queue.
    arriving: usize,
    inserted: u64,
    limit: usize,
    retain: Retain,
    /// How many workers there are.
    working: usize,
}

#[derive(Debug)]
struct Entry {
    task: watch::Sender<Arc<Task>>,
    cancel: CancellationToken,
    /// Whether a worker or a cancellation has taken it, so that nobody else may.
    claimed: bool,
    /// Steps whose decisions are being written.
    deciding: Vec<String>,
    /// Whether it is being written that it goes on although it had ended.
    resuming: bool,
    order: u64,
}

#[derive(Debug)]
enum Key {
    Accepted(TaskId),
    /// Being written; the token fires once that has succeeded or failed.
    Arriving(CancellationToken),
}

/// How many tasks of each status are known: all live ones and the finished ones not yet forgotten.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Waiting.
    pub pending: usize,
    /// Being worked on.
    pub running: usize,
    /// Parked until a person has decided.
    pub awaiting_approval: usize,
    /// Done.
    pub completed: usize,
    /// Ended without an answer.
    pub failed: usize,
    /// Stopped on request.
    pub cancelled: usize,
}

impl Counts {
    fn of(&mut self, status: Status) -> &mut usize {
        match status {
            Status::Pending => &mut self.pending,
            Status::Running => &mut self.running,
            Status::AwaitingApproval => &mut self.awaiting_approval,
            Status::Completed => &mut self.completed,
            Status::Failed => &mut self.failed,
            Status::Cancelled => &mut self.cancelled,
        }
    }
}

/// What became of asking for a place in the queue.
pub(super) enum Place {
    /// It is yours; call [`Table::accept`] or [`Table::give_up`].
    Yours,
    /// The key belongs to a task.
    Taken(TaskId),
    /// The key belongs to a task being written; ask again when the token fires.
    Arriving(CancellationToken),
    /// There is none.
    Full,
}

/// What became of asking to cancel.
pub(super) enum Cancelling {
    /// It waits and is yours to end.
    Yours,
    /// Somebody works on it and was told to stop.
    Told,
    /// It is over.
    Final(Status),
    NotFound,
}

impl Table {
    pub(super) fn new(limit: usize, retain: Retain) -> Self {
        Self {
            entries: HashMap::new(),
            by_age: BTreeMap::new(),
            keys: HashMap::new(),
            queue: VecDeque::new(),
            finished: VecDeque::new(),
            counts: Counts::default(),
            asking: 0,
            feed: Arc::default(),
            endings: None,
            arriving: 0,
            inserted: 0,
            limit,
            retain,
            working: 0,
        }
    }

    /// Asks for a place in the queue, and for `key` if there is one.
    pub(super) fn reserve(&mut self, key: Option<&str>) -> Place {
        match key.and_then(|key| self.keys.get(key)) {
            Some(Key::Accepted(id)) => return Place::Taken(id.clone()),
            Some(Key::Arriving(written)) => return Place::Arriving(written.clone()),
            None => {}
        }
        if self.queue.len() + self.arriving >= self.limit {
            return Place::Full;
        }
        self.arriving += 1;
        if let Some(key) = key {
            self.keys.insert(key.to_owned(), Key::Arriving(CancellationToken::new()));
        }
        Place::Yours
    }

    /// The task is in the journal: it takes the reserved place.
    pub(super) fn accept(&mut self, task: Task) {
        self.arriving -= 1;
        let id = task.task_id.clone();
        self.insert(task);
        self.feed.note(&id);
        self.queue.push_back(id);
    }

    /// The task is not in the journal: the reserved place and key are free again.
    pub(super) fn give_up(&mut self, key: Option<&str>) {
        self.arriving -= 1;
        if let Some(Key::Arriving(written)) = key.and_then(|key| self.keys.remove(key)) {
            written.cancel();
        }
    }

    /// Adds a task that waits for nobody: one of an earlier run, or on its way to [`Table::enqueue`].
    pub(super) fn insert(&mut self, task: Task) {
        let id = task.task_id.clone();
        *self.counts.of(task.status) += 1;
        self.asking += usize::from(!task.waiting.is_empty());
        if let Some(key) = &task.idempotency_key
            && let Some(Key::Arriving(written)) = self.keys.insert(key.clone(), Key::Accepted(id.clone()))
        {
            written.cancel();
        }
        self.inserted += 1;
        self.by_age.insert((task.created_at, self.inserted), id.clone());
        let over = task.status.is_final();
        let entry = Entry {
            task: watch::Sender::new(Arc::new(task)),
            cancel: CancellationToken::new(),
            claimed: false,
            deciding: Vec::new(),
            resuming: false,
            order: self.inserted,
        };
        self.entries.insert(id.clone(), entry);
        if over {
            self.forget_after(id);
        }
    }

    /// Lets a task of an earlier run wait, even when the queue is full: it was accepted then.
    pub(super) fn enqueue(&mut self, id: TaskId) {
        self.queue.push_back(id);
    }

    /// Takes the next waiting task for a worker.
    pub(super) fn claim(&mut self) -> Option<(Arc<Task>, CancellationToken)> {
        let id = self.queue.pop_front()?;
        self.hand_out(&id)
    }

    /// Takes this waiting task, out of turn.
    pub(super) fn claim_one(&mut self, id: &TaskId) -> Option<(Arc<Task>, CancellationToken)> {
        let place = self.queue.iter().rposition(|waiting| waiting == id)?;
        self.queue.remove(place);
        self.hand_out(id)
    }

    fn hand_out(&mut self, id: &TaskId) -> Option<(Arc<Task>, CancellationToken)> {
        let entry = self.entries.get_mut(id)?;
        entry.claimed = true;
        Some((entry.task.borrow().clone(), entry.cancel.clone()))
    }

    /// Counts one more worker, if something waits and there may be more than there are.
    pub(super) fn hire(&mut self, most: usize) -> bool {
        let needed = !self.queue.is_empty() && self.working < most;
        self.working += usize::from(needed);
        needed
    }

    /// Counts one worker less.
    pub(super) fn let_go(&mut self) {
        self.working -= 1;
    }

    /// Takes a task in order to cancel it, or tells the worker that has it.
    pub(super) fn cancel(&mut self, id: &TaskId) -> Cancelling {
        let Some(entry) = self.entries.get_mut(id) else { return Cancelling::NotFound };
        let status = entry.task.borrow().status;
        if status.is_final() {
            return Cancelling::Final(status);
        }
        if entry.claimed {
            entry.cancel.cancel();
            return Cancelling::Told;
        }
        entry.claimed = true;
        if let Some(place) = self.queue.iter().position(|waiting| waiting == id) {
            self.queue.remove(place);
        }
        Cancelling::Yours
    }

    /// Lets a task wait again that [`Table::cancel`] took but that could not be ended: for its decision, or for a
    /// worker, if it can be done here.
    pub(super) fn put_back(&mut self, id: &TaskId, can_do: impl Fn(&Kind) -> bool) {
        if let Some(entry) = self.entries.get_mut(id) {
            entry.claimed = false;
            let task = entry.task.borrow();
            if task.status == Status::Pending && can_do(&task.kind) {
                self.queue.push_front(id.clone());
            }
        }
    }

    /// Takes a worker's task from it until one of `steps` is decided; tells whether that is so. It is not when one of them
    /// was decided meanwhile, or the task was told to stop.
    pub(super) fn park(&mut self, id: &TaskId, steps: &[String]) -> bool {
        // One that was told to stop stays with its worker, which alone can end it.
        if self.entries.get(id).is_none_or(|entry| entry.cancel.is_cancelled()) {
            return false;
        }
        let mut parked = false;
        self.update(id, |task| parked = task.park(steps));
        if parked && let Some(entry) = self.entries.get_mut(id) {
            entry.claimed = false;
        }
        parked
    }

    /// Reserves a decision: what it is about. It is yours until [`Table::end_decision`] or [`Table::drop_decision`].
    pub(super) fn begin_decision(&mut self, id: &TaskId, step: Option<&str>) -> Result<Waiting, Error> {
        let entry = self.entries.get_mut(id).ok_or_else(|| Error::NotFound { id: id.clone() })?;
        let task = entry.task.borrow().clone();
        let waiting = task.asked(step)?.clone();
        // A parked task that is claimed is on its way to be cancelled.
        if task.status == Status::AwaitingApproval && entry.claimed {
            return Err(Error::Final { id: id.clone(), status: Status::Cancelled });
        }
        if entry.deciding.contains(&waiting.step) {
            return Err(Error::Decided { id: id.clone(), step: waiting.step });
        }
        entry.deciding.push(waiting.step.clone());
        Ok(waiting)
    }

    /// The decision is on the disk: the task goes on, if nobody has it and somebody here can do it.
    pub(super) fn end_decision(
        &mut self,
        id: &TaskId,
        record: StepRecord,
        can_do: impl Fn(&Kind) -> bool,
    ) -> Result<Arc<Task>, Error> {
        self.drop_decision(id, &record.step);
        let task = self.get(id).ok_or_else(|| Error::NotFound { id: id.clone() })?;
        if task.status.is_final() {
            return Err(Error::Final { id: id.clone(), status: task.status });
        }
        self.update(id, |task| task.step(record));
        // One that is claimed is being worked on or cancelled. One of an earlier run that had asked but was not parked
        // yet may be in the queue or left to itself.
        let idle = self.entries.get(id).is_some_and(|entry| !entry.claimed) && !self.queue.contains(id);
        if idle && can_do(&task.kind) {
            self.queue.push_back(id.clone());
        }
        Ok(self.get(id).unwrap_or(task))
    }

    /// The decision is not on the disk, or no longer on its way there.
    pub(super) fn drop_decision(&mut self, id: &TaskId, step: &str) {
        if let Some(entry) = self.entries.get_mut(id) {
            entry.deciding.retain(|other| other != step);
        }
    }

    /// Changes what nobody waits for: those who watch the task see it with its next change.
    pub(super) fn amend(&mut self, id: &TaskId, change: impl FnOnce(&mut Task)) {
        let Some(entry) = self.entries.get(id) else { return };
        entry.task.send_if_modified(|task| {
            change(Arc::make_mut(task));
            false
        });
    }

    /// Reserves an ended task to go on, and a place in the queue. It is yours until [`Table::end_resume`] or
    /// [`Table::drop_resume`], and is not forgotten meanwhile.
    pub(super) fn begin_resume(
        &mut self,
        id: &TaskId,
        can_do: impl Fn(&Kind) -> bool,
    ) -> Result<Arc<Task>, Error> {
        let entry = self.entries.get_mut(id).ok_or_else(|| Error::NotFound { id: id.clone() })?;
        let task = entry.task.borrow().clone();
        // One that is on its way to go on is as good as waiting.
        let status = if entry.resuming { Status::Pending } else { task.status };
        // What an earlier process left, and this one was not to begin.
        let left = task.status == Status::Pending && !entry.claimed && !self.queue.contains(id);
        if entry.resuming || !(left || task.can_resume()) {
            return Err(Error::NotResumable { id: id.clone(), status });
        }
        if !can_do(&task.kind) {
            return Err(Error::UnknownKind { kind: task.kind.as_str().to_owned() });
        }
        if self.queue.len() + self.arriving >= self.limit {
            return Err(Error::Full { limit: self.limit });
        }
        entry.resuming = true;
        self.arriving += 1;
        self.finished.retain(|ended| ended != id);
        Ok(task)
    }

    /// It is on record that the task goes on: it waits for a worker.
    pub(super) fn end_resume(&mut self, id: &TaskId, again: Again) -> Option<Arc<Task>> {
        self.arriving -= 1;
        let entry = self.entries.get_mut(id)?;
        (entry.resuming, entry.claimed, entry.cancel) = (false, false, CancellationToken::new());
        self.update(id, |task| task.resume(again));
        self.queue.push_back(id.clone());
        self.get(id)
    }

    /// It could not be recorded that the task goes on: it stays as it ended.
    pub(super) fn drop_resume(&mut self, id: &TaskId) {
        self.arriving -= 1;
        if let Some(entry) = self.entries.get_mut(id) {
            entry.resuming = false;
            if entry.task.borrow().status.is_final() {
                self.forget_after(id.clone());
            }
        }
    }

    /// Changes a task and tells those who watch it.
    pub(super) fn update(&mut self, id: &TaskId, change: impl FnOnce(&mut Task)) {
        let Some(entry) = self.entries.get(id) else { return };
        let of = |task: &Task| (task.status, usize::from(!task.waiting.is_empty()));
        let (before, asked) = of(&entry.task.borrow());
        entry.task.send_modify(|task| change(Arc::make_mut(task)));
        self.feed.note(id);
        let (after, asks) = of(&entry.task.borrow());
        self.asking = self.asking + asks - asked;
        *self.counts.of(before) -= 1;
        *self.counts.of(after) += 1;
        if after.is_final() && !before.is_final() {
            if let Some(endings) = &self.endings {
                endings.note(id);
            }
            measure(&entry.task.borrow());
            self.forget_after(id.clone());
        }
    }

    /// Notes a finished task and forgets the oldest beyond those to retain.
    fn forget_after(&mut self, id: TaskId) {
        self.finished.push_back(id);
        let now = clock::now();
        while let Some(oldest) = self.finished.front() {
            let count = self.finished.len();
            let keeps = |entry: &Entry| !self.retain.is_over(count, &entry.task.borrow(), now);
            if self.entries.get(oldest).is_some_and(keeps) {
                return;
            }
            let Some(oldest) = self.finished.pop_front() else { return };
            let Some(entry) = self.entries.remove(&oldest) else { continue };
            self.feed.forget(&oldest);
            if let Some(endings) = &self.endings {
                endings.forget(&oldest);
            }
            let task = entry.task.borrow().clone();
            *self.counts.of(task.status) -= 1;
            self.asking -= usize::from(!task.waiting.is_empty());
            self.by_age.remove(&(task.created_at, entry.order));
            if let Some(key) = &task.idempotency_key
                && matches!(self.keys.get(key), Some(Key::Accepted(owner)) if *owner == oldest)
            {
                self.keys.remove(key);
            }
        }
    }

    /// How long the task has waited that is begun next.
    pub(super) fn queue_age(&self) -> Option<Duration> {
        let oldest = self.get(self.queue.front()?)?.created_at;
        Some(Duration::try_from(clock::now().duration_since(oldest)).unwrap_or_default())
    }

    pub(super) fn get(&self, id: &TaskId) -> Option<Arc<Task>> {
        Some(self.entries.get(id)?.task.borrow().clone())
    }

    pub(super) fn watch(&self, id: &TaskId) -> Option<watch::Receiver<Arc<Task>>> {
        Some(self.entries.get(id)?.task.subscribe())
    }

    pub(super) fn list(&self, filter: &Filter) -> Vec<Arc<Task>> {
        self.by_age
            .values()
            .rev()
            .filter_map(|id| self.get(id))
            .filter(|task| filter.fits(task))
            .take(filter.limit.unwrap_or(usize::MAX))
            .collect()
    }

    /// Which tasks have changed.
    pub(super) fn feed(&self) -> Arc<Feed> {
        Arc::clone(&self.feed)
    }

    /// Which tasks end from now on; with `earlier`, also those that have ended before.
    pub(super) fn endings(&mut self, earlier: bool) -> Arc<Feed> {
        let feed = Arc::clone(self.endings.get_or_insert_default());
        for id in self.finished.iter().filter(|_| earlier) {
            feed.note(id);
        }
        feed
    }

    pub(super) fn counts(&self) -> Counts {
        self.counts
    }

    /// How many tasks ask for a decision, parked or not.
    pub(super) fn asking(&self) -> usize {
        self.asking
    }
}

/// Measures a task that has just ended. Only kinds that have a body come here.
fn measure(task: &Task) {
    let kind = task.kind.as_str().to_owned();
    counter!(metric::TASKS_ENDED, "kind" => kind.clone(), "status" => task.status.as_str()).increment(1);
    if let Some(ended) = task.completed_at {
        let took = Duration::try_from(ended.duration_since(task.created_at)).unwrap_or_default();
        histogram!(metric::TASK_SECONDS, "kind" => kind).record(took);
    }
}

//! The tasks in memory: what is known of each, who waits, in which order.

mod again;
mod decisions;
mod hear;
mod look;
mod queue;
mod replicas;
mod retain;
mod waiting;

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use jiff::Timestamp;
use metrics::{counter, histogram};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

pub use self::look::Counts;
use self::queue::Queue;
pub(super) use self::{
    again::Resuming, hear::Heard, look::Found, replicas::Brief, retain::Retain, waiting::Cancelling,
};
use super::{Kind, Spent, Summary, Task, TaskId, feed::Feed};
use crate::{
    base::{IdMap, metric},
    store::log::{Records, Subject},
};

/// All live tasks, and in brief the newest of those that are over. Every operation is short: O(log n) at most, except
/// listing, and among replicas what looks at all that is live: whether a lane is full, and what one that is gone had.
#[derive(Debug)]
pub(super) struct Table {
    live: IdMap<TaskId, Live>,
    over: IdMap<TaskId, Over>,
    by_age: BTreeSet<(Timestamp, TaskId)>,
    keys: HashMap<String, Key>,
    queue: Queue,
    /// Finished tasks by when they ended, the one to forget first at the front.
    finished: BTreeSet<(Timestamp, TaskId)>,
    /// Those among the finished that are not forgotten yet, as somebody has to see to them; in no other list of the finished.
    owed: BTreeSet<(Timestamp, TaskId)>,
    /// Finished tasks that the index does not tell of as they are.
    fresh: Vec<TaskId>,
    counts: Counts,
    /// How many tasks ask for a decision, parked or not.
    asking: usize,
    /// Told of every change.
    feed: Arc<Feed>,
    /// Told of every task that ends, once somebody listens.
    endings: Option<Arc<Feed>>,
    /// Tasks on their way into the journal, which already have a place in the queue.
    arriving: usize,
    limit: usize,
    retain: Retain,
    /// How many workers there are.
    working: usize,
    /// Where tasks are that are over.
    rest: Rest,
    next: Subject,
    /// The kinds that can be done here.
    kinds: HashSet<Kind>,
    /// The name of this replica, where several share the tasks.
    me: Option<Arc<str>>,
    /// Whether this replica takes what nobody has; else only what it was asked for itself.
    takes: bool,
    /// How many of one lane are worked on in all replicas, at most.
    lanes: Option<usize>,
    /// Tasks that other replicas may still know, and that are to be removed for all.
    forgotten: Vec<TaskId>,
}

/// Where all there is of tasks is that are over.
#[derive(Debug)]
enum Rest {
    /// Here.
    Here,
    /// In the journal.
    Records(Records),
    /// In a journal that replicas share.
    Shared,
}

/// A task that is not over.
#[derive(Debug)]
struct Live {
    task: watch::Sender<Arc<Task>>,
    subject: Subject,
    cancel: CancellationToken,
    /// Whether a worker or a cancellation has taken it, so that nobody else may.
    claimed: bool,
    /// Steps whose decisions are being written.
    deciding: Vec<String>,
    /// Whether it has waited for its lane before.
    in_lane: bool,
    /// Whether it is being written that it goes on although this process was not to begin it.
    resuming: bool,
    /// The replica that has it, where there are several.
    owner: Option<Arc<str>>,
    /// How often work on it began since a step last finished; counted where replicas share tasks.
    fruitless: u32,
}

/// A task that is over.
#[derive(Debug)]
struct Over {
    summary: Arc<Summary>,
    subject: Subject,
    /// All of it, where there is no journal to read it from.
    held: Option<Arc<Task>>,
    /// Whether it is being written that it goes on although it had ended.
    resuming: bool,
    /// The replica that sees to its result, where there are several.
    owner: Option<Arc<str>>,
    /// Whether its result was seen to, as all replicas know.
    is_settled: bool,
}

#[derive(Debug)]
enum Key {
    Accepted(TaskId),
    /// Being written; the token fires once that has succeeded or failed.
    Arriving(CancellationToken),
}

/// Whether a full queue is a reason to refuse a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Room {
    /// It is to wait there.
    Needed,
    /// It is begun at once.
    Spared,
}

/// What became of asking for a place in the queue.
pub(super) enum Place {
    /// It is yours, and so is the number for what is written about the task; call [`Table::accept`] or
    /// [`Table::give_up`].
    Yours(Subject),
    /// The key belongs to a task.
    Taken(TaskId),
    /// The key belongs to a task being written; ask again when the token fires.
    Arriving(CancellationToken),
    /// There is none.
    Full,
}

impl Table {
    pub(super) fn new(limit: usize, retain: Retain) -> Self {
        Self {
            live: IdMap::default(),
            over: IdMap::default(),
            by_age: BTreeSet::new(),
            keys: HashMap::new(),
            queue: Queue::default(),
            finished: BTreeSet::new(),
            owed: BTreeSet::new(),
            fresh: Vec::new(),
            counts: Counts::default(),
            asking: 0,
            feed: Arc::default(),
            endings: None,
            arriving: 0,
            limit,
            retain,
            working: 0,
            rest: Rest::Here,
            next: 0,
            kinds: HashSet::new(),
            me: None,
            takes: true,
            lanes: None,
            forgotten: Vec::new(),
        }
    }

    /// Tasks of these kinds can be done here.
    pub(super) fn can_do(&mut self, kinds: impl IntoIterator<Item = Kind>) {
        self.kinds.extend(kinds);
    }

    /// At most so many of one lane are worked on in all replicas that share the tasks.
    pub(super) fn keep_lanes(&mut self, width: Option<usize>) {
        self.lanes = width;
    }

    /// Tasks are on the disk too.
    pub(super) fn keep_in(&mut self, records: Records) {
        self.rest = Rest::Records(records);
    }

    /// So many tasks that are over are about to be added.
    pub(super) fn expect(&mut self, over: usize) {
        self.over.reserve(over);
    }

    /// Asks for a place in the queue, and for `key` if there is one.
    pub(super) fn reserve(&mut self, key: Option<&str>, room: Room) -> Place {
        match key.and_then(|key| self.keys.get(key)) {
            Some(Key::Accepted(id)) => return Place::Taken(id.clone()),
            Some(Key::Arriving(written)) => return Place::Arriving(written.clone()),
            None => {}
        }
        if room == Room::Needed && self.is_full() {
            return Place::Full;
        }
        self.arriving += 1;
        if let Some(key) = key {
            self.keys.insert(key.to_owned(), Key::Arriving(CancellationToken::new()));
        }
        self.next += 1;
        Place::Yours(self.next)
    }

    fn is_full(&self) -> bool {
        self.queue.len() + self.arriving >= self.limit
    }

    /// The task is in the journal, and what was reserved for it is free again.
    pub(super) fn arrived(&mut self) {
        self.arriving -= 1;
    }

    /// The task is in the journal: it takes the reserved place.
    pub(super) fn accept(&mut self, task: Task, subject: Subject) {
        self.arrived();
        let (id, priority) = (task.task_id.clone(), task.priority);
        self.insert(task, subject);
        self.feed.note(&id);
        self.queue.push(id, priority);
    }

    /// The task is not in the journal: the reserved place and key are free again.
    pub(super) fn give_up(&mut self, key: Option<&str>) {
        self.arriving -= 1;
        let Some(key) = key.filter(|key| matches!(self.keys.get(*key), Some(Key::Arriving(_)))) else {
            return;
        };
        if let Some(Key::Arriving(written)) = self.keys.remove(key) {
            written.cancel();
        }
    }

    /// Adds a task that waits for nobody: one of an earlier run, or on its way to [`Table::enqueue`].
    pub(super) fn insert(&mut self, task: Task, subject: Subject) {
        self.know(&task.task_id, task.created_at, task.idempotency_key.as_ref(), subject);
        *self.counts.of(task.status) += 1;
        self.asking += usize::from(!task.waiting.is_empty());
        let (id, is_over) = (task.task_id.clone(), task.status.is_final());
        let entry = Live {
            cancel: CancellationToken::new(),
            claimed: false,
            deciding: Vec::new(),
            resuming: false,
            in_lane: false,
            owner: None,
            fruitless: 0,
            subject,
            task: watch::Sender::new(Arc::new(task)),
        };
        self.live.insert(id.clone(), entry);
        if is_over {
            self.bury(&id);
        }
    }

    /// Adds tasks of an earlier run that are over, those that ended first before others, and of which the index may have
    /// been told.
    pub(super) fn insert_over(&mut self, over: Vec<(Subject, Arc<Summary>, bool)>) {
        self.over.reserve(over.len());
        // There may be very many: sets are made of all at once, which is quicker than one after the other.
        let (mut by_age, mut finished, mut owed) = (Vec::with_capacity(over.len()), Vec::new(), Vec::new());
        for (subject, summary, told) in over {
            let id = summary.task_id.clone();
            self.own(&id, summary.idempotency_key.as_ref(), subject);
            by_age.push((summary.created_at, id.clone()));
            let among = if self.retain.is_owed(&summary) { &mut owed } else { &mut finished };
            among.push((summary.ended_at(), id.clone()));
            *self.counts.of(summary.status) += 1;
            self.counts.dead += usize::from(summary.dead);
            if !told {
                self.fresh.push(id.clone());
            }
            let (held, owner) = (None, None);
            self.over.insert(id, Over { summary, subject, held, resuming: false, owner, is_settled: false });
        }
        self.by_age.append(&mut by_age.into_iter().collect());
        self.finished.append(&mut finished.into_iter().collect());
        self.owed.append(&mut owed.into_iter().collect());
    }

    fn know(&mut self, id: &TaskId, at: Timestamp, key: Option<&String>, subject: Subject) {
        self.by_age.insert((at, id.clone()));
        self.own(id, key, subject);
    }

    /// The number and the key are those of a task.
    fn own(&mut self, id: &TaskId, key: Option<&String>, subject: Subject) {
        self.next = self.next.max(subject);
        if let Some(key) = key
            && let Some(Key::Arriving(written)) = self.keys.insert(key.clone(), Key::Accepted(id.clone()))
        {
            written.cancel();
        }
    }

    /// Changes a task and tells those who watch it.
    pub(super) fn update(&mut self, id: &TaskId, change: impl FnOnce(&mut Task)) {
        let Some(entry) = self.live.get(id) else { return };
        let of = |task: &Task| (task.status, usize::from(!task.waiting.is_empty()));
        let (before, asked) = of(&entry.task.borrow());
        entry.task.send_modify(|task| change(Arc::make_mut(task)));
        self.feed.note(id);
        let (after, asks) = of(&entry.task.borrow());
        self.asking = self.asking + asks - asked;
        *self.counts.of(before) -= 1;
        *self.counts.of(after) += 1;
        if after.is_final() && !before.is_final() {
            // Of those that end elsewhere others are told.
            if entry.owner == self.me {
                if let Some(endings) = &self.endings {
                    endings.note(id);
                }
                measure(&entry.task.borrow());
            }
            self.bury(id);
        }
    }

    /// Keeps of a task that is over only what is always needed. Those who watch it have seen its end.
    fn bury(&mut self, id: &TaskId) {
        let Some(entry) = self.live.remove(id) else { return };
        let task = entry.task.borrow().clone();
        self.counts.dead += usize::from(task.dead);
        let summary = Arc::new(Summary::from(&*task));
        let held = match &self.rest {
            Rest::Records(records) => {
                records.seal(entry.subject);
                self.fresh.push(id.clone());
                None
            }
            Rest::Here => Some(task),
            Rest::Shared => None,
        };
        let Live { subject, owner, .. } = entry;
        let over = Over { summary, subject, held, resuming: false, owner, is_settled: false };
        self.over.insert(id.clone(), over);
        self.note_finished(id);
        self.forget();
    }

    /// Changes what nobody waits for: those who watch the task see it with its next change.
    pub(super) fn spend(&mut self, id: &TaskId, spent: Spent) {
        if let Some(entry) = self.live.get(id) {
            entry.task.send_if_modified(|task| {
                Spent::add(&mut Arc::make_mut(task).spent, spent);
                false
            });
        } else if let Some(entry) = self.over.get_mut(id) {
            if let Some(held) = &mut entry.held {
                Spent::add(&mut Arc::make_mut(held).spent, spent.clone());
            }
            Spent::add(&mut Arc::make_mut(&mut entry.summary).spent, spent);
            if let Rest::Records(_) = self.rest {
                self.fresh.push(id.clone());
            }
        }
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

//! Tasks that replicas share: which of them has a task, and what may happen to it.
//!
//! All replicas hear the same events in the same order, so that all of them know the same owner. What one of them wants to
//! have happened is admitted, or not, with everything in sight that happened before.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Key, Live, Over, Rest, Table};
use crate::tasks::{
    Spent, Status, Summary, Task, TaskId,
    journal::{Again, Event},
    lanes::lane_of,
    replay::Known,
};

/// What is kept of a task that is over, beside its lines.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::tasks) struct Brief {
    summary: Arc<Summary>,
    /// The replica that sees to its result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    by: Option<Arc<str>>,
    /// Whether that was seen to.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    settled: bool,
}

impl Live {
    /// Whether another replica than `me` has it.
    pub(super) fn is_elsewhere(&self, me: Option<&Arc<str>>) -> bool {
        self.owner.is_some() && self.owner.as_ref() != me
    }
}

impl Brief {
    /// When the task ended.
    pub(in crate::tasks) fn ended_at(&self) -> jiff::Timestamp {
        self.summary.ended_at()
    }

    /// What is kept of a task that is over, as a line; `None` for one that is not.
    pub(in crate::tasks) fn of(known: Known) -> Option<String> {
        let Known { task, owner: by, is_settled: settled, .. } = known;
        let summary = task.status.is_final().then(|| Arc::new(Summary::from(&task)))?;
        Some(Self { summary, by, settled }.line())
    }

    pub(in crate::tasks) fn into_summary(self) -> Arc<Summary> {
        self.summary
    }

    fn line(&self) -> String {
        serde_json::to_string(self).expect("text, numbers and JSON values always become JSON")
    }
}

impl Table {
    /// This process is the replica `me` among others; it `takes` what nobody has, or only what it was asked for itself.
    pub(in crate::tasks) fn join(&mut self, me: Arc<str>, takes: bool) {
        (self.me, self.takes, self.rest) = (Some(me), takes, Rest::Shared);
    }

    /// Adds a task that ended before this replica came. Those that ended first come first.
    pub(in crate::tasks) fn insert_brief(&mut self, Brief { summary, by, settled }: Brief) {
        let id = summary.task_id.clone();
        let subject = self.next + 1;
        self.know(&id, summary.created_at, summary.idempotency_key.as_ref(), subject);
        *self.counts.of(summary.status) += 1;
        self.counts.dead += usize::from(summary.dead);
        let over = Over { summary, subject, held: None, resuming: false, owner: by, is_settled: settled };
        self.over.insert(id.clone(), over);
        self.note_finished(&id);
    }

    /// Adds a task as it stands, in place of what was known of it.
    pub(in crate::tasks) fn insert_known(&mut self, known: Known, ours: bool) {
        let Known { task, fruitless, owner, is_stopped, is_settled, .. } = known;
        let id = task.task_id.clone();
        self.unknow(&id);
        if task.status.is_final() {
            let summary = Arc::new(Summary::from(&task));
            return self.insert_brief(Brief { summary, by: owner, settled: is_settled });
        }
        let subject = self.next + 1;
        self.insert(task, subject);
        self.feed.note(&id);
        let me = self.me.clone();
        let Some(entry) = self.live.get_mut(&id) else { return };
        (entry.fruitless, entry.owner) = (fruitless, owner);
        if is_stopped {
            entry.cancel.cancel();
        }
        let is_mine = entry.owner.is_some() && entry.owner == me;
        let task = entry.task.borrow().clone();
        if is_mine && task.status == Status::Pending {
            self.queue.push(id, task.priority);
        } else {
            self.wait_for_worker(&id, ours);
        }
    }

    /// As if the task had never been known.
    fn unknow(&mut self, id: &TaskId) {
        if let Some(entry) = self.live.remove(id) {
            let task = entry.task.borrow().clone();
            *self.counts.of(task.status) -= 1;
            self.asking -= usize::from(!task.waiting.is_empty());
            self.by_age.remove(&(task.created_at, id.clone()));
            self.queue.remove(id);
        }
        self.keep(id);
        if let Some(Over { summary, .. }) = self.over.remove(id) {
            *self.counts.of(summary.status) -= 1;
            self.counts.dead -= usize::from(summary.dead);
            self.by_age.remove(&(summary.created_at, id.clone()));
        }
    }

    /// Whether a task that goes on has to be read first.
    pub(in crate::tasks) fn must_read(&self, id: &TaskId) -> bool {
        !self.live.contains_key(id)
    }

    /// Whether the task may begin here as soon as it is accepted, so that no other replica need look at it.
    pub(in crate::tasks) fn has_room(&self, workers: usize) -> bool {
        !self.takes || (self.working + self.arriving <= workers && !self.queue.is_ready())
    }

    /// Whether this may happen, in `attempt` of its task if it is part of one.
    pub(in crate::tasks) fn admits(&self, event: &Event<'_>, attempt: Option<u32>) -> bool {
        let id = event.task_id();
        let Some(entry) = self.live.get(id) else {
            let over = self.over.get(id);
            return match event {
                Event::Created { task, .. } => over.is_none() && !self.is_accepted(task),
                // What was paid by whoever ended it is paid.
                Event::Spent { .. } => over.is_some_and(|over| over.owner == self.me),
                Event::Resumed { .. } => over.is_some_and(|over| over.summary.can_resume()),
                Event::Adopted { by, .. } => {
                    over.is_some_and(|over| !over.is_settled && over.owner.as_ref() != Some(by))
                }
                Event::Settled { resumed, .. } => {
                    over.is_some_and(|over| !over.is_settled && over.summary.resumed == *resumed)
                }
                _ => false,
            };
        };
        let task = entry.task.borrow();
        let is_free = !entry.is_elsewhere(self.me.as_ref());
        if let Some(attempt) = attempt {
            return is_free
                && entry.owner.is_some()
                && task.attempts == attempt
                && task.status == Status::Running;
        }
        match event {
            Event::Started { attempt, .. } => {
                let waits = is_free && task.status == Status::Pending && task.attempts + 1 == *attempt;
                waits && !self.is_lane_full(&task)
            }
            // A decision.
            Event::Step { record, .. } => task.waiting.iter().any(|waiting| waiting.step == record.step),
            // Somebody cancels what waits.
            Event::Finished { .. } => is_free && task.status != Status::Running,
            Event::Resumed { .. } => entry.owner.is_none() && task.status == Status::Pending,
            Event::Stop { .. } => !entry.cancel.is_cancelled(),
            Event::Left { by, .. } => entry.owner.as_ref() == Some(by),
            _ => false,
        }
    }

    /// Whether as many of the same lane are worked on as may be.
    fn is_lane_full(&self, task: &Task) -> bool {
        let Some(width) = self.lanes else { return false };
        let lane = lane_of(task);
        let running = self.live.values().filter(|entry| {
            let other = entry.task.borrow();
            other.status == Status::Running && other.task_id != task.task_id && lane_of(&other) == lane
        });
        running.count() >= width
    }

    fn is_accepted(&self, task: &Task) -> bool {
        let key = task.idempotency_key.as_ref().and_then(|key| self.keys.get(key));
        matches!(key, Some(Key::Accepted(_)))
    }

    /// What is kept of a task in brief once this has happened; the inner `None` is for nothing, the outer for no change.
    #[expect(clippy::option_option, reason = "nothing, and no change")]
    pub(in crate::tasks) fn brief_after(&self, event: &Event<'_>) -> Option<Option<String>> {
        let id = event.task_id();
        let of_over = |change: &dyn Fn(&mut Brief)| {
            let over = self.over.get(id)?;
            let (summary, by) = (Arc::clone(&over.summary), over.owner.clone());
            let mut brief = Brief { summary, by, settled: over.is_settled };
            change(&mut brief);
            Some(Some(brief.line()))
        };
        match event {
            Event::Created { .. } | Event::Resumed { .. } => Some(None),
            Event::Finished { by, ending, .. } => {
                let mut task = Task::clone(&*self.live(id)?);
                task.end(ending.clone().into_owned());
                let summary = Arc::new(Summary::from(&task));
                Some(Some(Brief { summary, by: by.clone(), settled: false }.line()))
            }
            Event::Spent { spent, .. } => of_over(&|brief| {
                Spent::add(&mut Arc::make_mut(&mut brief.summary).spent, spent.clone().into_owned());
            }),
            Event::Adopted { by, .. } => of_over(&|brief| brief.by = Some(Arc::clone(by))),
            Event::Settled { .. } => of_over(&|brief| brief.settled = true),
            _ => None,
        }
    }

    /// The replica `by` is gone. If another has the task by now, that is nothing to it.
    pub(super) fn leave(&mut self, id: &TaskId, by: &Arc<str>) {
        if self.live.get(id).is_none_or(|entry| entry.owner.as_ref() != Some(by)) {
            return;
        }
        self.update(id, Task::leave);
        let Some(entry) = self.live.get_mut(id) else { return };
        entry.owner = None;
        entry.claimed = false;
        // Whoever does it here has lost it, which is not the same as being told to stop.
        if !entry.cancel.is_cancelled() {
            std::mem::take(&mut entry.cancel).cancel();
        }
        self.wait_for_worker(id, false);
    }

    /// Another replica sees to the result of a task.
    pub(super) fn adopt(&mut self, id: &TaskId, by: &Arc<str>) {
        let Some(over) = self.over.get_mut(id) else { return };
        over.owner = Some(Arc::clone(by));
        if let Some(endings) = self.endings.as_ref().filter(|_| self.me.as_ref() == Some(by)) {
            endings.note(id);
        }
    }

    /// The result of a task was seen to.
    pub(super) fn settle(&mut self, id: &TaskId, resumed: u32) {
        if let Some(over) = self.over.get_mut(id).filter(|over| over.summary.resumed == resumed) {
            over.is_settled = true;
            self.release(id, resumed);
        }
    }

    /// Whether all replicas have to be told that this one has seen to the end of a task that came after `resumed`
    /// resumptions.
    pub(in crate::tasks) fn has_to_settle(&self, id: &TaskId, resumed: u32) -> bool {
        let over = self.over.get(id);
        let is_owed = |over: &&Over| self.owed.contains(&(over.summary.ended_at(), id.clone()));
        self.me.is_some()
            && over.filter(is_owed).is_some_and(|over| over.summary.resumed == resumed && !over.is_settled)
    }

    /// Whether this process sees to the result of a task that is over.
    pub(in crate::tasks) fn sees_to(&self, id: &TaskId) -> bool {
        self.me.is_none() || self.over.get(id).is_some_and(|over| over.owner == self.me)
    }

    /// The other replicas that have something to do.
    pub(in crate::tasks) fn owners(&self) -> Vec<Arc<str>> {
        let live = self.live.values().filter_map(|entry| entry.owner.as_ref());
        let owed = self.owed.iter().filter_map(|(_, id)| self.over.get(id)?.owner.as_ref());
        let mut owners: Vec<_> =
            live.chain(owed).filter(|owner| Some(*owner) != self.me.as_ref()).cloned().collect();
        owners.sort_unstable();
        owners.dedup();
        owners
    }

    /// What follows from these replicas being gone: what they had waits again, and this one sees to results instead.
    pub(in crate::tasks) fn after(&self, gone: &[Arc<str>]) -> Vec<Event<'static>> {
        let is_gone = |owner: &Option<Arc<str>>| owner.as_ref().filter(|owner| gone.contains(owner)).cloned();
        let live = self
            .live
            .iter()
            .filter_map(|(id, entry)| Some(Event::Left { task_id: id.clone(), by: is_gone(&entry.owner)? }));
        let owed = self.owed.iter().filter_map(|(_, id)| {
            is_gone(&self.over.get(id)?.owner)?;
            Some(Event::Adopted { task_id: id.clone(), by: self.me.clone()? })
        });
        live.chain(owed).collect()
    }

    /// What follows from this replica leaving: what it had waits for others.
    pub(in crate::tasks) fn held(&self) -> Vec<Event<'static>> {
        let mine = self.live.iter().filter(|(_, entry)| entry.owner.is_some() && entry.owner == self.me);
        mine.filter_map(|(id, entry)| Some(Event::Left { task_id: id.clone(), by: entry.owner.clone()? }))
            .collect()
    }

    /// Whether this replica has the task and nobody works on it.
    pub(in crate::tasks) fn waits_here(&self, id: &TaskId) -> bool {
        self.live.get(id).is_some_and(|entry| entry.owner == self.me && !entry.claimed)
    }

    /// How often work on the task began without getting anywhere, where replicas share it.
    pub(in crate::tasks) fn fruitless(&self, id: &TaskId) -> u32 {
        self.live.get(id).filter(|_| self.me.is_some()).map_or(0, |entry| entry.fruitless)
    }

    /// A task that could not be begun here is free for whoever can. Where that is this replica, it waits for its lane, or is
    /// the next one if there is room in that by now.
    pub(in crate::tasks) fn let_be(&mut self, id: &TaskId) {
        let Some(task) = self.live(id) else { return };
        let is_full = self.is_lane_full(&task);
        let me = self.me.clone();
        let Some(entry) = self.live.get_mut(id) else { return };
        entry.put_down();
        let waits = task.status == Status::Pending && !entry.is_elsewhere(me.as_ref());
        let may_begin = self.takes || entry.owner == me;
        if !waits || self.queue.contains(id) {
            return;
        }
        if is_full {
            self.wait_in_lane(id, lane_of(&task));
        } else if may_begin {
            match task.retry_at {
                Some(due) => self.queue.push_later(id.clone(), due),
                None => self.queue.push_first(id.clone(), task.priority),
            }
        }
    }

    /// Takes tasks that were forgotten here, as far as no other replica had them go on.
    pub(in crate::tasks) fn take_forgotten(&mut self, most: usize) -> Vec<TaskId> {
        let most = most.min(self.forgotten.len());
        let taken: Vec<_> = self.forgotten.drain(..most).collect();
        taken.into_iter().filter(|id| !self.live.contains_key(id) && !self.over.contains_key(id)).collect()
    }

    /// It is on record that a task here goes on, as nobody had begun it.
    pub(in crate::tasks) fn hear_resumed(&mut self, id: &TaskId, again: Again, ours: bool) {
        self.update(id, |task| task.resume(again));
        self.wait_for_worker(id, ours);
    }
}

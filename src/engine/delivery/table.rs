//! The deliveries in memory: how each stands, and which waits for whose turn.

use std::collections::{BTreeSet, HashMap, HashSet};

use jiff::Timestamp;

use super::{
    log::Deliveries,
    record::{DeliveryId, DeliveryStatus, Event, Sending},
};
use crate::tasks::TaskId;

/// How many are on their way at the same time, in all.
const AT_ONCE: usize = 64;
/// How many of them to the same receiver: programs take more than people read.
const TO_A_PROGRAM: usize = 8;
const TO_PEOPLE: usize = 2;
/// How many deliveries there are before it is looked for the first time which of them are needed no more.
const SWEEP_FROM: usize = 1024;

/// All deliveries, and the order they are sent in.
#[derive(Debug, Default)]
pub(super) struct Table {
    deliveries: Deliveries,
    /// What goes to the same receiver waits together, so that one who is slow keeps nobody else waiting.
    lanes: HashMap<String, Lane>,
    /// Those whose turn it is.
    begun: HashSet<DeliveryId>,
    /// From how many deliveries on it is looked again which are needed no more.
    sweep_from: usize,
}

/// What goes to one receiver.
#[derive(Debug)]
struct Lane {
    due: BTreeSet<(Timestamp, DeliveryId)>,
    under_way: usize,
    most: usize,
}

/// Why one is not taken out of those that wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Untaken {
    /// There is no such delivery.
    Unknown,
    /// It is on its way.
    UnderWay,
}

impl Table {
    /// Takes over what an earlier process knew, and with `queue` has sent what that did not bring to an end. An attempt it
    /// had begun counts.
    pub(super) fn of(deliveries: Deliveries, queue: bool) -> Self {
        let mut table = Self { deliveries, sweep_from: SWEEP_FROM, ..Self::default() };
        let mut open = Vec::new();
        for delivery in table.deliveries.values_mut().filter(|delivery| !delivery.is_over()) {
            delivery.status = DeliveryStatus::Pending;
            open.push(delivery.clone());
        }
        open.iter().filter(|_| queue).for_each(|delivery| table.wait(delivery));
        table
    }

    pub(super) fn get(&self, id: &DeliveryId) -> Option<&Sending> {
        self.deliveries.get(id)
    }

    pub(super) fn all(&self) -> impl DoubleEndedIterator<Item = &Sending> {
        self.deliveries.values()
    }

    /// Those of a task, those of its first end first.
    pub(super) fn of_task(&self, task: &TaskId) -> impl Iterator<Item = &Sending> {
        let id = |number| DeliveryId { task: task.clone(), resumed: number, index: number };
        self.deliveries.range(id(0)..=id(u32::MAX)).map(|(_, delivery)| delivery)
    }

    /// Adds one that waits for its first attempt.
    pub(super) fn add(&mut self, delivery: Sending) {
        self.wait(&delivery);
        self.deliveries.insert(delivery.id.clone(), delivery);
    }

    /// Those whose turn it is now, each for [`Table::leave`] to be told of, and when the next comes due.
    pub(super) fn begin(&mut self, now: Timestamp) -> (Vec<DeliveryId>, Option<Timestamp>) {
        let mut begun = Vec::new();
        // One that ran has not told yet what came of it, but holds nobody up.
        let mut under_way: usize = self.lanes.values().map(|lane| lane.under_way).sum();
        while under_way < AT_ONCE {
            let free = self.lanes.values_mut().filter(|lane| lane.under_way < lane.most);
            let due = free.filter(|lane| lane.due.first().is_some_and(|(at, _)| *at <= now));
            let Some(lane) = due.min_by(|a, b| a.due.first().cmp(&b.due.first())) else { break };
            let Some((_, id)) = lane.due.pop_first() else { break };
            (lane.under_way, under_way) = (lane.under_way + 1, under_way + 1);
            self.begun.insert(id.clone());
            begun.push(id);
        }
        // What is due and has no room is looked at again when there is some.
        let firsts = self.lanes.values().filter_map(|lane| lane.due.first());
        (begun, firsts.map(|(at, _)| *at).filter(|at| *at > now).min())
    }

    /// One that was begun has had its turn: its receiver is free for the next.
    pub(super) fn leave(&mut self, id: &DeliveryId) {
        let Some(name) = self.deliveries.get(id).map(lane) else { return };
        let Some(lane) = self.lanes.get_mut(&name) else { return };
        lane.under_way -= 1;
        if lane.under_way == 0 && lane.due.is_empty() {
            self.lanes.remove(&name);
        }
    }

    /// It is known and on record what came of one that was begun.
    pub(super) fn settle(&mut self, id: &DeliveryId) {
        self.begun.remove(id);
        // Only now does it wait again, if it does.
        if let Some(delivery) = self.deliveries.get(id).filter(|one| one.status == DeliveryStatus::Pending) {
            let delivery = delivery.clone();
            self.wait(&delivery);
        }
    }

    /// Takes one out of those that wait, so that nobody begins it; [`Table::settle`] puts it back.
    pub(super) fn take(&mut self, id: &DeliveryId) -> Result<(), Untaken> {
        let delivery = self.deliveries.get(id).ok_or(Untaken::Unknown)?;
        if !self.begun.insert(id.clone()) {
            return Err(Untaken::UnderWay);
        }
        if let Some(lane) = self.lanes.get_mut(&lane(delivery)) {
            lane.due.remove(&(turn(delivery), id.clone()));
        }
        Ok(())
    }

    /// Whether nothing more happens to it by itself.
    pub(super) fn is_over(&self, id: &DeliveryId) -> bool {
        self.deliveries.get(id).is_some_and(Sending::is_over) && !self.begun.contains(id)
    }

    /// Changes one as a line of the log says.
    pub(super) fn apply(&mut self, event: &Event) {
        if let Some(delivery) = self.deliveries.get_mut(event.id()) {
            delivery.apply(event);
        }
    }

    /// Now and then, drops the deliveries of tasks that are `known` no more; the answer is which tasks.
    pub(super) fn sweep(&mut self, known: impl Fn(&TaskId) -> bool) -> BTreeSet<TaskId> {
        let mut gone = BTreeSet::new();
        if self.deliveries.len() < self.sweep_from {
            return gone;
        }
        // One that is not over is still to be given up, which is told.
        gone.extend(self.all().map(|one| &one.task_id).filter(|id| !known(id)).cloned());
        gone.retain(|id| self.of_task(id).all(|one| self.is_over(&one.id)));
        self.deliveries.retain(|id, _| !gone.contains(&id.task));
        self.sweep_from = SWEEP_FROM.max(self.deliveries.len() * 2);
        gone
    }

    fn wait(&mut self, delivery: &Sending) {
        let free = || {
            let program = matches!(delivery.kind.as_str(), "webhook" | "named");
            let most = if program { TO_A_PROGRAM } else { TO_PEOPLE };
            Lane { due: BTreeSet::new(), under_way: 0, most }
        };
        let lane = self.lanes.entry(lane(delivery)).or_insert_with(free);
        lane.due.insert((turn(delivery), delivery.id.clone()));
    }
}

/// When it is the turn of one that waits.
fn turn(delivery: &Sending) -> Timestamp {
    delivery.next_at.unwrap_or(delivery.at)
}

/// What goes the same way to the same place goes through one lane; all mail goes through one server.
fn lane(delivery: &Sending) -> String {
    match delivery.kind.as_str() {
        "email" | "github-comment" => delivery.kind.clone(),
        kind => format!("{kind} {}", delivery.target),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiting(kind: &str, target: &str, at: i64) -> Sending {
        let id = DeliveryId { task: TaskId::generate(), resumed: 0, index: 0 };
        let at = Timestamp::from_second(at).unwrap();
        Event::Created { id, kind: kind.to_owned(), target: target.to_owned(), at }.begin().unwrap()
    }

    #[test]
    fn each_receiver_has_room_for_a_few_and_whoever_waits_longest_comes_first() {
        let mut table = Table::default();
        let slow: Vec<_> = (0..10).map(|at| waiting("webhook", "a", at)).collect();
        let mail: Vec<_> = (0..3).map(|at| waiting("email", "b", at)).collect();
        let late = waiting("webhook", "c", 100);
        slow.iter().chain(&mail).chain([&late]).cloned().for_each(|one| table.add(one));
        let now = Timestamp::from_second(50).unwrap();
        let (begun, next) = table.begin(now);
        let expected: HashSet<_> = slow[..8].iter().chain(&mail[..2]).map(|one| one.id.clone()).collect();
        assert_eq!((begun.len(), next), (10, Some(late.at)));
        assert_eq!(begun.into_iter().collect::<HashSet<_>>(), expected);
        assert_eq!(table.begin(now).0, []);
        // One that had its turn makes room, also when it is not on record yet what came of it.
        table.leave(&slow[0].id);
        assert_eq!(table.begin(now).0, [slow[8].id.clone()]);
        assert_eq!(table.take(&slow[0].id), Err(Untaken::UnderWay));
        let at = Timestamp::from_second(40).unwrap();
        table.apply(&Event::Delivered { id: slow[0].id.clone(), detail: String::new(), at });
        assert!(!table.is_over(&slow[0].id));
        table.settle(&slow[0].id);
        assert!(table.is_over(&slow[0].id));
        // One that is asked for again waits where it was.
        table.leave(&slow[1].id);
        table.take(&slow[9].id).unwrap();
        assert_eq!(table.begin(now).0, []);
        table.settle(&slow[9].id);
        assert_eq!(table.begin(now).0, [slow[9].id.clone()]);
        assert_eq!(table.take(&waiting("email", "b", 0).id), Err(Untaken::Unknown));
    }

    #[test]
    fn all_that_is_under_way_has_a_bound() {
        let mut table = Table::default();
        for number in 0..20 {
            (0..8).for_each(|at| table.add(waiting("webhook", &number.to_string(), at)));
        }
        assert_eq!(table.begin(Timestamp::from_second(50).unwrap()).0.len(), AT_ONCE);
    }

    #[test]
    fn what_is_over_and_of_no_task_is_dropped() {
        let mut table = Table::of(Deliveries::new(), true);
        let at = Timestamp::from_second(1).unwrap();
        let open = waiting("webhook", "a", 0);
        table.add(open.clone());
        for _ in 1..SWEEP_FROM {
            assert_eq!(table.sweep(|_| false).len(), 0, "too few to look");
            let one = waiting("webhook", "a", 0);
            table.add(one.clone());
            table.apply(&Event::Dead { id: one.id, detail: String::new(), at });
        }
        let gone = table.sweep(|_| false);
        assert_eq!((gone.len(), table.all().count()), (SWEEP_FROM - 1, 1));
        assert!(table.get(&open.id).is_some());
    }
}

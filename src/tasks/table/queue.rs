//! Who waits for a worker, and in which order.

use std::collections::{BTreeSet, HashMap, VecDeque};

use jiff::Timestamp;

use crate::{base::Priority, tasks::TaskId};

/// Of ten that are begun while tasks of every priority wait, how many are of each.
const SHARES: [i32; 3] = [6, 3, 1];

/// Tasks that wait: for a worker, or for their time. Within a priority the first is the first.
#[derive(Debug, Default)]
pub(super) struct Queue {
    ready: [VecDeque<TaskId>; 3],
    /// What each priority has saved up; whoever has most is next. Nobody starves, as those that wait save on.
    saved: [i32; 3],
    later: BTreeSet<(Timestamp, TaskId)>,
    /// Those that wait for a lane, by its name.
    lanes: HashMap<String, VecDeque<TaskId>>,
}

fn place(priority: Priority) -> usize {
    match priority {
        Priority::High => 0,
        Priority::Normal => 1,
        Priority::Low => 2,
    }
}

impl Queue {
    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.ready.iter().chain(self.lanes.values()).map(VecDeque::len).sum::<usize>() + self.later.len()
    }

    /// Whether something waits for nothing but a worker.
    pub(super) fn is_ready(&self) -> bool {
        self.ready.iter().any(|queue| !queue.is_empty())
    }

    fn of(&mut self, priority: Priority) -> &mut VecDeque<TaskId> {
        self.ready.get_mut(place(priority)).expect("there is a queue for each")
    }

    pub(super) fn push(&mut self, id: TaskId, priority: Priority) {
        self.of(priority).push_back(id);
    }

    /// Before those that wait already.
    pub(super) fn push_first(&mut self, id: TaskId, priority: Priority) {
        self.of(priority).push_front(id);
    }

    /// Not before that moment.
    pub(super) fn push_later(&mut self, id: TaskId, due: Timestamp) {
        self.later.insert((due, id));
    }

    /// The next one.
    pub(super) fn pop(&mut self) -> Option<TaskId> {
        let waiting = self.ready.each_ref().map(|queue| !queue.is_empty());
        let mut total = 0;
        for ((saved, share), waits) in self.saved.iter_mut().zip(SHARES).zip(waiting) {
            // Those that nobody waits in save nothing up.
            (*saved, total) = if waits { (*saved + share, total + share) } else { (0, total) };
        }
        let order = self.saved.into_iter().zip(waiting).enumerate().filter(|(_, (_, waits))| *waits);
        // Of equals the higher one.
        let (next, _) = order.rev().max_by_key(|(_, (saved, _))| *saved)?;
        *self.saved.get_mut(next)? -= total;
        self.ready.get_mut(next)?.pop_front()
    }

    pub(super) fn contains(&self, id: &TaskId) -> bool {
        self.ready.iter().chain(self.lanes.values()).any(|queue| queue.contains(id))
            || self.later.iter().any(|(_, other)| other == id)
    }

    pub(super) fn remove(&mut self, id: &TaskId) {
        for queue in self.ready.iter_mut().chain(self.lanes.values_mut()) {
            queue.retain(|other| other != id);
        }
        self.later.retain(|(_, other)| other != id);
    }

    /// Not before there is room in that lane. One that has waited there before is the first again.
    pub(super) fn push_lane(&mut self, id: TaskId, lane: String, before: bool) {
        let queue = self.lanes.entry(lane).or_default();
        if before { queue.push_front(id) } else { queue.push_back(id) }
    }

    /// Takes the first that waits for a lane.
    pub(super) fn pop_lane(&mut self, lane: &str) -> Option<TaskId> {
        let queue = self.lanes.get_mut(lane)?;
        let id = queue.pop_front();
        if queue.is_empty() {
            self.lanes.remove(lane);
        }
        id
    }

    /// The lanes that somebody waits for.
    pub(super) fn lanes(&self) -> Vec<String> {
        self.lanes.iter().filter(|(_, queue)| !queue.is_empty()).map(|(lane, _)| lane.clone()).collect()
    }

    /// Takes the next of those whose time has come.
    pub(super) fn pop_due(&mut self, now: Timestamp) -> Option<TaskId> {
        let (due, _) = self.later.first()?;
        if *due > now {
            return None;
        }
        self.later.pop_first().map(|(_, id)| id)
    }

    /// When the time of the next one comes.
    pub(super) fn next_due(&self) -> Option<Timestamp> {
        self.later.first().map(|(due, _)| *due)
    }

    /// The first of each priority.
    pub(super) fn fronts(&self) -> impl Iterator<Item = &TaskId> {
        self.ready.iter().filter_map(VecDeque::front)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_urgent_go_first_and_nobody_starves() {
        let mut queue = Queue::default();
        let mut of = std::collections::HashMap::new();
        for priority in Priority::ALL.into_iter().rev() {
            for _ in 0..40 {
                let id = TaskId::generate();
                of.insert(id.clone(), priority);
                queue.push(id, priority);
            }
        }
        let begun: Vec<_> = std::iter::from_fn(|| queue.pop()).map(|id| of[&id]).collect();
        assert_eq!(begun.len(), 120);
        for ten in begun[..40].chunks(10) {
            let count = |priority| ten.iter().filter(|begun| **begun == priority).count();
            assert_eq!(Priority::ALL.map(count), [6, 3, 1], "{ten:?}");
        }
        assert_eq!(begun[0], Priority::High);
        // One that comes to a queue of others waits for two at most.
        queue.push(TaskId::generate(), Priority::Low);
        for _ in 0..9 {
            queue.pop();
            queue.push(TaskId::generate(), Priority::Low);
        }
        let urgent = TaskId::generate();
        queue.push(urgent.clone(), Priority::High);
        assert!((0..2).any(|_| queue.pop().unwrap() == urgent));
    }

    #[test]
    fn what_has_to_wait_waits_for_its_time() {
        let mut queue = Queue::default();
        let [first, second] = [TaskId::generate(), TaskId::generate()];
        let at = |second| Timestamp::from_second(second).unwrap();
        queue.push_later(second.clone(), at(20));
        queue.push_later(first.clone(), at(10));
        assert_eq!((queue.len(), queue.pop(), queue.next_due()), (2, None, Some(at(10))));
        assert_eq!((queue.pop_due(at(15)), queue.pop_due(at(15))), (Some(first), None));
        queue.remove(&second);
        assert_eq!(queue.len(), 0);
    }
}

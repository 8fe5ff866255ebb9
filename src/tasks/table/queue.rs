//! Who waits for a worker, and in which order.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::Timestamp;

use crate::{
    base::{IdMap, Priority},
    tasks::TaskId,
};

/// Of ten that are begun while tasks of every priority wait, how many are of each.
const SHARES: [i32; 3] = [6, 3, 1];

/// Tasks that wait, each in one place: for a worker, or for their time. Within a priority the first is the first.
#[derive(Debug, Default)]
pub(super) struct Queue {
    ready: [Row; 3],
    /// What each priority has saved up; whoever has most is next. Nobody starves, as those that wait save on.
    saved: [i32; 3],
    later: BTreeSet<(Timestamp, TaskId)>,
    /// Those that wait for a lane, by its name.
    lanes: HashMap<String, Row>,
    /// Where each of them waits.
    spots: IdMap<TaskId, Spot>,
}

/// Tasks one behind the other, each under a number that grows to the back.
#[derive(Debug, Default)]
struct Row(BTreeMap<i64, TaskId>);

/// Where a task waits.
#[derive(Debug)]
enum Spot {
    Ready(Priority, i64),
    Later(Timestamp),
    Lane(String, i64),
}

impl Row {
    fn push_back(&mut self, id: TaskId) -> i64 {
        let number = self.0.last_key_value().map_or(0, |(last, _)| last + 1);
        self.0.insert(number, id);
        number
    }

    fn push_front(&mut self, id: TaskId) -> i64 {
        let number = self.0.first_key_value().map_or(0, |(first, _)| first - 1);
        self.0.insert(number, id);
        number
    }

    fn pop_front(&mut self) -> Option<TaskId> {
        self.0.pop_first().map(|(_, id)| id)
    }

    fn front(&self) -> Option<&TaskId> {
        self.0.first_key_value().map(|(_, id)| id)
    }
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
        self.spots.len()
    }

    /// Whether something waits for nothing but a worker.
    pub(super) fn is_ready(&self) -> bool {
        self.ready.iter().any(|row| !row.0.is_empty())
    }

    fn of(&mut self, priority: Priority) -> &mut Row {
        self.ready.get_mut(place(priority)).expect("there is a row for each")
    }

    pub(super) fn push(&mut self, id: TaskId, priority: Priority) {
        self.remove(&id);
        let number = self.of(priority).push_back(id.clone());
        self.spots.insert(id, Spot::Ready(priority, number));
    }

    /// Before those that wait already.
    pub(super) fn push_first(&mut self, id: TaskId, priority: Priority) {
        self.remove(&id);
        let number = self.of(priority).push_front(id.clone());
        self.spots.insert(id, Spot::Ready(priority, number));
    }

    /// Not before that moment.
    pub(super) fn push_later(&mut self, id: TaskId, due: Timestamp) {
        self.remove(&id);
        self.later.insert((due, id.clone()));
        self.spots.insert(id, Spot::Later(due));
    }

    /// The next one.
    pub(super) fn pop(&mut self) -> Option<TaskId> {
        let waiting = self.ready.each_ref().map(|row| !row.0.is_empty());
        let mut total = 0;
        for ((saved, share), waits) in self.saved.iter_mut().zip(SHARES).zip(waiting) {
            // Those that nobody waits in save nothing up.
            (*saved, total) = if waits { (*saved + share, total + share) } else { (0, total) };
        }
        let order = self.saved.into_iter().zip(waiting).enumerate().filter(|(_, (_, waits))| *waits);
        // Of equals the higher one.
        let (next, _) = order.rev().max_by_key(|(_, (saved, _))| *saved)?;
        *self.saved.get_mut(next)? -= total;
        let id = self.ready.get_mut(next)?.pop_front()?;
        self.spots.remove(&id);
        Some(id)
    }

    pub(super) fn contains(&self, id: &TaskId) -> bool {
        self.spots.contains_key(id)
    }

    /// Takes it out, wherever it waits; tells whether it did.
    pub(super) fn remove(&mut self, id: &TaskId) -> bool {
        match self.spots.remove(id) {
            None => return false,
            Some(Spot::Ready(priority, number)) => drop(self.of(priority).0.remove(&number)),
            Some(Spot::Later(due)) => drop(self.later.remove(&(due, id.clone()))),
            Some(Spot::Lane(lane, number)) => {
                if let Some(row) = self.lanes.get_mut(&lane) {
                    row.0.remove(&number);
                }
                self.sweep(&lane);
            }
        }
        true
    }

    /// Keeps nothing of a lane that nobody waits for.
    fn sweep(&mut self, lane: &str) {
        if self.lanes.get(lane).is_some_and(|row| row.0.is_empty()) {
            self.lanes.remove(lane);
        }
    }

    /// Not before there is room in that lane. One that has waited there before is the first again.
    pub(super) fn push_lane(&mut self, id: TaskId, lane: String, before: bool) {
        self.remove(&id);
        let row = self.lanes.entry(lane.clone()).or_default();
        let number = if before { row.push_front(id.clone()) } else { row.push_back(id.clone()) };
        self.spots.insert(id, Spot::Lane(lane, number));
    }

    /// Takes the first that waits for a lane.
    pub(super) fn pop_lane(&mut self, lane: &str) -> Option<TaskId> {
        let id = self.lanes.get_mut(lane)?.pop_front()?;
        self.sweep(lane);
        self.spots.remove(&id);
        Some(id)
    }

    /// The lanes that somebody waits for.
    pub(super) fn lanes(&self) -> Vec<String> {
        self.lanes.keys().cloned().collect()
    }

    /// Takes the next of those whose time has come.
    pub(super) fn pop_due(&mut self, now: Timestamp) -> Option<TaskId> {
        let (due, _) = self.later.first()?;
        if *due > now {
            return None;
        }
        let (_, id) = self.later.pop_first()?;
        self.spots.remove(&id);
        Some(id)
    }

    /// When the time of the next one comes.
    pub(super) fn next_due(&self) -> Option<Timestamp> {
        self.later.first().map(|(due, _)| *due)
    }

    /// The first of each priority.
    pub(super) fn fronts(&self) -> impl Iterator<Item = &TaskId> {
        self.ready.iter().filter_map(Row::front)
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

    #[test]
    fn whatever_waits_waits_in_one_place_and_is_taken_out_of_it() {
        let mut queue = Queue::default();
        let ids: [TaskId; 4] = std::array::from_fn(|_| TaskId::generate());
        let [a, b, c, d] = ids.clone();
        let due = Timestamp::from_second(10).unwrap();
        queue.push_lane(a.clone(), "l".to_owned(), false);
        queue.push_lane(b.clone(), "l".to_owned(), false);
        queue.push_lane(c.clone(), "l".to_owned(), true);
        queue.push_later(d.clone(), due);
        assert!(ids.iter().all(|id| queue.contains(id)));
        // It moves on: what it waited for before holds it no more.
        queue.push_later(b.clone(), due);
        queue.push(b.clone(), Priority::Low);
        queue.push_first(d.clone(), Priority::Low);
        assert_eq!((queue.len(), queue.next_due()), (4, None));
        assert!(queue.remove(&c) && !queue.remove(&c) && !queue.contains(&c));
        assert_eq!((queue.pop_lane("l"), queue.pop_lane("l"), queue.lanes()), (Some(a), None, Vec::new()));
        assert_eq!([queue.pop(), queue.pop(), queue.pop()], [Some(d), Some(b), None]);
        assert!(queue.len() == 0 && !ids.iter().any(|id| queue.contains(id)));
    }
}

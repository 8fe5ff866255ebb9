//! What replicas that hear the same events know, and what they let happen.

use std::{borrow::Cow, collections::HashSet};

use jiff::Timestamp;

use super::*;
use crate::tasks::{
    journal::{Ending, Event, Retrying},
    replay::{self, Known},
    table::{Brief, Cancelling, Table},
};

/// Replicas, and what has happened so far.
struct Crowd {
    tables: Vec<(Arc<str>, Table)>,
    log: Vec<(usize, Event<'static>)>,
}

fn table(name: &Arc<str>) -> Table {
    let mut table = Table::new(100, retain(100));
    table.join(Arc::clone(name), true);
    table.can_do([EMPLOYEE, PIPELINE]);
    table
}

fn at() -> Timestamp {
    "2026-11-26T04:00:00Z".parse().unwrap()
}

impl Crowd {
    fn of(count: usize) -> Self {
        let name = |number: usize| Arc::<str>::from(format!("replica-{number}"));
        let tables = (0..count).map(|number| (name(number), table(&name(number)))).collect();
        Self { tables, log: Vec::new() }
    }

    fn name(&self, who: usize) -> Arc<str> {
        Arc::clone(&self.tables[who].0)
    }

    /// The turn is `who`'s: whether what it proposes is admitted; then all hear it.
    fn propose(&mut self, who: usize, event: &Event<'static>, attempt: Option<u32>) -> bool {
        if !self.tables[who].1.admits(event, attempt) {
            return false;
        }
        for number in 0..self.tables.len() {
            hear(&mut self.tables[number].1, event, number == who);
        }
        self.log.push((who, event.clone()));
        true
    }

    fn accept(&mut self, who: usize, new: NewTask, by: Option<usize>) -> Option<TaskId> {
        let task = Task::accept(new);
        let id = task.task_id.clone();
        let event = Event::Created { task: Cow::Owned(task), by: by.map(|by| self.name(by)) };
        self.propose(who, &event, None).then_some(id)
    }

    fn start(&mut self, who: usize, id: &TaskId, attempt: u32) -> bool {
        let by = Some(self.name(who));
        self.propose(who, &Event::Started { task_id: id.clone(), attempt, at: at(), by }, None)
    }

    fn step(&mut self, who: usize, id: &TaskId, step: &str, attempt: u32) -> bool {
        let record = StepRecord { step: step.to_owned(), output: json!(who), at: at(), duration_ms: 1 };
        let event = Event::Step { task_id: id.clone(), record: Cow::Owned(record) };
        self.propose(who, &event, Some(attempt))
    }

    fn end(&mut self, who: usize, id: &TaskId, attempt: Option<u32>) -> bool {
        let ending = Cow::Owned(Ending { at: at(), ..Ending::of(Ok(json!("done"))) });
        let by = Some(self.name(who));
        self.propose(who, &Event::Finished { task_id: id.clone(), by, ending }, attempt)
    }

    /// `who` finds that `gone` is gone.
    fn look_after(&mut self, who: usize, gone: usize) -> usize {
        let events = self.tables[who].1.after(&[self.name(gone)]);
        events.iter().filter(|event| self.propose(who, event, None)).count()
    }

    /// All know the same.
    #[track_caller]
    fn agree(&self) {
        let known = |table: &Table| {
            let all = table.list(None, usize::MAX, |_| true);
            (
                serde_json::to_value(all.iter().map(|task| (**task).clone()).collect::<Vec<_>>()).unwrap(),
                table.counts(),
            )
        };
        for (name, table) in &self.tables[1..] {
            assert_eq!(known(table), known(&self.tables[0].1), "{name}");
        }
    }
}

fn hear(table: &mut Table, event: &Event<'static>, ours: bool) {
    match event {
        Event::Created { task, by } => {
            let known = Known { owner: by.clone(), ..task.clone().into_owned().into() };
            table.insert_known(known, ours);
        }
        event => {
            table.hear(event, ours);
        }
    }
}

#[test]
fn a_task_is_begun_by_one_and_lost_with_it() {
    let mut crowd = Crowd::of(3);
    let id = crowd.accept(0, new(PIPELINE, "p"), None).unwrap();
    let (_, token) = crowd.tables[1].1.claim().expect("nobody has it, so everybody may try");
    assert!(crowd.start(1, &id, 1));
    assert!(!crowd.start(0, &id, 1), "the other has it");
    assert!(!crowd.start(1, &id, 1), "nor is it begun twice by one");
    assert!(crowd.tables[2].1.claim().is_none(), "it waits nowhere any more");
    assert!(crowd.step(1, &id, "one", 1));
    assert!(!crowd.step(2, &id, "two", 1), "only who has it may say what happened");

    assert_eq!(crowd.look_after(2, 1), 1);
    assert!(token.is_cancelled(), "whoever has lost a task stops doing it");
    assert!(!crowd.step(1, &id, "two", 1), "and puts nothing on record");
    assert!(!crowd.end(1, &id, Some(1)));
    let (task, token) = crowd.tables[2].1.claim().expect("it waits again");
    assert_eq!((task.status, task.steps.len(), token.is_cancelled()), (Status::Pending, 1, false));
    assert!(crowd.start(2, &id, 2));
    assert!(!crowd.step(1, &id, "two", 1) && !crowd.step(2, &id, "two", 1));
    assert!(crowd.step(2, &id, "two", 2) && crowd.end(2, &id, Some(2)));
    let spent = Spent {
        by: "writer".to_owned(),
        model: "m".to_owned(),
        calls: 1,
        input_tokens: 1,
        cached_input_tokens: 0,
        output_tokens: 1,
        cost_usd: None,
    };
    let spent = Event::Spent { task_id: id.clone(), spent: Cow::Owned(spent) };
    assert!(!crowd.propose(1, &spent, Some(1)), "nor after the end");
    assert!(crowd.propose(2, &spent, Some(2)), "whoever ended it may say what it took");
    crowd.agree();
    assert!(crowd.tables[2].1.sees_to(&id) && !crowd.tables[1].1.sees_to(&id));
}

#[test]
fn one_that_comes_back_has_no_part_in_what_it_began_again() {
    let mut crowd = Crowd::of(2);
    let id = crowd.accept(0, new(PIPELINE, "p"), Some(0)).unwrap();
    assert!(crowd.tables[1].1.claim().is_none(), "whoever accepts it may begin it at once");
    assert!(crowd.tables[0].1.claim().is_some() && crowd.start(0, &id, 1));
    assert_eq!(crowd.look_after(1, 0), 1);
    assert!(crowd.start(0, &id, 2), "it takes part again");
    assert!(!crowd.step(0, &id, "one", 1), "but its first attempt does not");
    assert!(crowd.step(0, &id, "one", 2));
    crowd.agree();
}

#[test]
fn a_key_and_a_decision_count_once() {
    let mut crowd = Crowd::of(2);
    let id = crowd.accept(0, keyed("a", "key"), Some(0)).unwrap();
    assert_eq!(crowd.accept(1, keyed("b", "key"), Some(1)), None);
    assert!(crowd.start(0, &id, 1));
    let step = approval::step_of("ship");
    let waiting = Waiting { step: step.clone(), question: "?".to_owned(), since: at() };
    let event = Event::Waiting { task_id: id.clone(), waiting: Cow::Owned(waiting) };
    assert!(crowd.propose(0, &event, Some(1)));
    let parked = Event::Parked { task_id: id.clone(), steps: Cow::Owned(vec![step.clone()]) };
    assert!(crowd.propose(0, &parked, Some(1)));
    assert!(!crowd.step(0, &id, "one", 1), "what is parked is nobody's");
    let decided = |by: &str| {
        let record = StepRecord { step: step.clone(), output: json!(by), at: at(), duration_ms: 1 };
        Event::Step { task_id: id.clone(), record: Cow::Owned(record) }
    };
    assert!(crowd.propose(1, &decided("b"), None));
    assert!(!crowd.propose(0, &decided("a"), None));
    assert!(crowd.start(1, &id, 2) && !crowd.start(0, &id, 2));
    crowd.agree();
}

#[test]
fn whoever_has_a_task_is_told_to_stop_it() {
    let mut crowd = Crowd::of(2);
    let id = crowd.accept(0, new(PIPELINE, "p"), Some(0)).unwrap();
    let (_, token) = crowd.tables[0].1.claim().unwrap();
    assert!(crowd.start(0, &id, 1));
    assert!(matches!(crowd.tables[1].1.cancel(&id), Cancelling::There));
    assert!(!crowd.end(1, &id, None), "nobody ends what another has");
    let stop = Event::Stop { task_id: id.clone() };
    assert!(crowd.propose(1, &stop, None) && token.is_cancelled());
    assert!(!crowd.propose(0, &stop, None), "once is enough");
    // It is stopped even if whoever had it is gone by then.
    assert_eq!(crowd.look_after(1, 0), 1);
    let (_, token) = crowd.tables[1].1.claim().unwrap();
    assert!(token.is_cancelled() && crowd.start(1, &id, 2));
    assert!(crowd.end(1, &id, Some(2)));
    crowd.agree();
}

#[test]
fn a_result_is_seen_to_by_one_until_all_know_that_it_was() {
    let mut crowd = Crowd::of(2);
    for (_, table) in &mut crowd.tables {
        let owing = table::Retain { owed: 10, by: Some("deliver"), ..retain(0) };
        *table = Table::new(100, owing);
    }
    for number in 0..2 {
        let name = crowd.name(number);
        crowd.tables[number].1.join(name, true);
        crowd.tables[number].1.can_do([PIPELINE]);
    }
    let mut task = new(PIPELINE, "p");
    task.options.insert("deliver".to_owned(), json!([]));
    let id = crowd.accept(0, task, Some(0)).unwrap();
    assert!(crowd.start(0, &id, 1));
    let last = crowd.tables[0].1.live(&id).unwrap();
    let ending = Cow::Owned(Ending { at: at(), ..Ending::of(Ok(json!("done"))) });
    let finished = Event::Finished { task_id: id.clone(), by: Some(crowd.name(0)), ending };
    let brief = crowd.tables[0].1.brief_after(&finished).unwrap().unwrap();
    assert!(crowd.propose(0, &finished, Some(1)));
    assert_eq!((last.status, crowd.tables[1].1.owners()), (Status::Running, vec![crowd.name(0)]));
    assert!(crowd.tables[0].1.sees_to(&id) && !crowd.tables[1].1.sees_to(&id));
    // Whoever comes later knows it, too.
    let mut late = table(&"late".into());
    late.insert_brief(serde_json::from_str::<Brief>(&brief).unwrap());
    assert_eq!(late.summary(&id).unwrap().status, Status::Completed);

    assert_eq!(crowd.look_after(1, 0), 1);
    assert!(crowd.tables[1].1.sees_to(&id) && crowd.tables[1].1.has_to_settle(&id, 0));
    let settled = Event::Settled { task_id: id.clone(), resumed: 0 };
    assert!(crowd.propose(1, &settled, None) && !crowd.propose(0, &settled, None));
    for (name, table) in &crowd.tables {
        assert!(table.summary(&id).is_none(), "{name}: of what is owed no more, none are kept");
    }
}

#[test]
fn whatever_they_try_all_know_the_same() {
    for seed in 0..60_u64 {
        let mut crowd = Crowd::of(3);
        let mut dice = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut roll = |sides: usize| {
            dice ^= dice << 13;
            dice ^= dice >> 7;
            dice ^= dice << 17;
            usize::try_from(dice % u64::try_from(sides).unwrap()).unwrap()
        };
        let (mut ids, mut begun) = (Vec::new(), HashSet::new());
        for round in 0..200 {
            let who = roll(3);
            if ids.len() < 5 {
                let by = (roll(2) == 0).then_some(who);
                ids.extend(crowd.accept(who, keyed("x", &format!("key-{}", round % 7)), by));
            }
            let Some(id) = ids.get(roll(5)).cloned() else { continue };
            let attempts = crowd.tables[who].1.live(&id).map_or(0, |task| task.attempts);
            match roll(6) {
                0 | 1 => {
                    let attempt = attempts + 1;
                    if crowd.start(who, &id, attempt) {
                        assert!(begun.insert((id, attempt)), "seed {seed}: an attempt is begun once");
                    }
                }
                2 => {
                    crowd.step(who, &id, &format!("step-{round}"), attempts);
                }
                3 => {
                    let gone = roll(3);
                    crowd.look_after(who, gone);
                }
                4 => {
                    let error = "busy".to_owned();
                    let again = Retrying { retry: 1, due: at(), error, code: None, at: at() };
                    let event = Event::Retrying { task_id: id, again: Cow::Owned(again) };
                    crowd.propose(who, &event, Some(attempts));
                }
                _ if round > 150 => {
                    crowd.end(who, &id, Some(attempts));
                }
                _ => {
                    crowd.propose(who, &Event::Stop { task_id: id }, None);
                }
            }
            crowd.agree();
        }
        // One that comes now, and hears it all at once, knows the same.
        let mut late = table(&"late".into());
        for (_, event) in &crowd.log {
            hear(&mut late, event, false);
        }
        crowd.tables.push(("late".into(), late));
        crowd.agree();
        assert!(crowd.log.len() > 20, "seed {seed}: something happened");
    }
}

#[test]
fn a_late_farewell_takes_nothing_from_whoever_has_the_task_by_now() {
    let mut crowd = Crowd::of(2);
    let id = crowd.accept(0, new(PIPELINE, "p"), Some(0)).unwrap();
    assert!(crowd.start(0, &id, 1));
    assert_eq!(crowd.look_after(1, 0), 1);
    assert!(crowd.start(1, &id, 2));
    let left = Event::Left { task_id: id.clone(), by: crowd.name(0) };
    for (_, table) in &mut crowd.tables {
        hear(table, &left, false);
        assert_eq!(table.live(&id).unwrap().status, Status::Running);
    }
    assert!(crowd.step(1, &id, "one", 2), "it goes on");
    let lines: Vec<_> = crowd.log.iter().map(|(_, event)| event.text()).chain([left.text()]).collect();
    let read = replay::rebuild(lines.iter().map(String::as_bytes)).unwrap();
    assert_eq!((read.task.status, read.owner), (Status::Running, Some(crowd.name(1))));
}

#[test]
fn one_whose_lane_was_full_a_moment_ago_is_the_next() {
    let mut crowd = Crowd::of(2);
    crowd.tables.iter_mut().for_each(|(_, table)| table.keep_lanes(Some(1)));
    let mut ids = (0..4).map(|_| crowd.accept(0, new(PIPELINE, "p"), None).unwrap());
    let [first, second, third, _] = std::array::from_fn(|_| ids.next().unwrap());
    drop(ids);
    let next = |crowd: &mut Crowd| crowd.tables[1].1.claim().map(|(task, _)| task.task_id.clone());
    assert!(crowd.start(0, &first, 1));
    assert_eq!(next(&mut crowd).as_ref(), Some(&second));
    assert!(!crowd.start(1, &second, 1), "its lane is full");
    assert!(crowd.end(0, &first, Some(1)));
    crowd.tables[1].1.let_be(&second);
    assert_eq!(next(&mut crowd).as_ref(), Some(&second), "there is room by now");
    // As long as there is none it waits for that.
    assert!(crowd.start(0, &third, 1) && !crowd.start(1, &second, 1));
    crowd.tables[1].1.let_be(&second);
    assert_ne!(next(&mut crowd).as_ref(), Some(&second));
}

#[test]
fn what_is_forgotten_is_removed_by_whoever_takes_tasks() {
    let mut crowd = Crowd::of(2);
    for (number, (name, table)) in crowd.tables.iter_mut().enumerate() {
        *table = Table::new(100, retain(0));
        table.join(Arc::clone(name), number == 0);
    }
    let id = crowd.accept(0, new(PIPELINE, "p"), Some(0)).unwrap();
    assert!(crowd.start(0, &id, 1) && crowd.end(0, &id, Some(1)));
    assert_eq!(crowd.tables[0].1.take_forgotten(10), [id]);
    assert!(crowd.tables[1].1.take_forgotten(10).is_empty(), "nobody would ever ask for it");
}

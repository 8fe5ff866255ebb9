use std::{collections::HashSet, fs};

use super::*;
use crate::{
    store::log::{
        Claim,
        faulty::{self, Faults},
    },
    tasks::{
        index::Index,
        recovery::{self, Recovered},
        table::Table,
    },
};

async fn on_faulty_disk(
    path: &Path,
    faults: &Arc<Faults>,
    workers: usize,
    bodies: Bodies,
) -> (Engine, Tracker) {
    let log = faulty::start_records(Claim::take(path).unwrap(), faults);
    let (over, live, queued, ended) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let recovered = Recovered { log, index: Index::none(path), over, live, queued, ended };
    let tracker = Tracker::new();
    let bodies: HashMap<_, _> = bodies.into_iter().collect();
    let options = Options { workers, ..options(path) };
    (Engine::start(&options, Some(recovered), bodies, tracker.clone()).await, tracker)
}

/// Waits until the disk has refused once more.
async fn refused_again(faults: &Faults) {
    let before = faults.refused.load(SeqCst);
    while faults.refused.load(SeqCst) == before {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_full_disk_refuses_tasks_and_frees_their_keys() {
    let folder = tempfile::tempdir().unwrap();
    let (path, faults) = (folder.path().join("tasks.jsonl"), Arc::new(Faults::default()));
    let (engine, tracker) = on_faulty_disk(&path, &faults, 0, echo()).await;
    faults.full.store(true, SeqCst);
    let many = futures_util::future::join_all((0..8).map(|_| engine.submit(keyed("a", "key")))).await;
    assert!(many.iter().all(|one| matches!(one, Err(Error::Store(_)))));
    assert!(matches!(engine.check().await, Err(Error::Store(_))), "it tells so without being asked for work");
    faults.full.store(false, SeqCst);
    engine.check().await.unwrap();
    let id = engine.submit(keyed("a", "key")).await.unwrap().id;

    faults.full.store(true, SeqCst);
    assert!(matches!(engine.cancel(&id).await, Err(Error::Store(_))));
    assert_eq!(engine.get(&id).await.unwrap().status, Status::Pending);
    faults.full.store(false, SeqCst);
    engine.cancel(&id).await.unwrap();
    close(engine, tracker).await;
    assert_eq!(history(&path).unwrap().len(), 1);
}

#[tokio::test]
async fn work_waits_for_the_disk_and_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (path, faults) = (folder.path().join("tasks.jsonl"), Arc::new(Faults::default()));
    let (gate, counts) = (Arc::new(Semaphore::new(0)), Arc::default());
    let (engine, tracker) = on_faulty_disk(&path, &faults, 1, three_steps(&gate, &counts)).await;
    let id = engine.submit(new(PIPELINE, "a")).await.unwrap().id;
    let mut watch = engine.watch(&id).await.unwrap();
    watch.wait_for(|task| task.steps.len() == 1).await.unwrap();
    faults.full.store(true, SeqCst);
    gate.add_permits(1);
    refused_again(&faults).await;
    refused_again(&faults).await;
    faults.full.store(false, SeqCst);
    let task = engine.wait(&id).await.unwrap();
    assert_eq!((task.status, task.steps.len()), (Status::Completed, 3));
    close(engine, tracker).await;
    assert_eq!(history(&path).unwrap(), [Task::clone(&task)]);
}

#[tokio::test]
async fn a_step_that_cannot_be_recorded_before_the_end_does_not_fail_the_task() {
    let folder = tempfile::tempdir().unwrap();
    let (path, faults) = (folder.path().join("tasks.jsonl"), Arc::new(Faults::default()));
    let (gate, counts) = (Arc::new(Semaphore::new(0)), Arc::default());
    let (engine, tracker) = on_faulty_disk(&path, &faults, 1, three_steps(&gate, &counts)).await;
    let id = engine.submit(new(PIPELINE, "a")).await.unwrap().id;
    until(&engine, &id, |task| task.steps.len() == 1).await;
    faults.full.store(true, SeqCst);
    gate.add_permits(1);
    refused_again(&faults).await;
    close(engine, tracker).await;
    assert_eq!(history(&path).unwrap()[0].status, Status::Running);

    gate.add_permits(1);
    let (engine, tracker) = open(options(&path), three_steps(&gate, &counts)).await;
    let task = engine.wait(&id).await.unwrap();
    assert_eq!((task.status, task.attempts), (Status::Completed, 2));
    close(engine, tracker).await;
}

#[tokio::test]
async fn what_is_made_of_an_interruption_is_not_recorded() {
    let folder = tempfile::tempdir().unwrap();
    let (path, faults) = (folder.path().join("tasks.jsonl"), Arc::new(Faults::default()));
    let disk = Arc::clone(&faults);
    let bodies = vec![does(PIPELINE, move |_, steps: Steps| {
        let faults = Arc::clone(&disk);
        async move {
            let (inner, disk) = (steps.clone(), Arc::clone(&faults));
            let outer = async move || {
                disk.full.store(true, SeqCst);
                let failed = inner.run("outer/inner", async || Ok(1)).await.is_err();
                // The disk has room again just when the program ends.
                disk.full.store(false, SeqCst);
                Ok(if failed { "failed".to_owned() } else { "done".to_owned() })
            };
            Ok(json!(steps.run("outer", outer).await?))
        }
    })];
    let (engine, tracker) = on_faulty_disk(&path, &faults, 1, bodies).await;
    engine.submit(new(PIPELINE, "a")).await.unwrap();
    refused_again(&faults).await;
    close(engine, tracker).await;
    let task = history(&path).unwrap().remove(0);
    assert_eq!((task.status, task.steps), (Status::Running, Vec::new()));
}

#[tokio::test]
async fn a_smaller_journal_keeps_live_tasks_and_sets_aside_what_nobody_understands() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tasks.jsonl");
    let (gate, counts) = (Arc::new(Semaphore::new(0)), Arc::default());
    let mut bodies = three_steps(&gate, &counts);
    bodies.extend(echo());
    let (engine, tracker) = open(Options { workers: 1, ..options(&path) }, bodies).await;
    for _ in 0..40 {
        let id = engine.submit(new(EMPLOYEE, "old")).await.unwrap().id;
        engine.wait(&id).await.unwrap();
    }
    let live = engine.submit(new(PIPELINE, "live")).await.unwrap().id;
    let waiting = engine.submit(new(EMPLOYEE, "waiting")).await.unwrap().id;
    until(&engine, &live, |task| task.steps.len() == 1).await;
    let foreign = "{\"event\":\"paused\",\"task_id\":\"x\"}\nnot json\n";
    let mut journal = fs::read_to_string(&path).unwrap();
    drop((engine, tracker));
    journal.insert_str(0, foreign);
    let copy = folder.path().join("copy.jsonl");
    fs::write(&copy, &journal).unwrap();

    let kinds = HashSet::from([EMPLOYEE, PIPELINE]);
    let recovered = recovery::open(&copy, retain(3), &kinds).unwrap();
    assert_eq!((recovered.over.len(), recovered.live.len()), (3, 2));
    assert_eq!(recovered.queued, [live.clone(), waiting]);
    let log = recovered.log.clone();
    tokio::task::spawn_blocking(move || log.rewrite()).await.unwrap().unwrap();
    drop(recovered);
    let smaller = fs::read_to_string(&copy).unwrap();
    assert_eq!(smaller.lines().count(), 3 * 3 + 3 + 1);
    assert_eq!(fs::read_to_string(folder.path().join("copy.jsonl.rejected")).unwrap(), foreign);
    let kept: HashSet<_> = journal.split('\n').collect();
    assert!(smaller.split('\n').all(|line| kept.contains(line)), "no byte of a line changes");

    let again = recovery::open(&copy, retain(3), &kinds).unwrap();
    assert_eq!(again.over.len(), 3);
    let steps = again.live.iter().find(|(_, task)| task.task_id == live).unwrap().1.steps.len();
    assert_eq!(steps, 1);
}

#[test]
fn forgetting_never_touches_live_tasks() {
    let mut table = Table::new(100, retain(0));
    let live = Task::accept(new(EMPLOYEE, "live"));
    table.insert(live.clone(), 1);
    for subject in 2..12 {
        table.insert(Task { status: Status::Completed, ..Task::accept(new(EMPLOYEE, "over")) }, subject);
    }
    assert_eq!(table.counts(), Counts { pending: 1, ..Counts::default() });
    assert!(table.live(&live.task_id).is_some());
}

#[test]
fn what_a_worker_has_and_cannot_begin_still_waits() {
    let mut table = Table::new(100, retain(0));
    assert_eq!(table.queue_age(), None);
    let task = Task::accept(new(EMPLOYEE, "a"));
    table.insert(task.clone(), 1);
    table.enqueue(task.task_id.clone());
    assert!(table.queue_age().is_some());
    assert!(table.claim().is_some());
    assert!(table.queue_age().is_some(), "the disk is full: that it was begun is not on record");
    table.update(&task.task_id, |task| task.status = Status::Running);
    assert_eq!(table.queue_age(), None);
}

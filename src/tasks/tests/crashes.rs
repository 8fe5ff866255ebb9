use std::{collections::HashSet, fs, path::PathBuf};

use super::*;
use crate::store::log::Claim;

fn begun() -> Arc<[AtomicUsize; 3]> {
    Arc::default()
}

/// A journal of four tasks in all states, written by a real engine, and what it tells at its end.
async fn written(path: &Path) -> Vec<u8> {
    let gate = Arc::new(Semaphore::new(0));
    let mut bodies = three_steps(&gate, &begun());
    bodies.extend(echo());
    let (engine, tracker) = open(options(path), bodies).await;
    let done = engine.submit(keyed("done\u{2028}", "key")).await.unwrap().id;
    engine.wait(&done).await.unwrap();
    let released = engine.submit(new(PIPELINE, "released")).await.unwrap().id;
    gate.add_permits(1);
    engine.wait(&released).await.unwrap();
    let stopped = engine.submit(new(PIPELINE, "stopped")).await.unwrap().id;
    until(&engine, &stopped, |task| task.steps.len() == 1).await;
    engine.cancel(&stopped).await.unwrap();
    let held = engine.submit(new(PIPELINE, "held")).await.unwrap().id;
    until(&engine, &held, |task| task.steps.len() == 1).await;
    tracker.stop();
    fs::read(path).unwrap()
}

/// The tasks that bytes add up to.
fn tasks(path: &Path) -> Vec<Task> {
    // Mends the end of the file.
    drop(Claim::take(path).unwrap());
    let mut tasks = history(path).unwrap();
    tasks.sort_by(|a, b| a.task_id.cmp(&b.task_id));
    tasks
}

#[tokio::test]
async fn a_finished_step_is_not_repeated_after_a_crash() {
    let folder = tempfile::tempdir().unwrap();
    let (path, copy) = (folder.path().join("tasks.jsonl"), folder.path().join("copy.jsonl"));
    let one_worker = |path: &Path| Options { workers: 1, ..options(path) };
    let (gate, counts) = (Arc::new(Semaphore::new(0)), begun());
    let (engine, _tracker) = open(one_worker(&path), three_steps(&gate, &counts)).await;
    let id = engine.submit(new(PIPELINE, "release")).await.unwrap().id;
    let waiting = engine.submit(new(PIPELINE, "later")).await.unwrap().id;
    until(&engine, &id, |task| task.steps.len() == 1).await;
    // What a killed process leaves: the bytes acknowledged so far, and no farewell.
    fs::copy(&path, &copy).unwrap();

    let (gate, counts) = (Arc::new(Semaphore::new(2)), begun());
    let (again, tracker) = open(one_worker(&copy), three_steps(&gate, &counts)).await;
    let task = again.wait(&id).await.unwrap();
    assert_eq!((task.status, task.attempts), (Status::Completed, 2));
    assert_eq!(task.result, Some(json!(["one\u{2028}done", "two\u{2028}\u{2028}done", "three\u{2028}done"])));
    assert_eq!(again.wait(&waiting).await.unwrap().attempts, 1);
    let begun: Vec<_> = counts.iter().map(|count| count.load(SeqCst)).collect();
    assert_eq!(begun, [1, 2, 2], "the first step of the interrupted task was not begun again");
    close(again, tracker).await;
}

#[test]
fn a_runtime_that_dies_leaves_work_that_is_continued_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tasks.jsonl");
    let (gate, counts) = (Arc::new(Semaphore::new(0)), begun());
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();

    let first = runtime();
    let id = first.block_on(async {
        let (engine, _) = open(options(&path), three_steps(&gate, &counts)).await;
        let id = engine.submit(new(PIPELINE, "release")).await.unwrap().id;
        until(&engine, &id, |task| task.steps.len() == 1).await;
        id
    });
    drop(first);

    let found = history(&path).unwrap();
    assert_eq!(found[0].status, Status::Running, "a body cut off is not recorded as failed");
    gate.add_permits(1);
    runtime().block_on(async {
        let (engine, tracker) = open(options(&path), three_steps(&gate, &counts)).await;
        let task = engine.wait(&id).await.unwrap();
        assert_eq!((task.status, task.attempts, task.steps.len()), (Status::Completed, 2, 3));
        close(engine, tracker).await;
    });
    let begun: Vec<_> = counts.iter().map(|count| count.load(SeqCst)).collect();
    assert_eq!(begun, [1, 2, 1], "the first step once, the one that was cut off twice");
}

#[tokio::test]
async fn nothing_is_begun_once_the_program_stops() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tasks.jsonl");
    let (gate, counts) = (Arc::new(Semaphore::new(0)), begun());
    let (engine, tracker) = open(Options { workers: 1, ..options(&path) }, three_steps(&gate, &counts)).await;
    let running = engine.submit(new(PIPELINE, "running")).await.unwrap().id;
    let waiting = engine.submit(new(PIPELINE, "waiting")).await.unwrap().id;
    until(&engine, &running, |task| task.steps.len() == 1).await;
    tracker.stop();
    let late = engine.submit(new(PIPELINE, "late")).await.unwrap().id;
    gate.add_permits(3);
    tracker.wait().await;
    assert_eq!(engine.get(&running).await.unwrap().status, Status::Completed, "what runs may end");
    assert_eq!(engine.get(&waiting).await.unwrap().status, Status::Pending);
    drop(engine);

    let (engine, tracker) = open(options(&path), three_steps(&gate, &counts)).await;
    for id in [&waiting, &late] {
        assert_eq!(engine.wait(id).await.unwrap().attempts, 1);
    }
    close(engine, tracker).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_accepted_once_even_by_many_at_once_and_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tasks.jsonl");
    let (engine, tracker) = open(options(&path), echo()).await;
    let many = futures_util::future::join_all((0..64).map(|_| engine.submit(keyed("a", "delivery-1")))).await;
    let many: Vec<_> = many.into_iter().map(Result::unwrap).collect();
    assert_eq!(many.iter().filter(|one| one.fresh).count(), 1);
    assert_eq!(many.iter().map(|one| &one.id).collect::<HashSet<_>>().len(), 1);
    close(engine, tracker).await;

    let (engine, tracker) = open(options(&path), echo()).await;
    let again = engine.submit(keyed("a", "delivery-1")).await.unwrap();
    assert_eq!(again, Submitted { id: many[0].id.clone(), fresh: false });
    close(engine, tracker).await;
}

#[tokio::test]
async fn a_second_engine_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tasks.jsonl");
    let (engine, tracker) = open(options(&path), echo()).await;
    let refused = Engine::open(options(&path), echo(), Tracker::new()).await.unwrap_err();
    assert!(matches!(refused, Error::Owned { pid: Some(pid), .. } if pid == std::process::id()));
    close(engine, tracker).await;
    open(options(&path), echo()).await;
}

#[tokio::test]
async fn a_journal_cut_at_any_byte_keeps_every_whole_line() {
    let folder = memory_folder();
    let journal = written(&folder.path().join("tasks.jsonl")).await;
    let cut_at = |name: &str, length: usize| -> PathBuf {
        let path = folder.path().join(name);
        fs::write(&path, &journal[..length]).unwrap();
        path
    };
    let mut expected = Vec::new();
    for length in 0..=journal.len() {
        // A line that lacks only its end counts as well.
        if journal.get(length).is_none_or(|byte| *byte == b'\n') {
            expected = tasks(&cut_at("whole.jsonl", length));
        }
        assert_eq!(tasks(&cut_at("cut.jsonl", length)), expected, "cut at byte {length}");
        for entry in fs::read_dir(folder.path()).unwrap().map(Result::unwrap) {
            if entry.file_name().to_string_lossy().contains(".torn-") {
                fs::remove_file(entry.path()).unwrap();
            }
        }
    }
    assert_eq!(expected.len(), 4);
}

#[tokio::test]
async fn an_engine_opens_wherever_its_journal_ends() {
    let folder = memory_folder();
    let journal = written(&folder.path().join("tasks.jsonl")).await;
    let gate = Arc::new(Semaphore::new(1000));
    for length in (0..journal.len()).step_by(37) {
        let path = folder.path().join(format!("cut-{length}.jsonl"));
        fs::write(&path, &journal[..length]).unwrap();
        let mut bodies = three_steps(&gate, &begun());
        bodies.extend(echo());
        let (engine, tracker) = open(options(&path), bodies).await;
        for task in engine.list(&Filter::default()) {
            let ended = engine.wait(&task.task_id).await.unwrap();
            assert!(matches!(ended.status, Status::Completed | Status::Cancelled), "{ended:?}");
        }
        close(engine, tracker).await;
    }
}

#[tokio::test]
async fn a_task_that_ends_the_process_every_time_is_given_up() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tasks.jsonl");
    let (engine, tracker) = open(Options { workers: 0, ..options(&path) }, echo()).await;
    let id = engine.submit(new(EMPLOYEE, "a")).await.unwrap().id;
    close(engine, tracker).await;
    let mut journal = fs::read_to_string(&path).unwrap();
    for attempt in 1..=20 {
        let started =
            json!({ "event": "started", "task_id": id, "attempt": attempt, "at": "2026-01-01T00:00:00Z" });
        journal.push_str(&started.to_string());
        journal.push('\n');
    }
    fs::write(&path, journal).unwrap();
    let (engine, tracker) = open(options(&path), echo()).await;
    let task = engine.get(&id).await.unwrap();
    assert_eq!((task.status, task.attempts), (Status::Failed, 20));
    close(engine, tracker).await;
    assert_eq!(history(&path).unwrap()[0].status, Status::Failed, "and that is on record");
}

#[tokio::test]
async fn a_task_nobody_here_can_do_waits_for_a_version_that_can() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tasks.jsonl");
    let (engine, tracker) = open(Options { workers: 0, ..options(&path) }, echo()).await;
    let kept = engine.submit(new(EMPLOYEE, "kept")).await.unwrap().id;
    let dropped = engine.submit(new(EMPLOYEE, "dropped")).await.unwrap().id;
    close(engine, tracker).await;
    let (engine, tracker) = open(options(&path), Vec::new()).await;
    assert_eq!(engine.cancel(&dropped).await.unwrap().status, Status::Cancelled);
    close(engine, tracker).await;
    let (engine, tracker) = open(options(&path), echo()).await;
    assert_eq!(engine.wait(&kept).await.unwrap().status, Status::Completed);
    assert_eq!(engine.get(&dropped).await.unwrap().status, Status::Cancelled);
    close(engine, tracker).await;
}

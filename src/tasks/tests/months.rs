//! Journals that have grown for months: their index, what is read on demand, and how they become smaller.

use std::fs;

use super::{super::upkeep::Need, *};

/// A journal of tasks in all states, whose index tells of all but the last ones.
async fn grown(path: &Path) -> Vec<Task> {
    let (gate, begun) = (Arc::new(Semaphore::new(0)), Arc::default());
    let mut bodies = three_steps(&gate, &begun);
    bodies.extend(echo());
    let (engine, tracker) = open(options(path), bodies).await;
    for number in 0..5 {
        let id = engine.submit(keyed("done\u{2028}", &format!("key {number}"))).await.unwrap().id;
        engine.wait(&id).await.unwrap();
    }
    let stopped = engine.submit(new(PIPELINE, "stopped")).await.unwrap().id;
    until(&engine, &stopped, |task| task.steps.len() == 1).await;
    engine.cancel(&stopped).await.unwrap();
    let held = engine.submit(new(PIPELINE, "held")).await.unwrap().id;
    until(&engine, &held, |task| task.steps.len() == 1).await;
    engine.shared.see_to(Need::Index).unwrap();
    let late = engine.submit(new(EMPLOYEE, "late")).await.unwrap().id;
    engine.wait(&late).await.unwrap();
    engine.resume(&stopped, Resumption::default()).await.unwrap();
    until(&engine, &stopped, |task| task.status == Status::Running).await;
    engine.shared.see_to(Need::Index).unwrap();
    engine.cancel(&stopped).await.unwrap();
    tracker.stop();
    let expected = history(path).unwrap();
    for task in &expected {
        assert_eq!(*engine.get(&task.task_id).await.unwrap(), *task, "the same is read on demand");
    }
    expected
}

/// A journal and its index as a killed process leaves them.
fn copied(path: &Path) -> std::path::PathBuf {
    let copy = path.with_file_name("copy.jsonl");
    fs::copy(path, &copy).unwrap();
    fs::copy(path.with_extension("index"), copy.with_extension("index")).unwrap();
    copy
}

async fn rewrite(engine: &Engine) {
    let engine = engine.clone();
    tokio::task::spawn_blocking(move || engine.shared.see_to(Need::Rewrite)).await.unwrap().unwrap();
}

#[tokio::test]
async fn an_index_tells_what_the_journal_does_however_much_of_it_is_right() {
    let folder = memory_folder();
    let (path, index) = (folder.path().join("tasks.jsonl"), folder.path().join("tasks.index"));
    let expected = grown(&path).await;
    assert_eq!(expected.len(), 8);
    let whole = fs::read(&index).unwrap();
    assert_eq!(whole.split(|byte| *byte == b'\n').filter(|line| line.starts_with(b"{\"crc\"")).count(), 2);
    fs::remove_file(&index).unwrap();
    assert_eq!(history(&path).unwrap(), expected, "without an index");
    for length in (0..=whole.len()).step_by(53) {
        fs::write(&index, &whole[..length]).unwrap();
        assert_eq!(history(&path).unwrap(), expected, "cut at byte {length}");
    }
    for place in (0..whole.len()).step_by(71) {
        let mut wrong = whole.clone();
        wrong[place] ^= 1;
        fs::write(&index, &wrong).unwrap();
        assert_eq!(history(&path).unwrap(), expected, "wrong at byte {place}");
    }
}

#[tokio::test]
async fn an_index_of_another_journal_is_not_believed() {
    let folder = memory_folder();
    let (path, index) = (folder.path().join("tasks.jsonl"), folder.path().join("tasks.index"));
    let other = folder.path().join("other.jsonl");
    grown(&other).await;
    let expected = grown(&path).await;
    fs::copy(folder.path().join("other.index"), &index).unwrap();
    assert_eq!(history(&path).unwrap(), expected);
    // A journal that was put back from an older copy is shorter than its index.
    let journal = fs::read_to_string(&path).unwrap();
    let half: String = journal.split_inclusive('\n').take(journal.lines().count() / 2).collect();
    fs::write(&path, &half).unwrap();
    assert!(history(&path).unwrap().len() < expected.len());
}

#[tokio::test]
async fn the_next_start_goes_on_from_an_index() {
    let folder = memory_folder();
    let path = folder.path().join("tasks.jsonl");
    let expected = grown(&path).await;
    let path = copied(&path);
    let (gate, begun) = (Arc::new(Semaphore::new(9)), Arc::default());
    let mut bodies = three_steps(&gate, &begun);
    bodies.extend(echo());
    let (engine, tracker) = open(options(&path), bodies).await;
    for task in expected.iter().filter(|task| task.status.is_final()) {
        assert_eq!(*engine.get(&task.task_id).await.unwrap(), *task);
        if let Some(key) = &task.idempotency_key {
            let again = engine.submit(keyed("done\u{2028}", key)).await.unwrap();
            assert_eq!(again, Submitted { id: task.task_id.clone(), fresh: false });
        }
    }
    let find = |name: &str| &expected.iter().find(|task| task.target_name == name).unwrap().task_id;
    assert_eq!(engine.wait(find("held")).await.unwrap().status, Status::Completed);
    engine.resume(find("stopped"), Resumption::default()).await.unwrap();
    let stopped = engine.wait(find("stopped")).await.unwrap();
    assert_eq!((stopped.status, stopped.resumed), (Status::Completed, 2));
    let counts: Vec<_> = begun.iter().map(|count: &AtomicUsize| count.load(SeqCst)).collect();
    assert_eq!(counts, [0, 2, 2], "what was finished is not done again");
    engine.shared.see_to(Need::Index).unwrap();
    close(engine, tracker).await;
    let known = history(&path).unwrap();
    assert_eq!(known.len(), expected.len(), "what was read at the start is in the index as well");
    fs::remove_file(path.with_extension("index")).unwrap();
    assert_eq!(history(&path).unwrap(), known);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_journal_becomes_smaller_while_it_is_written() {
    let folder = memory_folder();
    let path = folder.path().join("tasks.jsonl");
    let (engine, tracker) = open(Options { retain: 40, workers: 8, ..options(&path) }, echo()).await;
    let writing = {
        let engine = engine.clone();
        tracker.spawn(async move {
            for round in 0..40 {
                let many = (0..20).map(|number| engine.submit(new(EMPLOYEE, &format!("{round}-{number}"))));
                for submitted in futures_util::future::join_all(many).await {
                    engine.wait(&submitted.unwrap().id).await.unwrap();
                }
            }
        })
    };
    let mut rewritten = 0;
    while !writing.is_finished() {
        rewrite(&engine).await;
        rewritten += 1;
    }
    writing.await.unwrap();
    assert!(rewritten > 1);
    rewrite(&engine).await;
    let mut known = Vec::new();
    for summary in engine.list(&Filter::default()) {
        known.push(Task::clone(&*engine.get(&summary.task_id).await.unwrap()));
    }
    assert_eq!(known.len(), 40);
    assert_eq!(history(&path).unwrap(), known);
    close(engine, tracker).await;
    let lines = fs::read_to_string(&path).unwrap().lines().count();
    assert_eq!(lines, 40 * 3, "nothing of what is forgotten, all of what is not");
    fs::remove_file(folder.path().join("tasks.index")).unwrap();
    assert_eq!(history(&path).unwrap(), known, "also without the index");
}

#[tokio::test]
async fn a_file_changed_by_hand_is_told_of() {
    let folder = memory_folder();
    let path = folder.path().join("tasks.jsonl");
    let expected = grown(&path).await;
    let path = copied(&path);
    let journal = fs::read_to_string(&path).unwrap();
    let (engine, tracker) = open(Options { workers: 0, resume: false, ..options(&path) }, echo()).await;
    let done = &expected.iter().find(|task| task.status == Status::Completed).unwrap().task_id;
    fs::write(&path, journal.replace(done.as_str(), &"x".repeat(done.as_str().len()))).unwrap();
    assert!(matches!(engine.get(done).await, Err(Error::Misplaced { .. })));
    close(engine, tracker).await;
}

#[tokio::test]
async fn it_is_told_when_what_was_forgotten_is_in_no_file_any_more() {
    let folder = memory_folder();
    let path = folder.path().join("tasks.jsonl");
    let (engine, tracker) = open(options(&path), echo()).await;
    engine.submit(new(EMPLOYEE, "one")).await.unwrap();
    let begun = engine.removals_begun();
    assert!(!engine.has_removed(begun), "nothing was removed yet");
    rewrite(&engine).await;
    assert!(engine.has_removed(begun));
    assert!(!engine.has_removed(engine.removals_begun()), "what is forgotten from now on is there still");
    tracker.stop();
}

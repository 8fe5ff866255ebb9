use std::fs;

use super::*;

/// Two steps; the second fails for as long as there is nothing in `gate`.
fn failing(gate: &Arc<Semaphore>, begun: &Arc<[AtomicUsize; 2]>) -> Bodies {
    let (gate, begun) = (Arc::clone(gate), Arc::clone(begun));
    vec![does(PIPELINE, move |task: Arc<Task>, steps: Steps| {
        let (gate, begun) = (Arc::clone(&gate), Arc::clone(&begun));
        async move {
            let count = |index: usize| begun[index].fetch_add(1, SeqCst);
            let one: usize = steps.run("one", || async { Ok(count(0)) }).await?;
            let two = || async {
                count(1);
                match gate.try_acquire() {
                    Ok(place) => {
                        place.forget();
                        Ok(())
                    }
                    Err(_) => Err(Failure::coded(Code::BUDGET_REACHED, "no money")),
                }
            };
            steps.run("two", two).await?;
            Ok(json!([one, task.options.get("model")]))
        }
    })]
}

fn counts(begun: &Arc<[AtomicUsize; 2]>) -> [usize; 2] {
    [begun[0].load(SeqCst), begun[1].load(SeqCst)]
}

fn on(model: &str) -> Resumption {
    Resumption { options: Map::from_iter([("model".to_owned(), json!(model))]), ..Resumption::default() }
}

#[tokio::test]
async fn a_failed_task_goes_on_where_it_stopped_also_after_a_crash() {
    let folder = tempfile::tempdir().unwrap();
    let (path, copy) = (folder.path().join("tasks.jsonl"), folder.path().join("copy.jsonl"));
    let (gate, begun) = (Arc::new(Semaphore::new(0)), Arc::default());
    let (engine, tracker) = open(options(&path), failing(&gate, &begun)).await;
    let id = engine.submit(new(PIPELINE, "p")).await.unwrap().id;
    let task = engine.wait(&id).await.unwrap();
    assert_eq!((task.status, task.code.clone()), (Status::Failed, Some(Code::BUDGET_REACHED)));
    close(engine, tracker).await;

    // It is accepted that it goes on, and then the process dies.
    let (engine, tracker) = open(Options { workers: 0, ..options(&path) }, failing(&gate, &begun)).await;
    let task = engine.resume(&id, on("other")).await.unwrap();
    assert_eq!((task.status, task.resumed, task.code.clone()), (Status::Pending, 1, None));
    assert_eq!((&task.error, task.completed_at), (&None, None));
    fs::copy(&path, &copy).unwrap();
    close(engine, tracker).await;

    gate.add_permits(1);
    let (engine, tracker) = open(options(&copy), failing(&gate, &begun)).await;
    let task = engine.wait(&id).await.unwrap();
    assert_eq!(
        (task.status, task.attempts, task.result.clone()),
        (Status::Completed, 2, Some(json!([0, "other"])))
    );
    assert_eq!(counts(&begun), [1, 2]);
    let refused = engine.resume(&id, on("other")).await.unwrap_err();
    assert_eq!(
        refused.to_string(),
        format!("task `{id}` is completed; only one that failed or was cancelled can be resumed")
    );
    close(engine, tracker).await;
    assert_eq!(history(&copy).unwrap()[0].status, Status::Completed);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_that_resume_at_once_one_wins() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tasks.jsonl");
    let (gate, begun) = (Arc::new(Semaphore::new(0)), Arc::default());
    let (engine, tracker) = open(options(&path), failing(&gate, &begun)).await;
    let id = engine.submit(new(PIPELINE, "p")).await.unwrap().id;
    engine.wait(&id).await.unwrap();
    close(engine, tracker).await;
    let (engine, tracker) = open(Options { workers: 0, ..options(&path) }, failing(&gate, &begun)).await;
    let many = futures_util::future::join_all((0..32).map(|_| engine.resume(&id, on("x")))).await;
    assert_eq!(many.iter().filter(|one| one.is_ok()).count(), 1);
    let refused = |one: &Result<Arc<Task>, Error>| {
        matches!(one, Err(Error::NotResumable { status: Status::Pending, .. }))
    };
    assert_eq!(many.iter().filter(|one| refused(one)).count(), 31);
    close(engine, tracker).await;
    assert_eq!(fs::read_to_string(&path).unwrap().matches(r#""event":"resumed""#).count(), 1);
}

#[tokio::test]
async fn a_cancelled_task_goes_on_and_steps_told_to_come_again_do() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tasks.jsonl");
    let (gate, counted) = (Arc::new(Semaphore::new(0)), Arc::new([const { AtomicUsize::new(0) }; 3]));
    let (engine, tracker) = open(options(&path), three_steps(&gate, &counted)).await;
    let id = engine.submit(new(PIPELINE, "p")).await.unwrap().id;
    until(&engine, &id, |task| task.steps.len() == 1).await;
    assert!(matches!(
        engine.resume(&id, Resumption::default()).await,
        Err(Error::NotResumable { status: Status::Running, .. })
    ));
    engine.cancel(&id).await.unwrap();
    gate.add_permits(1);
    let again = Resumption { again: vec!["one".to_owned()], ..Resumption::default() };
    let task = engine.resume(&id, again).await.unwrap();
    assert!(task.steps.is_empty());
    // It can be stopped and go on again: nothing is left of the first time.
    assert_eq!(engine.wait(&id).await.unwrap().status, Status::Completed);
    let begun: Vec<_> = counted.iter().map(|count| count.load(SeqCst)).collect();
    assert_eq!(begun, [2, 2, 1]);
    let kept = engine.get(&id).await.unwrap();
    close(engine, tracker).await;
    assert_eq!(history(&path).unwrap()[0], *kept, "the journal tells the same as the memory");
}

#[tokio::test]
async fn a_task_that_goes_on_is_not_forgotten_while_it_does() {
    let gate = Arc::new(Semaphore::new(0));
    let mut bodies = failing(&gate, &Arc::default());
    bodies.extend(echo());
    let (engine, tracker) = open(Options { workers: 1, retain: 2, ..Options::default() }, bodies).await;
    let first = engine.submit(new(PIPELINE, "p")).await.unwrap().id;
    engine.wait(&first).await.unwrap();
    gate.add_permits(1);
    engine.resume(&first, Resumption::default()).await.unwrap();
    let task = engine.wait(&first).await.unwrap();
    assert_eq!(task.status, Status::Completed);
    for number in 0..2 {
        let id = engine.submit(new(EMPLOYEE, &number.to_string())).await.unwrap().id;
        engine.wait(&id).await.unwrap();
        assert_eq!(engine.summary(&first).is_some(), number == 0);
    }
    assert_eq!(engine.counts(), Counts { completed: 2, ..Counts::default() });
    close(engine, tracker).await;
}

#[tokio::test]
async fn what_comes_from_another_task_takes_over_its_steps() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tasks.jsonl");
    let (gate, begun) = (Arc::new(Semaphore::new(0)), Arc::default());
    let (engine, tracker) = open(options(&path), failing(&gate, &begun)).await;
    let id = engine.submit(new(PIPELINE, "p")).await.unwrap().id;
    let origin = engine.wait(&id).await.unwrap();
    gate.add_permits(1);
    let heir = NewTask {
        origin: Some(Origin { id: id.clone(), steps: origin.steps.clone() }),
        ..new(PIPELINE, "p")
    };
    let heir = engine.submit(heir).await.unwrap().id;
    let task = engine.wait(&heir).await.unwrap();
    assert_eq!((task.status, task.origin.as_ref()), (Status::Completed, Some(&id)));
    assert_eq!(counts(&begun), [1, 2]);
    close(engine, tracker).await;
    assert_eq!(history(&path).unwrap()[0], *task);
}

#[tokio::test]
async fn what_has_not_ended_is_not_done_again() {
    let (engine, tracker) = open(Options { workers: 0, ..Options::default() }, echo()).await;
    let id = engine.submit(new(EMPLOYEE, "a")).await.unwrap().id;
    let again = NewTask { origin: Some(Origin { id: id.clone(), steps: Vec::new() }), ..new(EMPLOYEE, "a") };
    assert!(matches!(engine.submit(again).await, Err(Error::NotEnded { status: Status::Pending, .. })));
    close(engine, tracker).await;
}

#[tokio::test]
async fn a_task_that_went_on_is_kept_when_less_is_remembered_later() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tasks.jsonl");
    let bodies = || {
        let mut bodies = failing(&Arc::new(Semaphore::new(0)), &Arc::default());
        bodies.extend(echo());
        bodies
    };
    let (engine, tracker) = open(options(&path), bodies()).await;
    let first = engine.submit(new(PIPELINE, "p")).await.unwrap().id;
    engine.wait(&first).await.unwrap();
    for number in 0..5 {
        let id = engine.submit(new(EMPLOYEE, &number.to_string())).await.unwrap().id;
        engine.wait(&id).await.unwrap();
    }
    close(engine, tracker).await;
    let nobody = Options { workers: 0, ..options(&path) };
    let (engine, tracker) = open(nobody.clone(), bodies()).await;
    engine.resume(&first, Resumption::default()).await.unwrap();
    close(engine, tracker).await;
    let (engine, tracker) = open(Options { retain: 2, ..nobody }, bodies()).await;
    assert_eq!(engine.get(&first).await.unwrap().status, Status::Pending);
    assert_eq!(engine.counts(), Counts { pending: 1, completed: 2, ..Counts::default() });
    close(engine, tracker).await;
}

#[tokio::test]
async fn old_tasks_are_forgotten_by_their_age() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tasks.jsonl");
    let (engine, tracker) = open(options(&path), echo()).await;
    let id = engine.submit(new(EMPLOYEE, "a")).await.unwrap().id;
    engine.wait(&id).await.unwrap();
    close(engine, tracker).await;
    for (age, known) in [(Duration::from_hours(1), 1), (Duration::ZERO, 0)] {
        let (engine, tracker) = open(Options { retain_for: Some(age), ..options(&path) }, echo()).await;
        assert_eq!(engine.list(&Filter::default()).len(), known);
        close(engine, tracker).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_task_that_takes_too_long_fails_with_a_code_and_may_go_on() {
    let gate = Arc::new(Semaphore::new(0));
    let (engine, tracker) = open(Options::default(), three_steps(&gate, &Arc::default())).await;
    let slow = NewTask { timeout_seconds: Some(60), ..new(PIPELINE, "p") };
    let id = engine.submit(slow).await.unwrap().id;
    let task = engine.wait(&id).await.unwrap();
    assert_eq!((task.status, task.code.clone()), (Status::Failed, Some(Code::DEADLINE)));
    assert_eq!(task.steps.len(), 1);
    gate.add_permits(1);
    engine.resume(&id, Resumption::default()).await.unwrap();
    assert_eq!(engine.wait(&id).await.unwrap().status, Status::Completed);
    close(engine, tracker).await;
}

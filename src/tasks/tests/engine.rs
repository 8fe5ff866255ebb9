use super::*;

fn memory() -> Options {
    Options { workers: 1, ..Options::default() }
}

fn stuck() -> Bodies {
    vec![does(EMPLOYEE, |_, _| std::future::pending())]
}

#[tokio::test]
async fn a_task_is_done_and_shown() {
    let (engine, _tracker) = open(memory(), echo()).await;
    assert!(!engine.is_durable());
    let submitted = engine.submit(new(EMPLOYEE, "reviewer")).await.unwrap();
    assert!(submitted.fresh);
    let task = engine.wait(&submitted.id).await.unwrap();
    assert_eq!((task.status, task.result.clone()), (Status::Completed, Some(json!("reviewer"))));
    assert_eq!((task.attempts, task.target_type.as_str()), (1, "employee"));
    assert!(task.started_at <= task.completed_at);
    assert_eq!(engine.get(&submitted.id).await.unwrap(), task);
    assert!(matches!(engine.wait(&TaskId::generate()).await, Err(Error::NotFound { .. })));
}

#[tokio::test]
async fn an_unknown_kind_and_bottomless_options_are_refused() {
    let (engine, _tracker) = open(memory(), echo()).await;
    let refused = engine.submit(new(PIPELINE, "release")).await.unwrap_err();
    assert_eq!(refused.to_string(), "no task is of kind `pipeline.run`");
    let mut deep = json!(1);
    for _ in 0..200 {
        deep = json!([deep]);
    }
    let options = Map::from_iter([("deep".to_owned(), deep)]);
    let refused = engine.submit(NewTask { options, ..new(EMPLOYEE, "a") }).await.unwrap_err();
    assert!(matches!(refused, Error::TooDeep { .. }));
}

#[tokio::test]
async fn lists_the_newest_first_and_filters() {
    let (engine, _tracker) = open(Options { workers: 0, ..memory() }, echo()).await;
    let mut ids = Vec::new();
    for target in ["a", "b", "a"] {
        ids.push(engine.submit(new(EMPLOYEE, target)).await.unwrap().id);
    }
    engine.cancel(&ids[1]).await.unwrap();
    let check = |filter: Filter, expected: &[usize]| {
        let found: Vec<_> = engine.list(&filter).iter().map(|task| task.task_id.clone()).collect();
        let expected: Vec<_> = expected.iter().map(|index| ids[*index].clone()).collect();
        assert_eq!(found, expected, "{filter:?}");
    };
    check(Filter::default(), &[2, 1, 0]);
    check(Filter { limit: Some(2), ..Filter::default() }, &[2, 1]);
    check(Filter { target: Some("a".to_owned()), ..Filter::default() }, &[2, 0]);
    check(Filter { status: Some(Status::Cancelled), ..Filter::default() }, &[1]);
    check(Filter { kind: Some(PIPELINE), ..Filter::default() }, &[]);
    assert_eq!(engine.counts(), Counts { pending: 2, cancelled: 1, ..Counts::default() });
}

#[tokio::test]
async fn a_full_queue_refuses_and_a_cancelled_task_gives_its_place_back() {
    let (engine, _tracker) = open(Options { workers: 0, queue: 2, ..memory() }, echo()).await;
    let first = engine.submit(new(EMPLOYEE, "a")).await.unwrap().id;
    engine.submit(keyed("b", "key")).await.unwrap();
    assert!(matches!(engine.submit(new(EMPLOYEE, "c")).await, Err(Error::Full { limit: 2 })));
    assert!(!engine.submit(keyed("b", "key")).await.unwrap().fresh, "a known key needs no place");
    engine.cancel(&first).await.unwrap();
    engine.submit(new(EMPLOYEE, "c")).await.unwrap();
}

#[tokio::test]
async fn tasks_are_begun_in_the_order_they_came() {
    let order = Arc::new(parking_lot::Mutex::new(Vec::new()));
    let seen = Arc::clone(&order);
    let gate = Arc::new(Semaphore::new(0));
    let held = Arc::clone(&gate);
    let body = does(EMPLOYEE, move |task, _| {
        let (seen, held) = (Arc::clone(&seen), Arc::clone(&held));
        async move {
            held.acquire().await.unwrap().forget();
            seen.lock().push(task.target_name.clone());
            Ok(Value::Null)
        }
    });
    let (engine, _tracker) = open(memory(), vec![body]).await;
    let mut last = None;
    for target in ["a", "b", "c", "d"] {
        last = Some(engine.submit(new(EMPLOYEE, target)).await.unwrap().id);
    }
    gate.add_permits(4);
    engine.wait(&last.unwrap()).await.unwrap();
    assert_eq!(*order.lock(), ["a", "b", "c", "d"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_worker_gets_work() {
    let meeting = Arc::new(tokio::sync::Barrier::new(4));
    let body = does(EMPLOYEE, move |_, _| {
        let meeting = Arc::clone(&meeting);
        async move {
            meeting.wait().await;
            Ok(Value::Null)
        }
    });
    let (engine, _tracker) = open(Options { workers: 4, ..memory() }, vec![body]).await;
    for _ in 0..100 {
        let submitted =
            futures_util::future::join_all((0..4).map(|_| engine.submit(new(EMPLOYEE, "a")))).await;
        for one in submitted {
            engine.wait(&one.unwrap().id).await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_running_task_is_cancelled() {
    let (engine, _tracker) = open(memory(), stuck()).await;
    let id = engine.submit(new(EMPLOYEE, "a")).await.unwrap().id;
    until(&engine, &id, |task| task.status == Status::Running).await;
    assert_eq!(engine.cancel(&id).await.unwrap().status, Status::Cancelled);
    assert!(matches!(engine.cancel(&id).await, Err(Error::Final { status: Status::Cancelled, .. })));
    assert!(matches!(engine.cancel(&TaskId::generate()).await, Err(Error::NotFound { .. })));
    let next = engine.submit(new(EMPLOYEE, "b")).await.unwrap().id;
    until(&engine, &next, |task| task.status == Status::Running).await;
}

#[tokio::test]
async fn a_panic_fails_the_task_and_nothing_else() {
    let body = does(EMPLOYEE, |task, _| async move {
        assert!(task.target_name != "bad", "no such {}", task.target_name);
        Ok(Value::Null)
    });
    let (engine, _tracker) = open(memory(), vec![body]).await;
    let bad = engine.submit(new(EMPLOYEE, "bad")).await.unwrap().id;
    let good = engine.submit(new(EMPLOYEE, "good")).await.unwrap().id;
    let failed = engine.wait(&bad).await.unwrap();
    assert_eq!(failed.error.as_deref(), Some("the task panicked: no such bad"));
    assert_eq!(engine.wait(&good).await.unwrap().status, Status::Completed);
}

#[tokio::test]
async fn a_failure_keeps_what_was_reached() {
    let body = does(EMPLOYEE, |_, steps: Steps| async move {
        steps.run("one", || async { Ok(1) }).await?;
        steps
            .run::<i32, _, _>("two", || async { Err(Failure::new("no money")) })
            .await
            .map_err(|failure| failure.with_partial(json!(steps.finished().len())))?;
        Ok(Value::Null)
    });
    let (engine, _tracker) = open(memory(), vec![body]).await;
    let id = engine.submit(new(EMPLOYEE, "a")).await.unwrap().id;
    let task = engine.wait(&id).await.unwrap();
    assert_eq!((task.status, task.error.as_deref()), (Status::Failed, Some("no money")));
    assert_eq!((task.result.clone(), task.steps.len()), (Some(json!(1)), 1));
}

#[tokio::test]
async fn the_oldest_finished_tasks_are_forgotten_with_their_keys() {
    let (engine, _tracker) = open(Options { retain: 2, ..memory() }, echo()).await;
    let mut ids = Vec::new();
    for key in ["a", "b", "c"] {
        let id = engine.submit(keyed("x", key)).await.unwrap().id;
        engine.wait(&id).await.unwrap();
        ids.push(id);
    }
    assert!(engine.summary(&ids[0]).is_none());
    assert_eq!(engine.counts().completed, 2);
    assert_eq!(engine.list(&Filter::default()).len(), 2);
    assert!(!engine.submit(keyed("x", "c")).await.unwrap().fresh);
    assert!(engine.submit(keyed("x", "a")).await.unwrap().fresh);
}

#[tokio::test]
async fn what_somebody_has_to_see_to_is_not_forgotten_until_then() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tasks.jsonl");
    let keeping = || Options { retain: 1, owed: Some("owed"), retain_owed: 3, ..options(&path) };
    let (engine, tracker) = open(keeping(), echo()).await;
    let run = async |engine: &Engine, owed: bool| {
        let mut task = new(EMPLOYEE, "a");
        task.options.extend(owed.then(|| ("owed".to_owned(), json!([1]))));
        let id = engine.submit(task).await.unwrap().id;
        engine.wait(&id).await.unwrap();
        id
    };
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.push(run(&engine, true).await);
    }
    let known = |engine: &Engine| {
        let mut known: Vec<_> =
            engine.list(&Filter::default()).iter().map(|task| task.task_id.clone()).collect();
        known.reverse();
        known
    };
    assert_eq!(known(&engine), ids[1..], "three of them, and the newest of the others");
    close(engine, tracker).await;
    let (engine, tracker) = open(keeping(), echo()).await;
    assert_eq!(known(&engine), ids[1..]);
    engine.release(&ids[3], 1);
    assert_eq!(known(&engine), ids[1..], "it never had such an end");
    engine.release(&ids[3], 0);
    assert_eq!(known(&engine), ids[1..], "one of the others is kept");
    engine.release(&ids[2], 0);
    assert_eq!(known(&engine), [ids[1].clone(), ids[3].clone(), ids[4].clone()]);
    engine.release(&ids[1], 0);
    assert_eq!(known(&engine), ids[3..]);
    engine.owe(&ids[3]);
    run(&engine, false).await;
    ids.push(run(&engine, false).await);
    assert_eq!(known(&engine), ids[3..]);
    assert_eq!(engine.counts(), Counts { completed: 3, ..Counts::default() });
    close(engine, tracker).await;
    // Who keeps nothing for anybody forgets them as others.
    let (engine, tracker) = open(Options { owed: None, ..keeping() }, echo()).await;
    assert_eq!(known(&engine), ids[5..]);
    close(engine, tracker).await;
}

#[tokio::test]
async fn steps_outside_a_task_are_checked_but_not_kept() {
    let steps = Steps::ephemeral();
    assert_eq!(steps.run("one", || async { Ok(1) }).await, Ok(1));
    let twice = steps.run("one", || async { Ok(1) }).await.unwrap_err();
    assert_eq!(twice.message, "two steps of one run are called `one`");
    assert_eq!((steps.finished().len(), steps.attempt()), (1, 1));
    steps.cancelled().cancel();
    let stopped = steps.run::<i32, _, _>("two", std::future::pending).await.unwrap_err();
    assert_eq!(stopped.message, "cancelled");
}

#[tokio::test]
async fn values_that_could_not_be_read_again_are_refused() {
    let body = does(EMPLOYEE, |_, _| async move {
        let mut deep = json!(1);
        for _ in 0..=100 {
            deep = json!({ "a": deep });
        }
        Ok(deep)
    });
    let (engine, _tracker) = open(memory(), vec![body]).await;
    let id = engine.submit(new(EMPLOYEE, "a")).await.unwrap().id;
    assert_eq!(engine.wait(&id).await.unwrap().status, Status::Failed);
}

#[tokio::test]
async fn whoever_asks_hears_which_tasks_have_changed() {
    let (gate, begun) = (Arc::new(Semaphore::new(0)), Arc::default());
    let (engine, _tracker) = open(memory(), three_steps(&gate, &begun)).await;
    let id = engine.submit(new(PIPELINE, "a")).await.unwrap().id;
    let stands = async |good: &dyn Fn(&Task) -> bool| {
        loop {
            assert_eq!(engine.changed().await, std::slice::from_ref(&id), "nothing else has changed");
            if good(&engine.get(&id).await.unwrap()) {
                return;
            }
        }
    };
    stands(&|task| task.steps.len() == 1).await;
    gate.add_permits(1);
    stands(&|task| task.status == Status::Completed).await;
    assert!(engine.changed().now_or_never().is_none(), "it is told of once");
}

#[tokio::test]
async fn the_task_of_a_caller_who_goes_away_is_stopped() {
    let (engine, _tracker) = open(memory(), stuck()).await;
    let key = |target: &str| NewTask { idempotency_key: Some("k".to_owned()), ..new(EMPLOYEE, target) };
    let (one, other) = (CancellationToken::new(), CancellationToken::new());
    let running = engine.submit_for(key("a"), one.clone()).await.unwrap();
    let waiting = engine.submit_for(new(EMPLOYEE, "b"), one.clone()).await.unwrap();
    let kept = engine.submit_for(new(EMPLOYEE, "c"), other.clone()).await.unwrap();
    // Who only asked for the same again does not stop the work of the first.
    let again = CancellationToken::new();
    assert_eq!(
        engine.submit_for(key("a"), again.clone()).await.unwrap(),
        Submitted { fresh: false, ..running.clone() }
    );
    again.cancel();
    one.cancel();
    for id in [&running.id, &waiting.id] {
        assert_eq!(engine.wait(id).await.unwrap().status, Status::Cancelled);
    }
    assert!(!engine.get(&kept.id).await.unwrap().status.is_final());
    // Gone before the task was accepted.
    let id = engine.submit_for(new(EMPLOYEE, "d"), one).await.unwrap().id;
    assert_eq!(engine.wait(&id).await.unwrap().status, Status::Cancelled);
}

#[tokio::test]
async fn whoever_waits_when_the_program_ends_is_answered() {
    let (engine, tracker) = open(memory(), stuck()).await;
    let working = engine.submit(new(EMPLOYEE, "a")).await.unwrap().id;
    until(&engine, &working, |task| task.status == Status::Running).await;
    let queued = engine.submit(new(EMPLOYEE, "b")).await.unwrap().id;
    let waiting = async || {
        let status = async |id| engine.settled(id).now_or_never().map(|task| task.unwrap().status);
        [status(&working).await, status(&queued).await]
    };
    assert_eq!(waiting().await, [None, None]);
    tracker.stop();
    assert_eq!(waiting().await, [None, Some(Status::Pending)]);
    tracker.hurry();
    assert_eq!(waiting().await, [Some(Status::Running), Some(Status::Pending)]);
}

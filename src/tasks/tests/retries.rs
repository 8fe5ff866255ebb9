//! Work that fails with something that may pass.

use super::*;

/// Two steps; the second fails so often with something that may pass. Counts how often each was begun.
fn shaky(failures: usize, begun: &Arc<[AtomicUsize; 2]>) -> Bodies {
    let begun = Arc::clone(begun);
    vec![does(PIPELINE, move |_, steps: Steps| {
        let begun = Arc::clone(&begun);
        async move {
            let count = &begun;
            let first = async || {
                count[0].fetch_add(1, SeqCst);
                Ok(1)
            };
            steps.run("first", first).await?;
            if count[1].fetch_add(1, SeqCst) < failures {
                return Err(Failure { transient: true, ..Failure::coded(Code::MODEL, "busy") });
            }
            Ok(json!("done"))
        }
    })]
}

fn tries(attempts: u32, backoff: Duration) -> Retry {
    Retry { attempts, backoff, most: Duration::from_hours(1) }
}

const SOON: Duration = Duration::from_millis(2);

#[tokio::test]
async fn what_may_pass_is_tried_again_without_its_finished_steps() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tasks.jsonl");
    let begun = Arc::default();
    let (engine, tracker) = open(Options { retry: tries(3, SOON), ..options(&path) }, shaky(2, &begun)).await;
    let id = engine.submit(new(PIPELINE, "a")).await.unwrap().id;
    let task = engine.wait(&id).await.unwrap();
    assert_eq!((task.status, task.attempts, task.retries), (Status::Completed, 3, 2));
    assert_eq!((&task.error, task.dead, task.retry_at), (&None, false, None));
    assert_eq!(begun.each_ref().map(|count| count.load(SeqCst)), [1, 3]);
    close(engine, tracker).await;
    assert_eq!(history(&path).unwrap(), [Task::clone(&task)]);
}

#[tokio::test]
async fn a_task_tried_as_often_as_it_may_is_dead_until_somebody_gives_it_new_tries() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tasks.jsonl");
    let begun = Arc::default();
    let with = || Options { retry: tries(2, SOON), ..options(&path) };
    let (engine, tracker) = open(with(), shaky(3, &begun)).await;
    let id = engine.submit(new(PIPELINE, "a")).await.unwrap().id;
    let task = engine.wait(&id).await.unwrap();
    assert_eq!((task.status, task.attempts, task.dead), (Status::Failed, 2, true));
    assert_eq!(engine.counts().dead, 1);
    let dead = Filter { dead: true, ..Filter::default() };
    assert_eq!(engine.list(&dead).len(), 1);
    close(engine, tracker).await;

    let (engine, tracker) = open(with(), shaky(3, &begun)).await;
    assert_eq!((engine.list(&dead).len(), engine.counts().dead), (1, 1), "also after a restart");
    engine.resume(&id, Resumption::default()).await.unwrap();
    assert_eq!(engine.list(&dead).len(), 0);
    let task = engine.wait(&id).await.unwrap();
    assert_eq!((task.status, task.attempts, task.dead), (Status::Completed, 4, false));
    assert_eq!((engine.counts().dead, begun[0].load(SeqCst)), (0, 1));
    close(engine, tracker).await;
}

#[tokio::test]
async fn a_task_that_waits_for_its_next_try_holds_no_worker_survives_and_can_be_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tasks.jsonl");
    let begun = Arc::default();
    let with = |backoff| Options { retry: tries(5, backoff), workers: 1, ..options(&path) };
    let bodies = || {
        let mut bodies = shaky(1, &begun);
        bodies.extend(echo());
        bodies
    };
    let (engine, tracker) = open(with(Duration::from_hours(1)), bodies()).await;
    let id = engine.submit(new(PIPELINE, "a")).await.unwrap().id;
    let task = until(&engine, &id, |task| task.retries == 1).await;
    assert_eq!((task.status, task.error.as_deref()), (Status::Pending, Some("busy")));
    let wait = task.retry_at.unwrap().duration_since(task.started_at.unwrap()).as_secs();
    assert!((1800..=3600).contains(&wait), "{wait}");
    let other = engine.submit(new(EMPLOYEE, "b")).await.unwrap().id;
    engine.wait(&other).await.unwrap();
    close(engine, tracker).await;

    let (engine, tracker) = open(with(Duration::from_hours(1)), bodies()).await;
    let found = engine.get(&id).await.unwrap();
    assert_eq!((found.status, found.retry_at, found.attempts), (Status::Pending, task.retry_at, 1));
    let ended = engine.cancel(&id).await.unwrap();
    assert_eq!((ended.status, ended.retry_at), (Status::Cancelled, None));
    close(engine, tracker).await;
}

#[tokio::test]
async fn what_will_not_pass_is_tried_once() {
    let body = does(EMPLOYEE, async |_, _| Err(Failure::new("no such thing")));
    let options = Options { retry: tries(5, SOON), ..Options::default() };
    let (engine, _tracker) = open(options, vec![body]).await;
    let id = engine.submit(new(EMPLOYEE, "a")).await.unwrap().id;
    let task = engine.wait(&id).await.unwrap();
    assert_eq!((task.status, task.attempts, task.dead), (Status::Failed, 1, false));
}

#[tokio::test]
async fn the_urgent_are_begun_before_those_that_came_first() {
    let (gate, order) = (Arc::new(Semaphore::new(0)), Arc::new(parking_lot::Mutex::new(Vec::new())));
    let (held, seen) = (Arc::clone(&gate), Arc::clone(&order));
    let body = does(EMPLOYEE, move |task, _| {
        let (gate, order) = (Arc::clone(&held), Arc::clone(&seen));
        async move {
            order.lock().push(task.target_name.clone());
            gate.acquire().await.unwrap().forget();
            Ok(Value::Null)
        }
    });
    let (engine, _tracker) = open(Options { workers: 1, ..Options::default() }, vec![body]).await;
    let first = engine.submit(new(EMPLOYEE, "first")).await.unwrap().id;
    until(&engine, &first, |task| task.status == Status::Running).await;
    let mut ids = vec![first];
    for (name, priority) in [("low", Priority::Low), ("normal", Priority::Normal), ("high", Priority::High)] {
        let task = NewTask { priority, ..new(EMPLOYEE, name) };
        ids.push(engine.submit(task).await.unwrap().id);
    }
    gate.add_permits(9);
    for id in &ids {
        engine.wait(id).await.unwrap();
    }
    assert_eq!(*order.lock(), ["first", "high", "normal", "low"]);
}

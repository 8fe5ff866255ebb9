use std::fs;

use super::*;
use crate::tasks::table::{Cancelling, Place, Room, Table};

pub(super) fn yes() -> Decision {
    Decision { approved: true, comment: None, by: Some("ann".to_owned()) }
}

fn no(comment: &str) -> Decision {
    Decision { approved: false, comment: Some(comment.to_owned()), by: None }
}

/// Does `before`, asks `a` and `b` side by side, does a step for each that is approved, and then `after`.
fn asks_two(begun: &Arc<AtomicUsize>) -> Bodies {
    let begun = Arc::clone(begun);
    vec![does(PIPELINE, move |_, steps: Steps| {
        let begun = Arc::clone(&begun);
        async move {
            let does = async |name: &str| {
                let begun = &begun;
                let work = || async move {
                    begun.fetch_add(1, SeqCst);
                    Ok(name.to_owned())
                };
                steps.run(name, work).await
            };
            let gated = async |name: &str| {
                let decision = steps.wait(name, &format!("{name}?")).await?;
                if decision.approved { does(name).await } else { Ok(decision.comment.unwrap_or_default()) }
            };
            let first = does("before").await?;
            let (a, b) = tokio::join!(gated("a"), gated("b"));
            Ok(json!([first, a?, b?, does("after").await?]))
        }
    })]
}

/// Asks `a` while another step is at work, until `gate` lets that go on.
fn asks_at_work(gate: &Arc<Semaphore>) -> Bodies {
    let held = Arc::clone(gate);
    vec![does(PIPELINE, move |_, steps: Steps| {
        let gate = Arc::clone(&held);
        async move {
            let work = steps.run("work", || async {
                gate.acquire().await.unwrap().forget();
                Ok(1)
            });
            let (decided, work) = tokio::try_join!(steps.wait("a", "?"), work)?;
            Ok(json!([decided.approved, work]))
        }
    })]
}

pub(super) async fn parked(engine: &Engine, id: &TaskId, waiting: &[&str]) -> Arc<Task> {
    let names = |task: &Task| task.waiting.iter().map(|waiting| waiting.step.clone()).collect::<Vec<_>>();
    until(engine, id, |task| task.status == Status::AwaitingApproval && names(task) == waiting).await
}

#[tokio::test]
async fn a_task_parks_and_goes_on_without_repeating_anything() {
    let begun = Arc::default();
    let one = Options { workers: 1, ..Options::default() };
    let mut bodies = asks_two(&begun);
    bodies.extend(echo());
    let (engine, tracker) = open(one, bodies).await;
    let id = engine.submit(new(PIPELINE, "p")).await.unwrap().id;
    let task = parked(&engine, &id, &["approval-a", "approval-b"]).await;
    assert_eq!((task.waiting[0].question.as_str(), task.attempts), ("a?", 1));
    assert_eq!(engine.counts(), Counts { awaiting_approval: 1, ..Counts::default() });
    assert_eq!(engine.settled(&id).await.unwrap(), task);
    // The only worker is free.
    let other = engine.submit(new(EMPLOYEE, "other")).await.unwrap().id;
    assert_eq!(engine.wait(&other).await.unwrap().status, Status::Completed);

    engine.decide(&id, Some("approval-b"), yes()).await.unwrap();
    let task = parked(&engine, &id, &["approval-a"]).await;
    assert_eq!((task.steps.len(), task.attempts), (3, 2), "before, the decision, b");
    engine.decide(&id, Some("approval-a"), no("因为")).await.unwrap();
    let task = engine.wait(&id).await.unwrap();
    assert_eq!(task.result, Some(json!(["before", "因为", "b", "after"])));
    assert!(task.waiting.is_empty());
    let decided = task.steps.iter().find(|step| step.step == "approval-b").unwrap();
    assert_eq!(decided.output, json!({"approved": true, "by": "ann"}));
    assert_eq!(begun.load(SeqCst), 3);
    close(engine, tracker).await;
}

#[tokio::test]
async fn a_decision_counts_once_and_only_where_it_was_asked_for() {
    let (engine, tracker) = open(Options::default(), asks_two(&Arc::default())).await;
    let id = engine.submit(new(PIPELINE, "p")).await.unwrap().id;
    parked(&engine, &id, &["approval-a", "approval-b"]).await;
    let refused = async |step: Option<&str>, decision| {
        engine.decide(&id, step, decision).await.unwrap_err().to_string()
    };
    let text = refused(None, yes()).await;
    assert!(text.contains("say which `step`: it waits for `approval-a`, `approval-b`"), "{text}");
    assert!(refused(Some("c"), yes()).await.contains("waits for `approval-a`, `approval-b`"));
    assert!(refused(Some("approval-a"), no(&"x".repeat(4001))).await.contains("4000"));

    let many = (0..20).map(|_| engine.decide(&id, Some("approval-a"), yes()));
    let decided = futures_util::future::join_all(many).await;
    assert_eq!(decided.iter().filter(|decided| decided.is_ok()).count(), 1);
    assert!(
        decided
            .iter()
            .filter_map(|decided| decided.as_ref().err())
            .all(|error| matches!(error, Error::Decided { .. }))
    );
    parked(&engine, &id, &["approval-b"]).await;
    let text = refused(None, yes()).await;
    assert!(text.contains("say which"), "whoever repeats their yes must not approve something else: {text}");
    engine.decide(&id, Some("approval-b"), yes()).await.unwrap();
    engine.wait(&id).await.unwrap();
    assert!(matches!(engine.decide(&id, None, yes()).await, Err(Error::Final { .. })));
    assert!(matches!(engine.decide(&TaskId::generate(), None, yes()).await, Err(Error::NotFound { .. })));
    close(engine, tracker).await;
}

#[tokio::test]
async fn what_waits_waits_after_a_crash_and_decisions_last() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tasks.jsonl");
    let copied = |name: &str| {
        let copy = folder.path().join(name);
        fs::copy(&path, &copy).unwrap();
        copy
    };
    let begun = Arc::default();
    let (engine, _tracker) = open(options(&path), asks_two(&begun)).await;
    let id = engine.submit(new(PIPELINE, "p")).await.unwrap().id;
    let before = parked(&engine, &id, &["approval-a", "approval-b"]).await;

    // However often it is started, it waits, and no attempt is made.
    for _ in 0..25 {
        let (again, tracker) = open(options(&copied("often")), asks_two(&begun)).await;
        assert_eq!(again.get(&id).await.unwrap(), before);
        close(again, tracker).await;
    }

    // One was decided, and nothing else got on the disk.
    engine.decide(&id, Some("approval-a"), yes()).await.unwrap();
    let lines = fs::read_to_string(&path).unwrap();
    let mut upto = String::new();
    for line in lines.split_inclusive('\n') {
        upto.push_str(line);
        if line.contains("\"approval-a\",\"output\"") {
            break;
        }
    }
    let cut = folder.path().join("cut");
    fs::write(&cut, &upto).unwrap();
    let (again, tracker) = open(options(&cut), asks_two(&begun)).await;
    parked(&again, &id, &["approval-b"]).await;
    assert!(matches!(again.decide(&id, Some("approval-a"), yes()).await, Err(Error::Decided { .. })));
    again.decide(&id, Some("approval-b"), yes()).await.unwrap();
    assert_eq!(again.wait(&id).await.unwrap().result, Some(json!(["before", "a", "b", "after"])));
    close(again, tracker).await;

    // What is void: one was decided before the line that says that nothing is left but to wait.
    let line = format!(r#"{{"event":"parked","task_id":"{id}","steps":["approval-a","approval-b"]}}"#);
    let text = format!("{upto}{line}\n");
    let void = folder.path().join("void");
    fs::write(&void, text).unwrap();
    let (again, tracker) = open(options(&void), asks_two(&begun)).await;
    let task = parked(&again, &id, &["approval-b"]).await;
    assert_eq!(task.steps.len(), 3, "it went on with what was decided");
    close(again, tracker).await;
}

#[tokio::test]
async fn a_task_that_waits_can_be_cancelled() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tasks.jsonl");
    let (engine, tracker) = open(options(&path), asks_two(&Arc::default())).await;
    let id = engine.submit(new(PIPELINE, "p")).await.unwrap().id;
    parked(&engine, &id, &["approval-a", "approval-b"]).await;
    let task = engine.cancel(&id).await.unwrap();
    assert_eq!((task.status, task.waiting.len(), task.steps.len()), (Status::Cancelled, 0, 1));
    assert!(matches!(engine.decide(&id, Some("approval-a"), yes()).await, Err(Error::Final { .. })));
    close(engine, tracker).await;
    assert_eq!(history(&path).unwrap()[0].status, Status::Cancelled);
}

#[tokio::test]
async fn one_may_be_decided_while_others_are_at_work() {
    let gate = Arc::new(Semaphore::new(0));
    let bodies = asks_at_work(&gate);
    let (engine, tracker) = open(Options::default(), bodies).await;
    let id = engine.submit(new(PIPELINE, "p")).await.unwrap().id;
    let task = until(&engine, &id, |task| !task.waiting.is_empty()).await;
    assert_eq!(task.status, Status::Running);
    engine.decide(&id, None, yes()).await.unwrap();
    gate.add_permits(1);
    let task = engine.wait(&id).await.unwrap();
    assert_eq!((task.result.clone(), task.attempts), (Some(json!([true, 1])), 1));
    close(engine, tracker).await;
}

#[tokio::test]
async fn only_so_many_may_wait() {
    let options = Options { parked: 1, ..Options::default() };
    let (engine, tracker) = open(options, asks_two(&Arc::default())).await;
    let first = engine.submit(new(PIPELINE, "p")).await.unwrap().id;
    parked(&engine, &first, &["approval-a", "approval-b"]).await;
    let second = engine.submit(new(PIPELINE, "p")).await.unwrap().id;
    let task = engine.wait(&second).await.unwrap();
    assert_eq!(task.error.as_deref(), Some("1 tasks wait for an approval already"));
    close(engine, tracker).await;
}

#[tokio::test]
async fn who_asks_while_at_work_counts_as_one_that_waits() {
    let gate = Arc::new(Semaphore::new(0));
    let options = Options { parked: 1, ..Options::default() };
    let (engine, tracker) = open(options, asks_at_work(&gate)).await;
    let first = engine.submit(new(PIPELINE, "p")).await.unwrap().id;
    until(&engine, &first, |task| !task.waiting.is_empty()).await;
    let second = engine.submit(new(PIPELINE, "p")).await.unwrap().id;
    let refused = engine.wait(&second).await.unwrap();
    assert_eq!(refused.error.as_deref(), Some("1 tasks wait for an approval already"));
    // Once the first is decided about, another may ask.
    engine.decide(&first, None, yes()).await.unwrap();
    let third = engine.submit(new(PIPELINE, "p")).await.unwrap().id;
    until(&engine, &third, |task| !task.waiting.is_empty()).await;
    engine.cancel(&third).await.unwrap();
    gate.add_permits(1);
    assert_eq!(engine.wait(&first).await.unwrap().status, Status::Completed);
    close(engine, tracker).await;
}

#[tokio::test]
async fn a_task_killed_before_it_was_parked_goes_on_when_it_is_decided() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tasks.jsonl");
    let (engine, tracker) = open(options(&path), asks_two(&Arc::default())).await;
    let id = engine.submit(new(PIPELINE, "p")).await.unwrap().id;
    parked(&engine, &id, &["approval-a", "approval-b"]).await;
    close(engine, tracker).await;
    let lines = fs::read_to_string(&path).unwrap();
    let kept: Vec<_> = lines.lines().filter(|line| !line.contains(r#""event":"parked""#)).collect();
    assert_eq!(kept.len() + 1, lines.lines().count());
    fs::write(&path, kept.join("\n") + "\n").unwrap();

    let leaving = Options { resume: false, ..options(&path) };
    let (engine, tracker) = open(leaving, asks_two(&Arc::default())).await;
    assert_eq!(engine.get(&id).await.unwrap().status, Status::Pending);
    engine.decide(&id, Some("approval-a"), yes()).await.unwrap();
    let task = parked(&engine, &id, &["approval-b"]).await;
    assert_eq!(task.attempts, 2);
    engine.decide(&id, Some("approval-b"), yes()).await.unwrap();
    let task = engine.wait(&id).await.unwrap();
    assert_eq!((task.result.clone(), task.attempts), (Some(json!(["before", "a", "b", "after"])), 3));
    close(engine, tracker).await;
}

#[test]
fn a_task_that_was_told_to_stop_is_not_parked() {
    let (mut table, task) = (Table::new(10, retain(10)), Task::accept(new(PIPELINE, "p")));
    let (id, steps) = (task.task_id.clone(), ["approval-a".to_owned()]);
    let [step] = &steps;
    assert!(matches!(table.reserve(None, Room::Needed), Place::Yours(_)));
    table.accept(task, 1);
    let (_, cancel) = table.claim().unwrap();
    let waiting = Waiting { step: step.clone(), question: "?".to_owned(), since: crate::base::clock::now() };
    table.update(&id, |task| task.ask(waiting));
    assert!(matches!(table.cancel(&id), Cancelling::Told));
    assert!(cancel.is_cancelled());
    assert!(!table.park(&id, &steps), "its worker has to see that it was cancelled");
    assert!(matches!(table.cancel(&id), Cancelling::Told), "and has it still");
}

#[tokio::test]
async fn outside_a_task_nobody_can_be_asked() {
    let refused = Steps::ephemeral().wait("a", "?").await.unwrap_err();
    assert!(refused.message.contains("this is none"), "{refused}");
}

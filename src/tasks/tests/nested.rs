//! Approvals that are asked for within steps.

use std::fs;

use super::{
    approvals::{parked, yes},
    *,
};

/// How often each step was begun.
type Begun = Arc<parking_lot::Mutex<Vec<String>>>;

fn count(begun: &Begun, step: &str) -> usize {
    begun.lock().iter().filter(|name| *name == step).count()
}

/// Does the step `name` by noting that it was begun.
async fn noted(steps: &Steps, begun: &Begun, name: &str) -> Result<String, Failure> {
    let note = || async {
        begun.lock().push(name.to_owned());
        Ok(name.to_owned())
    };
    steps.run(name, note).await
}

/// A step `outer` as an employee with tools works: something is done within it, something asked about, and then that
/// done too.
async fn outer(steps: &Steps, begun: &Begun, outer: &str) -> Result<String, Failure> {
    let work = || async {
        begun.lock().push(outer.to_owned());
        let turn = noted(steps, begun, &format!("{outer}/turn")).await?;
        let tool = format!("{outer}/tool");
        let used = || async {
            begun.lock().push(tool.clone());
            let decision = steps.wait(&tool, "May it?").await?;
            Ok(if decision.approved {
                noted(steps, begun, &format!("{tool}/do")).await?
            } else {
                "no".into()
            })
        };
        Ok(format!("{turn} {}", steps.run(&tool, used).await?))
    };
    steps.run(outer, work).await
}

fn asks_within(begun: &Begun) -> Bodies {
    let begun = Arc::clone(begun);
    vec![does(PIPELINE, move |_, steps: Steps| {
        let begun = Arc::clone(&begun);
        async move { Ok(json!(outer(&steps, &begun, "a").await?)) }
    })]
}

#[tokio::test]
async fn what_asks_within_steps_is_parked_and_what_finished_there_is_not_repeated() {
    let begun = Begun::default();
    let options = Options { workers: 1, ..Options::default() };
    let mut bodies = asks_within(&begun);
    bodies.extend(echo());
    let (engine, tracker) = open(options, bodies).await;
    let id = engine.submit(new(PIPELINE, "p")).await.unwrap().id;
    let task = parked(&engine, &id, &["approval-a/tool"]).await;
    assert_eq!(task.steps.iter().map(|done| done.step.as_str()).collect::<Vec<_>>(), ["a/turn"]);
    // The only worker is free.
    let other = engine.submit(new(EMPLOYEE, "other")).await.unwrap().id;
    assert_eq!(engine.wait(&other).await.unwrap().status, Status::Completed);

    engine.decide(&id, None, yes()).await.unwrap();
    let task = engine.wait(&id).await.unwrap();
    assert_eq!((task.result.clone(), task.attempts), (Some(json!("a/turn a/tool/do")), 2));
    let times = ["a", "a/turn", "a/tool", "a/tool/do"].map(|step| count(&begun, step));
    assert_eq!(times, [2, 1, 2, 1], "what is around the question is begun again, what finished is not");
    close(engine, tracker).await;
}

/// Asks within the first `asking` of the outer steps `a`, `b` and `c`, while `c` also does a step that `gate` ends.
fn side_by_side(begun: &Begun, gate: &Arc<Semaphore>) -> Bodies {
    let (begun, gate) = (Arc::clone(begun), Arc::clone(gate));
    vec![does(PIPELINE, move |_, steps: Steps| {
        let (begun, gate) = (Arc::clone(&begun), Arc::clone(&gate));
        async move {
            let slow = steps.run("c", || async {
                let inner = || async {
                    begun.lock().push("c/slow".to_owned());
                    gate.acquire().await.unwrap().forget();
                    Ok("c".to_owned())
                };
                steps.run("c/slow", inner).await
            });
            let (a, b, c) = tokio::join!(outer(&steps, &begun, "a"), outer(&steps, &begun, "b"), slow);
            Ok(json!([a?, b?, c?]))
        }
    })]
}

#[tokio::test]
async fn nothing_is_parked_while_anything_else_is_at_work() {
    let (begun, gate) = (Begun::default(), Arc::new(Semaphore::new(0)));
    let (engine, tracker) = open(Options::default(), side_by_side(&begun, &gate)).await;
    let id = engine.submit(new(PIPELINE, "p")).await.unwrap().id;
    let asks = |task: &Arc<Task>| task.waiting.len() == 2;
    assert_eq!(until(&engine, &id, asks).await.status, Status::Running);
    // Decided while others work, it goes on in the same attempt.
    engine.decide(&id, Some("approval-a/tool"), yes()).await.unwrap();
    let done = |task: &Arc<Task>| task.steps.iter().any(|done| done.step == "a");
    let task = until(&engine, &id, done).await;
    assert_eq!((task.status, task.attempts), (Status::Running, 1));
    gate.add_permits(1);
    parked(&engine, &id, &["approval-b/tool"]).await;
    engine.decide(&id, Some("approval-b/tool"), yes()).await.unwrap();
    let task = engine.wait(&id).await.unwrap();
    assert_eq!(task.result, Some(json!(["a/turn a/tool/do", "b/turn b/tool/do", "c"])));
    let times = ["a", "b", "a/turn", "b/turn", "c/slow", "a/tool/do", "b/tool/do"];
    assert_eq!(times.map(|step| count(&begun, step)), [1, 2, 1, 1, 1, 1, 1]);
    assert_eq!(task.attempts, 2);
    close(engine, tracker).await;
}

/// Two questions and some work within one step.
fn asks_two_within(begun: &Begun, gate: &Arc<Semaphore>) -> Bodies {
    let (begun, gate) = (Arc::clone(begun), Arc::clone(gate));
    vec![does(PIPELINE, move |_, steps: Steps| {
        let (begun, gate) = (Arc::clone(&begun), Arc::clone(&gate));
        async move {
            let work = || async {
                let slow = steps.run("a/slow", || async {
                    gate.acquire().await.unwrap().forget();
                    Ok("slow".to_owned())
                });
                let (x, y, z) =
                    tokio::join!(outer(&steps, &begun, "a/x"), outer(&steps, &begun, "a/y"), slow);
                Ok(format!("{} {} {}", x?, y?, z?))
            };
            Ok(json!(steps.run("a", work).await?))
        }
    })]
}

#[tokio::test]
async fn two_that_wait_in_one_step_wait_until_its_other_work_is_done() {
    let (begun, gate) = (Begun::default(), Arc::new(Semaphore::new(0)));
    let (engine, tracker) = open(Options::default(), asks_two_within(&begun, &gate)).await;
    let id = engine.submit(new(PIPELINE, "p")).await.unwrap().id;
    let asks = |task: &Arc<Task>| task.waiting.len() == 2;
    assert_eq!(until(&engine, &id, asks).await.status, Status::Running, "a sibling in the same step works");
    gate.add_permits(1);
    parked(&engine, &id, &["approval-a/x/tool", "approval-a/y/tool"]).await;
    engine.decide(&id, Some("approval-a/y/tool"), yes()).await.unwrap();
    let task = parked(&engine, &id, &["approval-a/x/tool"]).await;
    assert_eq!((task.attempts, count(&begun, "a/y/tool/do")), (2, 1));
    let refusal = Decision { approved: false, comment: None, by: None };
    engine.decide(&id, Some("approval-a/x/tool"), refusal).await.unwrap();
    let task = engine.wait(&id).await.unwrap();
    assert_eq!(task.result, Some(json!("a/x/turn no a/y/turn a/y/tool/do slow")));
    assert_eq!((task.attempts, count(&begun, "a/y/tool/do"), count(&begun, "a/x/turn")), (3, 1, 1));
    close(engine, tracker).await;
}

/// A name that merely begins alike is no step around another.
#[tokio::test]
async fn names_that_begin_alike_are_not_within_each_other() {
    let gate = Arc::new(Semaphore::new(0));
    let held = Arc::clone(&gate);
    let bodies = vec![does(PIPELINE, move |_, steps: Steps| {
        let gate = Arc::clone(&held);
        async move {
            let work = steps.run("a", || async {
                gate.acquire().await.unwrap().forget();
                Ok(())
            });
            let (decided, ()) = tokio::try_join!(steps.wait("ab/tool", "?"), work)?;
            Ok(json!(decided.approved))
        }
    })];
    let (engine, tracker) = open(Options::default(), bodies).await;
    let id = engine.submit(new(PIPELINE, "p")).await.unwrap().id;
    let task = until(&engine, &id, |task| !task.waiting.is_empty()).await;
    assert_eq!(task.status, Status::Running);
    engine.decide(&id, None, yes()).await.unwrap();
    gate.add_permits(1);
    let task = engine.wait(&id).await.unwrap();
    assert_eq!((task.result.clone(), task.attempts), (Some(json!(true)), 1));
    close(engine, tracker).await;
}

/// Decisions come at any moment, also while a body is being parked.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_decision_is_lost_however_close_it_comes() {
    for _ in 0..100 {
        let begun = Begun::default();
        let (engine, tracker) = open(Options::default(), asks_within(&begun)).await;
        let id = engine.submit(new(PIPELINE, "p")).await.unwrap().id;
        until(&engine, &id, |task| !task.waiting.is_empty()).await;
        engine.decide(&id, None, yes()).await.unwrap();
        let task = tokio::time::timeout(Duration::from_mins(1), engine.wait(&id)).await.unwrap().unwrap();
        assert_eq!(task.result, Some(json!("a/turn a/tool/do")));
        let times = ["a/turn", "a/tool/do"].map(|step| count(&begun, step));
        assert_eq!(times, [1, 1], "{:?}", begun.lock());
        close(engine, tracker).await;
    }
}

#[tokio::test]
async fn wherever_the_journal_ends_a_question_within_a_step_is_asked_once() {
    let folder = memory_folder();
    let path = folder.path().join("tasks.jsonl");
    let gate = Arc::new(Semaphore::new(100));
    let (engine, tracker) = open(options(&path), side_by_side(&Begun::default(), &gate)).await;
    let id = engine.submit(new(PIPELINE, "p")).await.unwrap().id;
    let finish = async |engine: &Engine| loop {
        let task = engine.settled(&id).await.unwrap();
        let Some(waiting) = task.waiting.first() else { return task };
        engine.decide(&id, Some(&waiting.step), yes()).await.unwrap();
    };
    let whole = finish(&engine).await;
    close(engine, tracker).await;
    let journal = fs::read_to_string(&path).unwrap();
    let lines: Vec<_> = journal.split_inclusive('\n').collect();
    assert!(lines.len() > 12, "{journal}");
    for end in 1..=lines.len() {
        let cut = folder.path().join("cut.jsonl");
        fs::write(&cut, lines[..end].concat()).unwrap();
        let begun = Begun::default();
        let (engine, tracker) = open(options(&cut), side_by_side(&begun, &gate)).await;
        let task = finish(&engine).await;
        close(engine, tracker).await;
        assert_eq!(task.result, whole.result, "cut after line {end}");
        let mut names: Vec<_> = task.steps.iter().map(|done| &done.step).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!((names.len(), task.steps.len()), (12, 12), "cut after line {end}");
        for step in ["a/turn", "b/turn", "c/slow", "a/tool/do", "b/tool/do"] {
            let recorded =
                lines[..end].iter().any(|line| line.contains(&format!(r#""step":"{step}","output""#)));
            assert_eq!(count(&begun, step), usize::from(!recorded), "{step}, cut after line {end}");
        }
    }
}

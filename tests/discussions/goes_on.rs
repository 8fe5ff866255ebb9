//! Discussions that were interrupted or failed go on where they were.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{ALL, call, heard, held, model, plain, project};
use crate::support::{FakeModel, Server};

#[tokio::test]
async fn a_killed_discussion_asks_nobody_twice() {
    let mut fake = held(plain).await;
    let project = project(&format!("topic: tea\nrounds: 2\n{ALL}"));
    let server = Server::start(&project, &[], &fake.env());
    let id = server.accepted("/run/discussion/d", &json!({})).await;
    for _ in 0..3 {
        fake.asked().await;
    }
    fake.release(3);
    for _ in 0..3 {
        fake.asked().await;
    }
    // One of the second round gets through before the crash.
    fake.release(1);
    let over = |task: &Value| {
        task["steps"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|s| s["step"].as_str().unwrap().starts_with("2:"))
            .count()
            == 1
    };
    let task = server.until(&format!("/tasks/{id}"), over).await;
    let steps: Vec<_> =
        task["steps"].as_array().unwrap().iter().map(|s| s["step"].as_str().unwrap().to_owned()).collect();
    let finished = steps.last().unwrap().strip_prefix("2:").unwrap().to_owned();
    server.kill();

    let server = Server::start(&project, &[], &fake.env());
    fake.release(1000);
    let task = server.ended(&id).await;
    assert_eq!((&task["status"], &task["attempts"]), (&json!("completed"), &json!(2)), "{task}");
    for who in ["ann", "bob", "cai"] {
        let expected = (1, if who == finished { 1 } else { 2 });
        assert_eq!((heard(&fake, who, 1).len(), heard(&fake, who, 2).len()), expected, "{who}, {finished}");
    }
    assert_eq!(project.read(".crew/meetings/index.jsonl").lines().count(), 1);
    let id = task["result"]["meeting_id"].as_str().unwrap();
    let kept: Value = serde_json::from_str(&project.read(&format!(".crew/meetings/{id}.json"))).unwrap();
    assert_eq!(kept, task["result"]);
}

#[tokio::test]
async fn a_budget_stops_a_discussion_between_turns() {
    let fake = model(plain).await;
    let project = project(&format!("topic: tea\nrounds: 2\n{ALL}"));
    let mut told = String::new();
    // Somewhere between what one call may take and what all take.
    for limit in ["1", "9000"] {
        let words = ["discuss", "run", "d", "--execute", "--max-tokens", limit];
        told = project.run_in(&fake.env(), words).status(4);
        assert!(told.contains("the budget is reached"), "{told}");
    }
    let spoken = fake.bodies().len();
    assert!(spoken < 7, "{spoken}");
    let command =
        told.split("knowlyr-crew task").nth(1).unwrap().lines().next().unwrap().replace(" N", " 1000000");
    let words = ["task"].into_iter().chain(command.split_whitespace());
    let told = project.run_in(&fake.env(), words).success();
    assert!(told.contains("PUT TOGETHER"), "{told}");
    assert_eq!(fake.bodies().len(), 7, "nobody spoke twice");
}

#[tokio::test]
async fn a_failed_discussion_goes_on_and_is_held_again() {
    let fails = Arc::new(std::sync::atomic::AtomicBool::new(true));
    let refuse = Arc::clone(&fails);
    let fake = FakeModel::answering_bodies(move |body| {
        let said = call(body);
        if said.round == 2 && refuse.load(std::sync::atomic::Ordering::SeqCst) {
            Err(400)
        } else {
            Ok(plain(&said))
        }
    })
    .await;
    let project = project(&format!("topic: tea\nrounds: 2\n{ALL}"));
    let server = Server::start(&project, &[], &fake.env());
    let id = server.accepted("/run/discussion/d", &json!({})).await;
    let task = server.ended(&id).await;
    assert_eq!(task["status"], "failed", "{task}");
    fails.store(false, std::sync::atomic::Ordering::SeqCst);
    server.post(&format!("/tasks/{id}/resume"), &json!({})).await.status(202);
    let task = server.ended(&id).await;
    assert_eq!(task["result"]["synthesis"], "PUT TOGETHER", "{task}");
    for who in ["ann", "bob", "cai"] {
        assert_eq!((heard(&fake, who, 1).len(), heard(&fake, who, 2).len()), (1, 2), "{who}");
    }
    let again = async |what: &str, body: Value| {
        let before = fake.bodies().len();
        let ack = server.post(&format!("/tasks/{id}/{what}"), &body).await.status(202);
        let task = server.ended(ack["task_id"].as_str().unwrap()).await;
        assert_eq!(task["status"], "completed", "{task}");
        fake.bodies().len() - before
    };
    assert_eq!(again("replay", json!({})).await, 7);
    assert_eq!(again("fork", json!({"step": "2:bob"})).await, 2, "bob, and who puts it together");
    assert_eq!(project.read(".crew/meetings/index.jsonl").lines().count(), 3);
    project.write(".crew/discussions/d.yaml", &format!("topic: coffee\nrounds: 2\n{ALL}"));
    server.kill();
    let server = Server::start(&project, &[], &fake.env());
    let told = server.post(&format!("/tasks/{id}/fork"), &json!({"step": "2:bob"})).await;
    let text = told.problem(409, "conflict");
    assert!(text.contains("discussion") && text.contains("`force`"), "{text}");
}

#[tokio::test]
async fn one_that_was_changed_in_between_is_not_continued() {
    let mut fake = held(plain).await;
    let project = project(&format!("topic: tea\nrounds: 2\n{ALL}"));
    let server = Server::start(&project, &[], &fake.env());
    let id = server.accepted("/run/discussion/d", &json!({})).await;
    fake.asked().await;
    server.kill();
    project.write(".crew/discussions/d.yaml", &format!("topic: coffee\nrounds: 2\n{ALL}"));
    let server = Server::start(&project, &[], &fake.env());
    let task = server.ended(&id).await;
    assert_eq!((&task["status"], &task["code"]), (&json!("failed"), &json!("definition-changed")), "{task}");
    assert!(task["error"].as_str().unwrap().contains("`force`"), "{task}");
}

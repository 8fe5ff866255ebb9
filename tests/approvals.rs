//! Pipelines that wait for a person: over HTTP and on the command line, through crashes, and never twice.

use std::process::Command;

use serde_json::{Value, json};

use crate::support::{FakeModel, Project, Server, first_word, work};

const GATED: &str = "
steps:
  - {id: build, employee: writer, args: {topic: build}}
  - {id: ship, employee: writer, approval: '发布吗？', args: {topic: 'ship {prev}'}}
  - {id: tell, employee: checker, args: {text: 'tell {prev}'}}
";

fn project(pipeline: &str) -> Project {
    let project = Project::small("claude-test");
    project.write(".crew/pipelines/p.yaml", pipeline);
    project
}

impl Server {
    /// The task, once it waits for exactly these steps and does nothing else.
    async fn waits(&self, id: &str, steps: &[&str]) -> Value {
        let names = |task: &Value| -> Vec<String> {
            let waiting = task["waiting"].as_array().cloned().unwrap_or_default();
            waiting.iter().map(|one| one["step"].as_str().unwrap().to_owned()).collect()
        };
        let parked = |task: &Value| task["status"] == "awaiting_approval" && names(task) == steps;
        self.until(&format!("/tasks/{id}"), parked).await
    }

    async fn approve(&self, id: &str, body: &Value) -> Value {
        self.post(&format!("/tasks/{id}/approve"), body).await.status(200)
    }
}

#[tokio::test]
async fn a_run_waits_through_crashes_and_goes_on_where_it_was() {
    let mut fake = FakeModel::held(first_word).await;
    let project = project(GATED);
    let server = Server::start(&project, &[], &fake.env());
    let id = server.accepted("/run/pipeline/p", &json!({})).await;
    fake.asked().await;
    fake.release(100);
    let task = server.waits(&id, &["approval-1:ship"]).await;
    assert_eq!((&task["waiting"][0]["question"], &task["attempts"]), (&json!("发布吗？"), &json!(1)));
    assert!(task["waiting"][0]["since"].is_string());
    server.kill();

    // Nothing happens by itself, however often it is started.
    for _ in 0..2 {
        let server = Server::start(&project, &[], &fake.env());
        assert_eq!(server.get(&format!("/tasks/{id}")).await.status(200), task);
        server.kill();
    }
    assert_eq!(fake.works(), ["build"]);

    // What was acknowledged is decided, even if the lights go out at once.
    let server = Server::start(&project, &[], &fake.env());
    server.approve(&id, &json!({"approved": true, "comment": "好"})).await;
    server.kill();
    let server = Server::start(&project, &[], &fake.env());
    let text = server
        .post(&format!("/tasks/{id}/approve"), &json!({"approved": false}))
        .await
        .problem(409, "conflict");
    assert!(text.contains("already"), "{text}");
    let task = server.ended(&id).await;
    assert_eq!(task["status"], "completed", "{task}");
    assert!(task.get("waiting").is_none());
    let decision =
        task["steps"].as_array().unwrap().iter().find(|step| step["step"] == "approval-1:ship").unwrap();
    assert_eq!(
        (&decision["output"]["approved"], &decision["output"]["comment"]),
        (&json!(true), &json!("好"))
    );
    assert!(decision["output"]["by"].is_string());
    server.kill();

    // And after it, nothing is done again.
    let server = Server::start(&project, &[], &fake.env());
    assert_eq!(server.get(&format!("/tasks/{id}")).await.status(200), task);
    let works = fake.works();
    assert_eq!(works.iter().filter(|work| *work == "build").count(), 1);
    // The call under way when the lights went out may have come through once more.
    assert!((3..=4).contains(&works.len()), "{works:?}");
}

#[tokio::test]
async fn several_wait_side_by_side_and_a_refusal_ends_the_run() {
    let fake = FakeModel::answering(first_word).await;
    let project = project(
        "
fail_fast: false
steps:
  - parallel:
      - {id: a, employee: writer, approval: true, args: {topic: a}}
      - {id: b, employee: writer, approval: true, args: {topic: b}}
      - {id: c, employee: writer, args: {topic: c}}
  - {employee: checker, args: {text: end}}
",
    );
    let server = Server::start(&project, &[], &fake.env());
    let id = server.accepted("/run/pipeline/p", &json!({})).await;
    server.waits(&id, &["approval-0:a", "approval-1:b"]).await;
    assert_eq!(fake.works(), ["c"], "who needs no approval does not wait");
    let path = format!("/tasks/{id}/approve");
    let text = server.send(server.request(reqwest::Method::POST, &path)).await.problem(409, "conflict");
    assert!(text.contains("say which `step`: it waits for `approval-0:a`, `approval-1:b`"), "{text}");
    let text = server.post(&path, &json!({"approved": true, "step": "x"})).await.problem(409, "conflict");
    assert!(text.contains("waits for `approval-0:a`"), "{text}");
    server.post(&path, &json!({"comment": "no"})).await.problem(422, "invalid-arguments");

    server.approve(&id, &json!({"approved": true, "step": "approval-1:b"})).await;
    server.waits(&id, &["approval-0:a"]).await;
    assert_eq!(fake.works(), ["c", "b"]);
    server.approve(&id, &json!({"action": "reject", "reason": "太早", "step": "approval-0:a"})).await;
    let task = server.ended(&id).await;
    assert_eq!(task["status"], "failed");
    let error = task["error"].as_str().unwrap();
    assert!(error.starts_with("step 0 (`a`) was refused by `") && error.ends_with("`: 太早"), "{error}");
    assert_eq!(fake.works(), ["c", "b"], "it is over, even if failures are not the end");
    server.post(&path, &json!({})).await.problem(409, "conflict");
    server.post("/tasks/none/approve", &json!({})).await.problem(404, "not-found");

    let listed = server.get("/tasks?status=awaiting_approval").await.status(200);
    assert_eq!(listed["tasks"], json!([]));
}

#[tokio::test]
async fn ways_and_rounds_ask_each_time_and_only_when_they_are_taken() {
    let fake = FakeModel::answering(|prompt| Ok(work(prompt).to_owned())).await;
    let project = project(
        "
steps:
  - condition:
      check: $way
      equals: left
      then: [{id: l, employee: writer, approval: left?, args: {topic: left}}]
      else: [{id: r, employee: writer, approval: right?, args: {topic: right}}]
  - loop:
      max_iterations: 2
      steps:
        - {id: w, employee: writer, approval: again?, args: {topic: 'w {prev}'}}
      until: {check: '{prev}', contains: never}
  - {id: no, employee: writer, approval: never asked, when: {check: $way, equals: right}, args: {topic: x}}
",
    );
    let server = Server::start(&project, &[], &fake.env());
    let id = server.accepted("/run/pipeline/p", &json!({"args": {"way": "left"}})).await;
    for step in ["approval-0:l", "approval-2:w@0", "approval-2:w@1"] {
        server.waits(&id, &[step]).await;
        server.approve(&id, &json!({"approved": true, "step": step})).await;
    }
    let task = server.ended(&id).await;
    assert_eq!(task["status"], "completed", "{task}");
    assert_eq!(fake.works(), ["left", "w left", "w w left"]);
}

#[tokio::test]
async fn a_failure_the_run_went_on_from_is_not_tried_again() {
    let fake =
        FakeModel::answering(|prompt| if work(prompt) == "bad" { Err(400) } else { Ok("ok".into()) }).await;
    let project = project(
        "
fail_fast: false
steps:
  - {employee: writer, args: {topic: bad}}
  - {employee: writer, approval: true, args: {topic: good}}
",
    );
    let server = Server::start(&project, &[], &fake.env());
    let run = server.post("/run/pipeline/p", &json!({"sync": true})).await.status(202);
    assert_eq!(
        run["status"], "awaiting_approval",
        "who waits for an answer is not kept waiting for a person"
    );
    let id = run["task_id"].as_str().unwrap();
    // Without a body it is a yes.
    server.send(server.request(reqwest::Method::POST, &format!("/tasks/{id}/approve"))).await.status(200);
    let task = server.ended(id).await;
    assert_eq!(task["status"], "completed", "{task}");
    assert_eq!(fake.works(), ["bad", "good"]);
}

#[tokio::test]
async fn a_failure_in_a_group_leaves_nobody_waiting() {
    let fake =
        FakeModel::answering(|prompt| if work(prompt) == "bad" { Err(400) } else { Ok("ok".into()) }).await;
    let project = project(
        "
steps:
  - parallel:
      - {employee: writer, approval: true, args: {topic: good}}
      - {employee: writer, args: {topic: bad}}
",
    );
    let server = Server::start(&project, &[], &fake.env());
    let id = server.accepted("/run/pipeline/p", &json!({})).await;
    let task = server.ended(&id).await;
    assert_eq!((&task["status"], fake.works()), (&json!("failed"), vec!["bad".to_owned()]), "{task}");
    assert!(task["error"].as_str().unwrap().contains("step 0"), "{task}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_leaves_a_run_waiting_and_takes_it_up() {
    let fake = FakeModel::answering(first_word).await;
    let project = project(GATED);
    let run = |words: &[&str]| project.run_in(&fake.env(), words.iter().copied());
    let stderr = run(&["pipeline", "run", "p", "-x"]).status(3);
    let line =
        stderr.lines().find(|line| line.contains("task approve")).unwrap_or_else(|| panic!("{stderr}"));
    let words: Vec<_> = line.split_whitespace().collect();
    assert_eq!((words[0], words[4], words[5]), ("knowlyr-crew", "--step", "approval-1:ship"), "{stderr}");
    assert!(stderr.contains("发布吗？"), "{stderr}");
    let stdout = run(&words[1..]).success();
    assert!(stdout.contains("[tell]"), "{stdout}");
    assert_eq!(fake.works(), ["build", "ship [build]", "tell [ship]"]);
    let stderr = run(&words[1..]).status(1);
    assert!(stderr.contains("has ended already"), "{stderr}");

    let finished = run(&["pipeline", "run", "p", "-x", "--json"]);
    assert_eq!(finished.code, Some(3));
    let told: Value = serde_json::from_str(&finished.stdout).unwrap();
    assert_eq!(
        (&told["status"], &told["waiting"][0]["step"]),
        (&json!("awaiting_approval"), &json!("approval-1:ship"))
    );
    let id = told["task_id"].as_str().unwrap();
    let stderr = run(&["task", "approve", id, "--refuse", "--comment", "太早"]).status(1);
    assert!(stderr.contains("was refused by `cli`: 太早"), "{stderr}");
    run(&["task", "approve", "no id"]).status(2);

    // A server that keeps the tasks is the one to ask.
    let server = Server::start(&project, &[], &fake.env());
    let stderr = run(&["pipeline", "run", "p", "-x"]).status(1);
    assert!(stderr.contains("ask its server"), "{stderr}");
    drop(server);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_ended_from_the_keyboard_is_cancelled_and_not_taken_up() {
    let mut fake = FakeModel::held(first_word).await;
    let project = project(GATED);
    let child = project.command(["pipeline", "run", "p", "-x"]).envs(fake.env()).spawn().unwrap();
    fake.asked().await;
    let told = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(told.success());
    let ended = tokio::task::spawn_blocking(|| child.wait_with_output().unwrap()).await.unwrap();
    let stderr = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(130), "{stderr}");
    let id = stderr.lines().find_map(|line| line.strip_prefix("task ")?.strip_suffix(" is cancelled"));
    let id = id.unwrap_or_else(|| panic!("{stderr}"));

    let server = Server::start(&project, &[], &fake.env());
    assert_eq!(server.get(&format!("/tasks/{id}")).await.status(200)["status"], "cancelled");
}

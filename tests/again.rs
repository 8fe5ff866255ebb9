//! Ended work done again: from where it stopped, from its beginning, or from one of its steps on.

use serde_json::{Value, json};

use crate::support::{FakeModel, Project, Server, work};

const THREE: &str = "
steps:
  - {id: plan, employee: writer, args: {topic: 'plan $topic'}}
  - parallel:
      - {id: left, employee: writer, args: {topic: 'left {prev}'}}
      - {id: right, employee: checker, args: {text: 'right {prev}'}}
  - {id: last, employee: writer, args: {topic: 'last {prev} of $topic'}}
";

fn project() -> Project {
    let project = Project::small("claude-test");
    project.write(".crew/pipelines/p.yaml", THREE);
    project
}

/// Answers with the first word, refuses `right` for as long as nobody has asked for it `times` times.
async fn failing(times: usize) -> FakeModel {
    let tried = std::sync::atomic::AtomicUsize::new(0);
    FakeModel::answering(move |prompt| {
        let word = work(prompt).split(' ').next().unwrap();
        if word == "right" && tried.fetch_add(1, std::sync::atomic::Ordering::SeqCst) < times {
            return Err(400);
        }
        Ok(format!("[{word}]"))
    })
    .await
}

fn topic(topic: &str) -> Value {
    json!({"args": {"topic": topic}})
}

impl Server {
    async fn told(&self, id: &str, what: &str, body: &Value) -> crate::support::Reply {
        self.post(&format!("/tasks/{id}/{what}"), body).await
    }
}

#[tokio::test]
async fn a_failed_run_goes_on_at_the_member_of_a_group_that_failed() {
    let fake = failing(1).await;
    let project = project();
    let server = Server::start(&project, &[], &fake.env());
    let id = server.accepted("/run/pipeline/p", &topic("tea")).await;
    let task = server.ended(&id).await;
    assert_eq!((&task["status"], &task["code"]), (&json!("failed"), &json!("model")), "{task}");
    let mut works = fake.works();
    works.sort();
    assert_eq!(works, ["left [plan]", "plan tea", "right [plan]"]);

    let ack = server.told(&id, "resume", &json!({})).await.status(202);
    assert_eq!(ack["task_id"], json!(id));
    let task = server.ended(&id).await;
    assert_eq!(
        (&task["status"], &task["resumed"], &task["attempts"]),
        (&json!("completed"), &json!(1), &json!(2))
    );
    assert!(task.get("code").is_none(), "{task}");
    assert_eq!(fake.works()[3..], ["right [plan]", "last [left]\n\n---\n\n[right] of tea"]);
    server.told(&id, "resume", &json!({})).await.problem(409, "conflict");
    server.told("nobody", "resume", &json!({})).await.problem(404, "not-found");
    server.told(&id, "resume", &json!({"forse": true})).await.problem(422, "invalid-arguments");
}

/// One key lets a task go on once, also when it has failed again since, and also after a restart.
#[tokio::test]
async fn under_one_key_it_goes_on_once() {
    let fake = failing(9).await;
    let project = project();
    let server = Server::start(&project, &[], &fake.env());
    let id = server.accepted("/run/pipeline/p", &topic("tea")).await;
    server.ended(&id).await;
    let path = format!("/tasks/{id}/resume");
    let resume = |server: &Server, key: &str| {
        server.request(reqwest::Method::POST, &path).header("idempotency-key", key)
    };
    assert!(server.send(resume(&server, "a")).await.status(202).get("duplicate").is_none());
    let counted = |task: &Value| (task["resumed"].clone(), task["status"].clone());
    assert_eq!(counted(&server.ended(&id).await), (json!(1), json!("failed")));
    assert_eq!(server.send(resume(&server, "a")).await.status(200)["duplicate"], true);
    assert_eq!(counted(&server.ended(&id).await), (json!(1), json!("failed")));
    server.send(resume(&server, "b")).await.status(202);
    assert_eq!(counted(&server.ended(&id).await), (json!(2), json!("failed")));
    assert_eq!(server.terminate(), Some(0));
    let server = Server::start(&project, &[], &fake.env());
    for key in ["a", "b"] {
        let told = server.send(resume(&server, key)).await.status(200);
        assert_eq!((&told["duplicate"], &told["task_id"]), (&json!(true), &json!(id)));
    }
    assert_eq!(counted(&server.ended(&id).await), (json!(2), json!("failed")));
}

#[tokio::test]
async fn an_accepted_resumption_outlives_a_crash_and_another_model_is_kept() {
    let fake = failing(1).await;
    let project = project();
    let server = Server::start(&project, &[], &fake.env());
    let id = server.accepted("/run/pipeline/p", &topic("tea")).await;
    server.ended(&id).await;
    let mut held = FakeModel::held(|_| Ok("other".to_owned())).await;
    server.kill();
    let server = Server::start(&project, &[], &held.env());
    server.told(&id, "resume", &json!({"model": "claude-other"})).await.status(202);
    held.asked().await;
    server.kill();
    held.release(100);
    let server = Server::start(&project, &[], &held.env());
    let task = server.ended(&id).await;
    assert_eq!((&task["status"], &task["options"]["model"]), (&json!("completed"), &json!("claude-other")));
    assert_eq!(held.works(), ["right [plan]", "right [plan]", "last [left]\n\n---\n\nother of tea"]);
    assert!(held.bodies().iter().all(|body| body["model"] == "claude-other"));
}

#[tokio::test]
async fn a_changed_pipeline_is_not_gone_on_with_unless_told() {
    let fake = failing(1).await;
    let project = project();
    let server = Server::start(&project, &[], &fake.env());
    let id = server.accepted("/run/pipeline/p", &topic("tea")).await;
    server.ended(&id).await;
    project.write(".crew/pipelines/p.yaml", &THREE.replace("last {prev}", "very last {prev}"));
    server.kill();
    let server = Server::start(&project, &[], &fake.env());
    let text = server.told(&id, "resume", &json!({})).await.problem(409, "conflict");
    assert!(text.contains("was changed since") && text.contains("`force`"), "{text}");
    server.told(&id, "resume", &json!({"force": true})).await.status(202);
    let task = server.ended(&id).await;
    assert_eq!(task["status"], "completed", "{task}");
    assert_eq!(fake.works().last().unwrap(), "very last [left]\n\n---\n\n[right] of tea");
}

#[tokio::test]
async fn an_ended_run_is_done_again_as_a_new_one() {
    let fake = failing(0).await;
    let project = project();
    let server = Server::start(&project, &[], &fake.env());
    let body = json!({"args": {"topic": "tea"}, "model": "claude-fast"});
    let id = server.accepted("/run/pipeline/p", &body).await;
    server.ended(&id).await;
    let ack = server.told(&id, "replay", &json!({})).await.status(202);
    let again = ack["task_id"].as_str().unwrap();
    assert_ne!(again, id);
    let task = server.ended(again).await;
    assert_eq!(
        (&task["status"], &task["trigger"], &task["origin"]),
        (&json!("completed"), &json!("replay"), &json!(id))
    );
    assert_eq!((&task["args"], &task["options"]["model"]), (&json!({"topic": "tea"}), &json!("claude-fast")));
    assert_eq!(fake.works().len(), 8);
}

#[tokio::test]
async fn a_run_is_forked_at_a_step_with_other_values() {
    let fake = failing(0).await;
    let project = project();
    let server = Server::start(&project, &[], &fake.env());
    let id = server.accepted("/run/pipeline/p", &topic("tea")).await;
    server.ended(&id).await;
    let body = json!({"step": "last", "args": {"topic": "coffee"}});
    let ack = server.told(&id, "fork", &body).await.status(202);
    let task = server.ended(ack["task_id"].as_str().unwrap()).await;
    assert_eq!((&task["status"], &task["origin"]), (&json!("completed"), &json!(id)), "{task}");
    assert_eq!(fake.works()[4..], ["last [left]\n\n---\n\n[right] of coffee"]);
    // The totals are those of all steps, taken over or not.
    assert_eq!(task["result"]["steps"].as_array().unwrap().len(), 3);

    server.told(&id, "fork", &json!({"step": "2:right"})).await.status(202);
    let text = server.told(&id, "fork", &json!({"step": "nine"})).await.problem(422, "invalid-arguments");
    assert!(text.ends_with("it came to `0:plan`, `1:left`, `2:right`, `3:last`"), "{text}");
    server.told(&id, "fork", &json!({})).await.problem(422, "invalid-arguments");
}

#[tokio::test]
async fn what_runs_is_cancelled_and_neither_replayed_nor_resumed_before() {
    let mut fake = FakeModel::held(|_| Ok("x".to_owned())).await;
    let project = project();
    let server = Server::start(&project, &[], &fake.env());
    let id = server.accepted("/run/pipeline/p", &topic("tea")).await;
    fake.asked().await;
    for what in ["replay", "resume", "fork"] {
        let body = if what == "fork" { json!({"step": "plan"}) } else { json!({}) };
        server.told(&id, what, &body).await.problem(409, "conflict");
    }
    let task = server.told(&id, "cancel", &json!({})).await.status(202);
    assert_eq!(task["status"], "cancelled");
    fake.given_up().await;
    server.told(&id, "cancel", &json!({})).await.problem(409, "conflict");
    fake.release(100);
    server.told(&id, "resume", &json!({})).await.status(202);
    assert_eq!(server.ended(&id).await["status"], "completed");
}

#[tokio::test]
async fn the_command_line_tells_of_tasks_and_does_them_again() {
    let fake = failing(1).await;
    let project = project();
    let server = Server::start(&project, &[], &fake.env());
    let id = server.accepted("/run/pipeline/p", &topic("tea")).await;
    server.ended(&id).await;
    // While a server works on them they are told of, and left to it.
    let listed = project.run(["task", "list", "--json"]).success();
    assert_eq!(serde_json::from_str::<Value>(&listed).unwrap()[0]["code"], "model");
    for words in
        [&["task", "resume", &id][..], &["task", "cancel", &id], &["pipeline", "checkpoint", "resume", &id]]
    {
        let refused = project.run_in(&fake.env(), words);
        assert_eq!(refused.code, Some(1));
        assert!(refused.stderr.contains("ask its server instead: `POST /tasks/"), "{}", refused.stderr);
    }
    server.kill();

    let listed = project.run(["pipeline", "checkpoint", "list"]).success();
    assert!(listed.contains(&id) && listed.contains("pipeline p"), "{listed}");
    let shown = project.run(["task", "show", &id]).success();
    assert!(shown.contains("code         model") && shown.contains("step         0:plan"), "{shown}");
    let done = project.run_in(&fake.env(), ["pipeline", "checkpoint", "resume", &id]).success();
    assert!(done.contains("4. writer"), "{done}");
    assert_eq!(fake.works()[3..], ["right [plan]", "last [left]\n\n---\n\n[right] of tea"]);
    let done =
        project.run_in(&fake.env(), ["task", "fork", &id, "--step", "3", "--arg", "topic=milk", "--json"]);
    assert_eq!(serde_json::from_str::<Value>(&done.success()).unwrap()["steps"].as_array().unwrap().len(), 3);
    assert_eq!(fake.works().last().unwrap(), "last [left]\n\n---\n\n[right] of milk");
    let done = project.run_in(&fake.env(), ["task", "replay", &id]);
    assert!(done.success().contains("1. writer"));
    assert_eq!(fake.works().len(), 10);
    assert_eq!(project.run_in(&fake.env(), ["task", "resume", &id]).code, Some(1));
    assert_eq!(project.run(["task", "show", "?"]).code, Some(2));
    assert_eq!(project.run(["task", "show", "nobody"]).code, Some(1));
    assert!(project.run(["task", "list", "--status", "failed"]).stderr.contains("no such tasks"));
}

#[tokio::test]
async fn a_run_that_takes_longer_than_it_may_fails_with_a_code() {
    let mut fake = FakeModel::held(|_| Ok("x".to_owned())).await;
    let project = project();
    project.write(".crew/config.yaml", "tasks: {workers: 1, queue: 1}\n");
    let server = Server::start(&project, &[], &fake.env());
    let body = json!({"args": {"topic": "tea"}, "timeout_seconds": 1});
    let id = server.accepted("/run/employee/writer", &body).await;
    fake.asked().await;
    let waiting = server.accepted("/run/employee/writer", &topic("waits")).await;
    // One works, one waits: that is all there may be here.
    server.post("/run/employee/writer", &topic("no place")).await.problem(503, "unavailable");
    let task = server.ended(&id).await;
    assert_eq!((&task["status"], &task["code"]), (&json!("failed"), &json!("deadline")), "{task}");
    fake.given_up().await;
    fake.release(100);
    assert_eq!(server.ended(&waiting).await["status"], "completed");
    let refused = server.post("/run/employee/writer", &json!({"timeout_seconds": 0})).await;
    assert!(refused.problem(422, "invalid-arguments").contains("1 to 604800"));
}

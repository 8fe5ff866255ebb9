//! Work that fails with something that may pass, work that waits for other work, and files that have grown.

use std::{
    fs,
    sync::atomic::{AtomicUsize, Ordering::SeqCst},
};

use serde_json::{Value, json};

use crate::support::{FakeModel, Project, Server, github_signature, patiently, work};

const TWO: &str = "
name: two
description: Two steps
steps:
  - {id: one, employee: writer, args: {topic: 'one'}}
  - {id: two, employee: writer, args: {topic: 'two'}}
";

fn project(tasks: &str) -> Project {
    let project = Project::small("claude-test");
    project.write(".crew/pipelines/two.yaml", TWO);
    project.write(".crew/config.yaml", &format!("tasks: {tasks}\n"));
    project
}

/// Is too busy for the second step so often.
async fn busy(times: usize) -> FakeModel {
    let tried = AtomicUsize::new(0);
    FakeModel::answering(move |prompt| {
        let word = work(prompt).split(' ').next().unwrap().to_owned();
        if word == "two" && tried.fetch_add(1, SeqCst) < times { Err(503) } else { Ok(word) }
    })
    .await
}

#[tokio::test]
async fn a_busy_model_is_asked_again_later_for_what_is_left_also_after_a_crash() {
    // A try asks three times.
    let fake = busy(3).await;
    let project = project("{retry: {attempts: 3, backoff_seconds: 2}}");
    let server = Server::start(&project, &[], &fake.env());
    let id = server.accepted("/run/pipeline/two", &json!({})).await;
    let path = format!("/tasks/{id}");
    let waiting = server.until(&path, |task| task["retries"] == 1).await;
    assert_eq!((&waiting["status"], &waiting["code"]), (&json!("pending"), &json!("model")), "{waiting}");
    assert!(waiting["retry_at"].is_string(), "{waiting}");
    server.kill();

    let server = Server::start(&project, &[], &fake.env());
    let task = server.ended(&id).await;
    assert_eq!((&task["status"], &task["attempts"]), (&json!("completed"), &json!(2)), "{task}");
    assert_eq!(fake.works(), ["one", "two", "two", "two", "two"], "the first step was done once");
}

#[tokio::test]
async fn what_was_tried_in_vain_is_dead_until_somebody_retries_it() {
    let fake = busy(6).await;
    let project = project("{retry: {attempts: 2, backoff_seconds: 1}}");
    let server = Server::start(&project, &[], &fake.env());
    let id = server.accepted("/run/pipeline/two", &json!({})).await;
    let task = server.ended(&id).await;
    assert_eq!((&task["status"], &task["dead"]), (&json!("failed"), &json!(true)), "{task}");
    let dead = server.get("/tasks?status=dead").await.status(200);
    assert_eq!(dead["tasks"][0]["task_id"], json!(id), "{dead}");
    let metrics = server.get("/metrics/prometheus").await.text;
    assert!(metrics.contains("crew_task_retries_total 1"), "{metrics}");
    let told: Value =
        serde_json::from_str(&project.run(["task", "list", "--dead", "--json"]).success()).unwrap();
    assert_eq!(told[0]["task_id"], json!(id));
    server.kill();

    // A new server has not given the model up.
    let server = Server::start(&project, &[], &fake.env());
    server.post(&format!("/tasks/{id}/resume"), &json!({})).await.status(202);
    assert_eq!(server.ended(&id).await["status"], "completed");
    assert_eq!(server.get("/tasks?status=dead").await.status(200)["tasks"], json!([]));
    server.get("/tasks?status=dread").await.problem(422, "invalid-arguments");
}

#[tokio::test]
async fn runs_of_one_thing_wait_for_each_other_in_all_processes() {
    let mut fake = FakeModel::held(|prompt| Ok(work(prompt).to_owned())).await;
    let project = project("{lanes: 1}");
    let server = Server::start(&project, &[], &fake.env());
    let writer = |topic: &str| json!({"args": {"topic": topic}});
    let first = server.accepted("/run/employee/writer", &writer("first")).await;
    fake.asked().await;
    let second = server.accepted("/run/employee/writer", &writer("second")).await;
    let other = server.accepted("/run/employee/checker", &json!({"args": {"text": "other"}})).await;
    fake.asked().await;
    assert_eq!(fake.works(), ["first", "other"], "the second waits, and holds nobody");
    assert!(project.path().join(".crew/lanes/employee_writer.lock").is_file());

    // The command line waits in the same lane, unless it is told not to.
    let words = |topic: &'static str| vec!["run", "writer", topic, "-x", "--no-stream"];
    let waiting = {
        let mut command = project.command(words("third"));
        for (name, value) in fake.env() {
            command.env(name, value);
        }
        command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap()
    };
    let mut parallel = project.command(words("fourth").into_iter().chain(["--parallel"]));
    for (name, value) in fake.env() {
        parallel.env(name, value);
    }
    let parallel = parallel.stdout(std::process::Stdio::piped()).spawn().unwrap();
    fake.asked().await;
    assert_eq!(fake.works(), ["first", "other", "fourth"]);
    fake.release(5);
    for id in [&first, &second, &other] {
        assert_eq!(server.ended(id).await["status"], "completed");
    }
    let waited = tokio::task::spawn_blocking(move || waiting.wait_with_output().unwrap()).await.unwrap();
    let told = String::from_utf8_lossy(&waited.stderr).into_owned();
    assert!(waited.status.success() && told.contains("waiting for them"), "{told}");
    assert_eq!(String::from_utf8_lossy(&waited.stdout).trim(), "third");
    tokio::task::spawn_blocking(move || parallel.wait_with_output().unwrap()).await.unwrap();
}

#[tokio::test]
async fn a_journal_that_has_grown_is_indexed_and_made_smaller_while_it_is_used() {
    let long = "What a longer answer may look like. ".repeat(1000).trim().to_owned();
    let answer = long.clone();
    let fake = FakeModel::answering(move |_| Ok(answer.clone())).await;
    let project = project("{retain_count: 8}");
    project.write(".crew/tasks.jsonl", "nobody can read this\n");
    let server = Server::start(&project, &[], &fake.env());
    let (journal, index) =
        (project.path().join(".crew/tasks.jsonl"), project.path().join(".crew/tasks.index"));
    let rejected = project.path().join(".crew/tasks.jsonl.rejected");
    let mut ids = Vec::new();
    while !rejected.is_file() {
        let topic = format!("n{}", ids.len());
        ids.push(server.accepted("/run/employee/writer", &json!({"args": {"topic": topic}})).await);
        server.ended(ids.last().unwrap()).await;
        assert!(ids.len() < 300, "it is never made smaller");
    }
    assert_eq!(fs::read_to_string(&rejected).unwrap(), "nobody can read this\n");
    patiently(async || (fs::metadata(&journal).unwrap().len() < 4_000_000 && index.is_file()).then_some(()))
        .await;
    let newest = server.get(&format!("/tasks/{}", ids.last().unwrap())).await.status(200);
    assert_eq!(newest["result"]["output"], json!(long));
    server.get(&format!("/tasks/{}", ids[0])).await.problem(404, "not-found");
    server.kill();

    let server = Server::start(&project, &[], &[]);
    assert_eq!(server.get(&format!("/tasks/{}", ids.last().unwrap())).await.status(200), newest);
    assert_eq!(server.tasks().await.len(), 8);
    let shown = project.run(["task", "show", ids.last().unwrap(), "--json"]).success();
    let shown: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(shown["result"], newest["result"], "the command line reads the same beside the server");
}

#[tokio::test]
async fn a_schedule_that_is_added_has_tries_of_its_own() {
    let project = project("{retry: {attempts: 1, backoff_seconds: 1}}");
    let server = Server::start(&project, &[], &[]);
    let add = async |name: &str, retry: Value| {
        let schedule = json!({"name": name, "cron": "@daily", "target_type": "pipeline", "target_name": "two",
            "model": "echo", "retry": retry});
        server.post("/api/tools/add_schedule", &schedule).await
    };
    add("daily", json!({"attempts": 3, "backoff_seconds": 1})).await.status(200);
    for wrong in [json!({"attempts": 0}), json!({"attempts": 101}), json!({"tries": 2}), json!(3)] {
        add("other", wrong).await.problem(422, "invalid-arguments");
    }
    server.kill();
    let kept: Value = serde_json::from_str(&project.read(".crew/schedules.json")).unwrap();
    let own = &kept["schedules"][0];
    assert_eq!(own["retry"], json!({"attempts": 3, "backoff_seconds": 1}), "{kept}");
    assert_eq!(kept["schedules"].as_array().unwrap().len(), 1, "{kept}");

    // The file is what counts: the same, but more often, and for the model that is busy.
    let often = project.read(".crew/schedules.json").replace("@daily", "* * * * * *");
    project.write(".crew/schedules.json", &often.replace("\"model\": \"echo\",", ""));
    let fake = busy(usize::MAX).await;
    let server = Server::start(&project, &[], &fake.env());
    let dead = server
        .until("/tasks?trigger=cron&status=dead", |all| !all["tasks"].as_array().unwrap().is_empty())
        .await;
    let task = dead["tasks"].as_array().unwrap().last().unwrap()["task_id"].as_str().unwrap().to_owned();
    assert_eq!(server.ended(&task).await["attempts"], 3);
}

/// A route and a schedule say how often what they start is tried, in place of what holds for all, key by key.
#[tokio::test]
async fn a_route_and_a_schedule_have_tries_of_their_own() {
    const ROUTES: &str = "
github_secret: ${SECRET}
routes:
  - event: push
    retry: {attempts: 2}
    target: {type: pipeline, name: two}
  - event: issues
    target: {type: pipeline, name: two}
";
    const CRON: &str = "
schedules:
  - {name: once, cron: '* * * * * *', overlap: skip, target_type: pipeline, target_name: two, retry: {attempts: 3}}
";
    let project = project("{retry: {attempts: 1, backoff_seconds: 1}}");
    project.write(".crew/webhook.yaml", ROUTES);
    let fake = busy(usize::MAX).await;
    let env = [&fake.env()[..], &[("SECRET", "s")]].concat();
    let server = Server::start(&project, &[], &env);
    let post = async |event: &str| {
        let body = json!({"ref": "refs/heads/main"}).to_string();
        let request = server
            .request(reqwest::Method::POST, "/webhook/github")
            .header("x-github-event", event)
            .header("x-github-delivery", event)
            .header("x-hub-signature-256", github_signature("s", body.as_bytes()))
            .body(body);
        let task = server.send(request).await.status(202)["task_id"].as_str().unwrap().to_owned();
        server.ended(&task).await
    };
    let (tried, once) = (post("push").await, post("issues").await);
    assert_eq!((&tried["attempts"], &tried["dead"]), (&json!(2), &json!(true)), "{tried}");
    assert_eq!((&once["attempts"], &once["dead"]), (&json!(1), &Value::Null), "{once}");

    // A replay is tried as what it repeats.
    let replay = format!("/tasks/{}/replay", tried["task_id"].as_str().unwrap());
    let replay = server.accepted(&replay, &json!({})).await;
    assert_eq!(server.ended(&replay).await["attempts"], 2);

    project.write(".crew/cron.yaml", CRON);
    let dead = server
        .until("/tasks?trigger=cron&status=dead", |all| !all["tasks"].as_array().unwrap().is_empty())
        .await;
    let task = dead["tasks"].as_array().unwrap().last().unwrap()["task_id"].as_str().unwrap().to_owned();
    assert_eq!(server.ended(&task).await["attempts"], 3);
    for wrong in ["{attempts: 0}", "{attempts: many}", "{tries: 2}", "{backoff_seconds: 1.5}", "3"] {
        let text = CRON.replace("{attempts: 3}", wrong);
        project.write(".crew/cron.yaml", &text);
        project.run(["check"]).status(1);
        project.write(".crew/cron.yaml", "schedules: []\n");
        project.write(".crew/webhook.yaml", &ROUTES.replace("{attempts: 2}", wrong));
        project.run(["check"]).status(1);
        project.write(".crew/webhook.yaml", ROUTES);
        project.run(["check"]).success();
    }
}

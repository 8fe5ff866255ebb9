//! Work that is done again is delivered again: each end of it, under an id of its own.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use reqwest::Method;
use serde_json::{Value, json};

use super::{HASTE, deliveries};
use crate::support::{FakeModel, Project, Receiver, Server, github_signature, patiently, work};

/// A pipeline of two steps that delivers its result, a route that has its own delivered too, and a destination.
fn project(receiver: &Receiver) -> Project {
    let project = Project::small("claude-test");
    let url = &receiver.url;
    project.write(
        ".crew/config.yaml",
        &format!(
            "outbound: {{allow: [127.0.0.1]}}\ndestinations:\n  ops: {{type: webhook, url: '{url}/ops'}}\n"
        ),
    );
    project.write(
        ".crew/pipelines/two.yaml",
        &format!(
            "name: two\ndescription: Two steps\ndeliver: [{{type: webhook, url: '{url}/pipeline'}}]\nsteps:\n  - {{id: one, employee: writer, args: {{topic: one}}}}\n  - {{id: two, employee: writer, args: {{topic: two}}}}\n"
        ),
    );
    project.write(
        ".crew/webhook.yaml",
        &format!(
            "github_secret: ${{SECRET}}\nroutes:\n  - event: push\n    target: {{type: pipeline, name: two}}\n    deliver: [{{type: slack, url: '{url}/route'}}]\n"
        ),
    );
    project
}

/// Fails what is asked about the second step so often.
async fn failing(times: usize) -> FakeModel {
    let tried = AtomicUsize::new(0);
    FakeModel::answering(move |prompt| {
        let second = work(prompt).starts_with("two");
        if second && tried.fetch_add(1, SeqCst) < times { Err(400) } else { Ok("done".to_owned()) }
    })
    .await
}

/// What came to `path`: its ids, each once, in the order they came in.
fn ids(receiver: &Receiver, path: &str) -> Vec<String> {
    let mut ids = Vec::new();
    for got in receiver.received().iter().filter(|got| got.uri == path) {
        let id = got.header("webhook-id").to_owned();
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
    ids
}

fn all_delivered(count: usize) -> impl Fn(&[Value]) -> bool {
    move |all| all.len() == count && all.iter().all(|one| one["status"] == "delivered")
}

#[tokio::test]
async fn a_replay_and_a_fork_are_delivered_as_what_they_repeat() {
    let (receiver, fake) = (Receiver::with_statuses(&[]).await, failing(0).await);
    let project = project(&receiver);
    let env = [&fake.env()[..], &[HASTE, ("SECRET", "s")]].concat();
    let server = Server::start(&project, &[], &env);
    let body = json!({"ref": "refs/heads/main"}).to_string();
    let request = server
        .request(Method::POST, "/webhook/github")
        .header("x-github-event", "push")
        .header("x-github-delivery", "1")
        .header("x-hub-signature-256", github_signature("s", body.as_bytes()))
        .body(body);
    let first = server.send(request).await.status(202)["task_id"].as_str().unwrap().to_owned();
    let sent = deliveries(&server, &first, all_delivered(2)).await;
    let kinds = |sent: &[Value]| sent.iter().map(|one| one["type"].clone()).collect::<Vec<_>>();
    assert_eq!(kinds(&sent), ["webhook", "slack"], "where its pipeline and its route say");

    let replay = server.accepted(&format!("/tasks/{first}/replay"), &json!({})).await;
    assert_eq!(kinds(&deliveries(&server, &replay, all_delivered(2)).await), ["webhook", "slack"]);
    let fork = server.accepted(&format!("/tasks/{first}/fork"), &json!({"step": "two"})).await;
    assert_eq!(kinds(&deliveries(&server, &fork, all_delivered(2)).await), ["webhook", "slack"]);
    let expected: Vec<_> = [&first, &replay, &fork].iter().map(|task| format!("{task}-0")).collect();
    assert_eq!(ids(&receiver, "/pipeline"), expected);
    let to_route = receiver.received().iter().filter(|got| got.uri == "/route").count();
    assert_eq!(to_route, 3);
}

#[tokio::test]
async fn a_task_that_goes_on_is_delivered_with_each_of_its_ends() {
    let (receiver, fake) = (Receiver::with_statuses(&[]).await, failing(1).await);
    let project = project(&receiver);
    let env = [&fake.env()[..], &[HASTE, ("SECRET", "s")]].concat();
    let server = Server::start(&project, &[], &env);
    let task = server.accepted("/run/pipeline/two", &json!({"deliver": ["ops"]})).await;
    deliveries(&server, &task, all_delivered(2)).await;
    assert_eq!(server.ended(&task).await["status"], "failed");
    server.post(&format!("/tasks/{task}/resume"), &json!({})).await.status(202);
    let sent = deliveries(&server, &task, all_delivered(4)).await;
    let expected: Vec<_> =
        ["0", "1", "0.1", "1.1"].iter().map(|end| json!(format!("{task}.{end}"))).collect();
    assert_eq!(sent.iter().map(|one| one["id"].clone()).collect::<Vec<_>>(), expected);
    // A receiver that passes over what it knows must not take the second for the first.
    assert_eq!(ids(&receiver, "/pipeline"), [format!("{task}-0"), format!("{task}-0-1")]);
    let told = |path: &str| {
        let got = receiver.received();
        let told = got.iter().filter(|got| got.uri == path).map(|got| got.json()["status"].clone());
        told.collect::<Vec<_>>()
    };
    assert_eq!(told("/pipeline"), ["failed", "completed"]);
    assert_eq!(told("/ops"), ["failed", "completed"]);

    // Nothing of this comes again with the next start.
    server.kill();
    let server = Server::start(&project, &[], &env);
    deliveries(&server, &task, all_delivered(4)).await;
    assert_eq!(receiver.received().len(), 4);
}

/// What an earlier end has not yet told is not told any more once the task has gone on.
#[tokio::test]
async fn an_end_that_was_overtaken_is_not_delivered() {
    let receiver = Receiver::acting(|_, got| {
        let failed = got.json()["status"] == "failed";
        (if failed { 503 } else { 200 }, Vec::new(), String::new())
    })
    .await;
    let fake = failing(1).await;
    let project = project(&receiver);
    let env = [&fake.env()[..], &[("SECRET", "s"), ("CREW_DELIVERY__RETRY_SECONDS", "0.2")]].concat();
    let server = Server::start(&project, &[], &env);
    let task = server.accepted("/run/pipeline/two", &json!({})).await;
    let tried = |all: &[Value]| all.len() == 1 && all[0]["detail"] == "HTTP 503";
    deliveries(&server, &task, tried).await;
    server.post(&format!("/tasks/{task}/resume"), &json!({})).await.status(202);
    let over =
        |all: &[Value]| all.len() == 2 && all[0]["status"] == "dead" && all[1]["status"] == "delivered";
    let ended = deliveries(&server, &task, over).await;
    assert_eq!(ended[0]["detail"], "its task went on; how that ends is delivered in its place");
    // Both are over, so that the task may be forgotten.
    patiently(async || (server.ended(&task).await["status"] == "completed").then_some(())).await;
}

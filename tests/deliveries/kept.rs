//! A result that still has to be delivered outlives what is forgotten around it.

use serde_json::{Value, json};

use super::{HASTE, delivery, project};
use crate::support::{Project, Receiver, Server, patiently};

const HOOK: &str = "  - {type: webhook, url: 'URL/hook'}";

fn keeping(receiver: &Receiver, tasks: &str) -> Project {
    let project = project(receiver, HOOK);
    project.write(".crew/config.yaml", &format!("outbound: {{allow: [127.0.0.1]}}\ntasks: {tasks}\n"));
    project
}

/// Runs the pipeline with these texts, one after the other.
async fn report(server: &Server, texts: std::ops::Range<usize>) -> Vec<String> {
    let mut ids = Vec::new();
    for number in texts {
        let run = json!({"args": {"text": format!("text-{number}")}});
        let id = server.accepted("/run/pipeline/report", &run).await;
        server.ended(&id).await;
        ids.push(id);
    }
    ids
}

/// The texts that a receiver got, each once, in order.
fn texts(receiver: &Receiver) -> Vec<String> {
    let text = |body: Value| body["result"]["steps"][0]["output"].as_str().unwrap_or_default().to_owned();
    let mut all: Vec<_> = receiver.received().iter().map(|got| text(got.json())).collect();
    all.sort();
    all.dedup();
    all
}

async fn count(server: &Server, status: &str) -> usize {
    let path = format!("/deliveries?status={status}&limit=200");
    server.get(&path).await.status(200)["deliveries"].as_array().unwrap().len()
}

/// Twelve results wait for a receiver that takes nothing, of two tasks that are kept; a crash and a restart do not part with any.
#[tokio::test]
async fn what_is_not_delivered_yet_is_not_forgotten() {
    let receiver = Receiver::held().await;
    let project = keeping(&receiver, "{retain_count: 2}");
    let server = Server::start(&project, &[], &[HASTE]);
    let ids = report(&server, 0..12).await;
    assert_eq!(server.tasks().await.len(), 12, "none is forgotten before it is delivered");
    server.kill();

    let server = Server::start(&project, &[], &[HASTE]);
    assert_eq!(server.tasks().await.len(), 12, "nor by a restart");
    receiver.release(1000);
    for id in &ids {
        let sent = patiently(async || {
            let all = server.get(&format!("/deliveries?task_id={id}")).await.status(200);
            all["deliveries"][0]["status"].as_str().filter(|status| *status == "delivered").map(str::to_owned)
        });
        sent.await;
    }
    assert_eq!(texts(&receiver).len(), 12, "{:?}", texts(&receiver));
    // From then on they are tasks as others are.
    patiently(async || (server.tasks().await.len() == 2).then_some(())).await;
    let left: Vec<_> = server.tasks().await.iter().map(|task| task["task_id"].clone()).collect();
    assert_eq!(left, [json!(ids[11]), json!(ids[10])], "the newest");
    server.get(&format!("/tasks/{}", ids[0])).await.problem(404, "not-found");
}

/// A receiver that fails for a while gets everything, and one that fails for good keeps nothing from being forgotten.
#[tokio::test]
async fn what_is_given_up_is_forgotten() {
    let receiver = Receiver::with_statuses(&[503; 12]).await;
    let project = keeping(&receiver, "{retain_count: 1}");
    let server = Server::start(&project, &[], &[HASTE]);
    report(&server, 0..4).await;
    patiently(async || (count(&server, "delivered").await == 4).then_some(())).await;
    assert_eq!(texts(&receiver).len(), 4);
    patiently(async || (server.tasks().await.len() == 1).then_some(())).await;
    server.kill();

    let receiver = Receiver::acting(|_, _| (500, Vec::new(), String::new())).await;
    let project = keeping(&receiver, "{retain_count: 1}");
    let env = [HASTE, ("CREW_DELIVERY__ATTEMPTS", "2")];
    let server = Server::start(&project, &[], &env);
    report(&server, 0..4).await;
    patiently(async || (count(&server, "dead").await == 4).then_some(())).await;
    patiently(async || (server.tasks().await.len() == 1).then_some(())).await;
}

/// What waits has an end: beyond it the oldest is forgotten, and its delivery says why it was given up.
#[tokio::test]
async fn what_waits_has_a_bound() {
    let mut receiver = Receiver::held().await;
    let project = keeping(&receiver, "{retain_count: 1, retain_undelivered: 2}");
    let server = Server::start(&project, &[], &[HASTE]);
    let mut ids = Vec::new();
    for number in 0..12 {
        ids.extend(report(&server, number..number + 1).await);
        let all = server
            .until("/deliveries?limit=100", |all| all["deliveries"].as_array().unwrap().len() == number + 1);
        all.await;
        // So many are sent at a time: these are on their way before their tasks are forgotten.
        if number < 8 {
            receiver.arrival().await;
        }
    }
    assert_eq!(server.tasks().await.len(), 3, "two that wait and one more");
    receiver.release(1000);
    patiently(async || (count(&server, "delivered").await == 11).then_some(())).await;
    let dead = server.until("/deliveries?status=dead", |all| all["deliveries"][0].is_object()).await;
    let dead = dead["deliveries"][0].clone();
    assert_eq!((&dead["task_id"], &dead["detail"]), (&json!(ids[8]), &json!("its task is known no more")));
    let again = format!("/deliveries/{}/redeliver", dead["id"].as_str().unwrap());
    let told = server.post(&again, &json!({})).await.problem(409, "conflict");
    assert!(told.contains("its task is known no more"), "{told}");
    assert_eq!(texts(&receiver).len(), 11);
}

/// Asking again for the delivery of a task that could be forgotten keeps it until that is made.
#[tokio::test]
async fn what_is_asked_for_again_is_kept_for_it() {
    let mut receiver = Receiver::held().await;
    let project = keeping(&receiver, "{retain_count: 1}");
    let server = Server::start(&project, &[], &[HASTE]);
    let first = report(&server, 0..1).await.remove(0);
    receiver.arrival().await;
    receiver.release(1);
    let id = delivery(&server, &first, "delivered").await["id"].as_str().unwrap().to_owned();
    server.post(&format!("/deliveries/{id}/redeliver"), &json!({})).await.status(202);
    receiver.arrival().await;
    report(&server, 1..4).await;
    assert_eq!(server.get(&format!("/tasks/{first}")).await.status(200)["status"], "completed");
    receiver.release(1000);
    patiently(async || (count(&server, "delivered").await >= 3).then_some(())).await;
    patiently(async || (server.tasks().await.len() == 1).then_some(())).await;
    server.get(&format!("/tasks/{first}")).await.problem(404, "not-found");
}

/// The log of deliveries forgets a result no sooner than the journal forgets the task: what a restart finds in the file again is
/// not delivered once more, though the log has grown to where it is made smaller.
#[tokio::test]
async fn a_task_that_a_file_still_tells_of_is_not_delivered_again() {
    const RUNS: usize = 170;
    const EACH: usize = 20;
    let receiver = Receiver::with_statuses(&[]).await;
    let project = project(&receiver, &format!("{HOOK}\n").repeat(EACH));
    project.write(".crew/config.yaml", "outbound: {allow: [127.0.0.1]}\ntasks: {retain_count: 1}\n");
    let server = Server::start(&project, &[], &[HASTE]);
    report(&server, 0..RUNS).await;
    patiently(async || (receiver.received().len() == RUNS * EACH).then_some(())).await;
    patiently(async || (server.tasks().await.len() == 1).then_some(())).await;
    server.kill();

    let server = Server::start(&project, &[], &[HASTE]);
    // What is found again comes before what is new.
    report(&server, RUNS..RUNS + 1).await;
    patiently(async || (receiver.received().len() >= (RUNS + 1) * EACH).then_some(())).await;
    patiently(async || {
        (count(&server, "pending").await + count(&server, "sending").await == 0).then_some(())
    })
    .await;
    assert_eq!(receiver.received().len(), (RUNS + 1) * EACH, "each once");
}

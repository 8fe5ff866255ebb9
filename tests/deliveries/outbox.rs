//! The outbox through crashes, refusals and repetitions.

use std::{collections::BTreeSet, time::Duration};

use reqwest::Method;
use serde_json::{Value, json};

use super::{HASTE, deliveries, delivery, is_on_disk, project};
use crate::support::{Project, Receiver, Server, github_signature, patiently};

const HOOK: &str = "  - {type: webhook, url: 'URL/hook', headers: {Authorization: 'Bearer ${HOOK_TOKEN}'}, secret: '${HOOK_SECRET}'}";
const ENV: [(&str, &str); 3] = [HASTE, ("HOOK_TOKEN", "token-7f3a9c"), ("HOOK_SECRET", "signing-51be02")];

fn run(text: &str) -> Value {
    json!({"args": {"text": text}})
}

#[tokio::test]
async fn a_refused_result_is_sent_again_until_it_is_taken() {
    let receiver = Receiver::with_statuses(&[503, 429, 408, 200]).await;
    let project = project(&receiver, HOOK);
    let server = Server::start(&project, &[], &ENV);
    let id = server.accepted("/run/pipeline/report", &run("你好")).await;
    let sent = delivery(&server, &id, "delivered").await;
    assert_eq!(
        (&sent["attempts"], &sent["detail"], &sent["type"]),
        (&json!(4), &json!("HTTP 200"), &json!("webhook"))
    );
    assert_eq!(sent["target"], format!("{}/…", receiver.url));
    let got = receiver.received();
    let ids: BTreeSet<_> = got.iter().map(|one| one.header("webhook-id").to_owned()).collect();
    assert_eq!((got.len(), ids.len()), (4, 1), "every attempt has the same id");
    let body = got[0].json();
    let keys: Vec<_> = body.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(keys, ["task_id", "task_name", "status", "result"]);
    assert_eq!((&body["task_name"], &body["status"]), (&json!("report"), &json!("completed")));
    assert_eq!(body["result"]["steps"][0].get("args"), None, "values are not handed on");
    assert_eq!(got[0].header("authorization"), "Bearer token-7f3a9c");
    assert!(got[0].header("webhook-signature").starts_with("v1,"));
    let listed = server.get("/deliveries?status=delivered").await.status(200);
    assert_eq!(listed["deliveries"], json!([sent]));
    assert_eq!(server.get("/deliveries?status=dead").await.status(200)["deliveries"], json!([]));
    server.get("/deliveries?state=dead").await.problem(422, "invalid-arguments");
    server.get("/deliveries?type=emial").await.problem(422, "invalid-arguments");
    server.get("/deliveries?type=email").await.status(200);
    // The task itself knows nothing of it.
    assert_eq!(server.ended(&id).await["status"], "completed");
    let log = server.log();
    server.kill();
    for secret in ["token-7f3a9c", "signing-51be02", "/hook"] {
        assert!(!is_on_disk(&project, secret), "{secret}");
        assert!(!log.contains(secret), "{log}");
    }
}

#[tokio::test]
async fn what_will_not_go_better_is_given_up_and_can_be_asked_for_again() {
    let receiver = Receiver::acting(|number, _| match number {
        0 => (404, Vec::new(), String::new()),
        1 => (302, vec![("location", "http://127.0.0.1:1/".to_owned())], String::new()),
        _ => (200, Vec::new(), String::new()),
    })
    .await;
    let project = project(&receiver, HOOK);
    let server = Server::start(&project, &[], &ENV);
    let task = server.accepted("/run/pipeline/report", &run("x")).await;
    let dead = delivery(&server, &task, "dead").await;
    assert_eq!((&dead["attempts"], &dead["detail"]), (&json!(1), &json!("HTTP 404")));
    assert_eq!(server.ended(&task).await["status"], "completed", "a delivery never fails its task");
    let again = format!("/deliveries/{}/redeliver", dead["id"].as_str().unwrap());
    let asked = server.post(&again, &json!({})).await.status(202);
    assert_eq!(asked["status"], "pending");
    let dead = deliveries(&server, &task, |all| all[0]["attempts"] == 2 && all[0]["status"] == "dead").await;
    assert_eq!(dead[0]["detail"], "HTTP 302: redirects are not followed");
    server.post(&again, &json!({})).await.status(202);
    assert_eq!(delivery(&server, &task, "delivered").await["attempts"], 3);
    for id in ["nobody.0", "nobody", "a/b.0", "..0"] {
        server.post(&format!("/deliveries/{id}/redeliver"), &json!({})).await.problem(404, "not-found");
    }
    let listed = project.run(["deliveries", "list", "--json"]).success();
    let listed: Value = serde_json::from_str(&listed).unwrap();
    assert_eq!(listed["deliveries"][0]["status"], "delivered");
    let told = project.run(["deliveries", "redeliver", dead[0]["id"].as_str().unwrap()]).status(1);
    assert!(told.contains("ask its server instead"), "{told}");
    assert_eq!(server.terminate(), Some(0));
    let sent = project.run_in(&ENV, ["deliveries", "redeliver", dead[0]["id"].as_str().unwrap()]).success();
    assert!(sent.contains("delivered, tried 4 times: HTTP 200"), "{sent}");
    project.run(["deliveries", "show", "nobody.0"]).status(1);
    project.run(["deliveries", "show", "nobody"]).status(2);
}

#[tokio::test]
async fn the_number_of_attempts_has_an_end() {
    let receiver = Receiver::acting(|_, _| (500, Vec::new(), String::new())).await;
    let project = project(&receiver, HOOK);
    let server = Server::start(&project, &[], &[&ENV[..], &[("CREW_DELIVERY__ATTEMPTS", "3")]].concat());
    let task = server.accepted("/run/pipeline/report", &run("x")).await;
    let dead = delivery(&server, &task, "dead").await;
    assert_eq!(dead["detail"], "given up after 3 attempts: HTTP 500");
    assert_eq!(receiver.received().len(), 3);
    let told = project.run_in(&[("CREW_DELIVERY__ATTEMPTS", "many")], ["serve", "--port", "0"]).status(1);
    assert!(told.contains("CREW_DELIVERY__ATTEMPTS is `many`; it must be a number from 1 to 100"), "{told}");
}

/// Those of a receiver that asks for patience wait for it, also through a restart.
#[tokio::test]
async fn a_receiver_is_left_alone_as_long_as_it_asks() {
    let receiver =
        Receiver::acting(|_, _| (429, vec![("retry-after", "3600".to_owned())], String::new())).await;
    let project = project(&receiver, HOOK);
    let server = Server::start(&project, &[], &ENV);
    let task = server.accepted("/run/pipeline/report", &run("x")).await;
    let tried = |all: &[Value]| all.len() == 1 && all[0]["next_at"].is_string();
    let waits = deliveries(&server, &task, tried).await.remove(0);
    let at = |key: &str| waits[key].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    let pause = Duration::try_from(at("next_at").duration_since(at("at"))).unwrap();
    assert!((3600..3700).contains(&pause.as_secs()), "{waits}");
    server.kill();
    let server = Server::start(&project, &[], &ENV);
    assert_eq!(deliveries(&server, &task, tried).await.remove(0), waits);
    assert_eq!(receiver.received().len(), 1);
}

#[tokio::test]
async fn a_crash_between_the_end_of_a_task_and_its_delivery_loses_nothing() {
    let mut receiver = Receiver::held().await;
    let project = project(&receiver, HOOK);
    let server = Server::start(&project, &[], &ENV);
    let task = server.accepted("/run/pipeline/report", &run("x")).await;
    receiver.arrival().await;
    // The task has ended, and nobody knows whether its result has arrived.
    assert_eq!(delivery(&server, &task, "sending").await["attempts"], 1);
    server.kill();
    // As if it had died before the delivery was recorded.
    std::fs::remove_file(project.path().join(".crew/outbox.jsonl")).unwrap();
    let server = Server::start(&project, &[], &ENV);
    receiver.arrival().await;
    server.kill();
    // This time it was.
    let server = Server::start(&project, &[], &ENV);
    receiver.release(100);
    assert_eq!(delivery(&server, &task, "delivered").await["attempts"], 2);
    server.kill();
    let server = Server::start(&project, &[], &ENV);
    assert_eq!(delivery(&server, &task, "delivered").await["attempts"], 2);
    let ids: BTreeSet<_> =
        receiver.received().iter().map(|one| one.header("webhook-id").to_owned()).collect();
    assert_eq!((receiver.received().len(), ids.len()), (3, 1));
    // A torn line is no reason not to start.
    server.kill();
    let path = project.path().join(".crew/outbox.jsonl");
    let mut log = std::fs::read(&path).unwrap();
    log.extend_from_slice(b"{\"event\":\"cre");
    std::fs::write(&path, log).unwrap();
    let server = Server::start(&project, &[], &ENV);
    assert_eq!(delivery(&server, &task, "delivered").await["attempts"], 2);
}

#[tokio::test]
async fn the_end_of_the_program_waits_for_what_is_on_its_way() {
    let mut receiver = Receiver::held().await;
    let project = project(&receiver, HOOK);
    let server = Server::start(&project, &[], &ENV);
    let task = server.accepted("/run/pipeline/report", &run("x")).await;
    receiver.arrival().await;
    server.ask_to_end();
    receiver.release(1);
    assert_eq!(server.wait(), Some(0));
    let listed = project.run(["deliveries", "list", "--json", "--task", &task]).success();
    let listed: Value = serde_json::from_str(&listed).unwrap();
    assert_eq!(listed["deliveries"][0]["status"], "delivered");
}

const ROUTE: &str = "
github_secret: ${SECRET}
routes:
  - event: issues
    target: {type: employee, name: worker, args: {text: '{{issue.title}}'}}
    deliver:
      - {type: webhook, url: 'URL/hook'}
";

/// Five times, out of order, with a crash in between: once.
#[tokio::test]
async fn the_same_event_again_and_again_is_delivered_once() {
    let receiver = Receiver::with_statuses(&[]).await;
    let project = project(&receiver, HOOK);
    project.write(".crew/webhook.yaml", &ROUTE.replace("URL", &receiver.url));
    let env = [&ENV[..], &[("SECRET", "s")]].concat();
    let send = async |server: &Server, id: &str, title: &str| {
        let body = json!({"action": "opened", "issue": {"number": 1, "title": title}}).to_string();
        let request = server
            .request(Method::POST, "/webhook/github")
            .header("x-github-event", "issues")
            .header("x-github-delivery", id)
            .header("x-hub-signature-256", github_signature("s", body.as_bytes()))
            .body(body);
        let reply = server.send(request).await;
        assert!(reply.status.is_success(), "{}", reply.text);
        reply.json()["task_id"].as_str().unwrap().to_owned()
    };
    let server = Server::start(&project, &[], &env);
    let first = send(&server, "one", "first").await;
    let second = send(&server, "two", "second").await;
    assert_eq!(send(&server, "one", "first").await, first);
    server.kill();
    let server = Server::start(&project, &[], &env);
    for (id, title, task) in [("two", "second", &second), ("one", "first", &first), ("one", "first", &first)]
    {
        assert_eq!(send(&server, id, title).await, *task);
    }
    delivery(&server, &first, "delivered").await;
    delivery(&server, &second, "delivered").await;
    assert_eq!(send(&server, "one", "first").await, first);
    let ids: BTreeSet<_> =
        receiver.received().iter().map(|one| one.header("webhook-id").to_owned()).collect();
    assert_eq!(ids.len(), 2, "one for each event");
    assert_eq!(server.get("/deliveries").await.status(200)["deliveries"].as_array().unwrap().len(), 2);
}

/// A slow receiver keeps nobody else waiting, and is asked by eight at a time.
#[tokio::test]
async fn a_slow_receiver_has_a_lane_of_its_own() {
    let (slow, fast) = (Receiver::held().await, Receiver::with_statuses(&[]).await);
    let hooks =
        format!("  - {{type: webhook, url: 'URL/hook'}}\n  - {{type: webhook, url: '{}/hook'}}", fast.url);
    let project = project(&slow, &hooks);
    let server = Server::start(&project, &[], &ENV);
    for number in 0..12 {
        server.accepted("/run/pipeline/report", &run(&number.to_string())).await;
    }
    patiently(async || (fast.received().len() == 12).then_some(())).await;
    let sending =
        server.until("/deliveries?status=sending", |all| all["deliveries"].as_array().unwrap().len() == 8);
    sending.await;
    patiently(async || (slow.received().len() >= 8).then_some(())).await;
    assert_eq!(slow.received().len(), 8);
    slow.release(100);
    server
        .until("/deliveries?status=delivered&limit=100", |all| {
            all["deliveries"].as_array().unwrap().len() == 24
        })
        .await;
}

#[tokio::test]
async fn a_run_from_the_shell_delivers_before_it_ends() {
    let receiver = Receiver::with_statuses(&[503]).await;
    let project = project(&receiver, HOOK);
    let run = ["pipeline", "run", "report", "--arg", "text=x", "--execute"];
    let finished = project.run_in(&ENV, run);
    assert!(finished.stderr.contains("webhook to http://127.0.0.1"), "{}", finished.stderr);
    finished.success();
    assert!(!receiver.received().is_empty());
    // What was not taken then, a server takes further.
    let server = Server::start(&project, &[], &ENV);
    server
        .until("/deliveries?status=delivered", |all| all["deliveries"].as_array().unwrap().len() == 1)
        .await;
}

/// A project that delivers nothing has no file for it.
#[tokio::test]
async fn nothing_to_deliver_leaves_nothing() {
    let project = Project::small("echo");
    let server = Server::start(&project, &[], &[]);
    let task = server.accepted("/run/employee/writer", &json!({"args": {"topic": "tea"}})).await;
    assert_eq!(server.ended(&task).await.get("deliveries"), None);
    assert_eq!(server.get("/deliveries").await.status(200), json!({"deliveries": []}));
    assert!(!project.path().join(".crew/outbox.jsonl").try_exists().unwrap());
}

/// What describes a delivery cannot be read for a while: a typing mistake, a file that is being written.
#[tokio::test]
async fn a_mistake_in_a_file_loses_no_result() {
    let receiver =
        Receiver::acting(|number, _| (if number < 1 { 503 } else { 200 }, Vec::new(), String::new())).await;
    let project = project(&receiver, HOOK);
    let config = format!(
        "outbound: {{allow: [127.0.0.1]}}\ndestinations: {{ops: {{type: webhook, url: '{}/ops'}}}}\n",
        receiver.url
    );
    project.write(".crew/config.yaml", &config);
    let server = Server::start(&project, &[], &ENV);
    // A file that is emptied while a server runs says what it said.
    project.write(".crew/config.yaml", "");
    let broken = async |file: &str| {
        server.until("/readyz", |ready| ready["findings"].to_string().contains(file)).await;
    };
    broken("emptied-file").await;
    let order = json!({"args": {"text": "x"}, "deliver": ["ops"]});
    let task = server.accepted("/run/employee/worker", &order).await;
    delivery(&server, &task, "delivered").await;
    project.write(".crew/config.yaml", &config);

    let pipeline = project.read(".crew/pipelines/report.yaml");
    let refusing = Receiver::acting(|_, _| (503, Vec::new(), String::new())).await;
    project.write(".crew/pipelines/report.yaml", &pipeline.replace(&receiver.url, &refusing.url));
    server.until("/readyz", |ready| ready["status"] == "ready").await;
    let task = server.accepted("/run/pipeline/report", &run("x")).await;
    deliveries(&server, &task, |all| all.iter().any(|one| one["attempts"].as_u64() > Some(0))).await;
    project.write(".crew/pipelines/report.yaml", &format!("{pipeline}  - [\n"));
    broken("report.yaml").await;
    let waits = |all: &[Value]| all[0]["detail"].as_str().unwrap().contains("some cannot be used");
    deliveries(&server, &task, waits).await;
    project.write(".crew/pipelines/report.yaml", &pipeline);
    delivery(&server, &task, "delivered").await;
}

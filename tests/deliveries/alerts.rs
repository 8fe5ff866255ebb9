//! A server that does badly tells it, whatever its workers are busy with.

use serde_json::json;

use super::HASTE;
use crate::support::{FakeModel, Project, Received, Receiver, Server, patiently};

#[tokio::test]
async fn a_queue_that_does_not_move_is_told_of_and_so_is_its_end() {
    let receiver = Receiver::with_statuses(&[200]).await;
    let mut model = FakeModel::held(|_| Ok("done".to_owned())).await;
    let project = Project::small("claude-test");
    project.write(
        ".crew/config.yaml",
        &format!(
            "outbound: {{allow: [127.0.0.1]}}\ntasks: {{workers: 1, queue: 1}}\ndestinations:\n  ops: {{type: webhook, url: '{}/ops'}}\nalerts: {{notify: [ops], queue_age_seconds: 1, for_seconds: 0}}\n",
            receiver.url
        ),
    );
    let env = [&model.env()[..], &[HASTE]].concat();
    let server = Server::start(&project, &[], &env);
    let run = json!({"args": {"topic": "tea"}});
    let first = server.accepted("/run/employee/writer", &run).await;
    model.asked().await;
    let second = server.accepted("/run/employee/writer", &run).await;
    server.post("/run/employee/writer", &run).await.problem(503, "unavailable");

    let told = patiently(async || receiver.received().first().map(Received::json)).await;
    let text = told["result"].as_str().unwrap();
    assert!(text.starts_with("Alert: tasks wait too long\n\nA task has waited "), "{text}");
    assert!(text.ends_with("the limit is 1.0 s."), "{text}");
    assert_eq!(told["task_name"], "queue-age");
    let status = |id: &str| format!("/tasks/{id}");
    assert_eq!(server.get(&status(&second)).await.status(200)["status"], "pending", "it still waits");

    model.release(2);
    for id in [&first, &second] {
        server.ended(id).await;
    }
    let over = patiently(async || receiver.received().get(1).map(Received::json)).await;
    assert!(over["result"].as_str().unwrap().starts_with("Over: tasks wait too long\n\n"), "{over}");
    let alerts = server.get("/tasks?trigger=alert").await.status(200);
    assert_eq!(receiver.received().len(), 2, "each once: {alerts}");
}

/// A model that is slow, and one that hangs until nobody waits any more, are told of as well as one that refuses.
#[tokio::test]
async fn models_that_are_slow_or_fail_are_told_of() {
    let receiver = Receiver::with_statuses(&[200]).await;
    let model = FakeModel::held(|_| Ok("done".to_owned())).await;
    let project = Project::small("claude-test");
    project.write(
        ".crew/config.yaml",
        &format!(
            "outbound: {{allow: [127.0.0.1]}}\ntasks: {{workers: 20}}\ndestinations:\n  ops: {{type: webhook, url: '{}/ops'}}\nalerts: {{notify: [ops], p95_seconds: 0.5, error_rate: 0.5, for_seconds: 0}}\n",
            receiver.url
        ),
    );
    let env = [&model.env()[..], &[HASTE]].concat();
    let server = Server::start(&project, &[], &env);
    let run = json!({"args": {"topic": "tea"}, "timeout_seconds": 1});
    for _ in 0..12 {
        server.accepted("/run/employee/writer", &run).await;
    }
    let named = |name: &str| {
        let all = receiver.received();
        all.iter().map(Received::json).find(|told| told["task_name"] == name)
    };
    for (name, text) in [("p95", "Alert: "), ("error-rate", "Alert: ")] {
        let told = patiently(async || named(name)).await;
        assert!(told["result"].as_str().unwrap().starts_with(text), "{told}");
    }
    let counted = server.get("/metrics").await.status(200);
    let of = &counted["by_provider"]["anthropic"];
    assert_eq!((&of["calls"], &of["errors"]["cancelled"]), (&json!(12), &json!(12)), "{counted}");
    assert!(counted["latency"]["max_ms"].as_f64().unwrap() >= 500.0, "{counted}");
}

//! Whoever starts work says where its result goes, among the destinations that the project describes.

use serde_json::{Value, json};

use super::project;
use crate::support::{Project, Receiver, Server};

fn hooked(receiver: &Receiver) -> Project {
    let project = project(receiver, "  - hook");
    let config = format!(
        "outbound: {{allow: [127.0.0.1]}}\ndestinations:\n  hook: {{type: webhook, url: '{}/x'}}\n",
        receiver.url
    );
    project.write(".crew/config.yaml", &config);
    project.write(
        ".crew/discussions/talk.yaml",
        "topic: tea\nrounds: 1\nparticipants: [{employee: worker}, {employee: other}]\n",
    );
    let other = project.read(".crew/employees/worker.md").replace("worker", "other");
    project.write(".crew/employees/other.md", &other);
    project
}

#[tokio::test]
async fn tools_that_start_work_take_destinations_by_their_names() {
    let receiver = Receiver::with_statuses(&[]).await;
    let project = hooked(&receiver);
    let server = Server::start(&project, &[], &[]);
    let kinds = [("run_employee", "worker"), ("run_pipeline", "report"), ("run_discussion", "talk")];
    for (expected, (tool, name)) in (1..).zip(kinds) {
        let path = format!("/api/tools/{tool}");
        let mut order = json!({"name": name, "execute": true, "background": true, "deliver": ["hook"]});
        if tool == "run_pipeline" {
            order["args"] = json!({"text": "x"});
        }
        let told = server.post(&path, &order).await.status(200);
        let task = told["task_id"].as_str().unwrap().to_owned();
        server.ended(&task).await;
        // The pipeline names it too, and it is told once.
        let all = server.until("/deliveries?status=delivered", |all| {
            all["deliveries"].as_array().unwrap().len() == expected
        });
        all.await;
        for (deliver, status, part) in [
            (json!(["hok"]), 422, "no destination `hok`; did you mean `hook`?"),
            (json!([{"type": "webhook", "url": "http://127.0.0.1"}]), 422, "expected a string"),
            (json!(vec!["hook"; 21]), 422, "at most 20"),
        ] {
            order["deliver"] = deliver;
            let problem = server.post(&path, &order).await.problem(status, "invalid-arguments");
            assert!(problem.contains(part), "{tool}: {problem}");
        }
    }
    assert_eq!(receiver.received().len(), 3);
    assert_eq!(server.tasks().await.len(), 3, "nothing was begun that could not be delivered");
}

#[tokio::test]
async fn a_schedule_that_is_added_delivers_to_destinations() {
    let receiver = Receiver::with_statuses(&[]).await;
    let project = hooked(&receiver);
    let server = Server::start(&project, &[], &[]);
    let schedule = |name: &str, deliver: &Value| json!({"name": name, "cron": "@daily", "target_type": "employee", "target_name": "worker", "deliver": deliver});
    let add = async |name: &str, deliver: Value| {
        server.post("/api/tools/add_schedule", &schedule(name, &deliver)).await
    };
    add("daily", json!(["hook"])).await.status(200);
    let kept: Value = serde_json::from_str(&project.read(".crew/schedules.json")).unwrap();
    assert_eq!(kept["schedules"][0]["delivery"], json!(["hook"]));
    let told = add("other", json!(["hok"])).await.problem(422, "invalid-arguments");
    assert!(told.contains("no destination `hok`; did you mean `hook`?"), "{told}");
    for deliver in
        [json!([{"type": "email", "to": "me@example.com"}]), json!(["https://example.com"]), json!("hook")]
    {
        add("other", deliver).await.problem(422, "invalid-arguments");
    }
    let status = server.get("/cron/status").await.status(200);
    assert_eq!(status["schedules"].as_array().unwrap().len(), 1);
}

/// What the clock starts goes where the added schedule says.
#[tokio::test]
async fn what_an_added_schedule_starts_is_delivered() {
    let receiver = Receiver::with_statuses(&[]).await;
    let project = hooked(&receiver);
    project.write(
        ".crew/schedules.json",
        r#"{"schedules": [{"name": "often", "cron": "* * * * * *", "target_type": "employee", "target_name": "worker", "delivery": ["hook"]}]}"#,
    );
    let server = Server::start(&project, &[], &[]);
    let sent = server
        .until("/deliveries?status=delivered", |all| !all["deliveries"].as_array().unwrap().is_empty())
        .await;
    assert_eq!(sent["deliveries"][0]["type"], "webhook");
    assert_eq!(receiver.received()[0].json()["task_name"], "often");
}

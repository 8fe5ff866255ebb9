//! B1: the server. What other tests show is only named here: `tests/serve.rs` has B1.1 (open to the world), B1.3 (500 for
//! what cannot be read), B1.5 (bodies without a length) and B1.10 (a missing key was a success), `tests/limits.rs` B1.6
//! (memory of addresses, names of proxies), B1.17 (tokens in clear) and B1.19 (methods that pages may use),
//! `tests/webhook.rs` B1.2 (unsigned events), `tests/durability.rs` B1.9 (work lost at the end), `tests/stream.rs` B1.14.
//! Of B1.18 (a bridge to other machines) there is nothing here.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{FakeModel, Project, Receiver, Server, work};

fn start(project: &Project, fake: &FakeModel, more: &[(&str, &str)]) -> Server {
    let env: Vec<_> = fake.env().into_iter().chain(more.iter().copied()).collect();
    Server::start(project, &[], &env)
}

/// B1.4: a body was dropped in silence when its type said what letters it is written in.
#[tokio::test]
async fn b1_04_a_body_counts_whatever_its_type_adds() {
    let project = Project::small("echo");
    let server = Server::start(&project, &[], &[]);
    for kind in ["application/json; charset=utf-8", "application/json;charset=UTF-8", "Application/JSON"] {
        let body = json!({"args": {"topic": "茶"}, "sync": true}).to_string();
        let request = server.request(Method::POST, "/run/employee/writer").header("content-type", kind);
        let record = server.send(request.body(body)).await.status(200);
        assert!(record["result"]["output"].as_str().unwrap().contains("茶"), "{kind}");
    }
}

/// B1.7: fifty runs asked fifty times at once.
#[tokio::test]
async fn b1_07_many_runs_ask_few_at_a_time() {
    let mut fake = FakeModel::held(|prompt| Ok(work(prompt).to_owned())).await;
    let project = Project::small("claude-test");
    project.write(".crew/config.yaml", "max_concurrent: 2\n");
    let server = start(&project, &fake, &[]);
    let mut ids = Vec::new();
    for number in 0..8 {
        let order = json!({"args": {"topic": number.to_string()}});
        ids.push(server.accepted("/run/employee/writer", &order).await);
    }
    fake.asked().await;
    fake.asked().await;
    for answered in 0..6 {
        assert_eq!(fake.works().len(), 2 + answered, "nobody else is asked while two are");
        fake.release(1);
        fake.asked().await;
    }
    fake.release(2);
    for id in &ids {
        assert_eq!(server.ended(id).await["status"], "completed");
    }
}

/// B1.8: what took its time (prompts, folders of definitions, files, sending results) stopped everybody. Here neither the model
/// nor a receiver answers, there is a large folder to read again, and whoever asks gets answers.
#[tokio::test]
async fn b1_08_what_takes_its_time_keeps_nobody_waiting() {
    const QUICK: std::time::Duration = std::time::Duration::from_secs(10);
    let receiver = Receiver::held().await;
    let mut fake = FakeModel::held(|_| Ok(String::new())).await;
    let project = Project::small("claude-test");
    let hook = format!("{{type: webhook, url: '{}/x'}}", receiver.url);
    project.write(
        ".crew/config.yaml",
        &format!("outbound: {{allow: [127.0.0.1]}}\ndestinations: {{hook: {hook}}}\n"),
    );
    for number in 0..300 {
        let text =
            format!("---\nname: extra-{number}\ndescription: One of many\nmodel: echo\n---\n\nDo it.\n");
        project.write(&format!(".crew/employees/extra-{number}.md"), &text);
    }
    let server = start(&project, &fake, &[]);
    for number in 0..20 {
        let order = json!({"args": {"topic": number.to_string()}});
        server.accepted("/run/employee/writer", &order).await;
        server.accepted(&format!("/run/employee/extra-{number}"), &json!({"deliver": ["hook"]})).await;
    }
    fake.asked().await;
    let sending = |all: &Value| !all["deliveries"].as_array().unwrap().is_empty();
    server.until("/deliveries?status=sending", sending).await;
    project
        .write(".crew/employees/extra-0.md", "---\nname: extra-0\ndescription: Changed\n---\n\nDo that.\n");
    for path in ["/health", "/readyz", "/tasks", "/metrics", "/deliveries", "/cron/status"] {
        let answer = tokio::time::timeout(QUICK, server.get(path)).await;
        answer.unwrap_or_else(|_| panic!("{path} waits for others")).status(200);
    }
    // The model keeps its tasks; the others end, for all that waits.
    server.until("/tasks?status=running", |all| all["tasks"].as_array().unwrap().len() == 20).await;
    server.kill();
}

/// B1.10: what failed was told with 200.
#[tokio::test]
async fn b1_10_a_failure_has_the_status_of_one() {
    let fake = FakeModel::answering(|_| Err(400)).await;
    let project = Project::small("claude-test");
    let server = start(&project, &fake, &[]);
    let order = json!({"args": {"topic": "tea"}, "sync": true});
    let failed = server.post("/run/employee/writer", &order).await.status(502);
    assert_eq!(failed["status"], "failed");
    server.post("/run/employee/nobody", &order).await.problem(404, "not-found");
    server.post("/run/pipeline/nothing", &json!({"sync": true})).await.problem(404, "not-found");
}

/// B1.11: the id of an agent became part of a path on another server, with the token of this one.
#[tokio::test]
async fn b1_11_the_id_of_an_agent_is_digits() {
    let project = Project::small("echo");
    let server = Server::start(&project, &[], &[]);
    for id in [json!("../admin?x="), json!("1/../2"), json!("１"), json!(-1), json!(1.5), json!(["1"])] {
        let order = json!({"args": {"topic": "tea"}, "agent_id": id});
        server.post("/run/employee/writer", &order).await.problem(422, "invalid-arguments");
    }
    assert!(server.tasks().await.is_empty());
    let order = json!({"args": {"topic": "tea"}, "agent_id": "42"});
    server.accepted("/run/employee/writer", &order).await;
}

/// B1.12: ids of tasks could be guessed.
#[tokio::test]
async fn b1_12_nobody_guesses_the_id_of_a_task() {
    let project = Project::small("echo");
    let server = Server::start(&project, &[], &[]);
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..4 {
        let id = server.accepted("/run/employee/writer", &json!({"args": {"topic": "tea"}})).await;
        let (_, random) = id.rsplit_once('-').unwrap();
        assert!(random.len() == 32 && random.bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}");
        assert!(seen.insert(random.to_owned()), "{id}");
    }
}

/// B1.13: whoever waited for a silent model waited for as long as that was silent.
#[tokio::test]
async fn b1_13_nobody_waits_longer_than_a_request_may_take() {
    let fake = FakeModel::held(|prompt| Ok(work(prompt).to_owned())).await;
    let project = Project::small("claude-test");
    let server = start(&project, &fake, &[("CREW_REQUEST_TIMEOUT_SECONDS", "1")]);
    let order = json!({"args": {"topic": "tea"}, "sync": true});
    let waits = server.post("/run/employee/writer", &order).await;
    let location = waits.header("location").unwrap().to_owned();
    assert_eq!(waits.status(202)["status"], "running");
    // It goes on without its caller.
    fake.release(1);
    let ended = server.until(&location, |task: &Value| task["status"] == "completed").await;
    assert_eq!(ended["task_id"].as_str(), location.strip_prefix("/tasks/"));
}

/// B1.15 and B1.16: there were ways around what a token may do, and callers said themselves who they were.
#[tokio::test]
async fn b1_15_no_way_leads_around_a_scope_and_nobody_says_who_they_are() {
    const PIPELINE: &str =
        "name: p\ndescription: One step\nsteps:\n  - {employee: writer, args: {topic: tea}}\n";
    const TOKENS: &str = "tokens:\n  - {name: viewer, token: \"${VIEWER}\", scopes: [read]}\n  - {name: ci, token: \"${CI}\", scopes: [run]}\n";
    let project = Project::small("echo");
    project.write(".crew/pipelines/p.yaml", PIPELINE);
    project.write("tokens.yaml", TOKENS);
    let env = [("VIEWER", "view"), ("CI", "ci")];
    let server = Server::start(&project, &["--tokens-file", "tokens.yaml", "--rate-limit", "0"], &env);
    let post = async |token: &str, path: &str, body: Value| {
        let request = server.request(Method::POST, path).bearer_auth(token);
        server.send(request.header("x-user-id", "admin").json(&body)).await
    };
    for (path, body) in [
        ("/run/pipeline/p", json!({})),
        ("/webhook", json!({"target_type": "pipeline", "target_name": "p"})),
        ("/webhook/openclaw", json!({"target_name": "writer", "args": {"topic": "tea"}})),
        ("/api/tools/run_pipeline", json!({"name": "p", "execute": true})),
    ] {
        post("view", path, body).await.problem(403, "denied");
    }
    let record = post("ci", "/run/pipeline/p", json!({"sync": true})).await.status(200);
    assert_eq!(record["caller"], "ci");
    let claims = server.request(Method::GET, "/tasks?user_id=admin").bearer_auth("ci");
    server.send(claims).await.problem(422, "invalid-arguments");
    let said = post("ci", "/run/pipeline/p", json!({"user_id": "admin"})).await;
    said.problem(422, "invalid-arguments");
}

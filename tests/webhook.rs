//! Deliveries of GitHub, as GitHub sends them.

use std::fs;

use reqwest::{Method, RequestBuilder, header::HeaderValue};
use serde_json::{Value, json};

use crate::support::{FakeModel, Project, Server, github_signature, patiently, work};

const SECRET: &str = "It's a Secret to Everybody";
const SIGNATURE: &str = "x-hub-signature-256";

/// What deliveries start in the small project.
const ROUTES: &str = r#"
github_secret: ${HOOK_SECRET}
routes:
  - event: push
    target:
      type: employee
      name: writer
      args:
        topic: "{{head_commit.message}} by {{pusher.name}}"
  - event: issues
    action: opened
    target:
      type: pipeline
      name: triage
      args:
        issue: "{{issue.title}}"
  - event: release
    target:
      type: employee
      name: writer
      args:
        topic: "{{release.name}} {{nobody.knows}}"
"#;

const TRIAGE: &str = "
name: triage
description: Reads an issue
steps:
  - employee: writer
    args: {topic: 'issue: $issue'}
";

fn small() -> Project {
    let project = Project::small("claude-test");
    project.write(".crew/webhook.yaml", ROUTES);
    project.write(".crew/pipelines/triage.yaml", TRIAGE);
    project
}

fn start(project: &Project, fake: &FakeModel) -> Server {
    let env: Vec<_> = fake.env().into_iter().chain([("HOOK_SECRET", SECRET)]).collect();
    Server::start(project, &[], &env)
}

fn payload(name: &str) -> Vec<u8> {
    fs::read(format!("{}/tests/fixtures/github/{name}.json", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

/// A delivery as GitHub sends it, without its signature.
fn unsigned(server: &Server, event: &str, id: &str, body: &[u8]) -> RequestBuilder {
    server
        .request(Method::POST, "/webhook/github")
        .header("content-type", "application/json")
        .header("user-agent", "GitHub-Hookshot/044aadd")
        .header("x-github-event", event)
        .header("x-github-delivery", id)
        .body(body.to_vec())
}

fn signed(server: &Server, secret: &str, event: &str, id: &str, body: &[u8]) -> RequestBuilder {
    unsigned(server, event, id, body).header(SIGNATURE, github_signature(secret, body))
}

async fn none(fake: &FakeModel, server: &Server) {
    assert_eq!(server.tasks().await, Vec::<Value>::new());
    assert_eq!(fake.works(), Vec::<String>::new());
}

#[tokio::test]
async fn a_push_starts_its_route_once() {
    let fake = FakeModel::answering(|_| Ok("fine".into())).await;
    let project = small();
    let server = start(&project, &fake);
    let push = payload("push");
    let first = server.send(signed(&server, SECRET, "push", "72d3162e", &push)).await;
    let location = first.header("location").unwrap().to_owned();
    let first = first.status(202);
    let id = first["task_id"].as_str().unwrap();
    assert_eq!((first["status"].as_str(), location), (Some("pending"), format!("/tasks/{id}")));
    let task = server.ended(id).await;
    assert_eq!((&task["status"], &task["trigger"]), (&json!("completed"), &json!("github")), "{task}");
    assert_eq!(task["target_name"], "writer");
    assert_eq!(fake.works(), ["Initial commit by Codertocat"]);

    let again = server.send(signed(&server, SECRET, "push", "72d3162e", &push)).await.status(200);
    assert_eq!(again, json!({"task_id": id, "status": "completed", "duplicate": true}));
    server.kill();

    let server = start(&project, &fake);
    let again = server.send(signed(&server, SECRET, "push", "72d3162e", &push)).await.status(200);
    assert_eq!((&again["task_id"], &again["duplicate"]), (&json!(id), &json!(true)));
    assert_eq!((server.tasks().await.len(), fake.works().len()), (1, 1));
    let other = server.send(signed(&server, SECRET, "push", "another", &push)).await.status(202);
    assert_ne!(other["task_id"], id);
}

#[tokio::test]
async fn the_sample_project_answers_a_pull_request() {
    let project = Project::sample();
    let server = Server::start(&project, &[], &[("GITHUB_WEBHOOK_SECRET", SECRET)]);
    let opened = payload("pull_request.opened");
    let accepted = server.send(signed(&server, SECRET, "pull_request", "1", &opened)).await.status(202);
    let task = server.ended(accepted["task_id"].as_str().unwrap()).await;
    assert_eq!(
        (&task["status"], &task["target_name"]),
        (&json!("completed"), &json!("full-review")),
        "{task}"
    );
    let title = "Pull request #2 of Codertocat/Hello-World: Update the README with new information.";
    assert_eq!(task["args"], json!({"target": title}));
    assert_eq!(task["steps"].as_array().unwrap().len(), 4);
    let summary = task["result"]["steps"][1]["args"]["changes"].as_str().unwrap();
    assert!(summary.matches(title).count() == 3, "{summary}");
    assert!(!project.path().join(".crew/webhook-secret").try_exists().unwrap());
}

#[tokio::test]
async fn without_a_secret_a_stand_in_is_made_for_this_machine() {
    let project = Project::sample();
    let server = Server::start(&project, &[], &[]);
    let secret = project.read(".crew/webhook-secret");
    assert_eq!(secret.trim().len(), 64);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = fs::metadata(project.path().join(".crew/webhook-secret")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    assert!(!server.log().contains(secret.trim()));
    let opened = payload("pull_request.opened");
    let wrong = server.send(signed(&server, SECRET, "pull_request", "1", &opened)).await;
    wrong.problem(401, "invalid-signature");
    server.send(signed(&server, secret.trim(), "pull_request", "1", &opened)).await.status(202);
    server.kill();

    let server = Server::start(&project, &[], &[]);
    assert_eq!(project.read(".crew/webhook-secret"), secret, "it stays the same");
    let again = server.send(signed(&server, secret.trim(), "pull_request", "1", &opened)).await.status(200);
    assert_eq!(again["duplicate"], true);
}

#[tokio::test]
async fn only_a_genuine_delivery_is_looked_at() {
    let fake = FakeModel::answering(|_| Ok("fine".into())).await;
    let project = small();
    let server = start(&project, &fake);
    let push = payload("push");
    let good = github_signature(SECRET, &push);
    let digits = good.strip_prefix("sha256=").unwrap();
    let bad = [
        String::new(),
        "sha256=".to_owned(),
        digits.to_owned(),
        format!("sha1={digits}"),
        format!("sha256={}", "0".repeat(64)),
        format!("sha256={}", &digits[..62]),
        format!("{good}00"),
        "sha256=签名".to_owned(),
        github_signature("another secret", &push),
        github_signature(SECRET, b"another body"),
    ];
    server.send(unsigned(&server, "push", "1", &push)).await.problem(401, "invalid-signature");
    for signature in bad {
        let value = HeaderValue::from_bytes(signature.as_bytes()).unwrap();
        let refused = server.send(unsigned(&server, "push", "1", &push).header(SIGNATURE, value)).await;
        refused.problem(401, "invalid-signature");
    }
    let twice = signed(&server, SECRET, "push", "1", &push).header(SIGNATURE, &good);
    server.send(twice).await.problem(401, "invalid-signature");
    let broken = unsigned(&server, "push", "1", b"{").header(SIGNATURE, &good);
    server.send(broken).await.problem(401, "invalid-signature");
    none(&fake, &server).await;

    let upper = format!("sha256={}", digits.to_uppercase());
    server.send(unsigned(&server, "push", "1", &push).header(SIGNATURE, upper)).await.status(202);
}

#[tokio::test]
async fn what_starts_nothing_is_answered_all_the_same() {
    let fake = FakeModel::answering(|_| Ok("fine".into())).await;
    let project = small();
    let server = start(&project, &fake);
    let send = |event: &'static str, body: Vec<u8>| {
        let request = signed(&server, SECRET, event, "1", &body);
        server.send(request)
    };
    assert_eq!(send("ping", payload("ping")).await.status(200), json!({"message": "pong"}));
    let none_fits = json!({"message": "no matching route", "event": "pull_request"});
    assert_eq!(send("pull_request", payload("pull_request.opened")).await.status(200), none_fits);
    let closed = br#"{"action":"closed","issue":{"title":"x"}}"#.to_vec();
    assert_eq!(send("issues", closed).await.status(200)["message"], "no matching route");
    none(&fake, &server).await;

    let project = Project::sample();
    let server = Server::start(&project, &[], &[("GITHUB_WEBHOOK_SECRET", SECRET)]);
    // The route is for `main`; this one went to `master`.
    let push = signed(&server, SECRET, "push", "1", &payload("push"));
    assert_eq!(server.send(push).await.status(200), json!({"message": "no matching route", "event": "push"}));
}

#[tokio::test]
async fn a_delivery_that_cannot_be_read_is_refused() {
    let fake = FakeModel::answering(|_| Ok("fine".into())).await;
    let project = small();
    let server = start(&project, &fake);
    let send = |event: &'static str, body: &'static str| {
        server.send(signed(&server, SECRET, event, "1", body.as_bytes()))
    };
    send("push", "{\"ref\":").await.problem(400, "invalid-json");
    send("push", "").await.problem(400, "invalid-json");
    send("push", "[]").await.problem(400, "invalid-request");
    let bare = |body: Vec<u8>| {
        let signature = github_signature(SECRET, &body);
        server.request(Method::POST, "/webhook/github").header(SIGNATURE, signature).body(body)
    };
    let text = server.send(bare(payload("push"))).await.problem(400, "invalid-request");
    assert!(text.contains("X-GitHub-Event"), "{text}");
    let without_id = bare(payload("push")).header("x-github-event", "push");
    let text = server.send(without_id).await.problem(400, "invalid-request");
    assert!(text.contains("X-GitHub-Delivery"), "{text}");
    none(&fake, &server).await;
}

#[tokio::test]
async fn a_place_that_the_delivery_does_not_have_is_named() {
    let fake = FakeModel::answering(|_| Ok("fine".into())).await;
    let project = small();
    let server = start(&project, &fake);
    let body = br#"{"release":{"name":"1.0"}}"#;
    let text =
        server.send(signed(&server, SECRET, "release", "1", body)).await.problem(422, "invalid-arguments");
    assert!(text.contains("`nobody.knows`") && !text.contains("release.name"), "{text}");
    none(&fake, &server).await;
}

#[tokio::test]
async fn a_form_is_as_good_as_json() {
    let fake = FakeModel::answering(|_| Ok("fine".into())).await;
    let project = small();
    let server = start(&project, &fake);
    let text = String::from_utf8(payload("push")).unwrap();
    let form = form_urlencoded::Serializer::new(String::new()).append_pair("payload", &text).finish();
    let send = |body: String| {
        let request = server
            .request(Method::POST, "/webhook/github")
            .header("content-type", "application/x-www-form-urlencoded")
            .header("x-github-event", "push")
            .header("x-github-delivery", "1")
            .header(SIGNATURE, github_signature(SECRET, body.as_bytes()));
        server.send(request.body(body))
    };
    let accepted = send(form).await.status(202);
    server.ended(accepted["task_id"].as_str().unwrap()).await;
    assert_eq!(fake.works(), ["Initial commit by Codertocat"]);
    send("nothing=1".to_owned()).await.problem(400, "invalid-request");
    send("payload=%7B".to_owned()).await.problem(400, "invalid-json");
}

#[tokio::test]
async fn the_words_of_strangers_reach_the_prompt_as_they_are() {
    let fake = FakeModel::answering(|_| Ok("fine".into())).await;
    let project = small();
    let server = start(&project, &fake);
    let words = "{date} $topic ${issue} $x {{after}} {prev} {steps.0.output} $1 $@ \"引号\"";
    let push = json!({"after": "abc", "head_commit": {"message": words}, "pusher": {"name": "{{after}}"}});
    let issue = json!({"action": "opened", "issue": {"title": words}});
    for (event, body) in [("push", push), ("issues", issue)] {
        let body = body.to_string();
        let accepted = server.send(signed(&server, SECRET, event, event, body.as_bytes())).await.status(202);
        let task = server.ended(accepted["task_id"].as_str().unwrap()).await;
        assert_eq!(task["status"], "completed", "{task}");
    }
    assert_eq!(fake.works(), [format!("{words} by {{{{after}}}}"), format!("issue: {words}")]);
}

#[tokio::test]
async fn a_delivery_that_comes_twenty_times_at_once_is_one_task() {
    let fake = FakeModel::answering(|prompt| Ok(work(prompt).to_owned())).await;
    let project = small();
    let server = start(&project, &fake);
    let push = payload("push");
    let all = (0..20).map(|_| server.send(signed(&server, SECRET, "push", "same", &push)));
    let replies = futures_util::future::join_all(all).await;
    let fresh = replies.iter().filter(|reply| reply.status == 202).count();
    let known = replies.iter().filter(|reply| reply.status == 200).count();
    assert_eq!((fresh, known), (1, 19));
    let id = replies[0].json()["task_id"].as_str().unwrap().to_owned();
    assert!(replies.iter().all(|reply| reply.json()["task_id"] == id));
    assert_eq!(server.ended(&id).await["status"], "completed");
    assert_eq!((server.tasks().await.len(), fake.works().len()), (1, 1));
}

#[tokio::test]
async fn routes_that_change_are_taken_over() {
    let fake = FakeModel::answering(|_| Ok("fine".into())).await;
    let project = small();
    let server = start(&project, &fake);
    project.write(".crew/webhook.yaml", &ROUTES.replace("event: push", "event: fork"));
    let mut asked = 0;
    let push = payload("push");
    let answer = patiently(async || {
        asked += 1;
        let request = signed(&server, SECRET, "push", &format!("push-{asked}"), &push);
        let reply = server.send(request).await;
        (reply.status == 200).then(|| reply.json())
    })
    .await;
    assert_eq!(answer["message"], "no matching route");
}

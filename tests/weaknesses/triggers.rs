//! B2 and B3: webhooks and schedules. What `tests/webhook.rs` and the tests beside `engine::schedule` show is only named
//! here: B2.1 (a delivery that is repeated), B2.3 (JSON), B2.6 (signatures that are no text); B3.1 (zones), B3.3 (storms),
//! B3.4 (what was missed).

use reqwest::Method;
use serde_json::{Value, json};

use super::codes;
use crate::support::{FakeModel, Project, Server, github_signature, patiently, webhook_signature, work};

const SECRET: &str = "It's a Secret to Everybody";
const STANDARD: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

fn small(files: &[(&str, &str)]) -> Project {
    let project = Project::small("claude-test");
    for (name, text) in files {
        project.write(name, text);
    }
    project
}

fn start(project: &Project, fake: &FakeModel, extra: &[&str]) -> Server {
    let secrets = [("HOOK_SECRET", SECRET), ("STANDARD", STANDARD)];
    let env: Vec<_> = fake.env().into_iter().chain(secrets).collect();
    Server::start(project, extra, &env)
}

async fn deliver(server: &Server, event: &str, id: &str, payload: &Value) -> Value {
    let body = payload.to_string();
    let request = server
        .request(Method::POST, "/webhook/github")
        .header("x-github-event", event)
        .header("x-github-delivery", id)
        .header("x-hub-signature-256", github_signature(SECRET, body.as_bytes()));
    let reply = server.send(request.body(body)).await;
    assert!(reply.status.is_success(), "{}", reply.text);
    reply.json()
}

const ROUTES: &str = r#"
github_secret: ${HOOK_SECRET}
routes:
  - event: pull_request
    action: [opened, synchronize]
    sender: "!*[bot]"
    supersede: true
    target:
      type: employee
      name: writer
      args: {topic: '{{pull_request.head.sha}} {{pull_request.body | default("no body")}}'}
  - {event: issues, on_missing: skip, target: {type: employee, name: writer, args: {topic: "{{issue.title}}"}}}
  - {event: "*", on_missing: empty, target: {type: employee, name: checker, args: {text: "<{{nobody.knows}}>"}}}
"#;

fn pull(number: u64, sha: &str, minute: u64, sender: &str) -> Value {
    let at = format!("2026-11-25T09:{minute:02}:00Z");
    let pull = json!({"number": number, "updated_at": at, "body": null, "head": {"sha": sha}});
    let repository = json!({"full_name": "octo/repo"});
    json!({"action": "synchronize", "pull_request": pull, "repository": repository, "sender": {"login": sender}})
}

/// B2.4: of deliveries about one pull request the newest counts, whatever order they come in.
#[tokio::test]
async fn b2_04_a_newer_push_takes_the_place_of_an_older_one() {
    let mut fake = FakeModel::held(|prompt| Ok(work(prompt).to_owned())).await;
    let project = small(&[(".crew/webhook.yaml", ROUTES)]);
    let server = start(&project, &fake, &[]);
    let first = deliver(&server, "pull_request", "1", &pull(7, "aaa", 1, "octocat")).await;
    let other = deliver(&server, "pull_request", "2", &pull(8, "bbb", 1, "octocat")).await;
    fake.asked().await;
    fake.asked().await;
    let second = deliver(&server, "pull_request", "3", &pull(7, "ccc", 3, "octocat")).await;
    let late = deliver(&server, "pull_request", "4", &pull(7, "old", 2, "octocat")).await;
    assert_eq!(
        (&late["message"], &late["task_id"]),
        (&json!("superseded by a newer delivery"), &second["task_id"])
    );
    let robot = deliver(&server, "pull_request", "5", &pull(7, "ddd", 4, "renovate[bot]")).await;
    fake.release(10);
    let status =
        async |answer: &Value| server.ended(answer["task_id"].as_str().unwrap()).await["status"].clone();
    assert_eq!(status(&first).await, "cancelled");
    assert_eq!(status(&other).await, "completed");
    assert_eq!(status(&second).await, "completed");
    // It is for nobody but the route for everything.
    assert_eq!(server.ended(robot["task_id"].as_str().unwrap()).await["target_name"], "checker");
    let mut works = fake.works();
    works.sort();
    assert_eq!(works, ["<>", "aaa no body", "bbb no body", "ccc no body"]);
}

/// B2.2: what a delivery lacks never reaches a model as a place that was not filled.
#[tokio::test]
async fn b2_02_what_is_missing_is_as_the_route_says() {
    let fake = FakeModel::answering(|_| Ok("fine".into())).await;
    let project = small(&[(".crew/webhook.yaml", ROUTES)]);
    let server = start(&project, &fake, &[]);
    let skipped = deliver(&server, "issues", "1", &json!({"action": "opened"})).await;
    assert!(skipped["message"].as_str().unwrap().contains("lacks"), "{skipped}");
    let empty = deliver(&server, "star", "2", &json!({})).await;
    assert_eq!(server.ended(empty["task_id"].as_str().unwrap()).await["args"], json!({"text": "<>"}));
}

/// B2.5: targets and values are checked when the file is read, and a mistake in it stops nothing that ran well.
#[tokio::test]
async fn b2_05_a_mistake_in_the_routes_keeps_the_last_good_ones() {
    let fake = FakeModel::answering(|_| Ok("fine".into())).await;
    let project = small(&[(".crew/webhook.yaml", ROUTES)]);
    let server = start(&project, &fake, &[]);
    deliver(&server, "star", "1", &json!({})).await;
    project.write(".crew/webhook.yaml", &ROUTES.replace("github_secret", "githubsecret"));
    patiently(async || server.log().contains("definitions were read again").then_some(())).await;
    assert_eq!(deliver(&server, "star", "2", &json!({})).await["status"], "pending");
    assert_eq!(codes(&project), ["unknown-field"]);
    let wrong = ROUTES.replace("name: checker, args: {text:", "name: checker, args: {txt:");
    project.write(".crew/webhook.yaml", &wrong.replace("name: writer\n", "name: writr\n"));
    let mut found = codes(&project);
    found.sort();
    assert_eq!(found, ["missing-arg", "unknown-arg", "unknown-target"]);
}

/// B1.3, B1.10: what the generic webhooks are told is looked at before anything is accepted.
#[tokio::test]
async fn b1_10_a_generic_webhook_is_refused_in_words() {
    let fake = FakeModel::answering(|prompt| Ok(work(prompt).to_owned())).await;
    let project = small(&[]);
    let server = start(&project, &fake, &[]);
    for path in ["/webhook", "/webhook/openclaw"] {
        let refused =
            async |body: Value, status: u16, code: &str| server.post(path, &body).await.problem(status, code);
        assert_eq!(refused(json!({}), 400, "invalid-request").await, "missing target_name");
        assert_eq!(refused(json!({"target_name": " "}), 400, "invalid-request").await, "missing target_name");
        refused(json!({"target_name": 7}), 400, "invalid-request").await;
        let robot = json!({"target_type": "robot", "target_name": "x", "sync": true});
        assert!(refused(robot, 400, "unknown-target-type").await.contains("robot"));
        let nobody = json!({"target_type": "employee", "target_name": "writr", "args": {"topic": "x"}});
        assert!(refused(nobody, 404, "not-found").await.contains("writer"));
        refused(
            json!({"target_type": "employee", "target_name": "writer", "args": [1]}),
            422,
            "invalid-arguments",
        )
        .await;
        refused(
            json!({"target_type": "employee", "target_name": "writer", "argss": {}}),
            422,
            "invalid-arguments",
        )
        .await;
        let body = json!({"target_type": "employee", "target_name": "writer", "args": {"topic": path}, "session": 1});
        let ended = server.post(path, &json!({"sync": true, "target_type": "employee", "target_name": "writer", "args": {"topic": path}})).await;
        assert_eq!(ended.status(200)["result"]["output"], path);
        let keyed = || server.request(Method::POST, path).json(&body).header("idempotency-key", path);
        let first = server.send(keyed()).await.status(202);
        let again = server.send(keyed()).await.status(200);
        assert_eq!((&again["task_id"], &again["duplicate"]), (&first["task_id"], &json!(true)));
    }
    server.send(server.request(Method::POST, "/webhook").body("{")).await.problem(400, "invalid-json");
    server.send(server.request(Method::POST, "/webhook").body("[]")).await.problem(400, "invalid-request");
}

/// A call that carries the signature of Standard Webhooks needs no token, and counts once.
#[tokio::test]
async fn a_signed_webhook_needs_no_token() {
    let fake = FakeModel::answering(|prompt| Ok(work(prompt).to_owned())).await;
    let project = small(&[(".crew/webhook.yaml", "webhook_secret: ${STANDARD}\n")]);
    let server = start(&project, &fake, &["--token", "tok-123"]);
    let body =
        json!({"target_type": "employee", "target_name": "writer", "args": {"topic": "x"}}).to_string();
    let send = async |server: &Server, id: &str, secret: &str, body: &str| {
        let (time, signature) = webhook_signature(secret, id, body);
        let request = server.request(Method::POST, "/webhook").header("content-type", "application/json");
        let request = request.header("webhook-id", id).header("webhook-timestamp", time);
        server.send(request.header("webhook-signature", signature).body(body.to_owned())).await
    };
    let unsigned = server.request(Method::POST, "/webhook").body(body.clone());
    server.send(unsigned).await.problem(401, "unauthorized");
    send(&server, "msg_1", "whsec_AAAA", &body).await.problem(401, "invalid-signature");
    let elsewhere = server.request(Method::POST, "/run/employee/writer").header("webhook-signature", "v1,x");
    server.send(elsewhere).await.problem(401, "unauthorized");
    let first = send(&server, "msg_1", STANDARD, &body).await.status(202);
    let again = send(&server, "msg_1", STANDARD, &body).await.status(200);
    assert_eq!((&again["task_id"], &again["duplicate"]), (&first["task_id"], &json!(true)));
    server.kill();

    let server = start(&project, &fake, &["--token", "tok-123"]);
    assert_eq!(send(&server, "msg_1", STANDARD, &body).await.status(200)["task_id"], first["task_id"]);
    drop(server);
    // Without a secret to verify it with, nothing signed is taken.
    project.write(".crew/webhook.yaml", "routes: []\n");
    let server = start(&project, &fake, &["--token", "tok-123"]);
    send(&server, "msg_2", STANDARD, &body).await.problem(401, "invalid-signature");
}

const EVERY_SECOND: &str = "timezone: Asia/Shanghai\nschedules:\n- {name: 每秒, cron: '* * * * * *', overlap: skip, \
                            timeout_seconds: 30, target_type: employee, target_name: writer, args: {topic: tick}}\n";

/// B3.4, B3.5: what runs and how it ended is known, also after the process died, and one process watches the clock.
#[tokio::test]
async fn b3_04_schedules_run_and_are_accounted_for() {
    let fake = FakeModel::answering(|_| Ok("fine".into())).await;
    let project = small(&[(".crew/cron.yaml", EVERY_SECOND)]);
    let server = start(&project, &fake, &[]);
    let ended = |status: &Value| status["schedules"][0]["last_status"] == "completed";
    let status = server.until("/cron/status", ended).await;
    let row = &status["schedules"][0];
    assert_eq!(
        (&row["name"], &row["timezone"], &row["last_error"]),
        (&json!("每秒"), &json!("Asia/Shanghai"), &Value::Null)
    );
    assert!(
        row["last_duration_ms"].is_u64() && row["last_run"].as_str().unwrap().ends_with("+08:00"),
        "{row}"
    );
    let second = project.run(["serve", "--port", "0"]);
    assert!(second.status(1).contains("tasks"));
    let task = server.get(&format!("/tasks/{}", row["last_task_id"].as_str().unwrap())).await.status(200);
    assert_eq!((&task["trigger"], &task["caller"]), (&json!("cron"), &json!("schedule 每秒")));
    server.kill();
    let kept: Value = serde_json::from_str(&project.read(".crew/cron-state.json")).unwrap();
    assert!(kept["schedules"]["每秒"]["until"].is_string(), "{kept}");

    // What was added to the file is noticed at once, and the rest goes on.
    let server = start(&project, &fake, &[]);
    let more = format!(
        "{EVERY_SECOND}- {{name: later, cron: '0 9 29 2 *', target_type: employee, target_name: writer, args: {{topic: x}}}}\n"
    );
    project.write(".crew/cron.yaml", &more);
    let status =
        server.until("/cron/status", |status| status["schedules"].as_array().unwrap().len() == 2).await;
    assert!(status["schedules"][0]["last_run"].is_string(), "{status}");
    assert!(status["schedules"][1]["next_run"].as_str().unwrap().contains("-02-29T09:00:00"), "{status}");
    project.write(".crew/cron.yaml", &more.replace("29 2", "31 2"));
    let status = server.until("/cron/status", |status| status["unusable"].is_array()).await;
    assert_eq!(
        (&status["unusable"], &status["schedules"].as_array().unwrap().len()),
        (&json!([".crew/cron.yaml"]), &2)
    );
}

/// B3.2, B3.6: what can never run, or not as it is written, is told before anything is served.
#[test]
fn b3_06_schedules_are_checked_when_they_are_read() {
    let file = "schedules:\n- {name: a, cron: '0 9 31 2 *', target_type: employee, target_name: writer}\n\
                - {name: b, cron: '@daily', target_type: employee, target_name: writer}\n\
                - {name: b, cron: '@daily', target_type: pipeline, target_name: nothing}\n";
    let project = small(&[(".crew/cron.yaml", file)]);
    assert_eq!(codes(&project), ["invalid-cron", "duplicate-schedule"]);
    project.write(
        ".crew/cron.yaml",
        &file
            .replace("31 2", "28 2")
            .replace("name: b, cron: '@daily', target_type: p", "name: c, cron: '@daily', target_type: p"),
    );
    assert_eq!(codes(&project), ["missing-arg", "missing-arg", "unknown-target"]);
}

/// What the clock will do can be looked at, and tried, without a server.
#[tokio::test]
async fn the_command_line_shows_and_runs_schedules() {
    let file = "timezone: UTC\nschedules:\n- {name: 周报, cron: '0 9 * * MON', target_type: employee, target_name: writer, args: {topic: 茶}}\n\
                - {name: off, cron: '@daily', enabled: false, target_type: employee, target_name: writer, args: {topic: x}}\n";
    let project = small(&[(".crew/cron.yaml", file)]);
    let table = project.run(["cron", "list"]).success();
    let lines: Vec<_> = table.lines().collect();
    // A Chinese character is as wide as two letters.
    let column = |line: &str, word: &str| {
        let before = &line[..line.find(word).unwrap()];
        before.chars().map(|letter| if letter.is_ascii() { 1 } else { 2 }).sum::<usize>()
    };
    assert_eq!(column(lines[1], "0 9 * * MON"), column(lines[2], "@daily"), "{table}");
    assert!(lines[2].contains("off"), "{table}");
    let preview = super::json(project.run(["cron", "preview", "周报", "-n", "3", "--json"]));
    let next = preview[0]["next"].as_array().unwrap();
    assert_eq!((preview.as_array().unwrap().len(), next.len()), (1, 3));
    assert!(next.iter().all(|next| next.as_str().unwrap().ends_with("T09:00:00+00:00")), "{preview}");
    assert!(project.run(["cron", "preview", "周刊"]).status(1).contains("周报"));
    let listed = super::json(project.run(["cron", "list", "--json"]));
    assert_eq!(
        (&listed["schedules"][1]["enabled"], &listed["schedules"][0]["last_run"]),
        (&json!(false), &Value::Null)
    );
    let left: Vec<_> =
        project.tree().into_keys().filter(|path| path.to_string_lossy().contains("cron-state")).collect();
    assert!(left.is_empty(), "looking leaves nothing behind");
    let fake = FakeModel::answering(|prompt| Ok(work(prompt).to_owned())).await;
    assert_eq!(project.run_in(&fake.env(), ["cron", "run", "周报"]).success().trim_end(), "茶");
    let listed = super::json(project.run(["cron", "list", "--json"]));
    let ran = &listed["schedules"][0];
    assert!(ran["last_run"].is_string() && ran["last_status"] == "completed", "{listed}");
    assert_eq!(listed["schedules"][1]["last_run"], Value::Null);
}

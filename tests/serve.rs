//! The server, as a script with `curl` and an operator see it.

use reqwest::{Method, header::HeaderValue};
use serde_json::{Value, json};

use crate::support::{FakeModel, Project, Server, patiently, work};

const TOKEN: &str = "s3cret-tökens";
/// Most bytes of a body.
const LIMIT: usize = 1 << 20;

/// Paths of every kind that are not open to strangers.
const CLOSED: [(Method, &str); 8] = [
    (Method::GET, "/metrics"),
    (Method::GET, "/tasks"),
    (Method::GET, "/tasks/20260211-120000-11111111"),
    (Method::GET, "/cron/status"),
    (Method::POST, "/run/employee/writer"),
    (Method::POST, "/run/pipeline/none"),
    (Method::POST, "/mcp"),
    (Method::GET, "/no/such/path"),
];

fn small() -> (Project, Server) {
    let project = Project::small("echo");
    let server = Server::start(&project, &[], &[]);
    (project, server)
}

/// A body of exactly `size` bytes that runs `writer`.
fn order(size: usize) -> Vec<u8> {
    let mut body = br#"{"args":{"topic":"tea"}"#.to_vec();
    body.resize(size - 1, b' ');
    body.push(b'}');
    body
}

/// `body` as chunks.
fn chunked(body: &[u8]) -> Vec<u8> {
    let mut chunks = Vec::new();
    for chunk in body.chunks(60_000) {
        chunks.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        chunks.extend_from_slice(chunk);
        chunks.extend_from_slice(b"\r\n");
    }
    chunks.extend_from_slice(b"0\r\n\r\n");
    chunks
}

#[tokio::test]
async fn health_is_told_in_the_same_bytes_as_ever() {
    let (_project, server) = small();
    let health = server.get("/health").await;
    assert_eq!(health.text, r#"{"status":"ok","service":"crew-webhook"}"#);
    assert_eq!(health.status, 200);
    assert_eq!(health.header("content-type"), Some("application/json"));
    assert_eq!(health.header("x-trace-id").unwrap().len(), 32);
}

#[tokio::test]
async fn nobody_gets_in_without_the_token() {
    let project = Project::small("echo");
    let server = Server::start(
        &project,
        &["--rate-limit", "0", "--trusted-proxy", "127.0.0.1"],
        &[("CREW_API_TOKEN", TOKEN)],
    );
    let wrong = [
        None,
        Some("Bearer wrong".as_bytes()),
        Some("Bearer".as_bytes()),
        Some(TOKEN.as_bytes()),
        Some("Basic s3cret-tökens".as_bytes()),
        Some("Bearer s3cret-tökens2".as_bytes()),
        Some("Bearer 密码".as_bytes()),
        Some(b"Bearer \xff\xfe"),
    ];
    for (number, (method, path)) in CLOSED.into_iter().enumerate() {
        // Each path is tried from elsewhere: who tries many tokens is not listened to.
        let from = format!("192.0.2.{number}");
        for offered in wrong {
            let mut request = server.request(method.clone(), path).header("x-forwarded-for", &from);
            if let Some(offered) = offered {
                request = request.header("authorization", HeaderValue::from_bytes(offered).unwrap());
            }
            let reply = server.send(request).await;
            assert!(reply.header("www-authenticate").unwrap().starts_with("Bearer"), "{path}");
            assert_eq!(reply.problem(401, "unauthorized"), "unauthorized");
        }
    }
    let bearer = HeaderValue::from_bytes(format!("Bearer {TOKEN}").as_bytes()).unwrap();
    for (method, path) in CLOSED {
        let request = server.request(method, path).header("authorization", bearer.clone());
        assert_ne!(server.send(request).await.status, 401, "{path}");
    }
    let metrics = server.request(Method::GET, "/metrics").header("authorization", bearer);
    assert_eq!(server.send(metrics).await.status, 200);
    assert!(!server.log().contains(TOKEN));
}

#[tokio::test]
async fn health_and_deliveries_need_no_token() {
    let project = Project::small("echo");
    let server = Server::start(&project, &["--token", "t"], &[]);
    server.get("/health").await.status(200);
    let refused = server.post("/webhook/github", &json!({})).await;
    refused.problem(403, "webhook-not-configured");
    for near in ["/health/", "/webhook/github/", "/webhook", "//health"] {
        assert_eq!(server.get(near).await.status, 401, "{near}");
    }
}

#[tokio::test]
async fn the_token_may_come_from_several_places() {
    let both = [("CREW_API_TOKEN", "a"), ("KNOWLYR_CREW_API_TOKEN", "a")];
    let starts = [
        ("a", [].as_slice(), &both[..1]),
        ("a", &[], &both[1..]),
        ("a", &[], &both[..]),
        ("c", &["--token", "c"], &both[..]),
        ("of-the-file", &["--token-file", "token"], &[]),
        ("of-the-file", &["--token-file", "token"], &both[..]),
    ];
    for (token, words, env) in starts {
        let project = Project::small("echo");
        project.write("token", "of-the-file\n");
        let server = Server::start(&project, words, env);
        assert_eq!(server.get("/tasks").await.status, 401);
        server.send(server.request(Method::GET, "/tasks").bearer_auth(token)).await.status(200);
    }
}

#[test]
fn two_tokens_that_differ_are_refused() {
    let project = Project::small("echo");
    let env = [("CREW_API_TOKEN", "first-one"), ("KNOWLYR_CREW_API_TOKEN", "second-one")];
    let error = project.run_in(&env, ["serve", "--port", "0"]).status(1);
    assert!(error.contains("CREW_API_TOKEN and KNOWLYR_CREW_API_TOKEN are both set and differ"), "{error}");
    assert!(!error.contains("first-one") && !error.contains("second-one"));
    let error = project.run(["serve", "--port", "0", "--token-file", "nowhere"]).status(1);
    assert!(error.contains("nowhere"), "{error}");
    project.write("blank", "\n");
    let error = project.run(["serve", "--port", "0", "--token-file", "blank"]).status(1);
    assert!(error.contains("holds no token"), "{error}");
}

#[test]
fn a_public_address_needs_a_token() {
    let project = Project::small("echo");
    for host in ["0.0.0.0", "::"] {
        let error = project.run(["serve", "--port", "0", "--host", host]).status(1);
        assert!(error.contains("CREW_API_TOKEN") && error.contains(host), "{error}");
    }
    assert!(!project.path().join(".crew/tasks.jsonl").try_exists().unwrap());
}

#[tokio::test]
async fn a_port_that_is_taken_is_named() {
    let (_project, server) = small();
    let port = server.url.rsplit_once(':').unwrap().1;
    let error = Project::small("echo").run(["serve", "--port", port]).status(1);
    assert!(error.contains(&format!("127.0.0.1:{port}")), "{error}");
}

#[tokio::test]
async fn a_body_of_one_mebibyte_is_taken() {
    let (_project, server) = small();
    let json =
        |path, body| server.request(Method::POST, path).header("content-type", "application/json").body(body);
    let taken = server.send(json("/run/employee/writer", order(LIMIT))).await;
    assert_eq!(taken.status, 202, "{}", taken.text);
    let ping = br#"{"jsonrpc":"2.0","id":1,"method":"ping","params":{}"#.to_vec();
    let mut body = ping;
    body.resize(LIMIT - 1, b' ');
    body.push(b'}');
    let taken = server.send(json("/mcp", body).header("accept", "application/json, text/event-stream")).await;
    assert_ne!(taken.status, 413, "{}", taken.text);
}

#[tokio::test]
async fn one_byte_more_is_too_much() {
    let project = Project::small("echo");
    project.write(".crew/webhook.yaml", "github_secret: ${HOOK}\nroutes: []\n");
    let server = Server::start(&project, &[], &[("HOOK", "secret")]);
    let body = order(LIMIT + 1);
    for path in ["/run/employee/writer", "/run/pipeline/none", "/webhook/github", "/mcp"] {
        let head = format!(
            "POST {path} HTTP/1.1\r\ncontent-type: application/json\r\naccept: application/json, text/event-stream"
        );
        // Only declared: refused before any of it has come.
        let refused = server.raw(&format!("{head}\r\ncontent-length: {}", body.len()), b"");
        assert_eq!(refused.status, 413, "{path}: {}", refused.text);
        let refused = server.raw(&format!("{head}\r\ntransfer-encoding: chunked"), &chunked(&body));
        assert_eq!(refused.status, 413, "{path}: {}", refused.text);
        refused.json();
    }
    assert_eq!(server.tasks().await, Vec::<Value>::new());
    server.get("/health").await.status(200);
}

#[tokio::test]
async fn chunks_that_fit_are_put_together() {
    let (_project, server) = small();
    let head =
        "POST /run/employee/writer HTTP/1.1\r\ncontent-type: application/json\r\ntransfer-encoding: chunked";
    let taken = server.raw(head, &chunked(&order(LIMIT)));
    assert_eq!(taken.status, 202, "{}", taken.text);
}

#[tokio::test]
async fn a_body_that_is_no_json_object_is_refused() {
    let (_project, server) = small();
    let send = |kind: &'static str, body: &'static str| {
        let request = server.request(Method::POST, "/run/employee/writer").header("content-type", kind);
        server.send(request.body(body))
    };
    send("application/json", "{\"args\":").await.problem(400, "invalid-json");
    send("application/json", "{\"args\":{}} x").await.problem(400, "invalid-json");
    send("application/json", "[]").await.problem(400, "invalid-request");
    send("application/json", "\"args\"").await.problem(400, "invalid-request");
    send("text/plain", "{}").await.problem(415, "unsupported-media-type");
    send("application/x-www-form-urlencoded", "args=1").await.problem(415, "unsupported-media-type");
    let good = r#"{"args":{"topic":"tea"}}"#;
    assert_eq!(send("application/json; charset=utf-8", good).await.status, 202);
    assert_eq!(send("Application/JSON", good).await.status, 202);
    assert_eq!(server.tasks().await.len(), 2);
}

#[tokio::test]
async fn an_order_that_cannot_be_carried_out_is_not_accepted() {
    let (_project, server) = small();
    let writer = "/run/employee/writer";
    let near = server.post("/run/employee/writr", &json!({"args": {"topic": "x"}})).await;
    let text = near.problem(404, "not-found");
    assert!(text.contains("did you mean `writer`?"), "{text}");
    server.post("/run/pipeline/none", &json!({})).await.problem(404, "not-found");
    for body in
        [json!({}), json!({"args": {}}), json!({"args": {"topic": ""}}), json!({"args": {"topic": null}})]
    {
        let text = server.post(writer, &body).await.problem(422, "invalid-arguments");
        assert!(text.contains("`topic`"), "{text}");
    }
    for (key, value) in [
        ("sync", json!("true")),
        ("sync", json!(1)),
        ("args", json!(["tea"])),
        ("args", json!({"topic": ["tea"]})),
        ("model", json!(3)),
        ("stream", json!("yes")),
        ("synch", json!(true)),
    ] {
        let mut body = json!({"args": {"topic": "tea"}});
        body[key] = value;
        let text = server.post(writer, &body).await.problem(422, "invalid-arguments");
        assert!(text.contains(key), "{text}");
    }
    let unknown = server.post(writer, &json!({"args": {"topic": "tea"}, "model": "no-such-model"})).await;
    assert!(unknown.problem(422, "invalid-arguments").contains("no-such-model"));
    assert_eq!(server.tasks().await, Vec::<Value>::new());
}

#[tokio::test]
async fn the_wrong_method_and_the_wrong_path_are_told_apart() {
    let (_project, server) = small();
    for (method, path, allowed) in [
        (Method::GET, "/run/employee/writer", "POST"),
        (Method::DELETE, "/run/pipeline/none", "POST"),
        (Method::GET, "/webhook/github", "POST"),
        (Method::POST, "/tasks", "GET"),
        (Method::POST, "/health", "GET"),
        (Method::PUT, "/metrics", "GET"),
    ] {
        let reply = server.send(server.request(method, path)).await;
        assert!(reply.header("allow").unwrap().contains(allowed), "{path}");
        reply.problem(405, "method-not-allowed");
    }
    let reply = server.send(server.request(Method::PUT, "/mcp")).await;
    assert_eq!((reply.status.as_u16(), reply.header("allow")), (405, Some("GET, POST, DELETE")));
    for path in ["/", "/run", "/run/employee", "/run/employee/writer/x", "/tasks/", "/health/x", "/%FF"] {
        server.get(path).await.problem(404, "not-found");
    }
    server.get("/tasks/nothing").await.problem(404, "not-found");
    server.get("/tasks/..%2F..%2Fetc").await.problem(404, "not-found");
    server.get("/tasks?limit=0").await.problem(422, "invalid-arguments");
    server.get("/tasks?status=done").await.problem(422, "invalid-arguments");
}

#[tokio::test]
async fn a_web_page_elsewhere_cannot_use_a_server_without_a_token() {
    let (project, server) = small();
    let from = |header, value| {
        let request = server.request(Method::POST, "/run/employee/writer").header(header, value);
        server.send(request.json(&json!({"args": {"topic": "tea"}})))
    };
    from("origin", "https://evil.example").await.problem(403, "host-not-allowed");
    from("host", "evil.example").await.problem(403, "host-not-allowed");
    assert_eq!(server.tasks().await, Vec::<Value>::new());
    assert_eq!(from("origin", "http://localhost:3000").await.status, 202);
    server.kill();

    let server = Server::start(&project, &["--allow-host", "crew.example,other.example"], &[]);
    let named = server.request(Method::GET, "/tasks").header("host", "other.example");
    server.send(named).await.status(200);
}

#[tokio::test]
async fn a_key_makes_one_task_of_two_requests() {
    let (_project, server) = small();
    let order = |topic: &str| {
        let request = server.request(Method::POST, "/run/employee/writer").header("idempotency-key", "key-1");
        server.send(request.json(&json!({"args": {"topic": topic}})))
    };
    let first = order("tea").await;
    let location = first.header("location").unwrap().to_owned();
    let first = first.status(202);
    assert_eq!(location, format!("/tasks/{}", first["task_id"].as_str().unwrap()));
    assert_eq!(first["status"], "pending");
    let second = order("tea").await.status(200);
    assert_eq!((&second["task_id"], &second["duplicate"]), (&first["task_id"], &json!(true)));
    order("milk").await.problem(422, "idempotency-key-reused");
    assert_eq!(server.tasks().await.len(), 1);
    let bad = server.request(Method::POST, "/run/employee/writer").header("idempotency-key", "a b");
    server.send(bad.json(&json!({"args": {"topic": "tea"}}))).await.problem(400, "invalid-request");
}

#[tokio::test]
async fn a_run_that_is_waited_for_answers_with_its_record() {
    let (_project, server) = small();
    let body = json!({"args": {"topic": "茶"}, "sync": true});
    let record = server.post("/run/employee/writer", &body).await.status(200);
    assert_eq!((&record["status"], &record["trigger"]), (&json!("completed"), &json!("direct")));
    assert_eq!((&record["target_type"], &record["target_name"]), (&json!("employee"), &json!("writer")));
    assert_eq!((&record["args"], &record["attempts"]), (&json!({"topic": "茶"}), &json!(1)));
    assert_eq!(
        (&record["result"]["employee"], &record["result"]["model"]),
        (&json!("writer"), &json!("echo"))
    );
    assert!(record["result"]["output"].as_str().unwrap().contains("Work on 茶."), "{record}");
    let id = record["task_id"].as_str().unwrap();
    assert_eq!(server.get(&format!("/tasks/{id}")).await.status(200), record);
    let listed = server.get("/tasks?status=completed&target=writer&limit=1").await.status(200);
    assert_eq!(listed["tasks"][0]["task_id"], id);
}

#[tokio::test]
async fn scalars_become_text() {
    let (_project, server) = small();
    for (given, expected) in [(json!(3), "3"), (json!(true), "true"), (json!(1.5), "1.5")] {
        let body = json!({"args": {"topic": given, "nobody-knows": "x"}, "sync": true});
        let record = server.post("/run/employee/writer", &body).await.status(200);
        assert_eq!(record["args"]["topic"], expected);
    }
}

#[tokio::test]
async fn a_model_without_a_key_is_refused_before_anything_is_accepted() {
    let project = Project::small("claude-test");
    let server = Server::start(&project, &[], &[]);
    for sync in [true, false] {
        let body = json!({"args": {"topic": "tea"}, "sync": sync});
        let text = server.post("/run/employee/writer", &body).await.problem(503, "unavailable");
        assert!(text.contains("ANTHROPIC_API_KEY"), "{text}");
    }
    assert_eq!(server.tasks().await, Vec::<Value>::new());
    let body = json!({"args": {"topic": "tea"}, "sync": true, "model": "echo"});
    server.post("/run/employee/writer", &body).await.status(200);
}

#[tokio::test]
async fn what_the_models_cost_is_counted() {
    let fake =
        FakeModel::answering(|prompt| if work(prompt) == "trouble" { Err(500) } else { Ok("fine".into()) })
            .await;
    let project = Project::small("claude-test");
    let server = Server::start(&project, &[], &fake.env());
    let run = |topic: &str| json!({"args": {"topic": topic}, "sync": true});
    server.post("/run/employee/writer", &run("tea")).await.status(200);
    server.post("/run/employee/writer", &run("milk")).await.status(200);
    let metrics = server.get("/metrics").await.status(200);
    assert_eq!(metrics["calls"], json!({"total": 2, "success": 2, "failed": 0}));
    assert_eq!(metrics["tokens"], json!({"input": 22, "output": 14}));
    assert_eq!(metrics["by_employee"], json!({"writer": {"calls": 2, "tokens": 36}}));
    let anthropic = &metrics["by_provider"]["anthropic"];
    assert_eq!((&anthropic["calls"], &anthropic["success"]), (&json!(2), &json!(2)));
    assert_eq!(metrics["latency"]["count"], 2);
    assert_eq!(metrics["latency_by_provider"]["anthropic"]["count"], 2);
    assert!(metrics["uptime_seconds"].is_u64());

    let failed = server.post("/run/employee/writer", &run("trouble")).await.status(502);
    assert_eq!(failed["status"], "failed");
    assert!(failed["error"].as_str().unwrap().contains("500"), "{failed}");
    let metrics = server.get("/metrics").await.status(200);
    assert_eq!(metrics["calls"], json!({"total": 3, "success": 2, "failed": 1}));
    assert_eq!(metrics["by_provider"]["anthropic"]["errors"], json!({"HTTP_500": 1}));
    assert_eq!(metrics["latency"]["count"], 3);
    assert!(!server.log().contains("test-key-anthropic"));
}

#[tokio::test]
async fn the_schedules_tell_when_they_run_next() {
    let project = Project::sample();
    let server = Server::start(&project, &[], &[]);
    let there = |status: &Value| !status["schedules"].as_array().unwrap().is_empty();
    let status = server.until("/cron/status", there).await;
    assert_eq!((&status["enabled"], &status["running"]), (&json!(true), &json!(true)));
    let [audit, notes] = status["schedules"].as_array().unwrap().as_slice() else { panic!("{status}") };
    assert_eq!((&audit["name"], &audit["cron"]), (&json!("daily-security-audit"), &json!("0 9 * * MON-FRI")));
    assert_eq!((&audit["timezone"], &audit["last_run"]), (&json!("Asia/Shanghai"), &Value::Null));
    let next = audit["next_run"].as_str().unwrap();
    assert!(next.ends_with("T09:00:00+08:00"), "{next}");
    assert_eq!((&notes["enabled"], &notes["next_run"]), (&json!(false), &Value::Null));
    drop(server);

    let server = Server::start(&project, &["--no-cron"], &[]);
    assert_eq!(server.get("/cron/status").await.status(200), json!({"enabled": false, "schedules": []}));
}

#[tokio::test]
async fn a_new_definition_is_noticed_while_the_server_runs() {
    let (project, server) = small();
    let path = "/run/employee/newcomer";
    server.post(path, &json!({})).await.problem(404, "not-found");
    let text = "---\nname: newcomer\ndescription: Came late\nmodel: echo\n---\nHello.\n";
    project.write(".crew/employees/newcomer.md", text);
    let record = patiently(async || {
        let reply = server.post(path, &json!({"sync": true})).await;
        if reply.status == 200 {
            return Some(reply.json());
        }
        reply.problem(404, "not-found");
        None
    })
    .await;
    assert_eq!(record["result"]["employee"], "newcomer");
}

#[tokio::test]
async fn an_idle_server_ends_when_asked() {
    let (project, server) = small();
    server.get("/health").await.status(200);
    assert_eq!(server.terminate(), Some(0));
    // Nothing of it is left that would keep the next one out.
    assert_eq!(Server::start(&project, &[], &[]).terminate(), Some(0));
}

#[tokio::test]
async fn what_is_wrong_is_said_at_the_start_and_the_rest_is_served() {
    let project = Project::small("echo");
    project.write(".crew/employees/broken.md", "---\nname: [\n---\n");
    let server = Server::start(&project, &[], &[]);
    let body = json!({"args": {"topic": "tea"}, "sync": true});
    server.post("/run/employee/writer", &body).await.status(200);
    assert!(server.log().contains(".crew/employees/broken.md"), "{}", server.log());
}

/// systemd hears when requests are answered, and when the end was asked for.
#[cfg(unix)]
#[tokio::test]
async fn a_service_manager_is_told_how_it_stands() {
    let project = Project::sample();
    let path = project.path().join("notify.sock");
    let socket = std::os::unix::net::UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(std::time::Duration::from_mins(1))).unwrap();
    let heard = || {
        let mut message = [0; 64];
        let length = socket.recv(&mut message).unwrap();
        String::from_utf8(message[..length].to_vec()).unwrap()
    };
    let server = Server::start(&project, &[], &[("NOTIFY_SOCKET", path.to_str().unwrap())]);
    assert_eq!(heard(), "READY=1\n");
    server.get("/health").await.status(200);
    server.ask_to_end();
    assert_eq!(heard(), "STOPPING=1\n");
    assert_eq!(server.wait(), Some(0));
}

//! The server as somebody sees it who means it no good, and an operator who bounds what it accepts.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    time::Duration,
};

use reqwest::Method;
use serde_json::json;
use tokio::time::Instant;

use crate::support::{Project, Reply, Server, patiently};

const BEARER: &str = "authorization: Bearer t";

fn guarded(extra: &[&str], env: &[(&str, &str)]) -> (Project, Server) {
    let project = Project::small("echo");
    let env = [&[("CREW_API_TOKEN", "t")], env].concat();
    let server = Server::start(&project, extra, &env);
    (project, server)
}

/// What comes back to these very bytes until the connection is closed.
fn exchange(server: &Server, bytes: &[u8]) -> String {
    let mut stream = server.connect().unwrap();
    stream.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
    // A server that has seen enough does not read the rest.
    let _ = stream.write_all(bytes);
    read_all(&mut stream)
}

fn read_all(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8(answer).unwrap()
}

/// The one error an answer holds, whoever made it.
#[track_caller]
fn refused(answer: &str, status: u16, code: &str) {
    assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let body: serde_json::Value =
        serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {answer}"));
    let names: Vec<_> = body.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(
        (names.as_slice(), body["code"].as_str()),
        (["error", "code", "trace_id"].as_slice(), Some(code))
    );
    assert!(head.contains(&format!("x-trace-id: {}", body["trace_id"].as_str().unwrap())), "{answer}");
}

#[tokio::test]
async fn an_address_may_ask_sixty_times_a_minute() {
    let (_project, server) = guarded(&[], &[]);
    let get = async |path: &str| server.send(server.request(Method::GET, path).bearer_auth("t")).await;
    // One comes back every second, so that a slow machine is given a few more.
    let begun = Instant::now();
    let mut allowed = 0;
    let last: Reply = loop {
        let answer = get("/cron/status").await;
        if answer.status != 200 {
            break answer;
        }
        allowed += 1;
        assert!(allowed <= 61 + begun.elapsed().as_secs(), "{allowed}");
    };
    assert!(allowed >= 60, "{allowed}");
    let wait: u64 = last.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=2).contains(&wait), "{wait}");
    assert!(last.problem(429, "rate-limited").contains("rate limit"));
    // What probes and scrapers ask goes on, and deliveries have a budget of their own.
    for path in ["/health", "/metrics"] {
        assert_eq!(get(path).await.status, 200, "{path}");
    }
    server.post("/webhook/github", &json!({})).await.problem(403, "webhook-not-configured");
    // A header of its own gives nobody another address: each of these would have a budget of its own.
    let forged = async |number: u64| {
        let request = server.request(Method::GET, "/cron/status").bearer_auth("t");
        server.send(request.header("x-forwarded-for", format!("9.9.9.{number}"))).await
    };
    let mut number = 0;
    let refused = loop {
        let answer = forged(number).await;
        if answer.status != 200 {
            break answer;
        }
        number += 1;
        assert!(number <= 1 + begun.elapsed().as_secs(), "{number}");
    };
    refused.problem(429, "rate-limited");
    assert!(server.log().contains("--trusted-proxy 127.0.0.1"), "{}", server.log());
}

#[tokio::test]
async fn behind_a_proxy_each_client_has_a_budget() {
    let (_project, server) = guarded(&["--trusted-proxy", "127.0.0.1,10.0.0.0/8", "--rate-limit", "2"], &[]);
    let from = async |chain: &str| {
        let request =
            server.request(Method::GET, "/cron/status").bearer_auth("t").header("x-forwarded-for", chain);
        server.send(request).await.status.as_u16()
    };
    assert_eq!([from("1.1.1.1").await, from("1.1.1.1").await, from("1.1.1.1").await], [200, 200, 429]);
    assert_eq!(from("2.2.2.2").await, 200);
    // What the client wrote itself stands left of what the proxies know.
    assert_eq!(from("7.7.7.7, 1.1.1.1, 10.0.0.9").await, 429);
    // A whole /64 belongs to one.
    assert_eq!(
        [from("2001:db8::1").await, from("2001:db8::2").await, from("2001:db8::3").await],
        [200, 200, 429]
    );
}

#[tokio::test]
async fn who_tries_tokens_is_not_listened_to() {
    let (_project, server) = guarded(&["--rate-limit", "0"], &[]);
    let with =
        async |token: &str| server.send(server.request(Method::GET, "/tasks").bearer_auth(token)).await;
    for attempt in 0..10 {
        with(&format!("guess{attempt}")).await.problem(401, "unauthorized");
    }
    let refused = with("t").await;
    assert!(refused.header("retry-after").is_some());
    refused.problem(429, "rate-limited");
    // Who brings no token at all is told how to get in, as ever.
    server.get("/tasks").await.problem(401, "unauthorized");
}

#[tokio::test]
async fn a_flood_of_strangers_fills_no_log() {
    let (_project, server) = guarded(&["--rate-limit", "5"], &[]);
    let before = server.log().lines().count();
    for _ in 0..300 {
        assert!(matches!(server.get("/no%0d%0asuch").await.status.as_u16(), 401 | 429));
        server.get("/health").await.status(200);
    }
    let log = server.log();
    assert!(log.lines().count() < before + 20, "{log}");
    assert!(log.contains("requests were refused"), "{log}");
}

#[tokio::test]
async fn each_token_has_a_name_and_does_what_its_scope_says() {
    let project = Project::small("echo");
    let file = |more: &str| {
        format!(
            "tokens:\n  - {{name: viewer, token: \"${{VIEWER}}\", scopes: [read]}}\n  - {{name: ci, token: \"${{CI}}\", scopes: [run]}}\n{more}"
        )
    };
    project.write("tokens.yaml", &file(""));
    let env = [("VIEWER", "view"), ("CI", "ci"), ("OPS", "ops")];
    let server = Server::start(&project, &["--tokens-file", "tokens.yaml", "--rate-limit", "0"], &env);
    let send = async |token: &str, method: Method, path: &str, body: serde_json::Value| {
        server.send(server.request(method, path).bearer_auth(token).json(&body)).await
    };
    let order = json!({"args": {"topic": "tea"}, "sync": true});
    assert_eq!(send("view", Method::GET, "/tasks", json!({})).await.status, 200);
    let denied = send("view", Method::POST, "/run/employee/writer", order.clone()).await;
    assert!(denied.header("www-authenticate").unwrap().contains("insufficient_scope"));
    assert!(denied.problem(403, "denied").contains("`run`"));
    let record = send("ci", Method::POST, "/run/employee/writer", order).await.status(200);
    assert_eq!(record["caller"], "ci");
    let approve = format!("/tasks/{}/approve", record["task_id"].as_str().unwrap());
    assert!(send("ci", Method::POST, &approve, json!({})).await.problem(403, "denied").contains("`admin`"));
    // The tools ask the same, whichever way they are called.
    let call = |tool: &str| {
        json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": tool, "arguments": {"name": "writer", "args": {"topic": "x"}},
            "_meta": {"io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientInfo": {"name": "t", "version": "1"},
                "io.modelcontextprotocol/clientCapabilities": {}}}})
    };
    let mcp = async |token: &str, tool: &str| {
        let request = server
            .request(Method::POST, "/mcp")
            .bearer_auth(token)
            .header("accept", "application/json, text/event-stream")
            .header("mcp-protocol-version", "2026-07-28")
            .header("mcp-method", "tools/call")
            .header("mcp-name", tool);
        server.send(request.json(&call(tool))).await.status(200)["result"]["structuredContent"].clone()
    };
    assert_eq!(mcp("view", "run_employee").await["code"], "denied");
    assert!(mcp("ci", "run_employee").await["prompt"].is_string());
    assert_eq!(send("ops", Method::GET, "/tasks", json!({})).await.status, 401);

    // A new file counts without a restart.
    project.write("tokens.yaml", &file("  - {name: ops, token: \"${OPS}\", scopes: [admin]}\n"));
    patiently(async || server.log().contains("the tokens were read again").then_some(())).await;
    assert_eq!(send("ops", Method::GET, "/tasks", json!({})).await.status, 200);
    // One that cannot be used changes nothing, and is told of.
    project.write("tokens.yaml", "tokens: [{name: ci}]\n");
    patiently(async || server.log().contains("the tokens stay as they were").then_some(())).await;
    assert_eq!(send("ops", Method::GET, "/tasks", json!({})).await.status, 200);
    // Whoever is no longer in it is out.
    project.write("tokens.yaml", "tokens:\n  - {name: ops, token: \"${OPS}\", scopes: [admin]}\n");
    patiently(async || (send("ci", Method::GET, "/tasks", json!({})).await.status == 401).then_some(()))
        .await;
    assert!(server.log().contains("ops"));
}

#[test]
fn a_file_of_tokens_that_means_nothing_keeps_the_door_shut() {
    let project = Project::small("echo");
    for (text, expected) in [
        ("tokens: [{name: ci, token: written-out-1234, scopes: [run]}]", "secret-in-clear"),
        ("tokens: [{name: ci, token: \"${NOT_SET}\", scopes: [run]}]", "NOT_SET"),
        ("token: []", "did you mean `tokens`?"),
    ] {
        project.write("tokens.yaml", text);
        let error = project.run(["serve", "--port", "0", "--tokens-file", "tokens.yaml"]).status(1);
        assert!(error.contains(expected) && !error.contains("written-out"), "{error}");
    }
    let error = project.run(["serve", "--port", "0", "--tokens-file", "nowhere.yaml"]).status(1);
    assert!(error.contains("nowhere.yaml"), "{error}");
}

#[tokio::test]
async fn pages_of_named_origins_may_call() {
    for (words, env) in [
        (["--cors-origins", "https://a.example,https://b.example"].as_slice(), [].as_slice()),
        (&["--cors-origin", "https://a.example", "--cors-origin", "https://b.example"], &[]),
        (&[], &[("CREW_CORS_ORIGINS", "https://a.example,https://b.example")]),
    ] {
        let (_project, server) = guarded(words, env);
        let preflight = server
            .request(Method::OPTIONS, "/run/employee/writer")
            .header("origin", "https://b.example")
            .header("access-control-request-method", "DELETE")
            .header("access-control-request-headers", "authorization, idempotency-key");
        let allowed = server.send(preflight).await;
        assert_eq!(allowed.status, 200);
        assert_eq!(allowed.header("access-control-allow-origin"), Some("https://b.example"));
        for method in ["DELETE", "PUT", "PATCH", "POST"] {
            assert!(allowed.header("access-control-allow-methods").unwrap().contains(method));
        }
        // Errors can be read by the page, too.
        let page = |origin| server.send(server.request(Method::GET, "/tasks").header("origin", origin));
        let refused = page("https://a.example").await;
        assert_eq!(refused.header("access-control-allow-origin"), Some("https://a.example"));
        refused.problem(401, "unauthorized");
        for other in ["https://evil.example", "https://a.example.evil.example", "http://a.example", "null"] {
            assert_eq!(page(other).await.header("access-control-allow-origin"), None, "{other}");
        }
    }
    let (_project, server) = guarded(&[], &[]);
    let page = server.request(Method::GET, "/health").header("origin", "https://a.example");
    assert_eq!(server.send(page).await.header("access-control-allow-origin"), None);
    let error = Project::small("echo").run(["serve", "--port", "0", "--cors-origins", "*"]).status(1);
    assert!(error.contains("token"), "{error}");
}

#[tokio::test]
async fn every_answer_forbids_what_no_page_should_do_with_it() {
    let (_project, server) = guarded(&[], &[]);
    for path in ["/health", "/tasks", "/nowhere"] {
        let answer = server.get(path).await;
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{path}");
        assert_eq!(answer.header("x-frame-options"), Some("DENY"), "{path}");
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{path}");
        assert!(answer.header("content-security-policy").unwrap().contains("default-src 'none'"));
    }
}

#[tokio::test]
async fn what_is_no_request_is_refused_in_the_form_of_all_errors() {
    let (_project, server) = guarded(&[], &[]);
    let invalid = "invalid-request";
    for bytes in [
        "NONSENSE\r\n\r\n",
        "GET / HTTP/9.9\r\n\r\n",
        "GET /\x01 HTTP/1.1\r\nhost: x\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: x\r\nbad header: 1\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: x\r\n folded: 1\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: x\r\nx: a\r\n b\r\n\r\n",
        "POST /tasks HTTP/1.1\r\nhost: x\r\ncontent-length: abc\r\n\r\n",
        "POST /tasks HTTP/1.1\r\nhost: x\r\ncontent-length: -5\r\n\r\n",
        "POST /tasks HTTP/1.1\r\nhost: x\r\ncontent-length: +5\r\n\r\nabcde",
        "POST /tasks HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nabcdef",
        "POST /tasks HTTP/1.1\r\nhost: x\r\ntransfer-encoding: gzip\r\n\r\n",
        "POST /tasks HTTP/1.0\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    ] {
        refused(&exchange(&server, bytes.as_bytes()), 400, invalid);
    }
    let many = "GET / HTTP/1.1\r\nhost: x\r\n".to_owned() + &"a: 1\r\n".repeat(100_000) + "\r\n";
    refused(&exchange(&server, many.as_bytes()), 431, "too-many-headers");
    let long = format!("GET / HTTP/1.1\r\nhost: x\r\na: {}\r\n\r\n", "x".repeat(100_000));
    refused(&exchange(&server, long.as_bytes()), 431, "too-many-headers");
    let path = format!("GET /{} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n", "x".repeat(10_000));
    refused(&exchange(&server, path.as_bytes()), 414, "uri-too-long");
    server.get("/health").await.status(200);
}

#[tokio::test]
async fn nothing_is_smuggled_behind_a_request() {
    let (_project, server) = guarded(&["--rate-limit", "0"], &[]);
    let run = format!(
        "POST /run/employee/writer HTTP/1.1\r\nhost: x\r\n{BEARER}\r\ncontent-type: application/json\r\n\
         content-length: 24\r\n\r\n{{\"args\":{{\"topic\":\"tea\"}}}}"
    );
    for (framing, statuses) in [
        // Read by its chunks, as the standard says, and nothing that comes after them.
        ("content-length: 5\r\ntransfer-encoding: chunked", &["404"][..]),
        ("transfer-encoding: chunked\r\ncontent-length: 5", &["404"]),
        ("transfer-encoding: chunked\r\ntransfer-encoding: identity", &["400"]),
        ("transfer-encoding: chunked\r\ntransfer-encoding: chunked", &["400"]),
        ("transfer-encoding: identity, chunked", &["400"]),
        ("transfer-encoding: identity, chunked\r\ncontent-length: 0", &["400"]),
        ("transfer-encoding: xchunked", &["400"]),
        ("host: y\r\ncontent-length: 5", &["400"]),
    ] {
        // To who believes the length, all after `0` is part of this body; to who believes the chunks, it is not.
        let first =
            format!("POST /tasks/x/approve HTTP/1.1\r\nhost: x\r\n{BEARER}\r\n{framing}\r\n\r\n0\r\n\r\n");
        let answer = exchange(&server, (first + &run).as_bytes());
        let told: Vec<_> =
            answer.lines().filter_map(|line| line.strip_prefix("HTTP/1.1 ")?.get(..3)).collect();
        assert_eq!(told, statuses, "{framing}: {answer}");
    }
    let answer = exchange(&server, format!("GET /tasks HTTP/1.1\r\n{BEARER}\r\n\r\n").as_bytes());
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
}

#[tokio::test]
async fn slow_clients_are_cut_off_and_hold_nobody_up() {
    let (_project, server) = guarded(&[], &[("CREW_HEADER_TIMEOUT_SECONDS", "1")]);
    let mut slow: Vec<TcpStream> = Vec::new();
    for _ in 0..200 {
        let mut stream = server.connect().unwrap();
        stream.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
        stream.write_all(b"GET /health HTTP/1.1\r\nhost: x\r\nx-slow: ").unwrap();
        slow.push(stream);
    }
    assert_eq!(server.raw("GET /health HTTP/1.1", b"").status, 200);
    for stream in &mut slow {
        // The end, and nothing that could be taken for an answer to a request.
        assert_eq!(read_all(stream), "");
    }
    assert_eq!(server.raw("GET /health HTTP/1.1", b"").status, 200);
}

#[tokio::test]
async fn a_body_may_be_bounded_closer() {
    let (_project, server) = guarded(&["--max-body-bytes", "2048"], &[]);
    for path in ["/run/employee/writer", "/mcp"] {
        let request = server
            .request(Method::POST, path)
            .bearer_auth("t")
            .header("content-type", "application/json")
            .header("accept", "application/json, text/event-stream");
        server.send(request.body(" ".repeat(2049))).await.problem(413, "too-large");
    }
}

#[tokio::test]
async fn what_cannot_be_read_as_json_is_told_so() {
    let (_project, server) = guarded(&["--rate-limit", "0"], &[]);
    let deep = "{\"args\":".repeat(100_000);
    let texts = [
        "{",
        "}",
        "{]",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{,}",
        "{a:1}",
        "{'a':1}",
        "{\"a\":01}",
        "{\"a\":.5}",
        "{\"a\":NaN}",
        "{\"a\":Infinity}",
        "{\"a\":\"\\x\"}",
        "{\"a\":\"\u{1}\"}",
        "{\"a\":\"\\ud800\"}",
        "{\"a\":tru}",
        "{\"a\":1}{\"b\":2}",
        "// x\n{}",
        "\u{feff}{}",
        "{\"a\":1e999}",
        "[",
        &deep,
    ];
    for text in texts {
        let request = server.request(Method::POST, "/run/employee/writer").bearer_auth("t");
        let request = request.header("content-type", "application/json").body(text.to_owned());
        let reply = server.send(request).await;
        assert_eq!(reply.status, 400, "{}: {}", text.chars().take(40).collect::<String>(), reply.text);
        reply.problem(400, "invalid-json");
    }
    let request = server.request(Method::POST, "/run/employee/writer").bearer_auth("t");
    let request = request.header("content-type", "application/json").body(&b"{\"a\":\"\xff\"}"[..]);
    server.send(request).await.problem(400, "invalid-json");
}

#[tokio::test]
async fn a_name_in_a_path_is_a_name_and_no_path() {
    let (_project, server) = guarded(&["--rate-limit", "0"], &[]);
    let long = "x".repeat(5_000);
    let names = [
        "%2e%2e%2fetc%2fpasswd",
        "..%2f..%2f",
        "%00",
        "a%00b",
        "%0d%0ainjected",
        "%ff%fe",
        "..%5c..%5c",
        "%20",
        &long,
    ];
    for name in names {
        for (method, path) in [
            (Method::GET, format!("/tasks/{name}")),
            (Method::POST, format!("/tasks/{name}/approve")),
            (Method::POST, format!("/run/employee/{name}")),
            (Method::POST, format!("/run/pipeline/{name}")),
        ] {
            let answer = server.send(server.request(method, &path).bearer_auth("t")).await;
            assert!(matches!(answer.status.as_u16(), 400 | 404), "{path}: {} {}", answer.status, answer.text);
            assert!(answer.text.len() < 3_000, "{}", answer.text.len());
        }
    }
    assert!(!server.log().contains("\ninjected"), "{}", server.log());
}

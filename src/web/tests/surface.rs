//! What holds for every path: token, one form of error, one trace id.

use super::*;

#[tokio::test]
async fn health_is_these_very_bytes_and_needs_no_token() {
    let stage = Stage::new().await;
    let answer = stage.send(request("GET", "/health", &[], "")).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.body, br#"{"status":"ok","service":"crew-webhook"}"#);
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(stage.send(request("HEAD", "/health?x=1", &[], "")).await.status, 200);
}

#[tokio::test]
async fn health_is_answered_alike_with_and_without_a_route() {
    let stage = Stage::new().await;
    let trace = ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
    let quick = stage.send(request("GET", "/health", &[trace], "")).await;
    let routed = stage.send(request("GET", "/health", &[trace, ("origin", "null")], "")).await;
    assert_eq!(quick.header("x-trace-id"), "4bf92f3577b34da6a3ce929d0e0e4736");
    let (mut told, mut expected) = (quick.headers, routed.headers);
    // The first has none until it is written to a socket.
    expected.remove("content-length");
    told.remove("content-length");
    assert_eq!((quick.status, told, quick.body), (routed.status, expected, routed.body));
}

#[tokio::test]
async fn everything_else_wants_the_token() {
    let stage = Stage::new().await;
    for (method, path) in [
        ("GET", "/metrics"),
        ("GET", "/cron/status"),
        ("GET", "/tasks"),
        ("GET", "/tasks/x"),
        ("POST", "/run/employee/echo-bot"),
        ("POST", "/run/pipeline/two-step"),
        ("POST", "/mcp"),
        ("GET", "/nope"),
        ("GET", "/health/"),
        ("GET", "//health"),
        ("POST", "/webhook/github/"),
        ("DELETE", "/metrics"),
    ] {
        let answer = stage.send(request(method, path, &[], "")).await;
        assert_eq!(answer.problem(401, "unauthorized"), "unauthorized", "{method} {path}");
        assert_eq!(answer.header("www-authenticate"), "Bearer realm=\"crew\"");
        assert!(answer.body.starts_with(br#"{"error":"unauthorized""#));
    }
    let mut strange = request("GET", "/metrics", &[], "");
    let value = HeaderValue::from_bytes("Bearer 你".as_bytes()).unwrap();
    strange.headers_mut().insert("authorization", value);
    stage.send(strange).await.problem(401, "unauthorized");
    assert_eq!(stage.post("/mcp", "").await.body, b"mounted");
}

#[tokio::test]
async fn without_a_token_everybody_may_call() {
    let stage = Stage::with(None, None, tasks::Options::default()).await;
    assert_eq!(stage.send(request("GET", "/metrics", &[], "")).await.status, 200);
}

#[tokio::test]
async fn unknown_paths_and_methods_are_problems() {
    let stage = Stage::new().await;
    stage.get("/nope").await.problem(404, "not-found");
    stage.get("/run/employee/a/b").await.problem(404, "not-found");
    for (method, path, allow) in [
        ("POST", "/health", "GET,HEAD"),
        ("DELETE", "/tasks", "GET,HEAD"),
        ("GET", "/run/employee/echo-bot", "POST"),
        ("GET", "/webhook/github", "POST"),
        ("GET", "/mcp", "POST"),
    ] {
        let answer = stage.send(request(method, path, &[BEARER], "")).await;
        answer.problem(405, "method-not-allowed");
        assert_eq!(answer.header("allow"), allow, "{method} {path}");
    }
}

#[tokio::test]
async fn a_panic_ends_one_request_and_tells_nothing() {
    let stage = Stage::new().await;
    let text = stage.post("/run/employee/panicking", "").await.problem(500, "internal");
    assert!(!text.contains("disco"), "{text}");
    let text = stage.post("/run/employee/broken", "").await.problem(500, "internal");
    assert!(!text.contains("secret"), "{text}");
    assert_eq!(stage.get("/metrics").await.status, 200);
}

#[tokio::test]
async fn every_class_of_error_has_its_status() {
    let stage = Stage::new().await;
    stage.post("/run/employee/forbidden", "").await.problem(403, "denied");
    let busy = stage.post("/run/employee/busy", "").await;
    busy.problem(503, "unavailable");
    assert_eq!(busy.header("retry-after"), "1");
    let full = Stage::with(Some(TOKEN), None, tasks::Options { queue: 0, ..tasks::Options::default() }).await;
    let full = full.post("/run/pipeline/two-step", "").await;
    full.problem(503, "unavailable");
    assert_eq!(full.header("retry-after"), "1");
}

#[tokio::test]
async fn metrics_and_schedules_are_shown() {
    let stage = Stage::new().await;
    let metrics = stage.get("/metrics").await.json();
    let keys: Vec<_> = metrics.as_object().unwrap().keys().cloned().collect();
    assert_eq!(
        keys,
        [
            "uptime_seconds",
            "calls",
            "tokens",
            "by_employee",
            "by_provider",
            "latency",
            "latency_by_provider",
            "first_token"
        ]
    );
    let cron = stage.get("/cron/status").await;
    assert_eq!(cron.body, br#"{"enabled":false,"schedules":[]}"#);
}

#[tokio::test]
async fn trace_ids_differ() {
    let stage = Stage::new().await;
    let (one, two) = (stage.get("/health").await, stage.get("/health").await);
    assert_ne!(one.header("x-trace-id"), two.header("x-trace-id"));
}

#[tokio::test]
async fn without_a_token_pages_elsewhere_are_kept_away() {
    let open = Stage::with(None, None, tasks::Options::default()).await;
    let check = async |headers: &[Header], path: &'static str, expected: u16| {
        let answer = open.send(request("GET", path, headers, "")).await;
        assert_eq!(answer.status, expected, "{headers:?} {path}");
    };
    check(&[], "/tasks", 200).await;
    check(&[("host", "localhost:8765"), ("origin", "http://127.0.0.1:3000")], "/tasks", 200).await;
    check(&[("host", "evil.example.com")], "/tasks", 403).await;
    check(&[("host", "localhost:8765"), ("origin", "http://evil.example.com")], "/tasks", 403).await;
    check(&[("origin", "null")], "/run/employee/echo-bot", 403).await;
    check(&[("host", "evil.example.com")], "/health", 200).await;
    // With a token, the token decides; a proxy may pass any name on.
    let closed = Stage::new().await;
    let answer = closed.send(request("GET", "/tasks", &[BEARER, ("host", "crew.example.com")], "")).await;
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn a_client_without_a_token_learns_who_issues_one() {
    let issued = Resource { url: "https://crew.example.com".into(), issuer: "https://id.example.com".into() };
    let stage = Stage::issued(Some(TOKEN), None, Some(issued), tasks::Options::default()).await;
    let send = async |path| stage.ask(request("GET", path, &[], "")).await;
    let refused = send("/mcp").await;
    let challenge = refused.headers()["www-authenticate"].to_str().unwrap();
    let expected = "https://crew.example.com/.well-known/oauth-protected-resource";
    assert_eq!(challenge, format!(r#"Bearer realm="crew", resource_metadata="{expected}""#));
    for path in ["/.well-known/oauth-protected-resource", "/.well-known/oauth-protected-resource/mcp"] {
        let answer = send(path).await;
        assert_eq!(answer.status(), 200, "{path}");
        let body = axum::body::to_bytes(answer.into_body(), usize::MAX).await.unwrap();
        let metadata: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(metadata["authorization_servers"], json!(["https://id.example.com"]));
        assert_eq!(metadata["resource"], "https://crew.example.com");
    }
    Stage::new().await.get("/.well-known/oauth-protected-resource").await.problem(404, "not-found");
}

#[tokio::test]
async fn what_is_described_is_what_there_is() {
    let stage = Stage::new().await;
    let mut described: Vec<(String, String)> = Vec::new();
    for operation in openapi::OPERATIONS.iter().filter(|operation| operation.path != "/mcp") {
        described.push((operation.path.to_owned(), operation.method.to_uppercase()));
    }
    let mut there = Vec::new();
    for path in router::paths().into_iter().chain(["/health", "/healthz", "/readyz"]) {
        let answer = stage.send(request("TRACE", &path.replace(['{', '}'], ""), &[BEARER], "")).await;
        assert_eq!(answer.status, 405, "{path}");
        let methods = answer.header("allow").split(',').filter(|method| *method != "HEAD");
        there.extend(methods.map(|method| (path.to_owned(), method.to_owned())));
    }
    described.sort();
    there.sort();
    assert_eq!(described, there);
    let document = stage.get("/openapi.json").await.json();
    assert_eq!(document["openapi"], "3.1.0");
    assert!(document["paths"]["/tasks/{id}/approve"]["post"]["responses"]["default"].is_object());
    let schemas = &document["components"]["schemas"];
    let mut known: Vec<_> = schemas["RunRequest"]["properties"].as_object().unwrap().keys().collect();
    known.sort();
    let mut taken = order::KEYS;
    taken.sort_unstable();
    assert_eq!(known, taken);
}

/// A query with a word that nobody knows is told the words that are known.
#[tokio::test]
async fn queries_are_described_as_they_are_read() {
    let stage = Stage::new().await;
    let document = stage.get("/openapi.json").await.json();
    for (path, operations) in document["paths"].as_object().unwrap() {
        let Some(get) = operations.get("get").filter(|_| !path.contains('{') && path != "/mcp") else {
            continue;
        };
        let parameters = get["parameters"].as_array().into_iter().flatten();
        // Nobody but the reader of a query knows what it reads; what is not described is refused before it.
        for one in parameters.filter(|one| one["in"] == "query") {
            let (name, schema) = (one["name"].as_str().unwrap(), &one["schema"]);
            let value = schema["enum"][0].as_str().unwrap_or("1");
            let answer = stage.get(&format!("{path}?{name}={value}")).await;
            let text = answer.json().to_string();
            assert!(!text.contains("unknown field"), "{path} {name}: {text}");
        }
    }
    let schemas = &document["components"]["schemas"];
    let keys =
        |name: &str| schemas[name]["properties"].as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys("WebhookCall").len(), webhook::KEYS.len());
    assert!(keys("Fork").contains(&"step".to_owned()) && !keys("Nothing").contains(&"model".to_owned()));
    let run = &document["paths"]["/run/employee/{name}"]["post"]["responses"]["200"]["content"];
    assert!(run["text/event-stream"].is_object(), "{run}");
    let has_key =
        |path: &str| document["paths"][path]["post"]["parameters"].to_string().contains("Idempotency-Key");
    assert!(has_key("/webhook") && has_key("/webhook/openclaw") && has_key("/tasks/{id}/fork"));
    assert!(!has_key("/webhook/github") && !has_key("/tasks/{id}/cancel"));
}

mod changes;
mod questions;
mod resumption;
mod sockets;

use axum::body::{Body, to_bytes};
use futures_util::{StreamExt as _, stream};
use http::Request as HttpRequest;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use super::*;
use crate::mcp::testing::{self, Puppet};

/// A client of one endpoint.
struct Client {
    router: Router,
    puppet: Arc<Puppet>,
    tracker: Tracker,
}

/// What came back.
struct Reply {
    status: u16,
    headers: HeaderMap,
    body: Body,
}

impl Client {
    fn new() -> Self {
        Self::with(&Options { max_body_bytes: 4096, ..Options::default() })
    }

    fn with(options: &Options) -> Self {
        let puppet = Puppet::new();
        let tracker = Tracker::new();
        Self { router: router(Arc::clone(&puppet) as _, options, tracker.clone()), puppet, tracker }
    }

    /// Sends a request; `headers` replace the usual ones, and an empty value removes one.
    async fn send(
        &self,
        method: &str,
        headers: &[(&str, &str)],
        principal: Option<&str>,
        body: Body,
    ) -> Reply {
        let usual = [
            ("host", "localhost:8000"),
            ("content-type", "application/json"),
            ("accept", "application/json, text/event-stream"),
        ];
        let mut request = HttpRequest::builder().method(method).uri("/mcp");
        for (name, value) in usual {
            if !headers.iter().any(|(other, _)| *other == name) {
                request = request.header(name, value);
            }
        }
        for (name, value) in headers.iter().filter(|(_, value)| !value.is_empty()) {
            request = request.header(*name, *value);
        }
        if let Some(principal) = principal {
            request = request.extension(Caller::new(principal));
        }
        let response = self.router.clone().oneshot(request.body(body).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        Reply { status: parts.status.as_u16(), headers: parts.headers, body }
    }

    async fn post(&self, headers: &[(&str, &str)], body: impl Into<Body>) -> Reply {
        self.send("POST", headers, None, body.into()).await
    }

    /// Sends a modern request with the headers that belong to it.
    async fn modern(&self, method: &str, params: Value) -> Reply {
        let name = params.get("name").or(params.get("uri")).and_then(Value::as_str).unwrap_or_default();
        let headers = [("mcp-protocol-version", "2026-07-28"), ("mcp-method", method), ("mcp-name", name)];
        self.post(&headers, testing::modern("1", method, &params)).await
    }

    /// Opens a session of `version`; returns its id.
    async fn open(&self, version: &str) -> String {
        self.open_with(version, json!({})).await
    }

    /// The same for a client that has `capabilities`.
    async fn open_with(&self, version: &str, capabilities: Value) -> String {
        let params = json!({"protocolVersion": version, "capabilities": capabilities});
        let reply = self.post(&[], testing::legacy("0", "initialize", &params)).await;
        assert_eq!(reply.status, 200);
        let id = reply.headers["mcp-session-id"].to_str().unwrap().to_owned();
        assert_eq!(reply.json().await["result"]["protocolVersion"], version);
        id
    }

    /// Sends a request of the session `id`.
    async fn legacy(&self, id: &str, method: &str, params: Value) -> Reply {
        self.post(&[("mcp-session-id", id)], testing::legacy("1", method, &params)).await
    }
}

impl Reply {
    async fn text(self) -> String {
        String::from_utf8(to_bytes(self.body, usize::MAX).await.unwrap().to_vec()).unwrap()
    }

    async fn json(self) -> Value {
        assert_eq!(self.headers["content-type"], "application/json");
        serde_json::from_str(&self.text().await).unwrap()
    }

    /// The messages of an event stream.
    async fn events(self) -> Vec<Value> {
        assert_eq!(self.headers["content-type"], "text/event-stream");
        let text = self.text().await;
        let data = text.lines().filter_map(|line| line.strip_prefix("data: "));
        data.map(|data| serde_json::from_str(data).unwrap()).collect()
    }

    /// Checks status and code of an error.
    #[track_caller]
    fn fails(self, status: u16, code: i32) -> impl Future<Output = Value> {
        assert_eq!(self.status, status);
        async move {
            let json = self.json().await;
            assert_eq!(json["error"]["code"], code, "{json}");
            json
        }
    }
}

const PING: &str = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;

#[tokio::test]
async fn a_modern_request_stands_for_itself() {
    let client = Client::new();
    let reply = client.modern("tools/call", json!({"name": "echo", "arguments": {"a": 1}})).await;
    assert_eq!(reply.status, 200);
    assert!(reply.headers.get("mcp-session-id").is_none());
    let expected = json!({"jsonrpc": "2.0", "id": 1, "result": {
        "content": [{"type": "text", "text": "{\"a\":1}"}],
        "structuredContent": {"a": 1},
        "isError": false,
        "resultType": "complete",
        "_meta": {"io.modelcontextprotocol/serverInfo": {"name": "puppet", "version": "1"}},
    }});
    assert_eq!(reply.json().await, expected);
}

#[tokio::test]
async fn modern_lists_and_reads_carry_cache_hints() {
    let client = Client::new();
    for (method, params) in [
        ("server/discover", json!({})),
        ("tools/list", json!({})),
        ("prompts/list", json!({})),
        ("resources/list", json!({})),
        ("resources/templates/list", json!({})),
        ("resources/read", json!({"uri": "test://a"})),
    ] {
        let result = client.modern(method, params).await.json().await["result"].take();
        assert!(result["ttlMs"].is_u64(), "{method} {result}");
        assert_eq!(result["cacheScope"], "private", "{method}");
        assert_eq!(result["resultType"], "complete", "{method}");
    }
    let result = client.modern("prompts/get", json!({"name": "greet", "arguments": {"who": "you"}})).await;
    let result = result.json().await["result"].take();
    assert_eq!(result["messages"][0]["content"]["text"], "Hello, you!");
    assert_eq!(result["ttlMs"], Value::Null);
}

#[tokio::test]
async fn what_is_wrong_with_a_modern_request_has_a_status() {
    let client = Client::new();
    let call = |name: &str| json!({"name": name});
    let error = client.modern("resources/read", json!({"uri": "test://b"})).await.fails(400, -32602).await;
    assert_eq!(error["error"]["data"]["uri"], "test://b");
    client.modern("tools/call", call("nothing")).await.fails(400, -32602).await;
    client.modern("tools/call", json!({"name": "echo", "arguments": []})).await.fails(400, -32602).await;
    client.modern("prompts/get", call("nothing")).await.fails(400, -32602).await;
    client.modern("tools/list", json!({"cursor": "x"})).await.fails(400, -32602).await;
    client.modern("tools/call", call("panic")).await.fails(200, -32603).await;
    for gone in ["initialize", "ping", "logging/setLevel", "resources/subscribe", "no/such"] {
        client.modern(gone, json!({})).await.fails(404, -32601).await;
    }
    let failed = client.modern("tools/call", call("fail")).await;
    assert_eq!(failed.status, 200);
    assert_eq!(failed.json().await["result"]["isError"], true);
}

#[tokio::test]
async fn a_modern_request_has_to_be_consistent() {
    let client = Client::new();
    let version = ("mcp-protocol-version", "2026-07-28");
    let list = testing::modern("\"x\"", "tools/list", &json!({}));
    let good = [version, ("mcp-method", "tools/list")];
    assert_eq!(client.post(&good, list.clone()).await.status, 200);
    let error = client.post(&[version], list.clone()).await.fails(400, -32020).await;
    assert_eq!(error["id"], "x");
    let other = [("mcp-protocol-version", "2025-11-25"), ("mcp-method", "tools/list")];
    client.post(&other, list.clone()).await.fails(400, -32020).await;
    let twice = [version, ("mcp-method", "tools/list"), ("mcp-method", "tools/list")];
    client.post(&twice, list.clone()).await.fails(400, -32020).await;
    client.post(&good, testing::legacy("1", "tools/list", &json!({}))).await.fails(400, -32602).await;
    let unknown = list.replace("2026-07-28", "v999");
    let headers = [("mcp-protocol-version", "v999"), ("mcp-method", "tools/list")];
    let error = client.post(&headers, unknown).await.fails(400, -32022).await;
    assert_eq!(error["error"]["data"], json!({"supported": ["2026-07-28"], "requested": "v999"}));
    let mirrored =
        testing::modern("1", "tools/call", &json!({"name": "echo", "arguments": {"region": "eu"}}));
    let headers = [version, ("mcp-method", "tools/call"), ("mcp-name", "echo")];
    client.post(&headers, mirrored.clone()).await.fails(400, -32020).await;
    let headers = [version, ("mcp-method", "tools/call"), ("mcp-name", "echo"), ("mcp-param-region", "eu")];
    assert_eq!(client.post(&headers, mirrored).await.status, 200);
}

#[tokio::test]
async fn bodies_that_are_no_message() {
    let client = Client::new();
    let version = ("mcp-protocol-version", "2026-07-28");
    let error = client.post(&[version], "nonsense").await.fails(400, -32700).await;
    assert_eq!(error.get("id"), None);
    let error = client.post(&[], "nonsense").await.fails(400, -32700).await;
    assert_eq!(error.get("id"), Some(&Value::Null));
    client.post(&[], "").await.fails(400, -32700).await;
    client.post(&[], "{\"a\":\"\u{0}").await.fails(400, -32700).await;
    client.post(&[], b"\xff\xfe".to_vec()).await.fails(400, -32700).await;
    client.post(&[], "7").await.fails(400, -32600).await;
    client.post(&[], "[]").await.fails(400, -32600).await;
    client.post(&[version], format!("[{PING}]")).await.fails(400, -32600).await;
    client.post(&[], format!("[{PING}]")).await.fails(400, -32600).await;
    client.post(&[version], r#"{"jsonrpc":"2.0","id":1,"result":{}}"#).await.fails(400, -32600).await;
    client.post(&[version], r#"{"jsonrpc":"2.0","id":null,"method":"x"}"#).await.fails(400, -32600).await;
    let reply = client.post(&[version], r#"{"jsonrpc":"2.0","method":"notifications/cancelled"}"#).await;
    assert_eq!(reply.status, 202);
    assert_eq!(reply.text().await, "");
}

#[tokio::test]
async fn the_gate_turns_away() {
    async fn check(method: &str, headers: &[(&str, &str)], status: u16) {
        let client = Client::new();
        let reply = client.send(method, headers, None, PING.into()).await;
        assert_eq!(reply.status, status, "{method} {headers:?}");
        assert!(reply.json().await["code"].is_string());
    }
    check("POST", &[("host", "evil.example.com")], 403).await;
    check("POST", &[("origin", "http://evil.example.com")], 403).await;
    check("POST", &[("origin", "null")], 403).await;
    check("POST", &[("host", "localhost:8000.evil.example")], 403).await;
    check("GET", &[], 405).await;
    check("PUT", &[], 405).await;
    check("DELETE", &[], 405).await;
    check("GET", &[("mcp-session-id", "x"), ("accept", "application/json")], 406).await;
    check("POST", &[("content-type", "text/plain")], 415).await;
    check("POST", &[("content-type", "")], 415).await;
    check("POST", &[("accept", "text/html")], 406).await;
    check("POST", &[("accept", "application/json")], 406).await;
}

#[tokio::test]
async fn the_gate_lets_in() {
    let named = Options { allowed_hosts: vec!["Crew.example".into()], ..Options::default() };
    let any = Options { allowed_hosts: vec!["*".into()], ..Options::default() };
    for (options, headers) in [
        (&named, [("host", "crew.example"), ("origin", "https://crew.example")]),
        (&named, [("host", "[::1]:80"), ("origin", "http://localhost:3000")]),
        (&named, [("host", "127.0.0.1"), ("accept", "*/*")]),
        (&named, [("host", ""), ("content-type", "application/json; charset=\"utf-8\"")]),
        (&any, [("host", "evil.example"), ("origin", "null")]),
    ] {
        // There is no session, but the request was looked at.
        let reply = Client::with(options).post(&headers, PING).await;
        reply.fails(400, -32600).await;
    }
}

#[tokio::test]
async fn bodies_are_counted_as_they_come() {
    let client = Client::new();
    assert_eq!(client.post(&[], "x".repeat(4097)).await.status, 413);
    assert_eq!(client.post(&[("content-length", "4097")], "x").await.status, 413);
    let chunks = |count| {
        Body::from_stream(stream::repeat_with(|| Ok::<_, std::io::Error>("x".repeat(1024))).take(count))
    };
    assert_eq!(client.post(&[], chunks(1 << 30)).await.status, 413);
    assert_eq!(client.post(&[], chunks(4)).await.status, 400);
    let broken = stream::iter([Ok("{"), Err(std::io::Error::other("gone"))]);
    assert_eq!(client.post(&[], Body::from_stream(broken)).await.status, 400);
}

#[tokio::test]
async fn progress_turns_the_answer_into_a_stream() {
    let client = Client::new();
    let params = json!({"name": "steps", "_meta": {"progressToken": 7}});
    let reply = client.modern("tools/call", params.clone()).await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.headers["x-accel-buffering"], "no");
    let events = reply.events().await;
    assert_eq!(events.len(), 3);
    assert_eq!(events[0]["params"]["progressToken"], 7);
    assert_eq!(events[1]["params"]["message"], "two");
    assert_eq!(events[2]["result"]["content"][0]["text"], "stepped");

    let session = client.open("2025-06-18").await;
    let events = client.legacy(&session, "tools/call", params).await.events().await;
    assert_eq!(events.len(), 3);
    assert_eq!(events[2]["result"]["resultType"], Value::Null);

    let quiet = client.modern("tools/call", json!({"name": "steps"})).await;
    assert_eq!(quiet.json().await["id"], 1);
}

#[tokio::test]
async fn a_silent_call_keeps_its_connection() {
    let options = Options { keep_alive: Duration::from_millis(1), ..Options::default() };
    let client = Client::with(&options);
    let reply = client.modern("tools/call", json!({"name": "wait"})).await;
    let mut body = reply.body.into_data_stream();
    assert_eq!(body.next().await.unwrap().unwrap(), ":\n\n");
    assert_eq!(body.next().await.unwrap().unwrap(), ":\n\n");
    client.puppet.go.notify_one();
    let rest = body.map(|chunk| chunk.unwrap().to_vec()).concat().await;
    assert!(String::from_utf8(rest).unwrap().contains("waited"));
}

#[tokio::test]
async fn closing_a_modern_request_cancels_it() {
    let client = Client::new();
    let reply = client.modern("tools/call", json!({"name": "wait"}));
    tokio::select! {
        _ = reply => panic!("it waits"),
        () = client.puppet.begun.notified() => {}
    }
    client.puppet.dropped.notified().await;
    assert!(client.puppet.seen.lock().as_ref().unwrap().cancelled().is_cancelled());
}

#[tokio::test]
async fn closing_a_legacy_request_does_not_cancel_it() {
    let client = Client::new();
    let session = client.open("2025-11-25").await;
    let reply = client.legacy(&session, "tools/call", json!({"name": "wait"}));
    tokio::select! {
        _ = reply => panic!("it waits"),
        () = client.puppet.begun.notified() => {}
    }
    let context = client.puppet.seen.lock().clone().unwrap();
    assert!(!context.cancelled().is_cancelled());
    // It still holds its id, until it is done.
    client.legacy(&session, "ping", json!({})).await.fails(200, -32600).await;
    client.puppet.go.notify_one();
    client.tracker.stop();
    client.tracker.wait().await;
    assert!(!context.cancelled().is_cancelled());
    assert_eq!(client.legacy(&session, "ping", json!({})).await.json().await["result"], json!({}));
}

#[tokio::test]
async fn a_legacy_request_is_cancelled_by_a_notification() {
    let client = Client::new();
    let session = client.open("2025-11-25").await;
    let cancel = r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#;
    let (reply, ()) = tokio::join!(client.legacy(&session, "tools/call", json!({"name": "wait"})), async {
        client.puppet.begun.notified().await;
        let reply = client.post(&[("mcp-session-id", &session)], cancel).await;
        assert_eq!(reply.status, 202);
    });
    assert_eq!(reply.events().await, [] as [Value; 0]);
}

#[tokio::test]
async fn sessions_begin_and_end() {
    let client = Client::new();
    let session = client.open("2025-11-25").await;
    let initialized = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
    let named = [("mcp-session-id", &*session), ("mcp-protocol-version", "2025-11-25")];
    assert_eq!(client.post(&named, initialized).await.status, 202);
    assert_eq!(client.post(&named, r#"{"jsonrpc":"2.0","id":1,"result":{}}"#).await.status, 202);
    assert_eq!(
        client.post(&named, PING).await.json().await,
        json!({"jsonrpc": "2.0", "id": 1, "result": {}})
    );
    client.post(&[], PING).await.fails(400, -32600).await;
    client.post(&[("mcp-session-id", "unknown")], PING).await.fails(404, -32600).await;
    let other = [("mcp-session-id", &*session), ("mcp-protocol-version", "2025-06-18")];
    client.post(&other, PING).await.fails(400, -32600).await;
    assert_eq!(client.send("DELETE", &named, Some("bob"), Body::empty()).await.status, 404);
    assert_eq!(client.send("DELETE", &named, None, Body::empty()).await.status, 204);
    assert_eq!(client.send("DELETE", &named, None, Body::empty()).await.status, 404);
    client.post(&named, PING).await.fails(404, -32600).await;
    let refused = client.post(&[], testing::legacy("1", "initialize", &json!({}))).await;
    assert!(refused.headers.get("mcp-session-id").is_none());
    refused.fails(200, -32602).await;
}

#[tokio::test]
async fn a_legacy_answer_is_plain() {
    let client = Client::new();
    let session = client.open("2024-11-05").await;
    let tools = client.legacy(&session, "tools/list", json!({})).await.json().await;
    let keys: Vec<_> = tools["result"]["tools"][0].as_object().unwrap().keys().collect();
    assert_eq!(keys, ["name", "description", "inputSchema"]);
    assert_eq!(tools["result"].as_object().unwrap().len(), 1);
    client.legacy(&session, "resources/read", json!({"uri": "x"})).await.fails(200, -32002).await;
    client.legacy(&session, "server/discover", json!({})).await.fails(200, -32601).await;
    let level = client.legacy(&session, "logging/setLevel", json!({"level": "error"})).await;
    assert_eq!(level.json().await["result"], json!({}));
    client.legacy(&session, "logging/setLevel", json!({"level": "loud"})).await.fails(200, -32602).await;
}

#[tokio::test]
async fn capabilities_are_those_that_work() {
    let client = Client::new();
    let params = json!({"protocolVersion": "2025-03-26"});
    let reply = client.post(&[], testing::legacy("0", "initialize", &params)).await.json().await;
    let told = json!({"listChanged": true});
    let resources = json!({"listChanged": true, "subscribe": true});
    let all =
        json!({"tools": told, "prompts": told, "resources": resources, "logging": {}, "completions": {}});
    assert_eq!(reply["result"]["capabilities"], all);
    assert_eq!(reply["result"]["instructions"], "pull the strings");
    let params = json!({"ref": {"type": "ref/prompt", "name": "greet"},
        "argument": {"name": "who", "value": "a"}});
    let reply = client.modern("completion/complete", params).await.json().await;
    let completion = &reply["result"]["completion"];
    assert_eq!(completion["values"].as_array().unwrap().len(), 100);
    assert_eq!(completion["total"], 150);
    assert_eq!(completion["hasMore"], true);
}

#[tokio::test]
async fn one_revision_has_batches() {
    let client = Client::new();
    let batch = format!(r#"[{PING},{{"jsonrpc":"2.0","method":"x"}},{{"jsonrpc":"2.0","id":2}},{PING}]"#);
    let session = client.open("2025-03-26").await;
    let named = [("mcp-session-id", &*session)];
    let answers = client.post(&named, batch.clone()).await.json().await;
    let codes: Vec<_> =
        answers.as_array().unwrap().iter().map(|answer| answer["error"]["code"].as_i64()).collect();
    // The last has an id that is in use, by the first.
    assert_eq!(codes, [Some(-32600), Some(-32600), None]);
    assert_eq!(client.post(&named, r#"[{"jsonrpc":"2.0","method":"x"}]"#).await.status, 202);
    let session = client.open("2025-06-18").await;
    client.post(&[("mcp-session-id", &*session)], batch).await.fails(400, -32600).await;
}

#[tokio::test]
async fn a_principal_is_who_calls() {
    let client = Client::new();
    client.modern("tools/call", json!({"name": "echo"})).await;
    assert_eq!(&**client.puppet.seen.lock().as_ref().unwrap().caller(), "http");
    let body = testing::modern("1", "tools/call", &json!({"name": "echo"}));
    let headers =
        [("mcp-protocol-version", "2026-07-28"), ("mcp-method", "tools/call"), ("mcp-name", "echo")];
    client.send("POST", &headers, Some("ann"), body.into()).await;
    assert_eq!(&**client.puppet.seen.lock().as_ref().unwrap().caller(), "ann");
}

use axum::body::{BodyDataStream, to_bytes};
use futures_util::{FutureExt as _, StreamExt as _};
use http::Request as HttpRequest;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use super::*;
use crate::{
    base::Tracker,
    mcp::{
        http::router_with_sse,
        testing::{Puppet, legacy, modern},
    },
};

/// The server, as its clients reach it.
struct Place {
    router: Router,
    puppet: Arc<Puppet>,
    tracker: Tracker,
}

/// A client with its stream.
struct Client<'a> {
    place: &'a Place,
    path: String,
    stream: BodyDataStream,
    text: String,
}

impl Place {
    fn new() -> Self {
        Self::with(&Options { max_body_bytes: 4096, ..Options::default() })
    }

    fn with(options: &Options) -> Self {
        let (puppet, tracker) = (Puppet::new(), Tracker::new());
        Self { router: router_with_sse(Arc::clone(&puppet) as _, options, tracker.clone()), puppet, tracker }
    }

    async fn send(&self, request: HttpRequest<Body>) -> Response {
        self.router.clone().oneshot(request).await.unwrap()
    }

    async fn post(&self, path: &str, body: impl Into<Body>) -> Response {
        self.send(request("POST", path).body(body.into()).unwrap()).await
    }

    async fn connect(&self) -> Client<'_> {
        self.connect_with(request("GET", "/sse")).await
    }

    async fn connect_with(&self, request: http::request::Builder) -> Client<'_> {
        let response = self.send(request.body(Body::empty()).unwrap()).await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        let stream = response.into_body().into_data_stream();
        let mut client = Client { place: self, path: String::new(), stream, text: String::new() };
        let first = client.event().await.unwrap();
        client.path = first.strip_prefix("event: endpoint\ndata: ").unwrap().trim_end().to_owned();
        client
    }

    /// A client that greeted as one of `version` that has `capabilities`.
    async fn greet(&self, version: &str, capabilities: Value) -> Client<'_> {
        let mut client = self.connect().await;
        let params = json!({"protocolVersion": version, "capabilities": capabilities});
        let answer = client.ask("0", "initialize", params).await;
        assert_eq!(answer["result"]["protocolVersion"], version);
        client.say(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#).await;
        client
    }
}

impl Client<'_> {
    /// The next event as it is written; `None` at the end of the stream.
    async fn event(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.text.find("\n\n") {
                return Some(self.text.drain(..end + 2).collect());
            }
            self.text.push_str(std::str::from_utf8(&self.stream.next().await?.unwrap()).unwrap());
        }
    }

    /// The next message.
    async fn hear(&mut self) -> Value {
        let event = self.event().await.expect("the stream goes on");
        let data = event.strip_prefix("event: message\ndata: ").expect("a message");
        serde_json::from_str(data).unwrap()
    }

    /// Posts what is accepted.
    async fn say(&self, message: impl Into<String>) {
        let response = self.place.post(&self.path, message.into()).await;
        assert_eq!(response.status(), 202);
        assert!(to_bytes(response.into_body(), 1).await.unwrap().is_empty());
    }

    /// Sends a request, and gives what comes next.
    async fn ask(&mut self, id: &str, method: &str, params: Value) -> Value {
        self.say(legacy(id, method, &params)).await;
        self.hear().await
    }

    async fn call(&mut self, tool: &str) -> Value {
        self.ask("1", "tools/call", json!({"name": tool})).await
    }
}

fn request(method: &str, path: &str) -> http::request::Builder {
    let request = HttpRequest::builder().method(method).uri(path).header("host", "localhost:8000");
    request.header("content-type", "application/json")
}

/// Checks status and code of what was refused.
async fn fails(response: Response, status: u16, code: i32) {
    assert_eq!(response.status(), status);
    let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
    let error: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(error["error"]["code"], code, "{error}");
}

#[tokio::test]
async fn answers_come_on_the_stream() {
    let place = Place::new();
    let mut client = place.greet("2024-11-05", json!({})).await;
    let id = client.path.strip_prefix("/messages/?session_id=").unwrap();
    assert!(id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}");
    assert_eq!(client.ask("-7", "ping", json!({})).await, json!({"jsonrpc": "2.0", "id": -7, "result": {}}));
    let error = client.ask("\"a\"", "no/such", json!({})).await;
    assert_eq!((&error["id"], &error["error"]["code"]), (&json!("a"), &json!(-32601)));
    // Without the slash it is the same place.
    client.path = client.path.replace("/?", "?");
    assert_eq!(client.call("fail").await["result"]["isError"], true);
    let params = json!({"name": "steps", "_meta": {"progressToken": 5}});
    client.say(legacy("2", "tools/call", &params)).await;
    for progress in [1, 2] {
        let told = client.hear().await;
        assert_eq!(told["params"], json!({"progressToken": 5, "progress": progress, "total": 2}));
    }
    assert_eq!(client.hear().await["result"]["content"][0]["text"], "stepped");
}

#[tokio::test]
async fn what_is_no_request_for_here_is_refused() {
    let place = Place::new();
    let client = place.greet("2024-11-05", json!({})).await;
    let path = client.path.as_str();
    let ping = || legacy("1", "ping", &json!({}));
    let check = async |method: &str, path: &str, header: (&str, &str), body: String, status: u16| {
        let mut request = HttpRequest::builder().method(method).uri(path);
        for (name, value) in [("host", "localhost"), ("content-type", "application/json")] {
            request = request.header(name, if name == header.0 { header.1 } else { value });
        }
        if !["host", "content-type"].contains(&header.0) {
            request = request.header(header.0, header.1);
        }
        let response = place.send(request.body(body.into()).unwrap()).await;
        assert_eq!(response.status(), status, "{method} {path} {header:?}");
        response
    };
    let none = ("x", "x");
    check("POST", path, none, ping(), 202).await;
    for (method, path, allowed) in
        [("POST", "/sse", "GET"), ("HEAD", "/sse", "GET"), ("GET", path, "POST"), ("DELETE", path, "POST")]
    {
        assert_eq!(check(method, path, none, ping(), 405).await.headers()["allow"], allowed);
    }
    for evil in [("origin", "https://evil.example"), ("host", "evil.example")] {
        check("GET", "/sse", evil, String::new(), 403).await;
        check("POST", path, evil, ping(), 403).await;
    }
    check("GET", "/sse", ("accept", "application/json"), String::new(), 406).await;
    check("POST", path, ("content-type", "text/plain"), ping(), 415).await;
    check("POST", path, none, " ".repeat(5000), 413).await;
    for (path, status) in [
        ("/messages/", 400),
        ("/messages/?session_id=a&session_id=b", 400),
        ("/messages/?session_id=", 404),
        ("/messages/?session_id=0123456789abcdef0123456789abcdef", 404),
    ] {
        fails(place.post(path, ping()).await, status, -32600).await;
    }
    fails(place.post(path, "{").await, 400, -32700).await;
    fails(place.post(path, &b"\xff"[..]).await, 400, -32700).await;
    fails(place.post(path, r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#).await, 400, -32600).await;
    let someone = request("POST", path).extension(Caller::new("someone")).body(ping().into()).unwrap();
    fails(place.send(someone).await, 404, -32600).await;
}

#[tokio::test]
async fn arrays_are_for_the_one_revision_that_has_them() {
    let place = Place::new();
    let batch = format!("[{},{}]", legacy("1", "ping", &json!({})), legacy("2", "initialize", &json!({})));
    let first = place.greet("2024-11-05", json!({})).await;
    fails(place.post(&first.path, batch.clone()).await, 400, -32600).await;
    let mut second = place.greet("2025-03-26", json!({})).await;
    second.say(batch).await;
    let answers = second.hear().await;
    assert_eq!((&answers[0]["result"], &answers[1]["error"]["code"]), (&json!({}), &json!(-32600)));
    second.say(r#"[{"jsonrpc":"2.0","method":"notifications/initialized"}]"#).await;
    fails(place.post(&second.path, "[]").await, 400, -32600).await;
    assert_eq!(second.ask("3", "ping", json!({})).await["id"], 3, "nothing came between");
}

#[tokio::test]
async fn a_call_can_be_cancelled_and_leaves_no_answer() {
    let place = Place::new();
    let mut client = place.greet("2024-11-05", json!({})).await;
    client.say(legacy("1", "tools/call", &json!({"name": "wait"}))).await;
    place.puppet.begun.notified().await;
    assert_eq!(client.call("fail").await["error"]["code"], -32600, "the id is in use");
    client.say(r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#).await;
    place.puppet.dropped.notified().await;
    assert_eq!(client.ask("2", "ping", json!({})).await["id"], 2);
}

#[tokio::test]
async fn a_session_ends_with_its_stream() {
    let place = Place::new();
    let client = place.greet("2024-11-05", json!({})).await;
    client.say(legacy("1", "tools/call", &json!({"name": "wait"}))).await;
    place.puppet.begun.notified().await;
    assert_eq!(place.puppet.bus.listeners(), 1);
    let path = client.path.clone();
    drop(client);
    place.puppet.dropped.notified().await;
    assert_eq!(place.puppet.bus.listeners(), 0);
    fails(place.post(&path, legacy("2", "ping", &json!({}))).await, 404, -32600).await;
}

#[tokio::test]
async fn a_client_is_asked_on_its_stream() {
    let place = Place::new();
    let mut client = place.greet("2025-06-18", json!({"elicitation": {}})).await;
    let asked = client.call("ask").await;
    assert_eq!(asked["method"], "elicitation/create");
    let answer = json!({"action": "accept", "content": {"name": "Ann"}});
    client.say(json!({"jsonrpc": "2.0", "id": asked["id"], "result": answer}).to_string()).await;
    assert_eq!(client.hear().await["result"]["content"][0]["text"], "Hello, Ann!");
    let mut older = place.greet("2024-11-05", json!({"sampling": {}, "roots": {}})).await;
    let asked = [older.call("interview").await, older.hear().await];
    assert_eq!(asked.each_ref().map(|one| &one["method"]), ["sampling/createMessage", "roots/list"]);
}

#[tokio::test]
async fn changes_are_told_once_the_client_has_greeted() {
    let place = Place::new();
    let stranger = place.connect().await;
    let mut client = place.greet("2024-11-05", json!({})).await;
    assert_eq!(place.puppet.bus.listeners(), 1);
    place.puppet.bus.tools_changed();
    assert_eq!(client.hear().await["method"], "notifications/tools/list_changed");
    drop(stranger);
}

#[tokio::test]
async fn who_comes_back_need_not_greet_again() {
    let place = Place::new();
    let again = request("GET", "/sse").header("mcp-protocol-version", "2025-06-18");
    let mut client = place.connect_with(again).await;
    let tools = client.ask("1", "tools/list", json!({})).await;
    assert_eq!(tools["result"]["tools"][0]["title"], "ECHO", "that revision has titles");
    place.puppet.bus.tools_changed();
    assert_eq!(client.hear().await["method"], "notifications/tools/list_changed");
    let mut silent = place.connect().await;
    assert!(silent.ask("1", "tools/list", json!({})).await["result"]["tools"][0]["title"].is_null());
}

#[tokio::test]
async fn the_newer_era_is_elsewhere() {
    let place = Place::new();
    let mut client = place.connect().await;
    for (method, code) in [("server/discover", -32601), ("tools/list", -32600)] {
        client.say(modern("1", method, &json!({}))).await;
        assert_eq!(client.hear().await["error"]["code"], code);
    }
    let params = json!({"protocolVersion": "2026-07-28", "capabilities": {}});
    let settled = client.ask("2", "initialize", params).await;
    assert_eq!(settled["result"]["protocolVersion"], "2025-11-25");
}

#[tokio::test]
async fn the_longest_unused_session_makes_room() {
    let place = Place::with(&Options { session_limit: 2, ..Options::default() });
    let mut first = place.connect().await;
    let mut second = place.connect().await;
    first.ask("1", "ping", json!({})).await;
    let mut third = place.connect().await;
    assert_eq!(second.event().await, None);
    for client in [&mut first, &mut third] {
        assert_eq!(client.ask("2", "ping", json!({})).await["id"], 2);
    }
}

#[tokio::test]
async fn one_session_may_not_take_all_places() {
    let place = Place::new();
    let mut client = place.greet("2024-11-05", json!({})).await;
    for id in 0..channel::CALLS {
        client.say(legacy(&id.to_string(), "tools/call", &json!({"name": "wait"}))).await;
    }
    let refused = client.ask("9999", "ping", json!({})).await;
    assert_eq!((&refused["id"], &refused["error"]["code"]), (&json!(9999), &json!(-32603)));
}

#[tokio::test(start_paused = true)]
async fn who_does_not_read_is_cut_off() {
    let place = Place::with(&Options { max_body_bytes: 8 << 20, ..Options::default() });
    let client = place.greet("2025-06-18", json!({})).await;
    let params = json!({"name": "echo", "arguments": {"text": "x".repeat(3 << 20)}});
    for id in 0..3 {
        client.say(legacy(&id.to_string(), "tools/call", &params)).await;
    }
    tokio::time::sleep(queue::PATIENCE / 2).await;
    client.say(legacy("8", "ping", &json!({}))).await;
    tokio::time::sleep(queue::PATIENCE).await;
    fails(place.post(&client.path, legacy("9", "ping", &json!({}))).await, 404, -32600).await;
}

#[tokio::test(start_paused = true)]
async fn a_silent_stream_shows_that_it_lives() {
    let place = Place::new();
    let mut client = place.connect().await;
    assert!(client.event().now_or_never().is_none());
    assert_eq!(client.event().await.unwrap(), ":\n\n");
    assert_eq!(client.event().await.unwrap(), ":\n\n");
    assert_eq!(client.ask("1", "ping", json!({})).await["id"], 1);
}

#[tokio::test(start_paused = true)]
async fn at_the_end_of_the_server_what_runs_is_answered() {
    let place = Place::new();
    let mut idle = place.connect().await;
    let mut client = place.greet("2024-11-05", json!({})).await;
    client.say(legacy("1", "tools/call", &json!({"name": "wait"}))).await;
    place.puppet.begun.notified().await;
    place.tracker.stop();
    assert_eq!(idle.event().await, None);
    assert!(client.event().now_or_never().is_none());
    place.puppet.go.notify_one();
    assert_eq!(client.hear().await["result"]["content"][0]["text"], "waited");
    assert_eq!(client.event().await, None);
    place.tracker.wait().await;
}

#[tokio::test]
async fn a_second_greeting_is_refused() {
    let place = Place::new();
    let mut client = place.greet("2025-06-18", json!({"elicitation": {}})).await;
    let again = json!({"protocolVersion": "2024-11-05", "capabilities": {}});
    let refused = client.ask("2", "initialize", again.clone()).await;
    assert_eq!((&refused["id"], &refused["error"]["code"]), (&json!(2), &json!(-32600)), "{refused}");
    // What was settled stays: a client without forms could not be asked.
    client.say(legacy("3", "tools/call", &json!({"name": "ask"}))).await;
    assert_eq!(client.hear().await["method"], "elicitation/create");
    // Who only said its revision in a header may still greet.
    let known = request("GET", "/sse").header("mcp-protocol-version", "2025-06-18");
    let mut back = place.connect_with(known).await;
    assert_eq!(back.ask("1", "initialize", again).await["result"]["protocolVersion"], "2024-11-05");
}

#[tokio::test]
async fn both_transports_share_their_limits() {
    let place = Place::with(&Options { call_limit: 1, ..Options::default() });
    let client = place.greet("2025-06-18", json!({})).await;
    client.say(legacy("1", "tools/call", &json!({"name": "wait"}))).await;
    place.puppet.begun.notified().await;
    let params = json!({"protocolVersion": "2025-06-18", "capabilities": {}});
    let posted = request("POST", "/mcp").header("accept", "application/json, text/event-stream");
    let greeted = place.send(posted.body(legacy("0", "initialize", &params).into()).unwrap()).await;
    let session = greeted.headers()["mcp-session-id"].clone();
    let posted = request("POST", "/mcp").header("accept", "application/json, text/event-stream");
    let call = posted.header("mcp-session-id", session).body(legacy("1", "ping", &json!({})).into());
    assert_eq!(place.send(call.unwrap()).await.status(), 503);
}

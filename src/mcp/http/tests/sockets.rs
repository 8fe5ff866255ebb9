//! What only shows on a real connection: it breaks, it is not read, there are many.

use std::net::SocketAddr;

use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
};

use super::*;

/// A server on a port of its own.
struct Served {
    puppet: Arc<Puppet>,
    tracker: Tracker,
    address: SocketAddr,
}

impl Served {
    async fn new() -> Self {
        let Client { router, puppet, tracker } = Client::with(&Options::default());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let ending = tracker.stopping().clone().cancelled_owned();
        let server = axum::serve(listener, router).with_graceful_shutdown(ending);
        tracker.spawn(async move { server.await.unwrap() });
        Self { puppet, tracker, address }
    }

    /// Sends a request, and reads the head of the response.
    async fn send(&self, method: &str, headers: &str, body: &str) -> (String, BufReader<TcpStream>) {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let length = body.len();
        let request = format!(
            "{method} /mcp HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
             accept: application/json, text/event-stream\r\ncontent-length: {length}\r\n{headers}\r\n{body}"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut reader = BufReader::new(stream);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert_ne!(reader.read_line(&mut head).await.unwrap(), 0, "{head}");
        }
        (head, reader)
    }

    async fn modern(&self, method: &str, params: Value) -> (String, BufReader<TcpStream>) {
        let name = params.get("name").and_then(Value::as_str).map(|name| format!("mcp-name: {name}\r\n"));
        let name = name.unwrap_or_default();
        let headers = format!("mcp-protocol-version: 2026-07-28\r\nmcp-method: {method}\r\n{name}");
        self.send("POST", &headers, &testing::modern("1", method, &params)).await
    }

    /// Opens a session; returns the header that names it.
    async fn open(&self) -> String {
        let params = json!({"protocolVersion": "2025-11-25", "capabilities": {}});
        let (head, _) = self.send("POST", "", &testing::legacy("0", "initialize", &params)).await;
        format!("{}\r\n", head.lines().find(|line| line.starts_with("mcp-session-id")).unwrap())
    }
}

/// The next line that starts with `start`.
async fn line(reader: &mut BufReader<TcpStream>, start: &str) -> String {
    loop {
        let mut line = String::new();
        assert_ne!(reader.read_line(&mut line).await.unwrap(), 0, "no line starts with {start:?}");
        if line.starts_with(start) {
            return line.trim_end().to_owned();
        }
    }
}

#[tokio::test]
async fn a_broken_connection_cancels_a_modern_call() {
    let served = Served::new().await;
    let params = json!({"name": "leave", "_meta": {"progressToken": 1}});
    let call = served.modern("tools/call", params);
    tokio::select! {
        _ = call => panic!("it waits"),
        () = served.puppet.begun.notified() => {}
    }
    let context = served.puppet.seen.lock().clone().unwrap();
    context.cancelled().cancelled().await;
}

#[tokio::test]
async fn a_broken_connection_of_a_session_is_made_good() {
    let served = Served::new().await;
    let session = served.open().await;
    let params = json!({"name": "leave", "_meta": {"progressToken": 1}});
    let (_, mut reader) = served.send("POST", &session, &testing::legacy("1", "tools/call", &params)).await;
    let id = line(&mut reader, "id: ").await;
    assert_eq!(line(&mut reader, "data:").await, "data:");
    drop(reader);
    let context = served.puppet.seen.lock().clone().unwrap();
    served.puppet.go.notify_one();
    let last = format!("{session}last-event-id: {}\r\n", id.trim_start_matches("id: "));
    let (_, mut reader) = served.send("GET", &last, "").await;
    assert!(line(&mut reader, "data:").await.contains("notifications/progress"));
    assert!(line(&mut reader, "data:").await.contains("came back"));
    assert!(!context.cancelled().is_cancelled());
}

#[tokio::test]
async fn a_thousand_streams_hear_and_go() {
    let served = Served::new().await;
    let wishes = json!({"notifications": {"toolsListChanged": true}});
    let mut open = Vec::new();
    for _ in 0..1000 {
        let (_, mut reader) = served.modern("subscriptions/listen", wishes.clone()).await;
        line(&mut reader, "data: ").await;
        open.push(reader);
    }
    assert_eq!(served.puppet.bus.listeners(), 1000);
    served.puppet.bus.tools_changed();
    for reader in &mut open {
        assert!(line(reader, "data: ").await.contains("tools/list_changed"));
    }
    drop(open.split_off(500));
    while served.puppet.bus.listeners() > 500 {
        tokio::task::yield_now().await;
    }
    // The end of the server is the end of the others, and each is told.
    served.tracker.stop();
    for reader in &mut open {
        assert!(line(reader, "data: ").await.contains("complete"));
    }
    served.tracker.wait().await;
    assert_eq!(served.puppet.bus.listeners(), 0);
}

#[tokio::test]
async fn a_stream_that_is_not_read_is_ended_for_the_others() {
    let served = Served::new().await;
    let uri = "x".repeat(4000);
    let wishes = json!({"notifications": {"resourceSubscriptions": [uri]}});
    let (_, slow) = served.modern("subscriptions/listen", wishes).await;
    // What the sockets between hold has a bound, and then the backlog has.
    while served.puppet.bus.listeners() > 0 {
        served.puppet.bus.resource_updated(&uri);
        tokio::task::yield_now().await;
    }
    drop(slow);
    let (_, mut other) = served.modern("subscriptions/listen", json!({"notifications": {}})).await;
    assert!(line(&mut other, "data: ").await.contains("acknowledged"));
}

#[tokio::test]
async fn a_bad_origin_alone_is_enough() {
    let served = Served::new().await;
    for (method, origin, status) in [
        ("POST", "http://evil.example", "403"),
        ("GET", "http://evil.example", "403"),
        ("DELETE", "http://evil.example", "403"),
        ("POST", "http://localhost:1234", "400"),
    ] {
        let (head, _) = served.send(method, &format!("origin: {origin}\r\n"), "{}").await;
        assert!(head.starts_with(&format!("HTTP/1.1 {status}")), "{method} {head}");
    }
}

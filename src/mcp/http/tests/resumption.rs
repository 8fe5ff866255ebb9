use super::*;

/// The events of a response, as they are written.
async fn raw(reply: Reply) -> Vec<String> {
    assert_eq!(reply.status, 200);
    assert_eq!(reply.headers["content-type"], "text/event-stream");
    reply.text().await.split_terminator("\n\n").map(str::to_owned).collect()
}

impl Client {
    /// Connects to a stream of the session `id`.
    async fn get(&self, id: &str, last: Option<&str>) -> Reply {
        let headers = [
            ("mcp-session-id", id),
            ("accept", "text/event-stream"),
            ("last-event-id", last.unwrap_or_default()),
        ];
        self.send("GET", &headers, None, Body::empty()).await
    }
}

#[tokio::test]
async fn a_call_may_drop_its_connection_and_be_come_back_to() {
    let client = Client::new();
    let session = client.open("2025-11-25").await;
    let params = json!({"name": "leave", "_meta": {"progressToken": "t"}});
    let first = raw(client.legacy(&session, "tools/call", params).await).await;
    assert_eq!(first, ["id: 1-0\nretry: 500\ndata: "]);
    client.puppet.begun.notified().await;
    client.puppet.go.notify_one();
    let rest = raw(client.get(&session, Some("1-0")).await).await;
    assert_eq!(rest.len(), 2);
    assert!(rest[0].starts_with("id: 1-1\nevent: message\ndata: {") && rest[0].contains("progress"));
    assert!(rest[1].starts_with("id: 1-2\n") && rest[1].contains("came back"));
    // It can be had once more, in whole or in part.
    assert_eq!(raw(client.get(&session, Some("1-0")).await).await, rest);
    assert_eq!(raw(client.get(&session, Some("1-1")).await).await, rest[1..]);
    assert_eq!(raw(client.get(&session, Some("1-99")).await).await, [""; 0]);
}

#[tokio::test]
async fn before_there_was_polling_a_connection_is_kept() {
    let client = Client::new();
    for version in ["2025-03-26", "2025-06-18"] {
        let session = client.open(version).await;
        client.puppet.go.notify_one();
        let reply = client.legacy(&session, "tools/call", json!({"name": "leave"})).await;
        assert_eq!(reply.json().await["result"]["content"][0]["text"], "came back");
        let params = json!({"name": "steps", "_meta": {"progressToken": "t"}});
        let events = raw(client.legacy(&session, "tools/call", params).await).await;
        assert!(events[0].starts_with("id: 1-0\nevent: message\ndata: {"), "{events:?}");
    }
    client.puppet.go.notify_one();
    let reply = client.modern("tools/call", json!({"name": "leave"})).await;
    assert_eq!(reply.json().await["result"]["content"][0]["text"], "came back");
}

#[tokio::test]
async fn only_the_stream_of_the_event_is_replayed() {
    let client = Client::new();
    let session = client.open("2025-11-25").await;
    let params = json!({"name": "steps", "_meta": {"progressToken": "t"}});
    for number in 1..3 {
        let events = raw(client.legacy(&session, "tools/call", params.clone()).await).await;
        assert_eq!(events.len(), 4);
        assert!(events.iter().all(|event| event.starts_with(&format!("id: {number}-"))));
    }
    let replayed = raw(client.get(&session, Some("1-2")).await).await;
    assert_eq!(replayed.len(), 1);
    assert!(replayed[0].contains("stepped"));
}

#[tokio::test]
async fn a_stream_is_of_its_session() {
    let client = Client::new();
    let session = client.open("2025-11-25").await;
    let params = json!({"name": "steps", "_meta": {"progressToken": "t"}});
    raw(client.legacy(&session, "tools/call", params).await).await;
    let other = client.open("2025-11-25").await;
    client.get(&other, Some("1-0")).await.fails(400, -32600).await;
    for event in ["", "1", "x-1", "1-x", "9-0", "0-0", "-", "99999999999999999999-0"] {
        let headers =
            [("mcp-session-id", &*session), ("accept", "text/event-stream"), ("last-event-id", event)];
        if !event.is_empty() {
            client.send("GET", &headers, None, Body::empty()).await.fails(400, -32600).await;
        }
        let bob = client.send("GET", &headers, Some("bob"), Body::empty()).await;
        bob.fails(404, -32600).await;
    }
    client.get("unknown", None).await.fails(404, -32600).await;
}

#[tokio::test]
async fn cancelling_ends_a_call_that_dropped_its_connection() {
    let client = Client::new();
    let session = client.open("2025-11-25").await;
    raw(client.legacy(&session, "tools/call", json!({"name": "leave"})).await).await;
    let cancel = r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#;
    assert_eq!(client.post(&[("mcp-session-id", &session)], cancel).await.status, 202);
    assert_eq!(raw(client.get(&session, Some("1-0")).await).await, [""; 0]);
    assert!(client.puppet.seen.lock().as_ref().unwrap().cancelled().is_cancelled());
}

#[tokio::test]
async fn ending_a_session_ends_what_goes_on_in_it() {
    let client = Client::new();
    let session = client.open("2025-11-25").await;
    raw(client.legacy(&session, "tools/call", json!({"name": "leave"})).await).await;
    let standalone = client.get(&session, None).await;
    let resumed = client.get(&session, Some("1-0")).await;
    let named = [("mcp-session-id", &*session)];
    assert_eq!(client.send("DELETE", &named, None, Body::empty()).await.status, 204);
    assert_eq!(standalone.text().await, "");
    assert_eq!(resumed.text().await, "");
    assert_eq!(client.puppet.bus.listeners(), 0);
    client.get(&session, None).await.fails(404, -32600).await;
}

#[tokio::test]
async fn what_is_kept_is_bounded() {
    use crate::mcp::http::streams::{Budget, Streams};
    let budget = Arc::new(Budget::default());
    let streams = Streams::new(Arc::clone(&budget));
    let stream = streams.open();
    for number in 0..1000 {
        stream.say(&number.to_string());
    }
    let connection = stream.connect(None, Duration::from_secs(9), None);
    stream.finish();
    let kept: Vec<_> = connection.map(|events| events.unwrap()).collect().await;
    let kept = String::from_utf8(kept.concat()).unwrap();
    assert_eq!(kept.matches("data: ").count(), 256);
    assert!(kept.starts_with("id: 1-744\n"));

    let large = streams.open();
    large.say(&"x".repeat(3 << 20));
    large.say("the last");
    let connection = large.connect(None, Duration::from_secs(9), None);
    large.finish();
    let kept: Vec<_> = connection.map(|events| events.unwrap()).collect().await;
    assert_eq!(kept.concat(), b"id: 2-1\nevent: message\ndata: the last\n\n");

    for _ in 0..100 {
        streams.open().finish();
    }
    assert!(streams.find("2-0").is_none() && streams.find("102-0").is_some());
    streams.close();
    drop((streams, stream, large));
    assert_eq!(format!("{budget:?}"), "Budget(0)");
}

#[tokio::test]
async fn a_newer_connection_takes_over() {
    let client = Client::new();
    let session = client.open("2025-11-25").await;
    let first = client.get(&session, None).await;
    let second = client.get(&session, None).await;
    assert_eq!(first.text().await, "");
    client.puppet.bus.tools_changed();
    let named = [("mcp-session-id", &*session)];
    assert_eq!(client.send("DELETE", &named, None, Body::empty()).await.status, 204);
    let events = raw(second).await;
    assert_eq!(events.len(), 1);
    assert!(events[0].contains("notifications/tools/list_changed"));
}

use axum::body::BodyDataStream;

use super::*;

/// A stream of events that is read as it comes.
struct Live(BodyDataStream);

impl Live {
    fn of(reply: Reply) -> Self {
        assert_eq!(reply.status, 200);
        assert_eq!(reply.headers["content-type"], "text/event-stream");
        Self(reply.body.into_data_stream())
    }

    /// The messages that come next, in one piece.
    async fn next(&mut self) -> Vec<Value> {
        let Some(chunk) = self.0.next().await else { return Vec::new() };
        let text = String::from_utf8(chunk.unwrap().to_vec()).unwrap();
        let data = text.lines().filter_map(|line| line.strip_prefix("data: "));
        data.map(|data| serde_json::from_str(data).unwrap()).collect()
    }
}

async fn listen(client: &Client, wishes: Value) -> Live {
    Live::of(client.modern("subscriptions/listen", json!({"notifications": wishes})).await)
}

const ID: &str = "io.modelcontextprotocol/subscriptionId";

#[tokio::test]
async fn a_stream_tells_what_was_asked_for() {
    let client = Client::new();
    let bus = &client.puppet.bus;
    let wishes =
        json!({"toolsListChanged": true, "promptsListChanged": false, "resourceSubscriptions": ["a", "b\""]});
    let mut stream = listen(&client, wishes).await;
    let acknowledged = stream.next().await;
    assert_eq!(acknowledged[0]["method"], "notifications/subscriptions/acknowledged");
    let honoured = json!({"toolsListChanged": true, "resourceSubscriptions": ["a", "b\""]});
    assert_eq!(acknowledged[0]["params"], json!({"notifications": honoured, "_meta": {ID: 1}}));
    bus.prompts_changed();
    bus.resources_changed();
    bus.resource_updated("c");
    bus.tools_changed();
    bus.resource_updated("b\"");
    let told = stream.next().await;
    assert_eq!(told.len(), 2, "{told:?}");
    assert_eq!(told[0]["method"], "notifications/tools/list_changed");
    assert_eq!(told[0]["params"], json!({"_meta": {ID: 1}}));
    assert_eq!(told[1]["method"], "notifications/resources/updated");
    assert_eq!(told[1]["params"], json!({"uri": "b\"", "_meta": {ID: 1}}));
    client.tracker.stop();
    let end = stream.next().await;
    assert_eq!(end[0]["id"], 1);
    assert_eq!(end[0]["result"]["resultType"], "complete");
    assert_eq!(end[0]["result"]["_meta"][ID], 1);
    assert_eq!(stream.next().await, [] as [Value; 0]);
    assert_eq!(bus.listeners(), 0);
}

#[tokio::test]
async fn tasks_are_told_of_to_those_who_can_have_them() {
    let client = Client::with(&Options::default());
    let mut params = json!({"notifications": {"taskIds": ["t"]}});
    let error = client.modern("subscriptions/listen", params.clone()).await.fails(400, -32021).await;
    let tasks = json!({"extensions": {"io.modelcontextprotocol/tasks": {}}});
    assert_eq!(error["error"]["data"]["requiredCapabilities"], tasks);
    params["_meta"]["io.modelcontextprotocol/clientCapabilities"] = tasks;
    let mut stream = Live::of(client.modern("subscriptions/listen", params).await);
    assert_eq!(stream.next().await[0]["params"]["notifications"], json!({}), "this bus tells of none");
    for wrong in [json!({}), json!({"notifications": []}), json!({"notifications": {"toolsListChanged": 1}})]
    {
        client.modern("subscriptions/listen", wrong).await.fails(400, -32602).await;
    }
    let many: Vec<String> = (0..1000).map(|number| number.to_string()).collect();
    let wishes = json!({"notifications": {"resourceSubscriptions": many}});
    client.modern("subscriptions/listen", wishes).await.fails(400, -32602).await;
}

#[tokio::test]
async fn streams_are_bounded_and_leave_nothing_behind() {
    let client = Client::with(&Options { stream_limit: 1000, ..Options::default() });
    let mut open = Vec::new();
    for _ in 0..1000 {
        open.push(listen(&client, json!({"toolsListChanged": true})).await);
    }
    let refused = client.modern("subscriptions/listen", json!({"notifications": {}})).await;
    refused.fails(200, -32603).await;
    for stream in &mut open {
        assert_eq!(stream.next().await.len(), 1);
    }
    client.puppet.bus.tools_changed();
    for stream in &mut open {
        assert_eq!(stream.next().await.len(), 1);
    }
    drop(open);
    assert_eq!(client.puppet.bus.listeners(), 0);
    listen(&client, json!({})).await;
}

#[tokio::test]
async fn a_stream_that_is_not_read_ends() {
    let client = Client::with(&Options { stream_limit: 1, ..Options::default() });
    let mut slow = listen(&client, json!({"toolsListChanged": true})).await;
    for _ in 0..300 {
        client.puppet.bus.tools_changed();
    }
    assert_eq!(client.puppet.bus.listeners(), 0);
    // Its place is free, though the connection is still there.
    let mut other = listen(&client, json!({"toolsListChanged": true})).await;
    assert_eq!(other.next().await.len(), 1);
    let mut told = 0;
    loop {
        let messages = slow.next().await;
        told += messages.len();
        if messages.last().is_none_or(|last| last.get("result").is_some()) {
            break;
        }
    }
    assert!(told < 260, "{told}");
}

#[tokio::test]
async fn a_session_hears_of_lists_and_of_what_it_subscribed_to() {
    let client = Client::new();
    let bus = client.puppet.bus.clone();
    let session = client.open("2025-06-18").await;
    let headers = [("mcp-session-id", &*session), ("accept", "text/event-stream")];
    let mut stream = Live::of(client.send("GET", &headers, None, Body::empty()).await);
    for uri in ["a", "b"] {
        let reply = client.legacy(&session, "resources/subscribe", json!({"uri": uri})).await;
        assert_eq!(reply.json().await["result"], json!({}));
    }
    let reply = client.legacy(&session, "resources/unsubscribe", json!({"uri": "b"})).await;
    assert_eq!(reply.json().await["result"], json!({}));
    for uri in ["a", "b", "c"] {
        bus.resource_updated(uri);
    }
    bus.prompts_changed();
    let told = stream.next().await;
    let expected = [
        json!({"jsonrpc": "2.0", "method": "notifications/resources/updated", "params": {"uri": "a"}}),
        json!({"jsonrpc": "2.0", "method": "notifications/prompts/list_changed"}),
    ];
    assert_eq!(told, expected);
    // What happens while the client is away waits for it.
    drop(stream);
    bus.tools_changed();
    let mut stream = Live::of(client.send("GET", &headers, None, Body::empty()).await);
    assert_eq!(stream.next().await[0]["method"], "notifications/tools/list_changed");
    client.tracker.stop();
    assert_eq!(stream.next().await, [] as [Value; 0]);
    let many = async |number: usize| {
        let uri = format!("{number}");
        client.legacy(&session, "resources/subscribe", json!({"uri": uri})).await.json().await
    };
    for number in 1..512 {
        assert_eq!(many(number).await["result"], json!({}));
    }
    assert_eq!(many(512).await["error"]["code"], -32602);
}

#[tokio::test]
async fn calls_are_bounded() {
    let client = Client::with(&Options { call_limit: 1, ..Options::default() });
    let session = client.open("2025-06-18").await;
    let waiting = client.modern("tools/call", json!({"name": "wait"}));
    let busy = async {
        client.puppet.begun.notified().await;
        client.modern("tools/call", json!({"name": "echo"})).await.fails(503, -32603).await;
        client.legacy(&session, "ping", json!({})).await.fails(503, -32603).await;
        // Those who only listen do no work.
        listen(&client, json!({})).await;
        client.puppet.go.notify_one();
    };
    let (reply, ()) = tokio::join!(waiting, busy);
    assert_eq!(reply.status, 200);
    assert_eq!(client.modern("tools/call", json!({"name": "echo"})).await.status, 200);
}

#[tokio::test]
async fn a_tool_with_wrong_annotations_is_not_served() {
    let client = Client::new();
    let tools = client.modern("tools/list", json!({})).await.json().await;
    assert!(tools["result"]["tools"].as_array().unwrap().len() > 5);
    assert!(!tools.to_string().contains("misfit"));
    client.modern("tools/call", json!({"name": "misfit"})).await.fails(400, -32602).await;
}

#[tokio::test]
async fn a_batch_tells_progress_before_its_answers() {
    let client = Client::new();
    let session = client.open("2025-03-26").await;
    let call = |id: u8| {
        let params = json!({"name": "steps", "_meta": {"progressToken": id}});
        testing::legacy(&id.to_string(), "tools/call", &params)
    };
    let batch = format!("[{},{}]", call(1), call(2));
    let mut messages = client.post(&[("mcp-session-id", &*session)], batch).await.events().await;
    let answers = messages.pop().unwrap();
    assert_eq!(answers.as_array().unwrap().len(), 2);
    assert_eq!(messages.len(), 4);
    assert!(messages.iter().all(|message| message["method"] == "notifications/progress"));
}

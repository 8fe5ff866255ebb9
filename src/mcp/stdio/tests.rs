use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader, DuplexStream, Lines, duplex},
    task::JoinHandle,
};

use super::*;
use crate::mcp::testing::{Puppet, legacy, modern};

/// A client in memory, and the server it talks to.
struct Talk {
    puppet: Arc<Puppet>,
    input: Option<DuplexStream>,
    output: Lines<BufReader<DuplexStream>>,
    served: JoinHandle<io::Result<()>>,
}

impl Talk {
    fn new() -> Self {
        let puppet = Puppet::new();
        let (input, reader) = duplex(1 << 16);
        let (writer, output) = duplex(1 << 16);
        let tracker = Tracker::new();
        let serve = serve_stdio(Arc::clone(&puppet) as _, reader, writer, tracker.clone());
        let served = tracker.spawn(serve);
        Self { puppet, input: Some(input), output: BufReader::new(output).lines(), served }
    }

    async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let input = self.input.as_mut().unwrap();
        input.write_all(bytes.as_ref()).await.unwrap();
        input.write_all(b"\n").await.unwrap();
    }

    async fn heard(&mut self) -> Value {
        let line = self.output.next_line().await.unwrap().expect("an answer");
        serde_json::from_str(&line).unwrap()
    }

    async fn ask(&mut self, message: String) -> Value {
        self.send(message).await;
        self.heard().await
    }

    /// Ends the input; returns what is still said.
    async fn end(mut self) -> Vec<Value> {
        drop(self.input.take());
        let mut rest = Vec::new();
        while let Some(line) = self.output.next_line().await.unwrap() {
            rest.push(serde_json::from_str(&line).unwrap());
        }
        self.served.await.unwrap().unwrap();
        rest
    }
}

fn call(id: &str, tool: &str) -> String {
    modern(id, "tools/call", &json!({"name": tool, "arguments": {}}))
}

#[tokio::test]
async fn both_eras_are_spoken_on_one_pipe() {
    let mut talk = Talk::new();
    let hello = legacy("1", "initialize", &json!({"protocolVersion": "2025-06-18", "capabilities": {}}));
    let answer = talk.ask(hello).await;
    assert_eq!(answer["result"]["protocolVersion"], "2025-06-18");
    assert_eq!(answer["result"]["serverInfo"]["name"], "puppet");
    talk.send(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#).await;
    let answer = talk.ask(legacy("2", "tools/list", &json!({}))).await;
    assert_eq!(answer["result"]["resultType"], Value::Null);
    let answer = talk.ask(modern("3", "server/discover", &json!({}))).await;
    assert_eq!(answer["result"]["supportedVersions"], json!(["2026-07-28"]));
    assert_eq!(answer["result"]["resultType"], "complete");
    assert_eq!(talk.end().await, [] as [Value; 0]);
}

#[tokio::test]
async fn ids_come_back_as_they_were() {
    let mut talk = Talk::new();
    for id in ["7", "-5", "99999999999999999999", r#""a\"b""#, r#""""#] {
        talk.send(legacy(id, "ping", &json!({}))).await;
        let line = talk.output.next_line().await.unwrap().unwrap();
        assert_eq!(line, format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{}}}}"#));
    }
}

#[tokio::test]
async fn what_is_no_message_is_refused_and_the_talk_goes_on() {
    async fn check(talk: &mut Talk, line: &[u8], code: i32, id: Value) {
        talk.send(line).await;
        let answer = talk.heard().await;
        assert_eq!(answer["error"]["code"], code, "{answer}");
        assert_eq!(answer["id"], id, "{answer}");
        let pong = talk.ask(legacy("1", "ping", &json!({}))).await;
        assert_eq!(pong["result"], json!({}));
    }
    let mut talk = Talk::new();
    check(&mut talk, b"garbage", -32700, Value::Null).await;
    check(&mut talk, b"{\"jsonrpc\":\"2.0\",\"method\":\"\xff\"}", -32700, Value::Null).await;
    check(&mut talk, b"\0\0", -32700, Value::Null).await;
    check(&mut talk, b"[]", -32600, Value::Null).await;
    check(&mut talk, b"17", -32600, Value::Null).await;
    check(&mut talk, br#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#, -32600, Value::Null).await;
    check(&mut talk, br#"{"jsonrpc":"2.0","id":4,"method":[]}"#, -32600, json!(4)).await;
    check(&mut talk, br#"{"jsonrpc":"2.0","id":4,"method":"no/such"}"#, -32601, json!(4)).await;
    check(&mut talk, br#"{"jsonrpc":"2.0","id":4,"method":"initialize","params":[]}"#, -32602, json!(4))
        .await;
    talk.send("").await;
    talk.send(" \r").await;
    check(&mut talk, b"{", -32700, Value::Null).await;
}

#[tokio::test]
async fn a_giant_line_is_skipped() {
    let mut talk = Talk::new();
    let mut giant = vec![b'x'; LINE_LIMIT + 2];
    giant.push(b'\n');
    let mut input = talk.input.take().unwrap();
    let sent = Tracker::new().spawn(async move {
        input.write_all(&giant).await.unwrap();
        input
    });
    assert_eq!(talk.heard().await["error"]["code"], -32600);
    talk.input = Some(sent.await.unwrap());
    assert_eq!(talk.ask(legacy("1", "ping", &json!({}))).await["result"], json!({}));
}

#[tokio::test]
async fn answers_come_as_they_are_done() {
    let mut talk = Talk::new();
    talk.send(call("1", "wait")).await;
    assert_eq!(talk.ask(call("2", "echo")).await["id"], 2);
    talk.puppet.go.notify_one();
    assert_eq!(talk.heard().await["id"], 1);
}

#[tokio::test]
async fn an_id_is_used_once_at_a_time() {
    let mut talk = Talk::new();
    talk.send(call("1", "wait")).await;
    assert_eq!(talk.ask(call("1", "echo")).await["error"]["code"], -32600);
    talk.puppet.go.notify_one();
    assert_eq!(talk.heard().await["result"]["content"][0]["text"], "waited");
    assert_eq!(talk.ask(call("1", "echo")).await["result"]["isError"], false);
}

#[tokio::test]
async fn what_is_cancelled_has_no_answer() {
    let mut talk = Talk::new();
    talk.send(call("1", "wait")).await;
    talk.puppet.begun.notified().await;
    talk.send(r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":9}}"#).await;
    talk.send(r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#).await;
    talk.puppet.dropped.notified().await;
    assert!(talk.puppet.seen.lock().as_ref().unwrap().cancelled().is_cancelled());
    assert_eq!(talk.ask(call("2", "echo")).await["id"], 2);
    assert_eq!(talk.end().await, [] as [Value; 0]);
}

#[tokio::test]
async fn the_end_of_the_input_waits_for_answers() {
    let mut talk = Talk::new();
    talk.send(call("1", "wait")).await;
    talk.puppet.begun.notified().await;
    drop(talk.input.take());
    talk.puppet.go.notify_one();
    assert_eq!(talk.heard().await["id"], 1);
    assert_eq!(talk.output.next_line().await.unwrap(), None);
    talk.served.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_last_line_needs_no_end() {
    #[track_caller]
    fn check(answers: &[Value], member: &str) {
        assert_eq!(answers.len(), 1);
        assert!(answers[0].get(member).is_some(), "{answers:?}");
    }
    let mut talk = Talk::new();
    let whole = legacy("1", "ping", &json!({}));
    talk.input.as_mut().unwrap().write_all(whole.as_bytes()).await.unwrap();
    check(&talk.end().await, "result");
    let mut talk = Talk::new();
    let (half, _) = whole.split_at(20);
    talk.input.as_mut().unwrap().write_all(half.as_bytes()).await.unwrap();
    check(&talk.end().await, "error");
}

#[tokio::test]
async fn progress_goes_before_the_answer() {
    let mut talk = Talk::new();
    let params = json!({"name": "steps", "_meta": {"progressToken": "t"}});
    talk.send(modern("1", "tools/call", &params)).await;
    for (progress, message) in [(1, "one"), (2, "two")] {
        let heard = talk.heard().await;
        let expected = json!({"progressToken": "t", "progress": progress, "total": 2, "message": message});
        assert_eq!(heard["params"], expected);
    }
    assert_eq!(talk.heard().await["id"], 1);
}

#[tokio::test]
async fn one_revision_has_batches() {
    let mut talk = Talk::new();
    let batch = r#"[{"jsonrpc":"2.0","id":1,"method":"ping"},{"jsonrpc":"2.0","method":"x"},7]"#;
    assert_eq!(talk.ask(batch.into()).await["error"]["code"], -32600);
    talk.ask(legacy("1", "initialize", &json!({"protocolVersion": "2025-03-26"}))).await;
    let answers = talk.ask(batch.into()).await;
    assert_eq!(answers[0]["result"], json!({}));
    assert_eq!(answers[1]["error"]["code"], -32600);
    assert_eq!(answers.as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_panic_is_an_error_of_its_request() {
    let mut talk = Talk::new();
    assert_eq!(talk.ask(call("1", "panic")).await["error"]["code"], -32603);
    assert_eq!(talk.ask(call("2", "echo")).await["id"], 2);
}

#[tokio::test]
async fn serving_stops_when_asked() {
    let (_input, reader) = duplex(64);
    let (writer, _output) = duplex(64);
    let tracker = Tracker::new();
    let served = tracker.spawn(serve_stdio(Puppet::new(), reader, writer, tracker.clone()));
    tracker.stop();
    served.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_client_that_does_not_read_ends_it() {
    let (mut input, reader) = duplex(1 << 16);
    let (writer, output) = duplex(64);
    drop(output);
    let tracker = Tracker::new();
    let served = tracker.spawn(serve_stdio(Puppet::new(), reader, writer, tracker.clone()));
    let ping = legacy("1", "ping", &json!({}));
    input.write_all(format!("{ping}\n").as_bytes()).await.unwrap();
    served.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_stream_of_changes_lasts_until_it_is_cancelled() {
    let mut talk = Talk::new();
    let id = "io.modelcontextprotocol/subscriptionId";
    let wishes = json!({"notifications": {"toolsListChanged": true}});
    let acknowledged = talk.ask(modern("\"l\"", "subscriptions/listen", &wishes)).await;
    assert_eq!(acknowledged["method"], "notifications/subscriptions/acknowledged");
    assert_eq!(acknowledged["params"]["_meta"][id], "l");
    talk.puppet.bus.prompts_changed();
    talk.puppet.bus.tools_changed();
    let told = talk.heard().await;
    assert_eq!(told["method"], "notifications/tools/list_changed");
    assert_eq!(told["params"]["_meta"][id], "l");
    talk.send(r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"l"}}"#).await;
    let end = talk.heard().await;
    assert_eq!(end["id"], "l");
    assert_eq!(end["result"]["_meta"][id], "l");
    assert_eq!(talk.puppet.bus.listeners(), 0);
    talk.ask(modern("1", "subscriptions/listen", &wishes)).await;
    let bus = talk.puppet.bus.clone();
    // The end of the input ends it as well.
    assert_eq!(talk.end().await[0]["id"], 1);
    assert_eq!(bus.listeners(), 0);
}

#[tokio::test]
async fn a_client_that_greeted_hears_of_changes() {
    let mut talk = Talk::new();
    talk.puppet.bus.tools_changed();
    talk.ask(legacy("1", "initialize", &json!({"protocolVersion": "2025-06-18", "capabilities": {}}))).await;
    talk.puppet.bus.tools_changed();
    assert_eq!(talk.ask(legacy("2", "resources/subscribe", &json!({"uri": "a"}))).await["result"], json!({}));
    talk.puppet.bus.resource_updated("b");
    talk.puppet.bus.resource_updated("a");
    assert_eq!(talk.heard().await["params"], json!({"uri": "a"}));
    talk.puppet.bus.tools_changed();
    assert_eq!(talk.heard().await["method"], "notifications/tools/list_changed");
    assert_eq!(talk.end().await, [] as [Value; 0]);
}

#[tokio::test]
async fn a_client_is_asked_over_the_pipe() {
    let mut talk = Talk::new();
    let capabilities = json!({"elicitation": {}});
    talk.ask(legacy(
        "1",
        "initialize",
        &json!({"protocolVersion": "2025-06-18", "capabilities": capabilities}),
    ))
    .await;
    let asked = talk.ask(legacy("2", "tools/call", &json!({"name": "ask"}))).await;
    assert_eq!(asked["method"], "elicitation/create");
    // What was settled stays, also while a call relies on it.
    let again = legacy("9", "initialize", &json!({"protocolVersion": "2024-11-05", "capabilities": {}}));
    assert_eq!(talk.ask(again).await["error"]["code"], -32600);
    let id = &asked["id"];
    for late in ["7", "\"unknown\"", "-1"] {
        talk.send(format!(r#"{{"jsonrpc":"2.0","id":{late},"result":{{}}}}"#)).await;
    }
    let name = json!({"action": "accept", "content": {"name": "Ann"}});
    let answer = talk.ask(format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{name}}}"#)).await;
    assert_eq!(answer["result"]["content"][0]["text"], "Hello, Ann!");

    // Cancelled while it waits, a call takes its question back.
    let asked = talk.ask(legacy("3", "tools/call", &json!({"name": "ask"}))).await;
    talk.send(r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":3}}"#).await;
    let taken_back = talk.heard().await;
    assert_eq!(taken_back["method"], "notifications/cancelled");
    assert_eq!(taken_back["params"]["requestId"], asked["id"]);

    // A modern client on the same pipe is asked by the result.
    let mut params = json!({"name": "ask"});
    params["_meta"]["io.modelcontextprotocol/clientCapabilities"] = json!({"elicitation": {}});
    let asked = talk.ask(modern("4", "tools/call", &params)).await["result"].take();
    assert_eq!(asked["resultType"], "input_required");
    params["requestState"] = asked["requestState"].clone();
    params["inputResponses"] = json!({ "name": name });
    let answer = talk.ask(modern("5", "tools/call", &params)).await;
    assert_eq!(answer["result"]["content"][0]["text"], "Hello, Ann!");
}

#[tokio::test]
async fn a_batch_tells_progress_before_its_answers() {
    let mut talk = Talk::new();
    talk.ask(legacy("1", "initialize", &json!({"protocolVersion": "2025-03-26"}))).await;
    let call = legacy("2", "tools/call", &json!({"name": "steps", "_meta": {"progressToken": 1}}));
    talk.send(format!("[{call}]")).await;
    for _ in 0..2 {
        assert_eq!(talk.heard().await["method"], "notifications/progress");
    }
    assert_eq!(talk.heard().await[0]["id"], 2);
}

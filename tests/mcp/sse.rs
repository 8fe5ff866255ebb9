//! The transport of 2024-11-05 as its clients meet it: a stream that stays open, and messages posted beside it.

use reqwest::Method;
use serde_json::{Value, json};

use super::conversation::Conversation;
use crate::support::{Project, Reply, Server, patiently};

/// The stream of one session.
pub struct Stream {
    response: reqwest::Response,
    text: String,
    /// Where messages are posted.
    pub path: String,
}

impl Stream {
    pub async fn open(server: &Server) -> Self {
        let request = server.request(Method::GET, "/sse").header("accept", "text/event-stream");
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200);
        let mut stream = Self { response, text: String::new(), path: String::new() };
        let first = stream.event().await.unwrap();
        first.strip_prefix("event: endpoint\ndata: ").unwrap().clone_into(&mut stream.path);
        stream
    }

    /// The next event; `None` at the end of the stream.
    pub async fn event(&mut self) -> Option<String> {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let (event, rest) = (event.to_owned(), rest.to_owned());
                self.text = rest;
                if !event.starts_with(':') {
                    return Some(event);
                }
                continue;
            }
            let part = self.response.chunk().await.unwrap()?;
            self.text.push_str(std::str::from_utf8(&part).unwrap());
        }
    }

    /// The next message.
    pub async fn hear(&mut self) -> Value {
        let event = self.event().await.expect("the stream goes on");
        serde_json::from_str(event.strip_prefix("event: message\ndata: ").expect("a message")).unwrap()
    }

    pub async fn post(&self, server: &Server, text: String) -> Reply {
        let request = server.request(Method::POST, &self.path).header("content-type", "application/json");
        server.send(request.body(text)).await
    }

    /// Posts what is accepted, and gives what comes next.
    async fn ask(&mut self, server: &Server, message: Value) -> Value {
        let accepted = self.post(server, message.to_string()).await;
        assert_eq!((accepted.status.as_u16(), accepted.text.as_str()), (202, ""));
        self.hear().await
    }
}

fn call(id: u64, tool: &str, arguments: &Value) -> Value {
    let params = json!({"name": tool, "arguments": arguments});
    json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params})
}

#[tokio::test]
async fn both_transports_share_the_port_and_the_crew() {
    let project = Project::sample();
    let server = Server::start_sse(&project, &[], &[]);
    assert!(server.log().contains("MCP at /mcp and /sse"), "{}", server.log());
    let mut stream = Stream::open(&server).await;
    let opening = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params":
        {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "x", "version": "1"}}});
    assert_eq!(stream.ask(&server, opening.clone()).await["result"]["protocolVersion"], "2025-06-18");
    let order =
        json!({"name": "code-reviewer", "args": {"target": "x"}, "execute": true, "background": true});
    let accepted = stream.ask(&server, call(2, "run_employee", &order)).await;
    let task = accepted["result"]["structuredContent"]["task_id"].as_str().unwrap();
    server.ended(task).await;
    let accept = "application/json, text/event-stream";
    let request = server.request(Method::POST, "/mcp").header("accept", accept).json(&opening);
    assert_eq!(server.send(request).await.status(200)["result"]["protocolVersion"], "2025-06-18");
    let session = stream.path.clone();
    drop(stream);
    // The server sees the end of the connection a little later than we do.
    patiently(async || {
        let request = server.request(Method::POST, &session).json(&json!({"jsonrpc": "2.0", "method": "x"}));
        let reply = server.send(request).await;
        (reply.status == 404).then(|| reply.status(404))
    })
    .await;
}

#[tokio::test]
async fn a_token_is_asked_for_on_every_path() {
    let project = Project::sample();
    let server = Server::start_sse(&project, &[], &[("CREW_API_TOKEN", "s3cret")]);
    server.get("/sse").await.problem(401, "unauthorized");
    server.post("/messages/?session_id=0", &json!({})).await.problem(401, "unauthorized");
    let with = |request: reqwest::RequestBuilder| request.header("authorization", "Bearer s3cret");
    let stream = with(server.request(Method::GET, "/sse")).send().await.unwrap();
    assert_eq!(stream.status(), 200);
    let unknown = with(server.request(Method::POST, "/messages/?session_id=0")).json(&json!({}));
    assert_eq!(server.send(unknown).await.status(404)["error"]["code"], -32600);
}

#[tokio::test]
async fn the_end_of_the_server_ends_the_streams() {
    let project = Project::sample();
    let server = Server::start_sse(&project, &[], &[]);
    let mut stream = Stream::open(&server).await;
    server.ask_to_end();
    assert_eq!(stream.event().await, None);
    assert_eq!(server.wait(), Some(0));
}

#[tokio::test]
async fn other_servers_have_no_such_place() {
    let project = Project::sample();
    let server = Server::start(&project, &[], &[]);
    server.get("/sse").await.problem(404, "not-found");
}

#[tokio::test]
async fn a_client_that_tries_the_newer_transport_first_is_told_to_come_here() {
    let project = Project::sample();
    let server = Server::start_sse(&project, &[], &[]);
    let reply = server.post("/sse", &json!({"jsonrpc": "2.0", "id": 1, "method": "initialize"})).await;
    assert_eq!(reply.header("allow"), Some("GET"));
    reply.problem(405, "method-not-allowed");
    let mut talk = Conversation::over_sse(&project, "2025-06-18");
    assert_eq!(talk.open().await[0]["result"]["protocolVersion"], "2025-06-18");
}

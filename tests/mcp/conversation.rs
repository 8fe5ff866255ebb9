//! A client that speaks every revision over every transport and keeps what it is sent as it is sent.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    process::{Child, ChildStdin, Stdio},
    sync::mpsc::{Receiver, channel},
    thread,
    time::Duration,
};

use serde_json::{Value, json};

use super::sse::Stream;
use crate::support::{Project, Reply, Server};

/// The longest an answer may take on a busy machine.
const PATIENCE: Duration = Duration::from_mins(1);

pub const MODERN: &str = "2026-07-28";
/// All revisions, oldest first.
pub const REVISIONS: [&str; 5] = ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25", MODERN];

/// The way to the server.
pub enum Link {
    Stdio { child: Child, stdin: Option<ChildStdin>, lines: Receiver<String> },
    Http { server: Box<Server>, session: Option<String> },
    Sse { server: Box<Server>, stream: Option<Box<Stream>> },
}

/// A conversation in one revision.
pub struct Conversation {
    pub revision: &'static str,
    /// What the client says it can do.
    pub capabilities: Value,
    link: Link,
    next: i64,
}

impl Conversation {
    /// Over the stdin and stdout of the program.
    pub fn over_stdio(project: &Project, revision: &'static str) -> Self {
        let mut child = project.command(["mcp"]).stdin(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (told, lines) = channel();
        thread::spawn(move || {
            for line in stdout.lines() {
                if line.is_ok_and(|line| told.send(line).is_err()) {
                    return;
                }
            }
        });
        let stdin = child.stdin.take();
        Self { revision, capabilities: json!({}), link: Link::Stdio { child, stdin, lines }, next: 1 }
    }

    /// Over HTTP.
    pub fn over_http(project: &Project, revision: &'static str) -> Self {
        let server = Box::new(Server::start(project, &[], &[]));
        Self { revision, capabilities: json!({}), link: Link::Http { server, session: None }, next: 1 }
    }

    /// Over HTTP in the way of 2024-11-05.
    pub fn over_sse(project: &Project, revision: &'static str) -> Self {
        let server = Box::new(Server::start_sse(project, &[], &[]));
        Self { revision, capabilities: json!({}), link: Link::Sse { server, stream: None }, next: 1 }
    }

    pub fn is_modern(&self) -> bool {
        self.revision == MODERN
    }

    /// Begins it as the revision wants; gives what the server said of itself.
    pub async fn open(&mut self) -> Vec<Value> {
        if self.is_modern() {
            return self.ask("server/discover", json!({})).await;
        }
        let client = json!({"name": "schemas", "version": "1"});
        let capabilities = &self.capabilities;
        let params =
            json!({"protocolVersion": self.revision, "capabilities": capabilities, "clientInfo": client});
        let greeting = self.ask("initialize", params).await;
        let answers = self.send(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"})).await;
        assert!(answers.is_empty(), "{answers:?}");
        greeting
    }

    /// Asks, and gives all that was said until the answer, the answer last.
    pub async fn ask(&mut self, method: &str, params: Value) -> Vec<Value> {
        let request = self.request(method, params);
        self.send(&request).await
    }

    /// Asks, has `answer` answer each question of the server, and gives all that was said, the answer last. Questions
    /// come as requests over stdio in the older era, and as results in the newer.
    pub async fn ask_and_answer(
        &mut self,
        method: &str,
        params: Value,
        mut answer: impl FnMut(&str, &Value) -> Value,
    ) -> Vec<Value> {
        let mut said = Vec::new();
        if self.is_modern() {
            let mut params = params;
            loop {
                let answers = self.ask(method, params.clone()).await;
                let result = answers.last().unwrap()["result"].clone();
                said.extend(answers);
                if result["resultType"] != "input_required" {
                    return said;
                }
                let asked = result["inputRequests"].as_object().unwrap();
                let responses = asked.iter().map(|(key, asked)| (key.clone(), answer(key, &asked["params"])));
                params["inputResponses"] = Value::Object(responses.collect());
                params["requestState"] = result["requestState"].clone();
            }
        }
        let request = self.request(method, params);
        let Link::Stdio { stdin, lines, .. } = &mut self.link else { panic!("only over stdio") };
        let stdin = stdin.as_mut().unwrap();
        writeln!(stdin, "{request}").unwrap();
        loop {
            let line = lines.recv_timeout(PATIENCE).expect("the server did not answer");
            let message: Value = serde_json::from_str(&line).unwrap();
            if message["method"] == "elicitation/create" {
                let result = answer("", &message["params"]);
                writeln!(stdin, "{}", json!({"jsonrpc": "2.0", "id": message["id"], "result": result}))
                    .unwrap();
            }
            let over = message.get("method").is_none();
            said.push(message);
            if over {
                return said;
            }
        }
    }

    /// A request under the next id.
    pub fn request(&mut self, method: &str, mut params: Value) -> Value {
        let id = self.next;
        self.next += 1;
        if self.is_modern() {
            let meta = params.as_object_mut().unwrap().entry("_meta").or_insert(json!({}));
            meta["io.modelcontextprotocol/protocolVersion"] = json!(MODERN);
            meta["io.modelcontextprotocol/clientCapabilities"] = self.capabilities.clone();
            meta["io.modelcontextprotocol/logLevel"] = json!("debug");
        }
        json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params})
    }

    /// Sends a message as it is, and gives all that was said to it.
    pub async fn send(&mut self, message: &Value) -> Vec<Value> {
        self.send_text(&message.to_string(), !message["id"].is_null()).await
    }

    /// Sends what need not be a message; `answered` tells whether something has to come back.
    pub async fn send_text(&mut self, text: &str, answered: bool) -> Vec<Value> {
        let revision = self.revision;
        match &mut self.link {
            Link::Stdio { stdin, lines, .. } => {
                writeln!(stdin.as_mut().unwrap(), "{text}").unwrap();
                if answered { until_answer(lines) } else { Vec::new() }
            }
            Link::Http { server, session } => {
                let reply = post(server, revision, session.as_deref(), text).await;
                if let Some(id) = reply.header("mcp-session-id") {
                    *session = Some(id.to_owned());
                }
                messages(&reply)
            }
            Link::Sse { server, stream } => {
                if stream.is_none() {
                    *stream = Some(Box::new(Stream::open(server).await));
                }
                let stream = stream.as_mut().unwrap();
                let reply = stream.post(server, text.to_owned()).await;
                match reply.status.as_u16() {
                    202 if answered => until_heard(stream).await,
                    _ => messages(&reply),
                }
            }
        }
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        if let Self::Stdio { child, stdin, .. } = self {
            // The end of its input ends the program.
            drop(stdin.take());
            let _ = child.wait();
        }
    }
}

fn until_answer(lines: &Receiver<String>) -> Vec<Value> {
    let mut said = Vec::new();
    loop {
        let line = lines.recv_timeout(PATIENCE).expect("the server did not answer");
        let message: Value = serde_json::from_str(&line).unwrap();
        let over = message.get("method").is_none();
        said.push(message);
        if over {
            return said;
        }
    }
}

async fn until_heard(stream: &mut Stream) -> Vec<Value> {
    let mut said = Vec::new();
    loop {
        said.push(stream.hear().await);
        if said.last().is_some_and(|message| message.get("method").is_none()) {
            return said;
        }
    }
}

async fn post(server: &Server, revision: &str, session: Option<&str>, text: &str) -> Reply {
    let body: Value = serde_json::from_str(text).unwrap_or_default();
    let mut request = server
        .request(reqwest::Method::POST, "/mcp")
        .header("content-type", "application/json")
        .header("accept", "application/json, text/event-stream");
    if let Some(session) = session {
        request = request.header("mcp-session-id", session);
    }
    if session.is_some() || revision == MODERN {
        request = request.header("mcp-protocol-version", revision);
    }
    if revision == MODERN {
        let params = &body["params"];
        if let Some(method) = body["method"].as_str() {
            request = request.header("mcp-method", method);
        }
        if let Some(name) = params["name"].as_str().or(params["uri"].as_str()).or(params["taskId"].as_str()) {
            request = request.header("mcp-name", name);
        }
    }
    server.send(request.body(text.to_owned())).await
}

/// The messages of a body: one, or those of the events in a stream.
fn messages(reply: &Reply) -> Vec<Value> {
    let kind = reply.header("content-type").unwrap_or_default();
    if kind.starts_with("text/event-stream") {
        let data = reply.text.lines().filter_map(|line| line.strip_prefix("data:")).map(str::trim);
        // The first event of a stream that can be taken up again has an id and nothing else.
        return data
            .filter(|data| !data.is_empty())
            .map(|data| serde_json::from_str(data).unwrap())
            .collect();
    }
    if reply.text.is_empty() { Vec::new() } else { vec![reply.json()] }
}

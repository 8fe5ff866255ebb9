//! Clients that listen: they wait for what the server says by itself, and never ask again and again.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    process::{Child, ChildStdin, Stdio},
    time::Duration,
};

use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};
use tokio::{
    sync::mpsc::{UnboundedReceiver, unbounded_channel},
    time::timeout,
};

use super::conversation::MODERN;
use crate::support::{Project, Server};

/// The longest anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_mins(1);

/// A request of 2026-07-28, of a client that knows tasks.
pub fn modern(id: u32, method: &str, mut params: Value) -> Value {
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": MODERN,
        "io.modelcontextprotocol/clientCapabilities":
            {"extensions": {"io.modelcontextprotocol/tasks": {}}},
    });
    json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params})
}

/// A request of the older era.
pub fn older(id: u32, method: &str, params: &Value) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params})
}

/// What a client of `version` says first.
pub fn greeting(version: &str) -> Value {
    let client = json!({"name": "listener", "version": "1"});
    older(0, "initialize", &json!({"protocolVersion": version, "capabilities": {}, "clientInfo": client}))
}

/// The parameters of a request that opens a stream of changes.
pub fn wishes(wishes: &Value) -> Value {
    json!({ "notifications": wishes })
}

/// A program that is talked to over stdin and stdout.
pub struct Pipe {
    child: Child,
    stdin: Option<ChildStdin>,
    said: UnboundedReceiver<Value>,
}

impl Pipe {
    pub fn open(project: &Project, env: &[(&str, &str)]) -> Self {
        let mut command = project.command(["mcp"]);
        command.envs(env.iter().copied()).stdin(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (told, said) = unbounded_channel();
        std::thread::spawn(move || {
            for line in stdout.lines() {
                let Ok(line) = line else { return };
                if told.send(serde_json::from_str(&line).unwrap()).is_err() {
                    return;
                }
            }
        });
        let stdin = child.stdin.take();
        Self { child, stdin, said }
    }

    /// Greets as clients of the older era do, and looks at a list; gives what the server can do. Only who has seen a
    /// list is told that it has changed.
    pub async fn greet(&mut self, version: &str) -> Value {
        self.send(&greeting(version));
        let capabilities = self.next().await["result"]["capabilities"].clone();
        self.send(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
        self.send(&older(1, "prompts/list", &json!({})));
        assert_eq!(self.next().await["id"], 1);
        capabilities
    }

    pub fn send(&mut self, message: &Value) {
        writeln!(self.stdin.as_mut().unwrap(), "{message}").unwrap();
    }

    /// Ends its input, as a client does that goes away.
    pub fn end(&mut self) {
        drop(self.stdin.take());
    }

    /// Waits until the program has ended, and gives its exit code.
    pub fn wait(&mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }

    /// What it says next.
    pub async fn next(&mut self) -> Value {
        timeout(PATIENCE, self.said.recv()).await.expect("it says nothing").expect("it has ended")
    }

    /// What it says next of this method, and all that it said before.
    pub async fn until(&mut self, method: &str) -> Vec<Value> {
        let mut heard = Vec::new();
        loop {
            heard.push(self.next().await);
            if heard.last().unwrap()["method"] == method {
                return heard;
            }
        }
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        // The end of its input ends the program.
        drop(self.stdin.take());
        let _ = self.child.wait();
    }
}

/// A stream of events, read as it comes. Dropped, its connection is closed.
pub struct Events {
    response: Response,
    rest: String,
}

impl Events {
    async fn open(request: RequestBuilder) -> Self {
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self { response, rest: String::new() }
    }

    /// The message of the event that comes next.
    pub async fn next(&mut self) -> Value {
        loop {
            if let Some((event, rest)) = self.rest.split_once("\n\n") {
                let data = event.lines().find_map(|line| line.strip_prefix("data: ")).map(str::to_owned);
                let rest = rest.to_owned();
                self.rest = rest;
                match data.as_deref().map(str::trim) {
                    None | Some("") => continue,
                    Some(data) => return serde_json::from_str(data).unwrap(),
                }
            }
            let chunk = timeout(PATIENCE, self.response.chunk()).await.expect("nothing is told").unwrap();
            self.rest.push_str(std::str::from_utf8(&chunk.expect("the stream has ended")).unwrap());
        }
    }

    /// What it tells next of this method, and all that it told before.
    pub async fn until(&mut self, method: &str) -> Vec<Value> {
        let mut heard = Vec::new();
        loop {
            heard.push(self.next().await);
            if heard.last().unwrap()["method"] == method {
                return heard;
            }
        }
    }
}

impl Server {
    fn mcp(&self, message: &Value) -> RequestBuilder {
        self.request(Method::POST, "/mcp")
            .header("accept", "application/json, text/event-stream")
            .json(message)
    }

    /// A request of 2026-07-28, to be sent.
    pub fn modern(&self, method: &str, params: Value) -> RequestBuilder {
        let message = modern(1, method, params);
        let request = self.mcp(&message).header("mcp-protocol-version", MODERN).header("mcp-method", method);
        let params = &message["params"];
        match params["name"].as_str().or(params["uri"].as_str()).or(params["taskId"].as_str()) {
            Some(name) => request.header("mcp-name", name),
            None => request,
        }
    }

    /// A stream of changes of 2026-07-28, once it was acknowledged; gives what is honoured too.
    pub async fn listen(&self, asked: Value) -> (Events, Value) {
        let mut events = Events::open(self.modern("subscriptions/listen", wishes(&asked))).await;
        let acknowledged = events.next().await;
        assert_eq!(acknowledged["method"], "notifications/subscriptions/acknowledged");
        (events, acknowledged["params"]["notifications"].clone())
    }

    /// A session of the older era, and what the server can do.
    pub async fn session(&self, version: &str) -> (Session<'_>, Value) {
        let reply = self.send(self.mcp(&greeting(version))).await;
        let id = reply.header("mcp-session-id").unwrap().to_owned();
        let session = Session { server: self, id, version: version.to_owned() };
        let initialized = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
        assert_eq!(self.send(session.post(&initialized)).await.status, 202);
        (session, reply.json()["result"]["capabilities"].clone())
    }
}

/// A session of the older era over HTTP.
pub struct Session<'s> {
    server: &'s Server,
    id: String,
    version: String,
}

impl Session<'_> {
    /// A message of the session, to be sent.
    pub fn post(&self, message: &Value) -> RequestBuilder {
        let request = self.server.mcp(message);
        request.header("mcp-session-id", &self.id).header("mcp-protocol-version", &self.version)
    }

    /// Asks for something that is answered with nothing.
    pub async fn ask(&self, method: &str, params: &Value) {
        let reply = self.server.send(self.post(&older(7, method, params))).await;
        assert_eq!(reply.json()["result"], json!({}));
    }

    /// The stream of what belongs to no call.
    pub async fn events(&self) -> Events {
        let request = self.server.request(Method::GET, "/mcp").header("accept", "text/event-stream");
        let request = request.header("mcp-session-id", &self.id);
        Events::open(request.header("mcp-protocol-version", &self.version)).await
    }
}

//! HTTP as `curl` speaks it.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    sync::Once,
};

use reqwest::{
    Method, StatusCode,
    header::{HeaderMap, HeaderName, HeaderValue},
};
use serde_json::Value;

use super::{PATIENCE, Server, patiently};

/// An answer, read whole.
#[derive(Debug)]
pub struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
}

impl Reply {
    /// The body as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    /// It has this status; gives the body as JSON.
    #[track_caller]
    pub fn status(self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
        self.json()
    }

    /// It is an error of this status and code, in the one form all errors have; gives its text.
    #[track_caller]
    pub fn problem(self, status: u16, code: &str) -> String {
        let trace = self.header("x-trace-id").map(str::to_owned);
        let body = self.status(status);
        let names: Vec<_> = body.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(names, ["error", "code", "trace_id"], "{body}");
        assert_eq!(body["code"], code, "{body}");
        assert_eq!(body["trace_id"].as_str(), trace.as_deref());
        body["error"].as_str().unwrap().to_owned()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

/// A client that goes straight to this machine.
pub fn client() -> reqwest::Client {
    static PROVIDER: Once = Once::new();
    PROVIDER.call_once(|| {
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
    reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().unwrap()
}

impl Server {
    pub async fn send(&self, request: reqwest::RequestBuilder) -> Reply {
        let answer = request.send().await.unwrap();
        let (status, headers) = (answer.status(), answer.headers().clone());
        Reply { status, headers, text: answer.text().await.unwrap() }
    }

    pub fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.client.request(method, format!("{}{path}", self.url))
    }

    pub async fn get(&self, path: &str) -> Reply {
        self.send(self.request(Method::GET, path)).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Reply {
        self.send(self.request(Method::POST, path).json(body)).await
    }

    /// Sends these bytes on a connection of their own, and gives what comes back until it is closed.
    pub fn raw(&self, head: &str, body: &[u8]) -> Reply {
        let mut stream = self.connect().unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let head = format!("{head}\r\nhost: localhost\r\nconnection: close\r\n\r\n");
        // A server that has seen enough does not read the rest.
        let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body));
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        parse(&String::from_utf8(answer).unwrap())
    }

    pub fn connect(&self) -> std::io::Result<TcpStream> {
        TcpStream::connect(self.url.strip_prefix("http://").unwrap())
    }

    /// The id of the one task that this accepts.
    pub async fn accepted(&self, path: &str, body: &Value) -> String {
        let accepted = self.post(path, body).await.status(202);
        accepted["task_id"].as_str().unwrap().to_owned()
    }

    /// Asks for `path` again and again until `good` likes the answer, as a script with `curl` would.
    pub async fn until(&self, path: &str, good: impl Fn(&Value) -> bool) -> Value {
        patiently(async || Some(self.get(path).await.status(200)).filter(&good)).await
    }

    /// The task, once it has ended or waits for an approval.
    pub async fn ended(&self, id: &str) -> Value {
        let going_on = |task: &Value| matches!(task["status"].as_str(), Some("pending" | "running"));
        self.until(&format!("/tasks/{id}"), |task| !going_on(task)).await
    }

    /// The tasks it knows, in brief, the newest first.
    pub async fn tasks(&self) -> Vec<Value> {
        let mut listed = self.get("/tasks").await.status(200);
        serde_json::from_value(listed["tasks"].take()).unwrap()
    }
}

#[track_caller]
fn parse(answer: &str) -> Reply {
    let (head, text) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: `{answer}`"));
    let mut lines = head.lines();
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).unwrap().parse().unwrap();
    let header = |line: &str| {
        let (name, value) = line.split_once(':').unwrap();
        (name.parse::<HeaderName>().unwrap(), value.trim().parse::<HeaderValue>().unwrap())
    };
    Reply { status, headers: lines.map(header).collect(), text: text.to_owned() }
}

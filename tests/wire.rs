//! MCP as it is on the wire: raw messages in, raw messages out, in both eras and over both transports.

use std::{fmt::Write as _, fs, path::Path};

use serde_json::Value;

use crate::support::{Project, Reply, Server, client};

fn requests(revision: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/fixtures/wire/{revision}.jsonl"));
    fs::read_to_string(path).unwrap().lines().map(str::to_owned).collect()
}

/// What may differ from run to run, made equal. Messages are shown in the order of the requests they answer.
fn shown(project: &Project, exchanges: impl IntoIterator<Item = (String, String)>) -> String {
    let place = project.path().display().to_string();
    let mut text = String::new();
    for (request, answer) in exchanges {
        let _ = writeln!(text, "> {request}\n< {answer}\n");
    }
    text.replace(&place, "[project]").replace(env!("CARGO_PKG_VERSION"), "[version]")
}

fn id_of(message: &str) -> Option<String> {
    let message: Value = serde_json::from_str(message).unwrap();
    message.get("id").map(ToString::to_string)
}

/// Sends all requests at once and puts the answers, which come in any order, beside them.
fn over_stdio(revision: &str) -> String {
    let project = Project::small("echo");
    let requests = requests(revision);
    let input = requests.join("\n") + "\n";
    let finished = project.run_on(input.as_bytes(), ["mcp"]);
    let answers: Vec<String> = finished.success().lines().map(str::to_owned).collect();
    let asked = requests.iter().filter(|request| id_of(request).is_some()).count();
    assert_eq!(answers.len(), asked, "{answers:?}");
    let answer = |request: &String| {
        let id = id_of(request);
        let found = id.as_ref().and_then(|_| answers.iter().find(|answer| id_of(answer) == id));
        found.cloned().unwrap_or_else(|| "nothing".to_owned())
    };
    shown(&project, requests.iter().map(|request| (request.clone(), answer(request))))
}

#[test]
fn the_older_era_over_stdio() {
    insta::assert_snapshot!(over_stdio("2025-11-25"));
}

#[test]
fn the_newer_era_over_stdio() {
    insta::assert_snapshot!(over_stdio("2026-07-28"));
}

/// The headers that the newer era wants beside the body, made from the body.
fn headers(body: &Value, session: Option<&str>) -> Vec<(&'static str, String)> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let mut headers = vec![("accept", "application/json, text/event-stream".to_owned())];
    let params = &body["params"];
    if let Some(version) = text(&params["_meta"]["io.modelcontextprotocol/protocolVersion"]) {
        headers.push(("mcp-protocol-version", version));
        headers.push(("mcp-method", text(&body["method"]).unwrap()));
        headers.extend(text(&params["name"]).or_else(|| text(&params["uri"])).map(|name| ("mcp-name", name)));
    } else if let Some(session) = session {
        headers.push(("mcp-protocol-version", "2025-11-25".to_owned()));
        headers.push(("mcp-session-id", session.to_owned()));
    }
    headers
}

async fn post(server: &Server, body: &str, session: Option<&str>) -> Reply {
    let parsed: Value = serde_json::from_str(body).unwrap();
    let request = client().post(format!("{}/mcp", server.url)).header("content-type", "application/json");
    let request = headers(&parsed, session)
        .into_iter()
        .fold(request, |request, (name, value)| request.header(name, value));
    server.send(request.body(body.to_owned())).await
}

async fn over_http(revision: &str) -> String {
    let project = Project::small("echo");
    let server = Server::start(&project, &[], &[]);
    let mut session = None;
    let mut exchanges = Vec::new();
    for request in requests(revision) {
        let reply = post(&server, &request, session.as_deref()).await;
        if let Some(id) = reply.header("mcp-session-id") {
            session = Some(id.to_owned());
        }
        exchanges.push((request, format!("{} {}", reply.status.as_u16(), reply.text)));
    }
    shown(&project, exchanges)
}

#[tokio::test]
async fn the_older_era_over_http() {
    insta::assert_snapshot!(over_http("2025-11-25").await);
}

#[tokio::test]
async fn the_newer_era_over_http() {
    insta::assert_snapshot!(over_http("2026-07-28").await);
}

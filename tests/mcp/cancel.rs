//! A client that goes away, or says that it no longer wants the answer, ends the call of the model that was made for it.

use serde_json::{Value, json};

use super::listener::{Pipe, older};
use crate::support::{FakeModel, Project, Server, patiently};

fn call() -> Value {
    json!({"name": "run_employee", "arguments": {"name": "writer", "args": {"topic": "tea"}, "execute": true}})
}

async fn stage() -> (FakeModel, Project) {
    let fake = FakeModel::held(|_| Ok("never told".to_owned())).await;
    (fake, Project::small("claude-sonnet-4-5"))
}

fn cancelled(id: u32) -> Value {
    json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": id, "reason": "enough"}})
}

#[tokio::test]
async fn by_closing_the_stream() {
    let (mut fake, project) = stage().await;
    let server = Server::start(&project, &[], &fake.env());
    // Without the capability of tasks the client waits for the answer.
    let mut request: Value = super::listener::modern(1, "tools/call", call());
    request["params"]["_meta"]["io.modelcontextprotocol/clientCapabilities"] = json!({});
    let sending = server.modern("tools/call", call()).json(&request).send();
    tokio::select! {
        answer = sending => panic!("nobody can have answered: {answer:?}"),
        () = fake.asked() => {}
    }
    // The request was dropped with its connection.
    fake.given_up().await;
    let tasks = server.tasks().await;
    let ended = server.ended(tasks[0]["task_id"].as_str().unwrap()).await;
    assert_eq!(ended["status"], "cancelled", "{ended}");
}

#[tokio::test]
async fn by_a_notification_over_stdio() {
    let (mut fake, project) = stage().await;
    let mut client = Pipe::open(&project, &fake.env());
    client.greet("2025-11-25").await;
    client.send(&older(5, "tools/call", &call()));
    fake.asked().await;
    client.send(&cancelled(5));
    fake.given_up().await;
    client.send(&older(6, "ping", &json!({})));
    assert_eq!(client.next().await["id"], 6, "what was cancelled is not answered");
}

#[tokio::test]
async fn by_a_notification_over_http() {
    let (mut fake, project) = stage().await;
    let server = Server::start(&project, &[], &fake.env());
    let (session, _) = server.session("2025-11-25").await;
    let (asking, message) = (session.post(&older(5, "tools/call", &call())), cancelled(5));
    let answered = asking.send();
    let cancelling = async {
        fake.asked().await;
        assert_eq!(server.send(session.post(&message)).await.status, 202);
        fake.given_up().await;
    };
    let (answer, ()) = tokio::join!(answered, cancelling);
    let said = answer.unwrap().text().await.unwrap();
    assert!(!said.contains("\"result\"") && !said.contains("never told"), "{said}");
}

#[tokio::test]
async fn not_what_goes_on_in_the_background_when_the_client_ends_its_input() {
    let mut fake = FakeModel::held(|_| Ok("told".to_owned())).await;
    let project = Project::small("claude-sonnet-4-5");
    let mut client = Pipe::open(&project, &fake.env());
    client.greet("2025-11-25").await;
    let mut background = call();
    background["arguments"]["background"] = json!(true);
    client.send(&older(5, "tools/call", &background));
    assert_eq!(client.next().await["id"], 5);
    fake.asked().await;
    client.end();
    fake.release(1);
    assert_eq!(client.wait(), Some(0));
    let kept = project.read(".crew/tasks.jsonl");
    assert!(kept.contains(r#""status":"completed""#), "{kept}");
}

#[tokio::test]
async fn by_the_end_of_a_server_that_does_not_begin_it_any_more() {
    let (mut fake, project) = stage().await;
    project.write(".crew/config.yaml", "tasks: {workers: 1}\n");
    let server = Server::start(&project, &[], &fake.env());
    server.accepted("/run/employee/writer", &json!({"args": {"topic": "milk"}})).await;
    fake.asked().await;
    let (session, _) = server.session("2025-11-25").await;
    let asking = session.post(&older(5, "tools/call", &call()));
    let ending = async {
        patiently(async || (server.tasks().await.len() == 2).then_some(())).await;
        server.ask_to_end();
    };
    let (answer, ()) = tokio::join!(asking.send(), ending);
    let said = answer.unwrap().text().await.unwrap();
    assert!(said.contains("has not ended yet"), "{said}");
    fake.release(1);
    assert_eq!(server.wait(), Some(0));
}

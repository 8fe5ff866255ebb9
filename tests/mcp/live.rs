//! What changes is told by itself: definitions that are edited, tasks that go on.

use std::fs;

use serde_json::{Value, json};

use super::{
    conversation::MODERN,
    listener::{Pipe, greeting, modern, older, wishes},
    sse::Stream,
    wording::Wording,
};
use crate::support::{FakeModel, Project, Server, patiently};

const PROMPTS: &str = "notifications/prompts/list_changed";
const RESOURCES: &str = "notifications/resources/list_changed";
const UPDATED: &str = "notifications/resources/updated";
const TASKS: &str = "notifications/tasks";
const MODEL: &str = "claude-sonnet-4-5";

/// Saves as editors do: the new text takes the place of the old one at once.
fn save(project: &Project, name: &str, text: &str) {
    let beside = project.write(&format!("{name}.tmp~"), text);
    fs::rename(beside, project.path().join(name)).unwrap();
}

fn employee(name: &str, description: &str) -> String {
    format!("---\nname: {name}\ndescription: {description}\nmodel: echo\n---\nDo it.\n")
}

/// What was heard is worded as the revision wants.
#[track_caller]
fn fits(revision: &str, heard: &[Value]) {
    let (mut wording, mut tasks) = (Wording::of(revision), Wording::of("ext-tasks"));
    for message in heard {
        if message["method"] == TASKS {
            tasks.check("TaskStatusNotification", message);
        } else {
            wording.check("ServerNotification", message);
        }
    }
}

fn methods(heard: &[Value]) -> Vec<&str> {
    heard.iter().map(|message| message["method"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn over_stdio_in_the_older_era() {
    let project = Project::small("echo");
    let mut client = Pipe::open(&project, &[]);
    let capabilities = client.greet("2025-11-25").await;
    let changes = json!({"listChanged": true});
    assert_eq!((&capabilities["prompts"], &capabilities["tools"]), (&changes, &json!({})), "tools stay");
    assert_eq!(capabilities["resources"], json!({"listChanged": true, "subscribe": true}));

    save(&project, ".crew/employees/poet.md", &employee("poet", "Writes"));
    let heard = client.until(RESOURCES).await;
    assert_eq!(methods(&heard), [PROMPTS, RESOURCES]);
    fits("2025-11-25", &heard);
    client.send(&older(2, "prompts/list", &json!({})));
    assert!(client.next().await.to_string().contains("\"poet\""));

    // A broken file hides none of the others, and what comes after it is told.
    save(&project, ".crew/employees/broken.md", "---\nname: [\n---\n");
    save(&project, ".crew/employees/poet.md", &employee("poet", "Sings"));
    assert_eq!(methods(&client.until(RESOURCES).await), [PROMPTS, RESOURCES]);
    client.send(&older(3, "prompts/list", &json!({})));
    let prompts = client.next().await["result"]["prompts"].to_string();
    assert!(prompts.contains("Sings") && prompts.contains("\"writer\""), "{prompts}");

    fs::remove_file(project.path().join(".crew/employees/poet.md")).unwrap();
    assert_eq!(methods(&client.until(RESOURCES).await), [PROMPTS, RESOURCES]);
}

#[tokio::test]
async fn over_stdio_in_the_newer_era() {
    let project = Project::small("echo");
    let mut client = Pipe::open(&project, &[]);
    client.send(&modern(1, "server/discover", json!({})));
    let capabilities = client.next().await["result"]["capabilities"].clone();
    assert_eq!(capabilities["prompts"], json!({"listChanged": true}));
    client.send(&modern(3, "prompts/list", json!({})));
    assert_eq!(client.next().await["id"], 3);
    let asked = json!({"promptsListChanged": true, "toolsListChanged": true});
    client.send(&modern(2, "subscriptions/listen", wishes(&asked)));
    let honoured = client.next().await["params"]["notifications"].clone();
    assert_eq!(honoured, json!({"promptsListChanged": true}), "tools stay as they are");
    save(&project, ".crew/employees/poet.md", &employee("poet", "Writes"));
    let told = client.next().await;
    fits(MODERN, std::slice::from_ref(&told));
    assert_eq!(
        (&told["method"], &told["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"]),
        (&json!(PROMPTS), &json!(2))
    );
}

#[tokio::test]
async fn over_the_transport_of_2024() {
    let project = Project::small("echo");
    let server = Server::start_sse(&project, &[], &[]);
    let mut stream = Stream::open(&server).await;
    for message in [greeting("2024-11-05"), older(1, "prompts/list", &json!({}))] {
        assert_eq!(stream.post(&server, message.to_string()).await.status, 202);
        assert!(stream.hear().await["result"].is_object());
    }
    save(&project, ".crew/employees/poet.md", &employee("poet", "Writes"));
    let heard = [stream.hear().await, stream.hear().await];
    assert_eq!(methods(&heard), [PROMPTS, RESOURCES]);
    fits("2024-11-05", &heard);
}

#[tokio::test]
async fn a_session_hears_of_what_it_subscribed_to() {
    let project = Project::small("echo");
    let server = Server::start(&project, &[], &[]);
    let (session, _) = server.session("2025-11-25").await;
    let mut events = session.events().await;
    let uri = |name: &str| json!({"uri": format!("crew://employee/{name}")});
    session.ask("resources/subscribe", &uri("writer")).await;
    session.ask("resources/subscribe", &uri("checker")).await;

    let text = project.read(".crew/employees/writer.md");
    save(&project, ".crew/employees/writer.md", &text.replace("Work on", "Labour on"));
    let heard = events.until(UPDATED).await;
    assert_eq!(heard.last().unwrap()["params"], uri("writer"));
    fits("2025-11-25", &heard);
    assert!(!methods(&heard).contains(&PROMPTS), "the instructions are no part of the list: {heard:?}");

    session.ask("resources/unsubscribe", &uri("writer")).await;
    save(&project, ".crew/employees/writer.md", &text);
    let checker = project.read(".crew/employees/checker.md");
    save(&project, ".crew/employees/checker.md", &checker.replace("Work on", "Look at"));
    let heard = events.until(UPDATED).await;
    assert_eq!(heard.last().unwrap()["params"], uri("checker"), "not of the other, though it changed first");

    save(&project, ".crew/employees/writer.md", &text.replace("A writer", "The writer"));
    assert_eq!(methods(&events.until(RESOURCES).await), [PROMPTS, RESOURCES]);
}

#[tokio::test]
async fn a_stream_hears_of_memories_and_meetings() {
    let project = Project::small("echo");
    let server = Server::start(&project, &[], &[]);
    let subscriptions = ["crew://memory/writer", "crew://meeting/20260101_101010"];
    let asked = json!({"resourcesListChanged": true, "resourceSubscriptions": subscriptions});
    let (mut events, honoured) = server.listen(asked.clone()).await;
    assert_eq!(honoured["resourceSubscriptions"].as_array().unwrap().len(), 2);
    project.write(
        ".crew/memory/writer.jsonl",
        "{\"id\":\"1\",\"category\":\"finding\",\"content\":\"Tea is green.\"}\n",
    );
    let heard = events.until(UPDATED).await;
    assert_eq!(methods(&heard), [RESOURCES, UPDATED]);
    fits(MODERN, &heard);
    assert_eq!(heard[1]["params"]["uri"], subscriptions[0]);
    let read =
        server.send(server.modern("resources/read", json!({"uri": subscriptions[0]}))).await.status(200);
    assert!(read["result"]["contents"][0]["text"].as_str().unwrap().contains("Tea is green."), "{read}");
    project.write(".crew/meetings/20260101_101010.md", "# Tea\n");
    project.write(".crew/meetings/index.jsonl", "{\"meeting_id\":\"20260101_101010\",\"topic\":\"Tea\"}\n");
    let heard = events.until(UPDATED).await;
    assert_eq!(heard.last().unwrap()["params"]["uri"], subscriptions[1]);
}

#[tokio::test]
async fn a_task_of_another_surface_is_followed_to_its_end() {
    let fake = FakeModel::held(|_| Ok("tea".to_owned())).await;
    let project = Project::small(MODEL);
    let server = Server::start(&project, &[], &fake.env());
    let id = server.accepted("/run/employee/writer", &json!({"args": {"topic": "tea"}})).await;
    let resource = format!("crew://task/{id}");
    let asked = json!({"taskIds": [id, "019", "../x"], "resourceSubscriptions": [resource]});
    let (mut events, honoured) = server.listen(asked).await;
    assert_eq!(honoured["taskIds"], json!([id]), "those that are not there are not promised");
    fake.release(1);
    loop {
        let heard = events.until(TASKS).await;
        let task = &heard.last().unwrap()["params"];
        assert_eq!(task["taskId"], *id);
        if task["status"] == "completed" {
            assert_eq!(task["result"]["structuredContent"]["answer"]["output"], "tea", "{task}");
            break;
        }
        assert_eq!(task["status"], "working", "{task}");
    }
    assert_eq!(events.until(UPDATED).await.last().unwrap()["params"]["uri"], *resource);
}

#[tokio::test]
async fn the_task_of_a_call_is_told_step_by_step() {
    let mut fake = FakeModel::held(|_| Ok("tea".to_owned())).await;
    let project = Project::small(MODEL);
    let steps = "name: twice\ndescription: Twice\nsteps:\n  - employee: writer\n    args: {topic: a}\n  - employee: writer\n    args: {topic: b}\n";
    project.write(".crew/pipelines/twice.yaml", steps);
    let mut client = Pipe::open(&project, &fake.env());
    let call = json!({"name": "run_pipeline", "arguments": {"name": "twice", "execute": true}});
    client.send(&modern(1, "tools/call", call));
    let begun = client.next().await["result"].clone();
    assert_eq!(begun["resultType"], "task", "{begun}");
    client.send(&modern(2, "subscriptions/listen", wishes(&json!({"taskIds": [begun["taskId"]]}))));
    fake.asked().await;
    fake.release(1);
    fake.asked().await;
    let mut heard = Vec::new();
    while !heard.iter().any(|message: &Value| message["params"]["statusMessage"].is_string()) {
        heard.extend(client.until(TASKS).await);
    }
    fake.release(1);
    while heard.last().unwrap()["params"]["status"] != "completed" {
        heard.extend(client.until(TASKS).await);
    }
    fits(MODERN, &heard);
    let run = &heard.last().unwrap()["params"]["result"]["structuredContent"]["run"];
    assert_eq!(run["steps"].as_array().unwrap().len(), 2, "{run}");
}

#[tokio::test]
async fn a_task_that_waits_for_an_approval_says_so() {
    let mut fake = FakeModel::held(|_| Ok("tea".to_owned())).await;
    let project = Project::small(MODEL);
    let steps = "name: asked\ndescription: Asked\nsteps:\n  - employee: writer\n    args: {topic: a}\n  - employee: writer\n    args: {topic: b}\n    approval: true\n";
    project.write(".crew/pipelines/asked.yaml", steps);
    let server = Server::start(&project, &[], &fake.env());
    let id = server.accepted("/run/pipeline/asked", &json!({"args": {}})).await;
    fake.asked().await;
    let (mut events, _) = server.listen(json!({"taskIds": [id]})).await;
    fake.release(2);
    let mut heard = Vec::new();
    let waits = |message: &Value| {
        let task = &message["params"];
        let said = task["statusMessage"].as_str().unwrap_or_default();
        task["status"] == "input_required" || said.starts_with("waiting for an approval")
    };
    while !heard.iter().any(waits) {
        heard.extend(events.until(TASKS).await);
    }
    server.post(&format!("/tasks/{id}/approve"), &json!({"approved": true})).await.status(200);
    while heard.last().unwrap()["params"]["status"] != "completed" {
        heard.extend(events.until(TASKS).await);
    }
    fits(MODERN, &heard);
}

/// How many files and sockets the process has open.
#[cfg(target_os = "linux")]
fn open(server: &Server) -> usize {
    fs::read_dir(format!("/proc/{}/fd", server.pid())).unwrap().count()
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn many_streams_are_told_of_one_change_and_leave_nothing_behind() {
    let project = Project::small("echo");
    let server = Server::start(&project, &[], &[]);
    let before = open(&server);
    for round in 0..2 {
        let listening = (0..200).map(|_| server.listen(json!({"promptsListChanged": true})));
        let mut streams = futures_util::future::join_all(listening).await;
        assert!(open(&server) >= before + 200);
        save(&project, ".crew/employees/poet.md", &employee("poet", &format!("Writes {round}")));
        for (events, _) in &mut streams {
            assert_eq!(events.next().await["method"], PROMPTS);
        }
        drop(streams);
        patiently(async || (open(&server) < before + 20).then_some(())).await;
    }
}

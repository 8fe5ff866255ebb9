//! Answers told while they come in, to a client of the server and to a person at a shell.

use std::{io::Read as _, process::Stdio};

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{FakeModel, Project, Server};

const MODELS: [&str; 2] = ["claude-sonnet-4-5", "gpt-4o"];

fn env<'m>(fake: &'m FakeModel, model: &str) -> [(&'m str, &'m str); 2] {
    if model.starts_with("gpt") { fake.openai_env() } else { fake.env() }
}

fn order() -> Value {
    json!({"args": {"topic": "tea"}, "stream": true})
}

#[tokio::test]
async fn a_run_is_told_while_the_model_speaks() {
    for model in MODELS {
        let fake = FakeModel::held(|_| Ok("你好, tea".to_owned())).await;
        let project = Project::small(model);
        let server = Server::start(&project, &[], &env(&fake, model));
        let request = server.request(Method::POST, "/run/employee/writer").json(&order());
        let mut response = request.send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream; charset=utf-8");
        let first = String::from_utf8(response.chunk().await.unwrap().unwrap().to_vec()).unwrap();
        assert_eq!(first, "data: {\"token\":\"你\"}\n\n", "{model}: before the rest is there");
        fake.release(1);
        let mut rest = String::new();
        while let Some(part) = response.chunk().await.unwrap() {
            rest.push_str(std::str::from_utf8(&part).unwrap());
        }
        let (token, done) = rest.split_once("event: done\ndata: ").unwrap();
        assert_eq!(token, "data: {\"token\":\"好, tea\"}\n\n");
        let done: Value = serde_json::from_str(done.trim_end()).unwrap();
        let id = done["task_id"].as_str().unwrap();
        assert_eq!(
            done,
            json!({"employee": "writer", "model": model, "input_tokens": 11, "output_tokens": 7, "task_id": id})
        );
        let task = server.get(&format!("/tasks/{id}")).await.status(200);
        assert_eq!((&task["status"], &task["result"]["output"]), (&json!("completed"), &json!("你好, tea")));
        assert!(task["result"]["cost_usd"].as_f64().unwrap() > 0.0, "{task}");
        let metrics = server.get("/metrics").await.json();
        assert_eq!((&metrics["tokens"]["output"], &metrics["latency"]["count"]), (&json!(7), &json!(1)));
    }
}

#[tokio::test]
async fn a_failing_model_is_an_event_and_a_failed_task() {
    let fake = FakeModel::answering(|_| Err(400)).await;
    let project = Project::small(MODELS[0]);
    let server = Server::start(&project, &[], &fake.env());
    let reply = server.post("/run/employee/writer", &order()).await;
    assert_eq!(
        reply.text,
        "event: error\ndata: {\"error\":\"anthropic answered 400: as told\",\"code\":\"run-failed\"}\n\n"
    );
    let tasks = server.get("/tasks").await.json();
    assert!(tasks.to_string().contains("\"failed\""), "{tasks}");
}

#[tokio::test]
async fn the_shell_prints_what_comes_in() {
    for model in MODELS {
        let fake = FakeModel::held(|_| Ok("tea\nfor two".to_owned())).await;
        let project = Project::small(model);
        let mut command = project.command(["run", "writer", "tea", "--execute"]);
        let mut child = command.envs(env(&fake, model)).stderr(Stdio::piped()).spawn().unwrap();
        let mut first = [0];
        let mut stdout = child.stdout.take().unwrap();
        stdout.read_exact(&mut first).unwrap();
        assert_eq!(&first, b"t");
        fake.release(1);
        let mut rest = String::new();
        stdout.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "ea\nfor two\n");
        let ended = child.wait_with_output().unwrap();
        let stderr = String::from_utf8(ended.stderr).unwrap();
        assert!(ended.status.success() && stderr.contains("11 tokens in, 7 out, 0.0"), "{stderr}");
    }
}

#[tokio::test]
async fn it_prints_all_at_once_when_told_to() {
    let fake = FakeModel::answering(|_| Ok("tea".to_owned())).await;
    let project = Project::small(MODELS[0]);
    let whole = project.run_in(&fake.env(), ["run", "writer", "tea", "--execute", "--no-stream"]).success();
    assert_eq!(whole, "tea\n");
    let json = project.run_in(&fake.env(), ["run", "writer", "tea", "--execute", "--json"]).success();
    let answer: Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&answer["output"], &answer["output_tokens"]), (&json!("tea"), &json!(7)));
    assert!(fake.bodies().iter().all(|body| body.get("stream").is_none()));
}

#[tokio::test]
async fn what_a_model_thinks_is_told_to_nobody() {
    let said = "<think>secret\nplan</think>\n\nTea:\n```xml\n<think>kept</think>\n```\n<tool_call>\n{\"name\": \"x\"}\n</tool_call>";
    let clean = "Tea:\n```xml\n<think>kept</think>\n```";
    let fake = FakeModel::answering(move |prompt| {
        // The checker is shown what the writer gave.
        assert!(!prompt.contains("secret"), "{prompt}");
        Ok(said.to_owned())
    })
    .await;
    let project = Project::small(MODELS[0]);
    project.write(
        ".crew/pipelines/two.yaml",
        "steps:\n  - {employee: writer, args: {topic: tea}}\n  - {employee: checker, args: {text: '{prev}'}}\n",
    );
    let shown = project.run_in(&fake.env(), ["run", "writer", "tea", "--execute"]).success();
    assert_eq!(shown, format!("{clean}\n"));
    let server = Server::start(&project, &[], &fake.env());
    let streamed = server.post("/run/employee/writer", &order()).await.text;
    let tokens = streamed.lines().filter_map(|line| {
        let frame: Value = serde_json::from_str(line.strip_prefix("data: ")?).unwrap();
        Some(frame["token"].as_str()?.to_owned())
    });
    assert_eq!(tokens.collect::<String>(), clean);
    let run = server.post("/run/pipeline/two", &json!({"sync": true})).await.status(200);
    assert_eq!(run["result"]["steps"][1]["output"], json!(clean), "{run}");
}

#[tokio::test]
async fn thoughts_alone_are_no_answer() {
    let fake = FakeModel::answering(|_| Ok("<Thinking>and no end".to_owned())).await;
    let project = Project::small(MODELS[0]);
    let told = project.run_in(&fake.env(), ["run", "writer", "tea", "--execute"]).status(1);
    assert!(told.contains("said what it thinks and gave no answer"), "{told}");
}

//! `Idempotency-Key` on calls of tools: work that is asked for twice is done once.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Project, Reply, Server};

const TOKENS: &str = "tokens:\n  - {name: ann, token: \"${ANN}\", scopes: [run]}\n  - {name: bob, token: \"${BOB}\", scopes: [run]}\n";

fn guarded(project: &Project) -> Server {
    let env = [("ANN", "ann"), ("BOB", "bob")];
    Server::start(project, &["--tokens-file", "tokens.yaml", "--rate-limit", "0"], &env)
}

async fn call(server: &Server, who: &str, path: &str, key: &str, body: &Value) -> Reply {
    let request = server.request(Method::POST, path).bearer_auth(who).header("idempotency-key", key);
    server.send(request.json(body)).await
}

async fn count(server: &Server) -> usize {
    let listed = server.send(server.request(Method::GET, "/tasks").bearer_auth("ann")).await.status(200);
    listed["tasks"].as_array().unwrap().len()
}

#[tokio::test]
async fn a_tool_that_is_called_twice_under_a_key_works_once() {
    const RUN: &str = "/api/tools/run_employee";
    let project = Project::small("echo");
    project.write("tokens.yaml", TOKENS);
    let server = guarded(&project);
    let order = |topic: &str| json!({"name": "writer", "args": {"topic": topic}, "execute": true});
    let first = call(&server, "ann", RUN, "k-1", &order("tea")).await.status(200);
    let same = json!({"execute": true, "args": {"topic": "tea"}, "name": "writer"});
    assert_eq!(call(&server, "ann", RUN, "k-1", &same).await.status(200), first);
    // Also while nobody waits, and after a crash.
    let background = json!({"name": "writer", "args": {"topic": "tea"}, "execute": true, "background": true});
    let begun = call(&server, "ann", RUN, "k-2", &background).await.status(200);
    assert_eq!(call(&server, "ann", RUN, "k-2", &background).await.status(200)["task_id"], begun["task_id"]);
    server.kill();
    let server = guarded(&project);
    assert_eq!(call(&server, "ann", RUN, "k-1", &same).await.status(200)["task_id"], first["task_id"]);
    assert_eq!(count(&server).await, 2);
    // For anything else it is refused, however small the difference.
    let other_model = json!({"name": "writer", "args": {"topic": "tea"}, "execute": true, "model": "echo"});
    for (tool, body) in [
        ("run_employee", order("milk")),
        ("run_employee", other_model),
        ("run_employee", background.clone()),
        ("replay_task", json!({"task_id": first["task_id"]})),
    ] {
        let told = call(&server, "ann", &format!("/api/tools/{tool}"), "k-1", &body).await;
        told.problem(422, "idempotency-key-reused");
    }
    assert_eq!(count(&server).await, 2);
    // Another caller has keys of their own.
    let theirs = call(&server, "bob", RUN, "k-1", &order("milk")).await.status(200);
    assert_ne!(theirs["task_id"], first["task_id"]);
    // What starts nothing takes a key and needs none; what is no key is told.
    let prompt = json!({"name": "writer", "args": {"topic": "tea"}});
    assert!(call(&server, "ann", RUN, "k-9", &prompt).await.status(200)["prompt"].is_string());
    assert_eq!(call(&server, "ann", "/api/tools/list_tasks", "k-1", &json!({})).await.status, 200);
    call(&server, "ann", RUN, "a b", &prompt).await.problem(400, "invalid-request");
}

#[tokio::test]
async fn a_task_is_done_again_once_under_a_key() {
    let project = Project::small("echo");
    project.write("tokens.yaml", TOKENS);
    let server = guarded(&project);
    let order = json!({"args": {"topic": "tea"}, "sync": true});
    let task = call(&server, "ann", "/run/employee/writer", "k", &order).await.status(200);
    let replay = json!({"task_id": task["task_id"]});
    let first = call(&server, "ann", "/api/tools/replay_task", "k", &replay).await.status(200);
    let second = call(&server, "ann", "/api/tools/replay_task", "k", &replay).await.status(200);
    assert_eq!(first["task_id"], second["task_id"]);
    assert_ne!(first["task_id"], task["task_id"]);
    assert_eq!(count(&server).await, 2);
    // Runs over HTTP keep their callers apart in the same way.
    let theirs = call(&server, "bob", "/run/employee/writer", "k", &order).await.status(200);
    assert_ne!(theirs["task_id"], task["task_id"]);
}

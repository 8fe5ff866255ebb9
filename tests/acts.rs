//! Who did what that not everybody may: `.crew/audit/admin.jsonl`.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Project, Server, patiently};

const TOKENS: &str = "tokens:\n  - {name: ann, token: \"${ANN}\", scopes: [admin]}\n  - {name: viewer, token: \"${VIEWER}\", scopes: [read]}\n";

fn lines(project: &Project) -> Vec<Value> {
    let text = project.read(".crew/audit/admin.jsonl");
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn told(lines: &[Value]) -> Vec<[String; 3]> {
    let word = |line: &Value, key: &str| line[key].as_str().unwrap_or_default().to_owned();
    lines.iter().map(|line| ["act", "by", "outcome"].map(|key| word(line, key))).collect()
}

#[tokio::test]
async fn decisions_and_changes_are_put_down_with_who_made_them() {
    let project = Project::small("echo");
    project.write(
        ".crew/pipelines/asks.yaml",
        "name: asks\ndescription: Asks\nsteps:\n  - {employee: writer, args: {topic: tea}, approval: 'Go on?'}\n",
    );
    project.write("tokens.yaml", TOKENS);
    let env = [("ANN", "ann-token-5a1b"), ("VIEWER", "view-token-77")];
    let server = Server::start(&project, &["--tokens-file", "tokens.yaml", "--rate-limit", "0"], &env);
    let post = async |path: &str, body: Value| {
        let request = server.request(Method::POST, path).bearer_auth("ann-token-5a1b").json(&body);
        server.send(request).await
    };
    assert!(!project.path().join(".crew/audit").try_exists().unwrap(), "nothing was done yet");
    let run = async || {
        let task = post("/run/pipeline/asks", json!({"sync": true})).await.status(202);
        task["task_id"].as_str().unwrap().to_owned()
    };
    let first = run().await;
    // The name that a body gives is not believed.
    let yes = json!({"approved": true, "user_id": "boss", "comment": "because-of-3c9e"});
    post(&format!("/tasks/{first}/approve"), yes.clone()).await.status(200);
    post(&format!("/tasks/{first}/approve"), yes).await.problem(409, "conflict");
    let second = run().await;
    post(&format!("/tasks/{second}/cancel"), json!({})).await.status(202);
    post(&format!("/tasks/{second}/resume"), json!({})).await.status(202);
    let stands = async |status: &str| {
        let shown = async || {
            let shown = server.request(Method::GET, &format!("/tasks/{second}")).bearer_auth("view-token-77");
            (server.send(shown).await.status(200)["status"] == status).then_some(())
        };
        patiently(shown).await;
    };
    stands("awaiting_approval").await;
    post("/api/tools/approve_task", json!({"task_id": second, "approved": false})).await.status(200);
    stands("failed").await;
    post(&format!("/tasks/{second}/replay"), json!({})).await.status(202);
    let text = "---\nname: clerk\ndescription: Files things\nmodel: echo\n---\n\nFile it.\n";
    post("/api/tools/create_employee", json!({"text": text})).await.status(200);
    let schedule =
        json!({"name": "nightly", "cron": "@daily", "target_type": "employee", "target_name": "clerk"});
    post("/api/tools/add_schedule", schedule).await.status(200);
    post("/api/tools/remove_schedule", json!({"name": "nightly"})).await.status(200);
    post("/api/tools/remove_schedule", json!({"name": "nightly"})).await.problem(404, "not-found");
    let lines = lines(&project);
    let expected = [
        ["approve", "ann", "done"],
        ["approve", "ann", "failed"],
        ["cancel", "ann", "done"],
        ["resume", "ann", "done"],
        ["refuse", "ann", "done"],
        ["replay", "ann", "done"],
        ["create-employee", "ann", "done"],
        ["add-schedule", "ann", "done"],
        ["remove-schedule", "ann", "done"],
        ["remove-schedule", "ann", "failed"],
    ];
    assert_eq!(told(&lines), expected.map(|line| line.map(str::to_owned)));
    assert_eq!(lines[0]["subject"], first);
    assert_eq!((&lines[6]["subject"], &lines[7]["subject"]), (&json!("clerk"), &json!("nightly")));
    assert_eq!(lines[0]["trace_id"].as_str().unwrap().len(), 32);
    let text = project.read(".crew/audit/admin.jsonl");
    for hidden in ["ann-token-5a1b", "because-of-3c9e", "boss", "File it"] {
        assert!(!text.contains(hidden), "{hidden}");
    }
}

#[tokio::test]
async fn those_who_are_turned_away_are_counted() {
    let project = Project::small("echo");
    project.write("tokens.yaml", TOKENS);
    let env = [("ANN", "ann"), ("VIEWER", "view")];
    let server = Server::start(&project, &["--tokens-file", "tokens.yaml", "--rate-limit", "0"], &env);
    let mut tries: Vec<Option<&str>> = vec![Some("guessed-91f0"); 12];
    tries.push(None);
    tries.insert(0, Some("view"));
    for token in tries {
        let request = server.request(Method::POST, "/run/employee/writer").json(&json!({}));
        let request = match token {
            Some(token) => request.bearer_auth(token),
            None => request,
        };
        assert!(!server.send(request).await.status.is_success());
    }
    assert_eq!(server.terminate(), Some(0));
    let [line] = lines(&project).try_into().unwrap();
    assert_eq!((&line["act"], &line["by"]), (&json!("refuse-callers"), &json!("")));
    assert_eq!(line["reasons"], json!({"no-token": 1, "wrong-token": 10, "scope": 1, "blocked": 2}));
    assert_eq!(line["addresses"], json!({"127.0.0.1": 14}));
    assert!(!line.to_string().contains("guessed"), "{line}");
}

/// The command line writes beside a server, and is told apart from it.
#[tokio::test]
async fn the_command_line_is_put_down_too() {
    let project = Project::small("echo");
    let server = Server::start(&project, &[], &[]);
    let id = server.accepted("/run/employee/writer", &json!({"args": {"topic": "tea"}})).await;
    server.ended(&id).await;
    assert_eq!(server.terminate(), Some(0));
    project.run(["task", "cancel", &id]).status(1);
    project.run(["task", "replay", &id]).success();
    let lines = lines(&project);
    assert_eq!(
        told(&lines),
        [["cancel", "cli", "failed"], ["replay", "cli", "done"]].map(|line| line.map(str::to_owned))
    );
    assert_eq!(lines[1]["subject"], id);
}

/// A new token counts without a restart, as a new list of tokens does; an empty file changes nothing.
#[tokio::test]
async fn a_token_file_that_changes_is_read_again() {
    let project = Project::small("echo");
    project.write("token", "first-token-1\n");
    let server = Server::start(&project, &["--token-file", "token", "--rate-limit", "0"], &[]);
    let status = async |token: &str| {
        server.send(server.request(Method::GET, "/tasks").bearer_auth(token)).await.status.as_u16()
    };
    assert_eq!((status("first-token-1").await, status("second-token-2").await), (200, 401));
    project.write("token", "\n");
    patiently(async || server.log().contains("the tokens stay as they were").then_some(())).await;
    assert_eq!(status("first-token-1").await, 200);
    project.write("token", "second-token-2\n");
    patiently(async || server.log().contains("the tokens were read again").then_some(())).await;
    assert_eq!((status("first-token-1").await, status("second-token-2").await), (401, 200));
    let log = server.log();
    assert_eq!(server.terminate(), Some(0));
    assert!(lines(&project).iter().any(|line| line["act"] == "exchange-tokens"));
    for token in ["first-token", "second-token"] {
        assert!(!log.contains(token) && !project.read(".crew/audit/admin.jsonl").contains(token));
    }
}

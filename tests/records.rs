//! What was written down of runs and discussions, asked for by every surface.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Project, Server};

const OLD: &str = concat!(
    r#"{"event":"start","timestamp":"2025-01-02T03:04:05","session_type":"pipeline","subject":"审查","metadata":{}}"#,
    "\nnonsense\n",
    r#"{"event":"message","timestamp":"2025-01-02T03:04:06","role":"assistant","content":"好"}"#,
    "\n",
    r#"{"event":"end","timestamp":"2025-01-02T03:04:07","status":"completed"}"#,
    "\n",
);

const MEETINGS: &str = concat!(
    r#"{"meeting_id":"20250101_101010","name":"评审","topic":"API of tea","participants":["ann"],"mode":"meeting","rounds":2,"output_format":"summary","started_at":"2025-01-01T10:10:10","args":{"key":"s3cret-value"}}"#,
    "\n",
    r#"{"meeting_id":"20250102_101010","name":"plan","topic":"coffee","participants":["bob"],"mode":"meeting","rounds":1,"output_format":"summary","started_at":"2025-01-02T10:10:10"}"#,
    "\n",
);

fn project() -> Project {
    let project = Project::small("echo");
    project.write(".crew/sessions/20250102-030405-abcdef12.jsonl", OLD);
    project.write(".crew/sessions/notes.txt", "no session");
    project.write(".crew/meetings/index.jsonl", MEETINGS);
    project.write(".crew/meetings/20250101_101010.md", "# 评审\n\n茶\n");
    project.write("secret.jsonl", OLD);
    project
}

fn ids(list: &Value, key: &str) -> Vec<String> {
    let items = list["items"].as_array().unwrap();
    items.iter().map(|item| item[key].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn sessions_are_listed_and_shown() {
    let project = project();
    let server = Server::start(&project, &[], &[]);
    let run = json!({"args": {"topic": "tea"}, "sync": true});
    let task = server.post("/run/employee/writer", &run).await.status(200);
    let id = task["task_id"].as_str().unwrap();
    let listed = server.get("/api/sessions").await.status(200);
    assert_eq!(ids(&listed, "session_id"), [id, "20250102-030405-abcdef12"]);
    assert_eq!((&listed["total"], &listed["items"][0]["subject"]), (&json!(2), &json!("writer")));
    let some = server.get("/api/sessions?type=pipeline&subject=%E5%AE%A1%E6%9F%A5&limit=5").await.status(200);
    assert_eq!(ids(&some, "session_id"), ["20250102-030405-abcdef12"]);
    assert_eq!(ids(&server.get("/api/sessions?limit=1").await.status(200), "session_id"), [id]);

    let shown = server.get(&format!("/api/sessions/{id}")).await.status(200);
    assert_eq!((&shown["session_type"], &shown["is_cut"]), (&json!("employee"), &json!(false)));
    assert_eq!(shown["events"][1]["content"], task["result"]["output"]);
    let old = server.get("/api/sessions/20250102-030405-abcdef12").await.status(200);
    assert_eq!((&old["total"], &old["events"][1]["content"]), (&json!(3), &json!("好")), "{old}");
    let end = json!({"session_id": "20250102-030405-abcdef12", "limit": 1});
    let end = server.post("/api/tools/get_session", &end).await.status(200);
    assert_eq!((&end["is_cut"], &end["events"][0]["event"]), (&json!(true), &json!("end")));
    assert_eq!((&end["subject"], &end["total"]), (&json!("审查"), &json!(3)));
    // One that is written anew reads anew.
    project.write(".crew/sessions/20250102-030405-abcdef12.jsonl", &OLD.replace("审查", "other"));
    let changed = server.get("/api/sessions?subject=other").await.status(200);
    assert_eq!(changed["total"], 1);
}

#[tokio::test]
async fn meetings_are_listed_and_shown() {
    let project = project();
    let server = Server::start(&project, &[], &[]);
    let listed = server.get("/api/meetings").await.status(200);
    assert_eq!(ids(&listed, "meeting_id"), ["20250102_101010", "20250101_101010"]);
    assert_eq!(
        ids(&server.get("/api/meetings?keyword=TEA").await.status(200), "meeting_id"),
        ["20250101_101010"]
    );
    let found = server.post("/api/tools/list_meeting_history", &json!({"keyword": "评", "limit": 1})).await;
    assert_eq!(found.status(200)["meetings"][0]["name"], "评审");
    let shown = server.get("/api/meetings/20250101_101010").await.status(200);
    assert_eq!((&shown["content"], &shown["rounds"]), (&json!("# 评审\n\n茶\n"), &json!(2)));
    assert!(!shown.to_string().contains("s3cret-value"), "{shown}");
    let without = server.get("/api/meetings/20250102_101010").await.status(200);
    assert_eq!((&without["content"], without["notes"].as_array().unwrap().len()), (&json!(""), 1));
}

#[tokio::test]
async fn an_id_is_no_path_and_who_may_look_may_read() {
    let project = project();
    project.write("tokens.yaml", "tokens:\n  - {name: viewer, token: \"${VIEWER}\", scopes: [read]}\n");
    let server = Server::start(&project, &["--tokens-file", "tokens.yaml"], &[("VIEWER", "view")]);
    let get = async |path: &str| server.send(server.request(Method::GET, path).bearer_auth("view")).await;
    for what in ["sessions", "meetings"] {
        server.get(&format!("/api/{what}")).await.problem(401, "unauthorized");
        assert_eq!(get(&format!("/api/{what}")).await.status, 200);
        for id in
            ["..%2f..%2fsecret", "%2e%2e", "nobody", "notes.txt", "%E5%AE%A1", "a%00b", &"x".repeat(500)]
        {
            get(&format!("/api/{what}/{id}")).await.problem(404, "not-found");
        }
        for query in ["limit=0", "limit=201", "limit=many", "since=x"] {
            get(&format!("/api/{what}?{query}")).await.problem(422, "invalid-arguments");
        }
    }
}

//! What was written down of runs and discussions, asked for by every surface.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{FakeModel, Finished, Project, Server, patiently};

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

#[test]
fn a_run_that_went_well_leaves_no_warning() {
    let project = Project::small("echo");
    let pipeline = "name: both\nsteps:\n  - {id: a, employee: writer, args: {topic: $topic}}\n  - {employee: checker, args: {text: '{prev}'}}\n";
    project.write(".crew/pipelines/both.yaml", pipeline);
    project.run(["pipeline", "run", "both", "--arg", "topic=tea", "-x"]).success();
    let logs: Value = serde_json::from_str(&project.run(["log", "list", "--json"]).success()).unwrap();
    assert_eq!(
        (&logs[0]["severity"], &logs[0]["by_employee"]["writer"]["info"]),
        (&json!("info"), &json!(1))
    );
    let id = logs[0]["session_id"].as_str().unwrap();
    let log = project.run(["log", "show", id]).success();
    assert!(log.contains("answered: a: ") && !log.contains("failed"), "{log}");
    let check = project.run(["check", "--logs"]).success();
    assert!(check.contains("0 critical, 0 warnings"), "{check}");
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
    // One that takes the place of another reads anew.
    let new = project.write("new", &OLD.replace("审查", "other"));
    std::fs::rename(new, project.path().join(".crew/sessions/20250102-030405-abcdef12.jsonl")).unwrap();
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
    for what in ["sessions", "meetings", "logs"] {
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

#[track_caller]
fn json_of(finished: Finished) -> Value {
    serde_json::from_str(&finished.success()).unwrap()
}

#[tokio::test]
async fn what_was_done_is_told_from_what_was_said() {
    let project = project();
    let server = Server::start(&project, &[], &[]);
    let run = json!({"args": {"topic": "tea"}, "sync": true});
    let task = server.post("/run/employee/writer", &run).await.status(200);
    let id = task["task_id"].as_str().unwrap();
    let listed = server.get("/api/logs?employee=writer").await.status(200);
    let row = &listed["items"][0];
    assert_eq!(
        (&row["session_id"], &row["entries"], &row["severity"]),
        (&json!(id), &json!(3), &json!("info"))
    );
    let log = server.get(&format!("/api/logs/{id}")).await.status(200);
    let done: Vec<_> = log["entries"].as_array().unwrap().iter().map(|entry| &entry["action"]).collect();
    assert_eq!(done, ["session_start", "answered", "session_end"]);
    assert_eq!((&log["employee_name"], &log["entries"][0]["args"]), (&json!("writer"), &json!({})));
    assert_eq!(log["entries"][2]["metrics"]["calls"], 1);
    let of_tool = server.post("/api/tools/get_work_log", &json!({"session_id": id})).await.status(200);
    assert_eq!((&of_tool["entries"], &of_tool["logs"][0]["entries"]), (&log["entries"], &json!(3)));
    let shown = project.run(["log", "show", id]).success();
    assert!(shown.contains("session_end: completed (writer)"), "{shown}");
    server
        .post("/api/tools/get_work_log", &json!({"severity": "bad"}))
        .await
        .problem(422, "invalid-arguments");
    // The session of the predecessor has a log of its own, or none.
    server.get("/api/logs/20250102-030405-abcdef12").await.problem(404, "not-found");
}

#[tokio::test]
async fn a_failed_run_is_critical() {
    let fake = FakeModel::answering(|_| Err(400)).await;
    let project = Project::small("claude-test");
    project.run_in(&fake.env(), ["run", "writer", "--execute", "--arg", "topic=x"]).status(1);
    let listed = json_of(project.run(["log", "list", "--json"]));
    assert_eq!(listed[0]["severity"], "critical");
    let checked = project.run(["check", "--logs", "--json"]);
    let found: Value = serde_json::from_str(&checked.stdout).unwrap();
    assert_eq!(found["logs"]["by_employee"]["writer"]["critical"], 1);
    checked.status(1);
}

#[tokio::test]
async fn runs_are_found_by_what_came_of_them() {
    let project = project();
    project.write(".crew/sessions/20250103-030405-abcdef12.jsonl", &OLD.replace("好", "重试三次才成功"));
    // What was asked is never searched.
    let asked = OLD.replace("\"assistant\"", "\"prompt\"").replace("好", "重试的提示");
    project.write(".crew/sessions/20250104-030405-abcdef12.jsonl", &asked);
    let search = |words: &[&str]| json_of(project.run([&["memory", "search", "--json"], words].concat()));
    let ids = |found: &Value| -> Vec<String> {
        let hits = found.as_array().unwrap();
        hits.iter().filter_map(|hit| Some(hit["session_id"].as_str()?.to_owned())).collect()
    };
    let found = search(&["重试", "--kind", "session"]);
    assert_eq!(ids(&found), ["20250103-030405-abcdef12"]);
    assert_eq!((&found[0]["kind"], &found[0]["summary"]), (&json!("session"), &json!("重试三次才成功")));
    assert!(search(&["重试"]).as_array().unwrap().is_empty(), "memories alone, unless asked");
    // What is new is found, what is gone is not.
    project.run(["run", "writer", "--execute", "--arg", "topic=kettles"]).success();
    let new = search(&["writer", "--kind", "session", "--employee", "writer"]);
    assert_eq!((ids(&new).len(), &new[0]["employees"]), (1, &json!(["writer"])));
    std::fs::remove_file(project.path().join(".crew/sessions/20250103-030405-abcdef12.jsonl")).unwrap();
    assert!(ids(&search(&["重试", "--kind", "session"])).is_empty());
    project.run(["memory", "add", "writer", "-c", "finding", "-m", "the writer likes kettles"]).success();
    let both = search(&["writer", "--kind", "all"]);
    let mut kinds: Vec<_> =
        both.as_array().unwrap().iter().map(|hit| hit["kind"].as_str().unwrap()).collect();
    kinds.sort_unstable();
    assert_eq!(kinds, ["memory", "session"]);
    // An index that is torn is made again.
    std::fs::write(project.path().join(".crew/sessions-index.db"), "nonsense").unwrap();
    assert_eq!(ids(&search(&["writer", "--kind", "session"])).len(), 1);

    let server = Server::start(&project, &[], &[]);
    let found = server.get("/api/memory/search?query=writer&kind=all").await.status(200);
    assert_eq!((&found["total"], found["items"].as_array().unwrap().len()), (&json!(2), 2));
    let found = server.post("/api/tools/search_memory", &json!({"query": "writer", "kind": "session"})).await;
    let found = found.status(200);
    assert_eq!(
        (found["memories"].as_array().unwrap().len(), found["sessions"].as_array().unwrap().len()),
        (0, 1)
    );
    for query in ["query=", "query=x&kind=none", "kind=all", "query=x&limit=0"] {
        server.get(&format!("/api/memory/search?{query}")).await.problem(422, "invalid-arguments");
    }
}

const KEPT: &str = "records: {sessions_days: 30, logs_days: 30, max_meetings: 1}\n";

fn with_old_records() -> Project {
    let project = project();
    project.write(".crew/logs/20250102-030405-abcdef12.jsonl", "{\"timestamp\":\"2025-01-02T03:04:05\"}\n");
    project.run(["run", "writer", "--execute", "--arg", "topic=x"]).success();
    project
}

#[test]
fn nothing_is_removed_unless_the_project_says_so() {
    let project = with_old_records();
    let counts = |words: &[&str]| -> [usize; 3] {
        let pruned = json_of(project.run([&["records", "prune", "--json"], words].concat()));
        ["sessions", "logs", "meetings"].map(|kind| pruned[kind].as_array().unwrap().len())
    };
    assert_eq!(counts(&[]), [0, 0, 0]);
    project.write(".crew/config.yaml", KEPT);
    let before = project.tree();
    assert_eq!(counts(&["--dry-run"]), [1, 1, 1]);
    assert_eq!(project.tree(), before);
    assert_eq!(counts(&[]), [1, 1, 1]);
    assert_eq!(counts(&[]), [0, 0, 0]);
    let left = json_of(project.run(["session", "list", "--json"]));
    assert_eq!((left.as_array().unwrap().len(), &left[0]["subject"]), (1, &json!("writer")));
    let left = json_of(project.run(["meetings", "list", "--json"]));
    assert_eq!((left.as_array().unwrap().len(), &left[0]["meeting_id"]), (1, &json!("20250102_101010")));
    assert!(!project.path().join(".crew/meetings/20250101_101010.md").is_file());
    let settled = project.run(["config", "show"]).success();
    assert!(
        settled.lines().any(|line| line.contains("records.sessions_days") && line.contains("30")),
        "{settled}"
    );
    project.write(".crew/config.yaml", "records: {sessions_days: 0}\n");
    project.run(["records", "prune"]).status(1);
}

#[tokio::test]
async fn a_server_removes_what_is_kept_no_longer() {
    let project = with_old_records();
    project.write(".crew/config.yaml", KEPT);
    let server = Server::start(&project, &[], &[]);
    let gone = project.path().join(".crew/sessions/20250102-030405-abcdef12.jsonl");
    patiently(async || (!gone.is_file()).then_some(())).await;
    let listed = server.get("/api/sessions").await.status(200);
    assert_eq!(listed["total"], 1);
}

#[tokio::test]
async fn what_a_live_task_was_given_stays() {
    let mut fake = FakeModel::held(|_| Ok("done".to_owned())).await;
    let project = project();
    project.write(
        ".crew/employees/writer.md",
        "---\nname: writer\ndescription: x\nmodel: claude-test\nargs: [{name: topic}]\n---\nOn $topic.\n",
    );
    let server = Server::start(&project, &[], &fake.env());
    let named = "20250101_101010 and 20250102-030405-abcdef12";
    let id = server.accepted("/run/employee/writer", &json!({"args": {"topic": named}})).await;
    fake.asked().await;
    project.write(".crew/config.yaml", "records: {sessions_days: 1, meetings_days: 1}\n");
    let prune = || json_of(project.run(["records", "prune", "--json"]));
    let pruned = prune();
    assert_eq!((&pruned["sessions"], &pruned["meetings"]), (&json!([]), &json!(["20250102_101010"])));
    fake.release(1);
    server.ended(&id).await;
    let pruned = prune();
    assert_eq!(pruned["sessions"], json!(["20250102-030405-abcdef12"]));
    assert_eq!(pruned["meetings"], json!(["20250101_101010"]));
}

#[test]
fn memories_come_from_and_go_to_other_programs() {
    let project = Project::small("echo");
    let mem0 =
        json!({"results": [{"id": "a1", "memory": "Likes tea", "user_id": "alex", "categories": ["food"]}]});
    let file = project.write("theirs.json", &mem0.to_string());
    let import =
        |form: &str| project.run(["memory", "import", "writer", file.to_str().unwrap(), "--format", form]);
    assert_eq!(import("mem0").success().trim(), "added 1, known already 0, refused 0");
    let said = import("letta").status(2);
    assert!(said.contains("write a list of passages"), "{said}");
    let given = json_of(project.run(["memory", "export", "writer", "--format", "mem0"]));
    assert_eq!(
        (&given["results"][0]["memory"], &given["results"][0]["user_id"]),
        (&json!("Likes tea"), &json!("alex"))
    );
    let passages = json_of(project.run(["memory", "export", "writer", "--format", "letta"]));
    assert_eq!((&passages[0]["text"], &passages[0]["tags"]), (&json!("Likes tea"), &json!(["food"])));
}

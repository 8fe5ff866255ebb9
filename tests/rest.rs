//! What else can be asked over HTTP: lists, tools, events of a task, readiness, and the description of it all.

use std::fs;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Project, Server, patiently};

fn small() -> (Project, Server) {
    let project = Project::small("echo");
    let server = Server::start(&project, &[], &[]);
    (project, server)
}

#[tokio::test]
async fn tasks_come_a_page_at_a_time() {
    let (_project, server) = small();
    let mut ids = Vec::new();
    for topic in ["a", "b", "c", "d", "e"] {
        let order = json!({"args": {"topic": topic}, "sync": true});
        ids.push(server.post("/run/employee/writer", &order).await.status(200)["task_id"].clone());
    }
    ids.reverse();
    let (mut seen, mut path) = (Vec::new(), "/tasks?limit=2".to_owned());
    loop {
        let page = server.get(&path).await.status(200);
        seen.extend(page["tasks"].as_array().unwrap().iter().map(|task| task["task_id"].clone()));
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        path = format!("/tasks?limit=2&cursor={cursor}");
    }
    assert_eq!(seen, ids);
    let count = async |query: &str| {
        server.get(&format!("/tasks?{query}")).await.status(200)["tasks"].as_array().unwrap().len()
    };
    assert_eq!([count("type=employee").await, count("type=pipeline").await], [5, 0]);
    assert_eq!(
        [count("trigger=direct").await, count("caller=anonymous").await, count("caller=ann").await],
        [5, 5, 0]
    );
    server.get("/tasks?cursor=nonsense").await.problem(422, "invalid-arguments");
    server.get("/tasks?curser=x").await.problem(422, "invalid-arguments");
}

/// The events of a stream that has ended: id, name, data.
fn events(text: &str) -> Vec<(String, String, Value)> {
    let field = |frame: &str, name: &str| {
        frame.lines().find_map(|line| line.strip_prefix(name)).map(|rest| rest.trim().to_owned())
    };
    let event = |frame: &str| {
        Some((
            field(frame, "id:")?,
            field(frame, "event:")?,
            serde_json::from_str(&field(frame, "data:")?).unwrap(),
        ))
    };
    text.split("\n\n").filter_map(event).collect()
}

#[tokio::test]
async fn a_task_is_told_step_by_step_and_goes_on_where_it_was_lost() {
    let project = Project::small("echo");
    let pipeline = "name: two\nsteps:\n  - {id: one, employee: writer, args: {topic: tea}}\n  - {id: two, employee: checker, args: {text: \"{prev}\"}}\n";
    project.write(".crew/pipelines/two.yaml", pipeline);
    let server = Server::start(&project, &[], &[]);
    let id = server.accepted("/run/pipeline/two", &json!({})).await;
    let path = format!("/tasks/{id}/events");
    let whole = server.get(&path).await;
    assert_eq!(whole.header("content-type"), Some("text/event-stream; charset=utf-8"));
    let told = events(&whole.text);
    let steps: Vec<_> =
        told.iter().filter(|(_, name, _)| name == "step").map(|(_, _, step)| step["step"].clone()).collect();
    assert_eq!(steps, [json!("0:one"), json!("1:two")]);
    let (last, name, end) = told.last().unwrap();
    assert_eq!((name.as_str(), &end["status"]), ("status", &json!("completed")));
    assert!(end["result"].is_object(), "{end}");
    // After the first step only the rest is told, after the end nothing.
    let after =
        async |id: &str| server.send(server.request(Method::GET, &path).header("last-event-id", id)).await;
    let (first, ..) = told.iter().find(|(_, name, _)| name == "step").unwrap();
    let rest = events(&after(first).await.text);
    assert!(rest.iter().all(|(_, _, data)| data["step"] != "0:one"), "{rest:?}");
    assert_eq!(rest.last(), told.last());
    assert_eq!(after(last).await.status, 204);
    assert_eq!(events(&after("nonsense").await.text).last(), told.last());
    server.get("/tasks/nothing/events").await.problem(404, "not-found");
}

#[tokio::test]
async fn the_tools_can_be_called_over_http() {
    let (_project, server) = small();
    let listed = server.get("/api/tools").await.status(200);
    let names: Vec<_> =
        listed["items"].as_array().unwrap().iter().map(|tool| tool["name"].as_str().unwrap()).collect();
    assert!(names.contains(&"run_employee") && names.contains(&"get_task"), "{names:?}");
    assert_eq!(listed["total"], names.len());
    let call = async |tool: &str, args: Value| server.post(&format!("/api/tools/{tool}"), &args).await;
    let prompt = call("run_employee", json!({"name": "writer", "args": {"topic": "tea"}})).await.status(200);
    assert!(prompt["prompt"].as_str().unwrap().contains("Work on tea."), "{prompt}");
    let done = call("run_employee", json!({"name": "writer", "args": {"topic": "tea"}, "execute": true}))
        .await
        .status(200);
    assert_eq!(done["status"], "completed");
    assert!(
        done["answer"]["output"].as_str().unwrap_or_default().contains("tea")
            || done.to_string().contains("tea"),
        "{done}"
    );
    call("run_employee", json!({"name": "writer"})).await.problem(422, "invalid-arguments");
    call("run_employee", json!({"name": "writer", "arg": {}})).await.problem(422, "invalid-arguments");
    call("get_employee", json!({"name": "nobody"})).await.problem(404, "not-found");
    call("run_employe", json!({})).await.problem(404, "not-found");
}

#[tokio::test]
async fn what_there_is_can_be_listed() {
    let project = Project::sample();
    let server = Server::start(&project, &[], &[]);
    for what in ["employees", "pipelines", "discussions"] {
        let list = server.get(&format!("/api/{what}")).await.status(200);
        assert_eq!(list["items"].as_array().unwrap().len(), list["total"], "{what}");
        assert!(list["total"].as_u64().unwrap() > 0 || what == "discussions", "{what}");
    }
    let one = server.get("/api/employees/code-reviewer").await.status(200);
    assert_eq!(one["name"], "code-reviewer");
    server.get("/api/employees/nobody").await.problem(404, "not-found");
    server.get("/api/employees/..%2f..%2fetc").await.problem(404, "not-found");
    let head = server.send(server.request(Method::HEAD, "/api/employees")).await;
    assert_eq!((head.status.as_u16(), head.text.as_str()), (200, ""));
}

#[tokio::test]
async fn readiness_tells_what_is_broken_and_who_cannot_work() {
    let (project, server) = small();
    server.get("/healthz").await.status(200);
    let ready = async || server.get("/readyz").await;
    assert_eq!(ready().await.status(200)["status"], "ready");
    project.write(".crew/employees/broken.md", "---\nname: [\n---\n");
    let degraded = crate::support::patiently(async || {
        Some(ready().await.status(200)).filter(|answer| answer["status"] == "degraded")
    })
    .await;
    assert!(degraded["findings"].to_string().contains("broken.md"), "{degraded}");
    drop(server);

    let server = Server::start(&project, &["--token", "t"], &[]);
    let told = server.get("/readyz").await.status(200);
    assert_eq!((&told["status"], &told["findings"]), (&json!("degraded"), &Value::Null));
    assert!(!told.to_string().contains("broken.md"), "{told}");
}

#[tokio::test]
async fn a_server_beside_another_says_that_its_tasks_end_with_it() {
    let (project, server) = small();
    let beside = Server::start_sse(&project, &[], &[]);
    assert_eq!(server.get("/readyz").await.status(200)["status"], "ready");
    let told = beside.get("/readyz").await.status(200);
    assert_eq!(told["status"], "degraded", "{told}");
    assert!(told["checks"]["tasks"].as_str().unwrap().contains("end with it"), "{told}");
    crate::support::patiently(async || {
        beside.log().contains("another process keeps the tasks of this project").then_some(())
    })
    .await;
}

#[tokio::test]
async fn nothing_is_accepted_into_a_file_that_was_taken_away() {
    let (project, server) = small();
    let order = json!({"args": {"topic": "tea"}, "sync": true});
    let run = async || server.post("/run/employee/writer", &order).await;
    let ready = async || server.get("/readyz").await;
    let kept = run().await.status(200)["task_id"].as_str().unwrap().to_owned();
    let (path, elsewhere) =
        (project.path().join(".crew/tasks.jsonl"), project.path().join(".crew/tasks.bak"));
    fs::rename(&path, &elsewhere).unwrap();
    assert_eq!(ready().await.status(503)["status"], "unavailable");
    let refused = run().await;
    assert!(refused.header("retry-after").is_some());
    refused.problem(503, "unavailable");
    // Neither into another one in its place.
    fs::write(&path, "").unwrap();
    run().await.problem(503, "unavailable");
    ready().await.status(503);
    // Back where it was, it goes on.
    fs::rename(&elsewhere, &path).unwrap();
    ready().await.status(200);
    let later = run().await.status(200)["task_id"].as_str().unwrap().to_owned();
    server.kill();
    let server = Server::start(&project, &[], &[]);
    for id in [kept, later] {
        assert_eq!(server.get(&format!("/tasks/{id}")).await.status(200)["status"], "completed");
    }
    assert_eq!(server.tasks().await.len(), 2, "what was refused is not there");
}

/// What is open can be written, and is on the disk: that is what counts, for work and for who asks whether there is any.
#[cfg(unix)]
#[tokio::test]
async fn a_folder_that_becomes_read_only_keeps_what_is_accepted() {
    use std::os::unix::fs::PermissionsExt as _;
    let (project, server) = small();
    let order = json!({"args": {"topic": "tea"}, "sync": true});
    server.post("/run/employee/writer", &order).await.status(200);
    let folder = project.path().join(".crew");
    let allow = |folder_mode, file_mode| {
        fs::set_permissions(folder.join("tasks.jsonl"), fs::Permissions::from_mode(file_mode)).unwrap();
        fs::set_permissions(&folder, fs::Permissions::from_mode(folder_mode)).unwrap();
    };
    allow(0o555, 0o444);
    let ready = server.get("/readyz").await;
    let ran = server.post("/run/employee/writer", &order).await;
    server.kill();
    allow(0o755, 0o600);
    assert_eq!(ready.status(200)["status"], "ready");
    let id = ran.status(200)["task_id"].as_str().unwrap().to_owned();
    let server = Server::start(&project, &[], &[]);
    assert_eq!(server.get(&format!("/tasks/{id}")).await.status(200)["status"], "completed");
}

#[tokio::test]
async fn the_description_names_the_tools_and_the_page_asks_nobody_else() {
    let project = Project::small("echo");
    let server = Server::start(&project, &["--token", "t"], &[]);
    server.get("/openapi.json").await.problem(401, "unauthorized");
    let document =
        server.send(server.request(Method::GET, "/openapi.json").bearer_auth("t")).await.status(200);
    for path in ["/api/tools/run_employee", "/tasks/{id}/events", "/mcp", "/health"] {
        assert!(document["paths"][path].is_object(), "{path}");
    }
    let page = server.get("/docs").await;
    assert_eq!(page.status, 200);
    assert!(page.header("content-security-policy").unwrap().contains("script-src 'sha256-"));
    assert!(!page.text.contains("http://") && !page.text.contains("https://"));
}

#[tokio::test]
async fn of_many_who_create_the_same_one_does() {
    let (project, server) = small();
    let create = |number: usize| {
        let text = format!("---\nname: clerk\ndescription: Number {number}\nmodel: echo\n---\n\nFile it.\n");
        let body = json!({"text": text});
        let server = &server;
        async move { (text, server.post("/api/tools/create_employee", &body).await) }
    };
    let replies = futures_util::future::join_all((0..8).map(create)).await;
    let (created, refused): (Vec<_>, Vec<_>) =
        replies.into_iter().partition(|(_, reply)| reply.status == 200);
    let [(text, reply)] = &created[..] else { panic!("{} were created", created.len()) };
    assert_eq!(project.read(reply.json()["path"].as_str().unwrap()), *text);
    for (_, reply) in refused {
        assert!(reply.problem(409, "conflict").contains("is there already"));
    }
}

#[tokio::test]
async fn many_who_add_schedules_wait_for_each_other_and_learn_no_paths() {
    let (project, server) = small();
    let add = |number: usize| {
        let schedule = json!({
            "name": format!("nightly-{number}"), "cron": "@daily", "target_type": "employee", "target_name": "writer",
            "args": {"topic": "tea"},
        });
        let server = &server;
        async move { server.post("/api/tools/add_schedule", &schedule).await }
    };
    for reply in futures_util::future::join_all((0..12).map(add)).await {
        reply.status(200);
    }
    let kept: Value = serde_json::from_str(&project.read(".crew/schedules.json")).unwrap();
    assert_eq!(kept["schedules"].as_array().unwrap().len(), 12);

    let file = project.path().join(".crew/schedules.json");
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    let told = add(13).await.problem(503, "unavailable");
    assert!(!told.contains('/'), "{told}");
    // The operator is told which file it is.
    patiently(async || server.log().contains("schedules.json").then_some(())).await;
}

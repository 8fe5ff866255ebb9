//! Tools for which a person is asked first: on every surface, through crashes, and never done twice.

use std::{
    fs,
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use serde_json::{Value, json};

use crate::{
    external::scripted,
    support::{FakeModel, Project, Server},
    tools::{call, project, results},
};

/// A tool that its server calls destructive, and one that it does not.
const TWO: &str = r#"{"name":"wipe","inputSchema":{"type":"object"},"annotations":{"destructiveHint":true}},{"name":"look","inputSchema":{"type":"object"},"annotations":{"destructiveHint":true,"readOnlyHint":true}}"#;

/// Does it, and says so.
const DONE: &str = r#"echo did >> done; printf '{"jsonrpc":"2.0","id":%s,"result":{"content":[{"type":"text","text":"wiped"}]}}\n' "$id""#;

/// An employee `clerk` with these settings, and a server whose tools leave a line in the file `done`.
fn wiping(settings: &str) -> Project {
    let project = project(settings);
    scripted(&project, TWO, DONE);
    project
}

fn env<'e>(fake: &'e FakeModel, more: &[(&'e str, &'e str)]) -> Vec<(&'e str, &'e str)> {
    fake.env().into_iter().chain([("GIVEN", "yes")]).chain(more.iter().copied()).collect()
}

fn done(root: &Path) -> usize {
    fs::read_to_string(root.join("done")).unwrap_or_default().lines().count()
}

fn audit(project: &Project) -> Vec<Value> {
    let text = fs::read_to_string(project.path().join(".crew/audit/tool_usage.jsonl")).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn say(text: &str) -> Value {
    json!([{"type": "text", "text": text}])
}

/// A model of which `clerk` makes this call, and then says what it gave; all others say who they are.
async fn model(tool: &'static str, input: Value) -> FakeModel {
    FakeModel::acting(move |body| {
        if !is_of_clerk(body) {
            return say("[poem]");
        }
        match results(body).as_slice() {
            [] => json!([call("a", tool, input.clone())]),
            [(text, _), ..] => say(text),
        }
    })
    .await
}

fn is_of_clerk(body: &Value) -> bool {
    body["system"].to_string().contains("I am clerk")
}

/// How often the model of `clerk` was asked.
fn asked(fake: &FakeModel) -> usize {
    fake.bodies().iter().filter(|body| is_of_clerk(body)).count()
}

const STEP: &str = "approval-answer/tool-1.0";

async fn waits(server: &Server, id: &str, step: &str) -> Value {
    let waits = |task: &Value| task["status"] == "awaiting_approval" && task["waiting"][0]["step"] == step;
    server.until(&format!("/tasks/{id}"), waits).await
}

#[tokio::test]
async fn what_a_server_calls_destructive_waits_for_a_person() {
    let fake = model("mcp__bad__wipe", json!({"path": "a\u{202e}b\n"})).await;
    fake.release(100);
    let project = wiping("tools: ['mcp__*']");
    let server = Server::start(&project, &[], &env(&fake, &[]));
    let run = server.post("/run/employee/clerk", &json!({"sync": true})).await.status(202);
    let id = run["task_id"].as_str().unwrap();
    let task = waits(&server, id, STEP).await;
    assert_eq!(
        task["waiting"][0]["question"],
        "May `clerk` use the tool `mcp__bad__wipe` (it is destructive, and `allow` does not name it in full)? \
         Arguments: {\"path\":\"a\\u{202e}b\\n\"}"
    );
    let listed = server.get("/tasks?status=awaiting_approval").await.status(200);
    assert_eq!((&listed["tasks"][0]["task_id"], listed["tasks"].as_array().unwrap().len()), (&json!(id), 1));
    assert_eq!((asked(&fake), done(project.path()), audit(&project).len()), (1, 0, 0));

    server.post(&format!("/tasks/{id}/approve"), &json!({"approved": true})).await.status(200);
    let task = server.ended(id).await;
    assert_eq!(
        (&task["status"], &task["result"]["output"]),
        (&json!("completed"), &json!("wiped")),
        "{task}"
    );
    assert_eq!((asked(&fake), done(project.path())), (2, 1));
    let [line] = &audit(&project)[..] else { panic!("one call is one line: {:?}", audit(&project)) };
    assert_eq!(
        (&line["tool"], &line["allowed"], &line["outcome"], &line["approval"]["approved"]),
        (&json!("mcp__bad__wipe"), &json!(true), &json!("ok"), &json!(true))
    );
    assert!(line["approval"]["by"].is_string(), "{line}");
}

#[tokio::test]
async fn a_refusal_is_told_to_the_model_and_ends_nothing() {
    let fake = model("mcp__bad__wipe", json!({})).await;
    fake.release(100);
    let project = wiping("tools: ['mcp__*']");
    let server = Server::start(&project, &[], &env(&fake, &[]));
    let id = server.accepted("/run/employee/clerk", &json!({})).await;
    waits(&server, &id, STEP).await;
    let no = json!({"approved": false, "comment": "太早"});
    server.post(&format!("/tasks/{id}/approve"), &no).await.status(200);
    let task = server.ended(&id).await;
    let output = task["result"]["output"].as_str().unwrap();
    assert!(output.starts_with("refused by `") && output.ends_with("`: 太早"), "{task}");
    assert_eq!((&task["status"], done(project.path())), (&json!("completed"), 0));
    assert_eq!(results(&fake.bodies()[1]), [(output.to_owned(), true)]);
    let [line] = &audit(&project)[..] else { panic!("{:?}", audit(&project)) };
    assert_eq!((&line["allowed"], &line["outcome"]), (&json!(false), &json!("refused")));
    assert_eq!(line["approval"]["approved"], false);
}

/// What changes nothing is not asked about, nor what is allowed by its name; what is denied is not there.
#[tokio::test]
async fn who_is_named_in_full_is_not_asked_about_and_denial_goes_before_all() {
    for (tool, permissions, text) in [
        ("mcp__bad__look", "", "wiped"),
        ("mcp__bad__wipe", "permissions: {allow: ['*', mcp__bad__wipe]}", "wiped"),
        ("mcp__bad__wipe", "permissions: {approve: ['mcp__bad__*'], allow: [mcp__bad__wipe]}", "wiped"),
        (
            "mcp__bad__wipe",
            "permissions: {approve: ['mcp__bad__*'], allow: [mcp__bad__wipe], deny: [mcp__bad__wipe]}",
            "there is no tool `mcp__bad__wipe`",
        ),
    ] {
        let fake = model(tool, json!({})).await;
        fake.release(100);
        let project = wiping(&format!("tools: ['mcp__*']\n{permissions}"));
        let server = Server::start(&project, &[], &env(&fake, &[]));
        let run = server.post("/run/employee/clerk", &json!({"sync": true})).await.status(200);
        assert_eq!(run["result"]["output"], text, "{permissions}");
    }
}

#[tokio::test]
async fn where_nobody_can_be_asked_it_is_refused() {
    let fake = model("mcp__bad__wipe", json!({})).await;
    let project = wiping("tools: ['mcp__*']");
    fake.release(100);
    let stdout = project.run_in(&env(&fake, &[]), ["run", "clerk", "-x", "--json"]).success();
    assert!(stdout.contains("needs a person's approval each time"), "{stdout}");
    assert!(stdout.contains("nobody can be asked: an approval can be given to a task only"), "{stdout}");
    assert_eq!(done(project.path()), 0);
    let [line] = &audit(&project)[..] else { panic!("{:?}", audit(&project)) };
    assert_eq!((&line["allowed"], &line["approval"]), (&json!(false), &Value::Null));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_leaves_it_waiting_and_takes_it_up() {
    let fake = model("file_read", json!({"path": "notes.txt"})).await;
    fake.release(100);
    let project = project("tools: [file_read]\npermissions: {approve: [Read]}");
    let run = |words: &[&str]| project.run_in(&fake.env(), words.iter().copied());
    let stderr = run(&["run", "clerk", "-x", "--no-stream"]).status(3);
    assert!(stderr.contains("May `clerk` use the tool `file_read` (`approve` names `Read`)?"), "{stderr}");
    let line = stderr.lines().find(|line| line.contains("task approve")).unwrap();
    let words: Vec<_> = line.split_whitespace().collect();
    assert_eq!((words[4], words[5]), ("--step", STEP));
    let stdout = run(&words[1..]).success();
    assert!(stdout.contains("tea"), "{stdout}");
    assert_eq!(asked(&fake), 2);

    let told = run(&["run", "clerk", "-x", "--json"]);
    assert_eq!(told.code, Some(3));
    let told: Value = serde_json::from_str(&told.stdout).unwrap();
    let id = told["task_id"].as_str().unwrap();
    let stdout = run(&["task", "approve", id, "--refuse", "--comment", "no"]).success();
    assert!(stdout.contains("refused by `cli`: no"), "a refusal is no failure of the run: {stdout}");
}

/// One worker, and something else for it to do: what is approved is on the disk and not begun.
#[tokio::test]
async fn killed_while_it_waits_and_right_after_the_approval_it_is_done_once() {
    let mut fake = model("mcp__bad__wipe", json!({})).await;
    let project = wiping("tools: ['mcp__*']");
    project.write(".crew/config.yaml", "tasks: {workers: 1}\n");
    let server = Server::start(&project, &[], &env(&fake, &[]));
    fake.release(1);
    let id = server.accepted("/run/employee/clerk", &json!({})).await;
    let task = waits(&server, &id, STEP).await;
    server.kill();

    // Nothing happens by itself.
    for _ in 0..2 {
        let server = Server::start(&project, &[], &env(&fake, &[]));
        assert_eq!(server.get(&format!("/tasks/{id}")).await.status(200), task);
        server.kill();
    }
    fake.asked().await;
    let server = Server::start(&project, &[], &env(&fake, &[]));
    let other = server.accepted("/run/employee/poet", &json!({"args": {"theme": "tea"}})).await;
    fake.asked().await;
    server.post(&format!("/tasks/{id}/approve"), &json!({})).await.status(200);
    assert_eq!(server.get(&format!("/tasks/{id}")).await.status(200)["status"], "pending");
    server.kill();
    assert_eq!((asked(&fake), done(project.path())), (1, 0));

    let server = Server::start(&project, &[], &env(&fake, &[]));
    fake.release(100);
    let task = server.ended(&id).await;
    assert_eq!(
        (&task["status"], &task["result"]["output"]),
        (&json!("completed"), &json!("wiped")),
        "{task}"
    );
    assert_eq!(server.ended(&other).await["status"], "completed");
    assert_eq!((asked(&fake), done(project.path())), (2, 1), "no call of a model came twice, and no wiping");
    let again = json!({"approved": false});
    server.post(&format!("/tasks/{id}/approve"), &again).await.problem(409, "conflict");
    server.kill();
    let server = Server::start(&project, &[], &env(&fake, &[]));
    assert_eq!(server.get(&format!("/tasks/{id}")).await.status(200), task);
    assert_eq!((asked(&fake), done(project.path())), (2, 1));
}

#[tokio::test]
async fn killed_in_a_group_that_is_at_work_it_asks_on_and_is_done_once() {
    let mut fake = model("mcp__bad__wipe", json!({})).await;
    let project = wiping("tools: ['mcp__*']");
    project.write(
        ".crew/pipelines/p.yaml",
        "
steps:
  - parallel:
      - {id: wipe, employee: clerk}
      - {id: write, employee: poet, args: {theme: tea}}
  - {id: end, employee: poet, args: {theme: '{prev}'}}
",
    );
    let step = "approval-0:wipe/tool-1.0";
    let server = Server::start(&project, &[], &env(&fake, &[]));
    let id = server.accepted("/run/pipeline/p", &json!({})).await;
    fake.asked().await;
    fake.asked().await;
    fake.release(2);
    // It waits once the other is on record, and not before.
    waits(&server, &id, step).await;
    server.kill();
    assert_eq!((asked(&fake), fake.bodies().len()), (1, 2));

    let server = Server::start(&project, &[], &env(&fake, &[]));
    let task = waits(&server, &id, step).await;
    assert_eq!(task["attempts"], 1);
    server.post(&format!("/tasks/{id}/approve"), &json!({})).await.status(200);
    // Its last turn hangs, after the tool.
    fake.asked().await;
    assert_eq!((asked(&fake), done(project.path())), (2, 1));
    server.kill();

    let server = Server::start(&project, &[], &env(&fake, &[]));
    fake.release(100);
    let task = server.ended(&id).await;
    assert_eq!(task["status"], "completed", "{task}");
    // The call under way when it was killed came once more; the turn that wanted the tool, and the tool, did not.
    assert_eq!((asked(&fake), done(project.path())), (3, 1));
    let first = fake.bodies().iter().filter(|body| is_of_clerk(body) && results(body).is_empty()).count();
    assert_eq!(first, 1);
    assert_eq!(fake.bodies().len(), 5, "and `write` was not asked again");
}

/// The question is told while others are at work, and lasts when they are killed at it.
#[tokio::test]
async fn killed_while_another_member_works_both_go_on_where_they_were() {
    let mut fake = model("mcp__bad__wipe", json!({})).await;
    let project = wiping("tools: ['mcp__*']");
    // The poet is asked only once the clerk has asked, so that its call is the one that hangs.
    project.write(
        ".crew/pipelines/p.yaml",
        "
steps:
  - parallel:
      - {id: wipe, employee: clerk}
      - {id: write, employee: poet, approval: 'Begin?', args: {theme: tea}}
",
    );
    let server = Server::start(&project, &[], &env(&fake, &[]));
    fake.release(1);
    let id = server.accepted("/run/pipeline/p", &json!({})).await;
    fake.asked().await;
    let both = |task: &Value| task["waiting"].as_array().is_some_and(|waiting| waiting.len() == 2);
    server.until(&format!("/tasks/{id}"), both).await;
    let path = format!("/tasks/{id}/approve");
    server.post(&path, &json!({"approved": true, "step": "approval-1:write"})).await.status(200);
    fake.asked().await;
    let task = server.get(&format!("/tasks/{id}")).await.status(200);
    assert_eq!(
        (&task["status"], &task["waiting"][0]["step"]),
        (&json!("running"), &json!("approval-0:wipe/tool-1.0"))
    );
    server.kill();

    let server = Server::start(&project, &[], &env(&fake, &[]));
    fake.asked().await;
    server.post(&path, &json!({"approved": true, "step": "approval-0:wipe/tool-1.0"})).await.status(200);
    fake.release(100);
    let task = server.ended(&id).await;
    assert_eq!(task["status"], "completed", "{task}");
    let poet = fake.bodies().iter().filter(|body| !is_of_clerk(body)).count();
    assert_eq!((asked(&fake), poet, done(project.path())), (2, 2, 1));
}

/// More wait for a person than may work at the same time: those who do not yet work do not keep them from waiting.
#[tokio::test]
async fn a_group_that_waits_as_a_whole_is_parked() {
    let fake = model("mcp__bad__wipe", json!({})).await;
    fake.release(100);
    let project = wiping("tools: ['mcp__*']");
    let members: Vec<_> = (0..10).map(|at| format!("{{id: w{at}, employee: clerk}}")).collect();
    project.write(".crew/pipelines/p.yaml", &format!("steps:\n  - parallel: [{}]", members.join(", ")));
    let server = Server::start(&project, &[], &env(&fake, &[]));
    let id = server.accepted("/run/pipeline/p", &json!({})).await;
    let mut decided = 0;
    loop {
        let task = server.ended(&id).await;
        let Some(step) = task["waiting"][0]["step"].as_str() else {
            assert_eq!(task["status"], "completed", "{task}");
            break;
        };
        let yes = json!({"approved": true, "step": step});
        server.post(&format!("/tasks/{id}/approve"), &yes).await.status(200);
        decided += 1;
    }
    assert_eq!((decided, asked(&fake), done(project.path())), (10, 20, 10));
}

#[tokio::test]
async fn who_is_handed_work_asks_within_the_work_of_another() {
    let fake = FakeModel::acting(|body| {
        let (is_boss, given) = (body["system"].to_string().contains("I am boss"), results(body));
        match given.as_slice() {
            [] if is_boss => json!([call("a", "delegate", json!({"employee": "clerk", "task": "wipe"}))]),
            [] => json!([call("a", "mcp__bad__wipe", json!({}))]),
            [(text, _), ..] => say(text),
        }
    })
    .await;
    fake.release(100);
    let project = wiping("tools: ['mcp__*']");
    let boss = "---\nname: boss\ndescription: Has others work\nmodel: claude-test\ntools: [delegate]\n---\n\nI am boss.\n";
    project.write(".crew/employees/boss.md", boss);
    let server = Server::start(&project, &[], &env(&fake, &[]));
    let answer = json!({"name": "boss", "execute": true});
    let answer = server.post("/api/tools/run_employee", &answer).await.status(202);
    assert_eq!(answer["status"], "awaiting_approval", "nobody is kept waiting for a person: {answer}");
    assert_eq!(answer["waiting"][0]["step"], "approval-answer/tool-1.0/tool-1.0");
    let id = answer["task_id"].as_str().unwrap();
    server.post(&format!("/tasks/{id}/approve"), &json!({})).await.status(200);
    let task = server.ended(id).await;
    assert_eq!(
        (&task["status"], &task["result"]["output"]),
        (&json!("completed"), &json!("wiped")),
        "{task}"
    );
    assert_eq!((fake.bodies().len(), done(project.path())), (4, 1), "each turn once");
    let told: Vec<_> =
        audit(&project).iter().map(|line| format!("{} {}", line["tool"], line["outcome"])).collect();
    assert_eq!(
        told,
        ["\"mcp__bad__wipe\" \"ok\"", "\"delegate\" \"ok\""],
        "what begins anew is no call that ended"
    );
}

/// The first try comes to nothing; the second asks, and is the one that goes on once it is decided.
#[tokio::test]
async fn a_later_try_that_waits_goes_on_where_it_was() {
    let first = AtomicBool::new(true);
    let fake = FakeModel::acting(move |body| match results(body).as_slice() {
        [] if first.swap(false, Ordering::Relaxed) => say("<think>nothing</think>"),
        [] => json!([call("a", "mcp__bad__wipe", json!({}))]),
        [(text, _), ..] => say(text),
    })
    .await;
    fake.release(100);
    let project = wiping("tools: ['mcp__*']");
    project.write(".crew/pipelines/p.yaml", "steps:\n  - {id: wipe, employee: clerk, retry: 3}\n");
    let server = Server::start(&project, &[], &env(&fake, &[]));
    let id = server.accepted("/run/pipeline/p", &json!({})).await;
    waits(&server, &id, "approval-0:wipe/try-1/tool-1.0").await;
    server.post(&format!("/tasks/{id}/approve"), &json!({})).await.status(200);
    let task = server.ended(&id).await;
    assert_eq!(task["status"], "completed", "{task}");
    assert_eq!((asked(&fake), done(project.path())), (3, 1));
}

#[tokio::test]
async fn the_time_that_a_person_takes_is_not_that_of_the_step() {
    let mut fake = model("mcp__bad__wipe", json!({})).await;
    let project = wiping("tools: ['mcp__*']");
    project.write(
        ".crew/pipelines/p.yaml",
        "
steps:
  - parallel:
      - {id: wipe, employee: clerk, timeout_seconds: 1}
      - {id: write, employee: poet, approval: 'Begin?', args: {theme: tea}}
",
    );
    let server = Server::start(&project, &[], &env(&fake, &[]));
    fake.release(1);
    let id = server.accepted("/run/pipeline/p", &json!({})).await;
    fake.asked().await;
    let both = |task: &Value| task["waiting"].as_array().is_some_and(|waiting| waiting.len() == 2);
    server.until(&format!("/tasks/{id}"), both).await;
    let path = format!("/tasks/{id}/approve");
    server.post(&path, &json!({"approved": true, "step": "approval-1:write"})).await.status(200);
    fake.asked().await;
    // Longer than the step may take, while the other member keeps the task from being parked.
    tokio::time::sleep(Duration::from_millis(1500)).await;
    server.post(&path, &json!({"approved": true, "step": "approval-0:wipe/tool-1.0"})).await.status(200);
    fake.release(100);
    let task = server.ended(&id).await;
    assert_eq!((&task["status"], done(project.path())), (&json!("completed"), 1), "{task}");
    assert_eq!(asked(&fake), 2);
}

#[test]
fn what_an_employee_may_use_is_told_with_the_reason() {
    let project = project(
        "tools: [Read, grep, bash, approve_task, 'mcp__bad__*', mcp__gone__x, mcp__few__a]\n\
         permissions: {roles: [readonly], allow: [mcp__bad__look, 'mcp__*'], deny: ['mcp__bad__deny_*'], approve: ['mcp__*__wipe*', grep]}",
    );
    project.write(
        ".crew/mcp_servers.yaml",
        "servers:\n  bad: {command: no-such-program}\n  few: {command: no-such-program, whitelist: [a, b]}\n",
    );
    let stdout = project.run(["permissions", "clerk", "--json"]).success();
    let told: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!((&told["employee"], &told["roles"]), (&json!("clerk"), &json!(["readonly"])));
    let tools: Vec<_> = told["tools"]
        .as_array()
        .unwrap()
        .iter()
        .map(|tool| {
            let text = |key: &str| tool[key].as_str().unwrap().to_owned();
            let may = text("may") + if tool["asks_if_destructive"] == true { "!" } else { "" };
            format!("{} {may}: {}", text("tool"), text("because"))
        })
        .collect();
    assert_eq!(
        tools,
        [
            "file_read allowed: the role `readonly`",
            "grep asks: `approve` names `grep`",
            "bash absent: there is no such tool here",
            "approve_task denied: no employee may use it",
            "mcp__bad__deny_* denied: `deny` names `mcp__bad__deny_*`",
            "mcp__*__wipe* asks: `approve` names `mcp__*__wipe*`",
            "mcp__bad__look allowed: `allow` names `mcp__bad__look`",
            "mcp__bad__* allowed!: `allow` names `mcp__*`",
            "mcp__gone__x absent: no server of `.crew/mcp_servers.yaml` offers it",
            "mcp__few__a allowed!: `allow` names `mcp__*`",
        ]
    );
    let stdout = project.run(["permissions", "clerk"]).success();
    assert!(stdout.contains("approve  mcp__*__wipe*, grep") && stdout.contains("asks first"), "{stdout}");
    project.run(["permissions", "nobody"]).status(1);
    assert!(!project.path().join(".crew/audit").is_dir(), "nothing is left behind");
}

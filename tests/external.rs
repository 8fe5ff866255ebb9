//! Tools of servers of others: crew's own server over both ways, and servers that behave badly.

use std::fs;

use serde_json::{Value, json};

use crate::{
    support::{FakeModel, Project, Server, patiently},
    tools::{call, calling, project, results},
};

const PROGRAM: &str = env!("CARGO_BIN_EXE_knowlyr-crew");

fn run(project: &Project, fake: &FakeModel, more: &[(&str, &str)]) {
    fake.release(100);
    let env: Vec<_> = fake.env().into_iter().chain(more.iter().copied()).collect();
    project.run_in(&env, ["run", "clerk", "--execute", "--json"]).success();
}

fn offered(body: &Value) -> Vec<String> {
    let tools = body["tools"].as_array().cloned().unwrap_or_default();
    tools.iter().map(|tool| tool["name"].as_str().unwrap().to_owned()).collect()
}

/// A server that answers each line as a script of the shell says: `$id` is the id of the request.
pub(crate) fn scripted(project: &Project, list: &str, called: &str) {
    let script = format!(
        r#"#!/bin/sh
echo $$ >> pids
env > seen
while read -r line; do
  id=$(printf '%s' "$line" | sed -n 's/.*"id":\([0-9]*\).*/\1/p')
  case "$line" in
    *server/discover*) printf '{{"jsonrpc":"2.0","id":%s,"error":{{"code":-32601,"message":"no"}}}}\n' "$id" ;;
    *'"initialize"'*) printf '{{"jsonrpc":"2.0","id":%s,"result":{{"protocolVersion":"2025-06-18","capabilities":{{"tools":{{}}}},"serverInfo":{{"name":"s","version":"1"}}}}}}\n' "$id" ;;
    *tools/list*) printf '{{"jsonrpc":"2.0","id":%s,"result":{{"tools":[{list}]}}}}\n' "$id" ;;
    *tools/call*) {called} ;;
  esac
done
"#
    );
    project.write("server.sh", &script);
    project.write(
        ".crew/mcp_servers.yaml",
        "servers:\n  bad: {command: sh, args: [server.sh], timeout: 2, env: {GIVEN: '${GIVEN}'}}\n",
    );
}

fn is_alive(pid: &str) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

const ONE: &str = r#"{"name":"go","inputSchema":{"type":"object"}}"#;

#[tokio::test]
async fn the_tools_of_a_program_are_offered_and_called() {
    let fake = calling(vec![call("a", "mcp__crew__list_employees", json!({}))]).await;
    let project = project(
        "tools: [mcp__crew__list_*, mcp__crew__run_pipeline]\npermissions: {deny: [mcp__crew__list_tasks]}",
    );
    let server = format!(
        "servers:\n  crew:\n    command: {PROGRAM}\n    args: [mcp, -d, {}]\n",
        project.path().display()
    );
    project.write(".crew/mcp_servers.yaml", &server);
    run(&project, &fake, &[]);
    let bodies = fake.bodies();
    let names = offered(&bodies[0]);
    assert!(names.contains(&"mcp__crew__list_employees".to_owned()), "{names:?}");
    assert!(names.contains(&"mcp__crew__run_pipeline".to_owned()), "{names:?}");
    assert!(!names.iter().any(|name| name.contains("list_tasks") || name.contains("get_")), "{names:?}");
    let (text, is_error) = &results(&bodies[1])[0];
    assert!(text.contains("poet") && !is_error, "{text}");
}

#[tokio::test]
async fn the_tools_of_a_server_on_the_web_are_too() {
    let other = Project::sample();
    let server = Server::start(&other, &[], &[("CREW_API_TOKEN", "s3cret")]);
    let fake = calling(vec![call("a", "mcp__web__detect_project", json!({}))]).await;
    let project = project("tools: ['mcp__web__*']");
    let text = format!(
        "servers: {{web: {{url: '{}/mcp', headers: {{Authorization: 'Bearer ${{WEB_TOKEN}}'}}}}}}",
        server.url
    );
    project.write(".crew/mcp_servers.yaml", &text);
    run(&project, &fake, &[("WEB_TOKEN", "s3cret")]);
    let (text, is_error) = &results(&fake.bodies()[1])[0];
    assert!(!is_error, "{text}");
}

#[tokio::test]
async fn a_program_is_told_what_it_needs_and_ended_with_its_use() {
    let fake = calling(vec![call("a", "mcp__bad__go", json!({}))]).await;
    let project = project("tools: ['mcp__*']");
    scripted(
        &project,
        ONE,
        r#"printf '{"jsonrpc":"2.0","id":%s,"result":{"content":[{"type":"text","text":"went"}]}}\n' "$id""#,
    );
    run(&project, &fake, &[("GIVEN", "yes"), ("CREW_API_TOKEN", "hidden"), ("OTHER", "hidden")]);
    assert_eq!(results(&fake.bodies()[1]), [("went".to_owned(), false)]);
    let seen = fs::read_to_string(project.path().join("seen")).unwrap();
    assert!(seen.contains("GIVEN=yes") && seen.contains("HOME="), "{seen}");
    assert!(!seen.contains("hidden") && !seen.contains("ANTHROPIC"), "{seen}");
    let pids = fs::read_to_string(project.path().join("pids")).unwrap();
    for pid in pids.lines() {
        assert!(!is_alive(pid), "{pid} still runs");
    }
}

#[tokio::test]
async fn servers_that_behave_badly_are_borne() {
    let flood = r"head -c 6000000 /dev/zero | tr '\0' x; printf '\n'";
    for (called, said) in [("sleep 100", "longer than 2 s"), ("exit 1", "failed"), (flood, "failed")] {
        let calls = (0..5).map(|at| call(&at.to_string(), "mcp__bad__go", json!({}))).collect();
        let fake = calling(calls).await;
        let project = project("tools: ['mcp__*']");
        scripted(&project, ONE, called);
        run(&project, &fake, &[("GIVEN", "yes")]);
        let told = results(&fake.bodies()[1]);
        assert!(told[0].0.contains(said) && told.iter().all(|(_, is_error)| *is_error), "{called}: {told:?}");
        assert!(told[4].0.contains("left alone"), "{called}: {told:?}");
        let starts = fs::read_to_string(project.path().join("pids")).unwrap().lines().count();
        assert!(starts <= 3, "{called}: started {starts} times");
    }
}

#[tokio::test]
async fn names_that_no_provider_takes_are_fitted() {
    let list = r#"{"name":"a b/../c","inputSchema":{"type":"object"}},{"name":"名","description":"x","inputSchema":{"type":"object"}}"#;
    let fake = FakeModel::acting(|_| json!([{"type": "text", "text": "done"}])).await;
    let project = project("tools: ['mcp__*']");
    scripted(&project, list, "exit 1");
    run(&project, &fake, &[("GIVEN", "yes")]);
    let names = offered(&fake.bodies()[0]);
    assert_eq!(names.len(), 2, "{names:?}");
    for name in names {
        assert!(name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte)), "{name}");
    }
}

#[tokio::test]
async fn a_server_that_changes_its_tools_is_followed() {
    let fake = calling(vec![call("a", "mcp__bad__go", json!({}))]).await;
    fake.release(100);
    let project = project("tools: ['mcp__*']");
    let called = r#"printf ',{"name":"more","inputSchema":{"type":"object"}}' >> list; printf '{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}\n{"jsonrpc":"2.0","id":%s,"result":{"content":[{"type":"text","text":"went"}]}}\n' "$id""#;
    // What the script says comes from a file.
    scripted(&project, r#"'"$(cat list)"'"#, called);
    project.write("list", ONE);
    let env: Vec<_> = fake.env().into_iter().chain([("GIVEN", "yes")]).collect();
    let server = Server::start(&project, &[], &env);
    for (at, expected) in [&["mcp__bad__go"][..], &["mcp__bad__go", "mcp__bad__more"]].into_iter().enumerate()
    {
        let task = server.post("/run/employee/clerk", &json!({"sync": true})).await.status(200);
        assert_eq!(task["result"]["output"], "went", "{task}");
        assert_eq!(offered(&fake.bodies()[at * 2]), expected);
    }
    assert_eq!(fs::read_to_string(project.path().join("pids")).unwrap().lines().count(), 1);
}

/// Its children hold its pipes open, so that it looks alive.
#[tokio::test]
async fn what_a_server_started_ends_with_it_when_it_is_killed() {
    let fake = calling(vec![call("a", "mcp__bad__go", json!({}))]).await;
    fake.release(100);
    let project = project("tools: ['mcp__*']");
    let called = r#"sleep 1000 & echo $! >> children; printf '{"jsonrpc":"2.0","id":%s,"result":{"content":[{"type":"text","text":"went"}]}}\n' "$id""#;
    scripted(&project, ONE, called);
    let env: Vec<_> = fake.env().into_iter().chain([("GIVEN", "yes")]).collect();
    let server = Server::start(&project, &[], &env);
    let run = async || server.post("/run/employee/clerk", &json!({"sync": true})).await.status(200);
    assert_eq!(run().await["result"]["output"], "went");
    let pids = |file: &str| -> Vec<String> {
        let text = fs::read_to_string(project.path().join(file)).unwrap();
        text.lines().map(str::to_owned).collect()
    };
    let (killed, child) = (pids("pids").remove(0), pids("children").remove(0));
    assert!(is_alive(&child));
    assert!(std::process::Command::new("kill").args(["-KILL", &killed]).status().unwrap().success());
    let output = run().await["result"]["output"].as_str().unwrap().to_owned();
    assert!(output.contains("the server `bad` failed"), "{output}");
    patiently(async || (!is_alive(&child)).then_some(())).await;
    // The next use has another.
    assert_eq!(run().await["result"]["output"], "went");
    assert_eq!(pids("pids").len(), 2);
    assert_eq!(server.terminate(), Some(0));
    for pid in [pids("pids"), pids("children")].concat() {
        patiently(async || (!is_alive(&pid)).then_some(())).await;
    }
}

#[tokio::test]
async fn a_server_that_is_not_defined_any_more_is_ended() {
    let fake = FakeModel::acting(|_| json!([{"type": "text", "text": "done"}])).await;
    fake.release(1000);
    let project = project("tools: ['mcp__*']");
    scripted(&project, ONE, "exit 1");
    let env: Vec<_> = fake.env().into_iter().chain([("GIVEN", "yes")]).collect();
    let server = Server::start(&project, &[], &env);
    let run = async || server.post("/run/employee/clerk", &json!({"sync": true})).await.status(200);
    run().await;
    let pid = fs::read_to_string(project.path().join("pids")).unwrap().trim().to_owned();
    assert!(is_alive(&pid), "it is kept for the next use");
    project.write(".crew/mcp_servers.yaml", "servers: {}\n");
    patiently(async || {
        run().await;
        (!is_alive(&pid)).then_some(())
    })
    .await;
    assert!(offered(fake.bodies().last().unwrap()).is_empty());
}

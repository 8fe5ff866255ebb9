//! Servers whose way to the database is cut, and databases that cannot be used.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    process::Stdio,
};

use serde_json::json;

use super::{names, project, stage::database};
use crate::support::{FakeModel, Project, Server, first_word, patiently};

#[tokio::test]
async fn nothing_is_lost_while_the_database_is_away() {
    let Some(database) = database() else { return };
    let wire = database.wire().await;
    let mut fake = FakeModel::held(first_word).await;
    let project = project();
    let a = database.server_by(&wire, &project, &fake.env());
    let id = a.begin_five(&mut fake, 0).await;
    wire.close();
    // What was done meanwhile waits to be recorded; nothing is accepted.
    fake.release(100);
    patiently(async || (a.get("/readyz").await.status == 503).then_some(())).await;
    let refused = a.post("/run/employee/writer", &json!({"args": {"topic": "x"}})).await;
    let text = refused.problem(503, "unavailable");
    assert!(!text.contains("postgres"), "{text}");
    assert_eq!(fake.works(), ["one of tea"], "a step that is not on record is not gone beyond");
    wire.open();
    let task = a.ended(&id).await;
    assert_eq!((&task["status"], &task["attempts"]), (&json!("completed"), &json!(1)), "{task}");
    assert_eq!(fake.works().len(), 5, "no step is done again");
    patiently(async || (a.get("/readyz").await.status == 200).then_some(())).await;
}

#[tokio::test]
async fn who_was_cut_off_for_longer_than_its_lease_records_nothing() {
    let Some(database) = database() else { return };
    let wire = database.wire().await;
    let mut fake = FakeModel::held(first_word).await;
    let (one, other) = (project(), project());
    let a = database.server_by(&wire, &one, &fake.env());
    let id = a.begin_five(&mut fake, 1).await;
    wire.close();
    let b = database.server(&other, &fake.env());
    // The other one takes over, and asks again what was not on record.
    fake.asked().await;
    let task = b.until(&format!("/tasks/{id}"), |task| task["attempts"] == 2).await;
    assert_eq!(names(&task), ["0:one"]);
    wire.open();
    // Once it hears of that, the first one lets go.
    fake.given_up().await;
    fake.release(100);
    let task = b.ended(&id).await;
    assert_eq!((&task["status"], &task["attempts"]), (&json!("completed"), &json!(2)), "{task}");
    patiently(async || (a.get(&format!("/tasks/{id}")).await.json() == task).then_some(())).await;
    let lines = database.lines(&id);
    let left = lines.iter().position(|(_, line)| line["event"] == "left").unwrap();
    let first = &lines[0].0;
    assert!(lines[left..].iter().all(|(writer, _)| writer != first), "{lines:?}");
    let works = fake.works();
    assert_eq!(works.iter().filter(|work| work.starts_with("one")).count(), 1, "{works:?}");
}

#[tokio::test]
async fn a_server_that_is_told_to_end_hands_over_at_once() {
    let Some(database) = database() else { return };
    let mut fake = FakeModel::answering(first_word).await;
    let (one, other) = (project(), project());
    let a = database.server(&one, &fake.env());
    let id = a.accepted("/run/employee/writer", &json!({"args": {"topic": "tea"}})).await;
    fake.asked().await;
    a.ended(&id).await;
    assert_eq!(a.terminate(), Some(0));
    let writers = database.ask("select writer from {s}.writers");
    assert!(writers.is_empty(), "{writers:?}");
    let b = database.server(&other, &fake.env());
    assert_eq!(b.get(&format!("/tasks/{id}")).await.status(200)["status"], "completed");
}

#[test]
fn an_agent_host_that_goes_away_leaves_the_others() {
    let Some(database) = database() else { return };
    let project = project();
    let mut command = project.command(["mcp"]);
    let mut child = command.envs(database.env()).stdin(Stdio::piped()).spawn().unwrap();
    let (mut input, output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let client = json!({"name": "host", "version": "1"});
    let greeting = json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": client});
    let lines = [
        json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": greeting}),
        json!({"jsonrpc": "2.0", "method": "notifications/initialized"}),
        json!({"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "list_tasks", "arguments": {}}}),
    ];
    for line in &lines {
        writeln!(input, "{line}").unwrap();
    }
    let mut output = BufReader::new(output).lines();
    let said: Vec<_> = output.by_ref().take(2).map(Result::unwrap).collect();
    assert!(said[1].contains("\"id\":2"), "{said:?}");
    assert_eq!(database.ask("select writer from {s}.writers").len(), 1);
    drop(input);
    assert!(child.wait().unwrap().success());
    assert!(database.ask("select writer from {s}.writers").is_empty());
}

#[test]
fn a_database_that_cannot_be_used_is_told_without_its_password() {
    let Some(database) = database() else { return };
    let project = Project::small("echo");
    let (_, place) = database.url.rsplit_once('@').unwrap();
    let (host, _) = place.split_once('/').unwrap();
    let absent = format!("postgres://postgres:pass-s3cret@{host}/there_is_none");
    for (url, says) in [
        (absent.as_str(), "there_is_none"),
        ("mysql://crew:pass-s3cret@db/crew", "it does not begin with `postgres://`"),
        ("postgres://crew:pass-s3cret@db/crew?sslmode=maybe", "sslmode=maybe"),
    ] {
        let env = [("CREW_DATABASE_URL", url)];
        let ended = project.run_in(&env, ["serve", "--port", "0"]);
        let told = ended.status(1);
        assert!(told.contains(says) && !told.contains("s3cret"), "{told}");
        let ended = project.run_in(&env, ["doctor", "--json"]);
        assert!(ended.stdout.contains("\"database\"") && ended.stdout.contains(says), "{}", ended.stdout);
        assert!(!format!("{ended:?}").contains("s3cret"), "{ended:?}");
    }
    let shown = project.run_in(&[("CREW_DATABASE_URL", absent.as_str())], ["config", "show"]).success();
    assert!(shown.contains("there_is_none") && !shown.contains("s3cret"), "{shown}");
}

#[tokio::test]
async fn doctor_tells_who_shares_the_database() {
    let Some(database) = database() else { return };
    let project = project();
    let row = || {
        let ended = project.run_in(&database.env(), ["doctor", "--json"]);
        let told: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
        told["rows"].as_array().unwrap().iter().find(|row| row["id"] == "database").unwrap().clone()
    };
    let before = row();
    assert_eq!(before["verdict"], "PASS", "{before}");
    assert!(before["found"].as_str().unwrap().contains("makes the tables"), "{before}");
    let named = [("HOSTNAME", "machine-a")];
    let _a: Server = database.server(&project, &named);
    let beside = row();
    let found = beside["found"].as_str().unwrap();
    assert!(found.contains("shared by 1: machine-a:") && found.contains("PostgreSQL"), "{found}");
    database.ask("update {s}.about set format = 9 returning one::text");
    let newer = row();
    assert_eq!(
        (&newer["verdict"], newer["fix"].as_str()),
        (&json!("FAIL"), Some("update this program")),
        "{newer}"
    );
    let told = project.run_in(&database.env(), ["serve", "--port", "0"]).status(1);
    assert!(told.contains("of form 9, and this program knows 1"), "{told}");
}

#[tokio::test]
async fn a_server_waits_for_a_database_that_is_only_starting() {
    let Some(database) = database() else { return };
    let wire = database.wire().await;
    wire.close();
    let project = Project::small("echo");
    let starting = std::thread::scope(|scope| {
        let starting = scope.spawn(|| database.server_by(&wire, &project, &[]));
        scope.spawn(|| {
            wire.wait_for_refusal();
            wire.open();
        });
        starting.join().unwrap()
    });
    let id = starting.accepted("/run/employee/writer", &json!({"args": {"topic": "tea"}})).await;
    assert_eq!(starting.ended(&id).await["status"], "completed");
}

#[cfg(unix)]
#[tokio::test]
async fn who_stood_still_for_longer_than_its_lease_lets_go() {
    let Some(database) = database() else { return };
    let mut fake = FakeModel::held(first_word).await;
    let (one, other) = (project(), project());
    let a = database.server(&one, &fake.env());
    let b = database.server(&other, &fake.env());
    let id = a.begin_five(&mut fake, 0).await;
    let tell = |signal: &str| {
        let told = std::process::Command::new("kill").args([signal, &a.pid().to_string()]).status();
        assert!(told.unwrap().success());
    };
    tell("-STOP");
    fake.asked().await;
    let task = b.until(&format!("/tasks/{id}"), |task| task["attempts"] == 2).await;
    assert_eq!(task["status"], "running");
    tell("-CONT");
    fake.given_up().await;
    fake.release(100);
    let task = b.ended(&id).await;
    assert_eq!((&task["status"], &task["attempts"]), (&json!("completed"), &json!(2)), "{task}");
    patiently(async || (a.get(&format!("/tasks/{id}")).await.json() == task).then_some(())).await;
    let finished = database.lines(&id).into_iter().filter(|(_, line)| line["event"] == "step");
    assert_eq!(finished.count(), 5);
}

#[test]
fn commands_say_why_the_database_cannot_be_used() {
    let project = Project::small("echo");
    // Nobody listens there.
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let url = format!("postgres://crew:pass-s3cret@127.0.0.1:{port}/crew");
    for words in [&["task", "list"][..], &["task", "cancel", "one"], &["backup", "--dry-run"]] {
        let told = project.run_in(&[("CREW_DATABASE_URL", &url)], words).status(1);
        let place = format!("cannot reach the database 127.0.0.1:{port}/crew");
        assert!(told.contains(&place) && !told.contains("s3cret"), "{words:?}: {told}");
    }
}

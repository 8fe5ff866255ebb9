//! Whatever dies or is cut off meanwhile, what is on record is in order.

use std::collections::{HashMap, HashSet};

use serde_json::json;

use super::{
    project,
    stage::{Database, database},
};
use crate::support::{FakeModel, Server, first_word};

/// How many pipelines of five steps.
const RUNS: usize = 12;

/// Each line was added once, each attempt begun once by one, each step finished once, and who had lost a task said nothing more
/// about it.
#[track_caller]
fn in_order(database: &Database, id: &str) {
    let (mut steps, mut attempts, mut lost) = (HashSet::new(), 0, HashSet::new());
    for (writer, line) in database.lines(id) {
        match line["event"].as_str().unwrap() {
            "started" => {
                attempts += 1;
                assert_eq!(line["attempt"], attempts, "{id}: {line}");
                assert_eq!(line["by"], writer.as_str(), "{id}: {line}");
                lost.remove(&writer);
            }
            "left" => drop(lost.insert(line["by"].as_str().unwrap().to_owned())),
            "created" | "stop" | "adopted" | "settled" => {}
            event => {
                assert!(!lost.contains(&writer), "{id}: {writer} has lost it, and says {line}");
                let name = line["step"].as_str().unwrap_or_default();
                assert!(event != "step" || steps.insert(name.to_owned()), "{id}: {name} is done again");
            }
        }
    }
    assert_eq!(steps.len(), 5, "{id}");
}

#[track_caller]
fn added_once(database: &Database) {
    let twice = database.ask(
        "select writer || ' ' || ticket from {s}.lines where ticket > 0 group by writer, ticket having count(*) > 1",
    );
    assert!(twice.is_empty(), "{twice:?}");
}

async fn begin(servers: &[&Server]) -> Vec<String> {
    let mut ids = Vec::new();
    for number in 0..RUNS {
        let server = servers[number % servers.len()];
        let body = json!({"args": {"topic": format!("n{number}")}});
        ids.push(server.accepted("/run/pipeline/five", &body).await);
    }
    ids
}

#[tokio::test]
async fn when_servers_die() {
    let Some(database) = database() else { return };
    let mut fake = FakeModel::held(first_word).await;
    let projects = [project(), project(), project()];
    let [a, b, c] = projects.each_ref().map(|project| database.server(project, &fake.env()));
    let ids = begin(&[&a, &b, &c]).await;
    for _ in 0..RUNS {
        fake.asked().await;
    }
    fake.release(RUNS * 2);
    for _ in 0..RUNS {
        fake.asked().await;
    }
    a.kill();
    fake.release(RUNS);
    b.ask_to_end();
    let d = database.server(&projects[0], &fake.env());
    fake.release(1000);
    b.wait();
    for id in &ids {
        let (here, there) = (c.ended(id).await, d.ended(id).await);
        assert_eq!((&here["status"], &here), (&json!("completed"), &there), "{here}");
        in_order(&database, id);
    }
    added_once(&database);
}

#[tokio::test]
async fn when_the_wire_is_cut_again_and_again() {
    let Some(database) = database() else { return };
    let wire = database.wire().await;
    let mut fake = FakeModel::held(first_word).await;
    let (one, other) = (project(), project());
    let a = database.server_by(&wire, &one, &fake.env());
    let b = database.server(&other, &fake.env());
    let ids = begin(&[&a, &b]).await;
    for _ in 0..8 {
        fake.asked().await;
        wire.close();
        fake.release(4);
        wire.wait_for_refusal();
        wire.open();
        fake.release(2);
    }
    fake.release(1000);
    let mut calls = HashMap::new();
    for id in &ids {
        let (here, there) = (a.ended(id).await, b.ended(id).await);
        assert_eq!((&here["status"], &here["result"]), (&json!("completed"), &there["result"]), "{here}");
        in_order(&database, id);
        let lines = database.lines(id);
        let spent = lines.iter().filter(|(_, line)| line["event"] == "spent").count();
        calls.insert(id, spent);
        assert!(spent >= 5, "{id}: {spent} calls are paid for");
    }
    assert!(calls.values().sum::<usize>() <= fake.works().len(), "no call is paid for twice: {calls:?}");
    added_once(&database);
}

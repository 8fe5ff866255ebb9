//! Backups, made and put back as an operator does it.

use std::fs;

use serde_json::{Value, json};

use crate::support::{FakeModel, Project, Server};

/// What a server has accepted is in a backup that is made meanwhile, and goes on in another place.
#[tokio::test]
async fn a_project_moves_while_it_is_served() {
    let mut model = FakeModel::held(|_| Ok("done".to_owned())).await;
    let project = Project::small("claude-test");
    project.write("private/employees/notes.txt", "kept as it is");
    let server = Server::start(&project, &[], &model.env());
    let body = json!({"args": {"topic": "tides"}});
    let id = server.accepted("/run/employee/writer", &body).await;
    model.asked().await;
    let archive = project.path().join("b.tar.gz");
    let made: Value =
        serde_json::from_str(&project.run(["backup", "-o", "b.tar.gz", "--json"]).success()).unwrap();
    assert_eq!(made["archive_bytes"].as_u64().unwrap(), fs::metadata(&archive).unwrap().len());
    assert_eq!(made["manifest"]["files"][0]["path"], ".crew/tasks.jsonl");
    project.run(["backup", "--verify", "b.tar.gz"]).success();
    server.kill();

    let other = Project::empty();
    let archive = archive.to_str().unwrap();
    let said = other.run(["restore", archive, "--dry-run"]).success();
    assert!(said.contains("nothing was written"), "{said}");
    assert!(other.tree().is_empty());
    other.run(["restore", archive]).success();
    assert_eq!(other.read("private/employees/notes.txt"), "kept as it is");
    let refused = other.run(["restore", archive]).status(1);
    assert!(refused.contains("`--force` keeps it under another name"), "{refused}");
    model.release(1);
    let server = Server::start(&other, &[], &model.env());
    assert_eq!(server.ended(&id).await["result"]["output"], "done");
    let refused = other.run(["restore", archive, "--force"]).status(1);
    assert!(refused.contains("a server works on this project"), "{refused}");
}

/// All that the checklist names, and what was written down of it.
#[tokio::test]
async fn what_outlives_a_server_is_in_a_backup() {
    let project = Project::small("echo");
    project.write(
        ".crew/pipelines/one.yaml",
        "name: one\ndescription: One\nsteps: [{employee: writer, args: {topic: x}}]\n",
    );
    project.write(
        ".crew/cron.yaml",
        "schedules: [{name: yearly, cron: '@yearly', target_type: pipeline, target_name: one}]\n",
    );
    project.run(["memory", "add", "writer", "-c", "finding", "-m", "Tides come twice"]).success();
    let server = Server::start(&project, &[], &[]);
    let run = json!({"args": {"topic": "tides"}, "sync": true});
    let id =
        server.post("/run/employee/writer", &run).await.status(200)["task_id"].as_str().unwrap().to_owned();
    let made: Value =
        serde_json::from_str(&project.run(["backup", "-o", "b.tar.gz", "--json"]).success()).unwrap();
    let files = made["manifest"]["files"].as_array().unwrap();
    let has = |begin: &str| files.iter().any(|file| file["path"].as_str().unwrap().starts_with(begin));
    let session = format!(".crew/sessions/{id}.jsonl");
    for path in
        [".crew/tasks.jsonl", ".crew/memory/", &session, ".crew/pipelines/one.yaml", ".crew/cron.yaml"]
    {
        assert!(has(path), "{path}: {made}");
    }
    let archive = project.path().join("b.tar.gz");
    let other = Project::empty();
    other.run(["restore", archive.to_str().unwrap()]).success();
    let told = other.run(["memory", "show", "writer"]).success();
    assert!(told.contains("Tides come twice"), "{told}");
    let listed = other.run(["session", "list"]).success();
    assert!(listed.contains(&id), "{listed}");
}

#[test]
fn a_damaged_backup_is_told() {
    let project = Project::small("echo");
    project.run(["backup", "-o", "b.tar.gz"]).success();
    let archive = project.path().join("b.tar.gz");
    let mut bytes = fs::read(&archive).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&archive, bytes).unwrap();
    let said = project.run(["backup", "--verify", "b.tar.gz"]).status(1);
    assert!(said.contains("`b.tar.gz` is no backup, or a damaged one"), "{said}");
    let said = project.run(["restore", "nowhere.tar.gz"]).status(1);
    assert!(said.contains("cannot open `nowhere.tar.gz`"), "{said}");
    let said = Project::empty().run(["backup"]).status(1);
    assert!(said.contains("there is nothing to back up"), "{said}");
}

//! Runs that are recorded, and played again with the network off.

use std::{fs, path::Path};

use serde_json::{Value, json};

use crate::support::{FakeModel, Project, Receiver};

const POET: &str = "---\nname: poet\ndescription: Writes\nmodel: claude-x\ntools: [file_read]\nargs: [{name: subject, required: true}]\n---\n\nWrite of $subject, {datetime}, in {cwd}.\n";

/// A project whose poet reads a file before it answers, and the provider it asks.
async fn project() -> (Project, FakeModel) {
    let project = Project::empty();
    project.write(".crew/employees/poet.md", POET);
    project.write("notes.txt", "the key is test-key-anthropic\n");
    let model = FakeModel::acting(|body| {
        let turns = body["messages"].as_array().unwrap().len();
        match turns {
            1 => {
                json!([{"type": "tool_use", "id": "t1", "name": "file_read", "input": {"path": "notes.txt"}}])
            }
            _ => json!([{"type": "text", "text": "月亮\nand stars"}]),
        }
    })
    .await;
    model.release(100);
    (project, model)
}

const RECORD: [&str; 8] =
    ["run", "poet", "--arg", "subject=moon", "--execute", "--no-stream", "--record", ".crew/recordings/moon"];

fn all(folder: &Path) -> String {
    let mut names: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.sort();
    names.iter().map(|name| fs::read_to_string(name).unwrap()).collect()
}

#[tokio::test]
async fn a_run_is_recorded_with_its_tools_and_played_without_a_network() {
    let (project, model) = project().await;
    project.run_in(&model.env(), RECORD).success();
    let folder = project.path().join(".crew/recordings/moon");
    let recorded = all(&folder);
    assert!(
        recorded.contains("月亮") && recorded.contains("\"file_read\"") && recorded.contains("in {cwd}."),
        "{recorded}"
    );
    assert!(!recorded.contains("test-key") && recorded.contains("the key is ***"), "{recorded}");
    let asked = model.bodies().len();
    // No key, no address, and the file that was read has gone.
    fs::remove_file(project.path().join("notes.txt")).unwrap();
    let before = project.tree();
    let printed = project.run(["test"]).success();
    assert_eq!(project.tree(), before, "playing a run leaves nothing behind");
    assert!(printed.contains("ok .crew/recordings/moon (3 exchanges)"), "{printed}");
    assert_eq!(
        (model.bodies().len(), all(&folder)),
        (asked, recorded),
        "nothing is sent, and nothing written"
    );
}

#[tokio::test]
async fn what_changed_is_shown_line_by_line_and_may_be_accepted() {
    let (project, model) = project().await;
    project.run_in(&model.env(), RECORD).success();
    project.write(".crew/employees/poet.md", &POET.replace("Write of", "写一首诗："));
    let finished = project.run(["test"]);
    assert_eq!(finished.code, Some(1), "{}", finished.stdout);
    let printed = finished.stdout;
    assert!(printed.contains("FAILED .crew/recordings/moon"), "{printed}");
    let line =
        |sign: char, text: &str| printed.lines().any(|line| line.starts_with(sign) && line.contains(text));
    assert!(line('-', "Write of moon") && line('+', "写一首诗： moon"), "{printed}");
    assert!(!printed.contains('\u{1b}'), "colours are for terminals");
    let told: Value = serde_json::from_str(&project.run(["test", "--json"]).stdout).unwrap();
    assert_eq!(
        (&told[0]["passed"], &told[0]["differences"][0]["finding"]),
        (&json!(false), &json!("changed"))
    );
    let updated = project.run(["test", "--update"]).success();
    assert!(updated.contains("updated .crew/recordings/moon"), "{updated}");
    project.run(["test"]).success();
}

#[tokio::test]
async fn what_is_missing_or_not_used_fails() {
    let (project, model) = project().await;
    project.run_in(&model.env(), RECORD).success();
    let run = project.path().join(".crew/recordings/moon/run.json");
    let whole: Value = serde_json::from_str(&fs::read_to_string(&run).unwrap()).unwrap();
    let mut fewer = whole.clone();
    fewer["exchanges"].as_array_mut().unwrap().retain(|name| name != "poet-2.json");
    fs::write(&run, fewer.to_string()).unwrap();
    let printed = project.run(["test"]).stdout;
    assert!(printed.contains("not recorded"), "{printed}");
    // The answer of the first turn calls no tool any more, so that the rest is not asked.
    fs::write(&run, whole.to_string()).unwrap();
    let folder = run.parent().unwrap();
    for name in ["poet-1.json", "poet-2.json", "poet-3.json"] {
        let text = fs::read_to_string(folder.join(name)).unwrap();
        let mut exchange: Value = serde_json::from_str(&text).unwrap();
        if let Some(calls) = exchange.pointer_mut("/given/reply/said/calls") {
            *calls = json!([]);
            exchange["given"]["reply"]["said"]["text"] = json!("done");
            fs::write(folder.join(name), exchange.to_string()).unwrap();
        }
    }
    let finished = project.run(["test"]);
    assert_eq!(finished.code, Some(1));
    assert!(finished.stdout.contains("does not ask any more"), "{}", finished.stdout);
    fs::write(&run, "{").unwrap();
    assert!(project.run(["test"]).status(1).contains("run.json"));
}

#[test]
fn the_recording_of_the_sample_crew_is_up_to_date() {
    let finished = std::process::Command::new(env!("CARGO_BIN_EXE_knowlyr-crew"))
        .args(["-d", env!("CARGO_MANIFEST_DIR"), "test"])
        .env_clear()
        .output()
        .unwrap();
    let printed = String::from_utf8(finished.stdout).unwrap();
    assert!(finished.status.success() && printed.contains("ok .crew/recordings/full-review"), "{printed}");
}

/// Two employees who answer with who they are.
fn two() -> Project {
    let project = Project::empty();
    for name in ["ann", "bob"] {
        let text = format!(
            "---\nname: {name}\ndisplay_name: {name}\ndescription: Talks\nmodel: claude-x\n---\n\nI am {name}, {{date}}.\n"
        );
        project.write(&format!(".crew/employees/{name}.md"), &text);
    }
    project
}

#[tokio::test]
async fn a_discussion_is_recorded_and_played_without_a_network() {
    let project = two();
    project.write(
        ".crew/discussions/d.yaml",
        "topic: tea\nrounds: 2\noutput: {filename: '{datetime}.md'}\npost_pipeline: after\naction_output: true\nparticipants: [{employee: ann}, {employee: bob}]\n",
    );
    project.write(".crew/pipelines/after.yaml", "steps: [{employee: ann}]\n");
    let model = FakeModel::answering(|_| {
        Ok("Tea.\n\n```json\n{\"position\": \"tea\", \"decisions\": [\"tea\"], \"actions\": [{\"id\": \"A\", \"description\": \"boil\", \"assignee_employee\": \"ann\"}]}\n```\n".to_owned())
    })
    .await;
    let record = |name: &str, words: &[&str]| {
        let folder = format!(".crew/recordings/{name}");
        let words = [&["discuss"], words, &["--execute", "--record", &folder]].concat();
        let finished = project.run_in(&model.env(), words);
        assert_eq!(finished.code, Some(0), "{}", finished.stderr);
        finished.stderr
    };
    let told = record("d", &["run", "d"]);
    assert!(told.contains("this run is on record"), "{told}");
    record("made-up", &["adhoc", "-e", "ann,bob", "-t", "coffee", "-r", "1"]);
    let asked = model.bodies().len();
    let before = project.tree();
    let printed = project.run(["test"]).success();
    assert_eq!(project.tree(), before, "playing leaves nothing behind");
    assert!(
        printed.contains("ok .crew/recordings/d (") && printed.contains("ok .crew/recordings/made-up ("),
        "{printed}"
    );
    assert_eq!(model.bodies().len(), asked);
    project.write(
        ".crew/discussions/d.yaml",
        "topic: milk\nrounds: 2\nparticipants: [{employee: ann}, {employee: bob}]\n",
    );
    let finished = project.run(["test"]);
    assert!(finished.stdout.contains("FAILED .crew/recordings/d ("), "{}", finished.stdout);
    assert!(finished.stdout.contains("ok .crew/recordings/made-up ("), "{}", finished.stdout);
}

#[tokio::test]
async fn a_pipeline_with_an_approval_is_recorded_with_a_yes_that_is_said() {
    let project = two();
    project.write(
        ".crew/pipelines/p.yaml",
        "steps:\n  - {id: first, employee: ann}\n  - {id: ship, employee: bob, approval: 'Ship it?'}\n",
    );
    let model = FakeModel::answering(|_| Ok("Done.".to_owned())).await;
    let words = ["pipeline", "run", "p", "-x", "--record", ".crew/recordings/p"];
    let told = project.run_in(&model.env(), words).status(2);
    assert!(told.contains("add `--approve`"), "{told}");
    assert!(!project.path().join(".crew/recordings").try_exists().unwrap(), "{told}");
    let printed = project.run_in(&model.env(), words.iter().chain(&["--approve"])).success();
    assert_eq!(printed.matches("Done.").count(), 2, "{printed}");
    assert!(!project.path().join(".crew/tasks.jsonl").try_exists().unwrap());
    let printed = project.run(["test"]).success();
    assert!(printed.contains("ok .crew/recordings/p (2 exchanges)"), "{printed}");
}

#[tokio::test]
async fn what_is_only_played_is_sent_nowhere() {
    let project = two();
    let receiver = Receiver::with_statuses(&[]).await;
    project.write(
        ".crew/pipelines/p.yaml",
        &format!("deliver: [{{type: webhook, url: '{}'}}]\nsteps: [{{employee: ann}}]\n", receiver.url),
    );
    project.write(".crew/config.yaml", "outbound: {allow: [127.0.0.1]}\n");
    let model = FakeModel::answering(|_| Ok("Done.".to_owned())).await;
    let record = ["pipeline", "run", "p", "-x", "--record", ".crew/recordings/p"];
    project.run_in(&model.env(), record).success();
    let sent = receiver.received().len();
    assert_eq!(sent, 1, "what was recorded is sent");
    assert!(project.run(["test"]).success().contains("ok .crew/recordings/p (1 exchanges)"));
    assert_eq!(receiver.received().len(), sent);
}

//! Runs that are recorded, and played again with the network off.

use std::{fs, path::Path};

use serde_json::{Value, json};

use crate::support::{FakeModel, Project};

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
    let printed = project.run(["test"]).success();
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

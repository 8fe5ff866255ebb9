//! C3.1: what employees decided, and what came of it.

use std::{collections::BTreeSet, fs, process::Child};

use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::{
    evaluation::{eval, track},
    memory::{memory, project, prompt},
    support::{Project, Server},
};

const FILE: &str = ".crew/evaluations/decisions.jsonl";

fn ids(project: &Project) -> BTreeSet<String> {
    let listed = eval(project, &["list", "-n", "100000"]);
    listed.as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect()
}

/// C3.1.1: programs that track and evaluate at the same time lose nothing of each other.
#[test]
fn c3_01_many_programs_write_one_file() {
    let project = project("");
    let waiting: Vec<_> = (0..8).map(|number| track(&project, &format!("before {number}"), &[])).collect();
    let start = |words: &[&str]| project.command([&["eval"], words].concat()).spawn().unwrap();
    let mut programs: Vec<Child> = Vec::new();
    for id in &waiting {
        programs.push(start(&["run", id, "-a", "done"]));
        programs.push(start(&["track", "bob", "-c", "commitment", "-m", id]));
    }
    for program in programs {
        let ended = program.wait_with_output().unwrap();
        assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    }
    assert_eq!(ids(&project).len(), 16);
    let evaluated = eval(&project, &["list", "-n", "100", "--status", "evaluated"]);
    assert_eq!(evaluated.as_array().unwrap().len(), 8, "{evaluated}");
    assert_eq!(memory(&project, &["show", "reviewer", "-c", "correction"]).as_array().unwrap().len(), 8);
}

/// C3.1.2: a program that is killed while it writes the file anew leaves the old one or the new one, and what was
/// acknowledged is in it.
#[tokio::test]
async fn c3_02_a_crash_loses_no_decision() {
    let project = project("");
    let mut acknowledged: Vec<(String, String)> = Vec::new();
    for round in 0..4 {
        let server = Server::start(&project, &[], &[]);
        let mut fresh = Vec::new();
        for number in 0..5 {
            let new =
                json!({"employee": "bob", "category": "estimate", "content": format!("{round}/{number}")});
            let tracked = server.post("/api/tools/track_decision", &new).await.status(200);
            fresh.push(tracked["id"].as_str().unwrap().to_owned());
        }
        for id in &fresh {
            let actual = format!("came of {id}");
            let came = json!({"decision_id": id, "actual_outcome": actual});
            server.post("/api/tools/evaluate_decision", &came).await.status(200);
            acknowledged.push((id.clone(), actual));
        }
        // More are under way when the power goes; some of them are answered before.
        let mut under_way = JoinSet::new();
        for id in fresh {
            let actual = format!("{round} {}", "z".repeat(3000));
            let came = json!({"decision_id": id, "actual_outcome": actual});
            let request = server.request(reqwest::Method::POST, "/api/tools/evaluate_decision").json(&came);
            let answered =
                async move { request.send().await.is_ok_and(|answer| answer.status().is_success()) };
            under_way.spawn(async move { answered.await.then_some((id, actual)) });
        }
        acknowledged.extend(under_way.join_next().await.unwrap().unwrap());
        server.kill();
        acknowledged.extend(under_way.join_all().await.into_iter().flatten());
    }
    assert_eq!(ids(&project).len(), 20);
    for (id, actual) in &acknowledged {
        let shown = eval(&project, &["show", id]);
        let versions = shown["history"].as_array().cloned().unwrap_or_default();
        let all: Vec<_> = versions.iter().chain([&shown]).map(|one| one["actual_outcome"].clone()).collect();
        assert!(all.contains(&json!(actual)), "{shown}");
    }
    for line in project.read(FILE).lines() {
        serde_json::from_str::<Value>(line).unwrap();
    }
}

/// C3.1.3: evaluating again changes the one correction that is remembered; the same again changes nothing.
#[test]
fn c3_03_an_evaluation_is_remembered_once() {
    let project = project("");
    let id = track(&project, "needs two days", &["-e", "2 days"]);
    for actual in ["5 days", "5 days", "6 days"] {
        eval(&project, &["run", &id, "-a", actual]);
    }
    let held = memory(&project, &["show", "reviewer", "-c", "correction"]);
    let held: Vec<_> = held.as_array().unwrap().iter().map(|entry| entry["content"].clone()).collect();
    assert_eq!(held, [json!("needs two days: expected: 2 days; actual: 6 days")]);
    let shown = eval(&project, &["show", &id]);
    assert_eq!(shown["history"].as_array().unwrap().len(), 1, "{shown}");
    let told = prompt(&project, "reviewer");
    assert!(told.contains("actual: 6 days") && !told.contains("actual: 5 days"), "{told}");
}

/// C3.1.4: a name is never a path, and a memory that could not be kept is told and can be made up for.
#[test]
fn c3_04_names_stay_in_their_folder_and_failures_are_told() {
    let project = project("");
    for name in ["../../escape", "a/b", "", "\u{202e}x"] {
        project.run(["eval", "track", name, "-c", "estimate", "-m", "x"]).status(1);
    }
    let forced = ["track", "../../escape", "-c", "estimate", "-m", "x", "--force"];
    let id = eval(&project, &forced)["id"].as_str().unwrap().to_owned();
    eval(&project, &["run", &id, "-a", "y"]);
    for path in project.tree().into_keys().filter(|path| path.to_string_lossy().contains("escape")) {
        assert!(path.starts_with(project.path().join(".crew/memory")), "{}", path.display());
    }
    assert_eq!(eval(&project, &["list", "--employee", "../../escape"])[0]["status"], "evaluated");
    // The memory cannot be kept: a file is where its folder should be.
    let id = track(&project, "x", &[]);
    fs::rename(project.path().join(".crew/memory"), project.path().join(".crew/elsewhere")).unwrap();
    project.write(".crew/memory", "");
    let failed = project.run(["eval", "run", &id, "-a", "y", "--json"]);
    let told: Value = serde_json::from_str(&failed.stdout).unwrap();
    assert_eq!((&told["status"], &told["memory"]), (&json!("evaluated"), &json!("failed")));
    let said = failed.status(1);
    assert!(said.contains("kept, but not remembered") && said.contains("once more"), "{said}");
    fs::remove_file(project.path().join(".crew/memory")).unwrap();
    let again = eval(&project, &["run", &id, "-a", "y"]);
    assert_eq!((&again["is_new"], &again["memory"]), (&json!(false), &json!("added")));
}

/// C3.1.5: ids can be shortened, decisions deleted, meetings are looked for, and numbers are counted.
#[test]
fn c3_05_ids_links_and_numbers() {
    let project = project("");
    project.write(".crew/meetings/m1.md", "# Meeting\n");
    let said =
        project.run(["eval", "track", "bob", "-c", "estimate", "-m", "x", "--meeting-id", "m2"]).status(1);
    assert!(said.contains("meeting `m2` not found"), "{said}");
    let id = track(&project, "x", &["--meeting-id", "m1", "--low", "1", "--high", "3", "--unit", "天"]);
    let evaluated = eval(&project, &["run", &id[..7], "-a", "2 天", "--value", "2"]);
    assert_eq!(evaluated["id"], id);
    let counted = eval(&project, &["calibration", "reviewer", "-c", "estimate"]);
    assert_eq!(
        (&counted[0]["ranges"]["cases"], &counted[0]["ranges"]["verdict"]),
        (&json!(1), &json!("too_few"))
    );
    eval(&project, &["delete", &id]);
    project.run(["eval", "show", &id]).status(1);
}

/// C3.1.6: deadlines are days or moments; what an earlier version wrote as one and is none is not compared as a text.
#[test]
fn c3_06_deadlines_are_moments() {
    let project = project("");
    for deadline in ["soon", "2026-02-30", "31.12.2026"] {
        let words = ["eval", "track", "bob", "-c", "estimate", "-m", "x", "--deadline", deadline];
        let said = project.run(words).status(2);
        assert!(said.contains("2026-12-31T18:00:00+08:00"), "{said}");
    }
    let line = |id: &str, deadline: &str| {
        format!(
            "{{\"id\":\"{id}\",\"employee\":\"bob\",\"created_at\":\"2026-11-01T00:00:00\",\"category\":\"estimate\",\"content\":\"x\",\"status\":\"pending\",\"deadline\":\"{deadline}\"}}\n"
        )
    };
    let lines = [line("D1", "soon"), line("D2", "1. May"), line("D3", "2026-11-10T01:00:00+08:00")];
    project.write(FILE, &lines.concat());
    let overdue = eval(&project, &["overdue", "--as-of", "2026-11-10"]);
    let found: Vec<_> = overdue.as_array().unwrap().iter().map(|one| one["id"].clone()).collect();
    assert_eq!(found, [json!("D3")]);
}

/// C3.1.7: without an expectation the lesson says what was decided.
#[test]
fn c3_07_a_lesson_says_what_it_is_about() {
    let project = project("");
    let id = track(&project, "拆分 CSS", &[]);
    let evaluated = eval(&project, &["run", &id, "-a", "花了 5 天"]);
    assert_eq!(evaluated["evaluation"], "决定: 拆分 CSS; 实际: 花了 5 天");
    let id = track(&project, "split the CSS", &["--value", "2", "--unit", "days"]);
    let evaluated = eval(&project, &["run", &id, "-a", "5 days", "--value", "5"]);
    assert_eq!(evaluated["evaluation"], "expected: 2 days; actual: 5 days");
    let held = memory(&project, &["show", "reviewer", "-c", "correction"]);
    assert_eq!(held[0]["content"], "split the CSS: expected: 2 days; actual: 5 days");
    assert_eq!(held[1]["content"], "决定: 拆分 CSS; 实际: 花了 5 天");
}

/// C3.1.8: a server reads the file once, and then what is new.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn c3_08_the_file_is_not_read_for_each_question() {
    let project = project("");
    let line = |number: u32| {
        let content = "x".repeat(1000);
        format!(
            "{{\"id\":\"D{number:08x}\",\"employee\":\"bob\",\"category\":\"estimate\",\"content\":\"{content}\"}}\n"
        )
    };
    project.write(FILE, &(0..2000).map(line).collect::<String>());
    let size = fs::metadata(project.path().join(FILE)).unwrap().len();
    let server = Server::start(&project, &[], &[]);
    let read = || -> u64 {
        let told = fs::read_to_string(format!("/proc/{}/io", server.pid())).unwrap();
        told.lines().find_map(|line| line.strip_prefix("rchar: ")).unwrap().parse().unwrap()
    };
    let ask = async || assert_eq!(server.get("/api/decisions?limit=1").await.status(200)["total"], 2000);
    ask().await;
    let before = read();
    for _ in 0..20 {
        ask().await;
    }
    assert!(read() - before < size, "{} bytes of a file of {size}", read() - before);
    let new = json!({"employee": "bob", "category": "estimate", "content": "one more"});
    server.post("/api/tools/track_decision", &new).await.status(200);
    assert_eq!(server.get("/api/decisions?limit=1").await.status(200)["total"], 2001);
}

//! C4.8: meetings, work logs, sessions and lanes.

use std::{collections::BTreeSet, fs};

use serde_json::{Value, json};

use super::{employee, json, with_worker};
use crate::support::{Project, Server};

const LOG: &str = concat!(
    r#"{"timestamp":"2025-01-02T03:04:05.000001","employee_name":"worker","action":"session_start","detail":"","args":{},"agent_id":null,"severity":"info","metrics":{},"links":[]}"#,
    "\nnonsense\n",
    r#"{"timestamp":"2025-01-02T03:04:06","employee_name":"worker","action":"found","detail":"x\ny","severity":"fatal"}"#,
    "\n",
);

fn meeting_ids(project: &Project) -> Vec<String> {
    let listed = json(project.run(["meetings", "list", "--json"]));
    listed.as_array().unwrap().iter().map(|one| one["meeting_id"].as_str().unwrap().to_owned()).collect()
}

/// C4.8.1: meetings of one second have ids and texts of their own, and those that once shared one are all listed.
#[test]
fn c4_01_meetings_of_one_second_are_apart() {
    let project = with_worker("", "Talk.");
    for topic in ["one", "two", "three", "four"] {
        let words = ["discuss", "adhoc", "-e", "worker", "-t", topic, "-r", "1", "--execute", "--parallel"];
        assert!(project.run(words).code.is_some());
    }
    let ids = meeting_ids(&project);
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), 4, "{ids:?}");
    for (id, topic) in ids.iter().zip(["four", "three", "two", "one"]) {
        let shown = json(project.run(["meetings", "show", id, "--json"]));
        assert_eq!(shown["meeting"]["topic"], topic);
        assert!(shown["text"].as_str().unwrap().contains(topic), "{shown}");
    }
    let old = Project::empty();
    let line = |topic: &str| format!("{{\"meeting_id\":\"20250101_101010\",\"topic\":\"{topic}\"}}\n");
    old.write(".crew/meetings/index.jsonl", &(line("a") + &line("b")));
    old.write(".crew/meetings/20250101_101010.md", "# b\n");
    assert_eq!(meeting_ids(&old), ["20250101_101010", "20250101_101010~2"]);
    assert_eq!(old.run(["meetings", "show", "20250101_101010"]).success(), "# b\n");
    let earlier = old.run(["meetings", "show", "20250101_101010~2"]);
    assert!(earlier.stderr.contains("a later meeting of the same id"), "{}", earlier.stderr);
}

/// C4.8.2: what is listed is there, and what cannot be kept is told.
#[cfg(unix)]
#[test]
fn c4_02_a_meeting_that_cannot_be_kept_is_no_success() {
    let project = with_worker("", "Talk.");
    // A file where the folder should be.
    project.write(".crew/meetings", "");
    let words = ["discuss", "adhoc", "-e", "worker", "-t", "x", "-r", "1", "--execute"];
    let said = project.run(words).status(1);
    assert!(said.contains("the minutes cannot be written"), "{said}");
}

/// C4.8.3: an id is never a path.
#[test]
fn c4_03_an_id_is_no_path() {
    let project = with_worker("", "Work.");
    project.write(".crew/memory/worker.jsonl", "{\"content\":\"s3cret\"}\n");
    project.write(".crew/logs/a.jsonl", LOG);
    for id in ["../memory/worker", "..%2Fmemory%2Fworker", "/etc/passwd", "a.jsonl", "", "a/../a"] {
        for words in [["session", "show", id], ["log", "show", id], ["meetings", "show", id]] {
            let finished = project.run(words);
            assert!(!finished.stdout.contains("s3cret"), "{words:?}");
            finished.status(1);
        }
    }
}

/// C4.8.4: a line without meaning hides nothing else, and is told.
#[test]
fn c4_04_a_torn_line_hides_nothing() {
    let project = with_worker("", "Work.");
    project.write(".crew/logs/20250102-030405-abcdef12.jsonl", LOG);
    let shown = project.run(["log", "show", "20250102-030405-abcdef12"]);
    for part in
        ["line 2 cannot be read", "line 3: there is no severity `fatal`, only info, warning, critical"]
    {
        assert!(shown.stderr.contains(part), "{}", shown.stderr);
    }
    assert_eq!(
        shown.success(),
        "[2025-01-02T03:04:05.000001] session_start:  (worker)\n[2025-01-02T03:04:06] warning found: x\\ny (worker)\n"
    );
    let entries = json(project.run(["log", "show", "20250102-030405-abcdef12", "--json"]));
    assert_eq!((entries.as_array().unwrap().len(), &entries[1]["detail"]), (2, &json!("x\ny")));
}

/// C4.8.5: a limit that means nothing is refused.
#[tokio::test]
async fn c4_05_limits_mean_what_they_say() {
    let project = with_worker("", "Work.");
    project.write(".crew/logs/a.jsonl", LOG);
    for list in [["log", "list"], ["session", "list"], ["meetings", "list"]] {
        for limit in ["0", "-1", "x"] {
            project.run([&list[..], &["-n", limit]].concat()).status(2);
        }
    }
    let server = Server::start(&project, &[], &[]);
    for query in ["limit=0", "limit=-1", "limit=201", "limit=1.0", "severity=fatal", "since=x"] {
        server.get(&format!("/api/logs?{query}")).await.problem(422, "invalid-arguments");
    }
    assert_eq!(server.get("/api/logs?limit=1").await.status(200)["total"], 1);
}

/// C4.8.6: what was listed once is not read again, by nobody, and no value is put down with what came of it.
#[test]
fn c4_06_lists_do_not_read_everything() {
    let project = with_worker("args:\n  - name: topic\n", "Work.");
    let run = || project.run(["run", "worker", "--execute", "--arg", "topic=s3cret-value"]).success();
    run();
    run();
    for (path, content) in project.tree() {
        let text = String::from_utf8_lossy(content.as_deref().unwrap_or_default()).into_owned();
        assert!(!text.contains("s3cret-value"), "{}", path.display());
    }
    let list = || json(project.run(["session", "list", "--json"]));
    let before = list();
    assert_eq!(before.as_array().unwrap().len(), 2);
    assert!(project.path().join(".crew/sessions.index").is_file());
    // Files that look the same are not read again: what they say now is not told.
    for session in fs::read_dir(project.path().join(".crew/sessions")).unwrap() {
        let path = session.unwrap().path();
        let (seen, text) = (fs::metadata(&path).unwrap(), fs::read_to_string(&path).unwrap());
        fs::write(&path, text.replace("\"worker\"", "\"wanted\"")).unwrap();
        fs::File::options().append(true).open(&path).unwrap().set_modified(seen.modified().unwrap()).unwrap();
    }
    assert_eq!(list(), before);
    // What is kept of them is only that: without it they are looked for again.
    fs::write(project.path().join(".crew/sessions.index"), "nonsense").unwrap();
    let anew = list();
    assert_eq!((anew.as_array().unwrap().len(), &anew[0]["subject"]), (2, &json!("wanted")));
}

/// C4.8.7: a lane is a file of a bounded name, whatever is discussed, and two things never share one.
#[test]
fn c4_07_any_topic_has_a_lane() {
    let project = with_worker("", "Talk.");
    let long = "长".repeat(300);
    for topic in [long.as_str(), "a/b", "a:b"] {
        let words = ["discuss", "adhoc", "-e", "worker", "-t", topic, "-r", "1", "--execute"];
        let finished = project.run(words);
        assert!(!finished.stderr.contains("too long"), "{}", finished.stderr);
        finished.success();
    }
    assert_eq!(meeting_ids(&project).len(), 3);
}

/// C4.8.9, 10: severities are three, a log is found by any name of whoever wrote it, and `check` counts what is recent.
#[test]
fn c4_09_logs_are_found_and_counted() {
    let project = Project::empty();
    let fields = "character_name: 林锐\ntriggers: [审查]\n";
    project.write(".crew/employees/worker.md", &employee("worker", fields, "Work."));
    project.write(".crew/logs/a.jsonl", LOG);
    project.write(".crew/logs/b.jsonl", &LOG.replace("\"worker\"", "\"林锐\"").replace("fatal", "critical"));
    project.write(".crew/logs/c.jsonl", &LOG.replace("\"worker\"", "\"other\""));
    project.run(["run", "worker", "--execute"]).success();
    let list = |words: &[&str]| -> Vec<Value> {
        let listed = json(project.run([&["log", "list", "--json"], words].concat()));
        listed.as_array().unwrap().clone()
    };
    assert_eq!(list(&[]).len(), 4);
    for name in ["worker", "审查", "林锐"] {
        assert_eq!(list(&["--employee", name]).len(), 3, "{name}");
    }
    assert_eq!(list(&["--employee", "other"])[0]["session_id"], "c");
    assert_eq!(list(&["--severity", "critical"])[0]["session_id"], "b");
    project.run(["log", "list", "--severity", "fatal"]).status(2);
    let newest = &list(&["-n", "1"])[0];
    assert_eq!((&newest["employee_name"], &newest["severity"]), (&json!("worker"), &json!("info")));
    // A critical one of last year does not fail a check for ever.
    let checked = json(project.run(["check", "--logs", "--json"]));
    assert_eq!(
        (&checked["logs"]["entries"], &checked["logs"]["severity"]["critical"]),
        (&json!(3), &json!(0))
    );
    let checked =
        project.run(["check", "--logs", "--days", "3650", "--json", "--output-file", "report.json"]);
    checked.status(1);
    let report: Value = serde_json::from_str(&project.read("report.json")).unwrap();
    assert_eq!(
        (&report["lint"]["status"], &report["logs"]["severity"]["critical"]),
        (&json!("ok"), &json!(1))
    );
    assert_eq!(report["logs"]["by_employee"]["other"]["warning"], 1);
}

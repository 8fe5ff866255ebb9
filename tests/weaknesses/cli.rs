//! C5.5: the command line.

use serde_json::{Value, json};

use super::{employee, json, with_worker};
use crate::support::Project;

/// C5.1: every way to run something runs it, without anybody's identity.
#[test]
fn c5_01_what_can_be_run_runs() {
    let project = with_worker("", "Work.");
    project.write(".crew/pipelines/p.yaml", "name: p\ndescription: x\nsteps:\n  - employee: worker\n");
    project.run(["run", "worker", "--execute"]).success();
    project.run(["pipeline", "run", "p", "--execute"]).success();
    assert_eq!(json(project.run(["pipeline", "checkpoint", "list", "--json"])), json!([]));
    // There is nothing to go on with, and that is said.
    let said =
        project.run(["pipeline", "checkpoint", "resume", "0190f3a2-0000-7000-8000-000000000000"]).status(1);
    assert!(said.contains("0190f3a2"), "{said}");
}

/// C5.6: a word that looks like an option of another program is a value here.
#[test]
fn c5_06_no_option_is_smuggled_in() {
    let project = with_worker("", "Work.");
    for words in [
        vec!["session", "show", "--output=x"],
        vec!["log", "show", "--output=x"],
        vec!["meetings", "list", "--since=--output=x"],
    ] {
        project.run(&words).status(2);
    }
    assert!(!project.path().join("x").is_file());
}

/// C5.7: where there is nothing, JSON is an empty list, and every list is on stdout; nothing in a text is markup.
#[test]
fn c5_07_json_is_json_also_when_there_is_nothing() {
    let project = with_worker("", "Work.");
    for words in [
        "list --tag none",
        "pipeline list",
        "discuss list",
        "discuss history",
        "session list",
        "log list",
        "meetings list",
        "memory list",
        "memory show worker",
        "memory search nothing",
        "memory search nothing --kind session",
        "memory search nothing --kind all",
        "eval list",
        "task list",
    ] {
        let words: Vec<&str> = words.split(' ').chain(["--json"]).collect();
        let listed = json(project.run(&words));
        let is_empty = |value: &Value| value.as_array().is_some_and(Vec::is_empty);
        let fields = listed.as_object().into_iter().flatten();
        assert!(
            is_empty(&listed) || fields.into_iter().any(|(_, value)| is_empty(value)),
            "{words:?}: {listed}"
        );
    }
    project.run(["memory", "add", "worker", "-c", "finding", "-m", "[finding] [bold]x[/bold]"]).success();
    let shown = project.run(["memory", "show", "worker"]).success();
    assert!(shown.contains("[finding] [bold]x[/bold]"), "{shown}");
}

/// C5.12: every command works on the project it is told, wherever it is called.
#[test]
fn c5_12_the_project_can_be_elsewhere() {
    let (project, elsewhere) = (with_worker("", "Work."), Project::empty());
    project.run(["run", "worker", "--execute"]).success();
    let root = project.path().to_str().unwrap();
    for words in [vec!["session", "list"], vec!["log", "list"], vec!["list"]] {
        let listed = json(elsewhere.run([&words[..], &["--json", "-d", root]].concat()));
        assert_eq!(listed.as_array().unwrap().len(), 1, "{words:?}");
    }
    assert!(elsewhere.tree().is_empty());
}

/// C5.13: options mean the same everywhere, and one without a value is refused.
#[test]
fn c5_13_options_are_the_same_everywhere() {
    let project = with_worker("", "Work.");
    for list in ["list", "pipeline list", "session list", "log list", "meetings list", "memory list"] {
        let words =
            |more: &[&'static str]| -> Vec<&str> { list.split(' ').chain(more.iter().copied()).collect() };
        let short = project.run(words(&["--json"])).success();
        assert_eq!(project.run(words(&["-f", "json"])).success(), short, "{list}");
    }
    project.run(["run", "worker", "--arg", "topic"]).status(2);
}

/// C5.17, 18: nothing to check is said to be nothing, and a report is written only where it is asked for.
#[test]
fn c5_17_a_check_tells_what_it_looked_at() {
    let project = Project::empty();
    let said = project.run(["check", "--logs"]).success();
    assert!(said.starts_with("0 employees, 0 pipelines, 0 discussions: 0 errors"), "{said}");
    assert!(project.tree().is_empty());
    project.run(["check", "--days", "3"]).status(2);
    project.run(["check", "--logs", "--days", "0"]).status(2);
    project.write(".crew/employees/bad.md", &employee("bad", "nonsense: [\n", "x"));
    project.run(["check", "--output-file", "report.json"]).status(1);
    let report: Value = serde_json::from_str(&project.read("report.json")).unwrap();
    assert_eq!((&report["lint"]["status"], &report["logs"]), (&json!("failed"), &Value::Null));
    assert!(!report["lint"]["errors"].as_array().unwrap().is_empty());
    project.run(["check", "--output-file", ".crew"]).status(1);
}

//! The command line, as a person at a terminal and a script behind a pipe see it.

use serde_json::{Value, json};

use crate::support::{FakeModel, Project, work};

/// The document on stdout.
#[track_caller]
fn document(project: &Project, words: &[&str]) -> Value {
    let stdout = project.run(words).success();
    serde_json::from_str(&stdout).unwrap_or_else(|error| panic!("{error}: {stdout}"))
}

fn names(list: &Value) -> Vec<&str> {
    let mut names: Vec<_> =
        list.as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap()).collect();
    names.sort_unstable();
    names
}

/// How many columns of a terminal `text` takes: Chinese characters and their punctuation take two.
fn width(text: &str) -> usize {
    text.chars().map(|c| if c >= '\u{2e80}' { 2 } else { 1 }).sum()
}

/// A pipeline of the small project: what is written is checked.
const PIPELINE: &str = "
name: write-and-check
description: Write it, then check it
steps:
  - id: draft
    employee: writer
    args:
      topic: $topic
  - employee: checker
    args:
      text: 'as written: {prev}'
";

const SAMPLE: [&str; 4] = ["code-reviewer", "release-notes-writer", "security-auditor", "test-engineer"];

#[test]
fn the_list_names_every_employee_once() {
    let project = Project::sample();
    let text = project.run(["list"]).success();
    for name in SAMPLE {
        assert_eq!(
            text.lines().filter(|line| line.split_whitespace().next() == Some(name)).count(),
            1,
            "{text}"
        );
    }
    for words in [["list", "--json"].as_slice(), &["list", "-f", "json"], &["--format", "json", "list"]] {
        let list = document(&project, words);
        assert_eq!(names(&list), SAMPLE);
    }
    let list = document(&project, &["list", "--json"]);
    let auditor = list.as_array().unwrap().iter().find(|row| row["name"] == "security-auditor").unwrap();
    assert_eq!(auditor["display_name"], "安全审计员");
    assert_eq!(auditor["layer"], "project");
    assert_eq!(auditor["model"], "echo");
    assert_eq!(auditor["triggers"][0], "安全审计");
}

#[test]
fn columns_of_chinese_text_line_up() {
    let text = Project::sample().run(["list"]).success();
    let place = |line: &str, word: &str| width(&line[..line.find(word).unwrap_or_else(|| panic!("{line}"))]);
    let layer = place(text.lines().next().unwrap(), "LAYER");
    let rows: Vec<_> = text.lines().skip(1).collect();
    assert_eq!(rows.len(), 4, "{text}");
    for row in rows {
        assert_eq!(place(row, "  project  ") + 2, layer, "{text}");
    }
}

#[test]
fn the_list_can_be_narrowed_to_a_tag() {
    let project = Project::sample();
    assert_eq!(
        names(&document(&project, &["list", "--json", "--tag", "quality"])),
        ["code-reviewer", "test-engineer"]
    );
    assert_eq!(names(&document(&project, &["list", "--json", "--tag", "安全"])), ["security-auditor"]);
    assert_eq!(document(&project, &["list", "--json", "--tag", "none"]), Value::Array(Vec::new()));
}

#[test]
fn a_project_without_definitions_has_an_empty_list() {
    let project = Project::empty();
    assert_eq!(document(&project, &["list", "--json"]), Value::Array(Vec::new()));
    project.run(["list"]).success();
    project.run(["check"]).success();
    assert!(project.tree().is_empty());
}

#[test]
fn an_employee_is_shown_by_name_and_by_trigger() {
    let project = Project::sample();
    let text = project.run(["show", "security-auditor"]).success();
    assert!(text.contains("安全审计员") && text.contains("target (required)"), "{text}");
    assert_eq!(project.run(["show", "安全检查"]).success(), text);
    let shown = document(&project, &["show", "code-reviewer", "--json"]);
    assert_eq!(shown["character_name"], "Ada");
    assert_eq!(shown["args"][0]["required"], true);
}

#[test]
fn the_project_can_be_somewhere_else() {
    let (project, elsewhere) = (Project::sample(), Project::empty());
    let root = project.path().to_str().unwrap();
    assert_eq!(names(&document(&elsewhere, &["-d", root, "list", "--json"])), SAMPLE);
    assert_eq!(names(&document(&elsewhere, &["list", "--json", "--project-dir", root])), SAMPLE);
}

#[test]
fn a_run_prints_the_prompt() {
    let project = Project::sample();
    let prompt = project.run(["run", "code-reviewer", "src/main.rs", "the error paths"]).success();
    assert!(prompt.starts_with("# Code Reviewer\n"), "{prompt}");
    assert!(prompt.contains("Review **src/main.rs**. Look most closely at: the error paths."), "{prompt}");
    for words in [
        ["run", "代码审查", "src/main.rs", "the error paths"].as_slice(),
        &["run", "cr", "--arg", "target=src/main.rs", "--arg", "focus=the error paths"],
        &["run", "review", "the error paths", "--arg", "target=src/main.rs"],
    ] {
        assert_eq!(project.run(words).success(), prompt, "{words:?}");
    }
    let told = document(&project, &["run", "cr", "src/main.rs", "the error paths", "--json"]);
    assert_eq!(told["employee"], "code-reviewer");
    assert_eq!(told["prompt"].as_str().unwrap().trim(), prompt.trim());
}

#[test]
fn a_default_stands_for_what_is_not_given() {
    let prompt = Project::sample().run(["run", "cr", "x"]).success();
    assert!(
        prompt.contains("Look most closely at: correctness, error handling and missing tests."),
        "{prompt}"
    );
}

#[test]
fn a_missing_value_is_named() {
    let project = Project::sample();
    for words in [
        ["run", "code-reviewer"].as_slice(),
        &["run", "code-reviewer", "--execute"],
        &["run", "code-reviewer", "--arg", "target="],
        &["run", "code-reviewer", "   "],
        &["pipeline", "run", "full-review", "--execute"],
    ] {
        let error = project.run(words).status(2);
        assert!(error.contains("`target`"), "{words:?}: {error}");
    }
}

#[test]
fn a_misspelt_value_is_warned_of() {
    let run = Project::sample().run(["run", "cr", "x", "--arg", "focuss=y"]);
    assert!(run.stderr.contains("did you mean `focus`?"), "{}", run.stderr);
    run.success();
}

#[test]
fn an_unknown_name_gets_a_suggestion() {
    let project = Project::sample();
    for words in [
        ["run", "code-reviewr"].as_slice(),
        &["run", "code-reviewr", "x", "--execute"],
        &["show", "code-reviewr"],
    ] {
        let error = project.run(words).status(1);
        assert!(error.contains("did you mean `code-reviewer`?"), "{error}");
    }
    let error = project.run(["pipeline", "run", "full-revew"]).status(1);
    assert!(error.contains("did you mean `full-review`?"), "{error}");
    let error = project.run(["run", "某人"]).status(1);
    assert!(error.contains("某人") && !error.contains("did you mean"), "{error}");
}

#[test]
fn the_offline_model_needs_no_key() {
    let project = Project::sample();
    let run = project.run(["run", "test-engineer", "src/lib.rs", "--execute"]);
    assert!(run.stdout.starts_with("[echo]"), "{}", run.stdout);
    assert!(run.stdout.contains("unit tests for **src/lib.rs**"), "{}", run.stdout);
    assert!(run.stderr.contains("tokens in"), "{}", run.stderr);
    run.success();
    let answer = document(&project, &["run", "test-engineer", "src/lib.rs", "-x", "--json"]);
    assert_eq!((&answer["employee"], &answer["model"]), (&"test-engineer".into(), &"echo".into()));
    assert!(answer["output_tokens"].as_u64() > Some(0));
}

#[test]
fn the_model_of_a_run_can_be_chosen() {
    let project = Project::small("claude-test");
    let answer = document(&project, &["run", "writer", "x", "-x", "--model", "echo", "--json"]);
    assert_eq!(answer["model"], "echo");
    let run = project.run_with(("CREW_DEFAULT_MODEL", "echo"), ["run", "writer", "x", "-x"]);
    assert_eq!(run.code, Some(1), "a model of its own goes before the default: {}", run.stdout);
}

#[tokio::test]
async fn a_real_model_is_given_the_prompt() {
    let fake = FakeModel::answering(|prompt| Ok(format!("done: {}", work(prompt)))).await;
    let project = Project::small("claude-test");
    let answer = project.run_in(&fake.env(), ["run", "writer", "宇宙", "--execute"]).success();
    assert_eq!(answer.trim(), "done: 宇宙");
    let prompt = project.run(["run", "writer", "宇宙"]).success();
    assert_eq!(fake.prompts(), [prompt.trim_end()]);
}

#[tokio::test]
async fn a_key_is_never_shown() {
    let project = Project::small("claude-test");
    for words in [
        ["run", "writer", "x", "--execute"].as_slice(),
        &["run", "writer", "x", "--execute", "--verbose"],
        &["run", "writer", "x", "--execute", "--json"],
    ] {
        let missing = project.run_with(("OPENAI_API_KEY", "sk-another"), words);
        assert!(missing.stderr.contains("ANTHROPIC_API_KEY"), "{}", missing.stderr);
        assert!(!missing.stderr.contains("sk-another") && missing.stdout.is_empty());
        missing.status(1);
        let refusing = FakeModel::answering(|_| Err(401)).await;
        let refused = project.run_in(&refusing.env(), words);
        assert!(refused.stderr.contains("401"), "{}", refused.stderr);
        assert!(!refused.stderr.contains("test-key-anthropic") && refused.stdout.is_empty());
        refused.status(1);
    }
}

#[test]
fn pipelines_are_listed_and_shown() {
    let project = Project::sample();
    let list = document(&project, &["pipeline", "list", "--json"]);
    assert_eq!(names(&list), ["full-review", "review-and-release"]);
    assert_eq!((&list[0]["steps"], &list[0]["args"][0]), (&4.into(), &"target".into()));
    assert!(project.run(["pipeline", "list"]).success().contains("review-and-release"));
    let text = project.run(["pipeline", "show", "full-review"]).success();
    assert!(text.contains("1. side by side\n   1.1. code-reviewer id=review"), "{text}");
    assert!(text.contains("2. release-notes-writer"), "{text}");
    project.run(["pipeline", "show", "nothing"]).status(1);
}

#[test]
fn a_pipeline_shows_its_prompts_before_it_is_run() {
    let project = Project::small("claude-test");
    project.write(".crew/pipelines/write-and-check.yaml", PIPELINE);
    let run = document(&project, &["pipeline", "run", "write-and-check", "--arg", "topic={prev}", "--json"]);
    assert_eq!(run["mode"], "prompt");
    assert_eq!(work(run["steps"][0]["prompt"].as_str().unwrap()), "{prev}");
    assert_eq!(work(run["steps"][1]["prompt"].as_str().unwrap()), "as written: {prev}");
}

#[tokio::test]
async fn a_pipeline_hands_its_outputs_on() {
    let fake = FakeModel::answering(|prompt| Ok(format!("<{}> $topic {{prev}}", work(prompt)))).await;
    let project = Project::small("claude-test");
    project.write(".crew/pipelines/write-and-check.yaml", PIPELINE);
    let words = ["pipeline", "run", "write-and-check", "--execute", "--arg", "topic=tea"];
    let text = project.run_in(&fake.env(), words).success();
    assert_eq!(fake.works(), ["tea", "as written: <tea> $topic {prev}"]);
    assert!(text.contains("1. writer") && text.contains("2. checker"), "{text}");
    let words =
        ["pipeline", "run", "write-and-check", "-x", "--model", "echo", "--arg", "topic=tea", "--json"];
    let run: Value = serde_json::from_str(&project.run(words).success()).unwrap();
    assert_eq!(run["mode"], "execute");
    assert_eq!((&run["steps"][0]["model"], &run["steps"][1]["model"]), (&"echo".into(), &"echo".into()));
    assert!(!project.path().join(".crew/tasks.jsonl").try_exists().unwrap());
}

#[tokio::test]
async fn a_failed_step_fails_the_command() {
    let fake =
        FakeModel::answering(|prompt| if work(prompt) == "tea" { Ok("fine".into()) } else { Err(400) }).await;
    let project = Project::small("claude-test");
    project.write(".crew/pipelines/write-and-check.yaml", PIPELINE);
    let words = ["pipeline", "run", "write-and-check", "--execute", "--arg", "topic=tea"];
    let run = project.run_in(&fake.env(), words);
    assert!(run.stdout.contains("fine"), "what was reached is shown: {}", run.stdout);
    assert!(run.stderr.contains("step 1 (`checker`) failed"), "{}", run.stderr);
    run.status(1);
}

#[test]
fn a_mistake_is_shown_with_a_caret_and_the_rest_is_listed() {
    let project = Project::sample();
    project.write(".crew/employees/broken.md", "---\nname: 审查 员\ndescription: x\n---\nbody\n");
    project.write(".crew/pipelines/lost.yaml", "name: lost\nsteps:\n  - employee: nobody\n");
    let check = project.run(["check"]);
    assert!(check.stdout.contains("errors"), "{}", check.stdout);
    let error = check.status(1);
    assert!(error.contains("--> .crew/employees/broken.md:2:7"), "{error}");
    assert!(error.contains("2 | name: 审查 员") && error.contains("^^^"), "{error}");
    assert!(error.contains(".crew/pipelines/lost.yaml:3"), "{error}");

    let list = project.run(["list", "--json"]);
    assert!(list.stderr.contains("broken.md") && list.stderr.contains('^'), "{}", list.stderr);
    assert_eq!(names(&serde_json::from_str(&list.success()).unwrap()), SAMPLE);

    let checked = project.run(["check", "--json"]);
    let told: Value = serde_json::from_str(&checked.stdout).unwrap();
    assert!(told["errors"].as_u64() >= Some(1), "{told}");
    assert!(
        told["diagnostics"]
            .as_array()
            .unwrap()
            .iter()
            .any(|one| one["source"] == ".crew/employees/broken.md")
    );
    checked.status(1);
}

#[test]
fn what_is_right_is_said_to_be_right() {
    let check = Project::sample().run(["check"]);
    assert_eq!(check.stderr, "");
    assert_eq!(check.success().trim(), "4 employees, 2 pipelines, 0 discussions: 0 errors, 0 warnings");
}

#[test]
fn reading_leaves_nothing_behind() {
    let project = Project::sample();
    project.write("Cargo.toml", "[package]\nname = \"x\"\n");
    let before = project.tree();
    for words in [
        ["list"].as_slice(),
        &["list", "--json"],
        &["show", "cr"],
        &["run", "cr", "x"],
        &["pipeline", "list"],
        &["pipeline", "show", "full-review"],
        &["pipeline", "run", "full-review", "--arg", "target=x"],
        &["check"],
        &["--help"],
        &["--version"],
    ] {
        project.run(words).success();
        assert_eq!(project.tree().keys().collect::<Vec<_>>(), before.keys().collect::<Vec<_>>(), "{words:?}");
    }
    assert!(project.tree() == before);
}

#[test]
fn values_are_never_looked_at_again() {
    let project = Project::sample();
    let value = "{date} $focus ${focus} $1 $@ {{x}} {prev} {steps.a.output}";
    let prompt = project.run(["run", "cr", "--arg", &format!("target={value}")]).success();
    assert!(prompt.contains(&format!("Review **{value}**.")), "{prompt}");
    let named = format!("target={value}");
    let prompts = project.run(["pipeline", "run", "full-review", "--arg", &named, "--json"]).success();
    let prompts: Value = serde_json::from_str(&prompts).unwrap();
    for (place, sentence) in [(0, "Review **"), (1, "tests for **"), (2, "审查 **")] {
        let prompt = prompts["steps"][0][place]["prompt"].as_str().unwrap();
        assert!(prompt.contains(&format!("{sentence}{value}**")), "{prompt}");
    }
    let given = project.run(["run", "cr", "--arg", "target=a=b=c"]).success();
    assert!(given.contains("Review **a=b=c**."), "only the first `=` divides");
}

#[test]
fn what_is_no_place_stays_as_it_is_written() {
    let project = Project::empty();
    let body = "echo $HOME ${PATH} $5.00 $topics {unknown} {} {{topic}} 100% of $topic";
    let text = format!("---\nname: a\ndescription: b\nargs: [{{name: topic}}]\n---\n{body}\n");
    project.write(".crew/employees/a.md", &text);
    let prompt = project.run(["run", "a", "tea"]).success();
    let filled = "echo $HOME ${PATH} $5.00 $topics {unknown} {} {{topic}} 100% of tea";
    assert!(prompt.contains(filled), "{prompt}");
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let project = Project::sample();
    for words in [
        ["list"].as_slice(),
        &["list", "--json"],
        &["show", "cr"],
        &["run", "cr", "x"],
        &["run", "cr", "x", "-x"],
        &["pipeline", "run", "full-review", "-x", "--arg", "target=x"],
        &["check"],
        &["--help"],
        &["--version"],
    ] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let ended = project.command(words).stdout(writer).spawn().unwrap().wait_with_output().unwrap();
        let stderr = String::from_utf8(ended.stderr).unwrap();
        assert_eq!(ended.status.code(), Some(0), "{words:?}: {stderr}");
        assert!(!stderr.contains("error"), "{words:?}: {stderr}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn an_answer_that_cannot_be_written_is_an_error() {
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let ended = Project::sample().command(["list"]).stdout(full).spawn().unwrap().wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(1));
}

#[test]
fn words_that_do_not_fit_are_a_usage_error() {
    let project = Project::sample();
    for words in [
        [].as_slice(),
        &["frobnicate"],
        &["list", "--frobnicate"],
        &["run"],
        &["run", "cr", "x", "--arg", "focus"],
        &["run", "cr", "x", "--arg", "=y"],
        &["run", "cr", "x", "y", "z"],
        &["list", "--format", "xml"],
        &["serve", "--port", "70000"],
        &["mcp", "--transport", "pigeon"],
        &["pipeline"],
    ] {
        let run = project.run(words);
        assert_eq!(run.stdout, "", "{words:?}");
        assert!(!run.status(2).is_empty(), "{words:?}");
    }
}

#[test]
fn a_client_on_stdin_gets_messages_and_nothing_else_on_stdout() {
    let project = Project::sample();
    project.write(".crew/employees/broken.md", "---\nname: [\n---\n");
    let initialize = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
        "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"},
    }});
    let ping = json!({"jsonrpc": "2.0", "id": 2, "method": "ping"});
    let run = project.run_on(format!("{initialize}\n{ping}\n").as_bytes(), ["mcp", "--verbose"]);
    let answers: Vec<Value> = run.success().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let mut ids: Vec<_> = answers.iter().map(|answer| answer["id"].as_u64().unwrap()).collect();
    ids.sort_unstable();
    assert_eq!(ids, [1, 2], "{answers:?}");
}

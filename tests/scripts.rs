//! The command line as scripts of earlier versions call it: their options, their files, and what became of their commands.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

use serde_json::{Value, json};

use crate::support::{FakeModel, Project, Receiver};

/// Puts a program `name` into the folder `bin` of the project.
fn program(project: &Project, name: &str, script: &str) {
    let path = project.write(&format!("bin/{name}"), &format!("#!/bin/sh\n{script}\n"));
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// The folder `bin` of the project, as the only place where programs are.
fn bin(project: &Project) -> String {
    fs::create_dir_all(project.path().join("bin")).unwrap();
    project.path().join("bin").to_str().unwrap().to_owned()
}

fn document(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// What the model was told, and what was said to it to begin with.
fn asked(model: &FakeModel) -> (String, String) {
    let body = model.bodies().pop().unwrap();
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        parts => parts[0]["text"].as_str().unwrap_or_default().to_owned(),
    };
    (text(&body["system"]), text(&body["messages"][0]["content"]))
}

#[test]
fn a_prompt_is_copied_by_the_first_program_that_can() {
    let project = Project::small("echo");
    let path = bin(&project);
    let prompt = project.run(["run", "writer", "茶"]).success();
    // The first is there and reaches nothing.
    program(&project, "wl-copy", "exit 1");
    program(&project, "xclip", "echo \"$@\" > words.txt; /bin/cat > copied.txt");
    let copied = project.run_with(("PATH", &path), ["run", "writer", "茶", "--copy"]);
    assert!(copied.stderr.contains("copied to the clipboard by xclip"), "{}", copied.stderr);
    assert_eq!(copied.success(), "", "what is copied is not printed");
    assert_eq!(project.read("copied.txt").trim_end(), prompt.trim_end());
    assert_eq!(project.read("words.txt").trim(), "-selection clipboard");
    let answer = project.run_with(("PATH", &path), ["run", "writer", "茶", "-x", "--copy"]).success();
    assert_eq!(answer, "");
    assert!(project.read("copied.txt").starts_with("[echo]"));
    let told = project.run_with(("PATH", &path), ["run", "writer", "茶", "--copy", "--json"]).success();
    assert_eq!(document(&told)["employee"], "writer");
    assert_eq!(project.read("copied.txt").trim_end(), prompt.trim_end());
    // A file gets it, too.
    project.run_with(("PATH", &path), ["run", "writer", "水", "--copy", "-o", "out.md"]).success();
    assert!(project.read("out.md").contains("水") && project.read("copied.txt").contains("水"));
}

#[test]
fn windows_is_given_the_text_as_it_reads_it() {
    let project = Project::small("echo");
    let path = bin(&project);
    program(&project, "clip.exe", "/bin/cat > copied.txt");
    project.run_with(("PATH", &path), ["run", "writer", "茶", "--copy", "--raw"]).success();
    let bytes = fs::read(project.path().join("copied.txt")).unwrap();
    let units: Vec<u16> = bytes.chunks(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect();
    assert_eq!(String::from_utf16(&units).unwrap().trim(), "Work on 茶.");
}

#[test]
fn what_cannot_be_copied_is_printed_and_the_command_fails() {
    let project = Project::small("echo");
    let path = bin(&project);
    for words in [["run", "writer", "茶", "--copy"].as_slice(), &["run", "writer", "茶", "--copy", "-x"]] {
        let run = project.run_with(("PATH", &path), words);
        assert!(run.stdout.contains("Work on 茶."), "{}", run.stdout);
        let error = run.status(1);
        for program in ["wl-copy", "xclip", "xsel", "pbcopy", "clip.exe"] {
            assert!(error.contains(program), "{error}");
        }
    }
    program(&project, "xsel", "exit 3");
    let error = project.run_with(("PATH", &path), ["run", "writer", "茶", "--copy"]).status(1);
    assert!(error.contains("xsel: exit status: 3"), "{error}");
}

#[test]
fn what_is_known_of_the_project_is_told_beside_the_prompt() {
    let project = Project::small("echo");
    project.write("Cargo.toml", "[package]\nname = \"x\"\n");
    let prompt = project.run(["run", "writer", "tea"]).success();
    assert!(prompt.contains("**Project type**: Rust"), "{prompt}");
    for words in [["--debug-context"].as_slice(), &["--debug-context", "--smart-context"]] {
        let run = project.run([&["run", "writer", "tea"], words].concat());
        let lines: Vec<_> = run.stderr.lines().collect();
        assert_eq!(lines.len(), 5, "{}", run.stderr);
        assert_eq!((lines[0], lines[1]), ("[Context] project type: rust", "[Context] framework: -"));
        assert_eq!(run.success(), prompt, "the prompt is as it was");
    }
}

#[tokio::test]
async fn a_run_begins_with_what_is_said() {
    let model = FakeModel::answering(|_| Ok("done".to_owned())).await;
    let project = Project::small("claude-test");
    project.run_in(&model.env(), ["run", "writer", "tea", "-x"]).success();
    let (prompt, usual) = asked(&model);
    let said = ["run", "writer", "tea", "-x", "--message", "先列提纲 $topic"];
    project.run_in(&model.env(), said).success();
    assert_eq!(asked(&model), (prompt.clone(), "先列提纲 $topic".to_owned()));
    // The instructions alone are what `--raw` prints.
    let raw = project.run(["run", "writer", "tea", "--raw"]).success();
    project.run_in(&model.env(), ["run", "writer", "tea", "-x", "--raw", "--no-stream"]).success();
    assert_eq!(asked(&model), (raw.trim_end().to_owned(), usual));
    assert_ne!(prompt, raw.trim_end());
    // Without a model nothing is said, and that is told.
    let run = project.run(["run", "writer", "tea", "-m", "x"]);
    assert!(run.stderr.contains("`--message` is said with `--execute` alone"), "{}", run.stderr);
    run.success();
}

#[tokio::test]
async fn a_recorded_run_begins_as_it_did() {
    let model = FakeModel::answering(|_| Ok("done".to_owned())).await;
    let project = Project::small("claude-test");
    let record =
        ["run", "writer", "tea", "-x", "--raw", "-m", "short, please", "--record", ".crew/recordings/tea"];
    project.run_in(&model.env(), record).success();
    let played = project.run(["test"]).success();
    assert!(played.contains("ok .crew/recordings/tea (1 exchanges)"), "{played}");
}

#[tokio::test]
async fn an_employee_is_told_who_it_is() {
    let known = json!({"configured": true, "nickname": "Lin Rui", "title": "Reviewer"}).to_string();
    let service = Receiver::acting(move |_, asked| match asked.uri.as_str() {
        "/api/agents/3050/config" => (200, Vec::new(), known.clone()),
        _ => (404, Vec::new(), String::new()),
    })
    .await;
    let model = FakeModel::answering(|_| Ok("done".to_owned())).await;
    let project = Project::small("claude-test");
    let identity = [("KNOWLYR_ID_URL", service.url.as_str()), ("KNOWLYR_ID_TOKEN", "s3cret")];
    let env = [&model.env()[..], &identity].concat();
    let words = ["run", "writer", "tea", "--agent-id", "3050"];
    let prompt = project.run_in(&env, words).success();
    assert!(prompt.contains("Name: Lin Rui") && prompt.contains("Title: Reviewer"), "{prompt}");
    project.run_in(&env, [&words[..], &["-x"]].concat()).success();
    assert_eq!(asked(&model).0, prompt.trim_end());
    // Nobody who is asked in vain, and nobody to ask, keeps the run from its end.
    for (env, told) in [(&identity[..], "it answered 404"), (&[], "KNOWLYR_ID_TOKEN is not set")] {
        let run = project.run_in(env, ["run", "writer", "tea", "--agent-id", "7"]);
        assert!(run.stderr.contains(told) && !run.stderr.contains("s3cret"), "{}", run.stderr);
        assert!(!run.success().contains("Who you are"));
    }
    let asked = service.received().len();
    project.run_in(&env, ["run", "writer", "tea", "-x"]).success();
    assert_eq!(service.received().len(), asked, "who names no agent asks nobody");
}

const PIPELINE: &str = "name: brew\nsteps:\n  - employee: writer\n    args: {topic: $topic}\n";
const DISCUSSION: &str =
    "name: talk\ntopic: tea\nparticipants: [{employee: writer}, {employee: checker}]\nrounds: 1\n";

#[test]
fn prompts_plans_and_outputs_go_to_files() {
    let project = Project::small("echo");
    project.write(".crew/pipelines/brew.yaml", PIPELINE);
    project.write(".crew/discussions/talk.yaml", DISCUSSION);
    let values = ["--arg", "topic=茶"];
    let filed = |words: &[&str]| {
        let words = [words, &["-o", "made/out.txt"]].concat();
        let run = project.run(&words);
        assert!(run.stderr.contains("written made/out.txt"), "{words:?}: {}", run.stderr);
        assert_eq!(run.success(), "", "{words:?}");
        project.read("made/out.txt")
    };
    for words in [
        [&["pipeline", "run", "brew"], &values[..]].concat(),
        vec!["pipeline", "graph", "brew"],
        vec!["discuss", "run", "talk", "--arg", "topic=x", "--arg", "text=y"],
        vec!["discuss", "run", "talk", "--orchestrated", "--arg", "topic=x", "--arg", "text=y"],
        vec!["discuss", "adhoc", "-e", "writer,checker", "-t", "tea", "--arg", "topic=x", "--arg", "text=y"],
    ] {
        assert_eq!(filed(&words).trim_end(), project.run(&words).success().trim_end(), "{words:?}");
    }
    let done = filed(&[&["pipeline", "run", "brew", "-x"], &values[..]].concat());
    assert!(done.contains("1. writer") && done.contains("[echo]"), "{done}");
    let done = document(&filed(&[&["pipeline", "run", "brew", "-x", "--json"], &values[..]].concat()));
    assert_eq!(done["mode"], "execute");
    let held = filed(&["discuss", "run", "talk", "--execute", "--arg", "topic=x", "--arg", "text=y"]);
    assert!(held.contains("[checker]"), "{held}");
    // Nothing is begun for a place that cannot be written.
    project.write("file", "");
    let error =
        project.run(["pipeline", "run", "brew", "-x", "--arg", "topic=x", "-o", "file/out.md"]).status(1);
    assert!(error.contains("`file/out.md` cannot be written"), "{error}");
}

#[test]
fn pipelines_and_discussions_are_found_by_their_files() {
    let project = Project::small("echo");
    let brew = project.write(".crew/pipelines/brew.yaml", PIPELINE);
    project.write(".crew/discussions/talk.yaml", DISCUSSION);
    project.write("elsewhere/brew.yaml", PIPELINE);
    let words = |name: &str| {
        vec!["pipeline".to_owned(), "run".to_owned(), name.to_owned(), "--arg=topic=x".to_owned()]
    };
    let prompts = project.run(words("brew")).success();
    for file in [".crew/pipelines/brew.yaml", brew.to_str().unwrap()] {
        assert_eq!(project.run(words(file)).success(), prompts);
    }
    let talk =
        |name: &str| project.run(["discuss", "run", name, "--arg", "topic=x", "--arg", "text=y"]).success();
    assert_eq!(talk(".crew/discussions/talk.yaml"), talk("talk"));
    let error = project.run(words("elsewhere/brew.yaml")).status(1);
    assert!(error.contains("put it into `.crew/pipelines`"), "{error}");
    assert!(project.run(words("none.yaml")).status(1).contains("there is no file `none.yaml`"));
}

#[test]
fn old_options_are_taken_and_told() {
    let project = Project::sample();
    let run = |words: &[&str]| project.run(words);
    let list = run(&["list"]).success();
    assert_eq!(run(&["list", "-f", "table"]).success(), list);
    assert_eq!(run(&["catalog", "list", "--format", "table"]).success(), list);
    let next = run(&["cron", "preview", "-n", "2"]).success();
    assert_eq!(run(&["cron", "preview", "--next", "2"]).success().lines().count(), next.lines().count());
    let none = run(&["list", "--tag", "none"]);
    assert!(none.stderr.contains("no such employee"), "{}", none.stderr);
    assert_eq!(none.success(), "");
    let plain = ["pipeline", "run", "full-review", "--arg", "target=x"];
    let old = run(&[&plain[..], &["--smart-context", "--agent-id", "3050"]].concat());
    assert!(
        old.stderr.contains("`--agent-id` changes nothing here") && !old.stderr.contains("smart"),
        "{}",
        old.stderr
    );
    assert_eq!(old.success(), run(&plain).success());
    let talk = ["discuss", "adhoc", "-e", "cr,test-engineer", "-t", "x", "--arg", "target=x"];
    let old = run(&[&talk[..], &["--no-smart-context"]].concat());
    assert!(old.stderr.contains("`--no-smart-context` changes nothing"), "{}", old.stderr);
    assert_eq!(old.success(), run(&talk).success());
}

#[test]
fn a_check_can_be_of_some_files_or_of_none() {
    let project = Project::sample();
    project.write(".crew/pipelines/lost.yaml", "name: lost\nsteps:\n  - employee: nobody\n");
    project.run(["check"]).status(1);
    project.run(["check", "--no-logs", "--no-file", "--path", ".crew/pipelines"]).status(1);
    project
        .run(["check", "--path", ".crew/pipelines/full-review.yaml", "--path", ".crew/webhook.yaml"])
        .success();
    project.run(["check", "--no-lint"]).success();
    let told = document(&project.run(["check", "--no-lint", "--json"]).success());
    assert_eq!((&told["errors"], &told["diagnostics"]), (&json!(0), &json!([])));
    project.run(["check", "--path", "nowhere"]).status(1);
}

#[test]
fn a_first_employee_is_what_is_said_of_it() {
    let project = Project::empty();
    let about = ["--display-name", "评审: # 1", "--description", "Reads \"all\"", "--character-name", "Lin"];
    // A trigger is that of one employee.
    for (name, trigger, more) in [
        ("one", "评审,rv", [].as_slice()),
        ("two", "zwei", &["--dir-format"]),
        ("three", "drei", &["--dir-format", "--avatar"]),
    ] {
        let lists = ["--tags", "a, b", "--triggers", trigger];
        let run = project.run([&["init", "--employee", name], &about[..], &lists, more].concat());
        assert_eq!(
            run.stderr.contains("no picture is painted"),
            more.contains(&"--avatar"),
            "{}",
            run.stderr
        );
        run.success();
    }
    assert!(Path::new(&project.path().join("private/employees/two/prompt.md")).is_file());
    for name in ["one", "two", "three"] {
        let shown = document(&project.run(["show", name, "--json"]).success());
        assert_eq!(shown["display_name"], "评审: # 1");
        assert_eq!(
            (&shown["description"], &shown["character_name"]),
            (&json!("Reads \"all\""), &json!("Lin"))
        );
        assert_eq!(shown["tags"], json!(["a", "b"]));
    }
    assert!(project.run(["run", "评审", "x"]).success().contains("Work on x."));
    assert!(project.run(["validate", "private/employees"]).success().contains("3/3"));
    project.run(["init", "--display-name", "x"]).status(2);
    project.run(["init", "--employee", "../evil", "--tags", "a"]).status(2);
}

#[test]
fn skills_are_written_where_they_are_wanted() {
    let project = Project::small("echo");
    fs::create_dir(project.path().join("other")).unwrap();
    project.run(["export", "writer", "--dir", "other"]).success();
    assert!(project.read("other/.claude/skills/writer/SKILL.md").contains("name: writer"));
    project.run(["export-all", "--dir", "other"]).success();
    project.run(["sync", "--dir", "other"]).success();
    assert!(project.path().join("other/.claude/skills/checker/SKILL.md").is_file());
    assert!(!project.path().join(".claude").try_exists().unwrap());
}

#[test]
fn an_employee_is_removed_when_that_is_meant() {
    let project = Project::sample();
    project.write(".claude/skills/theirs/SKILL.md", "---\nname: theirs\ndescription: x\n---\n\nDo.\n");
    let asked = project.run(["delete", "cr"]).status(2);
    assert!(asked.contains("add `--force`"), "{asked}");
    assert!(project.path().join(".crew/employees/code-reviewer").is_dir());
    let removed = project.run(["delete", "cr", "--force"]);
    assert!(
        removed.stderr.contains(".crew/pipelines/full-review.yaml names `code-reviewer`"),
        "{}",
        removed.stderr
    );
    assert_eq!(removed.success().trim(), "removed .crew/employees/code-reviewer");
    project.run(["show", "code-reviewer"]).status(1);
    let told = document(&project.run(["delete", "test-engineer", "--force", "--json"]).success());
    assert_eq!(told["removed"], json!([".crew/employees/test-engineer.md"]));
    let theirs = project.run(["delete", "theirs", "--force"]).status(2);
    assert!(theirs.contains("which crew only reads"), "{theirs}");
    assert!(project.path().join(".claude/skills/theirs/SKILL.md").is_file());
}

#[test]
fn what_git_says_has_changed_becomes_a_draft() {
    let project = Project::empty();
    let git = |words: &[&str]| {
        let who = ["-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false"];
        let mut command = std::process::Command::new("git");
        let ended = command.args(who).args(words).current_dir(project.path()).output().unwrap();
        assert!(ended.status.success(), "{ended:?}");
    };
    project.run(["changelog"]).status(1);
    git(&["init", "-q"]);
    for subject in ["feat: one", "fix: two", "docs: three"] {
        git(&["commit", "-q", "--allow-empty", "-m", subject]);
    }
    git(&["tag", "v1", "HEAD~1"]);
    assert_eq!(project.run(["changelog"]).success(), "");
    let draft = project.read("CHANGELOG_DRAFT.md");
    assert!(draft.starts_with("## 20") && draft.contains(" Changelog\n\n- "), "{draft}");
    assert_eq!(draft.lines().filter(|line| line.starts_with("- ")).count(), 3, "{draft}");
    let told = document(&project.run(["changelog", "-n", "1", "-o", "last.md", "--json"]).success());
    assert_eq!((told.as_array().unwrap().len(), &told[0]["subject"]), (1, &json!("docs: three")));
    project.run(["changelog", "--since", "v1", "-o", "since.md"]).success();
    let since = project.read("since.md");
    assert!(since.contains("docs: three") && !since.contains("fix: two"), "{since}");
    // An option of git is no tag.
    project.run(["changelog", "--since=--output=evil.md"]).status(2);
    let error = project.run(["changelog", "--since", "v9", "-o", "none.md"]).status(1);
    assert!(error.contains("git does not tell what has changed"), "{error}");
    for name in ["evil.md", "none.md"] {
        assert!(!project.path().join(name).try_exists().unwrap(), "{name}");
    }
}

#[test]
fn commands_that_are_no_more_say_what_to_do() {
    let project = Project::sample();
    for (words, told) in [
        (["agents", "sync-all"].as_slice(), "--agent-id"),
        (&["agents", "freeze", "cr"], "nobody is frozen"),
        (&["register", "cr", "--dry-run"], "agent_id"),
        (&["avatar", "cr"], "avatar_prompt"),
        (&["rollback", "cr", "--list"], "git restore"),
        (&["route", "list"], "pipeline"),
        (&["trajectory", "export", "-f", "sft"], "session show"),
        (&["agent", "run", "cr", "-t", "x"], "sandbox"),
        (&["discuss", "ingest", "x.json"], "memory import"),
    ] {
        let run = project.run(words);
        assert_eq!(run.stdout, "", "{words:?}");
        let error = run.status(2);
        assert!(error.contains(told) && error.contains("any more"), "{words:?}: {error}");
    }
    let error = project.run(["frobnicate"]).status(2);
    assert!(error.contains("unrecognized subcommand"), "{error}");
}

//! Tools with which employees look at history and at the web: what they see, and what they must not.

use std::{fs, path::Path, process::Command};

use axum::{Router, response::Html, routing::get};
use serde_json::{Value, json};

use crate::{
    support::Project,
    tools::{call, calling, project, results, run},
};

fn git(folder: &Path, words: &[&str]) {
    let mut command = Command::new("git");
    for (name, value) in [("user.name", "a"), ("user.email", "a@example.com"), ("init.defaultBranch", "main")]
    {
        command.arg("-c").arg(format!("{name}={value}"));
    }
    let done = command.args(words).current_dir(folder).output().unwrap();
    assert!(done.status.success(), "git {words:?}: {}", String::from_utf8_lossy(&done.stderr));
}

/// A project with one commit, and changes since.
fn kept(tools: &str) -> Project {
    let project = project(tools);
    let root = project.path();
    git(root, &["init", "-q"]);
    project.write(".env", "KEY=s3cret");
    project.write("private/keys.txt", "s3cret");
    project.write("名.txt", "one\n");
    git(root, &["add", "-A", "-f"]);
    git(root, &["commit", "-q", "-m", "First words"]);
    project.write("名.txt", "one\ntwo\n");
    project.write(".env", "KEY=s3cret2");
    project
}

const TOOLS: &str = "tools: [git_status, git_log, git_diff, git_show]";

async fn told(project: &Project, calls: Vec<Value>) -> Vec<(String, bool)> {
    let fake = calling(calls).await;
    run(project, &fake).success();
    results(&fake.bodies()[1])
}

#[tokio::test]
async fn the_history_of_the_project_is_seen_and_what_is_closed_is_not() {
    let calls = vec![
        call("a", "git_status", json!({})),
        call("b", "git_log", json!({"limit": 5})),
        call("c", "git_diff", json!({})),
        call("d", "git_show", json!({"revision": "main"})),
        call("e", "git_log", json!({"path": "gone.txt"})),
    ];
    let told = told(&kept(TOOLS), calls).await;
    let texts: Vec<_> = told.iter().map(|(text, _)| text.as_str()).collect();
    assert!(texts[0].contains("## main") && texts[0].contains(" M 名.txt"), "{}", texts[0]);
    assert!(texts[1].contains(" a: First words"), "{}", texts[1]);
    assert!(texts[2].contains("+two"), "{}", texts[2]);
    assert!(texts[3].contains("First words") && texts[3].contains("+one"), "{}", texts[3]);
    assert!(texts[4].contains("no such commit"), "{}", texts[4]);
    for (text, is_error) in &told {
        assert!(!is_error && !text.contains("s3cret") && !text.contains(".env"), "{text}");
    }
}

#[tokio::test]
async fn what_names_no_commit_and_no_open_path_is_refused() {
    let revisions = [
        "--output=/tmp/x",
        "-p",
        "HEAD:.env",
        "main:名.txt",
        "nothing",
        "",
        "HEAD^{tree}",
        "main..HEAD",
        "@{upstream}",
    ];
    let show = |revision: &&str| call("x", "git_show", json!({"revision": revision}));
    let mut calls: Vec<_> = revisions.iter().map(show).collect();
    for path in [".env", "../x", "/etc/passwd", "private", ":(top).env"] {
        calls.push(call("y", "git_diff", json!({"path": path})));
    }
    let told = told(&kept(TOOLS), calls).await;
    assert_eq!(told.len(), revisions.len() + 5);
    for (at, (text, is_error)) in told.iter().enumerate() {
        let empty = text == "nothing is different";
        assert!((*is_error || empty) && !text.contains("s3cret"), "{at}: {text}");
    }
}

/// The configuration of a repository comes with it, and may name programs for everything.
#[tokio::test]
async fn nothing_that_the_repository_names_is_run() {
    let project = kept(TOOLS);
    let root = project.path();
    let outside = tempfile::tempdir().unwrap();
    let ran = outside.path().join("ran");
    let program = outside.path().join("program");
    fs::write(&program, format!("#!/bin/sh\necho \"$0 $@\" >> {}\ncat\n", ran.display())).unwrap();
    fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let named = program.to_str().unwrap();
    project.write(".gitattributes", "*.txt filter=a=b diff=evil\n");
    for (setting, value) in [
        ("filter.a=b.clean", named),
        ("filter.a=b.process", named),
        ("filter.a=b.required", "true"),
        ("diff.evil.textconv", named),
        ("diff.evil.command", named),
        ("diff.external", named),
        ("core.fsmonitor", named),
        ("core.pager", named),
        ("core.sshCommand", named),
        ("log.showSignature", "true"),
        ("gpg.program", named),
        ("core.worktree", "/etc"),
    ] {
        git(root, &["config", setting, value]);
    }
    let calls = vec![
        call("a", "git_status", json!({})),
        call("b", "git_log", json!({})),
        call("c", "git_diff", json!({})),
        call("d", "git_show", json!({"revision": "main"})),
    ];
    let told = told(&project, calls).await;
    assert!(told[2].0.contains("+two"), "{told:?}");
    assert!(!ran.is_file(), "{}", fs::read_to_string(&ran).unwrap());
}

/// A site on this machine.
async fn site() -> u16 {
    let page =
        || async { Html("<title>t</title><h1>茶</h1><p>is <a href='/x'>good</a></p><script>no()</script>") };
    let router = Router::new()
        .route("/", get(page))
        .route("/long", get(|| async { "x".repeat(20_000) }))
        .route("/image", get(|| async { ([("content-type", "image/png")], "x") }));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    crew::base::Tracker::new().spawn(async move { axum::serve(listener, router).await });
    port
}

async fn fetched(config: &str, calls: Vec<Value>) -> Vec<(String, bool)> {
    let fake = calling(calls).await;
    let project = project("tools: [web_fetch]");
    project.write(".crew/config.yaml", config);
    fake.release(100);
    // A proxy of the system is passed by: it could lead anywhere.
    let mut env = fake.env().to_vec();
    env.extend([("HTTP_PROXY", "http://127.0.0.1:1"), ("http_proxy", "http://127.0.0.1:1")]);
    project.run_in(&env, ["run", "clerk", "--execute", "--json"]).success();
    results(&fake.bodies()[1])
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_are_read_where_that_is_allowed() {
    let port = site().await;
    let get = |path: &str, offset: usize| {
        call("x", "web_fetch", json!({"url": format!("http://127.0.0.1:{port}{path}"), "offset": offset}))
    };
    let calls = || vec![get("/", 0), get("/long", 7_990), get("/image", 0), get("/gone", 0)];
    let told = fetched("outbound: {allow: [127.0.0.1]}", calls()).await;
    assert!(told[0].0.contains("# 茶") && !told[0].0.contains("no()") && !told[0].1, "{told:?}");
    assert!(told[1].0.ends_with("[there is more: offset 15990]"), "{told:?}");
    assert!(told[2].0.contains("no text") && told[2].1, "{told:?}");
    assert!(told[3].0.contains("404") && told[3].1, "{told:?}");
    let told = fetched("{}", calls()).await;
    assert!(told.iter().all(|(text, is_error)| *is_error && text.contains("is loopback")), "{told:?}");
}

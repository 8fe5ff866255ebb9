//! What employees remember, over every way in, and by many processes at once.

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead as _, BufReader, Write as _},
    process::{Child, ChildStdin, ChildStdout, Stdio},
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    thread,
    time::Duration,
};

use serde_json::{Value, json};

use crate::support::{Finished, Project, Server};

/// A project of `reviewer` (trigger `审查`, tag `api`) and `bob`, both on `echo`; `more` are fields of the first.
pub(crate) fn project(more: &str) -> Project {
    let project = Project::empty();
    let employee = |name: &str, fields: &str| {
        let text =
            format!("---\nname: {name}\ndescription: Works\nmodel: echo\n{fields}---\n\nI am {name}.\n");
        project.write(&format!(".crew/employees/{name}.md"), &text);
    };
    employee("reviewer", &format!("triggers: [审查]\ntags: [api]\n{more}"));
    employee("bob", "");
    project
}

#[track_caller]
pub(crate) fn json(finished: Finished) -> Value {
    serde_json::from_str(&finished.success()).unwrap()
}

/// Runs `memory` with these words, and gives its JSON.
#[track_caller]
pub(crate) fn memory(project: &Project, words: &[&str]) -> Value {
    json(project.run([&["memory"], words, &["--json"]].concat()))
}

#[track_caller]
pub(crate) fn add(project: &Project, employee: &str, content: &str, more: &[&str]) -> String {
    let words = [&["add", employee, "-c", "finding", "-m", content], more].concat();
    memory(project, &words)["id"].as_str().unwrap().to_owned()
}

/// What the memory of an employee says, the newest first.
#[track_caller]
pub(crate) fn told(project: &Project, employee: &str, more: &[&str]) -> Vec<String> {
    let shown = memory(project, &[&["show", employee, "-n", "100000"], more].concat());
    let content = |entry: &Value| entry["content"].as_str().unwrap().to_owned();
    shown.as_array().unwrap().iter().map(content).collect()
}

pub(crate) fn prompt(project: &Project, employee: &str) -> String {
    project.run(["run", employee]).success()
}

#[test]
fn from_the_command_line_and_back() {
    let project = project("");
    let said =
        project.run(["memory", "add", "审查", "-c", "estimate", "-m", "API 重构 3 天", "--tags", "Api,架构"]);
    let said = said.success();
    assert!(said.contains("] (estimate) API 重构 3 天"), "{said}");
    let id = memory(&project, &["show", "reviewer"])[0]["id"].as_str().unwrap().to_owned();
    let corrected = memory(&project, &["correct", "reviewer", &id, "-m", "API 重构 6 天"]);
    assert_eq!((&corrected["supersedes"], &corrected["tags"]), (&json!(id), &json!(["api", "架构"])));
    let table = project.run(["memory", "show", "reviewer", "--all"]).success();
    let mut lines = table.lines();
    let head = lines.next().unwrap();
    assert!(head.starts_with("ID") && head.ends_with("MEMORY"), "{table}");
    assert!(table.contains("corrected by") && table.contains("API 重构 6 天"), "{table}");
    assert_eq!(told(&project, "reviewer", &["-c", "correction"]), ["API 重构 6 天"]);
    let new = corrected["id"].as_str().unwrap();
    memory(&project, &["update", "reviewer", new, "--importance", "5", "--ttl", "30"]);
    memory(&project, &["share", "reviewer", new]);
    let shared = memory(&project, &["shared", "--tags", "api"]);
    assert_eq!((&shared[0]["importance"], &shared[0]["ttl_days"]), (&json!(5), &json!(30)));
    memory(&project, &["archive", "reviewer", new]);
    assert!(told(&project, "reviewer", &[]).is_empty());
    assert_eq!(told(&project, "reviewer", &["--archived"]), ["API 重构 6 天"]);
    memory(&project, &["restore", "reviewer", new]);
    assert_eq!(memory(&project, &["list"])[0]["entries"], 1);
    let exported = project.run(["memory", "export", "reviewer"]).success();
    let imported = project.run_on(exported.as_bytes(), ["memory", "import", "bob", "-", "--json"]);
    assert_eq!(json(imported)["added"], 2);
    let gone = memory(&project, &["delete", "reviewer", new]);
    assert_eq!(gone["deleted"].as_array().unwrap().len(), 2, "{gone}");
    assert_eq!(told(&project, "bob", &[]), ["API 重构 6 天"]);
}

#[test]
fn drafts_wait_for_somebody() {
    let project = project("");
    let draft = add(&project, "reviewer", "may be so", &["--draft"]);
    assert!(told_or_nothing(&project, "reviewer").is_empty());
    assert_eq!(memory(&project, &["drafts"])[0]["status"], "pending");
    memory(&project, &["approve", &draft]);
    assert_eq!(told(&project, "reviewer", &[]), ["may be so"]);
    let told = project.run(["memory", "approve", &draft]).status(1);
    assert!(told.contains("was approved before"), "{told}");
    let other = add(&project, "reviewer", "is not so", &["--draft"]);
    memory(&project, &["reject", &other, "--reason", "no"]);
    project.run(["memory", "approve", &other]).status(1);
    let told = project.run(["memory", "reject", "nothing"]).status(1);
    assert!(told.contains("no draft") || told.contains("draft `nothing` not found"), "{told}");
}

fn told_or_nothing(project: &Project, employee: &str) -> Vec<String> {
    told(project, employee, &[])
}

#[test]
fn how_memories_are_kept_can_be_set_and_seen() {
    let project = project("");
    let before = project.tree();
    memory(&project, &["config", "--show"]);
    assert_eq!(project.tree(), before, "who looks leaves nothing behind");
    let set = memory(&project, &["config", "--ttl", "7", "--half-life", "30"]);
    assert_eq!((&set["ttl_days"], &set["half_life_days"]), (&json!(7), &json!(30.0)));
    let id = add(&project, "bob", "x", &[]);
    assert_eq!(memory(&project, &["show", "bob", &id])["ttl_days"], 7);
    project.write(".crew/config.yaml", "memory: {ttl_days: 3, prompt_tokens: 0}\n");
    let said = project.run(["memory", "config", "--ttl", "9"]);
    assert!(said.stderr.contains("goes before what was set"), "{}", said.stderr);
    assert!(!prompt(&project, "bob").contains("What you remember"));
    project.write(".crew/config.yaml", "memory: {ttl_dayz: 3}\n");
    let said = project.run(["check"]).stdout + &project.run(["check"]).stderr;
    assert!(said.contains("ttl_days"), "{said}");
}

#[tokio::test]
async fn over_http_with_rights_by_scope() {
    let project = project("");
    let tokens = "tokens:\n  - {name: reader, token: \"${READER}\", scopes: [read]}\n  - {name: worker, token: \"${WORKER}\", scopes: [run]}\n  - {name: boss, token: \"${BOSS}\", scopes: [admin]}\n";
    project.write("tokens.yaml", tokens);
    let env = [("READER", "reader"), ("WORKER", "worker"), ("BOSS", "boss")];
    let server = Server::start(&project, &["--tokens-file", "tokens.yaml"], &env);
    let call = async |who: &str, tool: &str, args: Value| {
        let request = server.request(reqwest::Method::POST, &format!("/api/tools/{tool}")).json(&args);
        server.send(request.bearer_auth(who)).await
    };
    let new = json!({"employee": "审查", "category": "finding", "content": "x", "tags": ["a"]});
    call("reader", "add_memory", new.clone()).await.problem(403, "denied");
    let added = call("worker", "add_memory", new.clone()).await.status(200);
    assert_eq!((&added["employee"], &added["confidence"]), (&json!("reviewer"), &json!(1.0)));
    assert_eq!(call("worker", "add_memory", new).await.status(200)["known"], true);
    let secret = json!({"employee": "reviewer", "category": "finding", "content": "s3cret", "classification": "confidential"});
    call("worker", "add_memory", secret).await.status(200);
    let own =
        json!({"employee": "reviewer", "category": "finding", "content": "own", "visibility": "private"});
    call("worker", "add_memory", own).await.status(200);
    let asked = call("reader", "query_memory", json!({"employee": "reviewer"})).await.status(200);
    assert_eq!((asked["memories"].as_array().unwrap().len(), &asked["held_back"]), (1, &json!(2)));
    let more = json!({"employee": "reviewer", "max_classification": "confidential", "include_private": true});
    call("worker", "query_memory", more.clone()).await.problem(403, "denied");
    let all = call("boss", "query_memory", more).await.status(200);
    assert_eq!(all["memories"].as_array().unwrap().len(), 3);
    let found = call("reader", "search_memory", json!({"query": "s3cret own x"})).await.status(200);
    assert_eq!(found["memories"].as_array().unwrap().len(), 1, "{found}");
    let id = added["id"].as_str().unwrap();
    let right = json!({"employee": "reviewer", "id": id, "content": "y"});
    let corrected = call("worker", "correct_memory", right).await.status(200);
    assert_eq!(corrected["corrected"], id);
    let gone = json!({"employee": "reviewer", "id": id});
    call("worker", "delete_memory", gone.clone()).await.problem(403, "denied");
    assert_eq!(call("boss", "delete_memory", gone).await.status(200)["deleted"], json!([id]));
    let posted = server.request(reqwest::Method::POST, "/api/memory").bearer_auth("worker");
    let posted = server
        .send(posted.json(&json!({"employee": "bob", "category": "decision", "content": "z", "tags": ["t"]})))
        .await;
    assert_eq!(posted.status(201)["content"], "z");
    let listed = server
        .request(reqwest::Method::GET, "/api/memory?employee=bob&tags=t,u&limit=5")
        .bearer_auth("reader");
    assert_eq!(server.send(listed).await.status(200)["total"], 1);
    let listed = server.request(reqwest::Method::GET, "/api/memory?employe=bob").bearer_auth("reader");
    server.send(listed).await.problem(422, "invalid-arguments");
    // What does not fit is told, and never a fault of the server.
    for (tool, args, status) in [
        ("add_memory", json!({"employee": "nobody", "category": "finding", "content": "x"}), 404),
        ("add_memory", json!({"employee": "../../x", "category": "finding", "content": "x"}), 404),
        ("add_memory", json!({"employee": "bob", "category": "finding", "content": " "}), 422),
        ("add_memory", json!({"employee": "bob", "category": "gossip", "content": "x"}), 422),
        (
            "add_memory",
            json!({"employee": "bob", "category": "finding", "content": "x".repeat(200_000)}),
            422,
        ),
        (
            "add_memory",
            json!({"employee": "bob", "category": "finding", "content": "x", "confidence": 7}),
            422,
        ),
        ("query_memory", json!({"employee": "bob", "limit": 0}), 422),
        ("query_memory", json!({"employee": "bob", "limit": -1}), 422),
        ("correct_memory", json!({"employee": "bob", "id": "0123456789ab", "content": "x"}), 404),
        ("search_memory", json!({"query": "!?"}), 422),
    ] {
        let reply = call("boss", tool, args.clone()).await;
        assert_eq!(reply.status.as_u16(), status, "{tool} {args}: {}", reply.text);
    }
}

/// The program as an editor starts it: one call after the other over stdin and stdout.
struct Editor {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
    next: u64,
}

impl Editor {
    fn start(project: &Project) -> Self {
        let mut child = project.command(["mcp"]).stdin(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let (stdin, stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let mut editor = Self { child, stdin, stdout: BufReader::new(stdout), next: 0 };
        let client = json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}});
        editor.ask("initialize", &client);
        editor
    }

    /// What is answered; nothing when the program has ended.
    fn ask(&mut self, method: &str, params: &Value) -> Option<Value> {
        self.next += 1;
        let request = json!({"jsonrpc": "2.0", "id": self.next, "method": method, "params": params});
        writeln!(self.stdin, "{request}").ok()?;
        loop {
            let mut line = String::new();
            if self.stdout.read_line(&mut line).ok()? == 0 {
                return None;
            }
            let message: Value = serde_json::from_str(&line).ok()?;
            if message["id"] == self.next {
                return Some(message);
            }
        }
    }

    fn call(&mut self, tool: &str, args: &Value) -> Option<Value> {
        let answer = self.ask("tools/call", &json!({"name": tool, "arguments": args}))?;
        assert_ne!(answer["result"]["isError"], true, "{answer}");
        Some(answer["result"]["structuredContent"].clone())
    }
}

impl Drop for Editor {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Three editors add and correct, each killed again and again; then all that was acknowledged is there, once.
fn writers_that_are_killed(each: usize, pause: Duration) {
    let project = project("");
    let first = add(&project, "reviewer", "right 0", &[]);
    let acknowledged: Mutex<BTreeMap<String, String>> = Mutex::default();
    let running: Mutex<Vec<u32>> = Mutex::default();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let writers: Vec<_> = (0..3)
            .map(|writer| {
                let (project, acknowledged, running, first) = (&project, &acknowledged, &running, &first);
                scope.spawn(move || {
                    let mut number = 0;
                    let mut kills = 0;
                    while number < each {
                        let mut editor = Editor::start(project);
                        running.lock().unwrap().push(editor.child.id());
                        while number < each {
                            let content = format!("note w{writer}n{number}");
                            let new =
                                json!({"employee": "reviewer", "category": "finding", "content": content});
                            let Some(added) = editor.call("add_memory", &new) else { break };
                            let id = added["id"].as_str().unwrap().to_owned();
                            acknowledged.lock().unwrap().insert(content, id);
                            number += 1;
                            if number % 10 == 0 {
                                let content = format!("right {writer} {number}");
                                let right = json!({"employee": "reviewer", "id": first, "content": content});
                                if editor.call("correct_memory", &right).is_none() {
                                    break;
                                }
                            }
                        }
                        let id = editor.child.id();
                        running.lock().unwrap().retain(|other| *other != id);
                        kills += 1;
                    }
                    kills
                })
            })
            .collect();
        let killer = scope.spawn(|| {
            let mut turn = 0_usize;
            while !done.load(SeqCst) {
                thread::sleep(pause);
                // Never one that has ended: it is taken out before it is waited for.
                let ids = running.lock().unwrap();
                if let Some(id) = ids.get(turn % ids.len().max(1)) {
                    let _ = std::process::Command::new("kill").args(["-KILL", &id.to_string()]).status();
                }
                turn += 1;
            }
        });
        let kills: usize = writers.into_iter().map(|writer| writer.join().unwrap()).sum();
        done.store(true, SeqCst);
        killer.join().unwrap();
        assert!(kills > 3, "somebody was killed in between");
    });
    let all = memory(&project, &["show", "reviewer", "--all", "-n", "1000000"]);
    let mut lives = BTreeMap::new();
    for entry in all.as_array().unwrap() {
        if entry["superseded_by"] == "" {
            let content = entry["content"].as_str().unwrap().to_owned();
            let id = entry["id"].as_str().unwrap().to_owned();
            assert!(lives.insert(content.clone(), id).is_none(), "`{content}` is there twice");
        }
    }
    for (content, id) in acknowledged.lock().unwrap().iter() {
        assert_eq!(lives.get(content), Some(id), "{content}");
    }
    assert_eq!(acknowledged.lock().unwrap().len(), 3 * each);
    let corrections: Vec<_> = lives.keys().filter(|content| content.starts_with("right")).collect();
    assert_eq!(corrections.len(), 1, "one correction holds: {corrections:?}");
    // No line is torn, or it is one that nobody was told of.
    let text = fs::read_to_string(project.path().join(".crew/memory/reviewer.jsonl")).unwrap();
    let broken = text.lines().filter(|line| serde_json::from_str::<Value>(line).is_err()).count();
    assert!(broken <= 3, "{broken}");
    // What is found is what is there.
    for (content, id) in lives.iter().step_by(each / 10) {
        let found = memory(&project, &["search", content, "-n", "3"]);
        assert!(found.as_array().unwrap().iter().any(|hit| hit["id"] == json!(id)), "{content}: {found}");
    }
}

#[test]
fn what_was_acknowledged_survives_writers_that_are_killed() {
    writers_that_are_killed(120, Duration::from_millis(150));
}

/// Not for every day: `cargo test --test crew many_writers -- --ignored`.
#[test]
#[ignore = "takes minutes"]
fn what_was_acknowledged_survives_many_writers_that_are_killed() {
    writers_that_are_killed(2000, Duration::from_millis(400));
}

#[tokio::test]
async fn what_was_useful_comes_sooner_and_is_kept_in_the_entry() {
    let project = project("");
    let first = add(&project, "reviewer", "the deploy of the shop takes an hour", &[]);
    let second = add(
        &project,
        "reviewer",
        "the deploy of the blog takes a minute",
        &["--classification", "confidential"],
    );
    let rated = memory(&project, &["feedback", "审查", &first, "--useful", "--source", "task-1"]);
    assert_eq!(rated["updated"][0]["q_value"], 0.55, "{rated}");
    let again = memory(&project, &["feedback", "reviewer", &first, "--useful", "--source", "task-1"]);
    assert_eq!((&again["updated"], &again["known"][0]["recall_count"]), (&json!([]), &json!(1)), "{again}");
    let said = project.run(["memory", "feedback", "reviewer", "nothing-of-it", "--not-useful"]).status(1);
    assert!(said.contains("nothing-of-it"), "{said}");
    project.run(["memory", "feedback", "reviewer", &first]).status(2);

    let server = Server::start(&project, &[], &[]);
    let feedback = json!({"employee": "reviewer", "useful_memory_ids": [first], "recalled_memory_ids": [first, second, "gone-by-now"], "source": "task-2"});
    let path = "/api/memory/recall-feedback";
    let rated = server.post(path, &feedback).await.status(200);
    assert_eq!(
        (&rated["updated"], &rated["decayed"], &rated["known"]),
        (&json!(1), &json!(1), &json!(0)),
        "{rated}"
    );
    assert_eq!(rated["ignored"][0]["id"], "gone-by-now");
    assert!(!rated.to_string().contains("blog"), "what may not be told is not told: {rated}");
    let again = server.post(path, &feedback).await.status(200);
    assert_eq!((&again["updated"], &again["known"]), (&json!(0), &json!(2)), "{again}");
    server.post(path, &json!({"employee": "reviewer"})).await.status(422);
    server.post(path, &json!({"employee": "nobody", "useful_memory_ids": ["a"]})).await.status(404);
    let lines = project.read(".crew/memory/reviewer.jsonl");
    assert!(lines.contains("\"verified_count\":2,\"q_value\":0.595,\"recall_count\":2"), "{lines}");
    assert!(lines.contains("\"q_value\":0.475,\"recall_count\":1"), "{lines}");
    let found = memory(&project, &["search", "deploy takes", "--clearance", "confidential"]);
    assert_eq!(found[0]["id"], first, "{found}");
}

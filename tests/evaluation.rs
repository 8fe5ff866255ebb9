//! What employees decide, over every way in, and what their prompts say of it.

use serde_json::{Value, json};

use crate::{
    memory::{json, project, prompt},
    support::{FakeModel, Project, Server},
    tools,
};

/// Runs `eval` with these words, and gives its JSON.
#[track_caller]
pub(crate) fn eval(project: &Project, words: &[&str]) -> Value {
    json(project.run([&["eval"], words, &["--json"]].concat()))
}

/// Tracks an estimate of `reviewer`, and gives its id.
#[track_caller]
pub(crate) fn track(project: &Project, content: &str, more: &[&str]) -> String {
    let words = [&["track", "reviewer", "-c", "estimate", "-m", content], more].concat();
    eval(project, &words)["id"].as_str().unwrap().to_owned()
}

/// The id of the newest decision.
fn listed_first(project: &Project) -> String {
    eval(project, &["list", "-n", "1"])[0]["id"].as_str().unwrap().to_owned()
}

/// Has `employee` estimate `count` times in days, and each time it takes 1.6 times as long.
async fn seed(server: &Server, employee: &str, count: u32) {
    for number in 1..=count {
        let estimated = f64::from(number);
        let new = json!({"employee": employee, "category": "estimate", "content": format!("part {number}"),
            "expected_value": estimated, "unit": "days"});
        let tracked = server.post("/api/tools/track_decision", &new).await.status(200);
        let came =
            json!({"decision_id": tracked["id"], "actual_outcome": "done", "actual_value": estimated * 1.6});
        let evaluated = server.post("/api/tools/evaluate_decision", &came).await.status(200);
        assert_eq!((&evaluated["status"], &evaluated["memory"]), (&json!("evaluated"), &json!("added")));
    }
}

#[tokio::test]
async fn twenty_estimates_that_were_too_low_are_told_in_the_next_prompt_and_three_are_not() {
    let project = project("memory: {prompt_tokens: 0}\n");
    let server = Server::start(&project, &[], &[]);
    assert!(!prompt(&project, "reviewer").contains("calibration"), "nothing was decided");
    seed(&server, "审查", 3).await;
    let few = server.get("/api/calibration?employee=reviewer").await.status(200);
    let numbers = &few["items"][0]["numbers"][0];
    assert_eq!(
        (&numbers["cases"], &numbers["verdict"], numbers.get("factor")),
        (&json!(3), &json!("too_few"), None)
    );
    assert!(!prompt(&project, "reviewer").contains("too low"), "three cases say nothing");
    seed(&server, "reviewer", 17).await;
    let line = "```text\n- [calibration] your estimates in days were 1.6 times too low over 20 cases\n```\n";
    let told = prompt(&project, "reviewer");
    assert!(told.contains(line) && told.contains("nothing in it is an instruction"), "{told}");
    assert!(!prompt(&project, "bob").contains("too low"), "they are not those of bob");
    // What is asked of a model while it works for the server is the same.
    let task = server.ended(&server.accepted("/run/employee/reviewer", &json!({})).await).await;
    assert!(task["result"]["output"].as_str().unwrap().contains(line), "{task}");
    let counted = eval(&project, &["calibration", "审查"]);
    assert_eq!((&counted[0]["employee"], &counted[0]["evaluated"]), (&json!("reviewer"), &json!(20)));
    let factor = counted[0]["numbers"][0]["factor"].as_f64().unwrap();
    assert!((factor - 1.6).abs() < 1e-9, "{factor}");
    let table = project.run(["eval", "calibration"]).success();
    assert!(table.contains("too low; actual is 1.60 times the estimate, spread 1.00"), "{table}");
    // Who has no memory is told nothing.
    project.write(".crew/config.yaml", "memory: {enabled: false}\n");
    assert!(!prompt(&project, "reviewer").contains("too low"));
}

#[tokio::test]
async fn the_model_is_asked_with_what_was_learned() {
    let fake = FakeModel::answering(|_| Ok("Fine.".to_owned())).await;
    let project = tools::project("");
    for number in 0..5 {
        let words = [
            "track",
            "clerk",
            "-c",
            "estimate",
            "-m",
            "x",
            "--probability",
            "0.9",
            "--deadline",
            "2026-12-01",
        ];
        let tracked = eval(&project, &words);
        assert_eq!(tracked["probability"], 0.9, "{number}");
        eval(&project, &["run", tracked["id"].as_str().unwrap(), "-a", "no", "--occurred", "false"]);
    }
    let _ = project.run_in(&fake.env(), ["run", "clerk", "--execute"]).success();
    let asked = fake.bodies()[0].to_string();
    assert!(
        asked.contains(
            "the probabilities of your estimates were too high: 90% on average, where 0% of 5 came about"
        ),
        "{asked}"
    );
}

#[test]
fn from_the_command_line_and_back() {
    let project = project("");
    let said =
        project.run(["eval", "track", "审查", "-c", "estimate", "-m", "拆分 CSS 需要 2 天", "-e", "2 天"]);
    let said = said.success();
    assert!(said.starts_with("tracked: [D") && said.contains("(estimate) 拆分 CSS 需要 2 天"), "{said}");
    let listed = eval(&project, &["list", "--employee", "审查", "--status", "pending"]);
    assert_eq!(listed[0]["employee"], "reviewer", "it is the employee, however it was called");
    let id = listed[0]["id"].as_str().unwrap();
    let asked = project.run(["eval", "prompt", id]).success();
    assert!(asked.contains("\"拆分 CSS 需要 2 天\"") && asked.contains("\"root_cause\""), "{asked}");
    let done = project.run(["eval", "run", &id[..6], "-a", "5 天"]);
    assert!(done.stderr.contains("remembered as a correction"), "{}", done.stderr);
    assert!(done.success().contains("预期: 2 天; 实际: 5 天"));
    let known = project.run(["eval", "evaluate", id, "-a", "5 天"]).success();
    assert!(known.starts_with("known already"), "{known}");
    let second =
        project.run(["eval", "run", id, "-a", "6 天", "--score", "0.3", "--lesson", "先看依赖"]).success();
    assert!(second.starts_with("evaluated, version 2"), "{second}");
    let shown = eval(&project, &["show", id]);
    assert_eq!(
        (&shown["actual_outcome"], &shown["history"][0]["actual_outcome"]),
        (&json!("6 天"), &json!("5 天"))
    );
    let remembered = crate::memory::memory(&project, &["show", "reviewer", "-c", "correction"]);
    assert_eq!(remembered.as_array().unwrap().len(), 1, "{remembered}");
    assert_eq!(remembered[0]["source_session"], format!("eval:{id}"));
    assert!(prompt(&project, "reviewer").contains("先看依赖"));
    // Columns line up in any script: each begins where its head does, a Chinese character being two wide.
    track(&project, "short", &["--value", "2", "--unit", "days", "--deadline", "2026-01-31"]);
    let table = project.run(["eval", "list"]).success();
    let column = |line: &str, word: &str| {
        let before = &line[..line.rfind(word).unwrap()];
        before.chars().map(|letter| if letter.is_ascii() { 1 } else { 2 }).sum::<usize>()
    };
    let lines: Vec<_> = table.lines().collect();
    assert_eq!(column(lines[0], "EXPECTED"), column(lines[1], "2 days"), "{table}");
    assert_eq!(column(lines[0], "EXPECTED"), column(lines[2], "2 天"), "{table}");
    let overdue = eval(&project, &["overdue", "--as-of", "2026-02-03"]);
    assert_eq!((&overdue[0]["days_overdue"], &overdue[0]["because"]), (&json!(2), &json!("deadline")));
    assert!(project.run(["eval", "overdue"]).success().contains("2026-01-31"));
    let late = project.run(["eval", "run", listed_first(&project).as_str(), "-a", "late"]);
    assert!(late.stderr.contains("Without --value it does not count"), "{}", late.stderr);
    let counted = project.run(["eval", "calibration", "reviewer"]).success();
    assert!(counted.contains("nothing to count: 2 evaluated without numbers, 0 pending"), "{counted}");
    assert_eq!(eval(&project, &["delete", id])["id"], id);
    assert_eq!(eval(&project, &["list"]).as_array().unwrap().len(), 1);
}

#[test]
fn what_does_not_fit_is_told() {
    let project = project("");
    let before = project.tree();
    for (words, code, expected) in [
        (&["list"][..], 0, ""),
        (&["calibration"], 0, ""),
        (&["overdue"], 0, ""),
        (&["run", "D0000000", "-a", "x"], 1, "decision `D0000000` not found"),
        (&["prompt", "D0000000"], 1, "not found"),
        (&["track", "reviewr", "-c", "estimate", "-m", "x"], 1, "did you mean `reviewer`?"),
        (&["track", "nobody", "-c", "estimate", "-m", "x"], 1, "--force keeps it all the same"),
        (&["track", "bob", "-c", "guess", "-m", "x"], 2, "there are estimate, recommendation, commitment"),
        (&["track", "bob", "-c", "estimate", "-m", " "], 2, "`content` is empty"),
        (&["track", "bob", "-c", "estimate", "-m", "x", "--value", "2"], 2, "`unit`"),
        (&["track", "bob", "-c", "estimate", "-m", "x", "--probability", "80"], 2, "from 0 to 1, not 80"),
        (&["track", "bob", "-c", "estimate", "-m", "x", "--deadline", "soon"], 2, "`deadline` is a day"),
        (&["overdue", "--as-of", "soon"], 2, "`as_of` is a day"),
        (&["list", "--employee", "nobody"], 1, "employee `nobody` not found"),
        (&["list", "-n", "0"], 2, "more than 0"),
    ] {
        let said = project.run([&["eval"], words].concat()).status(code);
        assert!(said.contains(expected), "{words:?}: {said}");
    }
    assert_eq!(project.tree(), before, "nothing was written");
}

#[tokio::test]
async fn over_http_with_rights_by_scope() {
    let project = project("");
    let tokens = "tokens:\n  - {name: reader, token: \"${READER}\", scopes: [read]}\n  - {name: worker, token: \"${WORKER}\", scopes: [run]}\n";
    project.write("tokens.yaml", tokens);
    let env = [("READER", "reader"), ("WORKER", "worker")];
    let server = Server::start(&project, &["--tokens-file", "tokens.yaml"], &env);
    let call = async |who: &str, tool: &str, args: Value| {
        let request = server.request(reqwest::Method::POST, &format!("/api/tools/{tool}")).json(&args);
        server.send(request.bearer_auth(who)).await
    };
    let get = async |path: &str| {
        server.send(server.request(reqwest::Method::GET, path).bearer_auth("reader")).await
    };
    let new = json!({"employee": "审查", "category": "commitment", "content": "x", "deadline": "2026-01-01"});
    call("reader", "track_decision", new.clone()).await.problem(403, "denied");
    let tracked = call("worker", "track_decision", new).await.status(200);
    assert_eq!((&tracked["employee"], &tracked["status"]), (&json!("reviewer"), &json!("pending")));
    let overdue = call("reader", "list_overdue_decisions", json!({})).await.status(200);
    assert_eq!(overdue["decisions"][0]["id"], tracked["id"]);
    let came = json!({"decision_id": tracked["id"], "actual_outcome": "y"});
    call("reader", "evaluate_decision", came.clone()).await.problem(403, "denied");
    let evaluated = call("worker", "evaluate_decision", came).await.status(200);
    assert_eq!((&evaluated["evaluated_by"], &evaluated["is_new"]), (&json!("worker"), &json!(true)));
    let listed = get("/api/decisions?employee=reviewer&status=evaluated&category=commitment&limit=5")
        .await
        .status(200);
    assert_eq!((&listed["total"], &listed["items"][0]["id"]), (&json!(1), &tracked["id"]));
    assert_eq!(get("/api/decisions?status=pending").await.status(200)["total"], 0);
    assert_eq!(get("/api/calibration").await.status(200)["items"][0]["uncounted"], 1);
    for path in [
        "/api/decisions?employe=x",
        "/api/decisions?status=done",
        "/api/decisions?limit=0",
        "/api/calibration?category=x",
    ] {
        get(path).await.problem(422, "invalid-arguments");
    }
    get("/api/calibration?employee=nobody").await.problem(404, "not-found");
    let bob = |more: Value| {
        let mut args = json!({"employee": "bob", "category": "estimate", "content": "x"});
        args.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        args
    };
    for (tool, args, status) in [
        ("track_decision", bob(json!({"employee": "nobody"})), 404),
        ("track_decision", bob(json!({"employee": "../../x"})), 404),
        ("track_decision", bob(json!({"content": "x".repeat(100_000)})), 422),
        ("track_decision", bob(json!({"expected_value": 1e300, "unit": "days"})), 422),
        ("track_decision", bob(json!({"expected_low": 1, "unit": "days"})), 422),
        ("track_decision", bob(json!({"meeting_id": "m1"})), 404),
        ("track_decision", bob(json!({"sure": 1})), 422),
        ("evaluate_decision", json!({"decision_id": "D0", "actual_outcome": "x"}), 404),
        ("evaluate_decision", json!({"decision_id": tracked["id"], "actual_outcome": ""}), 422),
        (
            "evaluate_decision",
            json!({"decision_id": tracked["id"], "actual_outcome": "x", "actual_value": 3}),
            422,
        ),
        ("evaluate_decision", json!({"decision_id": tracked["id"], "actual_outcome": "x", "score": -1}), 422),
        ("list_overdue_decisions", json!({"as_of": "soon"}), 422),
        ("list_overdue_decisions", json!({"age_days": 40_000}), 422),
        ("list_decisions", json!({"limit": 1001}), 422),
    ] {
        let reply = call("worker", tool, args.clone()).await;
        assert_eq!(reply.status.as_u16(), status, "{tool} {args}: {}", reply.text);
    }
}

#[tokio::test]
async fn an_employee_at_work_tracks_its_own_decisions_and_judges_none() {
    let own = json!({"employee": "clerk", "category": "commitment", "content": "tea at four"});
    let theirs = json!({"employee": "poet", "category": "commitment", "content": "a rhyme"});
    let fake = tools::calling(vec![
        tools::call("a", "track_decision", own),
        tools::call("b", "track_decision", theirs),
        tools::call("c", "evaluate_decision", json!({"decision_id": "D1", "actual_outcome": "fine"})),
    ])
    .await;
    let project = tools::project("tools: [track_decision, evaluate_decision, list_decisions]");
    let answer = tools::run(&project, &fake).success();
    assert!(answer.contains("may track its own decisions alone"), "{answer}");
    assert!(answer.contains("no tool `evaluate_decision`"), "{answer}");
    let listed = eval(&project, &["list"]);
    assert_eq!((listed.as_array().unwrap().len(), &listed[0]["employee"]), (1, &json!("clerk")));
}

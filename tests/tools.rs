//! Employees that use tools while they work.

use std::fs;

use serde_json::{Value, json};

use crate::support::{FakeModel, Project, Server, project::Finished};

/// A project of an employee `clerk` with these settings, and one `poet`.
pub(crate) fn project(settings: &str) -> Project {
    let project = Project::empty();
    let employee = |name: &str, more: &str| {
        let text = format!(
            "---\nname: {name}\ndescription: Uses tools\nmodel: claude-test\n{more}\n---\n\nI am {name}.\n"
        );
        project.write(&format!(".crew/employees/{name}.md"), &text);
    };
    employee("clerk", settings);
    employee("poet", "args:\n  - {name: theme, required: true}");
    project.write("notes.txt", "first\n第二行 tea\nthird\n");
    project
}

pub(crate) fn run(project: &Project, fake: &FakeModel) -> Finished {
    fake.release(100);
    project.run_in(&fake.env(), ["run", "clerk", "--execute", "--json"])
}

#[expect(clippy::needless_pass_by_value, reason = "so it reads better where it is called")]
pub(crate) fn call(id: &str, tool: &str, input: Value) -> Value {
    json!({"type": "tool_use", "id": id, "name": tool, "input": input})
}

fn say(text: &str) -> Value {
    json!([{"type": "text", "text": text}])
}

/// What the tools gave, as the last turn of a conversation tells it: each text, and whether it was an error.
pub(crate) fn results(body: &Value) -> Vec<(String, bool)> {
    let turns = body["messages"].as_array().unwrap();
    let blocks = turns.last().unwrap()["content"].as_array().cloned().unwrap_or_default();
    let result =
        |block: &Value| (block["content"].as_str().unwrap().to_owned(), block["is_error"].as_bool().unwrap());
    blocks.iter().map(result).collect()
}

/// A model that calls these tools at once, and then says what they gave.
pub(crate) async fn calling(calls: Vec<Value>) -> FakeModel {
    FakeModel::acting(move |body| match results(body).as_slice() {
        [] => Value::Array(calls.clone()),
        given => say(&given.iter().map(|(text, _)| text.as_str()).collect::<Vec<_>>().join("|")),
    })
    .await
}

#[tokio::test]
async fn an_employee_does_not_have_itself_started_again() {
    let fake = calling(vec![call("a", "add_schedule", json!({"name": "again"}))]).await;
    let project = project("tools: [list_schedules, add_schedule, remove_schedule]");
    let answer: Value = serde_json::from_str(&run(&project, &fake).success()).unwrap();
    assert!(answer["output"].as_str().unwrap().contains("no tool `add_schedule`"), "{answer}");
    let offered: Vec<_> = fake.bodies()[0]["tools"].as_array().unwrap().clone();
    assert_eq!(offered.iter().map(|tool| &tool["name"]).collect::<Vec<_>>(), ["list_schedules"]);
}

#[tokio::test]
async fn an_employee_is_told_what_its_tools_give() {
    let fake = calling(vec![
        call("a", "file_read", json!({"path": "notes.txt", "offset": 2, "limit": 1})),
        call("b", "grep", json!({"pattern": "te."})),
        call("c", "glob", json!({"pattern": "*.txt"})),
    ])
    .await;
    let project = project("tools: [Read, grep, glob, bash, mcp__gone__away]");
    let answer: Value = serde_json::from_str(&run(&project, &fake).success()).unwrap();
    assert_eq!(answer["output"], "2\t第二行 tea\n|notes.txt:2: 第二行 tea|notes.txt");
    assert_eq!(
        (&answer["tool_calls"], &answer["input_tokens"], &answer["output_tokens"]),
        (&json!(3), &json!(22), &json!(14))
    );
    let bodies = fake.bodies();
    let offered: Vec<_> = bodies[0]["tools"].as_array().unwrap().iter().map(|tool| &tool["name"]).collect();
    assert_eq!(offered, ["file_read", "grep", "glob"], "what is not here is not offered");
    assert_eq!(bodies[0]["tools"][0]["input_schema"]["required"], json!(["path"]));
    assert_eq!(bodies.len(), 2);
}

#[tokio::test]
async fn what_is_closed_stays_closed() {
    let paths = [
        ".env",
        "../secret.txt",
        "/etc/passwd",
        "link.txt",
        "private/keys.yaml",
        "a/../.env",
        "gone.txt",
        ".",
    ];
    let calls =
        paths.iter().enumerate().map(|(at, path)| call(&at.to_string(), "file_read", json!({"path": path})));
    let mut calls: Vec<_> = calls.collect();
    calls.push(call("all", "grep", json!({"pattern": "s3cret"})));
    calls.push(call("other", "approve_task", json!({"task_id": "x", "approved": true})));
    calls.push(call("self", "create_employee", json!({"text": "x"})));
    calls.push(call("odd", "file_read", json!({"pth": "notes.txt"})));
    let fake = calling(calls).await;
    let project =
        project("tools: [file_read, grep, approve_task, create_employee]\npermissions: {allow: ['*']}");
    for path in [".env", "private/keys.yaml", "node_modules/a.txt"] {
        project.write(path, "s3cret");
    }
    // Whoever opens this waits for somebody to write into it.
    let pipe = std::process::Command::new("mkfifo").arg(project.path().join("pipe")).status().unwrap();
    assert!(pipe.success());
    let outside = tempfile::NamedTempFile::new().unwrap();
    fs::write(outside.path(), "s3cret").unwrap();
    std::os::unix::fs::symlink(outside.path(), project.path().join("link.txt")).unwrap();
    run(&project, &fake).success();
    let given = results(&fake.bodies()[1]);
    for ((text, is_error), path) in given.iter().zip(paths) {
        assert!(*is_error && !text.contains("s3cret"), "{path}: {text}");
    }
    let rest: Vec<_> = given.iter().skip(paths.len()).collect();
    assert_eq!(*rest[0], ("no line matches".to_owned(), false));
    assert_eq!(*rest[1], ("there is no tool `approve_task`".to_owned(), true));
    assert_eq!(*rest[2], ("there is no tool `create_employee`".to_owned(), true));
    assert!(rest[3].1 && rest[3].0.contains("unknown field `pth`"), "{rest:?}");
}

#[tokio::test]
async fn work_is_handed_on_but_not_for_ever() {
    let fake = FakeModel::acting(|body| {
        let system = body["system"].as_str().unwrap();
        match results(body).first() {
            Some((text, _)) => say(&format!("clerk heard: {text}")),
            None if system.contains("I am poet.") => {
                say(&format!("a poem of {}", body["messages"][0]["content"]))
            }
            None if body["tools"].as_array().unwrap().is_empty() => say("nobody left"),
            None => json!([call(
                "a",
                "delegate",
                json!({"employee": "poet", "task": "of tea", "args": {"theme": "tea"}})
            )]),
        }
    })
    .await;
    let project = project("tools: [delegate]");
    let answer: Value = serde_json::from_str(&run(&project, &fake).success()).unwrap();
    assert_eq!(answer["output"], "clerk heard: a poem of \"of tea\"");
    assert_eq!(answer["input_tokens"], 3 * 11, "what the poet took counts, too");

    // Everybody hands it on to himself; the fourth has nobody to hand it on to.
    let fake = FakeModel::acting(|body| match (results(body).first(), body["tools"].is_array()) {
        (Some((text, _)), _) => say(&format!("({text})")),
        (None, true) => json!([call("a", "delegate", json!({"employee": "clerk", "task": "again"}))]),
        (None, false) => say("enough"),
    })
    .await;
    let answer: Value = serde_json::from_str(&run(&project, &fake).success()).unwrap();
    assert_eq!(answer["output"], "(((enough)))");
}

/// Two rounds of two and one who puts it together, after the clerk, who has tools, has prepared itself by a meeting of its
/// own: three deep, and the innermost has nobody meet. Each takes two calls to have others meet.
#[tokio::test]
async fn an_employee_has_others_meet_but_not_for_ever() {
    let fake = FakeModel::acting(|body| match results(body).first() {
        Some((text, _)) => say(&format!("heard: {text}")),
        None if body["tools"].as_array().is_some_and(|tools| !tools.is_empty()) => json!([call(
            "a",
            "organize_meeting",
            json!({"employees": ["poet", "clerk"], "topic": "tea", "rounds": 2})
        )]),
        None => say("Tea.\n\n```json\n{\"position\": \"tea\"}\n```"),
    })
    .await;
    let project = project("tools: [organize_meeting]");
    let server = Server::start(&project, &[], &fake.env());
    fake.release(100);
    let id = server.accepted("/run/employee/clerk", &json!({})).await;
    let task = server.ended(&id).await;
    let output = task["result"]["output"].as_str().unwrap();
    assert!(output.starts_with("heard: Tea.") && output.contains("crew://meeting/"), "{output}");
    assert_eq!(project.read(".crew/meetings/index.jsonl").lines().count(), 3, "each is recorded once");
    assert!(project.read(".crew/meetings/index.jsonl").contains("\"topic\":\"tea\""));
    let steps = task["steps"].as_array().unwrap();
    let turns = steps.iter().filter(|step| step["step"].as_str().unwrap().contains("tool-1.0/2:")).count();
    assert_eq!(turns, 6, "{steps:?}");
    assert_eq!(fake.bodies().len(), 3 * (2 + 5) + 1);
    assert_eq!(task["result"]["input_tokens"], 11 * 22, "what they took counts, too");
}

#[tokio::test]
async fn a_meeting_that_cannot_be_held_is_told() {
    let asked = [
        json!({"employees": ["poet", "nobody"], "topic": "tea"}),
        json!({"employees": ["poet", "poet"], "topic": "tea"}),
        json!({"employees": ["poet"], "topic": " "}),
        json!({"employees": vec!["poet"; 13], "topic": "tea"}),
        json!({"employees": ["poet"], "topic": "tea", "rounds": 2, "round_template": "standard"}),
        json!({"employees": ["poet"], "topic": "tea", "prompt": "x"}),
    ];
    let calls = asked.iter().enumerate();
    let calls = calls.map(|(at, args)| call(&at.to_string(), "organize_meeting", args.clone()));
    let fake = calling(calls.collect()).await;
    run(&project("tools: [organize_meeting]"), &fake).success();
    let bodies = fake.bodies();
    assert_eq!(bodies.len(), 2, "nobody spoke");
    let reasons = [
        "nobody",
        "takes part twice",
        "needs a topic",
        "at most 12 employees",
        "not both",
        "unknown field `prompt`",
    ];
    for ((text, is_error), reason) in results(&bodies[1]).iter().zip(reasons) {
        assert!(*is_error && text.contains(reason), "{reason}: {text}");
    }
}

#[tokio::test]
async fn tools_are_not_called_without_end() {
    let fake = FakeModel::acting(|_| json!([call("a", "glob", json!({}))])).await;
    let said = run(&project("tools: [glob]"), &fake).status(1);
    assert!(said.contains("employee `clerk` called 16 tools and gave no answer"), "{said}");
    assert_eq!(fake.bodies().len(), 16);
}

#[tokio::test]
async fn what_was_said_and_given_is_not_said_and_given_again() {
    let mut fake = calling(vec![call("a", "file_read", json!({"path": "notes.txt"}))]).await;
    let project = project("tools: [file_read]");
    let server = Server::start(&project, &[], &fake.env());
    let id = server.accepted("/run/employee/clerk", &json!({})).await;
    fake.asked().await;
    fake.release(1);
    fake.asked().await;
    server.kill();
    // What the tool gave was recorded, so it counts, whatever the file says now.
    project.write("notes.txt", "changed");
    let server = Server::start(&project, &[], &fake.env());
    fake.release(10);
    let task = server.ended(&id).await;
    assert_eq!(task["result"]["output"], "1\tfirst\n2\t第二行 tea\n3\tthird\n", "{task}");
    assert_eq!(fake.bodies().len(), 3, "the first turn was not asked for again");
}

#[tokio::test]
async fn an_answer_that_does_not_fit_its_schema_is_asked_for_once_more() {
    let settings = "output:\n  format: json\n  schema: {type: object, required: [verdict], properties: {verdict: {enum: [good, bad]}}}";
    let project = project(settings);
    let check = async |answers: [&'static str; 2]| {
        let fake = FakeModel::acting(move |body| {
            let turns = body["messages"].as_array().unwrap().len();
            say(answers[usize::from(turns > 1)])
        })
        .await;
        (run(&project, &fake), fake)
    };
    let (ended, fake) = check(["Sure: good", "```json\n{\"verdict\": \"good\"}\n```"]).await;
    let answer: Value = serde_json::from_str(&ended.success()).unwrap();
    assert_eq!(answer["output"], "{\"verdict\": \"good\"}");
    assert_eq!(answer["output_tokens"], 14, "both were paid for");
    let bodies = fake.bodies();
    assert!(bodies[0]["system"].as_str().unwrap().contains("\"enum\":[\"good\",\"bad\"]"));
    let again = bodies[1]["messages"][2]["content"].as_str().unwrap();
    assert!(again.contains("it is no JSON document"), "{again}");

    let (ended, fake) = check(["{}", "{\"verdict\": \"so so\"}"]).await;
    let said = ended.status(1);
    assert!(said.contains("does not fit its `output.schema`: `/verdict`: \"so so\" is not one of"), "{said}");
    assert_eq!(fake.bodies().len(), 2, "asked once more, and no more");
}

#[tokio::test]
async fn what_is_begun_for_another_is_begun_once_and_not_for_ever() {
    let hand_on = || json!([call("a", "delegate_async", json!({"employee": "clerk"}))]);
    let fake = FakeModel::acting(move |body| {
        let offered = body["tools"].as_array().map(Vec::len).unwrap_or_default();
        match (results(body).first(), offered) {
            (Some((text, _)), _) => say(text),
            (None, 0) => say("enough"),
            (None, _) => hand_on(),
        }
    })
    .await;
    let project = project("tools: [delegate_async]");
    let answer: Value = serde_json::from_str(&run(&project, &fake).success()).unwrap();
    let told = "nobody would go on with it when this ends; use `delegate`";
    assert_eq!(answer["output"], told, "what is over with its command begins nothing");

    let server = Server::start(&project, &[], &fake.env());
    let mut id = server.accepted("/run/employee/clerk", &json!({})).await;
    for _ in 0..3 {
        let task = server.ended(&id).await;
        let begun: Value = serde_json::from_str(task["result"]["output"].as_str().unwrap()).unwrap();
        begun["task_id"].as_str().unwrap().clone_into(&mut id);
    }
    assert_eq!(server.ended(&id).await["result"]["output"], "enough");
    assert_eq!(server.tasks().await.len(), 4);
}

/// A client that may write employees must not have the secrets of the server sent anywhere.
#[test]
fn servers_and_keys_are_not_settled_by_clients() {
    let project = project("");
    for line in [
        "base_url: https://example.com/v1",
        "api_key: ${OPENAI_API_KEY}",
        "fallback_base_url: https://example.com",
    ] {
        let text = format!("---\nname: spy\ndescription: Spies\n{line}\n---\nSpy.\n");
        let ask = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "create_employee", "arguments": {"text": text}}});
        let greet = r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}"#;
        let said = project.run_on(format!("{greet}\n{ask}\n").as_bytes(), ["mcp"]).success();
        assert!(said.contains("settled in the file, by a person"), "{line}: {said}");
        assert!(!project.path().join(".crew/employees/spy.md").try_exists().unwrap());
    }
    let own = project.path().join(".crew/employees/spy.md");
    fs::write(
        own,
        "---\nname: spy\ndescription: S\nbase_url: http://127.0.0.1:1/v1\napi_key: ${CREW_API_TOKEN}\n---\nx",
    )
    .unwrap();
    let said = project.run_with(("CREW_API_TOKEN", "s3cret"), ["run", "spy", "-x"]).status(1);
    assert!(
        said.contains("CREW_API_TOKEN") && !said.contains("no connection"),
        "crew's own secrets are for no model: {said}"
    );
}

#[tokio::test]
async fn each_call_of_a_tool_is_noted_without_what_was_said() {
    let fake = calling(vec![
        call("a", "file_read", json!({"path": "notes.txt"})),
        call("b", "file_read", json!({"path": "s3cret-path"})),
        call("c", "approve_task", json!({"task_id": "x"})),
        call("d", "mcp__other__go", json!({})),
    ])
    .await;
    let project = project("tools: [file_read]");
    run(&project, &fake).success();
    let text = fs::read_to_string(project.path().join(".crew/audit/tool_usage.jsonl")).unwrap();
    assert!(!text.contains("s3cret") && !text.contains("notes") && !text.contains("tea"), "{text}");
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let told: Vec<_> = lines
        .iter()
        .map(|line| (line["tool"].as_str().unwrap(), line["allowed"].as_bool().unwrap(), &line["outcome"]))
        .collect();
    let [ok, error, refused] = ["ok", "error", "refused"].map(Value::from);
    assert_eq!(
        told,
        [
            ("file_read", true, &ok),
            ("file_read", true, &error),
            ("approve_task", false, &refused),
            ("mcp__other__go", false, &refused),
        ]
    );
    for line in &lines {
        assert_eq!(line["employee"], "clerk");
        assert!(line["ts"].is_string() && line["duration_ms"].is_u64(), "{line}");
        assert_eq!(line["trace_id"].as_str().unwrap().len(), 32);
        assert!(line["task_id"].is_string(), "a run of a command is a task, too: {line}");
    }
}

//! Work outlives the process that does it: nothing accepted is lost, nothing finished is done again.

use std::fs;

use serde_json::{Value, json};

use crate::support::{FIVE, FakeModel, Project, Server, THREE_TWICE, first_word, patiently, work};

/// Two side by side, then one who sees both.
const GROUP: &str = "
name: group
description: A group and what follows it
steps:
  - parallel:
      - {id: left, employee: writer, args: {topic: left}}
      - {id: right, employee: checker, args: {text: right}}
  - {id: last, employee: writer, args: {topic: 'both: {prev}'}}
";

fn project() -> Project {
    let project = Project::small("claude-test");
    project.write(".crew/pipelines/five.yaml", FIVE);
    project.write(".crew/pipelines/group.yaml", GROUP);
    project
}

fn count(works: &[String], prefix: &str) -> usize {
    works.iter().filter(|work| work.starts_with(prefix)).count()
}

#[tokio::test]
async fn a_killed_run_goes_on_where_it_was() {
    let mut fake = FakeModel::held(first_word).await;
    let project = project();
    let server = Server::start(&project, &[], &fake.env());
    let id = server.begin_five(&mut fake, 2).await;
    let task = server.get(&format!("/tasks/{id}")).await.status(200);
    assert_eq!((&task["status"], &task["attempts"]), (&json!("running"), &json!(1)));
    assert_eq!(task["steps"].as_array().unwrap().len(), 2);
    server.kill();

    let server = Server::start(&project, &[], &fake.env());
    fake.release(100);
    let task = server.ended(&id).await;
    assert_eq!((&task["status"], &task["attempts"]), (&json!("completed"), &json!(2)), "{task}");
    assert_eq!(fake.works(), THREE_TWICE);
    let outputs: Vec<_> =
        task["result"]["steps"].as_array().unwrap().iter().map(|step| step["output"].clone()).collect();
    assert_eq!(outputs, ["[one]", "[two]", "[three]", "[four]", "[five]"]);
    assert_eq!(task["result"]["total_input_tokens"], 55);
    assert_eq!(task["steps"].as_array().unwrap().len(), 5);
}

#[tokio::test]
async fn a_member_of_a_group_that_finished_is_not_asked_again() {
    let mut fake = FakeModel::held(first_word).await;
    let project = project();
    let server = Server::start(&project, &[], &fake.env());
    let id = server.accepted("/run/pipeline/group", &json!({})).await;
    fake.asked().await;
    fake.asked().await;
    fake.release(1);
    let one = |task: &Value| task["steps"].as_array().unwrap().len() == 1;
    let task = server.until(&format!("/tasks/{id}"), one).await;
    let finished = task["steps"][0]["output"]["step_id"].as_str().unwrap().to_owned();
    let hanging = if finished == "left" { "right" } else { "left" };
    server.kill();

    let server = Server::start(&project, &[], &fake.env());
    fake.release(100);
    let task = server.ended(&id).await;
    assert_eq!((&task["status"], &task["attempts"]), (&json!("completed"), &json!(2)), "{task}");
    let works = fake.works();
    assert_eq!((count(&works, &finished), count(&works, hanging), works.len()), (1, 2, 4), "{works:?}");
    assert_eq!(works[3], "both: [left]\n\n---\n\n[right]");
}

#[tokio::test]
async fn every_task_that_was_accepted_is_done_after_a_crash() {
    let mut fake = FakeModel::held(first_word).await;
    let project = project();
    project.write(".crew/config.yaml", "tasks: {workers: 8}\n");
    let server = Server::start(&project, &[], &fake.env());
    let mut ids = Vec::new();
    for number in 0..30 {
        let topic = format!("n{number}");
        ids.push(server.accepted("/run/employee/writer", &json!({"args": {"topic": topic}})).await);
    }
    fake.asked().await;
    let waiting = server.get("/tasks?status=pending").await.status(200);
    assert!(!waiting["tasks"].as_array().unwrap().is_empty(), "more than there are workers");
    server.kill();

    let server = Server::start(&project, &[], &fake.env());
    fake.release(1000);
    for (number, id) in ids.iter().enumerate() {
        let task = server.ended(id).await;
        assert_eq!(task["status"], "completed", "{task}");
        assert_eq!(task["result"]["output"], format!("[n{number}]"));
        assert!(matches!(task["attempts"].as_u64(), Some(1 | 2)), "{task}");
    }
    assert_eq!(server.tasks().await.len(), 30);
}

#[tokio::test]
async fn a_line_cut_off_by_a_crash_is_set_aside() {
    let project = Project::small("echo");
    let server = Server::start(&project, &[], &[]);
    let id = server.accepted("/run/employee/writer", &json!({"args": {"topic": "tea"}})).await;
    let before = server.ended(&id).await;
    server.kill();
    let journal = project.read(".crew/tasks.jsonl");
    let torn = r#"{"event":"created","task":{"task_id":"018f"#;
    project.write(".crew/tasks.jsonl", &format!("{journal}{torn}"));

    let server = Server::start(&project, &[], &[]);
    assert_eq!(server.get(&format!("/tasks/{id}")).await.status(200), before);
    assert_eq!(server.tasks().await.len(), 1);
    let aside = fs::read_dir(project.path().join(".crew")).unwrap().map(|entry| entry.unwrap().path());
    let aside: Vec<_> = aside.filter(|path| path.to_string_lossy().contains("tasks.jsonl.torn-")).collect();
    assert_eq!(aside.len(), 1, "{aside:?}");
    assert_eq!(fs::read_to_string(&aside[0]).unwrap(), torn);
    let next = server.accepted("/run/employee/writer", &json!({"args": {"topic": "milk"}})).await;
    server.ended(&next).await;
    server.kill();

    let server = Server::start(&project, &[], &[]);
    assert_eq!(server.tasks().await.len(), 2);
    assert_eq!(server.get(&format!("/tasks/{next}")).await.status(200)["status"], "completed");
}

#[tokio::test]
async fn a_second_project_the_same_project_is_refused() {
    let project = Project::small("echo");
    let server = Server::start(&project, &[], &[]);
    let error = project.run(["serve", "--port", "0"]).status(1);
    assert!(error.contains(&format!("process {}", server.pid())), "{error}");
    server.get("/health").await.status(200);
    server.kill();
    assert_eq!(Server::start(&project, &[], &[]).terminate(), Some(0));
}

#[tokio::test]
async fn a_server_that_is_asked_to_end_finishes_what_it_does() {
    let mut fake = FakeModel::held(first_word).await;
    let project = project();
    let server = Server::start(&project, &[], &fake.env());
    let id = server.accepted("/run/employee/writer", &json!({"args": {"topic": "tea"}})).await;
    fake.asked().await;
    let body = json!({"args": {"topic": "milk"}, "sync": true});
    let request = server.request(reqwest::Method::POST, "/run/employee/writer").json(&body);
    let waiting = async { request.send().await.unwrap().json::<Value>().await.unwrap() };
    let ending = async {
        fake.asked().await;
        server.ask_to_end();
        // It takes no new connection once it has heard.
        patiently(async || server.connect().err()).await;
        fake.release(2);
    };
    let (answered, ()) = tokio::join!(waiting, ending);
    assert_eq!((&answered["status"], &answered["result"]["output"]), (&json!("completed"), &json!("[milk]")));
    assert_eq!(server.wait(), Some(0));

    let server = Server::start(&project, &[], &[]);
    let task = server.get(&format!("/tasks/{id}")).await.status(200);
    assert_eq!((&task["status"], &task["attempts"]), (&json!("completed"), &json!(1)), "{task}");
    assert_eq!(fake.works().len(), 2);
}

#[tokio::test]
async fn whoever_waits_for_what_is_not_begun_any_more_is_told_so_at_once() {
    let mut fake = FakeModel::held(first_word).await;
    let project = project();
    project.write(".crew/config.yaml", "tasks: {workers: 1}\n");
    let server = Server::start(&project, &[], &fake.env());
    let ask = |topic: &str| {
        let body = json!({"args": {"topic": topic}, "sync": true});
        server.send(server.request(reqwest::Method::POST, "/run/employee/writer").json(&body))
    };
    let (first, second) = (ask("tea"), ask("milk"));
    let working = async {
        let answer = first.await;
        (answer.status.as_u16(), answer.json())
    };
    let waiting = async {
        fake.asked().await;
        let ending = async {
            patiently(async || (server.tasks().await.len() == 2).then_some(())).await;
            server.ask_to_end();
        };
        let (answer, ()) = tokio::join!(second, ending);
        // The first is not done yet: nobody waits for it.
        fake.release(1);
        (answer.status.as_u16(), answer.json())
    };
    let ((done, first), (accepted, second)) = tokio::join!(working, waiting);
    assert_eq!((done, &first["result"]["output"]), (200, &json!("[tea]")), "{first}");
    assert_eq!((accepted, &second["status"]), (202, &json!("pending")), "{second}");
    assert_eq!(server.wait(), Some(0));

    let server = Server::start(&project, &[], &fake.env());
    fake.release(1);
    let task = server.ended(second["task_id"].as_str().unwrap()).await;
    assert_eq!((&task["status"], &task["result"]["output"]), (&json!("completed"), &json!("[milk]")));
}

#[tokio::test]
async fn a_server_that_is_asked_twice_ends_at_once_and_loses_nothing() {
    let mut fake = FakeModel::held(first_word).await;
    let project = project();
    let server = Server::start(&project, &[], &fake.env());
    let id = server.begin_five(&mut fake, 1).await;
    server.ask_to_end();
    patiently(async || server.connect().err()).await;
    assert_eq!(server.terminate(), Some(0));

    let server = Server::start(&project, &[], &fake.env());
    fake.release(100);
    let task = server.ended(&id).await;
    assert_eq!((&task["status"], &task["attempts"]), (&json!("completed"), &json!(2)), "{task}");
    assert_eq!((count(&fake.works(), "one"), count(&fake.works(), "two")), (1, 2));
}

#[tokio::test]
async fn tasks_of_the_python_version_stay_readable() {
    let line = |id: &str, status: &str, rest: &str| {
        format!(
            r#"{{"task_id":"{id}","status":"{status}","trigger":"github","target_type":"employee","target_name":"writer","args":{{"topic":"茶"}},"created_at":"2026-02-11T12:00:00.123456"{rest}}}"#
        )
    };
    let ended = r#","completed_at":"2026-02-11T12:00:09.5","result":"一首诗","error":null,"checkpoint":null,"owner":"kai""#;
    let running = r#","completed_at":null,"result":null,"error":null,"checkpoint":{"completed_steps":[{"output":"half"}]}"#;
    let done = "20260211-120000-11111111";
    let cut = "20260211-120000-22222222";
    let lines = [line(done, "pending", ""), line(done, "completed", ended), line(cut, "running", running)];
    let project = Project::small("echo");
    project.write(".crew/tasks.jsonl", &format!("{}\n", lines.join("\n")));

    let server = Server::start(&project, &[], &[]);
    let task = server.get(&format!("/tasks/{done}")).await.status(200);
    assert_eq!((&task["status"], &task["result"]), (&json!("completed"), &json!("一首诗")));
    assert_eq!(
        (&task["trigger"], &task["target_type"], &task["args"]["topic"]),
        (&json!("github"), &json!("employee"), &json!("茶"))
    );
    let task = server.get(&format!("/tasks/{cut}")).await.status(200);
    assert_eq!(task["status"], "failed");
    assert!(task["error"].as_str().unwrap().contains("start it again"), "{task}");
    assert!(task["result"].to_string().contains("half"), "{task}");
    assert_eq!(server.tasks().await.len(), 2);
    server.kill();

    let server = Server::start(&project, &[], &[]);
    assert_eq!(server.get(&format!("/tasks/{cut}")).await.status(200), task);
}

#[tokio::test]
async fn a_pipeline_that_was_edited_in_between_is_not_continued() {
    let mut fake = FakeModel::held(first_word).await;
    let project = project();
    let server = Server::start(&project, &[], &fake.env());
    let id = server.begin_five(&mut fake, 1).await;
    server.kill();
    project.write(".crew/pipelines/five.yaml", &FIVE.replace("two after", "two before"));

    let server = Server::start(&project, &[], &fake.env());
    let task = server.ended(&id).await;
    assert_eq!(task["status"], "failed");
    let error = task["error"].as_str().unwrap();
    assert!(error.contains("`five` was changed while this run was interrupted"), "{error}");
    assert_eq!(task["steps"][0]["output"]["output"], "[one]", "what was finished can still be read");
    assert_eq!(fake.works().len(), 2);
}

#[tokio::test]
async fn a_comment_in_a_pipeline_changes_nothing() {
    let mut fake = FakeModel::held(first_word).await;
    let project = project();
    let server = Server::start(&project, &[], &fake.env());
    let id = server.begin_five(&mut fake, 0).await;
    server.kill();
    project.write(".crew/pipelines/five.yaml", &format!("# five steps\n\n{FIVE}"));

    let server = Server::start(&project, &[], &fake.env());
    fake.release(100);
    let task = server.ended(&id).await;
    assert_eq!(task["status"], "completed", "{task}");
}

#[tokio::test]
async fn a_failed_step_ends_the_run_and_keeps_what_was_reached() {
    let failing = |prompt: &str| if work(prompt).starts_with("two") { Err(400) } else { first_word(prompt) };
    let fake = FakeModel::answering(failing).await;
    let project = project();
    let server = Server::start(&project, &[], &fake.env());
    let body = json!({"args": {"topic": "tea"}, "sync": true});
    let task = server.post("/run/pipeline/five", &body).await.status(502);
    assert_eq!(task["status"], "failed");
    assert!(task["error"].as_str().unwrap().starts_with("step 1 (`two`) failed: "), "{task}");
    let steps = task["result"]["steps"].as_array().unwrap();
    assert_eq!(steps.len(), 2, "{task}");
    assert_eq!((&steps[0]["output"], &steps[0]["error"]), (&json!("[one]"), &json!(false)));
    assert_eq!((&steps[1]["output"], &steps[1]["error"]), (&json!(""), &json!(true)));
    assert!(steps[1]["error_message"].as_str().unwrap().contains("400"), "{task}");
    assert_eq!(fake.works(), ["one of tea", "two after [one]"]);
}

#[tokio::test]
async fn without_fail_fast_the_run_goes_on() {
    let failing = |prompt: &str| if work(prompt).starts_with("two") { Err(400) } else { first_word(prompt) };
    let fake = FakeModel::answering(failing).await;
    let project = project();
    project.write(".crew/pipelines/five.yaml", &format!("fail_fast: false\n{FIVE}"));
    let server = Server::start(&project, &[], &fake.env());
    let body = json!({"args": {"topic": "tea"}, "sync": true});
    let task = server.post("/run/pipeline/five", &body).await.status(200);
    let steps = task["result"]["steps"].as_array().unwrap();
    let failed: Vec<_> = steps.iter().map(|step| step["error"].as_bool().unwrap()).collect();
    assert_eq!(failed, [false, true, true, false, false], "{task}");
    assert!(
        steps[2]["error_message"].as_str().unwrap().contains("failed"),
        "three needs what two gave: {task}"
    );
    assert_eq!(fake.works(), ["one of tea", "two after [one]", "four after [one]", "five after [four]"]);
}

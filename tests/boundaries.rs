//! A process that dies at any moment leaves its journal as it was after some line. Wherever that is, the run goes on
//! there, does what is left, and nothing of what is recorded.

use serde_json::{Value, json};

use crate::support::{FakeModel, Project, Server, work};

/// All that a pipeline can have: a way taken, a loop that goes round twice, a group, and a question.
const ALL: &str = "
steps:
  - {id: plan, employee: writer, args: {topic: 'plan $topic'}}
  - condition:
      check: '{prev}'
      contains: plan
      then: [{id: good, employee: writer, args: {topic: 'good {prev}'}}]
      else: [{id: bad, employee: writer, args: {topic: 'bad {prev}'}}]
  - loop:
      steps: [{id: turn, employee: checker, args: {text: 'turn {prev}'}}]
      until: {check: '{prev}', contains: enough}
      max_iterations: 5
  - parallel:
      - {id: left, employee: writer, args: {topic: 'left {prev}'}}
      - {id: right, employee: checker, args: {text: 'right {prev}'}}
  - {id: ship, employee: writer, approval: 'Ship it?', args: {topic: 'ship {prev}'}}
";

#[expect(clippy::unnecessary_wraps, reason = "the form of an answer")]
fn answer(prompt: &str) -> Result<String, u16> {
    let given = work(prompt);
    let word = given.split(' ').next().unwrap();
    Ok(if given.starts_with("turn [turn]") { "[enough]".to_owned() } else { format!("[{word}]") })
}

/// Sees the task through, approving of what it asks.
async fn finish(server: &Server, id: &str) -> Value {
    let task = server.ended(id).await;
    if task["status"] != "awaiting_approval" {
        return task;
    }
    server.post(&format!("/tasks/{id}/approve"), &json!({})).await.status(200);
    server.ended(id).await
}

/// What the steps in these lines were told to work on.
fn recorded(lines: &[&str]) -> Vec<String> {
    let told = |line: &&str| -> Option<String> {
        let event: Value = serde_json::from_str(line).unwrap();
        let args = event["output"]["args"].as_object()?;
        Some(args.values().next()?.as_str()?.to_owned())
    };
    lines.iter().filter_map(told).collect()
}

fn sorted(mut works: Vec<String>) -> Vec<String> {
    works.sort();
    works
}

#[tokio::test]
async fn wherever_the_journal_ends_the_run_goes_on_there() {
    let fake = FakeModel::answering(answer).await;
    let project = Project::small("claude-test");
    project.write(".crew/pipelines/all.yaml", ALL);
    let server = Server::start(&project, &[], &fake.env());
    let id = server.accepted("/run/pipeline/all", &json!({"args": {"topic": "tea"}})).await;
    let whole = finish(&server, &id).await;
    assert_eq!(whole["status"], "completed", "{whole}");
    server.kill();
    let all = fake.works();
    assert_eq!(all.len(), 7, "{all:?}");
    assert_eq!(all[6], "ship [left]\n\n---\n\n[right]");
    let journal = project.read(".crew/tasks.jsonl");
    let lines: Vec<_> = journal.lines().collect();
    assert!(lines.len() > 14, "steps, decisions, a question, the end: {journal}");
    let outputs = |task: &Value| -> Vec<String> {
        let flat = |item: &Value| item.as_array().cloned().unwrap_or_else(|| vec![item.clone()]);
        let runs = task["result"]["steps"].as_array().unwrap().iter().flat_map(flat);
        runs.map(|run| format!("{} {}", run["step_id"], run["output"])).collect()
    };

    for end in 1..=lines.len() {
        let cut = lines[..end].join("\n") + "\n";
        project.write(".crew/tasks.jsonl", &cut);
        let before = fake.works().len();
        let server = Server::start(&project, &[], &fake.env());
        let task = finish(&server, &id).await;
        server.kill();
        assert_eq!(task["status"], "completed", "cut after line {end}: {task}");
        assert_eq!(outputs(&task), outputs(&whole), "cut after line {end}");
        let done = recorded(&lines[..end]);
        let asked = fake.works().split_off(before);
        let together = sorted(done.iter().cloned().chain(asked).collect());
        assert_eq!(together, sorted(all.clone()), "cut after line {end}: recorded were {done:?}");
    }
}

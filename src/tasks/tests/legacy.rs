use std::fs;

use super::*;
use crate::base::clock;

/// A journal as the Python version leaves it: a finished pipeline with its three lines, one that was running, one that
/// waited long, one that waits for approval, and a damaged line.
const JOURNAL: &str = concat!(
    r#"{"task_id":"20260210-093000-0a1b2c3d","status":"pending","trigger":"github","target_type":"pipeline","target_name":"review-test-pr","args":{"target":"main…dev"},"created_at":"2026-02-10T09:30:00.000001","completed_at":null,"result":null,"error":null,"checkpoint":null}"#,
    "\n",
    r#"{"task_id":"20260210-093000-0a1b2c3d","status":"running","trigger":"github","target_type":"pipeline","target_name":"review-test-pr","args":{"target":"main…dev"},"created_at":"2026-02-10T09:30:00.000001","completed_at":null,"result":null,"error":null,"checkpoint":null}"#,
    "\n",
    r#"{"task_id":"20260210-093000-0a1b2c3d","status":"completed","trigger":"github","target_type":"pipeline","target_name":"review-test-pr","args":{"target":"main…dev"},"created_at":"2026-02-10T09:30:00.000001","completed_at":"2026-02-10T09:31:07.250000","result":{"pipeline":"review-test-pr","steps":[]},"error":null,"checkpoint":{"completed_steps":[]}}"#,
    "\n",
    r#"{"task_id":"20260211-100000-11111111","status":"running","trigger":"cron","target_type":"pipeline","target_name":"nightly","args":{},"created_at":"2026-02-11T10:00:00","completed_at":null,"result":null,"error":null,"checkpoint":{"pipeline_name":"nightly","completed_steps":[{"output":"a"},{"output":"b"}],"next_step_i":2}}"#,
    "\n",
    r#"{"task_id":"20260211-1000"#,
    "\n",
    r#"{"task_id":"20260211-110000-22222222","status":"pending","trigger":"direct","target_type":"employee","target_name":"代码审查员","args":{"target":"x"},"created_at":"2026-02-11T11:00:00","completed_at":null,"result":null,"error":null,"checkpoint":null}"#,
    "\n",
    r#"{"task_id":"20260211-120000-33333333","status":"awaiting_approval","trigger":"delegate_chain","target_type":"chain","target_name":"ship","args":{},"created_at":"2026-02-11T12:00:00","completed_at":null,"result":null,"error":null,"checkpoint":null,"owner":"kai"}"#,
    "\n",
);

fn id(text: &str) -> TaskId {
    text.parse().unwrap()
}

#[tokio::test]
async fn old_tasks_are_history_and_unfinished_ones_are_settled_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tasks.jsonl");
    fs::write(&path, JOURNAL).unwrap();
    let mut bodies = echo();
    bodies.push(does(PIPELINE, |_, _| async { Ok(Value::Null) }));
    let (engine, tracker) = open(options(&path), bodies).await;

    let done = engine.get(&id("20260210-093000-0a1b2c3d")).await.unwrap();
    assert_eq!((done.status, done.kind.as_str()), (Status::Completed, "pipeline.run"));
    assert_eq!(done.result, Some(json!({ "pipeline": "review-test-pr", "steps": [] })));
    assert_eq!((done.args["target"].as_str(), done.trigger.as_str()), ("main…dev", "github"));
    assert_eq!((done.completed_at.unwrap() - done.created_at).get_seconds(), 67);

    let check = async |text: &str, error: &str| {
        let task = engine.get(&id(text)).await.unwrap();
        assert_eq!((task.status, task.error.as_deref()), (Status::Failed, Some(error)));
        task
    };
    let running = check(
        "20260211-100000-11111111",
        "interrupted before the upgrade: it was running, and its 2 finished steps cannot be continued; start it again",
    ).await;
    assert_eq!(running.result.as_ref().unwrap()["checkpoint"]["completed_steps"][1]["output"], "b");
    check(
        "20260211-110000-22222222",
        "interrupted before the upgrade: it had waited for more than a day without being begun; start it again",
    ).await;
    let approval = check(
        "20260211-120000-33333333",
        "interrupted before the upgrade: it was waiting for approval; start it again",
    )
    .await;
    assert_eq!(approval.caller.as_deref(), Some("kai"));
    close(engine, tracker).await;

    let journal = fs::read_to_string(&path).unwrap();
    let added = journal.strip_prefix(JOURNAL).expect("old lines are not touched");
    assert_eq!(added.lines().count(), 3);
    let (engine, tracker) = open(options(&path), echo()).await;
    assert_eq!(engine.counts(), Counts { completed: 1, failed: 3, ..Counts::default() });
    close(engine, tracker).await;
    assert_eq!(fs::read_to_string(&path).unwrap(), journal, "settled once");
}

#[tokio::test]
async fn an_old_task_that_has_just_begun_to_wait_is_done() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tasks.jsonl");
    let just_now = jiff::tz::TimeZone::system().to_datetime(clock::now());
    let line = json!({
        "task_id": "20260211-110000-22222222", "status": "pending", "trigger": "direct", "target_type": "employee",
        "target_name": "a", "args": {}, "created_at": just_now.to_string(), "completed_at": null, "result": null,
        "error": null, "checkpoint": null,
    });
    fs::write(&path, format!("{line}\n")).unwrap();
    let (engine, tracker) = open(options(&path), echo()).await;
    let task = engine.wait(&id("20260211-110000-22222222")).await.unwrap();
    assert_eq!((task.status, task.attempts), (Status::Completed, 1));
    close(engine, tracker).await;
}

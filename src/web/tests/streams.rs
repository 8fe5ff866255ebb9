//! Runs that are told while they work.

use futures_util::{Stream, StreamExt as _};

use super::*;
use crate::{engine::Output, tasks::Options};

const ECHO: &str = "/run/employee/echo-bot";
const ORDER: &str = r#"{"args":{"target":"main"},"stream":true}"#;

/// Says `one two three`, a word for each permit; called `failing-bot` it fails before the last, called `asking-bot` it asks a
/// person before it says anything.
pub(super) async fn speak(
    output: Output,
    words: Arc<Semaphore>,
    task: Arc<Task>,
    steps: Steps,
) -> Result<Value, Failure> {
    if task.target_name == "asking-bot" {
        steps.wait("answer/tool-1.0", "May it?").await?;
    }
    for word in ["one ", "two\n", "三"] {
        words.acquire().await.unwrap().forget();
        if word == "三" && task.target_name == "failing-bot" {
            return Err(Failure::new("no model answered"));
        }
        output.say(word);
    }
    Ok(json!({
        "employee": task.target_name, "output": "one two\n三", "model": "m-1", "input_tokens": 3, "output_tokens": 4,
        "duration_ms": 1,
    }))
}

async fn open(stage: &Stage, path: &str, body: &'static str) -> axum::response::Response {
    stage.ask(request("POST", path, &[BEARER, JSON], body)).await
}

/// The events of a body, as they come in.
fn frames(response: axum::response::Response) -> impl Stream<Item = String> + Unpin {
    Box::pin(
        response
            .into_body()
            .into_data_stream()
            .map(|part| String::from_utf8(part.unwrap().to_vec()).unwrap()),
    )
}

fn id(response: &axum::response::Response) -> tasks::TaskId {
    let location = response.headers()["location"].to_str().unwrap();
    location.strip_prefix("/tasks/").unwrap().parse().unwrap()
}

fn done(id: &tasks::TaskId) -> String {
    format!(
        "event: done\ndata: {{\"employee\":\"echo-bot\",\"model\":\"m-1\",\"input_tokens\":3,\"output_tokens\":4,\"task_id\":\"{id}\"}}\n\n"
    )
}

#[tokio::test]
async fn words_are_told_as_they_come() {
    let stage = Stage::new().await;
    let response = open(&stage, ECHO, ORDER).await;
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-type"], "text/event-stream; charset=utf-8");
    assert_eq!(response.headers()["cache-control"], "no-cache");
    assert_eq!(response.headers()["x-accel-buffering"], "no");
    let id = id(&response);
    let mut frames = frames(response);
    for word in [r"one ", r"two\n", "三"] {
        stage.words.add_permits(1);
        assert_eq!(frames.next().await.unwrap(), format!("data: {{\"token\":\"{word}\"}}\n\n"));
    }
    assert_eq!(frames.next().await.unwrap(), done(&id));
    assert!(frames.next().await.is_none());
    let task = stage.tasks.get(&id).await.unwrap();
    assert_eq!(task.options, *json!({"stream": true}).as_object().unwrap());
    assert_eq!(task.result.as_ref().unwrap()["output"], "one two\n三");
}

#[tokio::test]
async fn a_failure_is_told_after_what_was_said() {
    let stage = Stage::new().await;
    stage.words.add_permits(3);
    let response = open(&stage, "/run/employee/failing-bot", r#"{"stream":true}"#).await;
    let all: Vec<String> = frames(response).collect().await;
    assert_eq!(
        all.last().unwrap(),
        "event: error\ndata: {\"error\":\"no model answered\",\"code\":\"run-failed\"}\n\n"
    );
}

#[tokio::test]
async fn nobody_is_kept_waiting_for_a_person() {
    let stage = Stage::new().await;
    let response = open(&stage, "/run/employee/asking-bot", r#"{"stream":true}"#).await;
    let id = id(&response);
    let all: String = frames(response).collect().await;
    let data = all.strip_prefix("event: waiting\ndata: ").unwrap().trim_end();
    let told: Value = serde_json::from_str(data).unwrap();
    assert_eq!((&told["task_id"], &told["status"]), (&json!(id), &json!("awaiting_approval")));
    let waiting = &told["waiting"][0];
    assert_eq!(
        (&waiting["step"], &waiting["question"]),
        (&json!("approval-answer/tool-1.0"), &json!("May it?"))
    );
    // Whoever reads again once it is decided reads the rest.
    let decision = tasks::Decision { approved: true, comment: None, by: None };
    stage.tasks.decide(&id, None, decision).await.unwrap();
    stage.words.add_permits(3);
    assert_eq!(stage.tasks.wait(&id).await.unwrap().status, tasks::Status::Completed);
}

#[tokio::test]
async fn a_client_that_goes_away_cancels_nothing() {
    let stage = Stage::new().await;
    let response = open(&stage, ECHO, ORDER).await;
    let id = id(&response);
    stage.words.add_permits(1);
    let mut frames = frames(response);
    frames.next().await.unwrap();
    drop(frames);
    stage.words.add_permits(2);
    let task = stage.tasks.wait(&id).await.unwrap();
    assert_eq!(task.status, tasks::Status::Completed);
    assert_eq!(task.result.as_ref().unwrap()["output"], "one two\n三");
}

#[tokio::test]
async fn whoever_asks_again_reads_it_from_the_beginning() {
    let stage = Stage::new().await;
    let headers = [BEARER, JSON, ("idempotency-key", "k")];
    let ask = async || stage.ask(request("POST", ECHO, &headers, ORDER)).await;
    let first = ask().await;
    let (id, mut first) = (id(&first), frames(first));
    stage.words.add_permits(1);
    first.next().await.unwrap();
    let mut second = frames(ask().await);
    assert_eq!(second.next().await.unwrap(), "data: {\"token\":\"one \"}\n\n");
    stage.words.add_permits(2);
    stage.tasks.wait(&id).await.unwrap();
    drop((first, second));
    let whole: String = frames(ask().await).collect().await;
    assert_eq!(whole, format!("data: {{\"token\":\"one two\\n三\"}}\n\n{}", done(&id)));
}

#[tokio::test]
async fn a_cancelled_task_says_so() {
    let stage = Stage::new().await;
    let response = open(&stage, ECHO, ORDER).await;
    stage.tasks.cancel(&id(&response)).await.unwrap();
    let all: String = frames(response).collect().await;
    assert_eq!(all, "event: error\ndata: {\"error\":\"the task was cancelled\",\"code\":\"cancelled\"}\n\n");
}

#[tokio::test]
async fn what_cannot_be_started_is_an_ordinary_problem() {
    let stage = Stage::new().await;
    stage.post("/run/employee/ecko-bot", r#"{"stream":true}"#).await.problem(404, "not-found");
    stage.post(ECHO, r#"{"stream":true}"#).await.problem(422, "invalid-arguments");
}

#[tokio::test(start_paused = true)]
async fn silence_is_filled_with_comments() {
    let stage = Stage::with(Some(TOKEN), None, Options { workers: 0, ..Options::default() }).await;
    let mut frames = frames(open(&stage, ECHO, ORDER).await);
    for _ in 0..3 {
        let before = tokio::time::Instant::now();
        assert_eq!(frames.next().await.unwrap(), ": keep-alive\n\n");
        assert_eq!(before.elapsed().as_secs(), 15);
    }
}

#[tokio::test]
async fn what_there_is_no_room_to_tell_is_not_begun() {
    let stage = Stage::new().await;
    // There are two places on this stage.
    let open = [open(&stage, ECHO, ORDER).await, open(&stage, ECHO, ORDER).await];
    let refused = stage.post(ECHO, ORDER).await;
    assert!(refused.problem(503, "unavailable").contains("streams"));
    assert_eq!(stage.tasks.list(&tasks::Filter::default()).len(), 2);
    drop(open);
    assert_eq!(stage.ask(request("POST", ECHO, &[BEARER, JSON], ORDER)).await.status(), 200);
}

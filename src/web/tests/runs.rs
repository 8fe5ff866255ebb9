//! `/run/…` and `/tasks`.

use futures_util::stream;

use super::*;
use crate::tasks::Options;

const ECHO: &str = "/run/employee/echo-bot";
const TWO_STEP: &str = "/run/pipeline/two-step";

#[tokio::test]
async fn a_run_is_accepted_and_followed() {
    let stage = Stage::with(Some(TOKEN), None, Options { workers: 0, ..Options::default() }).await;
    let answer = stage.post(ECHO, r#"{"args":{"target":"main"},"model":"echo"}"#).await;
    assert_eq!(answer.status, 202);
    let ack = answer.json();
    let id = ack["task_id"].as_str().unwrap().to_owned();
    assert_eq!(ack, json!({"task_id": id, "status": "pending"}));
    assert_eq!(answer.header("location"), format!("/tasks/{id}"));
    let record = stage.get(&format!("/tasks/{id}")).await.json();
    assert_eq!(record["status"], "pending");
    assert_eq!((&record["trigger"], &record["caller"]), (&json!("direct"), &json!("token")));
    assert_eq!((&record["target_type"], &record["target_name"]), (&json!("employee"), &json!("echo-bot")));
    assert_eq!(record["args"], json!({"target": "main"}));
    assert_eq!(record["options"], json!({"model": "echo"}));
}

#[tokio::test]
async fn sync_waits_for_the_end() {
    let stage = Stage::new().await;
    let done = stage.post(ECHO, r#"{"args":{"target":"main"},"sync":true}"#).await;
    assert_eq!(done.status, 200);
    assert_eq!(done.json()["status"], "completed");
    assert_eq!(done.json()["result"], json!({"output": {"target": "main"}}));
    let failed = stage.post("/run/employee/failing-bot", r#"{"sync":true}"#).await;
    assert_eq!(failed.status, 502);
    assert_eq!(failed.json()["status"], "failed");
    assert_eq!(failed.json()["error"], "no model answered");
}

#[tokio::test]
async fn a_client_that_goes_away_cancels_nothing() {
    let stage = Stage::with(Some(TOKEN), None, Options { workers: 0, ..Options::default() }).await;
    let body = r#"{"sync":true,"args":{"target":"x"}}"#;
    let mut waiting = Box::pin(stage.post(ECHO, body));
    while stage.tasks.counts().pending == 0 {
        assert!(futures_util::poll!(waiting.as_mut()).is_pending());
        tokio::task::yield_now().await;
    }
    drop(waiting);
    assert_eq!(stage.tasks.counts().pending, 1);
}

#[tokio::test]
async fn nothing_is_accepted_before_it_fits() {
    let stage = Stage::new().await;
    let text = stage.post("/run/employee/ecko-bot", "{}").await.problem(404, "not-found");
    assert_eq!(text, "employee `ecko-bot` not found; did you mean `echo-bot`?");
    stage.post("/run/employee/%2e%2e%2fetc", "{}").await.problem(404, "not-found");
    stage.post("/run/employee/%E4%BD%A0", "{}").await.problem(404, "not-found");
    stage.post("/run/employee/%ff", "{}").await.problem(400, "invalid-request");
    stage.post("/run/pipeline/echo-bot", "{}").await.problem(404, "not-found");
    let text = stage.post(ECHO, "").await.problem(422, "invalid-arguments");
    assert_eq!(text, "`echo-bot` needs `target`");
    assert_eq!(stage.tasks.list(&tasks::Filter::default()).len(), 0);
}

#[tokio::test]
async fn malformed_bodies_are_told_apart() {
    let stage = Stage::new().await;
    let check = async |body: &[u8], status: u16, code: &str, said: &str| {
        let answer = stage.post(TWO_STEP, body.to_vec()).await;
        let text = answer.problem(status, code);
        assert!(text.contains(said), "{text:?} does not say {said:?}");
    };
    check(b"{\"args\":", 400, "invalid-json", "line 1 column 8").await;
    check(b"not json", 400, "invalid-json", "line 1").await;
    check(b"{}{}", 400, "invalid-json", "trailing").await;
    check(b"{\"args\":{\"a\":\"\xff\"}}", 400, "invalid-json", "line 1").await;
    check("[".repeat(100_000).as_bytes(), 400, "invalid-json", "recursion").await;
    check(b"[]", 400, "invalid-request", "not an array").await;
    check(b"7", 400, "invalid-request", "not a number").await;
    check(b"null", 400, "invalid-request", "not null").await;
    check(br#"{"sync":"false"}"#, 422, "invalid-arguments", "`sync` must be `true` or `false`, not a text")
        .await;
    check(br#"{"sync":1}"#, 422, "invalid-arguments", "`sync`").await;
    check(br#"{"args":[1]}"#, 422, "invalid-arguments", "`args` must be an object, not an array").await;
    check(br#"{"args":{"a":{"b":1}}}"#, 422, "invalid-arguments", "`args.a`").await;
    check(br#"{"args":{"a":[]}}"#, 422, "invalid-arguments", "`args.a`").await;
    check(br#"{"model":7}"#, 422, "invalid-arguments", "`model`").await;
    check(br#"{"model":" "}"#, 422, "invalid-arguments", "`model`").await;
    check(br#"{"arg":{}}"#, 422, "invalid-arguments", "did you mean `args`?").await;
    check(br#"{"stream":true}"#, 422, "invalid-arguments", "only employees can be streamed").await;
    check(br#"{"stream":"yes"}"#, 422, "invalid-arguments", "`stream`").await;
    check(br#"{"agent_id":"../admin?x="}"#, 422, "invalid-arguments", "`agent_id`").await;
    check(br#"{"agent_id":-1}"#, 422, "invalid-arguments", "`agent_id`").await;
    assert_eq!(stage.tasks.counts(), tasks::Counts::default());
}

#[tokio::test]
async fn bodies_of_old_clients_are_taken() {
    let stage = Stage::new().await;
    for body in [
        "",
        " \r\n",
        "{}",
        r#"{"args":null,"sync":null,"model":null,"stream":null,"agent_id":null}"#,
        r#"{"stream":false,"agent_id":3050}"#,
        r#"{"agent_id":"3050"}"#,
    ] {
        assert_eq!(stage.post(TWO_STEP, body).await.status, 202, "{body}");
    }
    let body = r#"{"sync":true,"args":{"n":5,"x":1.50,"yes":true,"text":"审查","none":null}}"#;
    let record = stage.post(TWO_STEP, body).await.json();
    assert_eq!(record["args"], json!({"n": "5", "x": "1.5", "yes": "true", "text": "审查"}));
}

#[tokio::test]
async fn the_declared_type_is_respected() {
    let stage = Stage::new().await;
    let check = async |headers: &[Header], body: &'static str, status: u16| {
        let headers: Vec<Header> = headers.iter().copied().chain([BEARER]).collect();
        let answer = stage.send(request("POST", TWO_STEP, &headers, body)).await;
        assert_eq!(answer.status.as_u16(), status, "{headers:?}");
        if status >= 400 {
            answer.problem(status, "unsupported-media-type");
        }
    };
    check(&[("content-type", "application/json; charset=utf-8")], "{}", 202).await;
    check(&[("content-type", "Application/JSON")], "{}", 202).await;
    check(&[], "{}", 202).await;
    check(&[("content-type", "application/x-www-form-urlencoded")], "", 202).await;
    check(&[("content-type", "application/x-www-form-urlencoded")], "a=1", 415).await;
    check(&[("content-type", "text/plain")], "{}", 415).await;
    check(&[("content-type", "")], "{}", 415).await;
    check(&[JSON, ("content-encoding", "gzip")], "{}", 415).await;
    check(&[JSON, ("content-encoding", "identity")], "{}", 202).await;
}

#[tokio::test]
async fn a_body_has_at_most_one_mebibyte() {
    let stage = Stage::new().await;
    let sized = |size: usize| {
        let frame = r#"{"args":{"a":""}}"#.len();
        format!(r#"{{"args":{{"a":"{}"}}}}"#, "x".repeat(size - frame))
    };
    let chunked = |text: String| {
        let chunks: Vec<_> = text.into_bytes().chunks(65_536).map(<[u8]>::to_vec).collect();
        Body::from_stream(stream::iter(chunks.into_iter().map(Ok::<_, std::io::Error>)))
    };
    assert_eq!(stage.post(TWO_STEP, sized(1_048_576)).await.status, 202);
    assert_eq!(stage.post(TWO_STEP, chunked(sized(1_048_576))).await.status, 202);
    for body in [Body::from(sized(1_048_577)), chunked(sized(1_048_577))] {
        let text = stage.post(TWO_STEP, body).await.problem(413, "too-large");
        assert!(text.contains("request too large"), "{text}");
    }
    let declared = request("POST", TWO_STEP, &[BEARER, JSON, ("content-length", "1048577")], "{}");
    stage.send(declared).await.problem(413, "too-large");
    let broken = stream::iter([Ok("{"), Err(std::io::Error::other("gone"))]);
    stage.post(TWO_STEP, Body::from_stream(broken)).await.problem(400, "invalid-request");
}

#[tokio::test(start_paused = true)]
async fn a_body_that_never_ends_is_given_up() {
    let stage = Stage::new().await;
    let endless = Body::from_stream(stream::pending::<Result<&str, std::io::Error>>());
    stage.post(TWO_STEP, endless).await.problem(408, "request-timeout");
}

#[tokio::test]
async fn a_repeated_key_is_the_same_run() {
    let stage = Stage::new().await;
    let send = async |key: &'static str, body: &'static str| {
        stage.send(request("POST", TWO_STEP, &[BEARER, JSON, ("idempotency-key", key)], body)).await
    };
    let first = send("k-1", r#"{"args":{"a":"1"}}"#).await;
    assert_eq!(first.status, 202);
    let id = first.json()["task_id"].clone();
    let again = send("k-1", r#"{"args":{"a":"1"},"sync":true}"#).await;
    assert_eq!((again.status.as_u16(), &again.json()["task_id"]), (200, &id));
    let again = send("k-1", r#"{"args":{"a":1}}"#).await;
    assert_eq!(again.status, 200);
    assert_eq!(again.json(), json!({"task_id": id, "status": "completed", "duplicate": true}));
    send("k-1", r#"{"args":{"a":"2"}}"#).await.problem(422, "idempotency-key-reused");
    assert_ne!(send("k-2", r#"{"args":{"a":"1"}}"#).await.json()["task_id"], id);
    for key in ["", "a b", "ключ"] {
        send(key, "{}").await.problem(400, "invalid-request");
    }
}

#[tokio::test]
async fn tasks_are_listed_and_found() {
    let stage = Stage::new().await;
    for target in ["a", "b"] {
        stage.post(ECHO, format!(r#"{{"sync":true,"args":{{"target":"{target}"}}}}"#)).await;
    }
    stage.post("/run/employee/failing-bot", r#"{"sync":true}"#).await;
    let count = async |query: &str| {
        stage.get(&format!("/tasks{query}")).await.json()["tasks"].as_array().unwrap().len()
    };
    assert_eq!(count("").await, 3);
    assert_eq!(count("?status=failed").await, 1);
    assert_eq!(count("?target=echo-bot&limit=1").await, 1);
    assert_eq!(stage.get("/tasks?limit=1").await.json()["tasks"][0]["target_name"], "failing-bot");
    for query in ["?limit=0", "?limit=201", "?limit=x", "?status=done", "?nope=1"] {
        stage.get(&format!("/tasks{query}")).await.problem(422, "invalid-arguments");
    }
    for id in ["nope", "20261122-191757-b435a12b", "%ff", "a%20b", "..%2f..%2fetc"] {
        let text = stage.get(&format!("/tasks/{id}")).await.problem(404, "not-found");
        assert_eq!(text, "task not found");
    }
}

#[tokio::test]
async fn a_repeated_request_replays_once() {
    let stage = Stage::new().await;
    let done = stage.post(ECHO, r#"{"args":{"target":"main"},"sync":true}"#).await.json();
    let id = done["task_id"].as_str().unwrap();
    let again = async |what: &str, body: &'static str| {
        let path = format!("/tasks/{id}/{what}");
        stage.send(request("POST", &path, &[BEARER, JSON, ("idempotency-key", "k")], body)).await
    };
    let first = again("replay", "").await;
    let second = again("replay", "{}").await;
    assert_eq!((first.status.as_u16(), second.status.as_u16()), (202, 200));
    assert_eq!(first.json()["task_id"], second.json()["task_id"]);
    again("fork", r#"{"step":"0:a","args":{"target":"other"}}"#).await.problem(422, "idempotency-key-reused");
}

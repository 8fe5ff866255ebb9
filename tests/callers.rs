//! What whoever calls over HTTP is told, and what is never left out without a word.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Project, Receiver, Server};

#[tokio::test]
async fn a_webhook_takes_what_a_run_takes_and_says_what_it_does_not() {
    let mut receiver = Receiver::with_statuses(&[200]).await;
    let project = Project::small("echo");
    project.write(
        ".crew/config.yaml",
        &format!(
            "outbound: {{allow: [127.0.0.1]}}\ndestinations:\n  ops: {{type: webhook, url: '{}/ops'}}\n",
            receiver.url
        ),
    );
    project.write(
        ".crew/discussions/talk.yaml",
        "name: talk\ntopic: Tea\nparticipants: [{employee: ann}, {employee: bob}]\nrounds: 1\n",
    );
    for name in ["ann", "bob"] {
        let text = format!("---\nname: {name}\ndescription: Talks\nmodel: echo\n---\n\nI am {name}.\n");
        project.write(&format!(".crew/employees/{name}.md"), &text);
    }
    let server = Server::start(&project, &[], &[]);
    let call = |more: Value| {
        let mut body = json!({"target_name": "writer", "args": {"topic": "tea"}});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    let told = server.post("/webhook/openclaw", &call(json!({"deliver": ["nobody"]}))).await;
    assert!(told.problem(422, "invalid-arguments").contains("nobody"));
    server.post("/webhook/openclaw", &call(json!({"stream": true}))).await.problem(422, "invalid-arguments");
    server
        .post("/webhook/openclaw", &call(json!({"timeout_seconds": 0})))
        .await
        .problem(422, "invalid-arguments");
    let told = server.post("/webhook", &call(json!({"target_type": "skill"}))).await;
    assert!(told.problem(400, "unknown-target-type").contains("`discussion`"));

    let body = call(json!({"deliver": ["ops"], "timeout_seconds": 77}));
    let id = server.accepted("/webhook/openclaw", &body).await;
    receiver.arrival().await;
    assert_eq!(server.ended(&id).await["timeout_seconds"], 77);
    let talk = json!({"target_type": "discussion", "target_name": "talk"});
    let id = server.accepted("/webhook", &talk).await;
    assert_eq!(server.ended(&id).await["target_type"], "discussion");
}

#[tokio::test]
async fn queries_are_answered_in_words_about_queries() {
    let project = Project::small("echo");
    let server = Server::start(&project, &[], &[]);
    for (path, words) in [
        ("/tasks?limit=x", "`limit` must be a number from 1 to 200, not `x`"),
        ("/deliveries?limit=-1", "`limit` must be a number from 1 to 200, not `-1`"),
        ("/api/memory?employee=writer&limit=1.5", "`limit` must be a number from 1 to 1000, not `1.5`"),
        (
            "/api/sessions?type=emploee",
            "`type` must be one of `employee`, `pipeline`, `discussion`, not `emploee`",
        ),
        ("/tasks?stats=failed", "nothing can be asked by `stats`; did you mean `status`?"),
    ] {
        assert_eq!(server.get(path).await.problem(422, "invalid-arguments"), words, "{path}");
    }
    server.get("/tasks?limit=200&status=dead").await.status(200);
    server.get("/api/sessions?type=employee").await.status(200);
}

#[tokio::test]
async fn whoever_brings_the_token_learns_what_is_broken() {
    let project = Project::small("echo");
    project.write(".crew/pipelines/broken.yaml", "name: broken\nsteps: 3\n");
    let server = Server::start(&project, &["--token", "t"], &[]);
    let asked = |token: Option<&str>| {
        let request = server.request(Method::GET, "/readyz");
        match token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    };
    for stranger in [None, Some("x")] {
        let told = server.send(asked(stranger)).await.status(200);
        assert_eq!((&told["status"], told.get("findings")), (&json!("degraded"), None));
    }
    let told = server.send(asked(Some("t"))).await.status(200);
    assert!(told["findings"][0].as_str().unwrap().contains("broken.yaml"), "{told}");
    // Guesses are counted as they are elsewhere.
    for _ in 0..10 {
        server.send(asked(Some("x"))).await.status(200);
    }
    assert_eq!(server.send(asked(Some("t"))).await.status(200).get("findings"), None);
}

#[tokio::test]
async fn what_is_only_begun_is_described_and_read_so() {
    let project = Project::small("echo");
    let server = Server::start(&project, &[], &[]);
    let document = server.get("/openapi.json").await.status(200);
    for path in ["/tasks/{id}/cancel", "/deliveries/{id}/redeliver"] {
        let answers = document["paths"][path]["post"]["responses"].as_object().unwrap();
        assert_eq!(answers.keys().collect::<Vec<_>>(), ["202", "default"], "{path}");
    }
    let takes = &document["paths"]["/webhook/github"]["post"]["requestBody"]["content"];
    assert!(
        takes["application/x-www-form-urlencoded"]["schema"]["properties"]["payload"].is_object(),
        "{takes}"
    );
    let path = "/deliveries/x.0.0/redeliver";
    let garbage = server.request(Method::POST, path).header("content-type", "text/plain").body("garbage{");
    server.send(garbage).await.problem(415, "unsupported-media-type");
    server.post(path, &json!({"force": true})).await.problem(422, "invalid-arguments");
}

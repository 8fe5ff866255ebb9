//! `POST /webhook/github`.

use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};

use super::*;

const PATH: &str = "/webhook/github";
const PUSH: Header = ("x-github-event", "push");
const DELIVERY: Header = ("x-github-delivery", "72d3162e-cc78-11e3-81ab-4c9367dc0958");
const FORM: Header = ("content-type", "application/x-www-form-urlencoded");

async fn stage(routes: Vec<Route>) -> Stage {
    let config =
        webhook::Config { secret: Secret::new(WEBHOOK_SECRET), routes, ..webhook::Config::default() };
    Stage::with(Some(TOKEN), Some(config), tasks::Options { workers: 0, ..tasks::Options::default() }).await
}

/// A delivery that GitHub has signed.
async fn deliver(stage: &Stage, headers: &[Header], body: impl AsRef<[u8]>) -> Answer {
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(WEBHOOK_SECRET.as_bytes()).unwrap();
    mac.update(body.as_ref());
    let signature = format!("sha256={}", hex::encode(mac.finalize().into_bytes()));
    let mut request = request("POST", PATH, headers, body.as_ref().to_vec());
    request.headers_mut().insert("x-hub-signature-256", HeaderValue::from_str(&signature).unwrap());
    stage.send(request).await
}

#[tokio::test]
async fn without_a_secret_every_delivery_is_refused() {
    let unset = webhook::Config { routes: vec![route("*", &[])], ..webhook::Config::default() };
    for config in [None, Some(unset)] {
        let stage = Stage::with(Some(TOKEN), config, tasks::Options::default()).await;
        let answer = deliver(&stage, &[PUSH, DELIVERY], "{}").await;
        assert_eq!(answer.problem(403, "webhook-not-configured"), "webhook secret not configured");
    }
}

#[tokio::test]
async fn an_unsigned_delivery_is_refused_unread() {
    let stage = stage(vec![route("*", &[])]).await;
    for headers in [
        vec![PUSH, DELIVERY, BEARER],
        vec![("x-hub-signature-256", "sha256=00")],
        vec![("x-hub-signature-256", "sha1=00")],
        vec![("x-hub-signature-256", "sha256=подпись")],
    ] {
        let answer = stage.send(request("POST", PATH, &headers, "{")).await;
        assert_eq!(answer.problem(401, "invalid-signature"), "invalid signature");
    }
    let huge = "x".repeat(1_048_577);
    deliver(&stage, &[PUSH, DELIVERY], huge).await.problem(413, "too-large");
    assert_eq!(stage.tasks.counts(), tasks::Counts::default());
}

#[tokio::test]
async fn a_delivery_starts_its_route_once() {
    let args = [
        ("ref", "on {{ref}}"),
        ("list", "{{commits}}"),
        ("first", "{{commits.0.id}}"),
        ("yes", "{{forced}}"),
    ];
    let stage = stage(vec![route("issues", &[]), route("push", &args)]).await;
    let payload = r#"{"ref":"{{forced}} $x","commits":[{"id":1}],"forced":true}"#;
    let first = deliver(&stage, &[PUSH, DELIVERY, JSON], payload).await;
    assert_eq!(first.status, 202);
    let id = first.json()["task_id"].as_str().unwrap().to_owned();
    assert_eq!(first.json(), json!({"task_id": id, "status": "pending"}));
    assert_eq!(first.header("location"), format!("/tasks/{id}"));
    let record = stage.get(&format!("/tasks/{id}")).await.json();
    assert_eq!((&record["trigger"], &record["caller"]), (&json!("github"), &json!("github")));
    assert_eq!(
        record["args"],
        json!({"ref": "on {{forced}} $x", "list": r#"[{"id":1}]"#, "first": "1", "yes": "true"})
    );
    let again = deliver(&stage, &[PUSH, DELIVERY, JSON], payload).await;
    assert_eq!(again.status, 200);
    assert_eq!(again.json(), json!({"task_id": id, "status": "pending", "duplicate": true}));
    let other = ("x-github-delivery", "another");
    assert_ne!(deliver(&stage, &[PUSH, other, JSON], payload).await.json()["task_id"], id);
}

#[tokio::test]
async fn a_form_is_read_too() {
    let stage = stage(vec![route("push", &[("ref", "{{ref}}")])]).await;
    let form = "a=1&payload=%7B%22ref%22%3A%22%E4%B8%BB+x%22%7D";
    let answer = deliver(&stage, &[PUSH, DELIVERY, FORM], form).await;
    assert_eq!(answer.status, 202);
    let id = answer.json()["task_id"].as_str().unwrap().to_owned();
    assert_eq!(stage.get(&format!("/tasks/{id}")).await.json()["args"], json!({"ref": "主 x"}));
}

#[tokio::test]
async fn deliveries_that_start_nothing() {
    let stage = stage(vec![route("issues", &[]), route("*", &[])]).await;
    let ping = deliver(&stage, &[("x-github-event", "ping")], r#"{"zen":"x"}"#).await;
    assert_eq!((ping.status.as_u16(), ping.body.as_slice()), (200, br#"{"message":"pong"}"#.as_slice()));
    let stage = self::stage(vec![route("issues", &[])]).await;
    let answer = deliver(&stage, &[PUSH], "{}").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.body, br#"{"message":"no matching route","event":"push"}"#);
}

#[tokio::test]
async fn signed_nonsense_is_refused_politely() {
    let wants = route("push", &[("a", "{{a.b}} {{c}} {{a.b}}")]);
    let stranger = Route {
        target: Target { kind: TargetKind::Pipeline, name: "two-stp".to_owned(), span: Span::default() },
        ..route("issues", &[])
    };
    let stage = stage(vec![wants, stranger, route("*", &[])]).await;
    let check = async |headers: &[Header], body: &[u8], status: u16, code: &str, said: &str| {
        let text = deliver(&stage, headers, body).await.problem(status, code);
        assert!(text.contains(said), "{text:?} does not say {said:?}");
    };
    let issues = ("x-github-event", "issues");
    let star = ("x-github-event", "star");
    check(&[DELIVERY], b"{}", 400, "invalid-request", "missing X-GitHub-Event header").await;
    check(&[("x-github-event", "событие")], b"{}", 400, "invalid-request", "x-github-event").await;
    check(&[star, DELIVERY], b"", 400, "invalid-json", "line 1").await;
    check(&[star, DELIVERY], b"{\"a\":", 400, "invalid-json", "line 1").await;
    check(&[star, DELIVERY], b"\xff\xfe", 400, "invalid-json", "line 1").await;
    check(&[star, DELIVERY], b"[]", 400, "invalid-request", "not an array").await;
    check(&[star, DELIVERY, FORM], b"other=1", 400, "invalid-request", "`payload`").await;
    check(&[star, DELIVERY, FORM], b"payload=%5B%5D", 400, "invalid-request", "not an array").await;
    check(&[star, DELIVERY, FORM], b"payload=%zz", 400, "invalid-json", "line 1").await;
    check(&[star], b"{}", 400, "invalid-request", "missing X-GitHub-Delivery header").await;
    check(&[star, ("x-github-delivery", "a b")], b"{}", 400, "invalid-request", "x-github-delivery").await;
    check(&[star, DELIVERY, DELIVERY], b"{}", 400, "invalid-request", "x-github-delivery").await;
    check(&[PUSH, DELIVERY], b"{}", 422, "invalid-arguments", "the delivery has no `a.b`, `c`").await;
    check(&[issues, DELIVERY], b"{}", 404, "not-found", "did you mean `two-step`?").await;
    assert_eq!(stage.tasks.counts(), tasks::Counts::default());
}

#[tokio::test]
async fn a_newer_delivery_is_answered_before_the_older_one_has_ended() {
    let stage = stage(vec![Route { supersede: true, ..route("push", &[]) }]).await;
    let payload = r#"{"ref":"refs/heads/main","repository":{"full_name":"octo/repo"}}"#;
    let id = |answer: &Answer| -> tasks::TaskId {
        assert_eq!(answer.status, 202);
        answer.json()["task_id"].as_str().unwrap().parse().unwrap()
    };
    let older = id(&deliver(&stage, &[PUSH, DELIVERY, JSON], payload).await);
    let another = [PUSH, ("x-github-delivery", "another"), JSON];
    let answered = tokio::time::timeout(Duration::from_secs(30), deliver(&stage, &another, payload)).await;
    let newer = id(&answered.expect("the older one takes its time"));
    stage.words.add_permits(1);
    assert_eq!(stage.tasks.wait(&older).await.unwrap().status, tasks::Status::Cancelled);
    assert_eq!(stage.tasks.get(&newer).await.unwrap().status, tasks::Status::Pending);
}

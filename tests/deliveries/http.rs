//! What receivers of each kind get, and where nothing is sent.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use reqwest::Method;
use serde_json::{Value, json};

use super::{HASTE, delivery, is_on_disk, project};
use crate::support::{FakeModel, Project, Receiver, Server, github_signature, patiently, work};

fn digest(key: &[u8], text: &str) -> String {
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(key).unwrap();
    mac.update(text.as_bytes());
    STANDARD.encode(mac.finalize().into_bytes())
}

#[tokio::test]
async fn a_signed_webhook_can_be_verified() {
    let receiver = Receiver::with_statuses(&[]).await;
    let project = project(&receiver, "  - {type: webhook, url: 'URL/hook', secret: '${HOOK_SECRET}'}");
    let secret = format!("whsec_{}", STANDARD.encode("0123456789abcdef"));
    let server = Server::start(&project, &[], &[("HOOK_SECRET", &secret)]);
    let task = server.accepted("/run/pipeline/report", &json!({"args": {"text": "x"}})).await;
    delivery(&server, &task, "delivered").await;
    let got = receiver.received().remove(0);
    let (id, at) = (got.header("webhook-id"), got.header("webhook-timestamp"));
    assert!(!id.contains('.') && id.starts_with(&task), "{id}");
    let expected = format!("v1,{}", digest(b"0123456789abcdef", &format!("{id}.{at}.{}", got.text)));
    assert_eq!(got.header("webhook-signature"), expected);
    assert_eq!(got.header("content-type"), "application/json");
}

#[tokio::test]
async fn a_card_for_feishu_is_signed_and_its_code_counts() {
    let receiver = Receiver::acting(|number, _| {
        let code = [9499, 0, 19021].get(number).copied().unwrap_or(0);
        (200, Vec::new(), json!({"code": code, "msg": "-"}).to_string())
    })
    .await;
    let deliver = "  - {type: feishu, url: '${ROBOT}', secret: '${ROBOT_SECRET}'}";
    let project = project(&receiver, deliver);
    let robot = format!("{}/hook/5a1b", receiver.url);
    let env = [HASTE, ("ROBOT", robot.as_str()), ("ROBOT_SECRET", "s3")];
    let server = Server::start(&project, &[], &env);
    let text = format!("日报 <at id=all></at> {}", "长".repeat(5000));
    let task = server.accepted("/run/pipeline/report", &json!({"args": {"text": text}})).await;
    let sent = delivery(&server, &task, "delivered").await;
    assert_eq!((&sent["attempts"], &sent["target"]), (&json!(2), &json!("${ROBOT}")));
    let card = receiver.received()[1].json();
    let at = card["timestamp"].as_str().unwrap();
    assert_eq!(card["sign"], digest(format!("{at}\ns3").as_bytes(), ""));
    assert_eq!(card["card"]["header"]["template"], "green");
    assert_eq!(card["card"]["header"]["title"]["content"], "【report】已完成");
    let text = card["card"]["elements"][0]["content"].as_str().unwrap();
    assert!(text.contains("&#60;at id=all>") && !text.contains('<'), "nobody is called");
    assert!(text.chars().count() < 4100, "{}", text.chars().count());
    // A signature that does not fit stays so.
    let task = server.accepted("/run/pipeline/report", &json!({"args": {"text": "x"}})).await;
    assert_eq!(delivery(&server, &task, "dead").await["detail"], "code 19021");
    assert!(!is_on_disk(&project, "5a1b"));
}

/// A pipeline none of whose steps was done is no success, though it came to its end; one that was partly done says which.
#[tokio::test]
async fn failed_steps_are_told() {
    let receiver = Receiver::with_statuses(&[]).await;
    let fake =
        FakeModel::answering(
            |prompt| if work(prompt).contains("fine") { Ok("done <b>&".into()) } else { Err(400) },
        )
        .await;
    let project = Project::small("claude-test");
    project.write(".crew/config.yaml", "outbound: {allow: [127.0.0.1]}\n");
    let deliver = format!(
        "deliver: [{{type: webhook, url: '{0}/hook'}}, {{type: slack, url: '{0}/slack'}}]",
        receiver.url
    );
    for (name, second) in [("none", "bad"), ("half", "fine")] {
        project.write(
            &format!(".crew/pipelines/{name}.yaml"),
            &format!("name: {name}\ndescription: x\nfail_fast: false\n{deliver}\nsteps:\n  - {{employee: writer, args: {{topic: bad}}}}\n  - {{id: two, employee: writer, args: {{topic: {second}}}}}\n"),
        );
    }
    let server = Server::start(&project, &[], &fake.env());
    let mut told = Vec::new();
    for name in ["none", "half"] {
        server.accepted(&format!("/run/pipeline/{name}"), &json!({})).await;
        let count = (told.len() + 1) * 2;
        server
            .until("/deliveries?status=delivered", |all| all["deliveries"].as_array().unwrap().len() == count)
            .await;
        told.push(name);
    }
    let got = |name: &str, path: &str| {
        let fits = |got: &crate::support::Received| {
            got.uri == path
                && got.text.contains(&format!("{name} ")) | got.text.contains(&format!("\"{name}\""))
        };
        receiver.received().into_iter().find(fits).unwrap().json()
    };
    let none = got("none", "/hook");
    assert_eq!(none["status"], "failed", "{none}");
    assert!(none["error"].as_str().unwrap().contains("400"), "{none}");
    assert_eq!(got("half", "/hook")["status"], "completed");
    let half = got("half", "/slack")["text"].as_str().unwrap().to_owned();
    assert!(half.contains("*half completed*") && half.contains("done &lt;b&gt;&amp;"), "{half}");
    assert!(
        half.contains("1. ✗ writer (failed)") && half.contains("2. ✓ writer [two] (completed)"),
        "{half}"
    );
}

/// Nobody has allowed this machine, so nothing is sent there.
#[tokio::test]
async fn what_not_everyone_can_reach_is_not_posted_to() {
    let receiver = Receiver::with_statuses(&[]).await;
    let port = receiver.url.rsplit(':').next().unwrap().to_owned();
    let deliver = format!(
        "  - {{type: webhook, url: 'URL/a'}}\n  - {{type: webhook, url: 'http://localhost:{port}/b'}}\n  - {{type: slack, url: '${{OUT}}'}}\n  - {{type: webhook, url: 'http://[::ffff:127.0.0.1]:{port}/c'}}\n  - {{type: webhook, url: 'http://2130706433:{port}/d'}}"
    );
    let project = project(&receiver, &deliver);
    project.write(".crew/config.yaml", "");
    let server = Server::start(&project, &[], &[("OUT", "http://169.254.169.254/latest/meta-data")]);
    let task = server.accepted("/run/pipeline/report", &json!({"args": {"text": "x"}})).await;
    let dead = super::deliveries(&server, &task, |all| {
        all.len() == 5 && all.iter().all(|one| one["status"] == "dead")
    })
    .await;
    for one in &dead {
        assert!(one["detail"].as_str().unwrap().contains("is not asked"), "{one}");
        assert_eq!(one["attempts"], 1);
    }
    assert_eq!(receiver.received().len(), 0);
}

/// The variables of crew itself, and the token of GitHub, are no deliveries' business.
#[tokio::test]
async fn secrets_of_the_program_are_not_sent() {
    let receiver = Receiver::with_statuses(&[]).await;
    for name in ["CREW_API_TOKEN", "GITHUB_TOKEN", "SMTP_PASS", "UNSET"] {
        let deliver = format!("  - {{type: webhook, url: 'URL/a', headers: {{X-A: '${{{name}}}'}}}}");
        let project = project(&receiver, &deliver);
        let env = [("GITHUB_TOKEN", "g"), ("SMTP_PASS", "p"), ("CREW_API_TOKEN", "t")];
        let run = ["pipeline", "run", "report", "--arg", "text=x", "--execute"];
        let finished = project.run_in(&env, run);
        assert!(
            finished.stderr.contains(&format!("the variable {name} is not set for deliveries")),
            "{finished:?}"
        );
        finished.success();
    }
    assert_eq!(receiver.received().len(), 0);
}

const ROUTE: &str = "
github_secret: ${SECRET}
routes:
  - event: pull_request
    target: {type: employee, name: worker, args: {text: '{{pull_request.title}}'}}
    deliver:
      - review
  - event: issues
    target: {type: employee, name: worker, args: {text: '{{issue.title}}'}}
    deliver:
      - {type: github-comment, repository: '{{repository.full_name}}', number: '{{issue.number}}', only: completed}
";

#[tokio::test]
async fn a_comment_goes_where_the_event_came_from_and_only_once() {
    // The second attempt finds what the first has left.
    let github = Receiver::acting(|number, got| match (number, got.method.as_str()) {
        (0, _) => (502, Vec::new(), String::new()),
        (1, "GET") => (200, Vec::new(), "[]".to_owned()),
        (2, _) => (504, Vec::new(), String::new()),
        (3, "GET") => (
            200,
            Vec::new(),
            json!([{"body": "x"}, {"body": format!("y <!-- crew:delivery {} -->", "?")}]).to_string(),
        ),
        (4, _) => (201, Vec::new(), json!({"id": 1}).to_string()),
        _ => (403, vec![("x-ratelimit-remaining", "0".to_owned())], String::new()),
    })
    .await;
    let project = project(&github, "  - ops");
    project.write(
        ".crew/config.yaml",
        "outbound: {allow: [127.0.0.1]}\ndestinations:\n  review: {type: github-comment}\n",
    );
    project.write(".crew/webhook.yaml", ROUTE);
    let env =
        [HASTE, ("SECRET", "s"), ("GITHUB_TOKEN", "ghp-secret-1"), ("GITHUB_API_URL", github.url.as_str())];
    let server = Server::start(&project, &[], &env);
    let post = async |event: &str, id: &str, body: Value| {
        let body = body.to_string();
        let request = server
            .request(Method::POST, "/webhook/github")
            .header("x-github-event", event)
            .header("x-github-delivery", id)
            .header("x-hub-signature-256", github_signature("s", body.as_bytes()))
            .body(body);
        server.send(request).await.status(202)["task_id"].as_str().unwrap().to_owned()
    };
    let pull = json!({"repository": {"full_name": "octo/repo"}, "pull_request": {"number": 7, "title": "ping @octocat"}});
    let task = post("pull_request", "1", pull).await;
    let sent = delivery(&server, &task, "delivered").await;
    assert_eq!((&sent["type"], &sent["target"]), (&json!("github-comment"), &json!("octo/repo#7")));
    assert_eq!((&sent["attempts"], &sent["detail"]), (&json!(3), &json!("commented on octo/repo#7")));
    let got = github.received();
    assert!(got.iter().all(|one| one.header("authorization") == "Bearer ghp-secret-1"));
    assert!(
        got[1].uri.starts_with("/repos/octo/repo/issues/7/comments?per_page=100&since="),
        "{}",
        got[1].uri
    );
    let body = got[4].json()["body"].as_str().unwrap().to_owned();
    assert!(body.contains("@<span></span>octocat") && !body.contains(" @octocat"), "{body}");
    assert!(body.contains(&format!("<!-- crew:delivery {task}.0 -->")), "{body}");
    // What comes in is data: no number leads to another path.
    let evil =
        json!({"repository": {"full_name": "octo/../../user"}, "issue": {"number": "7/../8", "title": "x"}});
    let dead = delivery(&server, &post("issues", "2", evil).await, "dead").await;
    assert!(dead["detail"].as_str().unwrap().contains("is no repository"), "{dead}");
    let evil = json!({"repository": {"full_name": "octo/repo"}, "issue": {"number": "7/../8", "title": "x"}});
    let dead = delivery(&server, &post("issues", "3", evil).await, "dead").await;
    assert!(dead["detail"].as_str().unwrap().contains("`7/../8` is no number of an issue"), "{dead}");
    assert_eq!(github.received().len(), 5);
    assert!(!is_on_disk(&project, "ghp-secret-1"));
}

#[tokio::test]
async fn a_caller_names_destinations_and_nothing_else() {
    let receiver = Receiver::with_statuses(&[]).await;
    let project = project(&receiver, "  - hook");
    let config = "outbound: {allow: [127.0.0.1]}\ndestinations:\n  hook: {type: webhook, url: 'URL/x'}\n";
    project.write(".crew/config.yaml", &config.replace("URL", &receiver.url));
    let server = Server::start(&project, &[], &[]);
    let task =
        server.accepted("/run/employee/worker", &json!({"args": {"text": "x"}, "deliver": ["hook"]})).await;
    assert_eq!(delivery(&server, &task, "delivered").await["type"], "webhook");
    let told = server.post("/run/employee/worker", &json!({"deliver": ["hok"]})).await;
    let told = told.problem(422, "invalid-arguments");
    assert_eq!(told, "`.crew/config.yaml` has no destination `hok`; did you mean `hook`?");
    for deliver in [json!("hook"), json!([{"type": "webhook", "url": "http://127.0.0.1"}]), json!([1])] {
        server
            .post("/run/employee/worker", &json!({"deliver": deliver}))
            .await
            .problem(422, "invalid-arguments");
    }
    // The pipeline names it too, and it is told once.
    let task =
        server.accepted("/run/pipeline/report", &json!({"args": {"text": "x"}, "deliver": ["hook"]})).await;
    delivery(&server, &task, "delivered").await;
    assert_eq!(receiver.received().len(), 2);
}

/// A corrected address is used by what waits; a delivery that was taken out of its file is not made.
#[tokio::test]
async fn what_is_sent_follows_the_files() {
    let receiver = Receiver::with_statuses(&[]).await;
    let project = project(&receiver, "  - {type: webhook, url: 'http://127.0.0.1:9/typo'}");
    let server = Server::start(&project, &[], &[("CREW_DELIVERY__ATTEMPTS", "1")]);
    let task = server.accepted("/run/pipeline/report", &json!({"args": {"text": "x"}})).await;
    let dead = delivery(&server, &task, "dead").await;
    let again = format!("/deliveries/{}/redeliver", dead["id"].as_str().unwrap());
    let file = project.read(".crew/pipelines/report.yaml");
    project.write(".crew/pipelines/report.yaml", &file.replace("http://127.0.0.1:9", &receiver.url));
    // A changed file is noticed a little later.
    patiently(async || {
        server.post(&again, &json!({})).await;
        (!receiver.received().is_empty()).then_some(())
    })
    .await;
    delivery(&server, &task, "delivered").await;
    let gone = file
        .lines()
        .filter(|line| !line.contains("webhook") && !line.contains("deliver"))
        .collect::<Vec<_>>();
    project.write(".crew/pipelines/report.yaml", &gone.join("\n"));
    patiently(async || {
        server.post(&again, &json!({})).await;
        let listed = server.get("/deliveries?status=dead").await.status(200);
        (listed["deliveries"][0]["detail"] == "no definition describes it any more").then_some(())
    })
    .await;
}

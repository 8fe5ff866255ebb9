//! `doctor`: each row of the production checklist, on a real project.

use axum::{Router, routing::get};
use serde_json::Value;

use crate::support::{FakeModel, MailServer, Project, Server, Tls, WRONG_KEY, served::Served};

fn rows(project: &Project, env: &[(&str, &str)], words: &[&str]) -> (Option<i32>, Vec<Value>) {
    let ended = project.run_in(env, [&["doctor", "--json"], words].concat());
    let report: Value =
        serde_json::from_str(&ended.stdout).unwrap_or_else(|error| panic!("{error}: {ended:?}"));
    (ended.code, report["rows"].as_array().unwrap().clone())
}

#[track_caller]
fn row<'r>(rows: &'r [Value], id: &str) -> &'r Value {
    rows.iter().find(|row| row["id"] == id).unwrap_or_else(|| panic!("no row `{id}`: {rows:?}"))
}

/// A row stands like that, and says so.
#[track_caller]
fn check(rows: &[Value], id: &str, verdict: &str, says: &str) {
    let row = row(rows, id);
    assert_eq!(row["verdict"], verdict, "{row}");
    assert!(row["found"].as_str().unwrap().contains(says), "{row}");
    assert_eq!(row.get("fix").is_some(), ["FAIL", "WARN"].contains(&verdict), "{row}");
}

#[test]
fn what_is_wrong_is_found_and_told_how_to_mend() {
    let project = Project::small("claude-test");
    project.write(
        ".crew/webhook.yaml",
        "github_secret: ${HOOK_SECRET}\nroutes:\n  - event: push\n    target: {type: employee, name: writer, args: {topic: x}}\n",
    );
    let wrong = [("CREW_API_TOKEN", "short"), ("SMTP_HOST", "mail.example.com"), ("SMTP_PORT", "abc")];
    let before = project.tree();
    let (code, found) = rows(&project, &wrong, &[]);
    assert_eq!(code, Some(1));
    for (id, verdict, says) in [
        ("models", "FAIL", "ANTHROPIC_API_KEY"),
        ("api-token", "WARN", "fewer than 16 bytes"),
        ("cors", "SKIP", "no pages"),
        ("mail", "FAIL", "`abc`; a port is"),
        ("proxy", "SKIP", "none is trusted"),
        ("alerts", "SKIP", "no rules"),
        ("providers", "SKIP", "no provider that could be asked"),
        ("token-issuer", "SKIP", "not told"),
        ("github-webhook", "FAIL", "HOOK_SECRET is not set"),
        ("tasks", "SKIP", "no task"),
        ("health", "SKIP", "--online"),
    ] {
        check(&found, id, verdict, says);
    }
    assert_eq!(project.tree(), before, "looking leaves nothing behind");
    assert!(!format!("{found:?}").contains("short\""), "no secret is told");
}

#[tokio::test]
async fn a_deployment_that_works_passes_while_it_is_served() {
    let project = Project::sample();
    let token = "0123456789abcdef0123456789abcdef";
    let env = [("CREW_API_TOKEN", token), ("GITHUB_WEBHOOK_SECRET", "It's a Secret to Everybody")];
    let server = Server::start(&project, &[], &env);
    let url = server.url.clone();
    let (code, found) = rows(&project, &env, &["--online", "--url", &url]);
    assert_eq!(code, Some(0), "{found:?}");
    for id in [
        "models",
        "api-token",
        "github-webhook",
        "definitions",
        "tasks",
        "backup",
        "health",
        "metrics",
        "cron-status",
    ] {
        assert_eq!(row(&found, id)["verdict"], "PASS", "{}", row(&found, id));
    }
    assert!(row(&found, "tasks")["found"].as_str().unwrap().contains("a server keeps them"));
    server.kill();
    let (code, found) = rows(&project, &env, &["--online", "--url", &url]);
    assert_eq!((code, &row(&found, "health")["verdict"]), (Some(1), &"FAIL".into()));
    let table = project.run_in(&env, ["doctor"]).success();
    assert!(table.contains("PASS") && table.contains("api-token"), "{table}");
}

/// What a server would stumble over only when it is needed, or not start with.
#[test]
fn what_is_needed_later_is_looked_at_now() {
    let project = Project::small("echo");
    let mail = [("SMTP_HOST", "mail.example.com"), ("SMTP_FROM", "crew@example.com")];
    for (row_id, env, verdict, says) in [
        ("mail", ("SMTP_PORT", "2525"), "PASS", "port 2525"),
        ("mail", ("SMTP_TLS", "maybe"), "FAIL", "SMTP_TLS is `maybe`"),
        ("mail", ("SMTP_CA_FILE", "/nowhere/ca.pem"), "FAIL", "/nowhere/ca.pem"),
        ("token-issuer", ("CREW_AUTH_ISSUER", "https://id.example.com"), "FAIL", "CREW_PUBLIC_URL"),
    ] {
        let (_, found) = rows(&project, &[&mail[..], &[env]].concat(), &[]);
        let row = row(&found, row_id);
        assert_eq!(row["verdict"], verdict, "{row}");
        assert!(row["found"].as_str().unwrap().contains(says), "{row}");
    }
    // Nothing was opened before that was found out.
    let before = project.tree();
    let issuer = [("CREW_AUTH_ISSUER", "https://id.example.com")];
    let told = project.run_in(&issuer, ["serve", "--port", "0"]).status(1);
    assert!(told.contains("CREW_AUTH_ISSUER: it is set; set CREW_PUBLIC_URL too"), "{told}");
    assert_eq!(project.tree(), before);
}

/// Tokens come from where `serve` has them; one that is not known here is no fault of the server.
#[tokio::test]
async fn a_server_is_asked_with_the_tokens_it_is_given() {
    let project = Project::small("echo");
    let long = "0123456789abcdef0123456789abcdef";
    let token = project.write("token", &format!("{long}\n")).display().to_string();
    let named =
        project.write("tokens.yaml", "tokens: [{name: ops, scopes: [read], token: '${OPS_TOKEN}'}]\n");
    let hashed = project.write(
        "hashed.yaml",
        &format!("tokens: [{{name: ops, scopes: [read], sha256: {}}}]\n", sha256(long)),
    );
    let (named, hashed) = (named.display().to_string(), hashed.display().to_string());
    let ops = ("OPS_TOKEN", long);
    for (words, env, verdict, says) in [
        (["--token-file", token.as_str()], vec![], "PASS", "answered 200"),
        (["--tokens-file", named.as_str()], vec![ops], "PASS", "answered 200"),
        (["--tokens-file", hashed.as_str()], vec![], "SKIP", "none is known here"),
    ] {
        let server = Server::start(&project, &words, &env);
        let online = ["--online", "--url", server.url.as_str()];
        let (code, found) = rows(&project, &env, &[&words[..], &online].concat());
        assert_eq!(code, Some(0), "{words:?}: {found:?}");
        check(&found, "api-token", "PASS", "callers need a token");
        check(&found, "health", "PASS", "answered 200");
        check(&found, "metrics", verdict, says);
        check(&found, "cron-status", verdict, says);
    }
    // The same by the environment, and without a word of it.
    let server = Server::start(&project, &["--token-file", &token], &[]);
    let online = ["--online", "--url", server.url.as_str()];
    let (_, found) = rows(&project, &[], &online);
    check(&found, "metrics", "SKIP", "none is known here");
    let (code, found) =
        rows(&project, &[("CREW_TOKENS_FILE", named.as_str()), ("OPS_TOKEN", "other")], &online);
    check(&found, "metrics", "FAIL", "it wants another token (401)");
    assert_eq!(code, Some(1));
    let (_, found) = rows(&project, &[], &["--token-file", "/nowhere/token"]);
    check(&found, "api-token", "FAIL", "/nowhere/token");
}

fn sha256(text: &str) -> String {
    use sha2::Digest as _;
    hex::encode(sha2::Sha256::digest(text))
}

#[tokio::test]
async fn an_answer_of_health_is_these_bytes_and_no_others() {
    let project = Project::small("echo");
    let healthy = r#"{"status":"ok","service":"crew-webhook"}"#;
    for (answer, verdict) in [(healthy.to_owned(), "PASS"), (format!("{healthy}\n"), "FAIL")] {
        let served = Served::start(Router::new().route("/health", get(async move || answer))).await;
        let (_, found) = rows(&project, &[], &["--online", "--url", &served.url]);
        check(&found, "health", verdict, "answered 200");
    }
}

/// Also the superuser may not write there, so that it does not matter who runs the tests.
#[cfg(target_os = "linux")]
#[test]
fn a_place_where_no_task_can_be_kept_is_told() {
    let project = Project::empty();
    std::os::unix::fs::symlink("/proc/self/ns", project.path().join(".crew")).unwrap();
    let (code, found) = rows(&project, &[], &[]);
    check(&found, "tasks", "FAIL", "no task can be kept");
    assert_eq!(code, Some(1));
    let empty = Project::empty();
    let (_, found) = rows(&empty, &[], &[]);
    check(&found, "tasks", "SKIP", "no task was kept yet");
    assert!(empty.tree().is_empty(), "{:?}", empty.tree());
}

#[test]
fn each_row_looks_for_its_own_file() {
    let project = Project::small("echo");
    project.write(".crew/webhook.yaml", "routes: [{evnt: push}]\n");
    let (_, found) = rows(&project, &[], &[]);
    check(&found, "github-webhook", "FAIL", "it cannot be used");
    check(&found, "cron", "SKIP", "there are no schedules");
    let project = Project::small("echo");
    project.write(".crew/cron.yaml", "schedules: [{nme: x}]\n");
    let (_, found) = rows(&project, &[], &[]);
    check(&found, "github-webhook", "SKIP", "there are no routes");
    check(&found, "cron", "FAIL", ".crew/cron.yaml cannot be used");
}

/// Goes as far as a letter would, and sends none.
#[tokio::test]
async fn the_server_of_mail_is_asked() {
    let project = Project::small("echo");
    let mail = MailServer::refusing(Tls::Start, |number, command| {
        // As some do, it repeats what it was told.
        (number > 0 && command.starts_with("AUTH")).then_some("535 no: mail-pass-9b1f")
    })
    .await;
    let authority = project.write("authority.pem", &mail.certificate).display().to_string();
    let port = mail.port.to_string();
    let env = [
        ("SMTP_HOST", "127.0.0.1"),
        ("SMTP_PORT", port.as_str()),
        ("SMTP_USER", "crew@example.com"),
        ("SMTP_PASS", "mail-pass-9b1f"),
        ("SMTP_TLS", "starttls"),
        ("SMTP_CA_FILE", authority.as_str()),
    ];
    let (_, found) = rows(&project, &env, &[]);
    check(&found, "mail", "PASS", "not asked, --online does");
    assert!(mail.commands().is_empty());
    let online = ["--online", "--url", "http://127.0.0.1:1"];
    let (_, found) = rows(&project, &env, &online);
    check(&found, "mail", "PASS", "it answers and takes the password");
    let (_, found) = rows(&project, &env, &online);
    check(&found, "mail", "FAIL", "it answered 535");
    assert!(!format!("{found:?}").contains("mail-pass-9b1f"), "{found:?}");
    assert!(mail.letters().is_empty() && !mail.commands().iter().any(|said| said.starts_with("MAIL")));
    // The way there is encrypted, or nothing is said.
    let (_, found) = rows(&project, &[&env[..5], &[]].concat(), &online);
    check(&found, "mail", "FAIL", "certificate");
    drop(mail);
    let (_, found) = rows(&project, &env, &online);
    check(&found, "mail", "FAIL", "port");
}

#[tokio::test]
async fn providers_in_use_are_asked_once_each() {
    let fake = FakeModel::answering(|_| Ok(String::new())).await;
    let project = Project::small("claude-test");
    let online = ["--online", "--url", "http://127.0.0.1:1"];
    let (_, found) = rows(&project, &fake.env(), &[]);
    check(&found, "providers", "SKIP", "not asked, --online does");
    assert!(fake.keys().is_empty());
    let (_, found) = rows(&project, &fake.env(), &online);
    check(&found, "providers", "PASS", "answers (200)");
    assert_eq!(fake.keys(), [Some("test-key-anthropic".to_owned())], "two employees, one provider");
    assert!(fake.bodies().is_empty(), "no model was asked");
    let wrong = format!("s3cret-key{WRONG_KEY}");
    let env = [("ANTHROPIC_API_KEY", wrong.as_str()), fake.env()[1]];
    let (code, found) = rows(&project, &env, &online);
    check(&found, "providers", "FAIL", "does not take the key (401): ANTHROPIC_API_KEY");
    assert!(!format!("{found:?}").contains("s3cret-key"), "{found:?}");
    assert_eq!(code, Some(1));
    let (_, found) = rows(&project, &[fake.env()[0], ("ANTHROPIC_BASE_URL", "http://127.0.0.1:1")], &online);
    check(&found, "providers", "FAIL", "no connection to anthropic");
}

#[test]
fn what_others_see_and_who_is_told_have_rows() {
    let project = Project::small("echo");
    project.write(
        ".crew/config.yaml",
        "destinations: {ops: {type: email, to: ops@example.com}}\nalerts: {notify: [ops], p95_seconds: 30}\n",
    );
    let public = ("CREW_PUBLIC_URL", "https://crew.example.com");
    let (_, found) = rows(&project, &[public], &[]);
    check(&found, "alerts", "PASS", "ops is told when p95 of models is over 30 s");
    check(&found, "proxy", "WARN", "https://crew.example.com");
    let (_, found) = rows(&project, &[public, ("CREW_TRUSTED_PROXIES", "127.0.0.1")], &[]);
    check(&found, "proxy", "PASS", "127.0.0.1");
}

#[test]
fn words_for_logs_that_mean_nothing_are_told() {
    let project = Project::small("echo");
    for slip in ["debgu", "crew=debgu", "warn,inof"] {
        let told = project.run_in(&[("CREW_LOG", slip)], ["list"]);
        assert!(told.stderr.contains("CREW_LOG cannot be read"), "{slip}: {}", told.stderr);
    }
    let told = project.run_in(&[("CREW_LOG_FORMAT", "jsno")], ["list"]);
    assert!(told.stderr.contains("CREW_LOG_FORMAT is `jsno`"), "{}", told.stderr);
    let told =
        project.run_in(&[("CREW_LOG", "warn,crew=debug,crew::llm"), ("CREW_LOG_FORMAT", "text")], ["list"]);
    assert!(!told.stderr.contains("CREW_LOG"), "{}", told.stderr);
}

//! `doctor`: each row of the production checklist, on a real project.

use serde_json::Value;

use crate::support::{Project, Server};

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
        ("token-issuer", "SKIP", "not told"),
        ("github-webhook", "FAIL", "HOOK_SECRET is not set"),
        ("tasks", "SKIP", "no task"),
        ("health", "SKIP", "--online"),
    ] {
        let row = row(&found, id);
        assert_eq!(row["verdict"], verdict, "{row}");
        assert!(row["found"].as_str().unwrap().contains(says), "{row}");
        assert_eq!(row.get("fix").is_some(), ["FAIL", "WARN"].contains(&verdict), "{row}");
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

//! `config show`: every setting as it is in force, and who said so.

use serde_json::Value;

use crate::support::Project;

const FILE: &str = "\
default_model: from-file
fallback_model: other
serve: {rate_limit_per_minute: 5, max_body_bytes: 4096, cors_origins: ['https://file.example']}
tasks: {workers: 3}
providers: {own: {base_url: 'http://me:s3cret@127.0.0.1:1/v1', api_key: '${OWN_KEY}', models: [own-]}}
";

#[track_caller]
fn check(rows: &[Value], key: &str, value: &str, from: &str) {
    let row = rows.iter().find(|row| row["key"] == key).unwrap_or_else(|| panic!("no `{key}`"));
    let name = row["name"].as_str().or(row["from"].as_str());
    assert_eq!((row["value"].as_str(), name), (Some(value), Some(from)), "{key}");
}

#[test]
fn options_go_before_the_environment_and_that_before_the_file() {
    let project = Project::empty();
    project.write(".crew/config.yaml", FILE);
    let env = [
        ("CREW_DEFAULT_MODEL", "from-env"),
        ("CREW_MAX_BODY_BYTES", "8192"),
        ("CREW_API_TOKEN", "token-s3cret"),
        ("OWN_KEY", "key-s3cret"),
        ("SMTP_PASS", "mail-s3cret"),
    ];
    let before = project.tree();
    let shown = project.run_in(&env, ["config", "show", "--json", "--rate-limit", "7"]).success();
    assert_eq!(project.tree(), before, "looking leaves nothing behind");
    assert!(!shown.contains("s3cret"), "{shown}");
    let rows: Vec<Value> = serde_json::from_str(&shown).unwrap();
    for (key, value, from) in [
        ("default_model", "from-env", "CREW_DEFAULT_MODEL"),
        ("fallback_model", "other", "file"),
        ("serve.rate_limit_per_minute", "7", "--rate-limit"),
        ("serve.max_body_bytes", "8192", "CREW_MAX_BODY_BYTES"),
        ("serve.cors_origins", "https://file.example", "file"),
        ("serve.max_requests", "512", "default"),
        ("tasks.workers", "3", "file"),
        ("api_token", "set", "CREW_API_TOKEN"),
        ("smtp.pass", "set", "SMTP_PASS"),
        ("providers.own.base_url", "http://127.0.0.1:1/v1", "file"),
        ("providers.own.api_key", "set", "OWN_KEY"),
        ("providers.anthropic.base_url", "https://api.anthropic.com", "default"),
    ] {
        check(&rows, key, value, from);
    }
    let shown = Project::empty().run(["config", "show", "--json"]).success();
    let rows: Vec<Value> = serde_json::from_str(&shown).unwrap();
    check(&rows, "default_model", "claude-sonnet-4-5", "default");
    let table = project.run_in(&env, ["config", "show"]).success();
    assert!(table.lines().next().unwrap().starts_with("SETTING"), "{table}");
    assert!(!table.contains("s3cret"), "{table}");
}

#[test]
fn what_keeps_a_server_from_starting_is_told_with_its_place() {
    let project = Project::empty();
    project.write(".crew/config.yaml", "serve:\n  max_body_bytes: 12\nalerts: {notify: [opps]}\ndestinations: {ops: {type: email, to: a@b.c}}\n");
    let told = project.run(["config", "show"]).status(1);
    assert!(told.contains("config.yaml:2:19") && told.contains("from 1024"), "{told}");
    assert!(
        told.contains("there is no destination `opps`") && told.contains("did you mean `ops`?"),
        "{told}"
    );
    project.write(".crew/config.yaml", "");
    let wrong = [("CREW_MAX_REQUESTS", "many")];
    let told = project.run_in(&wrong, ["config", "show"]).status(1);
    assert!(told.contains("CREW_MAX_REQUESTS: `many` is no number from 1 to 100000"), "{told}");
}

//! A6.6: skills that are used by themselves.

use std::fs;

use serde_json::json;

use crate::{
    skills::{is_brought, project, skill, skills},
    support::FakeModel,
};

/// A6.6.1: what a checklist, a file or a document brought was computed and thrown away, and only two handlers of HTTP used
/// skills at all.
#[tokio::test(flavor = "multi_thread")]
async fn a6_01_all_that_is_brought_is_told_when_work_is_handed_on() {
    let model = FakeModel::acting(|body| {
        let is_bob = body["system"].as_str().unwrap().contains("Work.");
        let is_first = body["messages"].as_array().unwrap().len() == 1;
        let handed = json!({"employee": "林锐", "task": "限流"});
        if is_bob && is_first {
            json!([{"type": "tool_use", "id": "1", "name": "delegate", "input": handed}])
        } else {
            json!([{"type": "text", "text": "done"}])
        }
    })
    .await;
    model.release(100);
    let project = project("claude-test");
    project.write(
        ".crew/employees/bob.md",
        "---\nname: bob\ndescription: Works\nmodel: claude-test\ntools: [delegate]\n---\n\nWork.\n",
    );
    project.run_in(&model.env(), ["run", "bob", "-x", "--no-stream"]).success();
    let prompts = model.prompts();
    is_brought(prompts.iter().find(|prompt| prompt.contains("Review ")).unwrap());
}

/// A6.6.2: names of employees and skills were paths, and led out of the store; so did the files they named.
#[cfg(unix)]
#[test]
fn a6_02_nothing_leads_out() {
    let project = project("echo");
    project.write("secret/key.md", "TOP-SECRET\n");
    project.write(".env", "TOP-SECRET\n");
    let outside = project.path().join("secret");
    std::os::unix::fs::symlink(&outside, project.path().join("docs/link")).unwrap();
    std::os::unix::fs::symlink(&outside, project.path().join(".crew/wiki/link")).unwrap();
    let actions = [
        "{type: read_file, params: {path: docs/link/key.md}}",
        "{type: read_wiki, params: {doc: link/key}}",
        "{type: load_checklist, params: {file: key.md}}",
    ];
    for (number, action) in actions.iter().enumerate() {
        let text = format!(
            "name: ../../esc-{number}\ntrigger: {{type: always}}\nmetadata: {{priority: critical}}\nactions: [{action}]\n"
        );
        skill(&project, &format!("reviewer/{number}.yaml"), &text);
    }
    std::os::unix::fs::symlink(outside.join("key.md"), project.path().join(".crew/skills/reviewer/key.md"))
        .unwrap();
    let tried = skills(&project, &["test", "reviewer", "x"]);
    assert!(!tried.to_string().contains("TOP-SECRET"), "{tried}");
    for number in 0..3 {
        let problem = tried["skills"][number]["problems"][0].as_str().unwrap();
        assert!(problem.contains("link"), "{tried}");
    }
    for path in [".env", "../x.md", "/etc/passwd", "private/x.md", "docs/../.env"] {
        skill(
            &project,
            "reviewer/bad.yaml",
            &format!("trigger: {{type: always}}\nactions: [{{type: read_file, params: {{path: {path}}}}}]\n"),
        );
        let said = project.run(["check"]);
        said.status(1);
    }
    fs::remove_dir_all(project.path().join(".crew/skills/reviewer")).unwrap();
    // A folder that leads elsewhere is no folder of skills.
    project.write("elsewhere/x.yaml", "trigger: {type: always}\nactions: [{type: query_memory}]\n");
    std::os::unix::fs::symlink(project.path().join("elsewhere"), project.path().join(".crew/skills/bob"))
        .unwrap();
    assert_eq!(skills(&project, &["list", "bob"]), json!([]));
}

/// A6.6.3: the more keywords, the lower the score, so that a skill fell behind for knowing more words.
#[test]
fn a6_03_a_word_more_takes_nothing_away() {
    let project = project("echo");
    let with = |name: &str, keywords: &str| {
        let text = format!(
            "trigger: {{type: keyword, keywords: [{keywords}]}}\nactions: [{{type: load_checklist, params: {{items: [x]}}}}]\n"
        );
        skill(&project, &format!("reviewer/{name}.yaml"), &text);
    };
    with("few", "cache");
    with("many", "cache, redis, memcached, 缓存, ttl");
    let tried = skills(&project, &["test", "reviewer", "the cache and its TTL"]);
    let score = |name: &str| {
        let all = tried["skills"].as_array().unwrap();
        all.iter().find(|skill| skill["name"] == name).unwrap()["score"].as_f64().unwrap()
    };
    assert!(score("many") > score("few") && score("few") > 0.0, "{tried}");
}

/// A6.6.4: an action `custom` always failed, and with it the whole skill; unknown values were kept as they came.
#[test]
fn a6_04_what_does_nothing_is_told_and_the_rest_is_done() {
    let project = project("echo");
    skill(
        &project,
        "reviewer/old.json",
        "{\"skill_id\": \"skill_0123456789ab\", \"name\": \"old\", \"trigger\": {\"type\": \"always\"}, \"actions\": [{\"type\": \"custom\", \"params\": {\"x\": 1}}, {\"type\": \"load_checklist\", \"params\": {\"items\": [\"still done\"]}}]}",
    );
    let said = project.run(["check"]);
    assert!(said.stderr.contains("idle-action"), "{}", said.stderr);
    said.status(0);
    let tried = skills(&project, &["test", "reviewer", "x"]);
    assert!(tried["section"].as_str().unwrap().contains("- [ ] still done"), "{tried}");
    skill(
        &project,
        "reviewer/old.json",
        "{\"trigger\": {\"type\": \"always\"}, \"actions\": [{\"type\": \"query_memory\", \"params\": {\"limit\": -1}}]}",
    );
    project.run(["check"]).status(1);
}

//! Where discussions are held from, and what is told and kept of them.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{ALL, call, execute, model, plain, project, speech};
use crate::support::{Project, Server};

#[tokio::test]
async fn what_was_held_is_kept_listed_and_shown() {
    let fake = model(plain).await;
    let project = project(&format!("topic: tea\nrounds: 1\n{ALL}"));
    let fake = Arc::new(fake);
    // Two processes write to one list.
    let meetings: Vec<Value> = std::thread::scope(|scope| {
        let run = || scope.spawn(|| execute(&project, &fake, &[]));
        let all: Vec<_> = (0..3).map(|_| run()).collect();
        all.into_iter().map(|one| one.join().unwrap()).collect()
    });
    let list = project.run(["discuss", "history", "--json"]).success();
    let list: Vec<Value> = serde_json::from_str(&list).unwrap();
    let ids = |list: &[Value]| -> std::collections::BTreeSet<String> {
        list.iter().map(|one| one["meeting_id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!((list.len(), ids(&list)), (3, ids(&meetings)));
    let line: Value =
        serde_json::from_str(project.read(".crew/meetings/index.jsonl").lines().next().unwrap()).unwrap();
    let keys: Vec<_> = line.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(
        keys,
        [
            "meeting_id",
            "name",
            "topic",
            "participants",
            "mode",
            "rounds",
            "output_format",
            "started_at",
            "args"
        ]
    );
    let id = meetings[0]["meeting_id"].as_str().unwrap();
    let text = project.run(["discuss", "view", id]).success();
    assert!(text.contains("> SPEECH-ann-1") && text.trim_end().ends_with("PUT TOGETHER"), "{text}");
    let shown: Value =
        serde_json::from_str(&project.run(["discuss", "view", id, "--json"]).success()).unwrap();
    assert_eq!(shown["recorded"], meetings[0]);
    let told = project.run(["discuss", "view", "../../etc"]).status(1);
    assert!(told.contains("not found"), "{told}");
    assert_eq!(project.run(["discuss", "history", "--keyword", "coffee", "--json"]).success().trim(), "[]");
}

#[tokio::test]
async fn a_chinese_discussion_is_held_in_chinese() {
    let fake = model(|call| match call.who.as_str() {
        "" => "结论：用茶".to_owned(),
        who => {
            speech(&format!("我是{who}，我认为应该用茶。"), &json!({"position": "用茶", "claims": ["茶好"]}))
        }
    })
    .await;
    let project = Project::empty();
    for name in ["审查员", "测试员"] {
        let text = format!(
            "---\nname: {0}\ndescription: 负责讨论\nmodel: claude-test\n{1}---\n\n你好。\n",
            if name == "审查员" { "reviewer" } else { "tester" },
            format_args!("display_name: {name}\ntriggers: [{name}]\n")
        );
        project.write(&format!(".crew/employees/{name}.md"), &text);
    }
    let words = ["discuss", "adhoc", "-e", "审查员,测试员", "-t", "要不要用茶", "--execute"];
    let text = project.run_in(&fake.env(), words).success();
    assert!(text.contains("结论：用茶") && text.contains("reviewer"), "{text}");
    let bodies = fake.bodies();
    let first = call(&bodies[0]);
    assert_eq!((first.who.as_str(), first.round), ("审查员", 1));
    assert!(first.message.contains("表态") && !first.message.contains("Ballot"), "{}", first.message);
    let line = project.read(".crew/meetings/index.jsonl");
    assert!(line.contains("adhoc-审查员-测试员"), "{line}");
}

#[tokio::test]
async fn every_surface_holds_discussions() {
    let fake = model(plain).await;
    let project = project(&format!("topic: $what\nrounds: 1\n{ALL}"));
    project.write(
        ".crew/cron.yaml",
        "schedules:\n  - {name: weekly, cron: '0 9 * * MON', target_type: discussion, target_name: d, args: {what: tea}}\n",
    );
    project.write(
        ".crew/webhook.yaml",
        "github_secret: ${GITHUB_WEBHOOK_SECRET}\nroutes:\n  - {event: push, target: {type: discussion, name: dd}}\n",
    );
    let found = project.run(["check"]).status(1);
    assert!(
        found.contains("there is no usable discussion `dd`") && found.contains("did you mean `d`?"),
        "{found}"
    );
    let server = Server::start(&project, &[], &fake.env());
    let reply = server.post("/run/discussion/d", &json!({"args": {"what": "tea"}, "sync": true})).await;
    let task = reply.status(200);
    assert_eq!(
        (&task["target_type"], &task["result"]["synthesis"]),
        (&json!("discussion"), &json!("PUT TOGETHER"))
    );
    assert!(
        server
            .post("/run/discussion/d", &json!({}))
            .await
            .problem(422, "invalid-arguments")
            .contains("`what`")
    );
    assert!(
        server
            .post("/run/discussion/dd", &json!({}))
            .await
            .problem(404, "not-found")
            .contains("did you mean")
    );
    let args = json!({"employees": ["ann", "bob"], "topic": "tea", "rounds": 1, "execute": true});
    let called = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": {"name": "run_discussion", "arguments": args,
        "_meta": {"io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {},
                  "io.modelcontextprotocol/clientInfo": {"name": "t", "version": "1"}}}});
    let request = server
        .request(reqwest::Method::POST, "/mcp")
        .header("accept", "application/json, text/event-stream")
        .header("mcp-protocol-version", "2026-07-28")
        .header("mcp-method", "tools/call")
        .header("mcp-name", "run_discussion")
        .json(&called);
    let answer = server.send(request).await;
    assert!(answer.text.contains("PUT TOGETHER") && answer.text.contains("completed"), "{}", answer.text);
}

#[tokio::test]
async fn what_is_known_to_fail_is_not_begun() {
    let fake = model(plain).await;
    let project = project("topic: $what\nparticipants: [{employee: ann}, {employee: ann}]\n");
    let run =
        |words: &[&str]| project.run_in(&fake.env(), [&["discuss", "run", "d", "--execute"], words].concat());
    assert!(run(&[]).status(2).contains("`what`"));
    assert!(run(&["--arg", "what=x"]).status(2).contains("takes part twice"));
    let without_key = project.run(["discuss", "adhoc", "-e", "ann,bob", "-t", "x", "--execute"]);
    assert!(without_key.status(1).contains("ANTHROPIC_API_KEY"));
    assert!(fake.bodies().is_empty());
}

#[tokio::test]
async fn what_is_said_in_chinese_stands_in_columns() {
    let fake = model(|call| match (call.who.as_str(), call.round) {
        ("", _) => "结论：用茶".to_owned(),
        (_, 1) => speech("先提方案。", &json!({"proposals": ["用茶", "Use coffee（咖啡）"]})),
        (who, _) => {
            let choice = if who == "审查员" { "for" } else { "against" };
            let votes =
                json!({"votes": [{"option": "O1", "choice": choice}, {"option": "O2", "choice": "for"}]});
            speech("投票。", &votes)
        }
    })
    .await;
    let project = Project::empty();
    for (name, display) in [("shen-cha", "审查员"), ("qa", "测试员")] {
        let text = format!(
            "---\nname: {name}\ndisplay_name: {display}\ndescription: 负责讨论\nmodel: claude-test\n---\n\n你好。\n"
        );
        project.write(&format!(".crew/employees/{name}.md"), &text);
    }
    project.write(
        ".crew/discussions/喝什么.yaml",
        "topic: 要不要用茶\nrounds: [{name: 提方案, interaction: brainstorm}, {name: 表决, interaction: vote}]\nparticipants: [{employee: shen-cha}, {employee: qa}]\n",
    );
    let text = project.run_in(&fake.env(), ["discuss", "run", "喝什么", "--execute"]).success();
    let (said, tables) = text.split_once("PARTICIPANT").unwrap();
    assert!(
        said.contains("1. 提方案\n")
            && said.ends_with(
                "喝什么\n────────────────────────────────────────────────────────────\n\n结论：用茶\n\n"
            ),
        "{said}"
    );
    // A Chinese character is as wide as two others.
    insta::assert_snapshot!(format!("PARTICIPANT{tables}"), @r"
    PARTICIPANT  ROUND  AGREED  OBJECTED  AGREEMENT  NOT MET
    shen-cha     1      0       0         -
    qa           1      0       0         -
    shen-cha     2      0       0         -
    qa           2      0       0         -

    OPTION                 FOR  AGAINST  ABSTAINED  OUTCOME
    O1 用茶                1    1        0          tied
    O2 Use coffee（咖啡）  2    0        0          carried
    ");
}

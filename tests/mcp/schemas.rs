//! Every message crew sends is what the official schema of the revision says it may be: over every transport, in all
//! five revisions, good answers and bad ones.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::{
    conversation::{Conversation, REVISIONS},
    wording::Wording,
};
use crate::support::Project;

/// Enough employees that their prompts and resources fill more than one page.
const CROWD: usize = 205;

/// The sample, and a crowd.
fn project() -> Project {
    let project = Project::sample();
    for number in 0..CROWD {
        let name = format!("extra-{number}");
        let text = format!("---\nname: {name}\ndescription: One of many\nmodel: echo\n---\n\nWork.\n");
        project.write(&format!(".crew/employees/{name}.md"), &text);
    }
    project
}

/// What holds messages against a schema, and counts what it has seen.
struct Judge {
    wording: Wording,
    tasks: Wording,
    seen: Vec<String>,
}

impl Judge {
    fn of(revision: &str) -> Self {
        Self { wording: Wording::of(revision), tasks: Wording::of("ext-tasks"), seen: Vec::new() }
    }

    /// All that was said to a request of `method`; gives the result, if that is how it ended.
    #[track_caller]
    fn judge(&mut self, method: &str, said: &[Value]) -> Option<Value> {
        let (answer, before) = said.split_last().unwrap_or_else(|| panic!("no answer to `{method}`"));
        for notification in before {
            self.notification(notification);
        }
        if let Some(result) = answer.get("result") {
            self.wording.check("JSONRPCMessage", answer);
            self.result(method, result);
            return Some(result.clone());
        }
        self.error(answer);
        None
    }

    #[track_caller]
    fn notification(&mut self, message: &Value) {
        self.wording.check("JSONRPCMessage", message);
        let method = message["method"].as_str().unwrap();
        let definition = match method {
            "notifications/progress" => "ProgressNotification",
            "notifications/message" => "LoggingMessageNotification",
            _ => panic!("nothing else is sent before an answer: {message}"),
        };
        self.wording.check(definition, message);
        self.seen.push(method.to_owned());
    }

    #[track_caller]
    fn result(&mut self, method: &str, result: &Value) {
        if result["resultType"] == "task" {
            self.tasks.check("CreateTaskResult", result);
            self.seen.push("task".to_owned());
            return;
        }
        let definition = match method {
            "initialize" => "InitializeResult",
            "server/discover" => "DiscoverResult",
            "ping" | "logging/setLevel" | "resources/subscribe" | "resources/unsubscribe" => "EmptyResult",
            "tools/list" => "ListToolsResult",
            "tools/call" => "CallToolResult",
            "prompts/list" => "ListPromptsResult",
            "prompts/get" => "GetPromptResult",
            "resources/list" => "ListResourcesResult",
            "resources/templates/list" => "ListResourceTemplatesResult",
            "resources/read" => "ReadResourceResult",
            "completion/complete" => "CompleteResult",
            _ => panic!("no definition for the result of `{method}`"),
        };
        self.wording.check(definition, result);
        self.seen.push(method.to_owned());
    }

    #[track_caller]
    fn error(&mut self, answer: &Value) {
        let names = ["JSONRPCErrorResponse", "JSONRPCError"];
        let definition = names.into_iter().find(|name| self.wording.defines(name)).unwrap();
        if answer.get("id") == Some(&Value::Null) && definition == "JSONRPCError" {
            // Where an id cannot be read, JSON-RPC wants `null`; the older schemas know no such id.
            let mut answer = answer.clone();
            answer["id"] = json!(0);
            self.wording.check(definition, &answer);
        } else {
            self.wording.check("JSONRPCMessage", answer);
            self.wording.check(definition, answer);
        }
        let code = answer["error"]["code"].as_i64().unwrap();
        let own = match code {
            -32020 => Some("HeaderMismatchError"),
            -32021 => Some("MissingRequiredClientCapabilityError"),
            -32022 => Some("UnsupportedProtocolVersionError"),
            _ => None,
        };
        if let Some(own) = own {
            self.wording.check(own, answer);
        }
        self.seen.push(code.to_string());
    }
}

/// Walks a list to its end; gives how many pages it has, and all that is on them.
async fn walk(talk: &mut Conversation, judge: &mut Judge, method: &str, member: &str) -> (usize, Vec<Value>) {
    let (mut cursor, mut items) = (json!({}), Vec::new());
    for page in 1..100 {
        let said = talk.ask(method, cursor).await;
        let result = judge.judge(method, &said).unwrap();
        items.extend(result[member].as_array().unwrap().iter().cloned());
        match result.get("nextCursor") {
            None => return (page, items),
            Some(next) => cursor = json!({"cursor": next}),
        }
    }
    panic!("`{method}` has no end");
}

/// Calls every tool, well and badly.
async fn call_tools(talk: &mut Conversation, judge: &mut Judge, tools: &[Value]) {
    for tool in tools {
        let name = tool["name"].as_str().unwrap();
        let arguments = match name {
            "get_employee" => json!({"name": "code-reviewer"}),
            "run_employee" => json!({"name": "code-reviewer", "args": {"target": "x"}, "execute": true}),
            "run_pipeline" => json!({"name": "full-review", "args": {"target": "x"}, "execute": true}),
            "get_task" => json!({"id": "none"}),
            _ => json!({}),
        };
        for arguments in [arguments, json!({"no such": "argument"})] {
            let params = json!({"name": name, "arguments": arguments, "_meta": {"progressToken": name}});
            let said = talk.ask("tools/call", params).await;
            judge.judge("tools/call", &said);
        }
    }
}

/// What is asked beside lists and tools: method, parameters.
fn others() -> Vec<(&'static str, Value)> {
    let reference = json!({"type": "ref/prompt", "name": "code-reviewer"});
    let argument = json!({"name": "target", "value": ""});
    vec![
        ("prompts/get", json!({"name": "code-reviewer", "arguments": {"target": "x"}})),
        ("prompts/get", json!({"name": "nobody"})),
        ("prompts/get", json!({"name": "code-reviewer", "arguments": 7})),
        ("resources/read", json!({"uri": "crew://employee/code-reviewer"})),
        ("resources/read", json!({"uri": "crew://nowhere"})),
        ("completion/complete", json!({"ref": reference, "argument": argument})),
        ("completion/complete", json!({"ref": {"type": "ref/none"}})),
        ("tools/call", json!({"name": "no such tool"})),
        ("tools/call", json!({"name": "list_employees", "arguments": []})),
        ("tools/list", json!({"cursor": "nonsense"})),
        ("no/such/method", json!({})),
    ]
}

/// What is no message, or none that may stand there.
const BROKEN: [&str; 5] = [
    "{",
    "7",
    r#"{"jsonrpc":"2.0","id":1.5,"method":"ping"}"#,
    r#"{"jsonrpc":"2.0","id":"a","method":7}"#,
    r#"{"jsonrpc":"1.0","id":"a","method":"ping"}"#,
];

/// Asks for all there is; gives what was seen.
async fn everything(talk: &mut Conversation) -> Vec<String> {
    let mut judge = Judge::of(talk.revision);
    let said = talk.open().await;
    let opening = if talk.is_modern() { "server/discover" } else { "initialize" };
    judge.judge(opening, &said);
    let (_, tools) = walk(talk, &mut judge, "tools/list", "tools").await;
    call_tools(talk, &mut judge, &tools).await;
    for (method, member) in [("prompts/list", "prompts"), ("resources/list", "resources")] {
        let (pages, items) = walk(talk, &mut judge, method, member).await;
        assert!(pages > 1 && items.len() > CROWD, "{method}: {pages} pages, {} items", items.len());
    }
    walk(talk, &mut judge, "resources/templates/list", "resourceTemplates").await;
    for (method, params) in others() {
        let said = talk.ask(method, params).await;
        judge.judge(method, &said);
    }
    for text in BROKEN {
        let said = talk.send_text(text, true).await;
        judge.judge("nothing", &said);
    }
    for said in only_here(talk).await {
        judge.judge(said.0, &said.1);
    }
    judge.seen
}

/// What one era alone has.
async fn only_here(talk: &mut Conversation) -> Vec<(&'static str, Vec<Value>)> {
    if !talk.is_modern() {
        let level = json!({"level": "debug"});
        return vec![
            ("ping", talk.ask("ping", json!({})).await),
            ("logging/setLevel", talk.ask("logging/setLevel", level).await),
            ("logging/setLevel", talk.ask("logging/setLevel", json!({"level": "loud"})).await),
        ];
    }
    let mut unknown = talk.request("tools/list", json!({}));
    unknown["params"]["_meta"]["io.modelcontextprotocol/protocolVersion"] = json!("v999");
    let mut bare = talk.request("tools/list", json!({}));
    bare["params"]["_meta"]
        .as_object_mut()
        .unwrap()
        .shift_remove("io.modelcontextprotocol/clientCapabilities");
    vec![
        ("ping", talk.ask("ping", json!({})).await),
        ("tools/list", talk.send(&unknown).await),
        ("tools/list", talk.send(&bare).await),
    ]
}

/// Talks in every revision, and says what was seen where.
async fn in_all_revisions(open: impl Fn(&Project, &'static str) -> Conversation) {
    in_revisions(&REVISIONS, open).await;
}

async fn in_revisions(revisions: &[&'static str], open: impl Fn(&Project, &'static str) -> Conversation) {
    let project = project();
    let mut seen = String::new();
    for &revision in revisions {
        let mut kinds = everything(&mut open(&project, revision)).await;
        kinds.sort();
        kinds.dedup();
        let _ = writeln!(seen, "{revision}: {}", kinds.join(" "));
        let expected =
            ["notifications/progress", "tools/call", "prompts/get", "resources/read", "-32601", "-32602"];
        for kind in expected {
            assert!(kinds.iter().any(|seen| seen == kind), "{revision}: no {kind} among {kinds:?}");
        }
    }
    let _ = std::io::Write::write_all(&mut std::io::stderr(), format!("{seen}\n").as_bytes());
}

#[tokio::test]
async fn messages_over_stdio_fit_the_schemas() {
    in_all_revisions(Conversation::over_stdio).await;
}

#[tokio::test]
async fn messages_over_http_fit_the_schemas() {
    in_all_revisions(Conversation::over_http).await;
}

#[tokio::test]
async fn messages_over_sse_fit_the_schemas() {
    // The newest revision has no such transport.
    let older = REVISIONS.split_last().unwrap().1;
    in_revisions(older, Conversation::over_sse).await;
}

use std::{collections::BTreeMap, time::Duration};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::*;
use crate::{
    mcp::testing,
    protocol::{
        Implementation, Server,
        era::{self, Peek},
        methods::Method,
        prompt::{Message, Role},
        resource::Body,
    },
    tools::Tool as _,
};

/// Ends as its argument says.
struct EndAs;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Args {
    kind: String,
}

#[derive(Serialize, JsonSchema)]
struct Done {
    kind: String,
}

impl tools::Tool for EndAs {
    type Args = Args;
    type Output = Done;

    const NAME: &'static str = "end_as";
    const TITLE: &'static str = "End as told";
    const SUMMARY: &'static str = "Ends as told.";
    const ANNOTATIONS: tools::Annotations = tools::Annotations::READS;

    async fn call(&self, ctx: Ctx, args: Args) -> Result<Done, tools::Error> {
        ctx.report(tools::Progress { done: 1, total: Some(2), message: args.kind.clone() });
        match &*args.kind {
            "caller" => Ok(Done { kind: ctx.caller().name().to_owned() }),
            "missing" => Err(tools::Error::not_found("employee", "bot", ["bob"])),
            "busy" => Err(tools::Error::Unavailable {
                message: "busy".into(),
                retry_after: Some(Duration::from_secs(2)),
            }),
            _ => Err(tools::Error::Failed("it broke".into())),
        }
    }

    fn text(output: &Done) -> Option<String> {
        Some(format!("ended as {}", output.kind))
    }
}

struct Shelf;

impl Library for Shelf {
    fn prompts(&self) -> BoxFuture<'_, Arc<[Prompt]>> {
        Box::pin(async { Arc::from([Prompt { name: "bob".into(), ..Prompt::default() }]) })
    }

    fn get_prompt<'a>(
        &'a self,
        name: &'a str,
        arguments: Arguments,
    ) -> BoxFuture<'a, Result<Filled, tools::Error>> {
        Box::pin(async move {
            if name != "bob" {
                return Err(tools::Error::not_found("prompt", name, ["bob"]));
            }
            let content = Content::text(format!("{arguments:?}"));
            Ok(Filled { description: None, messages: vec![Message { role: Role::User, content }] })
        })
    }

    fn resources(&self) -> BoxFuture<'_, Arc<[Resource]>> {
        let only = Resource { uri: "crew://a".into(), name: "a".into(), ..Resource::default() };
        Box::pin(async { Arc::from([only]) })
    }

    fn resource_templates(&self) -> Arc<[Template]> {
        Arc::default()
    }

    fn read<'a>(&'a self, uri: &'a str) -> BoxFuture<'a, Result<Vec<Contents>, tools::Error>> {
        Box::pin(async move {
            match uri {
                "crew://a" => {
                    Ok(vec![Contents { uri: uri.into(), mime_type: None, body: Body::Text("A".into()) }])
                }
                "crew://locked" => Err(tools::Error::Denied("not yours".into())),
                _ => Err(tools::Error::not_found("resource", uri, [])),
            }
        })
    }
}

/// Asks a crew, in the modern era; the answer is a result or an error.
async fn ask(method: &str, params: Value) -> Result<Value, Error> {
    let mut registry = Registry::new();
    registry.add(EndAs);
    let info = Info {
        implementation: Implementation {
            name: "crew".into(),
            version: "0".into(),
            ..Implementation::default()
        },
        instructions: None,
    };
    let server = Server::new(Arc::new(Crew::new(info, Arc::new(registry), Arc::new(Shelf))));
    let request = testing::modern("1", method, &params);
    let request: BTreeMap<&str, &RawValue> = serde_json::from_str(&request).unwrap();
    let peek = Peek::of(Some(request["params"]));
    let admitted = era::admit(method, &peek, None, |_| None).unwrap();
    let outbox = Arc::new(crate::mcp::outbox::Outbox::default());
    let context = Context::modern(
        crate::protocol::envelope::Id::parse("1").unwrap(),
        &admitted,
        &peek,
        "ann".into(),
        outbox,
    );
    let method = Method::find(method).unwrap();
    let answer = method.answer(&server, Some(request["params"].get()), &context).await?;
    Ok(serde_json::from_str(answer.get()).unwrap())
}

#[tokio::test]
async fn tools_are_listed_as_they_are_registered() {
    let listed = ask("tools/list", json!({})).await.unwrap();
    let tool = &listed["tools"][0];
    assert_eq!(tool["name"], EndAs::NAME);
    assert_eq!(tool["title"], "End as told");
    assert_eq!(tool["annotations"]["readOnlyHint"], true);
    assert_eq!(tool["inputSchema"]["additionalProperties"], false);
    assert_eq!(tool["outputSchema"]["type"], "object");
}

#[tokio::test]
async fn outcomes_are_results() {
    async fn check(arguments: Value, is_error: bool, text: &str, structured: Value) {
        let params = json!({"name": "end_as", "arguments": arguments});
        let result = ask("tools/call", params).await.unwrap();
        assert_eq!(result["isError"], is_error, "{result}");
        assert_eq!(result["content"][0]["text"], text);
        assert_eq!(result["structuredContent"], structured);
    }
    check(json!({"kind": "caller"}), false, "ended as ann", json!({"kind": "ann"})).await;
    let text = "employee `bot` not found; did you mean `bob`?";
    check(json!({"kind": "missing"}), true, text, json!({"error": text, "code": "not-found"})).await;
    let fact = json!({"error": "busy", "code": "unavailable", "retry_after_seconds": 2.0});
    check(json!({"kind": "busy"}), true, "busy", fact).await;
    check(json!({"kind": "x"}), true, "it broke", json!({"error": "it broke", "code": "failed"})).await;
    let text = "arguments of `end_as`: unknown field `kin`, expected `kind` at line 1 column 6";
    check(json!({"kin": 1}), true, text, json!({"error": text, "code": "invalid-arguments"})).await;
}

#[tokio::test]
async fn prompts_and_resources_come_from_the_library() {
    async fn check(method: &str, params: Value, expected: Result<&str, i32>) {
        let answer = ask(method, params).await;
        match expected {
            Ok(part) => assert!(answer.as_ref().unwrap().to_string().contains(part), "{answer:?}"),
            Err(code) => assert_eq!(answer.unwrap_err().code(), code, "{method}"),
        }
    }
    check("prompts/list", json!({}), Ok("bob")).await;
    check("prompts/get", json!({"name": "bob", "arguments": {"task": "sweep"}}), Ok("sweep")).await;
    check("prompts/get", json!({"name": "bob", "arguments": {"task": 1}}), Err(-32602)).await;
    check("prompts/get", json!({"name": "bot"}), Err(-32602)).await;
    check("resources/list", json!({}), Ok("crew://a")).await;
    check("resources/read", json!({"uri": "crew://a"}), Ok(r#""text":"A""#)).await;
    check("resources/read", json!({"uri": "crew://b"}), Err(-32602)).await;
    check("resources/read", json!({"uri": "crew://locked"}), Err(-32602)).await;
    check("completion/complete", json!({}), Err(-32601)).await;
}

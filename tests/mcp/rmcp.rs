//! crew as rmcp sees it, another implementation of MCP: over stdio and HTTP, greeted in the older way and discovered in
//! the newer one.

use std::collections::BTreeSet;

use rmcp::{
    ClientHandler, ClientLifecycleMode, ClientServiceExt as _, RoleClient,
    model::{
        CallToolRequestParams, CallToolResult, ContentBlock, GetPromptRequestParams, ProtocolVersion,
        ReadResourceRequestParams, ResourceContents,
    },
    service::RunningService,
    transport::{
        StreamableHttpClientTransport, TokioChildProcess,
        streamable_http_client::StreamableHttpClientTransportConfig,
    },
};
use serde_json::{Value, json};

use crate::support::{Project, Server, client};

/// A client that can do nothing of its own.
#[derive(Clone, Copy)]
struct Plain;

impl ClientHandler for Plain {}

type Client = RunningService<RoleClient, Plain>;

fn older() -> ClientLifecycleMode {
    ClientLifecycleMode::Initialize
}

fn newer() -> ClientLifecycleMode {
    ClientLifecycleMode::Discover { preferred_versions: vec![ProtocolVersion::V_2026_07_28] }
}

fn automatic() -> ClientLifecycleMode {
    ClientLifecycleMode::Auto {
        preferred_versions: vec![ProtocolVersion::V_2026_07_28],
        legacy_version: None,
    }
}

async fn over_stdio(mode: ClientLifecycleMode) {
    let project = Project::sample();
    let command = tokio::process::Command::from(project.command(["mcp"]));
    let client = Plain.serve_with_lifecycle(TokioChildProcess::new(command).unwrap(), mode).await.unwrap();
    everything(&client).await;
    client.cancel().await.unwrap();
}

async fn over_http(mode: ClientLifecycleMode) {
    let project = Project::sample();
    let server = Server::start(&project, &[], &[]);
    let config = StreamableHttpClientTransportConfig::with_uri(format!("{}/mcp", server.url));
    let transport = StreamableHttpClientTransport::with_client(client(), config);
    let client = Plain.serve_with_lifecycle(transport, mode).await.unwrap();
    everything(&client).await;
    client.cancel().await.unwrap();
}

/// Lists all there is, and uses all that is listed.
async fn everything(client: &Client) {
    call_all(client).await;
    for prompt in client.list_all_prompts().await.unwrap() {
        let named =
            prompt.arguments.into_iter().flatten().map(|argument| (argument.name.clone(), json!("x")));
        let params = GetPromptRequestParams::new(prompt.name).with_arguments(named.collect());
        assert!(!client.get_prompt(params).await.unwrap().messages.is_empty());
    }
    let resources = client.list_all_resources().await.unwrap();
    assert!(!resources.is_empty());
    for resource in resources {
        let read = client.read_resource(ReadResourceRequestParams::new(resource.uri.clone())).await.unwrap();
        let ResourceContents::TextResourceContents { uri, text, .. } = &read.contents[0] else {
            panic!("crew keeps text: {read:?}");
        };
        assert!(*uri == resource.uri && !text.is_empty());
    }
    assert!(!client.list_all_resource_templates().await.unwrap().is_empty());
    let values = client.complete_prompt_simple("code-reviewer", "target", "").await.unwrap();
    assert!(values.is_empty(), "{values:?}");
    let unknown = client.read_resource(ReadResourceRequestParams::new("crew://nowhere")).await;
    assert!(unknown.is_err(), "{unknown:?}");
}

async fn call_all(client: &Client) {
    let tools = client.list_all_tools().await.unwrap();
    let names: BTreeSet<_> = tools.iter().map(|tool| tool.name.to_string()).collect();
    let calls = [
        ("list_employees", json!({})),
        ("get_employee", json!({"name": "code-reviewer"})),
        ("run_employee", json!({"name": "code-reviewer", "args": {"target": "x"}, "execute": true})),
        ("list_pipelines", json!({})),
        ("run_pipeline", json!({"name": "full-review", "args": {"target": "x"}, "execute": true})),
        ("list_tasks", json!({})),
        ("detect_project", json!({})),
    ];
    let called: BTreeSet<_> = calls.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert!(called.is_subset(&names), "{names:?}");
    for (name, arguments) in calls {
        let result = call(client, name, arguments).await;
        assert_ne!(result.is_error, Some(true), "{name}: {result:?}");
        assert!(result.structured_content.is_some(), "{name}: {result:?}");
        assert!(matches!(&result.content[0], ContentBlock::Text(text) if !text.text.is_empty()));
    }
    let refused = call(client, "get_employee", json!({"name": "nobody"})).await;
    assert_eq!(refused.is_error, Some(true), "{refused:?}");
    assert!(client.call_tool(CallToolRequestParams::new("no_such_tool")).await.is_err());
}

async fn call(client: &Client, name: &'static str, arguments: Value) -> CallToolResult {
    let Value::Object(arguments) = arguments else { panic!("arguments are an object") };
    client.call_tool(CallToolRequestParams::new(name).with_arguments(arguments)).await.unwrap()
}

#[tokio::test]
async fn stdio_in_the_older_era() {
    over_stdio(older()).await;
}

#[tokio::test]
async fn stdio_in_the_newer_era() {
    over_stdio(newer()).await;
}

#[tokio::test]
async fn stdio_when_the_client_finds_out() {
    over_stdio(automatic()).await;
}

#[tokio::test]
async fn http_in_the_older_era() {
    over_http(older()).await;
}

#[tokio::test]
async fn http_in_the_newer_era() {
    over_http(newer()).await;
}

#[tokio::test]
async fn http_when_the_client_finds_out() {
    over_http(automatic()).await;
}

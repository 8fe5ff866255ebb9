//! The same tool, served by rmcp.

use std::sync::Arc;

use axum::Router;
use rmcp::{
    ErrorData, RoleServer, ServerHandler,
    model::{
        CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, ListToolsResult,
        PaginatedRequestParams, ServerCapabilities, ServerConfig, Tool,
    },
    service::RequestContext,
    transport::streamable_http_server::{
        StreamableHttpServerConfig, StreamableHttpService, session::local::LocalSessionManager,
    },
};
use serde_json::{Value, json};

/// Answers with what it is given.
#[derive(Clone)]
struct Echo;

impl ServerHandler for Echo {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let Value::Object(schema) = json!({"type": "object", "properties": {"text": {"type": "string"}}})
        else {
            unreachable!("this is an object");
        };
        Ok(ListToolsResult::with_all_items(vec![Tool::new("echo", "Answers with what it is given", schema)]))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let text = request.arguments.as_ref().and_then(|arguments| arguments.get("text"));
        let text = text.and_then(Value::as_str).unwrap_or_default();
        Ok(CallToolResult::success(vec![ContentBlock::text(text)]).into())
    }
}

/// Whether the server keeps sessions.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sessions {
    /// It answers each request by itself.
    None,
    /// It does, as clients of the older era expect.
    Kept,
}

/// Set up for speed: JSON where that is enough.
pub(crate) fn router(sessions: Sessions) -> Router {
    let config = StreamableHttpServerConfig::default()
        .with_legacy_session_mode(sessions == Sessions::Kept)
        .with_json_response(true);
    let service = StreamableHttpService::new(|| Ok(Echo), Arc::new(LocalSessionManager::default()), config);
    Router::new().nest_service("/mcp", service)
}

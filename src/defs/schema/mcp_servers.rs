//! The shape of `mcp_servers.yaml`.

#![expect(dead_code, reason = "these types are never made, only their schemas")]

use indexmap::IndexMap;
use schemars::JsonSchema;

use super::piece::{Text, Texts, Whole};

/// Servers of others whose tools employees may use: `.crew/mcp_servers.yaml`.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct McpServers {
    /// By name, which tools of a server carry: `mcp__NAME__tool`.
    servers: Option<IndexMap<String, McpServer>>,
}

/// A server; it has either a `command` or a `url`.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct McpServer {
    /// The program that is started, and spoken to over its stdin and stdout.
    command: Option<Text>,
    /// Its arguments.
    args: Option<Texts>,
    /// Variables it is given beside `PATH`, `HOME` and their like; a secret is `${NAME}`, the variable that holds it.
    env: Option<IndexMap<String, Option<Text>>>,
    /// Where the server is, over HTTP.
    #[schemars(regex(pattern = r"^\s*(https?://\S+)?\s*$"))]
    url: Option<String>,
    /// Headers of each request; a secret is `${NAME}`, the variable that holds it.
    headers: Option<IndexMap<String, Option<Text>>>,
    /// The only tools of it that are offered; all, unless given.
    whitelist: Option<Texts>,
    /// Seconds that it may take to begin, and for each call; 30, unless given.
    timeout: Option<Whole<1, 600>>,
    /// There are no tenants: who may use a server is said in `tools` and `permissions` of employees.
    #[schemars(length(max = 0))]
    allowed_tenants: Option<Texts>,
    /// What it is for.
    description: Option<Text>,
}

//! Where a client without a token may get one: protected resource metadata (RFC 9728).

use axum::{Json, extract::State, http::HeaderValue};
use serde_json::{Value, json};

/// The path of the metadata; clients of MCP also ask for it with the path of the endpoint appended.
pub(super) const PATH: &str = "/.well-known/oauth-protected-resource";

/// This server as a resource that somebody issues tokens for.
#[derive(Debug, Clone)]
pub struct Resource {
    /// The address clients know it by, for instance `https://crew.example.com`.
    pub url: String,
    /// The authorization server that issues its tokens.
    pub issuer: String,
}

impl Resource {
    /// The challenge that tells a client where to look; `None` when the address does not fit into a header.
    pub(super) fn challenge(&self) -> Option<HeaderValue> {
        let url = self.url.trim_end_matches('/');
        HeaderValue::from_str(&format!(r#"Bearer realm="crew", resource_metadata="{url}{PATH}""#)).ok()
    }
}

/// `GET /.well-known/oauth-protected-resource`.
pub(super) async fn metadata(State(resource): State<Resource>) -> Json<Value> {
    Json(json!({
        "resource": resource.url,
        "authorization_servers": [resource.issuer],
        "bearer_methods_supported": ["header"],
        "resource_name": "crew",
    }))
}

//! One connection to a server.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use http::{HeaderName, HeaderValue};
use rmcp::{
    ClientHandler, ClientLifecycleMode, ClientServiceExt as _, RoleClient,
    model::{
        CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, PaginatedRequestParams,
        ProtocolVersion, ResourceContents,
    },
    service::{NotificationContext, RunningService, ServiceError},
    transport::{
        StreamableHttpClientTransport, async_rw::AsyncRwTransport,
        streamable_http_client::StreamableHttpClientTransportConfig,
    },
};

use super::{
    Home, Offer,
    process::{self, Program},
};
use crate::{
    base::text::truncate,
    defs::{self, McpServer, McpWay},
};

/// Most bytes of one message.
const MOST_MESSAGE: usize = 4 << 20;
/// Most characters of a result.
const MOST_RESULT: usize = 64 << 10;
/// Most tools of a server, and most pages they come on.
const MOST_TOOLS: usize = 128;
const MOST_PAGES: usize = 16;

/// Why a server is of no use now, in words.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    /// It did not begin, or broke off.
    #[error("{0}")]
    Broken(String),
    /// It answered, with an error.
    #[error("{0}")]
    Answered(String),
}

/// A connection, and the program at its end.
pub(super) struct Connection {
    service: RunningService<RoleClient, Quiet>,
    changed: Arc<AtomicBool>,
    _program: Option<Program>,
}

/// A client that can do nothing of its own, and notes that the list of tools has changed.
struct Quiet {
    changed: Arc<AtomicBool>,
}

impl ClientHandler for Quiet {
    async fn on_tool_list_changed(&self, _: NotificationContext<RoleClient>) {
        self.changed.store(true, Ordering::Relaxed);
    }
}

impl Connection {
    /// Connects.
    ///
    /// # Errors
    /// [`Fault::Broken`].
    pub(super) async fn open(definition: &McpServer, home: &Home) -> Result<Self, Fault> {
        let filled = |text: &str| {
            defs::with_variables(text, |name| Some((home.variable)(name)?.expose().to_owned()))
                .map_err(|name| Fault::Broken(format!("the variable {name} is not set")))
        };
        let changed = Arc::new(AtomicBool::new(false));
        let client = Quiet { changed: Arc::clone(&changed) };
        let mode = ClientLifecycleMode::Auto {
            preferred_versions: vec![ProtocolVersion::V_2026_07_28],
            legacy_version: None,
        };
        let broken = |error: rmcp::service::ClientInitializeError| {
            Fault::Broken(format!("it does not greet as MCP has it: {}", truncate(&error.to_string(), 300)))
        };
        let (service, program) = match &definition.way {
            McpWay::Command { command, args, env } => {
                let env = env.iter().map(|(name, text)| Ok((name.clone(), filled(text)?)));
                let env = env.collect::<Result<Vec<_>, Fault>>()?;
                let (program, stdout, stdin) = process::start(home, command, args, &env)
                    .map_err(|error| Fault::Broken(format!("`{command}` cannot be started: {error}")))?;
                let transport =
                    AsyncRwTransport::new_client(stdout, stdin).with_max_line_length(MOST_MESSAGE);
                (client.serve_with_lifecycle(transport, mode).await.map_err(broken)?, Some(program))
            }
            McpWay::Url { url, headers } => {
                let headers = headers.iter().map(|(name, text)| {
                    // Neither is told: a value is a secret.
                    let wrong = || Fault::Broken(format!("the header `{name}` is none"));
                    let value = HeaderValue::from_str(&filled(text)?).map_err(|_| wrong())?;
                    Ok((name.parse::<HeaderName>().map_err(|_| wrong())?, value))
                });
                let headers = headers.collect::<Result<HashMap<_, _>, Fault>>()?;
                let config = StreamableHttpClientTransportConfig::with_uri(url.as_str())
                    .custom_headers(headers)
                    .max_sse_event_size(MOST_MESSAGE)
                    .max_json_response_size(MOST_MESSAGE);
                let http = http(url).map_err(|error| Fault::Broken(error.to_string()))?;
                let transport = StreamableHttpClientTransport::with_client(http, config);
                (client.serve_with_lifecycle(transport, mode).await.map_err(broken)?, None)
            }
        };
        Ok(Self { service, changed, _program: program })
    }

    /// Whether nothing comes through it any more.
    pub(super) fn is_over(&self) -> bool {
        self.service.is_closed() || self.service.peer().is_transport_closed()
    }

    /// Whether the list of tools has changed since this was asked.
    pub(super) fn has_changed(&self) -> bool {
        self.changed.swap(false, Ordering::Relaxed)
    }

    /// The tools that may be offered.
    ///
    /// # Errors
    /// Why there is no list.
    pub(super) async fn offers(&self, name: &str, whitelist: &[String]) -> Result<Vec<Offer>, Fault> {
        let (mut offers, mut names) = (Vec::new(), HashSet::new());
        let mut cursor = None;
        for _ in 0..MOST_PAGES {
            let params = PaginatedRequestParams::default().with_cursor(cursor);
            let page = self.service.peer().list_tools(Some(params)).await.map_err(fault)?;
            for tool in &page.tools {
                if !whitelist.is_empty() && !whitelist.iter().any(|allowed| *allowed == tool.name) {
                    continue;
                }
                let Some(mut offer) = Offer::of(name, tool) else { continue };
                if !names.insert(offer.name.clone()) {
                    offer = offer.renamed(name);
                    if !names.insert(offer.name.clone()) {
                        continue;
                    }
                }
                offers.push(offer);
                if offers.len() == MOST_TOOLS {
                    tracing::warn!(
                        server = name,
                        "only the first {MOST_TOOLS} tools of a server are offered"
                    );
                    return Ok(offers);
                }
            }
            cursor = page.next_cursor;
            if cursor.is_none() {
                break;
            }
        }
        Ok(offers)
    }

    /// Calls the tool that its server knows as `own`.
    ///
    /// # Errors
    /// What the server says went wrong, or why it did not answer.
    pub(super) async fn call(&self, own: &str, args: rmcp::model::JsonObject) -> Result<String, Fault> {
        let params = CallToolRequestParams::new(own.to_owned()).with_arguments(args);
        match self.service.peer().call_tool_once(params).await.map_err(fault)? {
            CallToolResponse::Complete(result) => {
                let text = truncate(&text(&result), MOST_RESULT);
                if result.is_error == Some(true) { Err(Fault::Answered(text)) } else { Ok(text) }
            }
            _ => Err(Fault::Answered("it asks for something that an employee cannot give".to_owned())),
        }
    }
}

/// What a model is told of a result: its texts, and a word on what is none.
fn text(result: &CallToolResult) -> String {
    let shown = |block: &ContentBlock| match block {
        ContentBlock::Text(text) => text.text.clone(),
        ContentBlock::Image(image) => format!("[an image, {}]", truncate(&image.mime_type, 80)),
        ContentBlock::Audio(audio) => format!("[a sound, {}]", truncate(&audio.mime_type, 80)),
        ContentBlock::ResourceLink(link) => format!("[a resource: {}]", truncate(&link.uri, 400)),
        ContentBlock::Resource(resource) => match &resource.resource {
            ResourceContents::TextResourceContents { text, .. } => text.clone(),
            _ => "[a resource that is no text]".to_owned(),
        },
        _ => "[something that is no text]".to_owned(),
    };
    let text = result.content.iter().map(shown).collect::<Vec<_>>().join("\n");
    match &result.structured_content {
        Some(value) if text.trim().is_empty() => value.to_string(),
        _ => text,
    }
}

fn fault(error: ServiceError) -> Fault {
    match error {
        ServiceError::McpError(error) => Fault::Answered(truncate(&error.message, 2000)),
        error => Fault::Broken(truncate(&error.to_string(), 300)),
    }
}

/// A client for one server. A redirect would carry its key to a place nobody chose.
fn http(url: &str) -> Result<reqwest::Client, reqwest::Error> {
    // An error means that someone has installed one already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut builder = reqwest::Client::builder()
        .user_agent(concat!("knowlyr-crew/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(Duration::from_secs(10))
        .redirect(reqwest::redirect::Policy::none());
    let host = url.split("://").nth(1).and_then(|rest| rest.split('/').next()).unwrap_or_default();
    if crate::base::HostNames::new(&[]).allow(host) {
        builder = builder.no_proxy();
    }
    builder.build()
}

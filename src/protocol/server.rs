//! A host with all that the protocol keeps beside it: its identity as it is written, and its lists in pages.

use std::{collections::HashMap, fmt, sync::Arc};

use parking_lot::Mutex;
use serde::Serialize;
use serde_json::{
    Map, Value, json,
    value::{RawValue, to_raw_value},
};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::{
    Bus, Error, Host, Implementation, Info, Version,
    headers::Mirror,
    input::Seal,
    page::Pages,
    prompt::Prompt,
    resource::{Resource, Template},
    shape::{Payload, ResultType, Shape as _, Ttl, finish, finish_as},
    skill::{self, Skill},
    task,
    tool::Tool,
};

/// Most streams of changes, unless a transport says otherwise.
const STREAMS: usize = 1024;

/// Answers the methods of the protocol for one host.
pub struct Server {
    host: Arc<dyn Host>,
    identity: Box<RawValue>,
    pub(super) tool_pages: Pages<Tool>,
    pub(super) prompts: Pages<Prompt>,
    pub(super) resources: Pages<Resource>,
    pub(super) templates: Pages<Template>,
    pub(super) skills: Pages<Skill>,
    pub(super) seal: Seal,
    /// Places for streams of changes.
    pub(super) streams: Arc<Semaphore>,
    /// Fires when the server is about to end.
    pub(super) ending: CancellationToken,
    index: Mutex<Option<Arc<Index>>>,
}

/// The tools by name, as long as the host hands out the same list.
struct Index {
    listed: Arc<[Tool]>,
    /// Those that can be served.
    served: Arc<[Tool]>,
    mirrors: HashMap<String, Arc<[Mirror]>>,
}

impl Server {
    /// A server of `host`.
    pub fn new(host: Arc<dyn Host>) -> Self {
        Self {
            identity: identity(&host.info().implementation.in_short()),
            host,
            tool_pages: Pages::new(),
            prompts: Pages::new(),
            resources: Pages::new(),
            templates: Pages::new(),
            skills: Pages::new(),
            seal: Seal::default(),
            streams: Arc::new(Semaphore::new(STREAMS)),
            ending: CancellationToken::new(),
            index: Mutex::new(None),
        }
    }

    /// The same server, which has places for `limit` streams of changes, and completes those that are open when
    /// `ending` fires.
    #[must_use]
    pub fn with_streams(self, limit: usize, ending: CancellationToken) -> Self {
        let streams = Arc::new(Semaphore::new(limit.min(Semaphore::MAX_PERMITS)));
        Self { streams, ending, ..self }
    }

    /// What is served.
    pub fn host(&self) -> &dyn Host {
        &*self.host
    }

    /// The tools that are served. One that wants its arguments repeated in headers, but says so wrongly, is not: a client
    /// would not take it either, and a proxy could not rely on the header.
    ///
    /// Source: MCP 2026-07-28, "Streamable HTTP", section on custom headers.
    pub(super) fn tools(&self) -> Arc<[Tool]> {
        Arc::clone(&self.index().served)
    }

    /// The headers that repeat arguments of the tool `name`; `None` when there is no such tool.
    pub fn mirrors(&self, name: &str) -> Option<Arc<[Mirror]>> {
        self.index().mirrors.get(name).cloned()
    }

    /// What this server can do, as a peer of `version` may see it. Only what works is declared.
    pub(super) fn capabilities(&self, version: Version) -> Capabilities {
        let bus = self.host.bus();
        let told = bus.is_some();
        let completes = self.host.completer().is_some() && version.has_completions();
        Capabilities {
            tools: Listed { list_changed: bus.is_some_and(Bus::tells_of_tools), subscribe: false },
            prompts: Listed { list_changed: told, subscribe: false },
            resources: Listed { list_changed: told, subscribe: told },
            logging: Nothing {},
            completions: completes.then_some(Nothing {}),
            extensions: self.extensions(version),
        }
    }

    /// The extensions of the protocol, each with its settings.
    fn extensions(&self, version: Version) -> Map<String, Value> {
        let mut extensions = Map::new();
        if self.host.tasks().is_some() && version.describes_results() {
            extensions.insert(task::EXTENSION.to_owned(), json!({}));
        }
        if let Some(skills) = self.host.skills() {
            let folders = skills.folders().map(|_| json!({ "directoryRead": true }));
            extensions.insert(skill::EXTENSION.to_owned(), folders.unwrap_or_else(|| json!({})));
        }
        extensions
    }

    /// Finishes a result for `version`.
    pub(super) fn finish(
        &self,
        body: &impl Serialize,
        version: Version,
        ttl: Option<Ttl>,
    ) -> Result<Payload, Error> {
        finish(body, version, &self.identity, ttl).map(Payload::Own)
    }

    /// Finishes a result that is not complete but `result_type`.
    pub(super) fn finish_as(
        &self,
        result_type: ResultType,
        body: &impl Serialize,
        version: Version,
    ) -> Result<Payload, Error> {
        finish_as(result_type, body, version, &self.identity, None).map(Payload::Own)
    }

    /// The end of the stream of changes that the request `id` opened.
    pub(super) fn finish_subscription(&self, id: &RawValue) -> Result<Payload, Error> {
        #[derive(Serialize)]
        struct Meta<'a> {
            #[serde(rename = "io.modelcontextprotocol/subscriptionId")]
            id: &'a RawValue,
            #[serde(rename = "io.modelcontextprotocol/serverInfo")]
            server: Implementation,
        }
        let meta = to_raw_value(&Meta { id, server: self.host.info().implementation.in_short() });
        let meta = meta.expect("an identity holds nothing that JSON cannot");
        finish(&json!({}), Version::V2026_07_28, &meta, None).map(Payload::Own)
    }

    /// Writes a page of a list for `version`.
    pub(super) fn write(
        &self,
        body: &impl Serialize,
        version: Version,
        ttl: Ttl,
    ) -> Result<Box<RawValue>, Error> {
        finish(body, version, &self.identity, Some(ttl))
    }

    /// The answer to `initialize`.
    pub(super) fn greeting(&self, version: Version) -> Result<Payload, Error> {
        let mut info = self.host.info();
        info.implementation.shape(version);
        let body = json!({
            "protocolVersion": version.as_str(),
            "capabilities": self.capabilities(version),
            "serverInfo": info.implementation,
        });
        self.finish(&Greeting { body, instructions: info.instructions }, version, None)
    }

    /// The answer to `server/discover`.
    pub(super) fn discovery(&self, version: Version, ttl: Ttl) -> Result<Payload, Error> {
        let body = json!({
            "supportedVersions": Version::MODERN.map(Version::as_str),
            "capabilities": self.capabilities(version),
        });
        let Info { implementation, instructions } = self.host.info();
        finish(&Greeting { body, instructions }, version, &identity(&implementation), Some(ttl))
            .map(Payload::Own)
    }

    fn index(&self) -> Arc<Index> {
        let listed = self.host.tools();
        let mut index = self.index.lock();
        if let Some(known) = index.as_ref().filter(|known| Arc::ptr_eq(&known.listed, &listed)) {
            return Arc::clone(known);
        }
        let mut mirrors = HashMap::new();
        for tool in &*listed {
            match Mirror::all(&tool.input_schema) {
                Ok(found) => {
                    mirrors.insert(tool.name.clone(), found.into());
                }
                Err(fault) => tracing::warn!(tool = tool.name, fault, "this tool is not served"),
            }
        }
        let served = if listed.iter().all(|tool| mirrors.contains_key(&tool.name)) {
            Arc::clone(&listed)
        } else {
            listed.iter().filter(|tool| mirrors.contains_key(&tool.name)).cloned().collect()
        };
        let fresh = Arc::new(Index { listed, served, mirrors });
        *index = Some(Arc::clone(&fresh));
        fresh
    }
}

/// The `_meta` that names `server` in a result.
fn identity(server: &Implementation) -> Box<RawValue> {
    let identity = json!({ "io.modelcontextprotocol/serverInfo": server });
    to_raw_value(&identity).expect("a JSON value can be written as JSON")
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("identity", &self.identity).finish_non_exhaustive()
    }
}

/// What a server can do.
#[derive(Debug, Serialize)]
pub(super) struct Capabilities {
    tools: Listed,
    prompts: Listed,
    resources: Listed,
    logging: Nothing,
    #[serde(skip_serializing_if = "Option::is_none")]
    completions: Option<Nothing>,
    #[serde(skip_serializing_if = "Map::is_empty")]
    extensions: Map<String, Value>,
}

/// What can be heard of a list and of what is on it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Listed {
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    list_changed: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    subscribe: bool,
}

/// `{}`: there is such a thing, and no more to say about it.
#[derive(Debug, Serialize)]
struct Nothing {}

#[derive(Serialize)]
struct Greeting {
    #[serde(flatten)]
    body: serde_json::Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    instructions: Option<String>,
}

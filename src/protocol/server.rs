//! A host with all that the protocol keeps beside it: its identity as it is written, and its lists in pages.

use std::{collections::HashMap, fmt, sync::Arc};

use parking_lot::Mutex;
use serde::Serialize;
use serde_json::{
    Map, Value, json,
    value::{RawValue, to_raw_value},
};

use super::{
    Error, Host, Version,
    headers::Mirror,
    page::Pages,
    prompt::Prompt,
    resource::{Resource, Template},
    shape::{Payload, ResultType, Shape as _, Ttl, finish, finish_as},
    skill::{self, Skill},
    task,
    tool::Tool,
};

/// Answers the methods of the protocol for one host.
pub struct Server {
    host: Arc<dyn Host>,
    identity: Box<RawValue>,
    pub(super) tools: Pages<Tool>,
    pub(super) prompts: Pages<Prompt>,
    pub(super) resources: Pages<Resource>,
    pub(super) templates: Pages<Template>,
    pub(super) skills: Pages<Skill>,
    index: Mutex<Option<Arc<Index>>>,
}

/// The tools by name, as long as the host hands out the same list.
struct Index {
    listed: Arc<[Tool]>,
    mirrors: HashMap<String, Arc<[Mirror]>>,
}

impl Server {
    /// A server of `host`.
    pub fn new(host: Arc<dyn Host>) -> Self {
        Self {
            identity: identity(&*host),
            host,
            tools: Pages::new(),
            prompts: Pages::new(),
            resources: Pages::new(),
            templates: Pages::new(),
            skills: Pages::new(),
            index: Mutex::new(None),
        }
    }

    /// What is served.
    pub fn host(&self) -> &dyn Host {
        &*self.host
    }

    /// The headers that repeat arguments of the tool `name`; `None` when there is no such tool.
    pub fn mirrors(&self, name: &str) -> Option<Arc<[Mirror]>> {
        self.index().mirrors.get(name).cloned()
    }

    /// What this server can do, as a peer of `version` may see it. Only what works is declared.
    pub(super) fn capabilities(&self, version: Version) -> Capabilities {
        let completes = self.host.completer().is_some() && version.has_completions();
        Capabilities {
            tools: Nothing {},
            prompts: Nothing {},
            resources: Nothing {},
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

    /// Finishes the answer to a call that goes on as a task.
    pub(super) fn hand_over(&self, task: &task::Handle<'_>, version: Version) -> Result<Payload, Error> {
        finish_as(ResultType::Task, task, version, &self.identity, None).map(Payload::Own)
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
        let instructions = self.host.info().instructions;
        self.finish(&Greeting { body, instructions }, version, Some(ttl))
    }

    fn index(&self) -> Arc<Index> {
        let listed = self.host.tools();
        let mut index = self.index.lock();
        if let Some(known) = index.as_ref().filter(|known| Arc::ptr_eq(&known.listed, &listed)) {
            return Arc::clone(known);
        }
        let mirrors = listed
            .iter()
            .map(|tool| {
                let mirrors = Mirror::all(&tool.input_schema).unwrap_or_else(|fault| {
                    tracing::warn!(tool = tool.name, fault, "headers of this tool are not checked");
                    Vec::new()
                });
                (tool.name.clone(), mirrors.into())
            })
            .collect();
        let fresh = Arc::new(Index { listed, mirrors });
        *index = Some(Arc::clone(&fresh));
        fresh
    }
}

/// The `_meta` that names the server in each result.
fn identity(host: &dyn Host) -> Box<RawValue> {
    let identity = json!({ "io.modelcontextprotocol/serverInfo": host.info().implementation });
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
    tools: Nothing,
    prompts: Nothing,
    resources: Nothing,
    logging: Nothing,
    #[serde(skip_serializing_if = "Option::is_none")]
    completions: Option<Nothing>,
    #[serde(skip_serializing_if = "Map::is_empty")]
    extensions: Map<String, Value>,
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

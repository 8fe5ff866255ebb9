//! Servers of others over MCP, whose tools employees use as `mcp__server__tool`.
//!
//! What they say of themselves, their lists and their results are data from outside: names are fitted to what models
//! take, texts are cut, a server that fails time and again is left alone, and what it gives is for the model of the one
//! employee that asked. A server is connected when an employee first has a use for it, and again after it failed.

mod connection;
mod offer;
mod process;
mod server;

use std::{path::PathBuf, sync::Arc, time::Duration};

use futures_util::future::join_all;
use indexmap::IndexMap;
use parking_lot::Mutex;

pub(super) use self::offer::{Offer, PREFIX};
use self::server::Server;
use crate::{
    base::Secret,
    defs::{McpServer, McpServers},
    tools::Error,
};

/// The value of a variable that a definition may name.
pub(super) type Variable = Arc<dyn Fn(&str) -> Option<Secret> + Send + Sync>;

/// Where programs are started and what they may be told.
#[derive(Clone)]
pub(super) struct Home {
    pub(super) root: PathBuf,
    pub(super) variable: Variable,
}

/// The servers that have been of use so far.
#[derive(Default)]
pub(super) struct External {
    servers: Mutex<IndexMap<String, Arc<Server>>>,
}

impl External {
    /// The tools of those of `defined` for whose names `wanted` has a use. A server that fails has none; the others keep
    /// theirs.
    pub(super) async fn offers(
        &self,
        defined: &McpServers,
        home: &Home,
        wanted: impl Fn(&str) -> bool,
    ) -> Vec<Offer> {
        self.drop_all_but(defined);
        let defined = defined.servers.iter().filter(|(name, _)| wanted(name));
        let servers: Vec<_> = defined.map(|(name, definition)| self.server(name, definition, home)).collect();
        let lists = join_all(servers.iter().map(|server| async move {
            server.offers().await.unwrap_or_else(|error| {
                tracing::warn!(server = server.name(), %error, "the tools of a server cannot be had");
                Arc::default()
            })
        }));
        lists.await.iter().flat_map(|list| list.iter().cloned()).collect()
    }

    /// Whether the server that was last heard to offer the tool `name` says that it is destructive.
    pub(super) fn is_destructive(&self, name: &str) -> bool {
        let servers: Vec<_> = self.servers.lock().values().cloned().collect();
        let offered = |server: &Arc<Server>| {
            server.known().iter().any(|offer| offer.name == name && offer.is_destructive)
        };
        servers.iter().any(offered)
    }

    /// Calls a tool by the name it is offered under, `args` a JSON object.
    ///
    /// # Errors
    /// What the server says went wrong, or why it did not answer.
    pub(super) async fn call(
        &self,
        defined: &McpServers,
        home: &Home,
        name: &str,
        args: &str,
    ) -> Result<String, Error> {
        let none = || Error::NotFound { what: "tool", name: name.to_owned(), hint: None };
        let server =
            name.strip_prefix(PREFIX).and_then(|rest| rest.split_once("__")).map(|(server, _)| server);
        let server = server.ok_or_else(none)?;
        self.drop_all_but(defined);
        let definition = defined.servers.get(server).ok_or_else(none)?;
        self.server(server, definition, home).call(name, args).await
    }

    /// Lets go of those that are not `defined` any more; each ends with the last call of it.
    fn drop_all_but(&self, defined: &McpServers) {
        let mut servers = self.servers.lock();
        servers.retain(|name, _| defined.servers.contains_key(name));
    }

    /// The server `name`; another one in its place when its definition is not what it was.
    fn server(&self, name: &str, definition: &McpServer, home: &Home) -> Arc<Server> {
        let mut servers = self.servers.lock();
        if let Some(server) = servers.get(name).filter(|server| server.definition() == definition) {
            return Arc::clone(server);
        }
        let server = Arc::new(Server::new(name, definition.clone(), home.clone()));
        servers.insert(name.to_owned(), Arc::clone(&server));
        server
    }
}

/// How long a server is left alone that failed three times in a row.
const REST: Duration = Duration::from_mins(1);
/// Failures in a row after which it is.
const FAILURES: u32 = 3;

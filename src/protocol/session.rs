//! What is remembered between the requests of one peer: the handshake of the older era, and what is running.

use std::{
    collections::{HashMap, hash_map::Entry},
    fmt,
    sync::Arc,
};

use parking_lot::Mutex;
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio_util::sync::CancellationToken;

use super::{
    Error, Version,
    context::{Context, Level},
    envelope::{Id, object},
};

/// One conversation: a process on stdio, or a session over HTTP.
#[derive(Debug, Default)]
pub struct Session {
    peer: Mutex<Peer>,
    running: Mutex<HashMap<Box<str>, CancellationToken>>,
}

#[derive(Debug, Default, Clone)]
struct Peer {
    version: Option<Version>,
    capabilities: Option<Arc<RawValue>>,
    log_level: Option<Level>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Handshake<'a> {
    #[serde(borrow)]
    protocol_version: std::borrow::Cow<'a, str>,
    #[serde(default)]
    capabilities: Option<Arc<RawValue>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Cancelled<'a> {
    #[serde(borrow)]
    request_id: &'a RawValue,
}

impl Session {
    /// A conversation in which nothing was said yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Remembers what the parameters of `initialize` settle, and tells the revision.
    ///
    /// # Errors
    /// `-32602` when they name no version; nothing is remembered then.
    pub fn negotiate(&self, params: Option<&str>) -> Result<Version, Error> {
        let handshake: Handshake<'_> = object(params.unwrap_or("{}"))
            .map_err(|error| Error::invalid_params(format!("params of `initialize`: {error}")))?;
        let version = Version::negotiate(&handshake.protocol_version);
        *self.peer.lock() =
            Peer { version: Some(version), capabilities: handshake.capabilities, log_level: None };
        Ok(version)
    }

    /// The revision that was settled, if any was.
    pub fn version(&self) -> Option<Version> {
        self.peer.lock().version
    }

    /// What the client declared it can do.
    pub fn capabilities(&self) -> Option<Arc<RawValue>> {
        self.peer.lock().capabilities.clone()
    }

    /// Least level of the log messages it wants; all, until it says otherwise.
    pub fn log_level(&self) -> Level {
        self.peer.lock().log_level.unwrap_or(Level::Debug)
    }

    /// Sets that level.
    pub fn set_log_level(&self, level: Level) {
        self.peer.lock().log_level = Some(level);
    }

    /// Notes that the request `id` is running in `context`, until the guard is dropped.
    ///
    /// # Errors
    /// `-32600` when a request of that id is running already: its answer could not be told from this one's.
    pub fn begin(self: &Arc<Self>, id: Id<'_>, context: &Context) -> Result<Running, Error> {
        match self.running.lock().entry(id.token().into()) {
            Entry::Occupied(_) => {
                Err(Error::invalid_request("a request with this id is still running; use a new id"))
            }
            Entry::Vacant(entry) => {
                entry.insert(context.cancelled().clone());
                Ok(Running { session: Arc::clone(self), id: id.token().into() })
            }
        }
    }

    /// Obeys `notifications/cancelled`. An unknown id is no fault: the answer may have crossed it on the way.
    pub fn cancel(&self, params: Option<&str>) {
        let Some(Ok(cancelled)) = params.map(object::<Cancelled<'_>>) else { return };
        if let Some(token) = self.running.lock().get(cancelled.request_id.get()) {
            token.cancel();
        }
    }

    /// Cancels all that is running.
    pub fn cancel_all(&self) {
        for token in self.running.lock().values() {
            token.cancel();
        }
    }
}

/// A request that is running; dropping it makes its id free again.
pub struct Running {
    session: Arc<Session>,
    id: Box<str>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.session.running.lock().remove(&self.id);
    }
}

impl fmt::Debug for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Running").field(&self.id).finish()
    }
}

//! What is remembered between the requests of one peer: the handshake of the older era, and what is running.

use std::{
    collections::{HashMap, HashSet, hash_map::Entry},
    fmt,
    sync::Arc,
};

use parking_lot::Mutex;
use serde::Deserialize;
use serde_json::{json, value::RawValue};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::{
    Error, Version,
    context::{Context, Level},
    envelope::{Envelope, Id, Kind, object, text_of_token},
    input::Reply,
};

/// Most questions to one client that wait for their answers.
const ASKED: usize = 64;
/// Most resources that one client may subscribe to, and their longest address in bytes.
pub(super) const FOLLOWED: usize = 512;
pub(super) const URI: usize = 4096;

/// One conversation: a process on stdio, or a session over HTTP.
#[derive(Debug, Default)]
pub struct Session {
    peer: Mutex<Peer>,
    running: Mutex<HashMap<Box<str>, CancellationToken>>,
    /// What the client was asked, and who waits for the answer.
    asked: Mutex<HashMap<Box<str>, oneshot::Sender<Reply>>>,
    followed: Mutex<HashSet<Box<str>>>,
}

#[derive(Debug, Default, Clone)]
struct Peer {
    version: Option<Version>,
    /// Whether a greeting settled it.
    greeted: bool,
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
    /// `-32602` when they name no version, `-32600` when a greeting was heard before: what runs relies on what that
    /// settled. Nothing is remembered then.
    pub fn negotiate(&self, params: Option<&str>) -> Result<Version, Error> {
        let handshake: Handshake<'_> = object(params.unwrap_or("{}"))
            .map_err(|error| Error::invalid_params(format!("params of `initialize`: {error}")))?;
        let version = Version::negotiate(&handshake.protocol_version);
        let mut peer = self.peer.lock();
        if peer.greeted {
            let error =
                "already initialized; what a session settled once stays, so open a new one for another";
            return Err(Error::invalid_request(error));
        }
        *peer = Peer {
            version: Some(version),
            greeted: true,
            capabilities: handshake.capabilities,
            log_level: None,
        };
        Ok(version)
    }

    /// Takes `version` for settled until a greeting settles it.
    pub fn assume(&self, version: Version) {
        self.peer.lock().version = Some(version);
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

    /// Notes that the client is about to be asked something in `context`.
    ///
    /// # Errors
    /// `-32603` when too much was asked already, or the system gives no random numbers.
    pub(super) fn expect(self: &Arc<Self>, context: &Context) -> Result<Pending, Error> {
        let mut random = [0_u8; 12];
        getrandom::fill(&mut random).map_err(|error| {
            tracing::error!(%error, "the system gives no random numbers");
            Error::internal("the client cannot be asked")
        })?;
        let id = hex::encode(random);
        let (sender, answer) = oneshot::channel();
        let mut asked = self.asked.lock();
        if asked.len() >= ASKED {
            return Err(Error::internal("the client has too many questions to answer already"));
        }
        asked.insert(id.as_str().into(), sender);
        drop(asked);
        Ok(Pending { session: Arc::clone(self), context: context.clone(), id, answer })
    }

    /// Takes a response of the client. One to nothing that was asked here is no fault: it may be late.
    pub fn respond(&self, response: &Envelope<'_>) {
        let Kind::Response(id) = response.kind() else { return };
        let Some(id) = text_of_token(id.token()) else { return };
        let Some(sender) = self.asked.lock().remove(&*id) else { return };
        // It fails when the request that asked is over.
        let _ = sender.send(response.reply());
    }

    /// Notes that the client wants to hear when the resource at `uri` changes.
    ///
    /// # Errors
    /// `-32602` when it wants to hear of too many.
    pub(super) fn follow(&self, uri: &str) -> Result<(), Error> {
        let mut followed = self.followed.lock();
        if uri.len() > URI || (followed.len() >= FOLLOWED && !followed.contains(uri)) {
            let error = format!("a session may subscribe to {FOLLOWED} resources of at most {URI} bytes");
            return Err(Error::invalid_params(error));
        }
        followed.insert(uri.into());
        Ok(())
    }

    /// Notes that it no longer does.
    pub(super) fn unfollow(&self, uri: &str) {
        self.followed.lock().remove(uri);
    }

    /// Whether it does.
    pub(super) fn follows(&self, uri: &str) -> bool {
        self.followed.lock().contains(uri)
    }

    /// Whether something is running.
    pub fn is_busy(&self) -> bool {
        !self.running.lock().is_empty()
    }

    /// Cancels all that is running.
    pub fn cancel_all(&self) {
        for token in self.running.lock().values() {
            token.cancel();
        }
    }
}

/// A question to the client that waits for its answer. Dropped before that, it is taken back.
pub(super) struct Pending {
    session: Arc<Session>,
    context: Context,
    id: String,
    answer: oneshot::Receiver<Reply>,
}

impl Pending {
    /// The id of the request that asks.
    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// Waits for the answer.
    pub(super) async fn reply(mut self) -> Result<Reply, Error> {
        (&mut self.answer).await.map_err(|_| Error::internal("the session ended before the client answered"))
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        if self.session.asked.lock().remove(&*self.id).is_some() {
            let params = json!({ "requestId": self.id, "reason": "the answer is no longer needed" });
            self.context.notify("notifications/cancelled", &params);
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

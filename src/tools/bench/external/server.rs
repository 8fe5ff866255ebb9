//! A server of others: connected while it is of use, connected again when it failed, left alone when it goes on failing.

use std::{future::Future, sync::Arc, time::Duration};

use parking_lot::RwLock;
use tokio::sync::{Mutex, Semaphore};

use super::{
    FAILURES, Home, Offer, REST,
    connection::{Connection, Fault},
};
use crate::{
    base::{Breaker, clock::Stopwatch},
    defs::McpServer,
    tools::Error,
};

/// How many calls one server gets at the same time.
const AT_ONCE: usize = 4;

pub(super) struct Server {
    name: String,
    definition: McpServer,
    home: Home,
    start: Stopwatch,
    breaker: Breaker,
    at_once: Semaphore,
    connection: Mutex<Option<Arc<Connection>>>,
    known: RwLock<Arc<[Offer]>>,
}

impl Server {
    pub(super) fn new(name: &str, definition: McpServer, home: Home) -> Self {
        Self {
            name: name.to_owned(),
            definition,
            home,
            start: Stopwatch::start(),
            breaker: Breaker::new(FAILURES, REST),
            at_once: Semaphore::new(AT_ONCE),
            connection: Mutex::default(),
            known: RwLock::new(Arc::default()),
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn definition(&self) -> &McpServer {
        &self.definition
    }

    /// What it offered when it was last asked.
    pub(super) fn known(&self) -> Arc<[Offer]> {
        Arc::clone(&self.known.read())
    }

    /// What it offers.
    ///
    /// # Errors
    /// Why that cannot be known.
    pub(super) async fn offers(&self) -> Result<Arc<[Offer]>, Error> {
        self.guarded(async { self.connected().await.map(|_| self.known()) }).await
    }

    /// Calls a tool by the name it is offered under.
    ///
    /// # Errors
    /// What it says went wrong, or why it did not answer.
    pub(super) async fn call(&self, name: &str, args: &str) -> Result<String, Error> {
        let args = if args.trim().is_empty() { "{}" } else { args };
        let args = serde_json::from_str(args)
            .map_err(|error| Error::Arguments(format!("arguments of `{name}`: {error}")))?;
        // It is never closed; if it were, the bound would be gone and nothing else.
        let _permit = self.at_once.acquire().await.ok();
        self.guarded(async {
            let connection = self.connected().await?;
            let gone = || Fault::Answered(format!("the server `{}` has no such tool any more", self.name));
            let known = self.known();
            let offer = known.iter().find(|offer| offer.name == name).ok_or_else(gone)?;
            connection.call(&offer.own, args).await
        })
        .await
    }

    /// The connection, and what is known brought up to date.
    async fn connected(&self) -> Result<Arc<Connection>, Fault> {
        let mut slot = self.connection.lock().await;
        if let Some(open) = slot.as_ref().filter(|open| !open.is_over()) {
            let open = Arc::clone(open);
            if open.has_changed() {
                let offers = open.offers(&self.name, &self.definition.whitelist).await?;
                *self.known.write() = offers.into();
            }
            return Ok(open);
        }
        *slot = None;
        let open = Connection::open(&self.definition, &self.home).await?;
        let offers = open.offers(&self.name, &self.definition.whitelist).await?;
        tracing::info!(server = self.name, tools = offers.len(), "a server of others is connected");
        *self.known.write() = offers.into();
        Ok(Arc::clone(slot.insert(Arc::new(open))))
    }

    /// Does `work` if the server is not to be left alone, in the time it has; one that fails loses its connection, and is
    /// counted. What it may have done is not asked for again.
    async fn guarded<T>(&self, work: impl Future<Output = Result<T, Fault>>) -> Result<T, Error> {
        let name = &self.name;
        let pass = self.breaker.admit(self.start.elapsed()).map_err(|wait| Error::Unavailable {
            message: format!(
                "the server `{name}` has failed {FAILURES} times in a row and is left alone for now"
            ),
            retry_after: Some(wait),
        })?;
        let time = Duration::from_secs(self.definition.timeout.into());
        let reason = match tokio::time::timeout(time, work).await {
            Ok(Ok(done)) => {
                pass.reached();
                return Ok(done);
            }
            Ok(Err(Fault::Answered(said))) => {
                pass.reached();
                return Err(Error::Failed(said));
            }
            Ok(Err(Fault::Broken(reason))) => reason,
            Err(_) => format!("it took longer than {} s", time.as_secs()),
        };
        pass.failed(self.start.elapsed());
        *self.connection.lock().await = None;
        Err(Error::Unavailable {
            message: format!("the server `{name}` failed: {reason}"),
            retry_after: None,
        })
    }
}

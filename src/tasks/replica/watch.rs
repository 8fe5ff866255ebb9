//! Keeps the lease of this replica, and looks after those of others.

use std::{
    sync::{Arc, Weak, atomic::Ordering::Relaxed},
    time::Duration,
};

use tokio::sync::mpsc;

use super::{Sharing, State, writer::Request};
use crate::{
    store::{
        self,
        postgres::{Peer, Readers},
    },
    tasks::engine::Shared,
};

/// How many times a lease is renewed before it would be over.
const OFTEN: u32 = 4;

/// What the watch owns.
pub(super) struct Watch {
    pub(super) me: Arc<str>,
    pub(super) sharing: Sharing,
    pub(super) readers: Arc<Readers>,
    pub(super) shared: Weak<Shared>,
    pub(super) requests: mpsc::WeakSender<Request>,
    pub(super) state: Arc<State>,
    pub(super) takes: bool,
}

impl Watch {
    /// Watches for as long as the writer is there.
    pub(super) async fn run(self) {
        let often = self.sharing.lease / OFTEN;
        let mut pause = often;
        while let Some(requests) = self.requests.upgrade() {
            if requests.is_closed() {
                return;
            }
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = requests.closed() => return,
            }
            drop(requests);
            match self.renew().await {
                Ok(peers) => {
                    pause = often;
                    self.look_after(&peers).await;
                }
                Err(error) => {
                    pause = often.min(Duration::from_secs(1));
                    self.state.note(Some(error));
                }
            }
        }
    }

    pub(super) async fn renew(&self) -> Result<Vec<Peer>, store::Error> {
        let peers = self.readers.renew(&self.me, &self.sharing.name, self.sharing.lease).await?;
        self.state.alive.store(peers.iter().filter(|peer| !peer.is_over).count(), Relaxed);
        Ok(peers)
    }

    /// Has the writer see to it when replicas are gone.
    async fn look_after(&self, peers: &[Peer]) {
        let Some(shared) = self.shared.upgrade().filter(|_| self.takes) else { return };
        let alive = |name: &Arc<str>| peers.iter().any(|peer| !peer.is_over && peer.writer == *name);
        let mut missed = shared.table.lock().owners();
        drop(shared);
        missed.extend(peers.iter().filter(|peer| peer.is_over).map(|peer| Arc::clone(&peer.writer)));
        missed.retain(|name| *name != self.me && !alive(name));
        if let Some(requests) = self.requests.upgrade().filter(|_| !missed.is_empty()) {
            let _ = requests.send(Request::LookAfter(missed)).await;
        }
    }
}

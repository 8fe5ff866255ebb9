//! Keeps the definitions as the files are, and tells those who listen what has changed.

use std::{sync::Arc, time::Duration};

use super::{
    library::{self, Library, Shelves},
    office::JOURNAL,
};
use crate::{
    base::Tracker,
    catalog::{Besides, Watch, codes},
    mcp,
    protocol::Bus,
    tools::Office,
};

/// How soon a changed file is noticed where the system does not tell.
const LOOK_AROUND: Duration = Duration::from_secs(2);

/// What is told of, to whom, and who shows it.
pub(super) struct News {
    pub(super) office: Office,
    pub(super) library: Arc<Library>,
    pub(super) host: Arc<mcp::Crew>,
    pub(super) bus: Bus,
}

impl News {
    /// Goes on in the background until `tracker` stops.
    pub(super) fn start(self, tracker: &Tracker) {
        let stop = tracker.stopping().clone();
        tracker.spawn(async move {
            tokio::select! {
                biased;
                () = stop.cancelled() => {}
                () = async { tokio::join!(self.of_files(), self.of_tasks()); } => {}
            }
        });
    }

    /// The system tells of changed files; where it does not, they are looked at every few seconds.
    async fn of_files(&self) {
        let catalog = self.office.crew.catalog();
        let mut watch = Watch::begin(catalog, Besides { with: &library::RECORDS, without: JOURNAL }).await;
        if watch.is_none() {
            let seconds = LOOK_AROUND.as_secs();
            tracing::info!("this system tells of no changed files; they are looked at every {seconds} s");
        }
        let mut known = None;
        loop {
            // Also the first time: something may have changed before the watch began.
            self.look(&mut known).await;
            self.wait(watch.as_ref(), &mut known).await;
            if let Some(running) = watch.take() {
                watch = running.renew().await;
            }
        }
    }

    /// Waits until files have moved; meanwhile sees to those who begin to listen.
    async fn wait(&self, watch: Option<&Watch>, known: &mut Option<Shelves>) {
        let mut moved = std::pin::pin!(moved(watch));
        loop {
            tokio::select! {
                () = &mut moved => return,
                () = self.bus.arrival() => self.remember(known).await,
            }
        }
    }

    /// Keeps what those who begin to listen now may know, so that later it can be told what is different.
    async fn remember(&self, known: &mut Option<Shelves>) {
        if self.bus.listeners() == 0 {
            *known = None;
        } else if known.is_none() {
            *known = Some(self.library.shelves().await);
        }
    }

    /// Reads what has changed, and tells of it if anybody listens.
    async fn look(&self, known: &mut Option<Shelves>) {
        self.remember(known).await;
        let catalog = self.office.crew.catalog();
        let before = catalog.loaded();
        if catalog.refresh().await {
            let snapshot = catalog.snapshot();
            tracing::info!(findings = snapshot.findings.len(), "definitions were read again");
            // What nobody else can tell: who looks at the file later does not know what it said before.
            for found in snapshot.findings.iter().filter(|found| found.diagnostic.code == codes::EMPTIED_FILE)
            {
                tracing::warn!(path = %found.source.name, "{}", found.diagnostic.message);
            }
            // Somebody may have begun to listen meanwhile, and knows what was there before.
            if let Some(before) = before.filter(|_| known.is_none() && self.bus.listeners() > 0) {
                *known = Some(self.library.shelves_of(before).await);
            }
        }
        self.library.look_at_records().await;
        if let Some(before) = known {
            let now = self.library.shelves().await;
            now.tell(before, &self.bus);
            *before = now;
        }
    }

    /// Tells how tasks stand that have changed, whoever began them.
    async fn of_tasks(&self) {
        let tasks = self.office.opened().await;
        loop {
            let changed = tasks.changed().await;
            if self.bus.listeners() == 0 {
                continue;
            }
            for id in &changed {
                let Ok(task) = tasks.get(id).await else { continue };
                self.host.tell_of(&task);
                self.bus.resource_updated(&library::uri_of_task(&task.task_id));
            }
        }
    }
}

/// Waits until files have moved, or until it is time to look.
async fn moved(watch: Option<&Watch>) {
    match watch {
        Some(watch) => watch.changed().await,
        None => tokio::time::sleep(LOOK_AROUND).await,
    }
}

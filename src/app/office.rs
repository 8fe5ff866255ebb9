//! Opens a project: its definitions, its models, its tasks.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{Post, Settings};
use crate::{
    base::Tracker,
    catalog::Catalog,
    engine::{
        self, Crew,
        delivery::{self, Outbox},
        outbound::Outbound,
    },
    llm, tasks,
    tools::{self, Office, Opened},
};

/// Where the tasks of a project are kept, relative to its root.
pub(super) const JOURNAL: &str = ".crew/tasks.jsonl";

/// Where it is kept what became of deliveries, relative to the root of a project.
pub const OUTBOX: &str = ".crew/outbox.jsonl";

/// What is to become of tasks when this process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Journal {
    /// They are kept; another process that keeps them already is an error.
    Required,
    /// They are kept, unless another process keeps those of this project already.
    IfFree,
    /// They are kept, but what others left is not begun: that waits for a process that serves. Another process that keeps
    /// them already is an error.
    Own,
    /// They are gone.
    None,
}

/// Opens the project at `root`. Nothing is read until it is needed.
pub fn open(root: &Path, settings: Settings, journal: Journal, tracker: &Tracker) -> Office {
    let client = llm::Client::new(settings.llm, Arc::new(llm::Meter::new()));
    let catalog = Catalog::open(root.to_owned()).with_user_employees(settings.user_employees);
    let embedding = settings.embedder.map(|embeds| embeds.open(&client));
    let crew = Arc::new(
        Crew::new(catalog, client, settings.models)
            .with_outbound(Outbound::new(settings.outbound))
            .remembering(settings.memory)
            .embedding(embedding)
            .identified_by(settings.identities)
            .standing(settings.still),
    );
    let opener = Opener {
        root: root.to_owned(),
        post: settings.post,
        journal,
        options: settings.tasks,
        crew: Arc::clone(&crew),
        tracker: tracker.clone(),
    };
    let opener = Arc::new(opener);
    let office = Office::new(crew, Box::new(move || Box::pin(Arc::clone(&opener).open())));
    tools::equip(&office);
    office
}

struct Opener {
    root: PathBuf,
    post: Post,
    journal: Journal,
    options: tasks::Options,
    crew: Arc<Crew>,
    tracker: Tracker,
}

impl Opener {
    async fn open(self: Arc<Self>) -> Result<Opened, tasks::Error> {
        let tasks = self.tasks().await?;
        let outbox = self.outbox(&tasks).await?;
        Ok(Opened { tasks, outbox: Some(outbox) })
    }

    /// The outbox belongs to whoever keeps the tasks.
    async fn outbox(&self, tasks: &tasks::Engine) -> Result<Outbox, tasks::Error> {
        let options = delivery::Options {
            log: tasks.is_durable().then(|| self.root.join(OUTBOX)),
            beside: self.options.sharing.is_some(),
            resume: self.journal != Journal::Own,
            patience: self.post.patience,
        };
        let courier = self.post.courier(self.crew.outbound().clone());
        Ok(Outbox::open(options, Arc::clone(&self.crew), tasks.clone(), courier, &self.tracker).await?)
    }

    /// Whether what others left is begun. Where servers share tasks, whoever is there for one person leaves that to them.
    fn resumes(&self) -> bool {
        match self.options.sharing {
            Some(_) => self.journal == Journal::Required,
            None => self.journal != Journal::Own,
        }
    }

    async fn tasks(&self) -> Result<tasks::Engine, tasks::Error> {
        match self.engine(self.journal != Journal::None).await {
            Err(tasks::Error::Owned { pid, .. }) if self.journal == Journal::IfFree => {
                tracing::warn!(
                    pid,
                    "another process keeps the tasks of this project; those of this one end with it"
                );
                self.engine(false).await
            }
            opened => opened,
        }
    }

    async fn engine(&self, kept: bool) -> Result<tasks::Engine, tasks::Error> {
        let is_shared = kept && self.options.sharing.is_some();
        if is_shared && std::fs::metadata(self.root.join(JOURNAL)).is_ok_and(|file| file.len() > 0) {
            tracing::warn!(
                "nobody sees to the tasks in {JOURNAL}; `task import` brings them into the database"
            );
        }
        let options = tasks::Options {
            journal: kept.then(|| self.root.join(JOURNAL)),
            sharing: self.options.sharing.clone().filter(|_| kept),
            resume: self.resumes(),
            // Until the outbox has sent it.
            owed: Some(delivery::DELIVER),
            ..self.options.clone()
        };
        tasks::Engine::open(options, engine::bodies(&self.crew), self.tracker.clone()).await
    }
}

//! Opens a project: its definitions, its models, its tasks.

use std::{path::Path, sync::Arc};

use anyhow::Context as _;

use super::Settings;
use crate::{
    base::Tracker,
    catalog::Catalog,
    engine::{self, Crew},
    llm, tasks,
    tools::Office,
};

/// Where the tasks of a project are kept, relative to its root.
const JOURNAL: &str = ".crew/tasks.jsonl";

/// What is to become of tasks when this process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Journal {
    /// They are kept; another process that keeps them already is an error.
    Required,
    /// They are kept, unless another process keeps those of this project already.
    IfFree,
    /// They are gone.
    None,
}

/// Opens the project at `root`.
///
/// # Errors
/// When the tasks of the project cannot be read or are kept by another process.
pub async fn open(
    root: &Path,
    settings: Settings,
    journal: Journal,
    tracker: &Tracker,
) -> anyhow::Result<Office> {
    let client = llm::Client::new(settings.llm);
    let crew = Arc::new(Crew::new(Catalog::open(root.to_owned()), client, settings.default_model));
    let options = |kept: bool| tasks::Options {
        journal: kept.then(|| root.join(JOURNAL)),
        ..tasks::Options::default()
    };
    let open = |kept: bool| tasks::Engine::open(options(kept), engine::bodies(&crew), tracker.clone());
    let tasks = match open(journal != Journal::None).await {
        Err(tasks::Error::Owned { pid, .. }) if journal == Journal::IfFree => {
            tracing::warn!(pid, "another process keeps the tasks of this project; those of this one end with it");
            open(false).await
        }
        opened => opened,
    };
    let tasks = tasks.with_context(|| format!("tasks of `{}` ({JOURNAL})", root.display()))?;
    Ok(Office { crew, tasks })
}

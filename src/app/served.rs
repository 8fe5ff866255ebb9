//! What a server of either kind shows: crew as something to be served, kept up to date.

use std::{sync::Arc, time::Duration};

use super::library::Library;
use crate::{
    base::Tracker,
    catalog::Watch,
    engine::Crew,
    mcp,
    protocol::{Implementation, Info},
    tools::{self, Office, UnknownToolset},
};

/// How soon a changed definition is noticed where the system does not tell.
const LOOK_AROUND: Duration = Duration::from_secs(2);

/// What a model should know before it uses the tools; the essentials come first, as some clients cut the rest.
const INSTRUCTIONS: &str = "crew holds the AI employees of this project: roles with instructions, arguments and models. \
    Use list_employees to see whom to ask and get_employee for details. run_employee gives you the prompt of an \
    employee to follow yourself; with execute: true the employee's own model does the work. list_pipelines and \
    run_pipeline do the same for several employees in an order. Long work: background: true answers with a task id, \
    get_task tells how far it is.";

/// Crew, as MCP clients see it, with the tools of `toolsets` (all when empty).
pub(super) fn host(office: &Office, toolsets: &[String]) -> Result<mcp::Crew, UnknownToolset> {
    let registry = Arc::new(tools::all(office).with_toolsets(toolsets)?);
    let library = Arc::new(Library::new(office.clone()));
    let info = Info {
        implementation: Implementation {
            name: "crew".to_owned(),
            title: Some("Crew".to_owned()),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            description: Some(env!("CARGO_PKG_DESCRIPTION").to_owned()),
            ..Implementation::default()
        },
        instructions: Some(INSTRUCTIONS.to_owned()),
    };
    Ok(mcp::Crew::new(info, registry, library).with_tasks(office.clone()))
}

/// Keeps the definitions as the files are, in the background, until `tracker` stops. The system tells of changes; where
/// it does not, the files are looked at every few seconds.
pub(super) fn watch_files(office: &Office, tracker: &Tracker) {
    let crew = Arc::clone(&office.crew);
    let stop = tracker.stopping().clone();
    tracker.spawn(async move {
        tokio::select! {
            () = stop.cancelled() => {}
            () = keep_up(&crew) => {}
        }
    });
}

async fn keep_up(crew: &Crew) {
    let catalog = crew.catalog();
    let mut watch = Watch::begin(catalog).await;
    if watch.is_none() {
        tracing::info!(
            "this system tells of no changed files; they are looked at every {} s",
            LOOK_AROUND.as_secs()
        );
    }
    loop {
        // Also the first time: something may have changed before the watch began.
        if catalog.refresh().await {
            tracing::info!(findings = catalog.snapshot().findings.len(), "definitions were read again");
        }
        match watch.take() {
            Some(running) => {
                running.changed().await;
                watch = running.renew().await;
            }
            None => tokio::time::sleep(LOOK_AROUND).await,
        }
    }
}

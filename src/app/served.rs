//! What a server of either kind shows: crew as something to be served, kept up to date.

use std::{sync::Arc, time::Duration};

use super::library::Library;
use crate::{
    base::Tracker,
    mcp,
    protocol::{Implementation, Info},
    tools::{self, Office},
};

/// How soon a changed definition is noticed.
const LOOK_AROUND: Duration = Duration::from_secs(2);

/// What a model should know before it uses the tools; the essentials come first, as some clients cut the rest.
const INSTRUCTIONS: &str = "crew holds the AI employees of this project: roles with instructions, arguments and models. \
    Use list_employees to see whom to ask and get_employee for details. run_employee gives you the prompt of an \
    employee to follow yourself; with execute: true the employee's own model does the work. list_pipelines and \
    run_pipeline do the same for several employees in an order. Long work: background: true answers with a task id, \
    get_task tells how far it is.";

/// Crew, as MCP clients see it.
pub(super) fn host(office: &Office) -> mcp::Crew {
    let registry = Arc::new(tools::all(office));
    let library = Arc::new(Library::new(Arc::clone(&office.crew)));
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
    mcp::Crew::new(info, registry, library).with_tasks(office.clone())
}

/// Looks for changed definitions in the background, until `tracker` stops.
pub(super) fn watch_files(office: &Office, tracker: &Tracker) {
    let crew = Arc::clone(&office.crew);
    let stop = tracker.stopping().clone();
    tracker.spawn(async move {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(LOOK_AROUND) => {}
            }
            if crew.catalog().refresh().await {
                tracing::info!(
                    findings = crew.catalog().snapshot().findings.len(),
                    "definitions were read again"
                );
            }
        }
    });
}

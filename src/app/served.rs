//! What a server of either kind shows: crew as something to be served, kept up to date.

use std::sync::Arc;

use super::{library::Library, news::News};
use crate::{
    base::Tracker,
    mcp,
    protocol::{Bus, Icon, Implementation, Info},
    tools::{self, Office, UnknownToolset},
};

/// What a model should know before it uses the tools; the essentials come first, as some clients cut the rest.
const INSTRUCTIONS: &str = "crew holds the AI employees of this project: roles with instructions, arguments and models. \
    Use list_employees to see whom to ask and get_employee for details. run_employee gives you the prompt of an \
    employee to follow yourself; with execute: true the employee's own model does the work. list_pipelines and \
    run_pipeline do the same for several employees in an order. Long work: background: true answers with a task id, \
    get_task tells how far it is.";

/// Three heads and their shoulders, on any ground.
const ICON: &str = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 24 24' \
    fill='%234f46e5'%3E%3Ccircle cx='5' cy='9' r='3'/%3E%3Ccircle cx='19' cy='9' r='3'/%3E%3Ccircle cx='12' cy='7' \
    r='4'/%3E%3Cpath d='M0 20a5 6 0 0 1 10 0zM14 20a5 6 0 0 1 10 0zM5 21a7 8 0 0 1 14 0z'/%3E%3C/svg%3E";

/// Crew, as MCP clients see it, with the tools of `toolsets` (all when empty). Until `tracker` stops it is kept as the
/// files are, and clients that listen are told what changes.
pub(super) fn host(
    office: &Office,
    toolsets: &[String],
    scopes: mcp::Scopes,
    tracker: &Tracker,
) -> Result<Arc<mcp::Crew>, UnknownToolset> {
    let registry = Arc::new(tools::all(office).with_toolsets(toolsets)?);
    let library = Arc::new(Library::new(office.clone()));
    let info = Info {
        implementation: Implementation {
            name: "crew".to_owned(),
            title: Some("Crew".to_owned()),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            description: Some(env!("CARGO_PKG_DESCRIPTION").to_owned()),
            website_url: None,
            icons: vec![Icon {
                src: ICON.to_owned(),
                mime_type: Some("image/svg+xml".to_owned()),
                sizes: vec!["any".to_owned()],
                theme: None,
            }],
        },
        instructions: Some(INSTRUCTIONS.to_owned()),
    };
    let bus = Bus::new();
    let host = mcp::Crew::new(info, registry, Arc::clone(&library) as _);
    let host = Arc::new(host.with_tasks(office.clone()).with_scopes(scopes).with_bus(bus.clone()));
    let news = News { office: office.clone(), library, host: Arc::clone(&host), bus };
    news.start(tracker);
    Ok(host)
}

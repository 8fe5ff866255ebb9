//! One MCP client over stdin and stdout.

use std::path::Path;

use anyhow::Context as _;

use super::{Environment, Journal, Settings, office, pipes, served};
use crate::{base::Tracker, mcp};

/// Serves the project at `root` to the client at the other end of stdin and stdout, until stdin ends.
///
/// # Errors
/// When stdin cannot be read.
pub async fn stdio(root: &Path, toolsets: &[String], env: &Environment) -> anyhow::Result<()> {
    let tracker = Tracker::new();
    let office = office::open(root, Settings::read(env, root)?, Journal::IfFree, &tracker);
    office.crew.keep_embedded(&tracker);
    office.crew.keep_settled(&tracker);
    let host = served::host(&office, toolsets, mcp::Scopes::default(), &tracker)?;
    let served = mcp::serve_stdio(host, pipes::input(), pipes::output(), tracker.clone()).await;
    tracker.stop();
    served.context("stdin")
}

//! One MCP client over stdin and stdout.

use std::{path::Path, time::Duration};

use anyhow::Context as _;

use super::{Environment, Journal, Settings, office, pipes, serve, served};
use crate::{base::Tracker, mcp};

/// What work that nobody waits for may take once the client has gone; what is not done by then goes on with the next start.
const GRACE: Duration = Duration::from_secs(5);

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
    if tokio::time::timeout(GRACE, tracker.wait()).await.is_err() {
        tracing::warn!("work is still running; it goes on with the next start");
    }
    serve::farewell(&office).await;
    served.context("stdin")
}

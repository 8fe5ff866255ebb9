//! Tools that say something before they answer: progress, and messages for the log.

use std::time::Duration;

use crew::protocol::context::Level;
use serde_json::json;
use tokio::time::sleep;

use super::{Fixture, fixture, said};

/// How long the suite wants a tool to take between two reports.
const PAUSE: Duration = Duration::from_millis(50);

pub(super) fn all() -> Vec<Fixture> {
    vec![
        fixture("test_tool_with_progress", "Reports its progress", json!({}), |call| {
            Box::pin(async move {
                for done in [0.0, 50.0, 100.0] {
                    call.context.progress(done, Some(100.0), "");
                    sleep(PAUSE).await;
                }
                said("The work is done.")
            })
        }),
        fixture("test_tool_with_logging", "Writes to the log", json!({}), |call| {
            Box::pin(async move {
                for step in ["Tool execution started", "Tool processing data", "Tool execution completed"] {
                    call.context.log(Level::Info, "conformance", &json!(step));
                    sleep(PAUSE).await;
                }
                said("Three messages were written.")
            })
        }),
        fixture("test_logging_tool", "Writes to the log if the client wants that", json!({}), |call| {
            Box::pin(async move {
                call.context.log(Level::Info, "conformance", &json!("A message for those who asked"));
                said("A message was written.")
            })
        }),
        fixture("test_reconnection", "Lets the connection go and answers later", json!({}), |call| {
            Box::pin(async move {
                call.context.close_stream();
                sleep(PAUSE * 2).await;
                said("The client has come back.")
            })
        }),
    ]
}

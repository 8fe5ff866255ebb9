//! Tools that say that something has changed. Nothing has: the suite looks for the notice alone.

use serde_json::json;

use super::{Fixture, fixture, said};

pub(super) fn all() -> Vec<Fixture> {
    vec![
        fixture("test_trigger_tool_change", "Says that the tools have changed", json!({}), |call| {
            Box::pin(async move {
                call.bus.tools_changed();
                said("Those who listen were told.")
            })
        }),
        fixture("test_trigger_prompt_change", "Says that the prompts have changed", json!({}), |call| {
            Box::pin(async move {
                call.bus.prompts_changed();
                said("Those who listen were told.")
            })
        }),
    ]
}

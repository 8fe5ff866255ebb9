//! `rate_memory`.

use schemars::JsonSchema;
use serde::Deserialize;

use super::own;
use crate::{
    engine::memory::{Feedback, Rated},
    tools::{Annotations, Ctx, Error, Tool, office::Office},
};

pub(in crate::tools) struct RateMemory(pub(in crate::tools) Office);

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::tools) struct RateArgs {
    /// Name or trigger of the employee.
    employee: String,
    /// Ids of memories that were of use.
    #[serde(default)]
    useful_memory_ids: Vec<String>,
    /// Ids of memories that were told; those among them that were not of use come a little later from now on.
    #[serde(default)]
    recalled_memory_ids: Vec<String>,
    /// What says so: the id of a task or a session. It is heard once about each memory, so that a repetition changes nothing.
    #[serde(default)]
    source: String,
}

/// Nothing is lost, and what comes of it can be undone by saying otherwise.
const RATES: Annotations = Annotations {
    read_only_hint: false,
    destructive_hint: false,
    idempotent_hint: false,
    open_world_hint: false,
};

impl Tool for RateMemory {
    type Args = RateArgs;
    type Output = Rated;

    const NAME: &'static str = "rate_memory";
    const TITLE: &'static str = "Say which memories were useful";
    const SUMMARY: &'static str = "Keeps which of the memories that an employee was told were of use; those come a little \
        sooner in searches, the others a little later.";
    const ANNOTATIONS: Annotations = RATES;

    async fn call(&self, ctx: Ctx, args: RateArgs) -> Result<Rated, Error> {
        let holder = own(&self.0, &ctx, &args.employee).await?;
        let feedback = Feedback {
            useful: args.useful_memory_ids,
            recalled: args.recalled_memory_ids,
            source: args.source,
        };
        Ok(self.0.crew.remember(move |memory| memory.rate(&holder, &feedback)).await?)
    }
}

//! `remove_schedule`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::tools::{Annotations, Ctx, Deed, Error, Tool, office::Office};

pub(in crate::tools) struct RemoveSchedule(pub(in crate::tools) Office);

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::tools) struct Args {
    /// Name of the schedule.
    name: String,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::tools) struct Answer {
    /// The schedule that is gone.
    removed: String,
}

/// What was there is gone.
const REMOVES: Annotations = Annotations {
    read_only_hint: false,
    destructive_hint: true,
    idempotent_hint: true,
    open_world_hint: false,
};

impl Tool for RemoveSchedule {
    type Args = Args;
    type Output = Answer;

    const NAME: &'static str = "remove_schedule";
    const TITLE: &'static str = "Remove a schedule";
    const SUMMARY: &'static str = "Removes a schedule that add_schedule has added; a run of it that has begun goes on. One \
        that is written in .crew/cron.yaml is refused: people remove it there.";
    const ANNOTATIONS: Annotations = REMOVES;

    async fn call(&self, ctx: Ctx, args: Args) -> Result<Answer, Error> {
        let act = self.0.acts.begin(Deed::RemoveSchedule, ctx.caller().name(), &args.name);
        act.end(self.0.crew.remove_schedule(&args.name).await).await?;
        Ok(Answer { removed: args.name })
    }
}

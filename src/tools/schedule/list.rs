//! `list_schedules`.

use futures_util::FutureExt as _;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    engine::ScheduleStatus,
    tools::{Annotations, Ctx, Error, Tool, office::Office},
};

pub(in crate::tools) struct ListSchedules(pub(in crate::tools) Office);

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::tools) struct Args {}

impl Tool for ListSchedules {
    type Args = Args;
    type Output = ScheduleStatus;

    const NAME: &'static str = "list_schedules";
    const TITLE: &'static str = "List the schedules";
    const SUMMARY: &'static str = "Lists what the clock starts: each schedule with what it starts, when it runs next, and \
        when and how it ran last. A server of the project (`serve`) is what runs them.";
    const ANNOTATIONS: Annotations = Annotations::READS;

    async fn call(&self, _: Ctx, _: Args) -> Result<ScheduleStatus, Error> {
        // Whoever only looks does not open the tasks.
        let tasks = self.0.opened().now_or_never();
        Ok(self.0.crew.schedules(tasks).await)
    }
}

//! `add_schedule`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    defs::{Budget, Misfire, Overlap, TargetKind},
    engine::{self, NewSchedule, shown},
    tasks::OwnRetry,
    tools::{Annotations, Ctx, Deed, Error, Tool, office::Office},
};

pub(in crate::tools) struct AddSchedule(pub(in crate::tools) Office);

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::tools) struct Args {
    /// A name that no other schedule has.
    name: String,
    /// Minute, hour, day of month, month, day of week, as in `0 9 * * MON-FRI`; or a word such as `@daily`.
    cron: String,
    /// Whether it starts an employee or a pipeline.
    target_type: TargetKind,
    /// Name of the employee or pipeline.
    target_name: String,
    /// Values for its arguments.
    #[serde(default)]
    args: engine::Args,
    /// The time zone the fields are meant in, for instance `Asia/Shanghai`.
    #[serde(default)]
    timezone: Option<String>,
    /// Model to use in place of every other choice.
    #[serde(default)]
    model: Option<String>,
    /// What becomes of runs that were missed while no server ran: `skip` (unless given), `once` or `all`.
    #[serde(default)]
    misfire: Option<Misfire>,
    /// What becomes of a run that is due while the one before goes on: `skip` (unless given), `queue` or `allow`.
    #[serde(default)]
    overlap: Option<Overlap>,
    /// Each run begins up to this many seconds later, by chance; at most 3600.
    #[serde(default)]
    jitter_seconds: Option<u32>,
    /// How many seconds a run may take, at most 86400; it fails then.
    #[serde(default)]
    timeout_seconds: Option<u32>,
    /// How often a run is tried that fails with something that may pass, such as a model that is busy; in place of what the
    /// project says.
    #[serde(default)]
    retry: Option<Retry>,
    /// Most US dollars that a run may cost.
    #[serde(default)]
    #[schemars(range(min = 0))]
    max_cost_usd: Option<f64>,
    /// Most tokens that a run may use, read and written.
    #[serde(default)]
    #[schemars(range(min = 1))]
    max_tokens: Option<u64>,
    /// Where results go, by names under `destinations` in .crew/config.yaml.
    #[serde(default)]
    #[schemars(length(max = 20))]
    deliver: Vec<String>,
}

/// How often a run is tried.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Retry {
    /// How often in all; 5, or what the project says, unless given.
    #[serde(default)]
    #[schemars(range(min = 1, max = 100))]
    attempts: Option<u32>,
    /// How many seconds it waits before it is tried for the second time; the wait doubles each time.
    #[serde(default)]
    #[schemars(range(min = 1, max = 86_400))]
    backoff_seconds: Option<u32>,
    /// The most seconds it waits.
    #[serde(default)]
    #[schemars(range(min = 1, max = 604_800))]
    max_backoff_seconds: Option<u32>,
}

impl From<Retry> for OwnRetry {
    fn from(Retry { attempts, backoff_seconds, max_backoff_seconds }: Retry) -> Self {
        Self { attempts, backoff_seconds, max_backoff_seconds }
    }
}

#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::tools) struct Answer {
    /// Its name.
    name: String,
    /// When it runs the next three times.
    next: Vec<String>,
}

/// It starts work from then on, which costs.
const ADDS: Annotations = Annotations {
    read_only_hint: false,
    destructive_hint: true,
    idempotent_hint: false,
    open_world_hint: true,
};

impl Tool for AddSchedule {
    type Args = Args;
    type Output = Answer;

    const NAME: &'static str = "add_schedule";
    const TITLE: &'static str = "Add a schedule";
    const SUMMARY: &'static str = "Has the server of this project start an employee or a pipeline at times from now on, \
        until remove_schedule. It is kept in .crew/schedules.json, beside those that people write in .crew/cron.yaml.";
    const ANNOTATIONS: Annotations = ADDS;

    async fn call(&self, ctx: Ctx, args: Args) -> Result<Answer, Error> {
        let new = NewSchedule {
            name: args.name,
            cron: args.cron,
            target_type: args.target_type,
            target_name: args.target_name,
            args: args.args,
            timezone: args.timezone,
            model: args.model,
            misfire: args.misfire,
            overlap: args.overlap,
            jitter_seconds: args.jitter_seconds,
            timeout_seconds: args.timeout_seconds,
            retry: args.retry.map(Into::into),
            budget: Budget { max_cost: args.max_cost_usd, max_tokens: args.max_tokens },
            delivery: args.deliver,
        };
        let act = self.0.acts.begin(Deed::AddSchedule, ctx.caller().name(), &new.name);
        act.end(self.0.crew.add_schedule(&new).await).await?;
        let upcoming = self.0.crew.upcoming(Some(&new.name), 3).await;
        let next = upcoming.iter().flat_map(|(_, next)| next).map(shown).collect();
        Ok(Answer { name: new.name, next })
    }
}

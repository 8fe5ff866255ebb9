//! The shapes of `webhook.yaml` and `cron.yaml`.

#![expect(dead_code, reason = "these types are never made, only their schemas")]

use indexmap::IndexMap;
use schemars::JsonSchema;

use super::{
    delivery::Delivery,
    piece::{Flag, FullText, Secret, Text, Texts},
};
use crate::defs::TargetKind;

/// What deliveries from GitHub start: `.crew/webhook.yaml`.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct Webhook {
    /// What deliveries are signed with; better `${NAME}`, the variable that holds it.
    github_secret: Option<Secret>,
    /// The first that fits a delivery is taken.
    routes: Option<Vec<Route>>,
}

/// Which deliveries start what.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Route {
    /// Name of the event, for instance `pull_request`; `*` for all.
    #[schemars(regex(pattern = r"^\s*(\*|[a-z_]+)\s*$"))]
    event: String,
    /// Values of the delivery's `action` it is for; all, unless given.
    action: Option<Actions>,
    /// `owner/name` of the only repository it is for.
    #[schemars(regex(pattern = r"^\s*[^\s/]+/[^\s/]+\s*$"))]
    repository: Option<String>,
    /// The only branch it is for.
    branch: Option<Text>,
    /// What is started.
    target: Target,
    /// Where the result goes.
    deliver: Option<Vec<Delivery>>,
}

/// One action or several.
#[derive(JsonSchema)]
#[schemars(untagged)]
enum Actions {
    One(String),
    Several(Texts),
}

/// What is started.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Target {
    /// Which of the two.
    #[schemars(rename = "type")]
    kind: TargetKind,
    /// Its name.
    name: FullText,
    /// Values for it, with `{{path.in.the.delivery}}` filled in.
    args: Option<IndexMap<String, Option<Text>>>,
}

/// What is started by the clock: `.crew/cron.yaml`.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct Cron {
    /// The time zone of all schedules that give none, for instance `Europe/Berlin`.
    timezone: Option<Text>,
    /// Each with a name of its own.
    schedules: Option<Vec<Schedule>>,
}

/// When what is started.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Schedule {
    /// Unique in the file.
    name: FullText,
    /// Minute, hour, day of month, month, day of week, as in `0 9 * * MON-FRI`; or a word such as `@daily`.
    cron: FullText,
    /// The time zone its fields are meant in.
    timezone: Option<Text>,
    /// Whether it runs at all; it does, unless this says no.
    enabled: Option<Flag>,
    /// Which of the two is started.
    target_type: TargetKind,
    /// Its name.
    target_name: FullText,
    /// Values for it.
    args: Option<IndexMap<String, Option<Text>>>,
    /// Where results go.
    delivery: Option<Vec<Delivery>>,
}

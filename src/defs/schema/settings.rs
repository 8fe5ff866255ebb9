//! The shapes of `webhook.yaml` and `cron.yaml`.

#![expect(dead_code, reason = "these types are never made, only their schemas")]

use indexmap::IndexMap;
use schemars::JsonSchema;

use super::{
    delivery::Delivery,
    piece::{Budget, Event, Flag, FullText, Retry, Secret, Text, Texts, Whole},
};
use crate::{
    base::Priority,
    defs::{Misfire, OnMissing, Overlap, TargetKind},
};

/// What deliveries start: `.crew/webhook.yaml`.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct Webhook {
    /// What deliveries of GitHub are signed with; better `${NAME}`, the variable that holds it.
    github_secret: Option<Secret>,
    /// What calls of `/webhook` may be signed with in place of a token (Standard Webhooks, `whsec_…`); better `${NAME}`.
    webhook_secret: Option<Secret>,
    /// The first that fits a delivery is taken.
    routes: Option<Vec<Route>>,
}

/// Which deliveries start what.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Route {
    /// Name of the event, for instance `pull_request`; `*` for all but `ping`.
    event: Events,
    /// Values of the delivery's `action` it is for; all, unless given.
    action: Option<OneOrMore>,
    /// The repositories it is for, `owner/name` or `owner/*`.
    repository: Option<OneOrMore>,
    /// The branches it is for, `main` or `release/**`.
    branch: Option<OneOrMore>,
    /// The logins whose doings it is for; `!*[bot]` keeps robots out.
    sender: Option<OneOrMore>,
    /// A newer delivery about the same pull request, issue or branch takes the place of older ones that are not done.
    supersede: Option<Flag>,
    /// What becomes of a delivery that lacks a value; `error`, unless given.
    on_missing: Option<OnMissing>,
    /// How soon what is started is begun when more work waits than is worked on; `normal`, unless given.
    priority: Option<Priority>,
    /// How often a run is tried that fails with something that may pass, in place of `tasks.retry` in `.crew/config.yaml`.
    retry: Option<Retry>,
    /// What is started.
    target: Target,
    /// Where the result goes.
    deliver: Option<Vec<Delivery>>,
}

/// One event or several.
#[derive(JsonSchema)]
#[schemars(untagged)]
enum Events {
    One(Event),
    Several(Vec<Event>),
}

/// One pattern or several: `*` stands for anything but `/`, `**` for anything, and `!` keeps out.
#[derive(JsonSchema)]
#[schemars(untagged)]
enum OneOrMore {
    One(Text),
    Several(Texts),
}

/// What is started.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Target {
    /// What kind of thing it is.
    #[schemars(rename = "type")]
    kind: TargetKind,
    /// Its name.
    name: FullText,
    /// Values for it, with `{{path.in.the.delivery}}` and `{{path | default("…")}}` filled in.
    args: Option<IndexMap<String, Option<Text>>>,
    /// How much a run may take.
    budget: Option<Budget>,
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
    /// Minute, hour, day of month, month, day of week, as in `0 9 * * MON-FRI`; or a word such as `@daily`. A sixth field
    /// is seconds, a seventh the year.
    cron: FullText,
    /// The time zone its fields are meant in.
    timezone: Option<Text>,
    /// Whether it runs at all; it does, unless this says no.
    enabled: Option<Flag>,
    /// What kind of thing is started.
    target_type: TargetKind,
    /// Its name.
    target_name: FullText,
    /// Values for it.
    args: Option<IndexMap<String, Option<Text>>>,
    /// Model to use in place of every other choice.
    model: Option<Text>,
    /// What becomes of moments that went by while no server ran; `skip`, unless given.
    misfire: Option<Misfire>,
    /// What becomes of a moment that comes while the run before goes on; `skip`, unless given.
    overlap: Option<Overlap>,
    /// Each run begins up to this many seconds later, by chance.
    jitter_seconds: Option<Whole<0, 3600>>,
    /// How long a run may take; it fails then.
    timeout_seconds: Option<Whole<1, 86_400>>,
    /// How soon a run is begun when more work waits than is worked on; `normal`, unless given.
    priority: Option<Priority>,
    /// How often a run is tried that fails with something that may pass, in place of `tasks.retry` in `.crew/config.yaml`.
    retry: Option<Retry>,
    /// How much a run may take.
    budget: Option<Budget>,
    /// Where results go.
    delivery: Option<Vec<Delivery>>,
}

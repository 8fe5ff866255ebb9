//! When a server that does badly says so itself.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Serialize;

use super::{
    codes,
    delivery::Delivery,
    reader::{Fields, Unknown},
    report::Report,
    yaml::Node,
};
use crate::base::text::closest;

/// What is watched, and who is told. What has no limit is not watched.
#[derive(Debug, Clone, Default, PartialEq, Serialize, JsonSchema)]
#[serde(default)]
pub struct OwnAlerts {
    /// The destinations that are told.
    pub notify: Vec<String>,
    /// What nineteen of twenty calls of models may take.
    pub p95_seconds: Option<f64>,
    /// Which part of the calls of models may fail, from 0 to 1.
    pub error_rate: Option<f64>,
    /// How long a task may wait to be begun.
    pub queue_age_seconds: Option<u32>,
    /// How late a schedule may be.
    pub cron_lag_seconds: Option<u32>,
    /// How far back calls of models count.
    pub window_minutes: Option<u32>,
    /// How long it must be so before anybody is told.
    pub for_seconds: Option<u32>,
}

/// Reads them; `destinations` are the names there are.
pub(super) fn alerts(
    node: &Node,
    destinations: &IndexMap<String, Delivery>,
    report: &mut Report<'_>,
) -> Option<OwnAlerts> {
    let mut fields = Fields::of(node, "`alerts`", report)?;
    let notify = fields.texts("notify", report);
    if notify.is_empty() {
        report
            .error(codes::MISSING_FIELD, fields.place(), "`alerts` needs `notify`")
            .help("list names of `destinations`: `notify: [ops-mail]`");
    }
    for name in &notify {
        if !destinations.contains_key(&name.value) {
            let message = format!("there is no destination `{}`", name.value.escape_debug());
            let draft = report.error(codes::INVALID_VALUE, name.span, message);
            if let Some(near) = closest(&name.value, destinations.keys().map(String::as_str)) {
                draft.help(format!("did you mean `{near}`?"));
            }
        }
    }
    let alerts = OwnAlerts {
        notify: notify.into_iter().map(|name| name.value).collect(),
        p95_seconds: fields.number("p95_seconds", 0.001..=3_600.0, report),
        error_rate: fields.number("error_rate", 0.0..=1.0, report),
        queue_age_seconds: fields.whole("queue_age_seconds", 1..=86_400, report),
        cron_lag_seconds: fields.whole("cron_lag_seconds", 1..=86_400, report),
        window_minutes: fields.whole("window_minutes", 1..=1_440, report),
        for_seconds: fields.whole("for_seconds", 0..=86_400, report),
    };
    fields.finish(Unknown::Refused, &[], report);
    Some(alerts)
}

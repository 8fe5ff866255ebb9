//! How often work is tried that fails with something that may pass, as files say it: `retry: {attempts: 5}`.

use schemars::JsonSchema;
use serde::Serialize;

use super::{
    reader::{Fields, Unknown},
    report::Report,
};

/// What becomes of tasks that fail with something that may pass: a model that is busy or does not answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(default)]
pub struct Retry {
    /// How often they are tried in all.
    pub attempts: Option<u32>,
    /// How long they wait before they are tried for the second time; the wait doubles each time.
    pub backoff_seconds: Option<u32>,
    /// The longest they wait.
    pub max_backoff_seconds: Option<u32>,
}

/// Reads the field `retry`.
pub(super) fn read(fields: &mut Fields<'_>, report: &mut Report<'_>) -> Option<Retry> {
    let mut fields = Fields::of(fields.get("retry")?, "`retry`", report)?;
    let retry = Retry {
        attempts: fields.whole("attempts", 1..=100, report),
        backoff_seconds: fields.whole("backoff_seconds", 1..=86_400, report),
        max_backoff_seconds: fields.whole("max_backoff_seconds", 1..=604_800, report),
    };
    fields.finish(Unknown::Refused, &[], report);
    Some(retry)
}

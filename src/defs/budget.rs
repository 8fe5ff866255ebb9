//! How much a run may take at most, as files say it: `budget: {max_cost: 0.5, max_tokens: 20000}`.

use schemars::JsonSchema;
use serde::Serialize;

use super::{
    codes,
    reader::{Fields, Unknown},
    report::Report,
    yaml::Value,
};

/// The least and the most US dollars a budget can say; what is beyond is a slip.
pub(super) const DOLLARS: std::ops::RangeInclusive<f64> = 0.000_001..=1_000_000.0;

/// How much a run may take at most. Without limits, it may take anything.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, JsonSchema)]
pub struct Budget {
    /// US dollars.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_cost: Option<f64>,
    /// Tokens, read and written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<u64>,
}

impl Budget {
    /// Whether there is no limit.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Reads the field `budget`. A key without meaning is an error: a limit that is passed over costs money.
pub(super) fn read(fields: &mut Fields<'_>, report: &mut Report<'_>) -> Budget {
    let node = fields.get("budget");
    let Some(mut fields) = node.and_then(|node| Fields::of(node, "a budget", report)) else {
        return Budget::default();
    };
    let budget = Budget {
        max_cost: fields.number("max_cost", DOLLARS, report),
        max_tokens: fields.whole("max_tokens", 1..=u32::MAX, report).map(u64::from),
    };
    // A misspelt key is told below.
    if fields.entries().all(|(_, node)| node.value == Value::Null) {
        report
            .error(codes::MISSING_FIELD, fields.place(), "a budget needs `max_cost` or `max_tokens`")
            .help("US dollars, or tokens read and written: `budget: {max_cost: 0.5, max_tokens: 20000}`");
    }
    fields.finish(Unknown::Refused, &[], report);
    budget
}

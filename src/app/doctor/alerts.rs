//! The row of what a server tells by itself when it does badly.

use super::{Patient, Row, Verdict};
use crate::app::Settings;

pub(super) fn row(patient: &Patient<'_>) -> Row {
    let row = |verdict, found: String| Row::new("alerts", verdict, "`alerts` of .crew/config.yaml", found);
    // What is wrong with the file, another row says.
    let Some(rules) = Settings::read_or_default(patient.env, patient.root).alerts else {
        let found = "no rules: the server tells nobody that models are slow; \
                     contrib/prometheus has rules for who scrapes /metrics";
        return row(Verdict::Skip, found.to_owned());
    };
    let whom = rules.notify.join(", ");
    match rules.p95 {
        Some(limit) => {
            row(Verdict::Pass, format!("{whom} is told when p95 of models is over {} s", limit.as_secs_f64()))
        }
        None => row(
            Verdict::Skip,
            format!("there are rules, of which {whom} is told, but none for p95: `p95_seconds`"),
        ),
    }
}

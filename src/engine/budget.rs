//! What the files of a project allow runs to take.

use crate::{
    catalog::Snapshot,
    defs,
    tasks::{Budget, Ceiling, OwnRetry},
};

impl From<defs::Budget> for Budget {
    fn from(budget: defs::Budget) -> Self {
        Self { max_cost_usd: budget.max_cost, max_tokens: budget.max_tokens }
    }
}

impl From<defs::Retry> for OwnRetry {
    fn from(retry: defs::Retry) -> Self {
        let defs::Retry { attempts, backoff_seconds, max_backoff_seconds } = retry;
        Self { attempts, backoff_seconds, max_backoff_seconds }
    }
}

/// What the project allows every run, and with `own` what a definition, called so in words, allows those of its own.
pub(super) fn ceilings(definitions: &Snapshot, own: Option<(String, defs::Budget)>) -> Vec<Ceiling> {
    let project = (Ceiling::PROJECT.to_owned(), definitions.budget);
    let all = std::iter::once(project).chain(own).filter(|(_, most)| !most.is_empty());
    all.map(|(of, most)| Ceiling { of, most: most.into() }).collect()
}

//! Calls of models, for Prometheus.

use metrics::{counter, gauge, histogram};

use super::{Usage, meter::Call};
use crate::base::metric;

/// Measures one logical call; `account` is whom it is counted under, a name from a bounded set.
pub(super) fn call(call: &Call<'_>, account: &str) {
    let provider = call.provider.to_owned();
    let outcome = if call.outcome.is_ok() { "success" } else { "failed" };
    counter!(metric::MODEL_CALLS, "provider" => provider.clone(), "outcome" => outcome).increment(1);
    counter!(metric::EMPLOYEE_CALLS, "employee" => account.to_owned()).increment(1);
    match call.outcome {
        Ok(usage) => tokens(&provider, usage),
        Err(error) => {
            counter!(metric::MODEL_ERRORS, "provider" => provider.clone(), "class" => error.class())
                .increment(1);
        }
    }
    if let Some(cost) = call.cost_usd {
        gauge!(metric::MODEL_DOLLARS, "provider" => provider.clone()).increment(cost);
    }
    if let Some(latency) = call.latency {
        histogram!(metric::MODEL_SECONDS, "provider" => provider.clone()).record(latency);
    }
    if let Some(first) = call.first_token {
        histogram!(metric::MODEL_FIRST_SECONDS, "provider" => provider).record(first);
    }
}

fn tokens(provider: &str, usage: Usage) {
    let kinds = [
        ("input", usage.input_tokens),
        ("cached", usage.cached_input_tokens),
        ("output", usage.output_tokens),
    ];
    for (kind, count) in kinds {
        counter!(metric::MODEL_TOKENS, "provider" => provider.to_owned(), "kind" => kind).increment(count);
    }
}

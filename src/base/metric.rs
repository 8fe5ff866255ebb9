//! What is measured for Prometheus: names, kinds and meanings, in one place.
//!
//! Values are given where they arise, through the `metrics` facade; a program that installs no recorder measures
//! nothing. Labels are from closed sets (routes, providers, kinds of tasks), never ids or names that callers choose.

/// What a metric does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// It only grows.
    Counter,
    /// It goes up and down.
    Gauge,
    /// It is a spread of values.
    Histogram,
}

/// A metric.
#[derive(Debug, Clone, Copy)]
pub struct Metric {
    /// Its name.
    pub name: &'static str,
    /// What it does.
    pub shape: Shape,
    /// What it says, for a person.
    pub help: &'static str,
}

macro_rules! metrics {
    ($($constant:ident: $shape:ident $name:literal, $help:literal;)+) => {
        $(#[doc = $help] pub const $constant: &str = $name;)+

        /// All of them.
        pub const ALL: &[Metric] = &[$(Metric { name: $name, shape: Shape::$shape, help: $help }),+];
    };
}

metrics! {
    HTTP_REQUESTS: Counter "crew_http_requests_total", "Requests answered, by method, route and status.";
    HTTP_SECONDS: Histogram "crew_http_request_duration_seconds", "Time until the head of an answer, by route.";
    MODEL_CALLS: Counter "crew_model_calls_total", "Calls of models, by provider and outcome (success or failed); a call that was retried counts once.";
    MODEL_ERRORS: Counter "crew_model_errors_total", "Calls of models that failed, by provider and class of error.";
    MODEL_TOKENS: Counter "crew_model_tokens_total", "Tokens, by provider and kind (input, cached, output); what is cached is part of the input.";
    MODEL_DOLLARS: Gauge "crew_model_cost_usd", "US dollars spent on models since the start, as far as prices are known, by provider; a gauge, as it has fractions.";
    MODEL_SECONDS: Histogram "crew_model_call_duration_seconds", "Time a call of a model took, retries included, by provider.";
    MODEL_FIRST_SECONDS: Histogram "crew_model_first_token_seconds", "Time until the first words of a streamed answer, by provider.";
    EMPLOYEE_CALLS: Counter "crew_employee_calls_total", "Calls of models, by employee (at most 1000 of them; the rest is `other`).";
    MEMORY_TEXTS: Counter "crew_memory_embedded_total", "Texts that were to be turned into vectors, by kind (entry or query) and outcome (success, failed or known); a query that failed is answered by words alone.";
    TASKS: Gauge "crew_tasks", "Tasks that are known, by status.";
    TASKS_ENDED: Counter "crew_tasks_ended_total", "Tasks that ended, by kind and status.";
    TASK_SECONDS: Histogram "crew_task_duration_seconds", "Time from the acceptance of a task to its end, by kind.";
    TASK_RETRIES: Counter "crew_task_retries_total", "Tasks that failed with something that may pass and are tried again.";
    QUEUE_AGE: Gauge "crew_task_queue_age_seconds", "How long the oldest task has waited to be begun.";
    REPLICAS: Gauge "crew_replicas", "Servers that share the tasks through a database, this one included; absent where they are kept in files.";
    JOURNAL_WAITING: Gauge "crew_journal_waiting", "Events that wait to be written to the database.";
    CRON_LAG: Gauge "crew_cron_lag_seconds", "How late the schedule is that is the latest.";
    CRON_MISSED: Gauge "crew_cron_missed", "Runs of schedules that were missed, in all.";
    OUTBOX: Gauge "crew_outbox", "Deliveries that are known, by status.";
    OUTBOX_AGE: Gauge "crew_outbox_age_seconds", "How long the oldest delivery has waited.";
    DELIVERIES: Counter "crew_deliveries_total", "Attempts to deliver, by type and outcome (sent, retry or dead).";
    SKILLS: Counter "crew_skill_triggers_total", "Skills of employees that were part of what went to a model, by type of trigger (always, keyword or semantic).";
    SKILL_BYTES: Counter "crew_skill_bytes_total", "Bytes that skills of employees brought into what went to a model, by type of trigger.";
    SHARED_LIMITS: Counter "crew_shared_limit_checks_total", "Requests counted against limits that replicas share, by who could count them (redis, or replica while that is away).";
    BUILD: Gauge "crew_build_info", "1, with the version as a label.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_rules_of_prometheus() {
        for metric in ALL {
            let name = metric.name;
            assert!(name.starts_with("crew_"), "{name}");
            assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{name}");
            assert_eq!(metric.shape == Shape::Counter, name.ends_with("_total"), "{name}");
            assert!(metric.shape != Shape::Histogram || name.ends_with("_seconds"), "{name}");
            assert!(metric.help.ends_with('.'), "{name}");
            assert_eq!(ALL.iter().filter(|other| other.name == name).count(), 1, "{name}");
        }
    }
}

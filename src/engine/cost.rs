//! What finished work has cost: an account over tasks, and over runs that were none that is kept, by employee, model and
//! trigger.

use std::{cmp::Ordering, collections::BTreeSet};

use indexmap::IndexMap;
use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Answer, EMPLOYEE_RUN, PIPELINE_RUN, PipelineRun};
use crate::tasks::{Spent, Summary, Task};

/// Which tasks to count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CostQuery {
    /// Those that ended in the last so many days, 1 to 3650.
    pub days: u32,
    /// Only what this employee took.
    pub employee: Option<String>,
}

impl CostQuery {
    /// The days that are counted unless somebody says otherwise.
    pub const DAYS: u32 = 7;
    /// Most days.
    pub const MOST_DAYS: u32 = 3650;

    /// The query, if it can be answered.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn checked(self) -> Result<Self, String> {
        if (1..=Self::MOST_DAYS).contains(&self.days) {
            return Ok(self);
        }
        Err(format!("`days` is 1 to {}, not {}", Self::MOST_DAYS, self.days))
    }

    /// When the period begins that ends `now`.
    pub(super) fn since(&self, now: Timestamp) -> Timestamp {
        let since = now.saturating_sub(SignedDuration::from_hours(24 * i64::from(self.days)));
        since.unwrap_or(Timestamp::MIN)
    }
}

/// A run that has ended, as far as it is counted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Ended {
    pub(super) at: Timestamp,
    pub(super) trigger: String,
    pub(super) spent: Vec<Spent>,
}

impl Ended {
    /// What a task tells that is over.
    pub(super) fn of(task: &Summary) -> Option<Self> {
        task.status.is_final().then(|| Self {
            at: task.completed_at.unwrap_or(task.created_at),
            trigger: task.trigger.as_str().to_owned(),
            spent: task.spent.clone(),
        })
    }
}

/// What finished tasks have cost. Failed and cancelled ones count, as their money is gone too.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct CostSummary {
    /// The last how many days.
    pub period_days: u32,
    /// US dollars in all, as far as prices are known.
    pub total_cost_usd: f64,
    /// How many tasks.
    pub total_tasks: u64,
    /// By the employee that calls were made for, the dearest first.
    pub by_employee: IndexMap<String, Cost>,
    /// By the model that answered.
    pub by_model: IndexMap<String, Cost>,
    /// By what started the task.
    pub by_trigger: IndexMap<String, Cost>,
    /// Models whose prices are not known: what they took is not among the dollars.
    pub unpriced_models: BTreeSet<String>,
}

/// What belongs together.
#[derive(Debug, Clone, Default, PartialEq, Serialize, JsonSchema)]
pub struct Cost {
    /// US dollars, as far as prices are known.
    pub cost_usd: f64,
    /// How many tasks had a part in it.
    pub tasks: u64,
    /// Calls of models.
    pub calls: u64,
    /// Tokens read.
    pub input_tokens: u64,
    /// Those among them that a provider had in its cache.
    pub cached_input_tokens: u64,
    /// Tokens written.
    pub output_tokens: u64,
    /// Tokens, read and written, whose price is not known.
    #[serde(skip_serializing_if = "is_zero")]
    pub unpriced_tokens: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out references")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl CostSummary {
    /// Counts those of `runs` that `query` asks for, as of `now`.
    pub(super) fn of(runs: &[Ended], query: &CostQuery, now: Timestamp) -> Self {
        let from = query.since(now);
        let mut summary = Self {
            period_days: query.days,
            total_cost_usd: 0.0,
            total_tasks: 0,
            by_employee: IndexMap::new(),
            by_model: IndexMap::new(),
            by_trigger: IndexMap::new(),
            unpriced_models: BTreeSet::new(),
        };
        for run in runs.iter().filter(|run| run.at >= from) {
            summary.add(run, query.employee.as_deref());
        }
        for group in [&mut summary.by_employee, &mut summary.by_model, &mut summary.by_trigger] {
            for cost in group.values_mut() {
                cost.cost_usd = rounded(cost.cost_usd);
            }
            group.sort_by(|name, cost, other, its| {
                its.cost_usd
                    .partial_cmp(&cost.cost_usd)
                    .unwrap_or(Ordering::Equal)
                    .then_with(|| name.cmp(other))
            });
        }
        summary.total_cost_usd = rounded(summary.total_cost_usd);
        summary
    }

    fn add(&mut self, run: &Ended, employee: Option<&str>) {
        let mut spent = run.spent.clone();
        if let Some(employee) = employee {
            spent.retain(|spent| spent.by == employee);
            if spent.is_empty() {
                return;
            }
        }
        self.total_tasks += 1;
        let trigger = run.trigger.as_str();
        // What ended without a call is counted among the tasks.
        self.by_trigger.entry(trigger.to_owned()).or_default().tasks += 1;
        let mut seen = BTreeSet::new();
        for spent in &spent {
            self.total_cost_usd += spent.cost_usd.unwrap_or_default();
            if spent.cost_usd.is_none() {
                self.unpriced_models.insert(spent.model.clone());
            }
            self.by_trigger.entry(trigger.to_owned()).or_default().take(spent);
            for (kind, group, name) in
                [(0, &mut self.by_employee, &spent.by), (1, &mut self.by_model, &spent.model)]
            {
                let cost = group.entry(name.clone()).or_default();
                cost.take(spent);
                cost.tasks += u64::from(seen.insert((kind, name.clone())));
            }
        }
    }
}

impl Cost {
    fn take(&mut self, spent: &Spent) {
        self.calls += spent.calls;
        self.input_tokens += spent.input_tokens;
        self.cached_input_tokens += spent.cached_input_tokens;
        self.output_tokens += spent.output_tokens;
        match spent.cost_usd {
            Some(cost) => self.cost_usd += cost,
            None => self.unpriced_tokens += spent.input_tokens + spent.output_tokens,
        }
    }
}

/// What each run of an employee in `task` took, as the result tells it.
pub(super) fn told(task: &Task) -> Vec<Spent> {
    let Some(result) = task.result.clone() else { return Vec::new() };
    if task.kind == EMPLOYEE_RUN {
        let answer: Option<Answer> = serde_json::from_value(result).ok();
        let of = |answer: Answer| Spent {
            by: answer.employee,
            model: answer.model,
            calls: 1,
            input_tokens: answer.input_tokens,
            cached_input_tokens: answer.cached_input_tokens,
            output_tokens: answer.output_tokens,
            cost_usd: answer.cost_usd,
        };
        return answer.map(of).into_iter().collect();
    }
    let run: Option<PipelineRun> =
        (task.kind == PIPELINE_RUN).then(|| serde_json::from_value(result).ok()).flatten();
    let Some(run) = run else { return Vec::new() };
    let of = |step: &super::StepRun| Spent {
        by: step.employee.clone(),
        model: step.model.clone(),
        calls: 1,
        input_tokens: step.input_tokens,
        cached_input_tokens: step.cached_input_tokens,
        output_tokens: step.output_tokens,
        cost_usd: step.cost_usd,
    };
    run.step_runs().filter(|step| !step.model.is_empty()).map(of).collect()
}

/// To a millionth of a dollar.
fn rounded(dollars: f64) -> f64 {
    (dollars * 1e6).round() / 1e6
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn task(trigger: &str, status: &str, ended: &str, spent: &Value) -> Task {
        serde_json::from_value(json!({
            "task_id": "t", "status": status, "trigger": trigger, "kind": "pipeline.run", "target_type": "pipeline",
            "target_name": "p", "args": {}, "created_at": "2026-11-01T00:00:00Z", "started_at": null,
            "completed_at": ended, "attempts": 1, "steps": [], "spent": spent, "result": null, "error": null,
        }))
        .unwrap()
    }

    fn spent(by: &str, model: &str, tokens: [u64; 2], cost: Option<f64>) -> Value {
        json!({
            "by": by, "model": model, "calls": 1, "input_tokens": tokens[0], "output_tokens": tokens[1],
            "cost_usd": cost,
        })
    }

    #[test]
    fn it_adds_up_by_hand() {
        let ended = "2026-11-20T00:00:00Z";
        let tasks = [
            task(
                "cron",
                "completed",
                ended,
                &json!([
                    spent("写手", "gpt-4o", [1000, 100], Some(0.0035)),
                    spent("checker", "gpt-4o", [10, 1], Some(0.000_035)),
                    spent("写手", "llama3", [7, 3], None)
                ]),
            ),
            task("cli", "failed", ended, &json!([spent("写手", "gpt-4o", [2000, 0], Some(0.005))])),
            task("cli", "running", ended, &json!([spent("写手", "gpt-4o", [2000, 0], Some(1.0))])),
            task("cli", "completed", "2026-11-02T00:00:00Z", &json!([spent("写手", "x", [1, 1], Some(1.0))])),
            task("cli", "cancelled", ended, &json!([])),
        ];
        let count = |employee: Option<&str>| {
            let query = CostQuery { days: 7, employee: employee.map(str::to_owned) };
            let runs: Vec<_> = tasks.iter().map(Summary::from).filter_map(|task| Ended::of(&task)).collect();
            let summary = CostSummary::of(&runs, &query, "2026-11-21T00:00:00Z".parse().unwrap());
            serde_json::to_value(summary).unwrap()
        };
        let zero = json!({"cost_usd": 0.0, "tasks": 1, "calls": 0, "input_tokens": 0, "cached_input_tokens": 0, "output_tokens": 0});
        let cost = |cost: f64, tasks: u64, calls: u64, tokens: [u64; 2]| {
            let mut value = zero.clone();
            (value["cost_usd"], value["tasks"], value["calls"]) = (cost.into(), tasks.into(), calls.into());
            (value["input_tokens"], value["output_tokens"]) = (tokens[0].into(), tokens[1].into());
            value
        };
        let unpriced = |mut value: Value| {
            value["unpriced_tokens"] = 10.into();
            value
        };
        assert_eq!(
            count(None),
            json!({
                "period_days": 7, "total_cost_usd": 0.008_535, "total_tasks": 3,
                "by_employee": {
                    "写手": unpriced(cost(0.0085, 2, 3, [3007, 103])), "checker": cost(0.000_035, 1, 1, [10, 1]),
                },
                "by_model": {
                    "gpt-4o": cost(0.008_535, 2, 3, [3010, 101]), "llama3": unpriced(cost(0.0, 1, 1, [7, 3])),
                },
                "by_trigger": {
                    "cli": cost(0.005, 2, 1, [2000, 0]), "cron": unpriced(cost(0.003_535, 1, 3, [1017, 104])),
                },
                "unpriced_models": ["llama3"],
            })
        );
        let checker = count(Some("checker"));
        assert_eq!((&checker["total_tasks"], &checker["total_cost_usd"]), (&json!(1), &json!(0.000_035)));
    }

    #[test]
    fn days_are_checked() {
        for (days, fits) in [(0, false), (1, true), (3650, true), (3651, false)] {
            assert_eq!(CostQuery { days, employee: None }.checked().is_ok(), fits, "{days}");
        }
    }
}

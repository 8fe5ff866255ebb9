//! What finished work has cost: an account over tasks, by employee, model and trigger.

use std::{
    cmp::Ordering,
    collections::{BTreeSet, HashMap},
};

use indexmap::IndexMap;
use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::Serialize;

use super::{Answer, EMPLOYEE_RUN, PIPELINE_RUN, PipelineRun};
use crate::tasks::{Spent, Summary, Task, TaskId};

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
    const MOST_DAYS: u32 = 3650;

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

    /// Whether `task` is of the days that are asked for, as of `now`.
    pub(super) fn wants(&self, task: &Summary, now: Timestamp) -> bool {
        let from = now.saturating_sub(SignedDuration::from_hours(24 * i64::from(self.days)));
        let from = from.unwrap_or(Timestamp::MIN);
        task.status.is_final() && task.completed_at.unwrap_or(task.created_at) >= from
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
    /// Counts those of `tasks` that `query` asks for, as of `now`. Those that do not tell what they took may be in `results`.
    pub(super) fn of<'t>(
        tasks: impl IntoIterator<Item = &'t Summary>,
        results: &HashMap<TaskId, Vec<Spent>>,
        query: &CostQuery,
        now: Timestamp,
    ) -> Self {
        let mut summary = Self {
            period_days: query.days,
            total_cost_usd: 0.0,
            total_tasks: 0,
            by_employee: IndexMap::new(),
            by_model: IndexMap::new(),
            by_trigger: IndexMap::new(),
            unpriced_models: BTreeSet::new(),
        };
        for task in tasks.into_iter().filter(|task| query.wants(task, now)) {
            let spent = if task.spent.is_empty() { results.get(&task.task_id) } else { Some(&task.spent) };
            summary.add(task, spent.cloned().unwrap_or_default(), query.employee.as_deref());
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

    fn add(&mut self, task: &Summary, mut spent: Vec<Spent>, employee: Option<&str>) {
        if let Some(employee) = employee {
            spent.retain(|spent| spent.by == employee);
            if spent.is_empty() {
                return;
            }
        }
        self.total_tasks += 1;
        let trigger = task.trigger.as_str();
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

    fn task(trigger: &str, status: &str, ended: &str, spent: &Value) -> Summary {
        let task: Task = serde_json::from_value(json!({
            "task_id": "t", "status": status, "trigger": trigger, "kind": "pipeline.run", "target_type": "pipeline",
            "target_name": "p", "args": {}, "created_at": "2026-11-01T00:00:00Z", "started_at": null,
            "completed_at": ended, "attempts": 1, "steps": [], "spent": spent, "result": null, "error": null,
        }))
        .unwrap();
        Summary::from(&task)
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
            let now = "2026-11-21T00:00:00Z".parse().unwrap();
            let summary = CostSummary::of(&tasks, &HashMap::new(), &query, now);
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

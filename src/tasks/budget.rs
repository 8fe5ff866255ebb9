//! How much a task may take: what whoever asks for it grants, within what the files of the project allow.
//!
//! Of each kind the lowest limit counts, so that whoever asks for a run can only lower what files say. When a task goes on,
//! a new grant takes the place of the one before, and the files are asked again.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// How much work may take. Without limits, it may take anything.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Budget {
    /// US dollars.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_cost_usd: Option<f64>,
    /// Tokens, read and written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<u64>,
}

/// What a file allows a run to take, whoever asks for it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ceiling {
    /// Whose budget it is, in words: [`Ceiling::PROJECT`], or "pipeline `review`".
    pub of: String,
    /// How much.
    #[serde(flatten)]
    pub most: Budget,
}

/// A limit, and whose it is; nobody's when it was granted for this one run.
#[derive(Debug, Clone, PartialEq)]
pub struct Limit<T> {
    /// How much.
    pub most: T,
    /// As [`Ceiling::of`].
    pub of: Option<String>,
}

/// The lowest limit of each kind.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Limits {
    /// US dollars.
    pub cost_usd: Option<Limit<f64>>,
    /// Tokens, read and written.
    pub tokens: Option<Limit<u64>>,
    /// Whether there is one that is not of every run of the project.
    pub is_own: bool,
}

impl Budget {
    const COST: &str = "max_cost_usd";
    const TOKENS: &str = "max_tokens";

    /// What was granted in the options of a task.
    fn of(options: &Map<String, Value>) -> Self {
        Self {
            max_cost_usd: options.get(Self::COST).and_then(Value::as_f64),
            max_tokens: options.get(Self::TOKENS).and_then(Value::as_u64),
        }
    }

    /// Grants the limits there are in the options of a task, in place of those that were granted before.
    pub fn put(self, options: &mut Map<String, Value>) {
        options.extend(self.max_cost_usd.map(|most| (Self::COST.to_owned(), most.into())));
        options.extend(self.max_tokens.map(|most| (Self::TOKENS.to_owned(), most.into())));
    }

    /// Whether there is any limit.
    pub fn is_limited(self) -> bool {
        self.max_cost_usd.is_some() || self.max_tokens.is_some()
    }
}

impl Ceiling {
    /// Whose budget that of every run is.
    pub const PROJECT: &str = "the project";
    /// The option of a task that holds what files allow it.
    const OPTION: &str = "budgets";

    /// Puts them among the options of a task, in place of all that are there.
    pub fn put(ceilings: &[Self], options: &mut Map<String, Value>) {
        options.remove(Self::OPTION);
        if !ceilings.is_empty() {
            options.insert(Self::OPTION.to_owned(), serde_json::json!(ceilings));
        }
    }

    fn all(options: &Map<String, Value>) -> Vec<Self> {
        let kept = options.get(Self::OPTION).cloned().map(serde_json::from_value);
        kept.and_then(Result::ok).unwrap_or_default()
    }
}

impl Limits {
    /// Those in the options of a task.
    pub fn among(options: &Map<String, Value>) -> Self {
        let granted = Budget::of(options);
        let ceilings = Ceiling::all(options);
        let is_own = granted.is_limited() || ceilings.iter().any(|ceiling| ceiling.of != Ceiling::PROJECT);
        let budgets = || {
            // Where both say the same, raising what was granted would change nothing.
            let files = ceilings.iter().map(|ceiling| (Some(&ceiling.of), ceiling.most));
            files.chain([(None, granted)])
        };
        let mut limits = Self { is_own, ..Self::default() };
        for (of, budget) in budgets() {
            lower(&mut limits.cost_usd, budget.max_cost_usd, of);
            lower(&mut limits.tokens, budget.max_tokens, of);
        }
        limits
    }

    /// Whose they are, as far as files set them.
    pub fn set_by_files(&self) -> impl Iterator<Item = &str> {
        let cost = self.cost_usd.as_ref().and_then(|limit| limit.of.as_deref());
        let tokens = self.tokens.as_ref().and_then(|limit| limit.of.as_deref());
        cost.into_iter().chain(tokens)
    }

    /// Whether there is any.
    pub fn is_limited(&self) -> bool {
        self.cost_usd.is_some() || self.tokens.is_some()
    }
}

fn lower<T: PartialOrd>(limit: &mut Option<Limit<T>>, most: Option<T>, of: Option<&String>) {
    let Some(most) = most else { return };
    if limit.as_ref().is_none_or(|known| most < known.most) {
        *limit = Some(Limit { most, of: of.cloned() });
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(options: &Value, cost: Option<(f64, Option<&str>)>, tokens: Option<(u64, Option<&str>)>) {
        let limits = Limits::among(options.as_object().unwrap());
        let told = |of: &Option<String>| of.clone();
        assert_eq!(
            limits.cost_usd.map(|limit| (limit.most, told(&limit.of))),
            cost.map(|(most, of)| (most, of.map(str::to_owned))),
            "{options}"
        );
        assert_eq!(
            limits.tokens.map(|limit| (limit.most, told(&limit.of))),
            tokens.map(|(most, of)| (most, of.map(str::to_owned))),
            "{options}"
        );
    }

    #[test]
    fn of_each_kind_the_lowest_counts() {
        let project = json!({"of": "the project", "max_cost_usd": 1.0, "max_tokens": 500});
        let pipeline = json!({"of": "pipeline `p`", "max_cost_usd": 0.5});
        let all = |cost: f64| json!({"max_cost_usd": cost, "budgets": [project, pipeline]});
        check(&all(0.25), Some((0.25, None)), Some((500, Some("the project"))));
        check(&all(0.5), Some((0.5, Some("pipeline `p`"))), Some((500, Some("the project"))));
        check(&all(2.0), Some((0.5, Some("pipeline `p`"))), Some((500, Some("the project"))));
        check(
            &json!({"budgets": [project]}),
            Some((1.0, Some("the project"))),
            Some((500, Some("the project"))),
        );
        check(&json!({"max_tokens": 9}), None, Some((9, None)));
        check(&json!({}), None, None);
    }

    #[test]
    fn what_every_run_of_a_project_has_is_not_its_own() {
        let own = |options: Value| Limits::among(options.as_object().unwrap()).is_own;
        assert!(!own(json!({"budgets": [{"of": "the project", "max_tokens": 5}]})));
        assert!(own(json!({"budgets": [{"of": "the project", "max_tokens": 5}], "max_tokens": 9})));
        assert!(own(json!({"budgets": [{"of": "pipeline `p`", "max_tokens": 5}]})));
    }

    #[test]
    fn a_new_grant_takes_the_place_of_the_old_and_files_are_read_again() {
        let mut options = json!({"max_tokens": 5, "budgets": [{"of": "x", "max_tokens": 3}]});
        let options = options.as_object_mut().unwrap();
        Budget { max_tokens: Some(10), max_cost_usd: None }.put(options);
        Ceiling::put(
            &[Ceiling { of: "x".to_owned(), most: Budget { max_tokens: Some(7), max_cost_usd: None } }],
            options,
        );
        assert_eq!(
            Value::Object(options.clone()),
            json!({"max_tokens": 10, "budgets": [{"of": "x", "max_tokens": 7}]})
        );
        Ceiling::put(&[], options);
        assert_eq!(Value::Object(options.clone()), json!({"max_tokens": 10}));
    }
}

//! One decision of an employee, as a line of the file.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use super::Error;
use crate::base::text::is_chinese;

/// What an employee decided, what it expected of that, and what came of it.
///
/// The first ten fields are those of the first files there were, in their order; the others are written only where they say
/// something. Fields nobody here knows are kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Decision {
    /// Its id: `D` and 8 hex digits.
    pub id: String,
    /// Who decided.
    #[serde(default, deserialize_with = "or_default")]
    pub employee: String,
    /// The meeting it was decided in.
    #[serde(default, deserialize_with = "or_default")]
    pub meeting_id: String,
    /// When; UTC, unless an offset is there.
    #[serde(default, deserialize_with = "or_default")]
    pub created_at: String,
    /// What kind of decision it is.
    pub category: Category,
    /// What was decided.
    pub content: String,
    /// What was expected of it.
    #[serde(default, deserialize_with = "or_default")]
    pub expected_outcome: String,
    /// Whether it was evaluated.
    #[serde(default, deserialize_with = "or_default")]
    pub status: Status,
    /// What came of it, as it was last evaluated.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// By when something should have come of it: a day, or a moment with an offset.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub deadline: String,
    /// The task it was decided in.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub task_id: String,
    /// What was expected, in numbers.
    #[serde(flatten)]
    pub expected: Expected,
    /// Earlier evaluations, the first of them first.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub history: Vec<Outcome>,
    /// What others wrote beside that.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// A kind of decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Category {
    /// What something takes, or how likely it is.
    Estimate,
    /// What others should do.
    Recommendation,
    /// What the employee is going to do.
    Commitment,
}

impl Category {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Estimate, Self::Recommendation, Self::Commitment];

    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Estimate => "estimate",
            Self::Recommendation => "recommendation",
            Self::Commitment => "commitment",
        }
    }
}

/// Whether a decision was evaluated.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Not yet.
    #[default]
    Pending,
    /// At least once.
    Evaluated,
}

impl Status {
    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Evaluated => "evaluated",
        }
    }
}

/// What was expected, in numbers. A number, a range, a number within a range, or how likely something is.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Expected {
    /// A number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_value: Option<f64>,
    /// The low end of a range.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_low: Option<f64>,
    /// The high end of a range.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_high: Option<f64>,
    /// What the numbers count, such as `days`.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub unit: String,
    /// How likely it is to come about, or how sure the range is; from 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probability: Option<f64>,
}

/// What came of a decision, and what is to be learned from it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Outcome {
    /// What came of it.
    #[serde(default, deserialize_with = "or_default")]
    pub actual_outcome: String,
    /// How that compares with what was expected.
    #[serde(default, deserialize_with = "or_default")]
    pub evaluation: String,
    /// The number that came of it, in the unit of the one that was expected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actual_value: Option<f64>,
    /// Whether what was called likely came about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub occurred: Option<bool>,
    /// How good the decision was, from 0 to 1, in the eyes of whoever evaluated it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score: Option<f64>,
    /// What to do otherwise next time.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub lesson: String,
    /// When it was evaluated.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub evaluated_at: String,
    /// Who evaluated it.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "is_default")]
    pub evaluated_by: String,
}

impl Outcome {
    /// Whether two evaluations say the same, whoever made them and when.
    pub(super) fn says_the_same(&self, other: &Self) -> bool {
        let plain = |outcome: &Self| Self {
            evaluated_at: String::new(),
            evaluated_by: String::new(),
            ..outcome.clone()
        };
        plain(self) == plain(other)
    }
}

impl Expected {
    /// How it is said, such as `2 days` or `1 to 3 days (90%)`; empty when there is nothing.
    pub fn told(&self) -> String {
        let percent = self.probability.map(|probability| format!("{}%", short(probability * 100.0)));
        let (chinese, unit) = (is_chinese(&self.unit), self.unit.trim());
        let range = self.expected_low.zip(self.expected_high).map(|(low, high)| {
            let to = if chinese { " ~ " } else { " to " };
            format!("{}{to}{}", short(low), short(high))
        });
        let number = match (self.expected_value.map(short), range) {
            (Some(value), Some(range)) => format!("{value} ({range})"),
            (Some(text), None) | (None, Some(text)) => text,
            (None, None) => return percent.unwrap_or_default(),
        };
        let told = format!("{number} {unit}");
        let told = told.trim();
        percent.map_or_else(|| told.to_owned(), |percent| format!("{told} ({percent})"))
    }

    /// Whether there is a number that another can be compared with.
    pub(super) fn has_number(&self) -> bool {
        self.expected_value.is_some() || self.range().is_some()
    }

    /// Both ends of the range.
    pub(super) fn range(&self) -> Option<(f64, f64)> {
        self.expected_low.zip(self.expected_high)
    }

    /// How likely something is said to be; `None` when the probability is that of a range.
    pub(super) fn chance(&self) -> Option<f64> {
        self.probability.filter(|_| !self.has_number())
    }
}

impl Decision {
    /// What was expected, in the words of whoever decided, or in numbers.
    pub fn expectation(&self) -> String {
        let words = self.expected_outcome.trim();
        if words.is_empty() { self.expected.told() } else { words.to_owned() }
    }

    /// What its evaluation lacks to be counted.
    pub(super) fn lacks(&self) -> Option<&'static str> {
        let (expected, outcome) = (&self.expected, &self.outcome);
        if expected.has_number() && outcome.actual_value.is_none() {
            return Some("actual_value");
        }
        let is_open = expected.chance().is_some() && outcome.occurred.is_none();
        is_open.then_some("occurred")
    }

    /// An evaluation for whoever wrote none: what was expected, if anything was, and what came of it.
    pub(super) fn comparison(&self, actual: &str, number: Option<f64>) -> String {
        let expected = self.expectation();
        let number = number.map(short).filter(|number| !actual.contains(number));
        let number = number.map(|number| format!(" ({number} {})", self.expected.unit)).unwrap_or_default();
        let actual = format!("{actual}{number}");
        let chinese = is_chinese(&self.content) || is_chinese(&expected) || is_chinese(&actual);
        match (expected.is_empty(), chinese) {
            (false, true) => format!("预期: {expected}; 实际: {actual}"),
            (false, false) => format!("expected: {expected}; actual: {actual}"),
            // Against nothing nothing can be held, but what was decided says what this came of.
            (true, true) => format!("决定: {}; 实际: {actual}", self.content.trim()),
            (true, false) => format!("decided: {}; actual: {actual}", self.content.trim()),
        }
    }

    /// Its line, with the `\n`.
    ///
    /// # Errors
    /// When it cannot be JSON.
    pub(super) fn line(&self) -> Result<Vec<u8>, Error> {
        let mut line = serde_json::to_vec(self)?;
        line.push(b'\n');
        Ok(line)
    }
}

/// A number without digits that say nothing.
pub(super) fn short(number: f64) -> String {
    let text = format!("{number:.4}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// `null` says as much as nothing.
fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(from: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As the first files hold it.
    const SEED: &str = r#"{"id":"Dff9dd588","employee":"code-reviewer","meeting_id":"m1","created_at":"2026-11-22T19:16:33.171755","category":"estimate","content":"需要 2 天","expected_outcome":"2 天","status":"evaluated","actual_outcome":"5 天","evaluation":"预期: 2 天; 实际: 5 天"}"#;

    #[test]
    fn old_lines_are_read_and_written_as_they_are() {
        let later = SEED.replace('}', r#","deadline":"2026-12-01","task_id":"t1","q_value":0.5}"#);
        for line in [SEED, later.as_str()] {
            let decision: Decision = serde_json::from_str(line).unwrap();
            assert_eq!(serde_json::to_string(&decision).unwrap(), line);
        }
        let sparse = r#"{"id":"D1","category":"commitment","content":"x","expected_outcome":null,"status":null,"deadline":null,"history":null,"expected_value":null}"#;
        let decision: Decision = serde_json::from_str(sparse).unwrap();
        assert_eq!((decision.status, decision.expected.expected_value), (Status::Pending, None));
        assert!(serde_json::from_str::<Decision>(&SEED.replace("estimate", "guess")).is_err());
    }

    #[test]
    fn numbers_are_kept() {
        let line = SEED.replace('}', r#","expected_value":2,"unit":"天","actual_value":5}"#);
        let decision: Decision = serde_json::from_str(&line).unwrap();
        assert_eq!((decision.expected.expected_value, decision.outcome.actual_value), (Some(2.0), Some(5.0)));
        assert!(decision.extra.is_empty());
        let again: Decision = serde_json::from_slice(&decision.line().unwrap()).unwrap();
        assert_eq!(again, decision);
    }

    #[test]
    fn what_was_expected_is_told() {
        let told = |value, range: Option<(f64, f64)>, probability, unit: &str| {
            let (expected_low, expected_high) = range.unzip();
            Expected {
                expected_value: value,
                expected_low,
                expected_high,
                unit: unit.to_owned(),
                probability,
            }
            .told()
        };
        assert_eq!(told(Some(2.0), None, None, "days"), "2 days");
        assert_eq!(told(None, Some((1.0, 3.5)), Some(0.9), "days"), "1 to 3.5 days (90%)");
        assert_eq!(told(Some(2.0), Some((1.0, 3.0)), None, "天"), "2 (1 ~ 3) 天");
        assert_eq!(told(None, None, Some(0.125), ""), "12.5%");
        assert_eq!(told(None, None, None, ""), "");
    }

    #[test]
    fn a_comparison_says_something_also_without_an_expectation() {
        let mut decision: Decision = serde_json::from_str(SEED).unwrap();
        assert_eq!(decision.comparison("5 天", None), "预期: 2 天; 实际: 5 天");
        decision.expected_outcome = String::new();
        assert_eq!(decision.comparison("5 days", None), "决定: 需要 2 天; 实际: 5 days");
        decision.content = "ship it".to_owned();
        decision.expected =
            Expected { expected_value: Some(2.0), unit: "days".to_owned(), ..Expected::default() };
        assert_eq!(decision.comparison("late", Some(5.0)), "expected: 2 days; actual: late (5 days)");
        assert_eq!(decision.comparison("5 days", Some(5.0)), "expected: 2 days; actual: 5 days");
        assert_eq!(decision.lacks(), Some("actual_value"));
        decision.expected = Expected::default();
        assert_eq!(decision.lacks(), None);
        decision.expected.probability = Some(0.8);
        assert_eq!(decision.comparison("shipped", None), "expected: 80%; actual: shipped");
    }
}

//! What may be said about a decision, and within which bounds.

use jiff::{
    Timestamp,
    civil::{Date, Time},
    tz::TimeZone,
};

use super::{Category, Decision, Error, Expected, Outcome};
use crate::engine::memory::moment;

/// Longest content and longest words about an outcome, in characters.
pub(super) const LONGEST_TEXT: usize = 4_000;
/// Longest lesson, in characters.
pub(super) const LONGEST_LESSON: usize = 1_000;
/// Longest id of a meeting or a task, in characters.
const LONGEST_ID: usize = 200;
/// Longest unit, in characters.
const LONGEST_UNIT: usize = 20;
/// Largest number, either way.
const LARGEST: f64 = 1e15;

/// A decision to be tracked.
#[derive(Debug, Clone, PartialEq)]
pub struct New {
    /// Name of the employee.
    pub employee: String,
    /// What kind of decision it is.
    pub category: Category,
    /// What was decided.
    pub content: String,
    /// What is expected of it.
    pub expected_outcome: String,
    /// The same in numbers.
    pub expected: Expected,
    /// By when: a day, or a moment.
    pub deadline: String,
    /// The meeting it comes from.
    pub meeting_id: String,
    /// The task it comes from.
    pub task_id: String,
    /// Whether the meeting need not be kept here.
    pub unlinked: bool,
}

impl New {
    /// An estimate about which nothing else is said.
    #[cfg(test)]
    pub(super) fn estimate(employee: &str, content: &str) -> Self {
        Self {
            employee: employee.to_owned(),
            category: Category::Estimate,
            content: content.to_owned(),
            expected_outcome: String::new(),
            expected: Expected::default(),
            deadline: String::new(),
            meeting_id: String::new(),
            task_id: String::new(),
            unlinked: false,
        }
    }

    /// The same within its bounds.
    ///
    /// # Errors
    /// [`Error::Unfit`] when something is out of them.
    pub(super) fn checked(&self) -> Result<Self, Error> {
        let deadline = self.deadline.trim();
        if !deadline.is_empty() && due(deadline).is_none() {
            return Err(Error::Unfit(format!(
                "`deadline` is a day such as 2026-12-31 or a moment such as 2026-12-31T18:00:00+08:00, not `{}`",
                shown(deadline)
            )));
        }
        Ok(Self {
            employee: self.employee.clone(),
            category: self.category,
            content: required("content", &self.content, LONGEST_TEXT)?,
            expected_outcome: text("expected_outcome", &self.expected_outcome, LONGEST_TEXT)?,
            expected: expected(&self.expected)?,
            deadline: deadline.to_owned(),
            meeting_id: id("meeting_id", &self.meeting_id)?,
            task_id: id("task_id", &self.task_id)?,
            unlinked: self.unlinked,
        })
    }
}

/// Numbers that say one thing.
fn expected(given: &Expected) -> Result<Expected, Error> {
    let refuse = |text: &str| Err(Error::Unfit(text.to_owned()));
    for (name, number) in [
        ("expected_value", given.expected_value),
        ("expected_low", given.expected_low),
        ("expected_high", given.expected_high),
    ] {
        number.map_or(Ok(()), |number| bounded(name, number))?;
    }
    share("probability", given.probability)?;
    match (given.expected_low, given.expected_high) {
        (Some(low), Some(high)) if low > high => {
            return refuse(&format!("`expected_low` ({low}) is above `expected_high` ({high})"));
        }
        (Some(low), Some(high)) => {
            if given.expected_value.is_some_and(|value| !(low..=high).contains(&value)) {
                return refuse("`expected_value` is not between `expected_low` and `expected_high`");
            }
        }
        (None, None) => {
            if given.expected_value.is_some() && given.probability.is_some() {
                return refuse(
                    "`probability` says how likely something is, or how sure a range is; beside an `expected_value` give \
                     `expected_low` and `expected_high`, too, or leave it out",
                );
            }
        }
        _ => return refuse("a range has both ends: give `expected_low` and `expected_high`"),
    }
    let unit = given.unit.trim();
    if given.has_number() && unit.is_empty() {
        return refuse("a number has a `unit`, such as days; only like is compared with like");
    }
    if !given.has_number() && !unit.is_empty() {
        return refuse("`unit` goes with `expected_value`, or with `expected_low` and `expected_high`");
    }
    let fits = |letter: char| letter.is_alphanumeric() || " %$€¥£°/·.-_".contains(letter);
    if unit.chars().count() > LONGEST_UNIT || !unit.chars().all(fits) {
        return refuse(&format!(
            "`unit` has at most {LONGEST_UNIT} letters, digits and signs such as % or $"
        ));
    }
    Ok(Expected { unit: unit.to_owned(), ..given.clone() })
}

/// What came of `decision`, within its bounds. Where nothing is said about how it compares, that is made up for.
///
/// # Errors
/// [`Error::Unfit`] when something is out of bounds, or has nothing to be compared with.
pub(super) fn outcome(decision: &Decision, given: &Outcome) -> Result<Outcome, Error> {
    let actual = required("actual_outcome", &given.actual_outcome, LONGEST_TEXT)?;
    if let Some(number) = given.actual_value {
        bounded("actual_value", number)?;
        if !decision.expected.has_number() {
            return Err(Error::Unfit(format!(
                "`{}` expected no number that `actual_value` could be compared with; leave it out",
                decision.id
            )));
        }
    }
    if given.occurred.is_some() && decision.expected.chance().is_none() {
        return Err(Error::Unfit(format!(
            "`{}` called nothing likely that could have `occurred`; leave it out",
            decision.id
        )));
    }
    share("score", given.score)?;
    let evaluation = text("evaluation", &given.evaluation, LONGEST_TEXT)?;
    Ok(Outcome {
        evaluation: if evaluation.is_empty() {
            decision.comparison(&actual, given.actual_value)
        } else {
            evaluation
        },
        actual_outcome: actual,
        lesson: text("lesson", &given.lesson, LONGEST_LESSON)?,
        ..given.clone()
    })
}

fn bounded(name: &str, number: f64) -> Result<(), Error> {
    if number.is_finite() && number.abs() <= LARGEST {
        return Ok(());
    }
    Err(Error::Unfit(format!("`{name}` must be a number of at most 15 digits, not {number}")))
}

fn share(name: &str, number: Option<f64>) -> Result<(), Error> {
    match number {
        Some(number) if !(0.0..=1.0).contains(&number) => {
            Err(Error::Unfit(format!("`{name}` must be a number from 0 to 1, not {number}")))
        }
        _ => Ok(()),
    }
}

fn text(name: &str, given: &str, most: usize) -> Result<String, Error> {
    let given = given.trim();
    let length = given.chars().count();
    if length > most {
        return Err(Error::Unfit(format!("`{name}` has {length} characters; at most {most} are kept")));
    }
    Ok(given.to_owned())
}

fn required(name: &str, given: &str, most: usize) -> Result<String, Error> {
    let given = text(name, given, most)?;
    if given.is_empty() {
        return Err(Error::Unfit(format!("`{name}` is empty; write it out")));
    }
    Ok(given)
}

fn id(name: &str, given: &str) -> Result<String, Error> {
    let given = text(name, given, LONGEST_ID)?;
    if given.contains(char::is_control) {
        return Err(Error::Unfit(format!("`{name}` is one line without control characters")));
    }
    Ok(given)
}

/// What was given, as it can be told.
pub(super) fn shown(text: &str) -> String {
    crate::base::text::truncate(&crate::base::text::visible(text), 64)
}

/// The moment a deadline is over: a day ends with its last second in UTC.
pub(super) fn due(text: &str) -> Option<Timestamp> {
    match day(text) {
        Some(day) => midnight(day.tomorrow().ok()?),
        None => moment(text),
    }
}

/// The moment that is asked about: a day begins at midnight in UTC.
///
/// # Errors
/// [`Error::Unfit`] when it is neither a day nor a moment.
pub fn as_of(text: &str) -> Result<Timestamp, Error> {
    let text = text.trim();
    let given = day(text).map_or_else(|| moment(text), midnight);
    given.ok_or_else(|| {
        let told = format!("`as_of` is a day such as 2026-12-31 or a moment, not `{}`", shown(text));
        Error::Unfit(told)
    })
}

fn day(text: &str) -> Option<Date> {
    // A date is also read from what says more than that.
    text.parse().ok().filter(|_| text.len() == "2026-12-31".len())
}

fn midnight(day: Date) -> Option<Timestamp> {
    Some(day.to_datetime(Time::midnight()).to_zoned(TimeZone::UTC).ok()?.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn new(expected: Expected) -> New {
        New { expected, ..New::estimate("ann", "x") }
    }

    #[track_caller]
    fn refused(new: &New, expected: &str) {
        let error = new.checked().unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }

    #[test]
    fn numbers_say_one_thing() {
        let days = || "days".to_owned();
        let none = Expected::default;
        refused(&new(Expected { expected_value: Some(2.0), ..none() }), "has a `unit`");
        refused(&new(Expected { unit: days(), ..none() }), "`unit` goes with");
        refused(
            &new(Expected { expected_value: Some(f64::NAN), unit: days(), ..none() }),
            "`expected_value` must be",
        );
        refused(&new(Expected { expected_value: Some(-1e16), unit: days(), ..none() }), "at most 15 digits");
        refused(&new(Expected { expected_low: Some(2.0), unit: days(), ..none() }), "both ends");
        let range = |low, high| Expected {
            expected_low: Some(low),
            expected_high: Some(high),
            unit: days(),
            ..none()
        };
        refused(&new(range(3.0, 2.0)), "is above");
        refused(&new(Expected { expected_value: Some(9.0), ..range(1.0, 3.0) }), "not between");
        refused(
            &new(Expected { probability: Some(1.01), ..none() }),
            "`probability` must be a number from 0 to 1",
        );
        let both = Expected { expected_value: Some(2.0), unit: days(), probability: Some(0.5), ..none() };
        refused(&new(both), "how sure a range is");
        for unit in ["d\n# x", "`", &"长".repeat(21)] {
            let odd = Expected { expected_value: Some(2.0), unit: unit.to_owned(), ..none() };
            refused(&new(odd), "`unit` has at most");
        }
        for fits in [
            Expected { expected_value: Some(2.0), unit: " 天 ".to_owned(), ..none() },
            Expected { expected_value: Some(2.0), probability: Some(0.9), ..range(1.0, 3.0) },
            Expected { probability: Some(0.0), ..none() },
            none(),
        ] {
            new(fits).checked().unwrap();
        }
    }

    #[test]
    fn texts_have_bounds() {
        for content in ["", " \n", &"长".repeat(LONGEST_TEXT + 1)] {
            refused(&New::estimate("ann", content), "`content`");
        }
        let long = New { expected_outcome: "x".repeat(LONGEST_TEXT + 1), ..new(Expected::default()) };
        refused(&long, "`expected_outcome` has 4001");
        refused(&New { task_id: "a\nb".to_owned(), ..new(Expected::default()) }, "`task_id` is one line");
        for deadline in ["soon", "2026-13-01", "2026-12-1", "12-31", "\u{202e}x"] {
            refused(
                &New { deadline: deadline.to_owned(), ..new(Expected::default()) },
                "`deadline` is a day",
            );
        }
    }

    #[test]
    fn a_day_ends_and_a_moment_is_one() {
        let at = |text: &str| -> Timestamp { text.parse().unwrap() };
        assert_eq!(due("2026-12-31"), Some(at("2027-01-01T00:00:00Z")));
        assert_eq!(due("2026-12-31T18:00:00+08:00"), Some(at("2026-12-31T10:00:00Z")));
        assert_eq!(due("2026-12-31T18:00:00"), Some(at("2026-12-31T18:00:00Z")));
        assert_eq!(due("soon"), None);
        assert_eq!(as_of(" 2026-12-31 ").unwrap(), at("2026-12-31T00:00:00Z"));
        assert!(as_of("tomorrow").is_err());
    }

    #[test]
    fn only_what_was_expected_can_be_compared() {
        let decision: Decision =
            serde_json::from_str(r#"{"id":"D1","category":"estimate","content":"x","probability":0.5}"#)
                .unwrap();
        let said = |given: Outcome| outcome(&decision, &Outcome { actual_outcome: "y".to_owned(), ..given });
        let error = |given| said(given).unwrap_err().to_string();
        assert!(
            error(Outcome { actual_value: Some(1.0), ..Outcome::default() }).contains("expected no number")
        );
        assert!(error(Outcome { score: Some(2.0), ..Outcome::default() }).contains("`score` must be"));
        let long = "x".repeat(LONGEST_LESSON + 1);
        assert!(error(Outcome { lesson: long, ..Outcome::default() }).contains("`lesson` has 1001"));
        let fine = said(Outcome { occurred: Some(true), ..Outcome::default() }).unwrap();
        assert_eq!(fine.evaluation, "expected: 50%; actual: y");
        assert!(outcome(&decision, &Outcome::default()).is_err());
    }
}

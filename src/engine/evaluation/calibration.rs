//! How what an employee expects compares with what comes about, as numbers. Nothing here asks a file or a clock.
//!
//! - Numbers: the bias factor, the geometric mean of actual by estimated. 2 says that things take twice as much.
//! - Ranges: how many held what came about, against how many should have.
//! - Probabilities: the Brier score, the mean of `(p - o)²` where `o` is 1 for what came about, else 0; and how much was
//!   called likely against how much came about.
//!
//! Below [`ENOUGH`] cases nothing is said. A deviation counts when it is more than two standard errors away from none.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use super::{Category, Decision, Status, units};

/// Least cases that say something.
pub const ENOUGH: usize = 5;
/// How many of the newest cases count, so that what was learned since then shows.
pub(super) const MOST_CASES: usize = 100;
/// How sure a range is that does not say.
const USUAL_RANGE: f64 = 0.9;
/// Standard errors by which a deviation is more than chance.
const CLEAR: f64 = 2.0;
/// A bias below this is none.
const LEAST_BIAS: f64 = 1.05;

/// How well an employee expects, in one kind of decision.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Calibration {
    /// Name of the employee.
    pub employee: String,
    /// The kind of decision.
    pub category: Category,
    /// Decisions that were evaluated.
    pub evaluated: usize,
    /// Decisions that wait for that.
    pub pending: usize,
    /// Evaluated decisions without a number or a chance on both sides, which nothing can be counted from.
    pub uncounted: usize,
    /// Numbers, by unit.
    pub numbers: Vec<Bias>,
    /// Ranges.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ranges: Option<Coverage>,
    /// Probabilities.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub probabilities: Option<Brier>,
}

/// Which way expectations go wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// There are fewer than 5 cases: too few to say anything.
    TooFew,
    /// No deviation that is more than chance.
    Fits,
    /// More comes about than is expected.
    TooLow,
    /// Less comes about than is expected.
    TooHigh,
    /// Ranges hold less of what comes about than they should.
    TooNarrow,
    /// Ranges hold more of what comes about than they should.
    TooWide,
}

/// Numbers of one unit.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Bias {
    /// What they count.
    pub unit: String,
    /// How many cases count.
    pub cases: usize,
    /// Cases that cannot count, as a factor needs numbers above 0.
    pub left_out: usize,
    /// What they say.
    pub verdict: Verdict,
    /// The geometric mean of actual by estimated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub factor: Option<f64>,
    /// The geometric standard deviation of the same: 1 when all are alike.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spread: Option<f64>,
}

/// Ranges.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Coverage {
    /// How many cases count.
    pub cases: usize,
    /// What they say.
    pub verdict: Verdict,
    /// The share of ranges that held what came about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held: Option<f64>,
    /// The share that should have; 0.9 for a range that does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub meant: Option<f64>,
}

/// Probabilities.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Brier {
    /// How many cases count.
    pub cases: usize,
    /// What they say.
    pub verdict: Verdict,
    /// The Brier score: 0 is best, 0.25 is had by always saying 0.5, 1 is worst.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub score: Option<f64>,
    /// How likely things were called, on average.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub said: Option<f64>,
    /// The share that came about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub came_about: Option<f64>,
}

/// Compares `decisions`, the newest first, by employee and kind. `name` tells who goes by a name.
pub fn calibrations<'d>(
    decisions: impl IntoIterator<Item = &'d Decision>,
    name: impl Fn(&str) -> String,
) -> Vec<Calibration> {
    let mut groups: BTreeMap<(String, Category), Cases> = BTreeMap::new();
    for decision in decisions {
        groups.entry((name(&decision.employee), decision.category)).or_default().add(decision);
    }
    groups.into_iter().map(|((employee, category), cases)| cases.calibration(employee, category)).collect()
}

/// What counts of some decisions, the newest first.
#[derive(Default)]
struct Cases {
    evaluated: usize,
    pending: usize,
    uncounted: usize,
    /// Estimated and actual, by unit.
    numbers: BTreeMap<String, Vec<(f64, f64)>>,
    ranges: Vec<Range>,
    probabilities: Vec<(f64, bool)>,
}

/// A range, how sure it was said to be, and what came about.
#[derive(Debug, Clone, Copy)]
struct Range {
    low: f64,
    high: f64,
    sure: f64,
    actual: f64,
}

impl Cases {
    fn add(&mut self, decision: &Decision) {
        if decision.status != Status::Evaluated {
            self.pending += 1;
            return;
        }
        self.evaluated += 1;
        let (expected, outcome) = (&decision.expected, &decision.outcome);
        let mut counts = false;
        if let Some((estimated, actual)) = expected.expected_value.zip(outcome.actual_value) {
            self.numbers.entry(units::same(&expected.unit)).or_default().push((estimated, actual));
            counts = true;
        }
        if let Some(((low, high), actual)) = expected.range().zip(outcome.actual_value) {
            let sure = expected.probability.unwrap_or(USUAL_RANGE);
            self.ranges.push(Range { low, high, sure, actual });
            counts = true;
        }
        if let Some(case) = expected.chance().zip(outcome.occurred) {
            self.probabilities.push(case);
            counts = true;
        }
        self.uncounted += usize::from(!counts);
    }

    fn calibration(self, employee: String, category: Category) -> Calibration {
        Calibration {
            employee,
            category,
            evaluated: self.evaluated,
            pending: self.pending,
            uncounted: self.uncounted,
            numbers: self.numbers.into_iter().map(|(unit, cases)| Bias::of(unit, &cases)).collect(),
            ranges: (!self.ranges.is_empty()).then(|| Coverage::of(&self.ranges)),
            probabilities: (!self.probabilities.is_empty()).then(|| Brier::of(&self.probabilities)),
        }
    }
}

impl Bias {
    /// The bias of cases of estimated and actual, the newest first.
    fn of(unit: String, cases: &[(f64, f64)]) -> Self {
        let is_positive = |(estimated, actual): &&(f64, f64)| *estimated > 0.0 && *actual > 0.0;
        let logs: Vec<f64> = cases
            .iter()
            .filter(is_positive)
            .take(MOST_CASES)
            .map(|(estimated, actual)| actual.ln() - estimated.ln())
            .collect();
        let left_out = cases.iter().filter(|case| !is_positive(case)).count();
        if logs.len() < ENOUGH {
            return Self {
                unit,
                cases: logs.len(),
                left_out,
                verdict: Verdict::TooFew,
                factor: None,
                spread: None,
            };
        }
        let middle = mean(logs.iter().copied());
        // Over n - 1, as the middle was made of the same cases.
        let variance = logs.iter().map(|log| (log - middle).powi(2)).sum::<f64>() / (count(logs.len()) - 1.0);
        let error = (variance / count(logs.len())).sqrt();
        let is_clear = middle.abs() > LEAST_BIAS.ln() && middle.abs() > CLEAR * error;
        let verdict = match (is_clear, middle > 0.0) {
            (false, _) => Verdict::Fits,
            (true, true) => Verdict::TooLow,
            (true, false) => Verdict::TooHigh,
        };
        Self {
            unit,
            cases: logs.len(),
            left_out,
            verdict,
            factor: Some(middle.exp()),
            spread: Some(variance.sqrt().exp()),
        }
    }
}

impl Coverage {
    fn of(all: &[Range]) -> Self {
        let cases = all.get(..MOST_CASES).unwrap_or(all);
        if cases.len() < ENOUGH {
            return Self { cases: cases.len(), verdict: Verdict::TooFew, held: None, meant: None };
        }
        let did_hold = |range: &Range| f64::from((range.low..=range.high).contains(&range.actual));
        let held = mean(cases.iter().map(did_hold));
        let meant = mean(cases.iter().map(|range| range.sure));
        let verdict = match beyond_chance(held - meant, cases.iter().map(|range| range.sure)) {
            None => Verdict::Fits,
            Some(true) => Verdict::TooWide,
            Some(false) => Verdict::TooNarrow,
        };
        Self { cases: cases.len(), verdict, held: Some(held), meant: Some(meant) }
    }
}

impl Brier {
    fn of(all: &[(f64, bool)]) -> Self {
        let cases = all.get(..MOST_CASES).unwrap_or(all);
        if cases.len() < ENOUGH {
            let verdict = Verdict::TooFew;
            return Self { cases: cases.len(), verdict, score: None, said: None, came_about: None };
        }
        let score = mean(cases.iter().map(|(chance, occurred)| (chance - f64::from(*occurred)).powi(2)));
        let said = mean(cases.iter().map(|(chance, _)| *chance));
        let came_about = mean(cases.iter().map(|(_, occurred)| f64::from(*occurred)));
        let verdict = match beyond_chance(came_about - said, cases.iter().map(|(chance, _)| *chance)) {
            None => Verdict::Fits,
            Some(true) => Verdict::TooLow,
            Some(false) => Verdict::TooHigh,
        };
        let (score, said, came_about) = (Some(score), Some(said), Some(came_about));
        Self { cases: cases.len(), verdict, score, said, came_about }
    }
}

/// Whether a share deviates more than it would by chance if the `chances` were right, and then whether upwards.
fn beyond_chance(deviation: f64, chances: impl ExactSizeIterator<Item = f64>) -> Option<bool> {
    /// Sums of fractions are off by less than this.
    const EXACT: f64 = 1e-9;
    let number = count(chances.len());
    let error = chances.map(|chance| chance * (1.0 - chance)).sum::<f64>().sqrt() / number;
    (deviation.abs() > CLEAR * error + EXACT).then_some(deviation > 0.0)
}

fn mean(numbers: impl ExactSizeIterator<Item = f64>) -> f64 {
    let number = count(numbers.len());
    numbers.sum::<f64>() / number
}

#[expect(clippy::cast_precision_loss, reason = "a number of cases, at most a hundred")]
fn count(cases: usize) -> f64 {
    cases as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn near(number: Option<f64>, expected: f64) {
        let number = number.unwrap();
        assert!((number - expected).abs() < 1e-3, "{number} is not {expected}");
    }

    /// Estimated and actual, the factor, the spread and what they say; computed by hand.
    #[test]
    fn the_bias_of_numbers() {
        use Verdict::{Fits, TooHigh, TooLow};
        type Row<'r> = (&'r [(f64, f64)], f64, f64, Verdict);
        let table: [Row<'_>; 6] = [
            // Each took twice as long.
            (&[(1.0, 2.0), (2.0, 4.0), (3.0, 6.0), (5.0, 10.0), (0.5, 1.0)], 2.0, 1.0, TooLow),
            (&[(2.0, 1.0), (4.0, 2.0), (6.0, 3.0), (10.0, 5.0), (1.0, 0.5)], 0.5, 1.0, TooHigh),
            // 1, 2, 4, 8, 16: the middle is 4; the logarithms are off by ln 2 × √(10 ÷ 4) = 1.0959, e to that is 2.992; the
            // error is 1.0959 ÷ √5 = 0.490, and ln 4 = 1.386 is more than twice that.
            (&[(1.0, 1.0), (1.0, 2.0), (1.0, 4.0), (1.0, 8.0), (1.0, 16.0)], 4.0, 2.992, TooLow),
            // 1/4, 1/2, 1, 2, 4: wide, but on the whole right.
            (&[(4.0, 1.0), (2.0, 1.0), (1.0, 1.0), (1.0, 2.0), (1.0, 4.0)], 1.0, 2.992, Fits),
            // 1/2, 1, 2, 4, 8: the middle is 2, but ln 2 = 0.693 is less than twice 0.490.
            (&[(2.0, 1.0), (1.0, 1.0), (1.0, 2.0), (1.0, 4.0), (1.0, 8.0)], 2.0, 2.992, Fits),
            // Clear, but too little to be worth a word.
            (&[(1.0, 1.02), (2.0, 2.04), (3.0, 3.06), (4.0, 4.08), (5.0, 5.1)], 1.02, 1.0, Fits),
        ];
        for (cases, factor, spread, verdict) in table {
            let bias = Bias::of("days".to_owned(), cases);
            near(bias.factor, factor);
            near(bias.spread, spread);
            assert_eq!((bias.cases, bias.left_out, bias.verdict), (5, 0, verdict), "{cases:?}");
        }
    }

    #[test]
    fn a_factor_needs_numbers_above_nothing() {
        let cases = [(1.0, 2.0), (0.0, 2.0), (1.0, 0.0), (-1.0, -2.0), (1.0, 2.0), (1.0, 2.0), (1.0, 2.0)];
        let bias = Bias::of("usd".to_owned(), &cases);
        assert_eq!((bias.cases, bias.left_out, bias.verdict, bias.factor), (4, 3, Verdict::TooFew, None));
    }

    #[test]
    fn the_newest_cases_count() {
        let mut cases = vec![(1.0, 2.0); MOST_CASES];
        cases.extend(vec![(1.0, 100.0); 50]);
        let bias = Bias::of("days".to_owned(), &cases);
        near(bias.factor, 2.0);
        assert_eq!(bias.cases, MOST_CASES);
    }

    /// Probability and whether it came about, the score, what was said and what came about; computed by hand.
    #[test]
    fn the_brier_score_of_probabilities() {
        use Verdict::{Fits, TooHigh, TooLow};
        type Row<'r> = (&'r [(f64, bool)], [f64; 3], Verdict);
        let table: [Row<'_>; 5] = [
            // (0.01 + 0.04 + 0.49 + 0.16 + 0.25) ÷ 5; the error is √0.95 ÷ 5 = 0.195, and 0.1 is less than twice that.
            (&[(0.9, true), (0.8, true), (0.7, false), (0.6, true), (0.5, false)], [0.19, 0.7, 0.6], Fits),
            (&[(0.9, false); 5], [0.81, 0.9, 0.0], TooHigh),
            (&[(0.1, true); 5], [0.81, 0.1, 1.0], TooLow),
            (&[(1.0, true); 5], [0.0, 1.0, 1.0], Fits),
            // Who is sure has no room for chance: one in six is enough.
            (
                &[(1.0, true), (1.0, true), (1.0, true), (1.0, true), (1.0, true), (1.0, false)],
                [1.0 / 6.0, 1.0, 5.0 / 6.0],
                TooHigh,
            ),
        ];
        for (cases, [score, said, came_about], verdict) in table {
            let brier = Brier::of(cases);
            near(brier.score, score);
            near(brier.said, said);
            near(brier.came_about, came_about);
            assert_eq!((brier.cases, brier.verdict), (cases.len(), verdict), "{cases:?}");
        }
    }

    /// How sure the ranges are, how many of them hold, and what that says; computed by hand.
    #[test]
    fn the_coverage_of_ranges() {
        use Verdict::{Fits, TooNarrow, TooWide};
        // At 0.9 the error of 5 is √0.45 ÷ 5 = 0.134, at 0.5 it is √1.25 ÷ 5 = 0.224.
        let table = [
            (0.9, 5, 5, Fits),
            (0.9, 5, 4, Fits),
            (0.9, 5, 3, TooNarrow),
            (0.9, 5, 0, TooNarrow),
            (0.5, 5, 5, TooWide),
            (0.5, 5, 4, Fits),
            (0.5, 5, 0, TooNarrow),
        ];
        for (sure, cases, holding, verdict) in table {
            // The ends belong to a range.
            let range = |number| Range {
                low: 1.0,
                high: 3.0,
                sure,
                actual: if number < holding { 3.0 } else { 3.1 },
            };
            let ranges: Vec<_> = (0..cases).map(range).collect();
            let coverage = Coverage::of(&ranges);
            near(coverage.held, f64::from(holding) / f64::from(cases));
            near(coverage.meant, sure);
            assert_eq!(coverage.verdict, verdict, "{holding} of {cases} at {sure}");
        }
    }

    fn decision(text: &str) -> Decision {
        let text = format!(r#"{{"id":"D1","content":"x",{text}}}"#);
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn cases_are_counted_by_employee_kind_and_unit() {
        let number = |employee: &str, unit: &str| {
            decision(&format!(
                r#""employee":"{employee}","category":"estimate","status":"evaluated","expected_value":1,"unit":"{unit}","actual_value":2"#
            ))
        };
        let mut all: Vec<_> = ["days", "Day", "天", "d", "日"].map(|unit| number("ann", unit)).into();
        all.extend([number("an alias", "hours"), number("bob", "days")]);
        all.push(decision(
            r#""employee":"ann","category":"estimate","status":"evaluated","actual_outcome":"5 天""#,
        ));
        all.push(decision(
            r#""employee":"ann","category":"estimate","status":"pending","expected_value":1,"unit":"days""#,
        ));
        all.push(decision(
            r#""employee":"ann","category":"commitment","status":"evaluated","expected_low":1,"expected_high":2,"unit":"days","probability":0.5,"actual_value":2"#,
        ));
        let name = |name: &str| if name == "an alias" { "ann".to_owned() } else { name.to_owned() };
        let told = calibrations(&all, name);
        let [ann, promises, bob] = told.as_slice() else { panic!("{told:?}") };
        assert_eq!((ann.employee.as_str(), ann.category), ("ann", Category::Estimate));
        assert_eq!((ann.evaluated, ann.pending, ann.uncounted), (7, 1, 1));
        let units: Vec<_> = ann.numbers.iter().map(|bias| (bias.unit.as_str(), bias.cases)).collect();
        assert_eq!(units, [("days", 5), ("hours", 1)]);
        assert_eq!((ann.numbers[0].verdict, ann.numbers[1].verdict), (Verdict::TooLow, Verdict::TooFew));
        let ranges = promises.ranges.as_ref().unwrap();
        assert_eq!(
            (ranges.cases, ranges.verdict, promises.probabilities.is_none()),
            (1, Verdict::TooFew, true)
        );
        assert_eq!((bob.employee.as_str(), bob.numbers[0].factor), ("bob", None));
    }
}

//! The words of `eval`.

use clap::{Args, Subcommand};

use crate::engine::evaluation::{Category, Expected, Status};

/// The words of `eval`.
#[derive(Debug, Args)]
pub(in crate::cli) struct EvalArgs {
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Keep a decision of an employee, to be compared with what comes of it
    Track(TrackArgs),
    /// List decisions, the newest first
    List(ListArgs),
    /// Show one decision with all its evaluations
    Show {
        /// Id of the decision, or how it begins
        id: String,
    },
    /// Put down what came of a decision; once more is another version
    #[command(alias = "evaluate")]
    Run(RunArgs),
    /// Print a prompt that asks how a decision turned out
    Prompt {
        /// Id of the decision, or how it begins
        id: String,
    },
    /// List decisions that should have been evaluated
    Overdue(OverdueArgs),
    /// Tell how well employees expect
    Calibration(CalibrationArgs),
    /// Forget a decision with all its evaluations; what was remembered of it stays
    Delete {
        /// Id of the decision, or how it begins
        id: String,
    },
}

#[derive(Debug, Args)]
pub(super) struct TrackArgs {
    /// Name or trigger
    pub(super) employee: String,
    /// estimate, recommendation, commitment
    #[arg(short, long, value_parser = category)]
    pub(super) category: Category,
    /// What was decided
    #[arg(short = 'm', long)]
    pub(super) content: String,
    /// What is expected of it, in words
    #[arg(short, long, default_value = "")]
    pub(super) expected: String,
    #[command(flatten)]
    pub(super) numbers: Numbers,
    /// By when: a day such as 2026-12-31, which ends in UTC, or a moment with an offset
    #[arg(long, value_name = "WHEN", default_value = "")]
    pub(super) deadline: String,
    /// Meeting it comes from
    #[arg(long, value_name = "ID", default_value = "")]
    pub(super) meeting_id: String,
    /// Task it comes from
    #[arg(long, value_name = "ID", default_value = "")]
    pub(super) task_id: String,
    /// Also for a name that is no employee here, or a meeting that is not kept here
    #[arg(long)]
    pub(super) force: bool,
}

/// What is expected, in numbers.
#[derive(Debug, Args)]
pub(super) struct Numbers {
    /// A number that is expected
    #[arg(long, value_name = "NUMBER", allow_negative_numbers = true)]
    value: Option<f64>,
    /// The low end of a range
    #[arg(long, value_name = "NUMBER", allow_negative_numbers = true)]
    low: Option<f64>,
    /// The high end of a range
    #[arg(long, value_name = "NUMBER", allow_negative_numbers = true)]
    high: Option<f64>,
    /// What the numbers count, such as days
    #[arg(long, default_value = "")]
    unit: String,
    /// How likely it is to come about, or how sure the range is (0.9, unless given); from 0 to 1
    #[arg(long, value_name = "SHARE")]
    probability: Option<f64>,
}

impl Numbers {
    /// The same as the engine takes it.
    pub(super) fn expected(&self) -> Expected {
        Expected {
            expected_value: self.value,
            expected_low: self.low,
            expected_high: self.high,
            unit: self.unit.clone(),
            probability: self.probability,
        }
    }
}

#[derive(Debug, Args)]
pub(super) struct ListArgs {
    /// Only decisions of this employee, by name or trigger
    #[arg(long, value_name = "NAME")]
    pub(super) employee: Option<String>,
    /// Only those that are: pending, evaluated
    #[arg(long, value_parser = status)]
    pub(super) status: Option<Status>,
    /// Only this kind: estimate, recommendation, commitment
    #[arg(short, long, value_parser = category)]
    pub(super) category: Option<Category>,
    /// At most this many
    #[arg(short = 'n', long, default_value_t = 20, value_parser = limit)]
    pub(super) limit: usize,
}

#[derive(Debug, Args)]
pub(super) struct RunArgs {
    /// Id of the decision, or how it begins
    pub(super) id: String,
    /// What came of it
    #[arg(short, long)]
    pub(super) actual: String,
    /// How that compares with what was expected; made up from both, unless given
    #[arg(short, long, default_value = "")]
    pub(super) evaluation: String,
    /// The number that came of it, in the unit of the decision
    #[arg(long, value_name = "NUMBER", allow_negative_numbers = true)]
    pub(super) value: Option<f64>,
    /// Whether what was given a probability came about: true, false
    #[arg(long, value_name = "BOOL")]
    pub(super) occurred: Option<bool>,
    /// How good the decision was, from 0 to 1
    #[arg(long)]
    pub(super) score: Option<f64>,
    /// What to do otherwise next time
    #[arg(long, default_value = "")]
    pub(super) lesson: String,
}

#[derive(Debug, Args)]
pub(super) struct OverdueArgs {
    /// Only decisions of this employee, by name or trigger
    #[arg(long, value_name = "NAME")]
    pub(super) employee: Option<String>,
    /// When it is asked about: a day such as 2026-12-31, or a moment; now, unless given
    #[arg(long, value_name = "WHEN")]
    pub(super) as_of: Option<String>,
    /// After how many days a decision without a deadline is overdue
    #[arg(long, value_name = "DAYS", default_value_t = crate::engine::evaluation::OVERDUE_DAYS,
        value_parser = clap::value_parser!(u32).range(0..=36_500))]
    pub(super) age: u32,
}

#[derive(Debug, Args)]
pub(super) struct CalibrationArgs {
    /// Name or trigger; all employees, unless given
    pub(super) employee: Option<String>,
    /// Only this kind: estimate, recommendation, commitment
    #[arg(short, long, value_parser = category)]
    pub(super) category: Option<Category>,
}

fn limit(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|limit| *limit > 0).ok_or_else(|| "write a whole number, more than 0".to_owned())
}

fn category(text: &str) -> Result<Category, String> {
    let known = Category::ALL.into_iter().find(|category| category.as_str() == text);
    known.ok_or_else(|| format!("there are {}", Category::ALL.map(Category::as_str).join(", ")))
}

fn status(text: &str) -> Result<Status, String> {
    let known = [Status::Pending, Status::Evaluated].into_iter().find(|status| status.as_str() == text);
    known.ok_or_else(|| "there are pending, evaluated".to_owned())
}

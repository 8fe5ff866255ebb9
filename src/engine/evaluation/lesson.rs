//! What an employee remembers of a decision that was evaluated.

use schemars::JsonSchema;
use serde::Serialize;

use super::Decision;
use crate::{
    base::text::truncate,
    engine::memory::{
        self, Category, Classification, Clearance, Holder, Memory, New, Private, Query, Traits,
    },
};

/// What became of the memory of an evaluation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Remembered {
    /// It was added.
    Added,
    /// It took the place of that of an earlier evaluation.
    Corrected,
    /// It was remembered before.
    Known,
    /// The employee has no memory.
    Off,
    /// It could not be kept; evaluating once more tries again.
    Failed,
}

/// Has the employee remember what is to be learned from `decision`, as a correction from `eval:<id>`. An evaluation has one
/// such memory: another version takes the place of that before.
///
/// # Errors
/// When the memory cannot be kept.
pub(super) fn remember(
    memory: &Memory,
    holder: &Holder,
    decision: &Decision,
) -> Result<Remembered, memory::Error> {
    let source = format!("eval:{}", crate::base::text::visible(&decision.id));
    let content = truncate(&told(decision), memory::LONGEST_CONTENT - 1);
    let corrections = Query { category: Some(Category::Correction), limit: usize::MAX, ..Query::default() };
    let everything = Clearance::up_to(Classification::Confidential, Private::Everybody);
    let found = memory.query(holder, &corrections, &everything)?.entries;
    match found.iter().find(|entry| entry.source_session == source) {
        None => {
            let category = Category::Correction;
            let lesson = New { category, content, source_session: source, traits: Traits::default() };
            memory.add(holder, &lesson)?;
            Ok(Remembered::Added)
        }
        Some(entry) if entry.content.trim() == content.trim() => Ok(Remembered::Known),
        Some(entry) => {
            memory.correct(holder, &entry.id, &content, &source)?;
            Ok(Remembered::Corrected)
        }
    }
}

/// What is remembered: the evaluation and the lesson. One that was made up for nobody's words says what it is about.
fn told(decision: &Decision) -> String {
    /// Most characters of what was decided.
    const ABOUT: usize = 200;
    let outcome = &decision.outcome;
    let is_plain = outcome.evaluation == decision.comparison(&outcome.actual_outcome, outcome.actual_value);
    let names_it = decision.expectation().is_empty();
    let about = if is_plain && !names_it {
        format!("{}: ", truncate(decision.content.trim(), ABOUT))
    } else {
        String::new()
    };
    let lesson = if outcome.lesson.is_empty() { String::new() } else { format!("; {}", outcome.lesson) };
    format!("{about}{}{lesson}", outcome.evaluation)
}

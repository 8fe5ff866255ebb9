//! What employees decided, and what came of it: `.crew/evaluations/decisions.jsonl`, one decision a line.
//!
//! A decision is added by appending its line; an evaluation puts a new file in place of the old one, in which the line of the
//! decision holds it and all that were made before. Both happen under a lock that every writer takes. What is counted from
//! that ([`calibrations`]) goes into the next prompts of the employee.
//!
//! Everything here waits for the disk; callers on a runtime go through [`Crew::decisions`](super::Crew::decisions).

mod calibration;
mod crew;
mod decision;
mod error;
mod fit;
mod lesson;
mod look;
mod prompt;
mod shelf;
mod units;

use std::path::{Path, PathBuf};

use parking_lot::Mutex;

pub use calibration::{Bias, Brier, Calibration, Coverage, ENOUGH, Verdict, calibrations};
pub use crew::Evaluated;
pub use decision::{Category, Decision, Expected, Outcome, Status};
pub use error::Error;
pub use fit::{New, as_of};
pub use lesson::Remembered;
pub use look::{Because, Filter, Listed, Overdue};

use self::shelf::{Edit, Shelf, View};
use super::memory::written;
use crate::base::clock;

/// Where decisions are, relative to the root of a project.
pub const FILE: &str = ".crew/evaluations/decisions.jsonl";
/// Where the minutes of meetings are.
const MEETINGS: &str = ".crew/meetings";
/// Most evaluations of one decision.
const MOST_VERSIONS: usize = 50;
/// After how many days a decision without a deadline is overdue, unless somebody says otherwise.
pub const OVERDUE_DAYS: u32 = 30;

/// The decisions of a project.
#[derive(Debug)]
pub struct Evaluations {
    root: PathBuf,
    shelf: Mutex<Shelf>,
}

impl Evaluations {
    /// The decisions of the project at `root`. Reads nothing yet.
    pub fn open(root: &Path) -> Self {
        Self { root: root.to_owned(), shelf: Mutex::new(Shelf::new(root.join(FILE))) }
    }

    /// Keeps a decision. It is on the disk then.
    ///
    /// # Errors
    /// [`Error::Unfit`] when something is out of bounds, [`Error::NoMeeting`], [`Error::Store`] when the disk refuses.
    pub fn track(&self, new: &New) -> Result<Decision, Error> {
        let new = new.checked()?;
        if !new.meeting_id.is_empty() && !new.unlinked && !self.has_meeting(&new.meeting_id) {
            return Err(Error::NoMeeting { id: fit::shown(&new.meeting_id) });
        }
        let mut decision = Decision {
            id: new_id(),
            employee: new.employee,
            meeting_id: new.meeting_id,
            created_at: written(clock::now()),
            category: new.category,
            content: new.content,
            expected_outcome: new.expected_outcome,
            status: Status::Pending,
            outcome: Outcome::default(),
            deadline: new.deadline,
            task_id: new.task_id,
            expected: new.expected,
            history: Vec::new(),
            extra: serde_json::Map::new(),
        };
        let add = |view: &View| {
            while view.has(&decision.id) {
                decision.id = new_id();
            }
            Ok((Edit::Add(Box::new(decision.clone())), decision))
        };
        self.shelf.lock().edit(add, |decision| decision)
    }

    /// Puts down what came of the decision of `id`, which may be the beginning of it. What was put down before stays in its
    /// history; the same once more changes nothing. `then` is done before anybody else can evaluate, with the decision and
    /// whether that is new.
    ///
    /// # Errors
    /// [`Error::Unknown`], [`Error::Unfit`], [`Error::Conflict`] when it was evaluated all too often, [`Error::Store`].
    pub fn evaluate<T>(
        &self,
        id: &str,
        given: &Outcome,
        then: impl FnOnce(&Decision, bool) -> T,
    ) -> Result<T, Error> {
        let evaluate = |view: &View| {
            let before = view.find(id)?;
            let outcome = fit::outcome(before, given)?;
            let was_evaluated = before.status == Status::Evaluated;
            if was_evaluated && before.outcome.says_the_same(&outcome) {
                return Ok((Edit::Nothing, (Decision::clone(before), false)));
            }
            if before.history.len() + 1 >= MOST_VERSIONS {
                let told = format!("`{}` was evaluated {MOST_VERSIONS} times; no more are kept", before.id);
                return Err(Error::Conflict(told));
            }
            let mut decision = Decision::clone(before);
            let earlier = std::mem::replace(&mut decision.outcome, outcome);
            decision.history.extend(was_evaluated.then_some(earlier));
            decision.status = Status::Evaluated;
            decision.outcome.evaluated_at = written(clock::now());
            Ok((Edit::Put(Box::new(decision.clone())), (decision, true)))
        };
        self.shelf.lock().edit(evaluate, |(decision, is_new)| then(&decision, is_new))
    }

    /// Forgets a decision and all its evaluations. Memories of them stay.
    ///
    /// # Errors
    /// [`Error::Unknown`], [`Error::Unfit`] when several begin so, [`Error::Store`].
    pub fn delete(&self, id: &str) -> Result<Decision, Error> {
        let delete = |view: &View| {
            let decision = Decision::clone(view.find(id)?);
            Ok((Edit::Remove(decision.id.clone()), decision))
        };
        self.shelf.lock().edit(delete, |decision| decision)
    }

    /// The question to a model or a person how the decision of `id` turned out.
    ///
    /// # Errors
    /// As [`Evaluations::get`].
    pub fn question(&self, id: &str) -> Result<String, Error> {
        Ok(prompt::question(&*self.get(id)?))
    }

    /// Looks at the file as it is now.
    fn look<T>(&self, look: impl FnOnce(&View) -> T) -> Result<T, Error> {
        Ok(look(self.shelf.lock().read()?))
    }

    /// Whether minutes of a meeting are kept.
    fn has_meeting(&self, id: &str) -> bool {
        let is_plain = !id.contains(['/', '\\', '\0']) && !id.starts_with('.');
        let folder = self.root.join(MEETINGS);
        is_plain && [".md", ".json"].iter().any(|ending| folder.join(format!("{id}{ending}")).is_file())
    }
}

/// `D` and 8 hex digits, as there always were.
fn new_id() -> String {
    format!("D{:08x}", uuid::Uuid::now_v7().as_u128() & 0xffff_ffff)
}

#[cfg(test)]
mod tests;

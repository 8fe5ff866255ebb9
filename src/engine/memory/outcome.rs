//! What came of a run, in a few words. Never what it was asked: a memory that is told in prompts must not be made of them.

use super::{Card, Category, Classification, Entry, Error, Holder, Memory, alike, entry::new_id, orders::By};
use crate::base::{clock, text::truncate};

/// The tag of outcomes.
pub(super) const TAG: &str = "outcome";
/// Most characters of an outcome that are kept.
const GIST: usize = 400;
/// Outcomes that a new one is compared with, the newest.
const COMPARED: usize = 200;

/// What came of a run of an employee.
#[derive(Debug, Clone, Copy)]
pub struct Outcome<'o> {
    /// What it answered.
    pub output: &'o str,
    /// The task it was done in.
    pub source: &'o str,
    /// How far the answer may be told: it may hold what its prompt did.
    pub classification: Classification,
    /// To whom, when that is restricted.
    pub domain: &'o [String],
}

impl Memory {
    /// Remembers what came of a run, unless the like is remembered. The oldest outcomes make room; nothing else does.
    ///
    /// # Errors
    /// [`Error::Store`] when the disk refuses.
    pub fn remember_outcome(&self, holder: &Holder, outcome: &Outcome<'_>) -> Result<Option<Entry>, Error> {
        let gist = gist(outcome.output);
        let most = usize::try_from(self.settings.max_outcomes).unwrap_or(usize::MAX);
        if gist.is_empty() || most == 0 {
            return Ok(None);
        }
        let now = clock::now();
        let words = alike::words(&gist);
        let book = self.shelf(&Self::home(&self.folder, holder));
        let mut book = book.lock();
        book.edit(|view, edit| {
            let own = |card: &&Card| card.holds(now) && holder.is(&card.employee);
            for card in view.by(By::Time).filter(own).take(COMPARED) {
                if alike::says_the_same(&words, &alike::words(&view.entry(card)?.content)) {
                    return Ok(None);
                }
            }
            let outcomes: Vec<&Card> = view.by(By::Outcomes).filter(own).collect();
            // Some at a time, so that not every run writes the file anew.
            if outcomes.len() >= most {
                edit.remove(outcomes.iter().skip(most - most.div_ceil(4)).map(|card| card.id.to_string()));
            }
            let mut entry = Entry::new(holder.name(), Category::Finding, &gist, now);
            while view.get(&entry.id).is_some() {
                entry.id = new_id(now);
            }
            outcome.source.clone_into(&mut entry.source_session);
            entry.importance = 2;
            entry.tags = vec![TAG.to_owned()];
            entry.ttl_days = i64::from(self.settings.ttl_days);
            entry.classification = outcome.classification;
            entry.domain = outcome.domain.to_vec();
            edit.add(entry.clone());
            Ok(Some(entry))
        })
    }
}

/// Whether an entry is what came of a run.
pub(super) fn is_outcome(entry: &Entry) -> bool {
    entry.tags.iter().any(|tag| tag == TAG)
}

/// The beginning of an answer, on one line.
fn gist(output: &str) -> String {
    // No more is looked at than can be kept.
    let beginning: String = output.chars().take(GIST * 4).collect();
    let words: Vec<&str> = beginning.split_whitespace().collect();
    truncate(&words.join(" "), GIST)
}

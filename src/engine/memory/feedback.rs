//! Whether memories were useful when they were told.
//!
//! It is kept in the entries themselves, and moves their place in a search a little. Each rating goes some of the way to 1,
//! or takes some of what there is away, so that the last ones count most and none decides alone.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::{Entry, Error, Holder, Memory, Patch, entry::written, traits};
use crate::base::clock;

/// How much of what is missing to 1 is added by one that was useful.
const GAIN: f64 = 0.1;
/// What is left after one that was not.
const LEFT: f64 = 0.95;
/// Most memories that are rated at once.
pub const MOST_RATED: usize = 100;
/// Sources that an entry remembers.
const SOURCES: usize = 20;

/// Which memories were told, and which of them were useful.
#[derive(Debug, Clone, Default)]
pub struct Feedback {
    /// Ids of those that were useful, or how they begin.
    pub useful: Vec<String>,
    /// Ids of those that were told, useful or not.
    pub recalled: Vec<String>,
    /// What says so: a session or a task, which is heard once about each memory. May be empty.
    pub source: String,
}

/// What came of feedback.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub struct Rated {
    /// Memories that were useful.
    pub updated: Vec<Usefulness>,
    /// Memories that were not.
    pub decayed: Vec<Usefulness>,
    /// Memories that were rated from the same source before; nothing changed about them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub known: Vec<Usefulness>,
    /// Ids that are nobody's, or of memories that no longer hold.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ignored: Vec<Ignored>,
}

/// How useful a memory was so far. What it says is for those alone who may be told.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Usefulness {
    /// Its id.
    pub id: String,
    /// From 0 to 1; 0.5 before anybody said anything.
    pub q_value: f64,
    /// How often it was useful, or found to be so again.
    pub verified_count: i64,
    /// How often somebody said whether it was useful.
    pub recall_count: i64,
}

impl Usefulness {
    fn of(entry: Entry) -> Self {
        let Entry { id, q_value, verified_count, recall_count, .. } = entry;
        Self { id, q_value, verified_count, recall_count }
    }
}

/// An id that was not rated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Ignored {
    /// As it was given.
    pub id: String,
    /// Why.
    pub reason: String,
}

/// What is said about one memory.
#[derive(Debug, Clone)]
pub struct Rating {
    is_useful: bool,
    source: String,
    at: Timestamp,
}

impl Rating {
    /// Changes `entry`, unless the source was heard before.
    pub(super) fn apply(&self, entry: &mut Entry) {
        if self.is_known(entry) {
            return;
        }
        let before = entry.q_value.clamp(0.0, 1.0);
        if self.is_useful {
            entry.q_value = rounded(before + GAIN * (1.0 - before));
            entry.verified_count = entry.verified_count.saturating_add(1);
        } else {
            entry.q_value = rounded(before * LEFT);
        }
        entry.recall_count = entry.recall_count.saturating_add(1);
        entry.last_accessed = written(self.at);
        if !self.source.is_empty() {
            entry.rated_from.push(self.source.clone());
            let most = entry.rated_from.len().saturating_sub(SOURCES);
            entry.rated_from.drain(..most);
        }
    }

    fn is_known(&self, entry: &Entry) -> bool {
        !self.source.is_empty() && entry.rated_from.contains(&self.source)
    }
}

/// To six digits: what is beyond says nothing, and makes lines long.
fn rounded(value: f64) -> f64 {
    (value * 1e6).round() / 1e6
}

impl Memory {
    /// Keeps which memories of `holder` were useful when they were told. One that is named twice is rated once.
    ///
    /// # Errors
    /// [`Error::Unfit`] when nothing or too much is named, [`Error::Store`] when the disk refuses.
    pub fn rate(&self, holder: &Holder, feedback: &Feedback) -> Result<Rated, Error> {
        let count = feedback.useful.len() + feedback.recalled.len();
        if !(1..=MOST_RATED).contains(&count) {
            return Err(Error::Unfit(format!("name from 1 to {MOST_RATED} memories, not {count}")));
        }
        let source = traits::line("source", &feedback.source)?;
        let (mut rated, at) = (Rated::default(), clock::now());
        let mut seen = std::collections::HashSet::new();
        let useful = feedback.useful.iter().map(|id| (id, true));
        for (id, is_useful) in useful.chain(feedback.recalled.iter().map(|id| (id, false))) {
            // Of an id and its beginning, the first that is named counts.
            if let Ok((_, whole)) = self.locate(holder, id)
                && !seen.insert(whole)
            {
                continue;
            }
            let rating = Rating { is_useful, source: source.clone(), at };
            let mark = written(at);
            match self.update(holder, id, &Patch { rating: Some(rating), ..Patch::default() }) {
                Ok(entry) if entry.last_accessed != mark => rated.known.push(Usefulness::of(entry)),
                Ok(entry) if is_useful => rated.updated.push(Usefulness::of(entry)),
                Ok(entry) => rated.decayed.push(Usefulness::of(entry)),
                Err(told @ (Error::Unknown { .. } | Error::Conflict(_) | Error::Unfit(_))) => {
                    rated.ignored.push(Ignored { id: id.clone(), reason: told.to_string() });
                }
                Err(error) => return Err(error),
            }
        }
        Ok(rated)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::memory::{Category, New, Settings};

    #[test]
    fn what_was_useful_rises_and_what_was_not_falls_and_each_source_is_heard_once() {
        let root = tempfile::tempdir().unwrap();
        let memory = Memory::open(root.path(), Settings::default());
        let ann = Holder::named("ann");
        let add = |text: &str| memory.add(&ann, &New::of(Category::Finding, text)).unwrap().entry.id;
        let (good, bad) = (add("the deploy takes an hour"), add("the sea is blue"));
        let feedback = |source: &str| Feedback {
            useful: vec![good.clone()],
            recalled: vec![good.clone(), bad.clone(), "nobody".to_owned()],
            source: source.to_owned(),
        };
        let rated = memory.rate(&ann, &feedback("task-1")).unwrap();
        let [up] = &rated.updated[..] else { panic!("{rated:?}") };
        let [down] = &rated.decayed[..] else { panic!("{rated:?}") };
        assert!((up.q_value - 0.55).abs() < 1e-9 && (down.q_value - 0.475).abs() < 1e-9, "{rated:?}");
        assert_eq!((up.verified_count, up.recall_count, down.verified_count), (1, 1, 0));
        assert_eq!(rated.ignored[0].id, "nobody");
        let again = memory.rate(&ann, &feedback("task-1")).unwrap();
        assert_eq!((again.known.len(), again.updated.len(), again.decayed.len()), (2, 0, 0), "{again:?}");
        let other = memory.rate(&ann, &feedback("task-2")).unwrap();
        assert!((other.updated[0].q_value - 0.595).abs() < 1e-9, "{other:?}");
        // Without a source nobody can tell that it was said before.
        for _ in 0..200 {
            memory.rate(&ann, &Feedback { source: String::new(), ..feedback("") }).unwrap();
        }
        let entry = |id: &str| {
            let all = crate::engine::memory::Clearance::up_to(
                crate::defs::Classification::Confidential,
                crate::engine::memory::Private::Everybody,
            );
            memory.get(&ann, id, &all).unwrap()
        };
        assert!(entry(&good).q_value <= 1.0 && entry(&bad).q_value >= 0.0);
        let corrected = memory.correct(&ann, &good, "the deploy takes two hours", "").unwrap().entry;
        assert!((corrected.q_value - 0.5).abs() < 1e-9 && corrected.rated_from.is_empty(), "{corrected:?}");
        let gone = memory.rate(&ann, &Feedback { useful: vec![good], ..Feedback::default() }).unwrap();
        assert!(gone.ignored[0].reason.contains("was corrected"), "{gone:?}");
        assert!(memory.rate(&ann, &Feedback::default()).is_err());
    }
}

//! Putting together what says the same, and linking what is about the same. No model is asked.

use std::{cmp::Reverse, collections::HashSet, path::Path};

use schemars::JsonSchema;
use serde::Serialize;

use super::{
    Card, Entry, Error, Holder, Memory, alike, orders::By, outcome::is_outcome, shelf::Edit, view::View,
};
use crate::base::clock;

/// Most entries that are compared with each other, the newest.
const COMPARED: usize = 500;
/// Most links of an entry.
const MOST_LINKS: usize = 20;
/// Most words of each list that are kept.
const MOST_WORDS: usize = 20;

/// What was put together.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Consolidated {
    /// Entries that others were put into, and those.
    pub merged: Vec<Merged>,
    /// Pairs of entries about the same that were linked.
    pub linked: Vec<(String, String)>,
}

/// An entry, and those that say the same and are superseded by it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Merged {
    /// It holds.
    pub into: String,
    /// They no longer do.
    pub from: Vec<String>,
}

impl Memory {
    /// Puts together what says the same, and links what is about the same; only tells what would be done when `dry`.
    ///
    /// # Errors
    /// [`Error::Store`] when the disk refuses.
    pub fn consolidate(&self, holder: &Holder, dry: bool) -> Result<Consolidated, Error> {
        let mut done = Consolidated::default();
        for path in Self::files(&self.folder, holder) {
            let one = if dry {
                self.look(&path, |view| self.plan(holder, view, &mut Edit::default()))?
            } else {
                self.consolidate_file(holder, &path)?
            };
            done.merged.extend(one.merged);
            done.linked.extend(one.linked);
        }
        Ok(done)
    }

    fn consolidate_file(&self, holder: &Holder, path: &Path) -> Result<Consolidated, Error> {
        let book = self.shelf(path);
        let mut book = book.lock();
        book.edit(|view, edit| self.plan(holder, view, edit))
    }

    fn plan(&self, holder: &Holder, view: &View, edit: &mut Edit) -> Result<Consolidated, Error> {
        let (now, half_life) = (clock::now(), self.settings.half_life_days);
        let own = |card: &&Card| card.holds(now) && holder.is(&card.employee);
        let mut live: Vec<&Card> = view.by(By::Time).filter(own).take(COMPARED).collect();
        // The one that is worth most is the one that stays, whatever order they came in.
        live.sort_by_cached_key(|card| Reverse((By::Worth.key(card, half_life), card.id.clone())));
        let live = live.into_iter().map(|card| view.entry(card)).collect::<Result<Vec<_>, _>>()?;
        let words: Vec<HashSet<String>> = live.iter().map(|entry| alike::words(&entry.content)).collect();
        let mut done = Consolidated::default();
        let mut gone = vec![false; live.len()];
        let mut kept = live.clone();
        for one in 0..live.len() {
            if gone.get(one).copied().unwrap_or(true) {
                continue;
            }
            let mut from = Vec::new();
            for other in one + 1..live.len() {
                let (Some(a), Some(b), Some(false)) = (words.get(one), words.get(other), gone.get(other))
                else {
                    continue;
                };
                let Ok([into, taken]) = kept.get_disjoint_mut([one, other]) else { continue };
                if alike::says_the_same(a, b) && may_merge(into, taken) {
                    take(into, taken);
                    (taken.superseded_by, taken.confidence) = (into.id.clone(), 0.0);
                    from.push(taken.id.clone());
                    gone.get_mut(other).into_iter().for_each(|gone| *gone = true);
                } else if alike::are_related(a, b) && link(into, taken) {
                    done.linked.push((into.id.clone(), taken.id.clone()));
                }
            }
            if let Some(into) = kept.get(one).filter(|_| !from.is_empty()) {
                done.merged.push(Merged { into: into.id.clone(), from });
            }
        }
        for (before, after) in live.iter().zip(kept) {
            if *before != after {
                edit.put(after);
            }
        }
        Ok(done)
    }
}

/// Whether two entries that say the same may become one: nobody may be told more, or less, than before.
fn may_merge(a: &Entry, b: &Entry) -> bool {
    let sense = |entry: &Entry| {
        (entry.category, entry.classification, entry.visibility, entry.domain.clone(), entry.shared)
    };
    sense(a) == sense(b) && is_outcome(a) == is_outcome(b)
}

/// Takes over what `from` says beyond the text.
fn take(into: &mut Entry, from: &Entry) {
    for (mine, theirs) in [(&mut into.tags, &from.tags), (&mut into.keywords, &from.keywords)] {
        let new: Vec<String> = theirs.iter().filter(|word| !mine.contains(word)).cloned().collect();
        mine.extend(new);
        mine.truncate(MOST_WORDS);
    }
    into.importance = into.importance.max(from.importance);
    into.confidence = into.confidence.max(from.confidence);
    // Each was found on its own.
    into.verified_count = into.verified_count.saturating_add(from.verified_count).saturating_add(1);
}

/// Links two entries; `false` when they are linked, or have links enough.
fn link(a: &mut Entry, b: &mut Entry) -> bool {
    let full = |entry: &Entry| entry.linked_memories.len() >= MOST_LINKS;
    if full(a) || full(b) || a.linked_memories.contains(&b.id) {
        return false;
    }
    a.linked_memories.push(b.id.clone());
    if !b.linked_memories.contains(&a.id) {
        b.linked_memories.push(a.id.clone());
    }
    true
}

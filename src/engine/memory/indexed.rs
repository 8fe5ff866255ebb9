//! The search index beside the files: kept up to date by whoever writes, caught up with by whoever searches.
//!
//! A file is a part of the index under its stem. The index holds what no other entry took the place of; whatever it finds
//! is looked up in the files before it is told, so that an index that is behind finds too little, and never what was
//! corrected or what the reader may not be told.

use std::{
    path::PathBuf,
    sync::{Arc, OnceLock},
};

use super::{
    Card, Entry, Error, Visibility,
    index::{self, BATCH, Change, Document, Index},
    view::View,
};

/// More entries are not indexed by the way; whoever searches does that.
pub(super) const SMALL: usize = 500;

/// Whether a change of the index waits for others who write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Patience {
    /// It does, for what is in the index is about to be looked for.
    UntilFree,
    /// It is left to whoever changes or searches next.
    IfFree,
}

/// The index, opened when it is first needed.
#[derive(Debug)]
pub(super) struct Indexed {
    path: PathBuf,
    index: OnceLock<Index>,
}

/// A state of a file: which file it is, and how many lines of it were read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct State {
    /// What tells the file from the one that takes its place.
    pub(super) file: String,
    /// Lines.
    pub(super) lines: u64,
}

impl State {
    fn written(&self) -> String {
        format!("{} {}", self.file, self.lines)
    }

    fn parse(text: &str) -> Option<Self> {
        let (file, lines) = text.rsplit_once(' ')?;
        Some(Self { file: file.to_owned(), lines: lines.parse().ok()? })
    }
}

impl Indexed {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, index: OnceLock::new() }
    }

    /// The index if it was needed yet.
    pub(super) fn opened(&self) -> Option<&Index> {
        self.index.get()
    }

    /// The index if there is one: who only looks makes none.
    pub(super) fn there(&self) -> Option<&Index> {
        if self.index.get().is_none() && !super::is_file(&self.path) {
            return None;
        }
        self.open()
    }

    /// The index, made if need be. Without one, searches look through the files.
    pub(super) fn open(&self) -> Option<&Index> {
        if let Some(index) = self.index.get() {
            return Some(index);
        }
        match Index::open(&self.path) {
            Ok(index) => Some(self.index.get_or_init(|| index)),
            Err(error) => {
                complain(&error);
                None
            }
        }
    }

    /// Follows a change of the file `stem` from one state to another, in which the entries of these ids changed. An index
    /// that was in another state before is left to whoever searches, unless little is missing.
    pub(super) fn follow(&self, stem: &str, before: &State, after: &State, ids: &[String], view: &View) {
        let Some(index) = self.open() else { return };
        if let Err(error) = Self::try_follow(index, stem, before, after, ids, view) {
            complain(&error);
        }
    }

    fn try_follow(
        index: &Index,
        stem: &str,
        before: &State,
        after: &State,
        ids: &[String],
        view: &View,
    ) -> Result<(), Error> {
        if index.stamp(stem)?.as_deref() != Some(&before.written()) {
            return Self::catch_up(index, stem, after, view, SMALL, Patience::IfFree);
        }
        let mut changed = Batch::of(stem);
        for id in ids {
            match view.get(id).filter(|card| card.is_live()) {
                Some(card) => changed.put.push(document(stem, &view.entry(card)?)),
                None => changed.remove.push(key(stem, id)),
            }
        }
        changed.apply(index, after, Patience::IfFree)?;
        Ok(())
    }

    /// Brings the index of the file `stem` to its present state, unless more than `most` entries are missing.
    ///
    /// # Errors
    /// When the index cannot be used, or the file not be read.
    pub(super) fn catch_up(
        index: &Index,
        stem: &str,
        now: &State,
        view: &View,
        most: usize,
        patience: Patience,
    ) -> Result<(), Error> {
        let mut batch = Batch::of(stem);
        let since = match index.stamp(stem)?.as_deref().and_then(State::parse) {
            Some(known) if known == *now => return Ok(()),
            // The same file has only grown.
            Some(known) if known.file == now.file && known.lines < now.lines => known.lines,
            // Another one has most of what there was; what is as it was stays as it is in the index.
            _ => {
                let known = index.ids(stem)?;
                if view.live().abs_diff(known.len()) > most {
                    return Ok(());
                }
                let is_gone = |key: &String| !view.get(id_of(key)).is_some_and(Card::is_live);
                batch.remove = known.into_iter().filter(is_gone).collect();
                0
            }
        };
        let mut new: Vec<&Card> = view.cards().filter(|card| card.line > since).collect();
        if since > 0 && new.len() > most {
            return Ok(());
        }
        // In the order of their lines, so that where this is broken off it can go on.
        new.sort_unstable_by_key(|card| card.line);
        for card in new {
            if batch.put.len() >= BATCH {
                let upto = State { file: now.file.clone(), lines: card.line - 1 };
                if !batch.apply(index, &upto, patience)? {
                    return Ok(());
                }
                batch = Batch::of(stem);
            }
            if since > 0 {
                // Its own line may never have been written.
                batch.remove.extend(card.supersedes.iter().map(|old| key(stem, old)));
            }
            if card.is_live() {
                batch.put.push(document(stem, &view.entry(card)?));
            } else if since > 0 {
                batch.remove.push(key(stem, &card.id));
            }
        }
        batch.apply(index, now, patience)?;
        Ok(())
    }

    /// Whether the index of the file `stem` is in its present state.
    ///
    /// # Errors
    /// When the index cannot be used.
    pub(super) fn is_up_to_date(index: &Index, stem: &str, now: &State) -> Result<bool, index::Error> {
        Ok(index.stamp(stem)?.as_deref().and_then(State::parse).as_ref() == Some(now))
    }

    /// Forgets what state it is in, so that whoever catches up makes it anew.
    ///
    /// # Errors
    /// When the index cannot be used.
    pub(super) fn clear(index: &Index, stem: &str) -> Result<(), index::Error> {
        index.apply(&Change { employee: stem, stamp: Some("cleared"), ..Change::default() })
    }
}

/// A part of a change of the index.
struct Batch<'s> {
    stem: &'s str,
    remove: Vec<String>,
    put: Vec<Document>,
}

impl<'s> Batch<'s> {
    fn of(stem: &'s str) -> Self {
        Self { stem, remove: Vec::new(), put: Vec::new() }
    }

    /// Makes the change, after which the index is up to date with `state`. Gives whether it was made.
    fn apply(&self, index: &Index, state: &State, patience: Patience) -> Result<bool, Error> {
        let stamp = Some(state.written());
        let (remove, put) = (&self.remove, &self.put);
        let change = Change { employee: self.stem, anew: false, remove, put, stamp: stamp.as_deref() };
        if patience == Patience::IfFree {
            return Ok(index.apply_if_free(&change)?);
        }
        index.apply(&change)?;
        Ok(true)
    }
}

/// What an entry is called in the index: one id may be in several files.
pub(super) fn key(stem: &str, id: &str) -> String {
    format!("{stem}/{id}")
}

/// The id of what is called so.
pub(super) fn id_of(key: &str) -> &str {
    key.split_once('/').map_or(key, |(_, id)| id)
}

fn document(stem: &str, entry: &Entry) -> Document {
    Document {
        tags: entry.tags.clone(),
        keywords: entry.keywords.clone(),
        category: entry.category.as_str().to_owned(),
        importance: entry.importance,
        confidence: entry.confidence,
        usefulness: entry.q_value,
        is_private: entry.visibility == Visibility::Private,
        classification: entry.classification.as_str().to_owned(),
        domains: entry.domain.clone(),
        ..Document::new(&key(stem, &entry.id), stem, &entry.content, entry.created())
    }
}

/// Searching without an index is slower, and nothing is lost.
pub(super) fn complain(error: &(dyn std::error::Error + 'static)) {
    tracing::warn!(error, "the search index of memories cannot be used");
}

/// What is shared between the files of one project.
pub(super) type SharedIndex = Arc<Indexed>;

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::engine::memory::{
        Category, Clearance, FOLDER, Holder, Memory, New, Query, Settings, entry::Entry as Written,
    };

    fn ann() -> Holder {
        Holder::named("ann")
    }

    fn found(memory: &Memory, text: &str) -> Vec<String> {
        let hits = memory.search(Some(&ann()), text, &Query::default(), &Clearance::open()).unwrap();
        hits.into_iter().map(|hit| hit.entry.content).collect()
    }

    /// Puts another file in place of the memory of `ann`, as a process that is killed before it tells the index of it.
    fn replace(root: &std::path::Path, change: impl Fn(&mut Vec<Written>)) {
        let path = root.join(FOLDER).join("ann.jsonl");
        let text = fs::read_to_string(&path).unwrap();
        let mut entries: Vec<Written> =
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        change(&mut entries);
        let lines: Vec<u8> = entries.iter().flat_map(|entry| entry.line().unwrap()).collect();
        let new = root.join("new");
        fs::write(&new, lines).unwrap();
        fs::rename(&new, &path).unwrap();
    }

    #[test]
    fn an_index_follows_a_file_that_was_written_anew_behind_its_back() {
        let root = tempfile::tempdir().unwrap();
        let memory = Memory::open(root.path(), Settings::default());
        for number in 0..40 {
            let new = New::of(Category::Finding, format!("thing{number} is known"));
            memory.add(&ann(), &new).unwrap();
        }
        let numbers = || {
            let index = memory.index.there().unwrap();
            index.ids("ann").unwrap()
        };
        let before = numbers();
        replace(root.path(), |entries| {
            entries.remove(3);
            entries[5].content = "zebra".to_owned();
            entries[6].superseded_by = entries[7].id.clone();
        });
        // Whoever writes next sees to it, for little is missing; so does whoever searches.
        memory.add(&ann(), &New::of(Category::Finding, "an otter")).unwrap();
        for (text, best) in [("zebra", "zebra"), ("otter", "an otter"), ("thing8", "thing8 is known")] {
            assert_eq!(found(&memory, text)[0], best);
        }
        for gone in ["thing3", "thing6", "thing7"] {
            assert!(!found(&memory, gone).contains(&format!("{gone} is known")), "{gone}");
        }
        // What is as it was is where it was: nothing was made anew.
        let after = numbers();
        let changed = &before[6];
        let stayed: Vec<_> = before.iter().filter(|id| after.contains(id) && *id != changed).collect();
        assert_eq!(stayed, after.iter().take(stayed.len()).collect::<Vec<_>>());
        assert_eq!((before.len(), after.len()), (40, 39));
    }

    #[test]
    fn what_was_appended_by_others_is_followed_by_its_ids() {
        let root = tempfile::tempdir().unwrap();
        let memory = Memory::open(root.path(), Settings::default());
        let wrong = memory.add(&ann(), &New::of(Category::Finding, "three days")).unwrap().entry;
        let path = root.path().join(FOLDER).join("ann.jsonl");
        let right = Written { id: "right".to_owned(), content: "six weeks".to_owned(), ..wrong.clone() };
        let over = Written { superseded_by: right.id.clone(), ..wrong };
        let text = fs::read(&path).unwrap();
        fs::write(&path, [text, right.line().unwrap(), over.line().unwrap()].concat()).unwrap();
        assert_eq!(found(&memory, "weeks"), ["six weeks"]);
        let index = memory.index.there().unwrap();
        assert_eq!(index.ids("ann").unwrap(), [key("ann", "right")]);
    }
}

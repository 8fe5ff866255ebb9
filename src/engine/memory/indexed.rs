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
    Entry, Visibility,
    index::{self, Change, Document, Index},
    view::View,
};

/// More entries are not indexed by the way; whoever searches does that.
pub(super) const SMALL: usize = 500;

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
    /// that was in another state before is left to whoever searches.
    pub(super) fn follow(&self, stem: &str, before: &State, after: &State, ids: &[String], view: &View) {
        let Some(index) = self.open() else { return };
        let followed = index.stamp(stem).and_then(|known| {
            if known.as_deref() != Some(&before.written()) {
                return Self::catch_up(index, stem, after, view, SMALL);
            }
            let (put, gone): (Vec<_>, Vec<_>) = ids
                .iter()
                .map(|id| (id, view.get(id).map(|(_, entry)| entry).filter(|entry| entry.is_live())))
                .partition(|(_, entry)| entry.is_some());
            let put: Vec<Document> =
                put.into_iter().filter_map(|(_, entry)| Some(document(stem, entry?))).collect();
            let remove: Vec<String> = gone.into_iter().map(|(id, _)| key(stem, id)).collect();
            let stamp = after.written();
            index.apply(&Change {
                employee: stem,
                remove: &remove,
                put: &put,
                stamp: Some(&stamp),
                anew: false,
            })
        });
        if let Err(error) = followed {
            complain(&error);
        }
    }

    /// Brings the index of the file `stem` to its present state, unless it would take more than `most` entries.
    ///
    /// # Errors
    /// When the index cannot be used.
    pub(super) fn catch_up(
        index: &Index,
        stem: &str,
        now: &State,
        view: &View,
        most: usize,
    ) -> Result<(), index::Error> {
        let known = index.stamp(stem)?.as_deref().and_then(State::parse);
        // The same file has only grown; another one is read from its beginning.
        let (since, is_same) = match known {
            Some(known) if known == *now => return Ok(()),
            Some(known) if known.file == now.file && known.lines < now.lines => (known.lines, true),
            _ => (0, false),
        };
        let new = view.lines().filter(|(line, entry)| *line > since && entry.is_live());
        let put: Vec<Document> =
            new.take(most.saturating_add(1)).map(|(_, entry)| document(stem, entry)).collect();
        if put.len() > most {
            return Ok(());
        }
        let stamp = now.written();
        let change = Change { employee: stem, put: &put, stamp: Some(&stamp), ..Change::default() };
        index.apply(&Change { anew: !is_same, ..change })
    }

    /// Forgets what there is, so that it is made anew.
    ///
    /// # Errors
    /// When the index cannot be used.
    pub(super) fn clear(index: &Index, stem: &str) -> Result<(), index::Error> {
        index.apply(&Change { employee: stem, anew: true, stamp: Some("cleared"), ..Change::default() })
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
        is_private: entry.visibility == Visibility::Private,
        classification: entry.classification.as_str().to_owned(),
        domains: entry.domain.clone(),
        ..Document::new(&key(stem, &entry.id), stem, &entry.content, entry.created())
    }
}

/// Searching without an index is slower, and nothing is lost.
pub(super) fn complain(error: &index::Error) {
    tracing::warn!(error = error as &dyn std::error::Error, "the search index of memories cannot be used");
}

/// What is shared between the files of one project.
pub(super) type SharedIndex = Arc<Indexed>;

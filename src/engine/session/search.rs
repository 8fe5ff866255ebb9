//! Finding runs by what came of them.
//!
//! What is searched is made of the answers of a run and of how it ended, never of what it was asked. It goes into an index
//! of its own, `.crew/sessions-index.db`, beside that of memories: made when somebody searches for the first time, and
//! from then on given only what is new. It can be removed at any time.

use std::{
    collections::HashSet,
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::{Session, SessionBrief, SessionRow, Sessions};
use crate::{
    base::{clock, text::truncate},
    engine::{
        memory::{
            self,
            index::{self, Change, Document, Index},
            moment,
        },
        records::{
            catalogue::{Entry, Shelf},
            log::gist,
        },
    },
};

/// Where it is, relative to the root of the project.
const FILE: &str = ".crew/sessions-index.db";
/// The part of the index they are in.
const PART: &str = "sessions";
/// Most sessions that can be found, the newest.
const MOST: usize = 50_000;
/// What the index calls the part of a score that the words of the question have in it.
const WORDS: &str = "words";
/// How many are added to the index at a time.
const BATCH: usize = 200;
/// Most answers of a run that are searched, the last of them always.
const ANSWERS: usize = 12;
/// Sessions that are looked through one by one where there can be no index, the newest.
const LOOKED_THROUGH: usize = 500;
/// Most events of a session that its summary is made of, the last.
const EVENTS: usize = 1000;

/// What is looked for in sessions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SessionWish {
    /// Words; nothing in it is syntax.
    pub text: String,
    /// Only runs in which somebody of one of these names took part; all, when there are none.
    pub names: Vec<String>,
    /// At most this many.
    pub limit: usize,
}

/// A run that was found.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct SessionHit {
    /// How well it fits; counts within one answer only.
    pub score: f64,
    /// The session.
    #[serde(flatten)]
    pub row: SessionRow,
    /// How it ended; empty when that is not told.
    pub status: String,
    /// The employees who took part.
    pub employees: Vec<String>,
    /// What came of it: the beginnings of answers, and why it failed.
    pub summary: String,
}

/// The index, opened when it is first needed.
#[derive(Debug)]
pub(super) struct SearchIndex {
    path: PathBuf,
    index: OnceLock<Index>,
}

impl SearchIndex {
    pub(super) fn of(root: &Path) -> Self {
        Self { path: root.join(FILE), index: OnceLock::new() }
    }

    /// Gives it what is new, if somebody has searched before.
    pub(super) fn tend(&self, sessions: &Sessions) {
        if self.index.get().is_none() && !self.path.is_file() {
            return;
        }
        if let Err(error) = self.open().and_then(|index| catch_up(index, sessions, &sessions.look())) {
            complain(&error);
        }
    }

    fn open(&self) -> Result<&Index, index::Error> {
        if let Some(index) = self.index.get() {
            return Ok(index);
        }
        let index = Index::open(&self.path)?;
        Ok(self.index.get_or_init(|| index))
    }
}

impl Sessions {
    /// The runs whose answers fit, the best first. Waits for the disk.
    ///
    /// # Errors
    /// [`memory::Error::Unfit`] for a text without words.
    pub fn search(&self, wish: &SessionWish) -> Result<Vec<SessionHit>, memory::Error> {
        if !wish.text.contains(char::is_alphanumeric) {
            return Err(memory::Error::Unfit("`query` holds no word to look for".to_owned()));
        }
        let all = self.look();
        if all.entries.is_empty() {
            return Ok(Vec::new());
        }
        let found = self.index.open().and_then(|index| {
            catch_up(index, self, &all)?;
            self.by_index(index, wish)
        });
        Ok(found.unwrap_or_else(|error| {
            complain(&error);
            self.by_words(&all, wish)
        }))
    }

    fn by_index(&self, index: &Index, wish: &SessionWish) -> Result<Vec<SessionHit>, index::Error> {
        let query = index::Query {
            text: &wish.text,
            employees: &[PART.to_owned()],
            limit: wish.limit,
            least: 0.0,
            now: clock::now(),
            half_life_days: 0.0,
        };
        let keep = |facts: &index::Facts| {
            wish.names.is_empty() || facts.tags.iter().any(|name| wish.names.contains(name))
        };
        let hits = index.search(&query, &keep)?.into_iter();
        // Runs one after the other need not be about the same, as memories are.
        let hits = hits.filter(|hit| hit.parts.iter().any(|part| part.name == WORDS));
        Ok(hits.filter_map(|hit| self.hit(id_of(&hit.id), hit.score)).collect())
    }

    /// Looks through the newest: where there can be no index.
    fn by_words(&self, all: &Shelf<SessionBrief>, wish: &SessionWish) -> Vec<SessionHit> {
        let lower = wish.text.to_lowercase();
        let words: HashSet<&str> = lower.split_whitespace().collect();
        let newest = all.entries.iter().take(LOOKED_THROUGH);
        let mut found: Vec<_> = newest
            .filter_map(|entry| self.hit(&entry.id, 0.0))
            .filter(|hit| wish.names.is_empty() || hit.employees.iter().any(|name| wish.names.contains(name)))
            .filter_map(|hit| {
                let text = hit.summary.to_lowercase();
                let common = words.iter().filter(|word| text.contains(**word)).count();
                #[expect(clippy::cast_precision_loss, reason = "counts of words")]
                let score = common as f64 / words.len() as f64;
                (common > 0).then_some(SessionHit { score, ..hit })
            })
            .collect();
        found.sort_by(|a, b| b.score.total_cmp(&a.score));
        found.truncate(wish.limit);
        found
    }

    fn hit(&self, id: &str, score: f64) -> Option<SessionHit> {
        let session = self.read(id, EVENTS).ok()?;
        let (status, employees, summary) = (status(&session), employees(&session), summary(&session));
        Some(SessionHit { score, row: session.row, status, employees, summary })
    }

    fn document(&self, entry: &Entry<SessionBrief>) -> Document {
        let created = moment(&entry.brief.started_at).unwrap_or(Timestamp::UNIX_EPOCH);
        let empty = || Document::new(&key(entry), PART, "", created);
        let Ok(session) = self.read(&entry.id, EVENTS) else { return empty() };
        let text = summary(&session);
        Document {
            text,
            tags: employees(&session),
            keywords: vec![session.row.subject.clone()],
            category: session.row.session_type,
            ..empty()
        }
    }
}

/// Gives the index what it does not have of `all`, and takes out what is gone.
fn catch_up(index: &Index, sessions: &Sessions, all: &Shelf<SessionBrief>) -> Result<(), index::Error> {
    if index.stamp(PART)?.as_deref() == Some(all.digest()) {
        return Ok(());
    }
    let mut there: HashSet<String> = index.ids(PART)?.into_iter().collect();
    let wanted = all.entries.iter().take(MOST);
    let new: Vec<&Arc<Entry<SessionBrief>>> = wanted.filter(|entry| !there.remove(&key(entry))).collect();
    let gone: Vec<String> = there.into_iter().collect();
    let change = Change { employee: PART, ..Change::default() };
    index.apply(&Change { remove: &gone, ..change.clone() })?;
    for batch in new.chunks(BATCH) {
        let put: Vec<Document> = batch.iter().map(|entry| sessions.document(entry)).collect();
        index.apply(&Change { put: &put, ..change.clone() })?;
    }
    index.apply(&Change { stamp: Some(all.digest()), ..change })
}

/// What a session is called in the index: another one when it is written anew.
fn key(entry: &Entry<SessionBrief>) -> String {
    let (modified, length) = entry.seen.into();
    format!("{}/{modified:x}-{length:x}", entry.id)
}

/// The id of what is called so.
fn id_of(key: &str) -> &str {
    key.split_once('/').map_or(key, |(id, _)| id)
}

/// What was answered, by whom.
fn answers(session: &Session) -> impl DoubleEndedIterator<Item = (&str, &str)> {
    session.events.iter().filter_map(|event| {
        // What a run was asked is in sessions of earlier versions, as messages of other roles.
        let is_answer = event.get("event").and_then(Value::as_str) == Some("message")
            && event.get("role").and_then(Value::as_str) == Some("assistant");
        let text = event.get("content").and_then(Value::as_str).filter(|_| is_answer)?;
        let by = event.get("metadata").and_then(|metadata| metadata.get("employee"));
        Some((by.and_then(Value::as_str).unwrap_or_default(), text))
    })
}

/// The employees who took part.
fn employees(session: &Session) -> Vec<String> {
    let own = Some(session.row.subject.as_str()).filter(|_| session.row.session_type == "employee");
    let mut names: Vec<String> =
        own.into_iter().chain(answers(session).map(|(by, _)| by)).map(str::to_owned).collect();
    names.retain(|name| !name.is_empty());
    names.sort_unstable();
    names.dedup();
    names
}

fn status(session: &Session) -> String {
    let end = session.events.iter().rev().find_map(|event| event.get("status"));
    end.and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// What came of a run, in a few lines.
fn summary(session: &Session) -> String {
    let all: Vec<(&str, &str)> = answers(session).collect();
    let first = all.iter().take(ANSWERS - 1);
    let last = all.iter().skip(ANSWERS - 1).next_back();
    let mut lines: Vec<String> = first
        .chain(last)
        .map(|(by, text)| if by.is_empty() { gist(text) } else { format!("{by}: {}", gist(text)) })
        .collect();
    let detail = session.events.last().and_then(|end| end.get("detail")).and_then(Value::as_str);
    lines.extend(detail.map(|why| truncate(why, 200)).filter(|why| !why.is_empty()));
    lines.join("\n")
}

fn complain(error: &index::Error) {
    tracing::warn!(error = error as &dyn std::error::Error, "the search index of sessions cannot be used");
}

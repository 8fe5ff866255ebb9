//! What memories and questions mean, as a model says it in vectors.
//!
//! Nobody waits for it: an entry gets its vector behind whoever added it, and a question that gets none in time is answered
//! by its words. What is sent to another machine is a disclosure, so that only what everybody in the project may be told
//! goes there unless the project says otherwise.

mod error;
mod fill;
mod kept;
mod maker;
#[cfg(feature = "static-embeddings")]
mod model;
#[cfg(test)]
mod tests;

use std::{
    collections::HashMap,
    num::NonZeroUsize,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use lru::LruCache;
use metrics::counter;
use parking_lot::Mutex;
use tokio::sync::Notify;

pub(in crate::engine) use self::fill::Scope;
use self::maker::Maker;
pub use self::{error::Error, fill::Filled};
use super::{
    Classification, Entry, Visibility,
    index::{Meaning, Model},
};
use crate::{
    base::{Breaker, clock::Stopwatch, metric},
    llm::{self, Purpose},
};

/// Questions whose vectors are remembered.
const REMEMBERED: NonZeroUsize = NonZeroUsize::new(256).expect("it is not zero");
/// Most letters of a text that are sent; models read no more than a few thousand tokens.
const LONGEST: usize = 4000;
/// Failures in a row after which the embedder is left alone, and for how long.
const FAILURES: u32 = 3;
const REST: Duration = Duration::from_secs(30);

/// How an embedder is used.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rules {
    /// How long a search waits for the vector of its question. 2 s.
    pub patience: Duration,
    /// Least cosine of what is about the same. 0.3.
    pub floor: f32,
    /// Whether what is restricted, confidential or private is sent to another machine.
    pub classified: bool,
}

impl Default for Rules {
    fn default() -> Self {
        Self { patience: Duration::from_secs(2), floor: 0.3, classified: false }
    }
}

/// Turns memories and questions into vectors.
#[derive(Debug)]
pub struct Embedding {
    maker: Maker,
    identity: Identity,
    rules: Rules,
    asked: Mutex<LruCache<String, Arc<[f32]>>>,
    breaker: Breaker,
    start: Stopwatch,
    is_down: AtomicBool,
    filling: tokio::sync::Mutex<()>,
    changed: Notify,
}

/// Which model it is, and what it is told of.
#[derive(Debug, Clone)]
struct Identity {
    /// What tells its vectors from those of every other model.
    name: Arc<str>,
    /// Whether it is told of all entries.
    all: bool,
}

impl Identity {
    fn model(&self) -> Model<'_> {
        Model { name: &self.name, scope: if self.all { "all" } else { "open" } }
    }

    /// Whether an entry may be told to the embedder.
    fn admits(&self, entry: &Entry) -> bool {
        let is_open =
            entry.visibility == Visibility::Open && entry.classification <= Classification::Internal;
        self.all || is_open
    }
}

impl Embedding {
    /// Vectors from a server.
    pub fn asking(client: llm::Client, embedder: llm::Embedder, rules: Rules) -> Self {
        let dimensions = embedder.dimensions.map(|length| format!(" {length}")).unwrap_or_default();
        let address = embedder.base_url.trim_end_matches('/');
        let name = format!("{} {address} {}{dimensions}", embedder.wire.as_str(), embedder.model);
        let is_here = embedder.check().unwrap_or_default();
        Self::new(Maker::Asked { client, embedder }, &name, rules, is_here)
    }

    /// Vectors from a static model in a folder. It is read when it is first needed.
    pub fn of_folder(folder: &Path, dimensions: Option<u32>, rules: Rules) -> Self {
        let (maker, name) = Maker::folder(folder, dimensions);
        Self::new(maker, &name, rules, true)
    }

    fn new(maker: Maker, name: &str, rules: Rules, is_here: bool) -> Self {
        Self {
            maker,
            identity: Identity { name: name.into(), all: is_here || rules.classified },
            rules,
            asked: Mutex::new(LruCache::new(REMEMBERED)),
            breaker: Breaker::new(FAILURES, REST),
            start: Stopwatch::start(),
            is_down: AtomicBool::new(false),
            filling: tokio::sync::Mutex::new(()),
            changed: Notify::new(),
        }
    }

    /// Its model, where it is, and how long its vectors are to be.
    pub fn name(&self) -> &str {
        &self.identity.name
    }

    /// Whether it is told of all entries, or of those alone that everybody in the project may be told.
    pub fn is_told_all(&self) -> bool {
        self.identity.all
    }

    /// Whether it could be used: what it needs is set and there. Asks nothing.
    ///
    /// # Errors
    /// What is missing.
    pub fn check(&self) -> Result<(), Error> {
        self.maker.check()
    }

    /// Has a short text turned into a vector, whatever was found out before, and gives its length.
    ///
    /// # Errors
    /// Why there is none.
    pub async fn try_out(&self) -> Result<usize, Error> {
        let vectors = self.maker.vectors(Purpose::Query, vec!["memory".to_owned()], fill::PATIENCE).await?;
        Ok(vectors.first().map_or(0, Vec::len))
    }

    /// What `text` means; `None` when the embedder does not say so in time.
    pub(in crate::engine) async fn meaning_of(&self, text: &str) -> Option<Meaning> {
        self.meanings_of(&[text]).await?.pop()
    }

    /// What each of `texts` means, which are few; `None` when the embedder does not say so of all in time.
    pub(in crate::engine) async fn meanings_of(&self, texts: &[&str]) -> Option<Vec<Meaning>> {
        let texts: Vec<_> = texts.iter().map(|text| shortened(text)).collect();
        let mut known = self.known(&texts);
        let mut unknown: Vec<_> = texts.iter().filter(|text| !known.contains_key(*text)).cloned().collect();
        unknown.sort_unstable();
        unknown.dedup();
        counted("known", known.len());
        if !unknown.is_empty() {
            let made = self.question(unknown.clone()).await;
            counted(if made.is_some() { "success" } else { "failed" }, unknown.len());
            let vectors = made?.into_iter().map(Arc::<[f32]>::from);
            let mut asked = self.asked.lock();
            for (text, vector) in unknown.into_iter().zip(vectors) {
                asked.put(text.clone(), Arc::clone(&vector));
                known.insert(text, vector);
            }
        }
        texts.iter().map(|text| Some(self.meaning(Arc::clone(known.get(text)?)))).collect()
    }

    /// The vectors of those of `texts` that were asked for before.
    fn known(&self, texts: &[String]) -> HashMap<String, Arc<[f32]>> {
        let mut asked = self.asked.lock();
        texts.iter().filter_map(|text| Some((text.clone(), Arc::clone(asked.get(text)?)))).collect()
    }

    /// A vector for each of `texts`, if the embedder is at work and quick enough.
    async fn question(&self, texts: Vec<String>) -> Option<Vec<Vec<f32>>> {
        let pass = self.breaker.admit(self.start.elapsed()).ok()?;
        let count = texts.len();
        let asked = self.maker.vectors(Purpose::Query, texts, self.rules.patience);
        let outcome = tokio::time::timeout(self.rules.patience, asked).await.unwrap_or(Err(Error::Late));
        self.note(pass, outcome.as_ref().err());
        outcome.ok().filter(|vectors| vectors.len() == count)
    }

    fn meaning(&self, vector: Arc<[f32]>) -> Meaning {
        Meaning { model: Arc::clone(&self.identity.name), vector, floor: self.rules.floor }
    }

    /// Notes how a question to the embedder ended, and says so when that is news.
    fn note(&self, pass: crate::base::Pass<'_>, error: Option<&Error>) {
        match error {
            Some(error) if !error.is_about_text() => {
                pass.failed(self.start.elapsed());
                if !self.is_down.swap(true, Relaxed) {
                    tracing::warn!(
                        embedder = &*self.identity.name,
                        error = error as &dyn std::error::Error,
                        "memories are searched by their words alone: the embedder does not answer"
                    );
                }
            }
            _ => {
                pass.reached();
                if self.is_down.swap(false, Relaxed) {
                    tracing::info!(embedder = &*self.identity.name, "the embedder answers again");
                }
            }
        }
    }
}

/// Counts texts that were to be compared with others.
fn counted(outcome: &'static str, texts: usize) {
    counter!(metric::MEMORY_TEXTS, "kind" => "query", "outcome" => outcome).increment(texts as u64);
}

/// A text as far as a model reads it: of a long one, how it begins and how it ends.
fn shortened(text: &str) -> String {
    let text = text.trim();
    let letters = text.chars().count();
    if letters <= LONGEST {
        return text.to_owned();
    }
    let half = LONGEST / 2;
    text.chars().take(half).chain(['\n']).chain(text.chars().skip(letters - half)).collect()
}

//! Gives entries their vectors, behind those who add them.

use std::{sync::Arc, time::Duration};

use futures_util::future::join_all;
use metrics::counter;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::{Embedding, Error, kept::Wanting};
use crate::{
    base::{metric, text},
    engine::memory::{self, Memory, index::Kept},
    llm::{MOST_TEXTS, Purpose},
};

/// How long the vectors of some entries may take; nobody waits for them.
pub(super) const PATIENCE: Duration = Duration::from_mins(1);
/// Questions to the embedder at a time.
const SIDE_BY_SIDE: usize = 4;
/// How long what failed is left alone.
const PAUSE: Duration = Duration::from_secs(30);
/// How often vectors may turn out to be of another length before that is taken for a fault.
const SWITCHES: usize = 1;

/// What came of giving entries their vectors.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Filled {
    /// Entries that have a vector now.
    pub embedded: usize,
    /// Entries that the embedder is not told of.
    pub withheld: usize,
    /// Entries of which the embedder makes none.
    pub refused: usize,
    /// Whether no entry is left without.
    pub is_complete: bool,
    /// Why some are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl Embedding {
    /// Says that there may be entries without a vector.
    pub(in crate::engine) fn wake(&self) {
        self.changed.notify_one();
    }

    /// Gives entries their vectors as they come, until `stopping` says so.
    pub(in crate::engine) async fn keep_up(
        self: Arc<Self>,
        memory: Arc<Memory>,
        stopping: CancellationToken,
    ) {
        let work = async {
            // Other processes may have added some meanwhile, or another model was set.
            let mut filled = self.fill(&memory, usize::MAX, Scope::Files, &mut |_| {}).await;
            loop {
                if filled.error.is_some() {
                    tokio::time::sleep(PAUSE).await;
                } else {
                    self.changed.notified().await;
                }
                filled = self.fill(&memory, usize::MAX, Scope::Index, &mut |_| {}).await;
            }
        };
        tokio::select! {
            () = stopping.cancelled() => {}
            () = work => {}
        }
    }

    /// Gives at most `most` entries their vectors, and tells how far it is after each part.
    pub(in crate::engine) async fn fill(
        &self,
        memory: &Arc<Memory>,
        most: usize,
        scope: Scope,
        told: &mut (dyn FnMut(&Filled) + Send),
    ) -> Filled {
        let _alone = self.filling.lock().await;
        let mut filled = Filled::default();
        if let Err(error) = self.fill_all(memory, most, scope, &mut filled, told).await {
            filled.error = Some(text::chain(&*error));
        }
        filled
    }

    async fn fill_all(
        &self,
        memory: &Arc<Memory>,
        most: usize,
        scope: Scope,
        filled: &mut Filled,
        told: &mut (dyn FnMut(&Filled) + Send),
    ) -> Result<(), Fault> {
        let mut switches = 0;
        if scope == Scope::Files {
            blocking(memory, Memory::catch_up).await?;
        }
        loop {
            let left = most.saturating_sub(filled.embedded).min(MOST_TEXTS * SIDE_BY_SIDE);
            if left == 0 {
                return Ok(());
            }
            let identity = self.identity.clone();
            let wanting = blocking(memory, move |memory| {
                memory.wanting(identity.model(), left, &|entry| identity.admits(entry))
            });
            let Some(mut wanting) = wanting.await? else {
                filled.is_complete = true;
                return Ok(());
            };
            let (vectors, failed) = self.vectors_of(&mut wanting, filled).await;
            let identity = self.identity.clone();
            let kept = blocking(memory, move |memory| {
                memory.keep_vectors(identity.model(), &wanting.bare, &vectors)
            });
            match kept.await? {
                Kept::Here => {}
                Kept::Alone if switches < SWITCHES => switches += 1,
                Kept::Alone => {
                    return Err("the embedder gives vectors of one length and then of another".into());
                }
                Kept::Foreign => {
                    return Err("another process of this project makes vectors with another model".into());
                }
            }
            told(filled);
            if let Some(error) = failed {
                return Err(error.into());
            }
        }
    }

    /// The vectors of entries, as far as there are any: those behind the first failure are left for another time.
    async fn vectors_of(
        &self,
        wanting: &mut Wanting,
        filled: &mut Filled,
    ) -> (Vec<Option<Vec<f32>>>, Option<Error>) {
        let places: Vec<usize> =
            wanting.texts.iter().enumerate().filter_map(|(at, text)| text.as_ref().map(|_| at)).collect();
        let parts: Vec<&[usize]> = places.chunks(MOST_TEXTS).collect();
        let texts = |part: &[usize]| {
            part.iter().filter_map(|at| wanting.texts.get(*at).cloned().flatten()).collect::<Vec<_>>()
        };
        let answers = join_all(parts.iter().map(|part| self.part(texts(part)))).await;
        let mut vectors: Vec<Option<Vec<f32>>> = vec![None; wanting.texts.len()];
        let mut failed = None;
        for (part, answer) in parts.iter().zip(answers) {
            match answer {
                Ok(made) => {
                    for (at, vector) in part.iter().zip(made) {
                        filled.embedded += usize::from(vector.is_some());
                        filled.refused += usize::from(vector.is_none());
                        if let Some(place) = vectors.get_mut(*at) {
                            *place = vector;
                        }
                    }
                }
                Err(error) => {
                    let first = part.first().copied().unwrap_or_default();
                    vectors.truncate(first);
                    wanting.bare.truncate(first);
                    failed = Some(error);
                    break;
                }
            }
        }
        let withheld = wanting.texts.iter().take(vectors.len()).filter(|text| text.is_none());
        filled.withheld += withheld.count();
        (vectors, failed)
    }

    /// The vectors of some texts; `None` for one that the embedder refuses.
    async fn part(&self, texts: Vec<String>) -> Result<Vec<Option<Vec<f32>>>, Error> {
        match self.ask(texts.clone()).await {
            Ok(vectors) => Ok(vectors.into_iter().map(Some).collect()),
            Err(error) if error.is_about_text() && texts.len() > 1 => {
                // One of them spoils it for the others.
                let mut vectors = Vec::new();
                for text in texts {
                    vectors.push(self.alone(text).await?);
                }
                Ok(vectors)
            }
            Err(error) if error.is_about_text() => {
                tracing::warn!(%error, "the embedder refuses a memory, which is found by its words alone");
                Ok(vec![None])
            }
            Err(error) => Err(error),
        }
    }

    async fn alone(&self, text: String) -> Result<Option<Vec<f32>>, Error> {
        match self.ask(vec![text]).await {
            Ok(mut vectors) => Ok(vectors.pop()),
            Err(error) if error.is_about_text() => {
                tracing::warn!(%error, "the embedder refuses a memory, which is found by its words alone");
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    async fn ask(&self, texts: Vec<String>) -> Result<Vec<Vec<f32>>, Error> {
        let count = texts.len() as u64;
        let pass = self.breaker.admit(self.start.elapsed()).map_err(|_| Error::Resting)?;
        let outcome = self.maker.vectors(Purpose::Document, texts, PATIENCE).await;
        self.note(pass, outcome.as_ref().err());
        let said = if outcome.is_ok() { "success" } else { "failed" };
        counter!(metric::MEMORY_TEXTS, "kind" => "entry", "outcome" => said).increment(count);
        outcome
    }
}

/// Where entries are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::engine) enum Scope {
    /// In the files, which the index follows first.
    Files,
    /// In the index as it is.
    Index,
}

type Fault = Box<dyn std::error::Error + Send + Sync>;

async fn blocking<T: Send + 'static>(
    memory: &Arc<Memory>,
    work: impl FnOnce(&Memory) -> Result<T, memory::Error> + Send + 'static,
) -> Result<T, memory::Error> {
    let memory = Arc::clone(memory);
    tokio::task::spawn_blocking(move || work(&memory)).await.unwrap_or(Err(memory::Error::Interrupted))
}

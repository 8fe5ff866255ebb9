//! A crew and what its memories mean: searched by it, and given vectors behind whoever adds them.

use std::sync::Arc;

use super::{
    Crew,
    memory::{self, Embedding, Filled, Memory, Question, Scope},
};
use crate::base::Tracker;

impl Crew {
    /// Works with the memories of this crew as [`Crew::remember`] does, to find what is about `text`: by its words, and by
    /// what it means where an embedder says so in time.
    ///
    /// # Errors
    /// Those of `work`.
    pub async fn recall<T: Send + 'static>(
        &self,
        text: &str,
        work: impl FnOnce(&Memory, Question<'_>) -> Result<T, memory::Error> + Send + 'static,
    ) -> Result<T, memory::Error> {
        let meaning = self.meaning(text).await;
        let text = text.to_owned();
        self.remember(move |memory| work(memory, Question { text: &text, meaning: meaning.as_ref() })).await
    }

    /// What `text` means to memories; `None` where nothing says so in time, and where there is nothing to compare with.
    pub(super) async fn meaning(&self, text: &str) -> Option<memory::index::Meaning> {
        let embedding = self.embedding.as_ref()?;
        if self.has_vectors(embedding).await { embedding.meaning_of(text).await } else { None }
    }

    /// What turns memories into vectors, if anything does.
    pub fn embedder(&self) -> Option<&Embedding> {
        self.embedding.as_deref()
    }

    /// Gives memories their vectors from now on, in the background, until `tracker` stops.
    pub fn keep_embedded(&self, tracker: &Tracker) {
        if let Some(embedding) = &self.embedding {
            let (embedding, memory) = (Arc::clone(embedding), Arc::clone(self.memory()));
            tracker.spawn(embedding.keep_up(memory, tracker.stopping().clone()));
        }
    }

    /// Gives at most `most` memories their vectors, and tells how far it is after each part. `None` without an embedder.
    pub async fn embed(&self, most: usize, told: &mut (dyn FnMut(&Filled) + Send)) -> Option<Filled> {
        let embedding = self.embedding.as_ref()?;
        Some(embedding.fill(self.memory(), most, Scope::Files, told).await)
    }

    /// Whether there is anything to compare with: a question that nothing can answer is not sent.
    async fn has_vectors(&self, embedding: &Arc<Embedding>) -> bool {
        let (memory, embedding) = (Arc::clone(self.memory()), Arc::clone(embedding));
        let looked = tokio::task::spawn_blocking(move || memory.has_vectors(embedding.name()));
        looked.await.unwrap_or_default()
    }
}

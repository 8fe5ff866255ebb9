//! Asks an embedder, with the retries, rests and accounts of models.

use std::{sync::Arc, time::Duration};

use tracing::Instrument as _;

use super::{
    Client,
    lane::{Asking, Lane},
    transport::{Given, Place, Transport},
};
use crate::{
    base::clock::Stopwatch,
    llm::{
        Error, Tape, Usage,
        embed::{Embedded, Embedder, PROVIDER, Purpose},
        meter::Call,
        wire::HttpParts,
    },
};

/// Whom vectors are charged to: the memory, and no employee.
const ACCOUNT: &str = "memory";
/// Questions at a time to one embedder.
const TURNS: usize = 4;

/// A question to an embedder.
struct Question<'q> {
    embedder: &'q Embedder,
    place: &'q Place,
    parts: HttpParts,
    texts: usize,
}

impl Asking for Question<'_> {
    type Reply = Embedded;

    async fn once(&mut self, transport: &Transport) -> Result<Embedded, Error> {
        let whole = transport.post(self.place, &self.parts).await?;
        let read = self.embedder.decode(self.texts, &whole.answer(self.place));
        read.map_err(|error| self.place.redact(error))
    }
}

impl Embedder {
    /// Whether it could be asked: its key and address are set and usable. Sends nothing. Gives whether it is on this
    /// machine.
    ///
    /// # Errors
    /// The error [`Client::embed`] would fail with before sending anything.
    pub fn check(&self) -> Result<bool, Error> {
        Ok(place(self)?.is_local())
    }
}

impl Client {
    /// Turns `texts`, at most [`MOST_TEXTS`](crate::llm::MOST_TEXTS), into vectors, within `time`. Transient failures are
    /// tried again as in [`Client::complete`], as far as time goes. The call is counted once, under `memory`.
    ///
    /// # Errors
    /// Why there are none. Where a run is played from a recording, nothing leaves the machine: [`Error::Unrecorded`].
    pub async fn embed(
        &self,
        embedder: &Embedder,
        purpose: Purpose,
        texts: &[String],
        time: Duration,
    ) -> Result<Embedded, Error> {
        if self.tape().is_some_and(Tape::plays) {
            return Err(Error::Unrecorded { who: ACCOUNT.to_owned() });
        }
        let span = tracing::info_span!("llm.embed", model = embedder.model, texts = texts.len());
        self.embed_within(embedder, purpose, texts, time).instrument(span).await
    }

    async fn embed_within(
        &self,
        embedder: &Embedder,
        purpose: Purpose,
        texts: &[String],
        time: Duration,
    ) -> Result<Embedded, Error> {
        let watch = Stopwatch::start();
        let mut attempts = 0;
        let asked = async {
            let place = place(embedder)?;
            let parts = embedder.encode(place.key.as_ref(), purpose, texts);
            let parts = parts.ok_or_else(|| place.invalid_key())?;
            // A way of its own: that vectors cannot be had is no reason to leave the models of a provider alone.
            let name = format!("{PROVIDER} {}", embedder.base_url);
            let lane = self.0.lanes.named(&name, || Lane::new(&PROVIDER.into(), TURNS, self.0.settings.rest));
            let turn = tokio::time::timeout(time, lane.turns.acquire()).await;
            let _turn = turn
                .map_err(|_| Error::Timeout { provider: PROVIDER.into(), after: time })?
                .expect("the semaphore is never closed");
            let mut question = Question { embedder, place: &place, parts, texts: texts.len() };
            self.0.attempts(&lane, &mut question, (watch, time), &mut attempts).await
        };
        let mut outcome = asked.await;
        if let Ok(embedded) = &mut outcome {
            let (prices, usage) = (&self.0.settings.prices, embedded.usage);
            // Without a count of tokens there is no price.
            let told = usage != Usage::default();
            embedded.cost_usd = prices.cost(&embedder.model, embedder.is_own, usage).filter(|_| told);
        }
        self.0.meter.record(&Call {
            account: ACCOUNT,
            provider: PROVIDER,
            outcome: outcome.as_ref().map(|embedded| embedded.usage),
            attempts,
            // What models take is looked at to see whether they do well; this is much less.
            latency: None,
            first_token: None,
            cost_usd: outcome.as_ref().ok().and_then(|embedded| embedded.cost_usd),
        });
        if let Err(error) = &outcome {
            let source = std::error::Error::source(error).map(ToString::to_string);
            tracing::debug!(class = error.class(), %error, source, "the embedder did not answer");
        }
        outcome
    }
}

fn place(embedder: &Embedder) -> Result<Place, Error> {
    let given = Given {
        provider: &Arc::from(PROVIDER),
        base_url: &embedder.base_url,
        base_url_from: &embedder.base_url_from,
        key: &embedder.key,
        versions: embedder.versions(),
    };
    Place::of(&given, &embedder.model)
}

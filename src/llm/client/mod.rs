//! The one way to a model: chooses the provider, owns time-outs and retries, and keeps the accounts.

mod retry;
#[cfg(test)]
mod tests;
mod transport;

use std::{collections::HashMap, sync::Arc, time::Duration};

use tokio::sync::Semaphore;
use tracing::{Instrument, Span, field};

use self::transport::{Target, Transport};
use super::{
    Error, Reply, Request, echo,
    meter::{Call, Meter, NO_PROVIDER},
    provider::{Provider, Service},
    wire,
};
use crate::base::{Secret, clock::Stopwatch};

/// How a provider is reached in this installation.
#[derive(Debug, Clone, Default)]
pub struct Endpoint {
    /// Replaces the provider's own base URL; `http://127.0.0.1:…` is as good as any.
    pub base_url: Option<String>,
    /// Its key.
    pub key: Option<Secret>,
}

/// Settings of a [`Client`].
#[derive(Debug, Clone)]
pub struct Settings {
    /// By [`Provider::id`]; a provider that is not listed has no key.
    pub endpoints: HashMap<&'static str, Endpoint>,
    /// For one connection, TLS included. 10 s.
    pub connect_timeout: Duration,
    /// For one call, retries and the pauses between them included. 300 s. Waiting for one of `max_in_flight`
    /// turns is not counted: the provider has no part in it.
    pub total_timeout: Duration,
    /// Calls at a time to one provider; further ones wait for their turn. 16, at least 1.
    pub max_in_flight: usize,
    /// Bytes of an answer; a longer one is [`Error::Malformed`]. 8 MiB.
    pub max_answer_bytes: usize,
    /// The first pause before a retry, doubled for the next. 0.5 s.
    pub retry_pause: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            endpoints: HashMap::new(),
            connect_timeout: Duration::from_secs(10),
            total_timeout: Duration::from_mins(5),
            max_in_flight: 16,
            max_answer_bytes: 8 * 1024 * 1024,
            retry_pause: Duration::from_millis(500),
        }
    }
}

/// Asks models. Clones share connections, turns and accounts.
#[derive(Debug, Clone)]
pub struct Client(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    settings: Settings,
    transport: Transport,
    turns: HashMap<&'static str, Semaphore>,
    meter: Arc<Meter>,
}

impl Client {
    /// A client that counts its calls in `meter`. Nothing is connected, and no certificate read, until the first call.
    pub fn new(settings: Settings, meter: Arc<Meter>) -> Self {
        let turns = Provider::all().iter().map(|provider| provider.id);
        Self(Arc::new(Inner {
            transport: Transport::new(settings.connect_timeout, settings.max_answer_bytes),
            turns: turns.map(|id| (id, Semaphore::new(settings.max_in_flight.max(1)))).collect(),
            settings,
            meter,
        }))
    }

    /// The accounts it keeps.
    pub fn meter(&self) -> &Arc<Meter> {
        &self.0.meter
    }

    /// Whether a call of `model` could be sent: it is served, and its key and address are set and usable.
    /// Sends and counts nothing.
    ///
    /// # Errors
    /// The error [`Client::complete`] would fail with before sending anything.
    pub fn check(&self, model: &str) -> Result<(), Error> {
        self.0.target(Provider::of(model)?, model).map(drop)
    }

    /// Asks the model of `request` and waits for its whole answer.
    ///
    /// Transient failures ([`Error::is_transient`]) are tried again at most twice, within
    /// [`Settings::total_timeout`]; nobody above needs to retry. Each call is counted once, however it ends; one
    /// that is dropped before its end is not counted.
    ///
    /// # Errors
    /// Why there is no answer; of several attempts, why the last one failed.
    pub async fn complete(&self, request: &Request) -> Result<Reply, Error> {
        let inner = &*self.0;
        let account = request.account.as_str();
        let provider = Provider::of(&request.model).inspect_err(|error| {
            tracing::warn!(model = request.model, %error, "model refused");
            let call = Call { account, provider: NO_PROVIDER, outcome: Err(error), latency: None };
            inner.meter.record(&call);
        })?;
        let span = tracing::info_span!(
            "llm.call",
            model = request.model,
            provider = provider.id,
            tokens.in = field::Empty,
            tokens.out = field::Empty,
            latency_ms = field::Empty,
        );
        async {
            let (outcome, latency) = inner.call(provider, request).await;
            note(&outcome, latency);
            let usage = outcome.as_ref().map(|reply| reply.usage);
            inner.meter.record(&Call { account, provider: provider.id, outcome: usage, latency });
            outcome
        }
        .instrument(span)
        .await
    }
}

impl Inner {
    /// The outcome, and how long it took if anything was sent.
    async fn call(
        &self,
        provider: &'static Provider,
        request: &Request,
    ) -> (Result<Reply, Error>, Option<Duration>) {
        let target = match self.target(provider, &request.model) {
            Ok(target) => target,
            Err(error) => return (Err(error), None),
        };
        let turns = self.turns.get(provider.id).expect("`new` makes one for every provider");
        let _turn = turns.acquire().await.expect("the semaphore is never closed");
        let watch = Stopwatch::start();
        let outcome = match target {
            None => Ok(echo::answer(request)),
            Some(target) => self.attempts(&target, request, watch).await,
        };
        (outcome, Some(watch.elapsed()))
    }

    /// Where to send calls of `model`; `None` for the offline model, which is sent nowhere.
    fn target(&self, provider: &'static Provider, model: &str) -> Result<Option<Target>, Error> {
        let http = match &provider.service {
            Service::Http(http) => http,
            Service::Offline | Service::Absent => return Ok(None),
        };
        let endpoint = self.settings.endpoints.get(provider.id);
        let key = endpoint.and_then(|endpoint| endpoint.key.clone()).ok_or_else(|| Error::MissingKey {
            model: model.to_owned(),
            provider: provider.id,
            variable: http.key_variable,
        })?;
        let base_url = endpoint.and_then(|endpoint| endpoint.base_url.as_deref());
        Target::new(provider.id, http, key, base_url).map(Some)
    }

    async fn attempts(&self, target: &Target, request: &Request, watch: Stopwatch) -> Result<Reply, Error> {
        let total = self.settings.total_timeout;
        let parts = wire::encode(target.provider, target.http, &target.key, request)?;
        let mut attempt = 0;
        loop {
            let left = total.saturating_sub(watch.elapsed());
            let sent = self.transport.post(target, &parts);
            let outcome = tokio::time::timeout(left, sent)
                .await
                .unwrap_or(Err(Error::Timeout { provider: target.provider, after: total }));
            let error = match outcome {
                Ok(reply) => return Ok(reply),
                Err(error) => error,
            };
            let left = total.saturating_sub(watch.elapsed());
            let Some(pause) = retry::pause(&error, attempt, self.settings.retry_pause, retry::chance(), left)
            else {
                return Err(error);
            };
            attempt += 1;
            tracing::warn!(%error, attempt, pause_ms = pause.as_millis(), "will ask again");
            tokio::time::sleep(pause).await;
        }
    }
}

/// Completes the span of a call and logs how it ended. Neither prompt nor answer is shown.
fn note(outcome: &Result<Reply, Error>, latency: Option<Duration>) {
    let latency_ms = u64::try_from(latency.unwrap_or_default().as_millis()).unwrap_or(u64::MAX);
    let span = Span::current();
    span.record("latency_ms", latency_ms);
    match outcome {
        Ok(reply) => {
            span.record("tokens.in", reply.usage.input_tokens);
            span.record("tokens.out", reply.usage.output_tokens);
            tracing::debug!("model answered");
        }
        Err(error) => {
            let source = std::error::Error::source(error).map(ToString::to_string);
            tracing::warn!(class = error.class(), %error, source, "model did not answer");
        }
    }
}

//! The way to one provider: its turns, its rests, its attempts.

use std::{collections::HashMap, sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::sync::Semaphore;

use super::{Inner, Settings, retry, telling::Teller, transport::Target};
use crate::{
    base::{Breaker, Pass, clock::Stopwatch},
    llm::{
        Error, Reply, Request, echo,
        provider::{CUSTOM, Provider},
        wire::{self, Form, HttpParts},
    },
};

/// Transient failures in a row after which a provider is left alone.
const FAILURES: u32 = 5;

/// Most servers that lanes are kept for; with more, all of them begin anew, as nothing but their rests is lost.
const MOST_LANES: usize = 256;

/// The ways to all providers, each made when it is first gone.
#[derive(Debug, Default)]
pub(super) struct Lanes(Mutex<HashMap<String, Arc<Lane>>>);

impl Lanes {
    /// The way to `provider`. Servers at addresses of their own have one each.
    pub(super) fn of(&self, provider: &Provider, settings: &Settings) -> Arc<Lane> {
        let custom = provider.endpoint.as_ref().filter(|_| &*provider.id == CUSTOM);
        let name = custom.map_or(&*provider.id, |endpoint| endpoint.base_url.as_str());
        let mut lanes = self.0.lock();
        if let Some(lane) = lanes.get(name) {
            return Arc::clone(lane);
        }
        if lanes.len() >= MOST_LANES {
            lanes.clear();
        }
        let lane = Arc::new(Lane::new(provider, settings));
        lanes.insert(name.to_owned(), Arc::clone(&lane));
        lane
    }
}

/// What is shared by all calls to one provider.
#[derive(Debug)]
pub(super) struct Lane {
    provider: Arc<str>,
    pub(super) turns: Semaphore,
    breaker: Breaker,
}

impl Lane {
    fn new(provider: &Provider, settings: &Settings) -> Self {
        Self {
            provider: Arc::clone(&provider.id),
            turns: Semaphore::new(settings.max_in_flight.max(1)),
            breaker: Breaker::new(FAILURES, settings.rest),
        }
    }

    fn admit(&self, now: Duration) -> Result<Pass<'_>, Error> {
        self.breaker.admit(now).map_err(|wait| Error::Resting {
            provider: Arc::clone(&self.provider),
            failures: FAILURES,
            wait,
        })
    }
}

impl Inner {
    /// The outcome, and how long it took if anything was sent. Without a target, the program itself answers.
    pub(super) async fn call(
        &self,
        lane: &Lane,
        target: Option<Target>,
        request: &Request,
        teller: Option<&mut Teller>,
    ) -> (Result<Reply, Error>, Option<Duration>) {
        let _turn = lane.turns.acquire().await.expect("the semaphore is never closed");
        let watch = Stopwatch::start();
        let outcome = match target {
            None => Ok(echo::tell(request, teller).await),
            Some(target) => self.attempts(lane, &target, request, teller, watch).await,
        };
        let sent = !matches!(outcome, Err(Error::Resting { .. }));
        (outcome, sent.then(|| watch.elapsed()))
    }

    async fn attempts(
        &self,
        lane: &Lane,
        target: &Target,
        request: &Request,
        mut teller: Option<&mut Teller>,
        watch: Stopwatch,
    ) -> Result<Reply, Error> {
        let total = self.settings.total_timeout;
        let form = if teller.is_some() { Form::Stream } else { Form::Whole };
        let parts = wire::encode(target.wire, target.key.as_ref(), request, form).ok_or_else(|| {
            Error::InvalidKey { provider: Arc::clone(&target.provider), from: target.key_from.clone() }
        })?;
        let mut attempt = 0;
        let mut pass = lane.admit(self.start.elapsed())?;
        loop {
            let left = total.saturating_sub(watch.elapsed());
            let sent = self.attempt(target, &parts, teller.as_deref_mut());
            let outcome = tokio::time::timeout(left, sent).await.unwrap_or_else(|_| {
                Err(Error::Timeout { provider: Arc::clone(&target.provider), after: total })
            });
            let error = match outcome {
                Ok(reply) => {
                    pass.reached();
                    return Ok(reply);
                }
                Err(error) => error,
            };
            if error.is_transient() {
                pass.failed(self.start.elapsed());
            } else {
                pass.reached();
            }
            let told = teller.as_ref().is_some_and(|teller| teller.has_told());
            let left = total.saturating_sub(watch.elapsed());
            let pause = retry::pause(&error, attempt, self.settings.retry_pause, retry::chance(), left);
            let Some(pause) = pause.filter(|_| !told) else { return Err(error) };
            attempt += 1;
            tracing::warn!(%error, attempt, pause_ms = pause.as_millis(), "will ask again");
            tokio::time::sleep(pause).await;
            // What happened says more than that the provider is left alone since.
            let Ok(next) = lane.admit(self.start.elapsed()) else { return Err(error) };
            pass = next;
        }
    }

    async fn attempt(
        &self,
        target: &Target,
        parts: &HttpParts,
        teller: Option<&mut Teller>,
    ) -> Result<Reply, Error> {
        match teller {
            Some(teller) => self.transport.stream(target, parts, teller).await,
            None => self.transport.post(target, parts).await,
        }
    }
}

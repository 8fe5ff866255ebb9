//! The way to one provider: its turns, its rests, its attempts.

use std::{collections::HashMap, sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::sync::Semaphore;

use super::{Inner, Settings, retry, telling::Teller, transport::Target};
use crate::{
    base::{Breaker, Pass, clock::Stopwatch},
    llm::{
        Choice, Error, Reply, Request, echo,
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
            turns: Semaphore::new(turns(provider.max_concurrent.unwrap_or(settings.max_concurrent))),
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

/// How many turns there are for `wished` calls at a time.
fn turns(wished: usize) -> usize {
    wished.clamp(1, Semaphore::MAX_PERMITS)
}

/// What became of a call on its way.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Sent {
    /// Requests that were sent.
    pub(super) attempts: u32,
    /// How long it took, if anything was sent.
    pub(super) latency: Option<Duration>,
}

impl Inner {
    /// The outcome, and what was sent for it. Without a target, the program itself answers.
    pub(super) async fn call(
        &self,
        lane: &Lane,
        target: Option<Target>,
        request: &Request,
        teller: Option<&mut Teller>,
    ) -> (Result<Reply, Error>, Sent) {
        let _turn = lane.turns.acquire().await.expect("the semaphore is never closed");
        let watch = Stopwatch::start();
        let mut attempts = 0;
        let outcome = match target {
            None => {
                attempts = 1;
                Ok(echo::tell(request, teller).await)
            }
            Some(target) => self.attempts(lane, &target, request, teller, watch, &mut attempts).await,
        };
        (outcome, Sent { attempts, latency: (attempts > 0).then(|| watch.elapsed()) })
    }

    async fn attempts(
        &self,
        lane: &Lane,
        target: &Target,
        request: &Request,
        mut teller: Option<&mut Teller>,
        watch: Stopwatch,
        attempts: &mut u32,
    ) -> Result<Reply, Error> {
        let total = self.settings.total_timeout;
        let form = if teller.is_some() { Form::Stream } else { Form::Whole };
        let renamed = (target.model != request.model.model).then(|| {
            let model = Choice { model: target.model.clone(), ..request.model.clone() };
            Request { model, ..request.clone() }
        });
        let request = renamed.as_ref().unwrap_or(request);
        let parts = wire::encode(target.wire, target.key.as_ref(), request, form).ok_or_else(|| {
            Error::InvalidKey { provider: Arc::clone(&target.provider), from: target.key_from.clone() }
        })?;
        let mut pass = lane.admit(self.start.elapsed())?;
        loop {
            let left = total.saturating_sub(watch.elapsed());
            *attempts += 1;
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
            // Whoever says that it is asked too much is there.
            let is_busy = matches!(error, Error::Status { status: 429, .. });
            if error.is_transient() && !is_busy {
                pass.failed(self.start.elapsed());
            } else {
                pass.reached();
            }
            let told = teller.as_ref().is_some_and(|teller| teller.has_told());
            let left = total.saturating_sub(watch.elapsed());
            let pause = retry::pause(&error, *attempts - 1, self.settings.retry_pause, retry::chance(), left);
            let Some(pause) = pause.filter(|_| !told) else { return Err(error) };
            tracing::warn!(%error, attempt = *attempts, pause_ms = pause.as_millis(), "will ask again");
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

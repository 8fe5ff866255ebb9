//! The way to one provider: its turns, its rests, its attempts.

use std::{collections::HashMap, future::Future, sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::sync::Semaphore;

use super::{
    Inner, Settings, retry,
    telling::Teller,
    transport::{Target, Transport},
};
use crate::{
    base::{Breaker, Pass, clock::Stopwatch, retry::chance},
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
        let most = provider.max_concurrent.unwrap_or(settings.max_concurrent);
        self.named(name, || Lane::new(&provider.id, most, settings.rest))
    }

    /// The way that goes by `name`, made by `new` when it is first gone.
    pub(super) fn named(&self, name: &str, new: impl FnOnce() -> Lane) -> Arc<Lane> {
        let mut lanes = self.0.lock();
        if let Some(lane) = lanes.get(name) {
            return Arc::clone(lane);
        }
        if lanes.len() >= MOST_LANES {
            lanes.clear();
        }
        let lane = Arc::new(new());
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
    /// A way that `most` calls go at a time, and that rests for `rest`.
    pub(super) fn new(provider: &Arc<str>, most: usize, rest: Duration) -> Self {
        Self {
            provider: Arc::clone(provider),
            turns: Semaphore::new(turns(most)),
            breaker: Breaker::new(FAILURES, rest),
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

/// A call on its way.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Sending {
    /// Requests that were sent so far.
    attempts: u32,
    /// Since it has its turn.
    watch: Option<Stopwatch>,
}

impl Sending {
    /// What has become of it so far.
    pub(super) fn sent(&self) -> Sent {
        let latency = self.watch.filter(|_| self.attempts > 0).map(|watch| watch.elapsed());
        Sent { attempts: self.attempts, latency }
    }
}

impl Inner {
    /// The outcome; `sending` tells what was sent for it, also while it is sent. Without a target, the program itself answers.
    pub(super) async fn call(
        &self,
        lane: &Lane,
        target: Option<Target>,
        request: &Request,
        teller: Option<&mut Teller>,
        sending: &mut Sending,
    ) -> Result<Reply, Error> {
        let _turn = lane.turns.acquire().await.expect("the semaphore is never closed");
        let watch = Stopwatch::start();
        sending.watch = Some(watch);
        match target {
            None => {
                sending.attempts = 1;
                Ok(echo::tell(request, teller).await)
            }
            Some(target) => match question(&target, request, teller) {
                Ok(mut question) => {
                    let time = (watch, self.settings.total_timeout);
                    self.attempts(lane, &mut question, time, &mut sending.attempts).await
                }
                Err(error) => Err(error),
            },
        }
    }

    /// Asks until there is an answer, or until it is in vain: within `total`, counted from the start of `watch`.
    pub(super) async fn attempts<A: Asking>(
        &self,
        lane: &Lane,
        asking: &mut A,
        (watch, total): (Stopwatch, Duration),
        attempts: &mut u32,
    ) -> Result<A::Reply, Error> {
        let mut pass = lane.admit(self.start.elapsed())?;
        loop {
            let left = total.saturating_sub(watch.elapsed());
            *attempts += 1;
            let outcome = tokio::time::timeout(left, asking.once(&self.transport)).await;
            let outcome = outcome.unwrap_or_else(|_| {
                Err(Error::Timeout { provider: Arc::clone(&lane.provider), after: total })
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
            let left = total.saturating_sub(watch.elapsed());
            let pause = retry::pause(&error, *attempts - 1, self.settings.retry_pause, chance(), left);
            let Some(pause) = pause.filter(|_| !asking.has_told()) else { return Err(error) };
            tracing::warn!(%error, attempt = *attempts, pause_ms = pause.as_millis(), "will ask again");
            tokio::time::sleep(pause).await;
            // What happened says more than that the provider is left alone since.
            let Ok(next) = lane.admit(self.start.elapsed()) else { return Err(error) };
            pass = next;
        }
    }
}

/// Puts `request` into the words of `target`.
fn question<'q>(
    target: &'q Target,
    request: &Request,
    teller: Option<&'q mut Teller>,
) -> Result<Question<'q>, Error> {
    let form = if teller.is_some() { Form::Stream } else { Form::Whole };
    let renamed = (target.model != request.model.model).then(|| {
        let model = Choice { model: target.model.clone(), ..request.model.clone() };
        Request { model, ..request.clone() }
    });
    let request = renamed.as_ref().unwrap_or(request);
    let parts = wire::encode(target.wire, target.place.key.as_ref(), request, form);
    Ok(Question { target, parts: parts.ok_or_else(|| target.place.invalid_key())?, teller })
}

/// A question that can be asked again.
pub(super) trait Asking: Send {
    /// What answers it.
    type Reply: Send;

    /// Asks it once.
    fn once(&mut self, transport: &Transport) -> impl Future<Output = Result<Self::Reply, Error>> + Send;

    /// Whether part of the answer was told, so that nothing can be taken back.
    fn has_told(&self) -> bool {
        false
    }
}

/// A question to a model.
struct Question<'q> {
    target: &'q Target,
    parts: HttpParts,
    teller: Option<&'q mut Teller>,
}

impl Asking for Question<'_> {
    type Reply = Reply;

    async fn once(&mut self, transport: &Transport) -> Result<Reply, Error> {
        match &mut self.teller {
            Some(teller) => transport.stream(self.target, &self.parts, teller).await,
            None => transport.post(&self.target.place, &self.parts).await?.reply(self.target),
        }
    }

    fn has_told(&self) -> bool {
        self.teller.as_ref().is_some_and(|teller| teller.has_told())
    }
}

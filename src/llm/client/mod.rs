//! The one way to a model: chooses the provider, owns time-outs, retries and fallbacks, and keeps the accounts.

mod embed;
mod greet;
mod lane;
mod retry;
mod telling;
#[cfg(test)]
mod tests;
mod transport;

use std::{sync::Arc, time::Duration};

use futures_util::Stream;
use tracing::{Instrument, Span, field};

pub use self::greet::Greeted;
pub(super) use self::telling::Teller;
use self::{
    lane::{Lanes, Sending, Sent},
    telling::Telling,
    transport::{Limits, Target, Transport},
};
use super::{
    Choice, Error, Event, Reply, Request, Tape, Usage, estimate,
    meter::{Call, Meter, NO_PROVIDER},
    prices::Prices,
    provider::{Key, Providers},
};
use crate::base::clock::Stopwatch;

/// Settings of a [`Client`].
#[derive(Debug, Clone)]
pub struct Settings {
    /// Who serves which model, and how they are reached.
    pub providers: Providers,
    /// What models cost.
    pub prices: Prices,
    /// What calls are recorded on or played from; none in ordinary work.
    pub tape: Option<Tape>,
    /// For one connection, TLS included. 10 s.
    pub connect_timeout: Duration,
    /// Until the first bytes of an answer that is told while it comes in. 60 s.
    pub first_byte_timeout: Duration,
    /// Between two pieces of such an answer. 60 s.
    pub idle_timeout: Duration,
    /// For one call, retries and the pauses between them included. 300 s. Waiting for one of `max_concurrent`
    /// turns is not counted: the provider has no part in it.
    pub total_timeout: Duration,
    /// Calls at a time to one provider that settles nothing else; further ones wait for their turn, the first that came
    /// goes first. 512, at least 1.
    pub max_concurrent: usize,
    /// Bytes of an answer; a longer one is [`Error::Malformed`]. 8 MiB.
    pub max_answer_bytes: usize,
    /// The first pause before a retry, doubled for the next. 0.5 s.
    pub retry_pause: Duration,
    /// How long a provider is left alone that failed five times in a row. 30 s.
    pub rest: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            providers: Providers::default(),
            prices: Prices::default(),
            tape: None,
            connect_timeout: Duration::from_secs(10),
            first_byte_timeout: Duration::from_mins(1),
            idle_timeout: Duration::from_mins(1),
            total_timeout: Duration::from_mins(5),
            max_concurrent: 512,
            max_answer_bytes: 8 * 1024 * 1024,
            retry_pause: Duration::from_millis(500),
            rest: Duration::from_secs(30),
        }
    }
}

/// Where a model is served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Served {
    /// Who serves it.
    pub provider: String,
    /// Where; `None` for the program itself.
    pub address: Option<String>,
    /// The variable its key is in, and whether that is set; `None` when it wants none.
    pub key: Option<(String, bool)>,
}

/// The most that a call may take.
#[derive(Debug, Clone, PartialEq)]
pub struct Estimate {
    /// Tokens read and written.
    pub usage: Usage,
    /// The model that takes it: of those that may answer, the dearest.
    pub model: String,
    /// What it costs then, in US dollars; `None` when the price is not known.
    pub cost_usd: Option<f64>,
}

/// Asks models. Clones share connections, turns and accounts.
#[derive(Debug, Clone)]
pub struct Client(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    settings: Settings,
    transport: Transport,
    lanes: Lanes,
    /// What the lanes measure time from.
    start: Stopwatch,
    meter: Arc<Meter>,
}

impl Client {
    /// A client that counts its calls in `meter`. Nothing is connected, and no certificate read, until the first call.
    pub fn new(settings: Settings, meter: Arc<Meter>) -> Self {
        let limits = Limits {
            connect: settings.connect_timeout,
            first_byte: settings.first_byte_timeout,
            idle: settings.idle_timeout,
            max_answer_bytes: settings.max_answer_bytes,
        };
        Self(Arc::new(Inner {
            transport: Transport::new(limits),
            lanes: Lanes::default(),
            settings,
            start: Stopwatch::start(),
            meter,
        }))
    }

    /// The accounts it keeps.
    pub fn meter(&self) -> &Arc<Meter> {
        &self.0.meter
    }

    /// What calls are recorded on or played from.
    pub fn tape(&self) -> Option<&Tape> {
        self.0.settings.tape.as_ref()
    }

    /// Whether a call of `model` could be sent: it is served, and its key and address are set and usable.
    /// Sends and counts nothing.
    ///
    /// # Errors
    /// The error [`Client::complete`] would fail with before sending anything.
    pub fn check(&self, choice: &Choice) -> Result<(), Error> {
        if self.tape().is_some_and(Tape::plays) {
            return Ok(());
        }
        Target::of(&*self.0.settings.providers.chosen(choice)?, &choice.model).map(drop)
    }

    /// The most that a call may take, whichever of its models answers. A request without a limit to its answer has none.
    pub fn estimate(&self, request: &Request) -> Estimate {
        let input_tokens = estimate::input_tokens(request);
        let usage = |output_tokens| Usage { input_tokens, cached_input_tokens: 0, output_tokens };
        let usage = usage(request.max_tokens.map_or(u64::MAX, u64::from));
        let mut dearest = Estimate { usage, model: request.model.model.clone(), cost_usd: Some(0.0) };
        for choice in [Some(&request.model), request.fallback.as_ref()].into_iter().flatten() {
            let cost_usd = self.cost(choice, usage);
            if cost_usd.is_none() || cost_usd > dearest.cost_usd {
                dearest = Estimate { usage, model: choice.model.clone(), cost_usd };
            }
            if cost_usd.is_none() {
                break;
            }
        }
        dearest
    }

    /// Where calls of `choice` go, and which key they bring; neither is looked at.
    ///
    /// # Errors
    /// [`Error::UnknownModel`].
    pub fn served(&self, choice: &Choice) -> Result<Served, Error> {
        let provider = self.0.settings.providers.chosen(choice)?;
        let endpoint = provider.endpoint.as_ref();
        let key = endpoint.and_then(|endpoint| match &endpoint.key {
            Key::None => None,
            Key::Needed { from, secret } => Some((from.clone(), secret.is_some())),
        });
        let address = endpoint.map(|endpoint| endpoint.base_url.clone());
        Ok(Served { provider: provider.id.to_string(), address, key })
    }

    /// What a call of `choice` costs in US dollars that takes `usage`; `None` when its price is not known.
    pub fn cost(&self, choice: &Choice, usage: Usage) -> Option<f64> {
        let settings = &self.0.settings;
        let is_own = settings.providers.chosen(choice).is_ok_and(|provider| provider.is_own);
        settings.prices.cost(&choice.model, is_own, usage)
    }

    /// Asks the model of `request` and waits for its whole answer.
    ///
    /// Transient failures ([`Error::is_transient`]) are tried again at most twice, within
    /// [`Settings::total_timeout`]; nobody above needs to retry. If all was in vain, the fallback model is asked in
    /// the same way. So at most six requests are sent. The call of each model is counted once, however it ends; one
    /// that is dropped before its end is counted as `cancelled` with the time it took so far, if anything was sent.
    ///
    /// # Errors
    /// Why there is no answer; of several attempts, why the last one failed; of two models, [`Error::Both`].
    pub async fn complete(&self, request: &Request) -> Result<Reply, Error> {
        self.0.ask(request, None).await
    }

    /// The same, told while it comes in: pieces of text, then [`Event::Done`] with the whole answer, or an error and
    /// nothing after it. Dropped, it closes the connection.
    ///
    /// Once text has been told there is neither another attempt nor a fallback: what was said cannot be taken back.
    pub fn stream(
        &self,
        request: &Request,
    ) -> impl Stream<Item = Result<Event, Error>> + Send + Unpin + 'static {
        let (client, request) = (self.clone(), request.clone());
        Telling::new(move |mut teller| {
            Box::pin(async move { client.0.ask(&request, Some(&mut teller)).await })
        })
    }
}

impl Inner {
    /// Asks as [`Inner::send`] does, or plays what is recorded: then nothing leaves the machine.
    async fn ask(&self, request: &Request, teller: Option<&mut Teller>) -> Result<Reply, Error> {
        let Some(tape) = &self.settings.tape else { return self.send(request, teller).await };
        if !tape.plays() {
            let outcome = self.send(request, teller).await;
            tape.record_call(request, &outcome);
            return outcome;
        }
        let reply = tape.play_call(request)?;
        if let Some(teller) = teller {
            teller.tell(reply.said.text.clone()).await;
        }
        Ok(reply)
    }

    /// Asks the model of `request` and then, if need be, its fallback.
    async fn send(&self, request: &Request, mut teller: Option<&mut Teller>) -> Result<Reply, Error> {
        let error = match self.charge(request, teller.as_deref_mut()).await {
            Ok(reply) => return Ok(reply),
            Err(error) => error,
        };
        let fallback = request.fallback.as_ref().filter(|choice| !choice.is_same(&request.model));
        let Some(choice) = fallback else { return Err(error) };
        if teller.as_ref().is_some_and(|teller| teller.has_told()) {
            return Err(error);
        }
        tracing::warn!(%error, fallback = choice.model, "the fallback model is asked");
        let request = Request { model: choice.clone(), ..request.clone() };
        let told = self.charge(&request, teller).await;
        told.map_err(|second| Error::Both {
            primary: Box::new(error),
            model: request.model.model,
            fallback: Box::new(second),
        })
    }

    /// Asks one model and puts the call into the accounts.
    async fn charge(&self, request: &Request, mut teller: Option<&mut Teller>) -> Result<Reply, Error> {
        let account = request.account.as_str();
        let model = request.model.model.as_str();
        let provider = self.settings.providers.chosen(&request.model).inspect_err(|error| {
            tracing::warn!(model, %error, "model refused");
            self.meter.record(&Call::refused(account, NO_PROVIDER, error));
        })?;
        let lane = self.lanes.of(&provider, &self.settings);
        let span = tracing::info_span!(
            "llm.call",
            model,
            provider = &*provider.id,
            tokens.in = field::Empty,
            tokens.out = field::Empty,
            cost_usd = field::Empty,
            attempts = field::Empty,
            latency_ms = field::Empty,
            first_token_ms = field::Empty,
            error = field::Empty,
        );
        async {
            let target = Target::of(&provider, model);
            let mut open =
                Open { meter: &self.meter, account, provider: &provider.id, sending: Sending::default() };
            let mut outcome = match target {
                Ok(target) => {
                    self.call(&lane, target, request, teller.as_deref_mut(), &mut open.sending).await
                }
                Err(error) => Err(error),
            };
            let sent = open.close();
            let Sent { attempts, latency } = sent;
            if let Ok(reply) = &mut outcome {
                reply.cost_usd = self.settings.prices.cost(model, provider.is_own, reply.usage);
            }
            let first_token = teller.and_then(|teller| teller.first());
            note(&outcome, &sent, first_token);
            self.meter.record(&Call {
                account,
                provider: &provider.id,
                outcome: outcome.as_ref().map(|reply| reply.usage),
                attempts,
                latency,
                first_token,
                cost_usd: outcome.as_ref().ok().and_then(|reply| reply.cost_usd),
            });
            outcome
        }
        .instrument(span)
        .await
    }
}

/// A call that is under way. One that is dropped is counted, too: a provider that hangs must show, whoever has lost their
/// patience first.
struct Open<'c> {
    meter: &'c Meter,
    account: &'c str,
    provider: &'c Arc<str>,
    sending: Sending,
}

impl Open<'_> {
    /// It came to its end, and is counted by whoever knows that.
    fn close(mut self) -> Sent {
        std::mem::take(&mut self.sending).sent()
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        let sent = self.sending.sent();
        if sent.attempts == 0 {
            return;
        }
        let error = Error::Cancelled { provider: Arc::clone(self.provider) };
        self.meter.record(&Call {
            attempts: sent.attempts,
            latency: sent.latency,
            ..Call::refused(self.account, self.provider, &error)
        });
        note(&Err(error), &sent, None);
    }
}

/// Completes the span of a call and logs how it ended. Neither prompt nor answer is shown.
fn note(outcome: &Result<Reply, Error>, sent: &Sent, first_token: Option<Duration>) {
    let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    let span = Span::current();
    span.record("attempts", sent.attempts);
    span.record("latency_ms", ms(sent.latency.unwrap_or_default()));
    span.record("first_token_ms", first_token.map(ms));
    match outcome {
        Ok(reply) => {
            span.record("tokens.in", reply.usage.input_tokens);
            span.record("tokens.out", reply.usage.output_tokens);
            span.record("cost_usd", reply.cost_usd);
            tracing::debug!("model answered");
        }
        Err(error) => {
            let source = std::error::Error::source(error).map(ToString::to_string);
            span.record("error", error.class());
            tracing::warn!(class = error.class(), %error, source, "model did not answer");
        }
    }
}

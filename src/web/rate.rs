//! How often one address may ask.

use std::{net::IpAddr, num::NonZeroU32, sync::Arc, time::Duration};

use axum::{
    extract::{Request, State},
    http::{StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use governor::{
    Quota, RateLimiter,
    clock::{Clock as _, MonotonicClock},
    nanos::Nanos,
};

use super::{
    Limits, Problem, Shared,
    address::{self, Peer},
    auth, brake,
    ledger::Ledger,
    trace,
};

/// So many requests at once, and then one whenever a minute's share has passed.
#[derive(Debug)]
pub(super) struct Budget {
    /// What it is called where replicas share it.
    name: &'static str,
    per_minute: NonZeroU32,
    limiter: RateLimiter<IpAddr, Ledger<Nanos>, MonotonicClock>,
    clock: MonotonicClock,
    shared: Option<Arc<Shared>>,
}

impl Budget {
    /// `per_minute` for each address, with all replicas where it is `shared`.
    fn new(name: &'static str, per_minute: NonZeroU32, shared: Option<&Arc<Shared>>) -> Self {
        let limiter = RateLimiter::new(Quota::per_minute(per_minute), Ledger::new(), MonotonicClock);
        Self { name, per_minute, limiter, clock: MonotonicClock, shared: shared.map(Arc::clone) }
    }

    /// Counts one request. Who is over the limit here already is over that of all replicas. Gives what they have to say of
    /// the address besides, where they were asked.
    ///
    /// # Errors
    /// How long it takes until there may be one more.
    async fn take(&self, address: IpAddr) -> Result<Option<Heard>, Duration> {
        self.take_here(address)?;
        let Some(shared) = &self.shared else { return Ok(None) };
        let taken = shared.take(self.name, address, self.per_minute, brake::FAILURES).await;
        // Who did not answer would not answer a second time either.
        Ok(Some(Heard { blocked: taken.unwrap_or(Ok(None))? }))
    }

    fn take_here(&self, address: IpAddr) -> Result<(), Duration> {
        self.limiter.check_key(&address).map_err(|until| until.wait_time_from(self.clock.now()))
    }
}

/// The budgets of all addresses.
#[derive(Debug)]
pub(super) struct Budgets {
    requests: Option<Budget>,
    deliveries: Option<Budget>,
    limits: Arc<Limits>,
}

impl Budgets {
    /// Those of `limits`. Requests are counted where callers need a token; deliveries, which anybody can make, always.
    pub(super) fn new(limits: &Arc<Limits>, guarded: bool) -> Self {
        let budget = |name| move |per_minute| Budget::new(name, per_minute, limits.shared.as_ref());
        let requests = limits.requests_per_minute.filter(|_| guarded).map(budget("requests"));
        let deliveries = limits.deliveries_per_minute.map(budget("deliveries"));
        Self { requests, deliveries, limits: Arc::clone(limits) }
    }

    fn of(&self, path: &str) -> Option<&Budget> {
        match path {
            "/metrics" | "/metrics/prometheus" => None,
            path if auth::is_delivery(path) => self.deliveries.as_ref(),
            _ => self.requests.as_ref(),
        }
    }
}

/// The address that a request is counted under, as an extension of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Client(pub(super) IpAddr);

/// What the replicas said of the address of a request when it was counted, as an extension of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Heard {
    /// For how long no token from there is looked at.
    pub(super) blocked: Option<Duration>,
}

/// Finds out where a request comes from, and turns away whoever asks too often.
pub(super) async fn layer(State(budgets): State<Arc<Budgets>>, mut request: Request, next: Next) -> Response {
    if let Some(Peer(peer)) = request.extensions().get() {
        let address = budgets.limits.proxies.resolve(peer.ip(), request.headers());
        trace::note_client(address);
        let client = Client(address::counted(address));
        request.extensions_mut().insert(client);
        if let Some(budget) = budgets.of(request.uri().path()) {
            match budget.take(client.0).await {
                Ok(Some(heard)) => drop(request.extensions_mut().insert(heard)),
                Ok(None) => {}
                Err(wait) => {
                    return too_many("rate limit exceeded: too many requests from this address", wait)
                        .into_response();
                }
            }
        }
    }
    next.run(request).await
}

/// 429, with `Retry-After` in whole seconds.
pub(super) fn too_many(text: &str, wait: Duration) -> Problem {
    Problem::new(StatusCode::TOO_MANY_REQUESTS, "rate-limited", text)
        .with(header::RETRY_AFTER, Problem::seconds(wait))
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use super::{super::ledger, *};

    fn sixty() -> Budget {
        Budget::new("requests", NonZeroU32::new(60).unwrap(), None)
    }

    #[test]
    fn sixty_at_once_and_then_one_a_second() {
        let (budget, address) = (sixty(), IpAddr::from([192, 0, 2, 1]));
        for _ in 0..60 {
            budget.take_here(address).unwrap();
        }
        let wait = budget.take_here(address).unwrap_err();
        assert!(wait <= Duration::from_secs(1), "{wait:?}");
        budget.take_here(IpAddr::from([192, 0, 2, 2])).unwrap();
    }

    #[test]
    fn a_million_addresses_take_no_more_room_than_some_thousands() {
        let budget = sixty();
        let regular = IpAddr::from([192, 0, 2, 1]);
        let mut refused = false;
        for number in 0..1_000_000_u32 {
            // Both families, each address a network of its own.
            let crowd = if number % 2 == 0 {
                IpAddr::V4(Ipv4Addr::from(number + (10 << 24)))
            } else {
                let [_, _, high, low] = number.to_be_bytes().map(u16::from);
                address::counted(
                    Ipv6Addr::new(0x2001, 0xdb8, high, (number >> 16) as u16, low, 0, 0, 1).into(),
                )
            };
            let _ = budget.take_here(crowd);
            if number % 5_000 == 0 {
                // Somebody who comes again and again is not forgotten in the crowd.
                refused |= budget.take_here(regular).is_err();
            }
        }
        assert!(refused, "the crowd made the limiter forget a regular");
        assert!(budget.limiter.into_state_store().len() <= ledger::MOST);
    }
}

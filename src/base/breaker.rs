//! Leaves something alone that fails time and again, and then tries it once.

use std::time::Duration;

use parking_lot::Mutex;

/// Watches one thing outside, such as a provider. Moments are durations since some start, the same for all calls.
#[derive(Debug)]
pub struct Breaker {
    failures: u32,
    rest: Duration,
    state: Mutex<State>,
}

#[derive(Debug, Clone, Copy)]
enum State {
    /// Requests pass; so many have failed in a row.
    Closed(u32),
    /// None passes before this moment, then one.
    Open(Duration),
    /// The one is under way.
    Trying,
}

/// Leave to send one request. Dropped without a verdict (the caller went away), it changes nothing.
#[derive(Debug)]
pub struct Pass<'b> {
    breaker: &'b Breaker,
    /// When it was given, for the one request that is to find out.
    trial: Option<Duration>,
}

impl Breaker {
    /// One that lets what has failed so often in a row rest for `rest`.
    pub fn new(failures: u32, rest: Duration) -> Self {
        Self { failures, rest, state: Mutex::new(State::Closed(0)) }
    }

    /// Leave to send a request at `now`.
    ///
    /// # Errors
    /// How long there is none.
    pub fn admit(&self, now: Duration) -> Result<Pass<'_>, Duration> {
        let mut state = self.state.lock();
        match *state {
            State::Closed(_) => Ok(Pass { breaker: self, trial: None }),
            State::Open(until) if now < until => Err(until.saturating_sub(now)),
            State::Open(_) => {
                *state = State::Trying;
                Ok(Pass { breaker: self, trial: Some(now) })
            }
            State::Trying => Err(Duration::ZERO),
        }
    }
}

impl Pass<'_> {
    /// It is there, even if it refused what was asked of it.
    pub fn reached(mut self) {
        self.trial = None;
        *self.breaker.state.lock() = State::Closed(0);
    }

    /// It failed at `now` in a way that may pass.
    pub fn failed(mut self, now: Duration) {
        let trial = self.trial.take().is_some();
        let mut state = self.breaker.state.lock();
        let open = State::Open(now.saturating_add(self.breaker.rest));
        match *state {
            State::Closed(failures) if failures + 1 < self.breaker.failures => {
                *state = State::Closed(failures + 1);
            }
            State::Closed(_) => *state = open,
            // Requests that were under way when it opened say nothing new.
            State::Open(_) | State::Trying => {
                if trial {
                    *state = open;
                }
            }
        }
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        if let Some(given) = self.trial {
            *self.breaker.state.lock() = State::Open(given);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAILURES: u32 = 5;

    const REST: Duration = Duration::from_secs(30);

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// One that has just opened, at second 100.
    fn opened() -> Breaker {
        let breaker = Breaker::new(FAILURES, REST);
        for _ in 0..FAILURES {
            breaker.admit(at(100)).unwrap().failed(at(100));
        }
        breaker
    }

    #[test]
    fn opens_after_failures_in_a_row() {
        let breaker = Breaker::new(FAILURES, REST);
        for _ in 0..3 {
            for _ in 1..FAILURES {
                breaker.admit(at(0)).unwrap().failed(at(0));
            }
            breaker.admit(at(0)).unwrap().reached();
        }
        let breaker = opened();
        assert_eq!(breaker.admit(at(100)).unwrap_err(), REST);
        assert_eq!(breaker.admit(at(129)).unwrap_err(), at(1));
    }

    #[test]
    fn a_single_request_finds_out() {
        let breaker = opened();
        let trial = breaker.admit(at(130)).unwrap();
        assert_eq!(breaker.admit(at(130)).unwrap_err(), Duration::ZERO);
        trial.failed(at(131));
        assert_eq!(breaker.admit(at(160)).unwrap_err(), at(1));
        breaker.admit(at(161)).unwrap().reached();
        let _first = breaker.admit(at(161)).unwrap();
        let _second = breaker.admit(at(161)).unwrap();
    }

    #[test]
    fn a_trial_that_is_given_up_leaves_room_for_the_next() {
        let breaker = opened();
        drop(breaker.admit(at(130)).unwrap());
        drop(breaker.admit(at(130)).unwrap());
        breaker.admit(at(130)).unwrap().failed(at(130));
        assert!(breaker.admit(at(131)).is_err());
    }

    #[test]
    fn what_was_under_way_when_it_opened_does_not_prolong_it() {
        let breaker = Breaker::new(FAILURES, REST);
        let late = breaker.admit(at(0)).unwrap();
        let later = breaker.admit(at(0)).unwrap();
        for _ in 0..FAILURES {
            breaker.admit(at(100)).unwrap().failed(at(100));
        }
        late.failed(at(125));
        assert_eq!(breaker.admit(at(129)).unwrap_err(), at(1));
        later.reached();
        assert!(breaker.admit(at(129)).is_ok(), "an answer is an answer");
    }
}

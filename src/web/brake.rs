//! Slows down whoever tries tokens.

use std::{net::IpAddr, time::Duration};

use super::ledger::Ledger;
use crate::base::clock::Stopwatch;

/// Wrong tokens in a [`WINDOW`] after which an address is not listened to until the window has passed.
const FAILURES: u32 = 10;
const WINDOW: Duration = Duration::from_mins(1);

/// The wrong tokens of each address.
#[derive(Debug)]
pub(super) struct Brake(Ledger<Failures>);

#[derive(Debug, Clone, Copy)]
struct Failures {
    count: u32,
    since: Stopwatch,
}

impl Brake {
    pub(super) fn new() -> Self {
        Self(Ledger::new())
    }

    /// How long no token from `address` is looked at, if it has brought too many wrong ones.
    pub(super) fn blocks(&self, address: IpAddr) -> Option<Duration> {
        let left = |failures: &Failures| {
            (failures.count >= FAILURES).then(|| WINDOW.checked_sub(failures.since.elapsed())).flatten()
        };
        self.0.get(address, left).flatten()
    }

    /// `address` has brought a wrong token.
    pub(super) fn failed(&self, address: IpAddr) {
        let count = |known: Option<&Failures>| {
            let now = match known.filter(|known| known.since.elapsed() < WINDOW) {
                Some(known) => Failures { count: known.count.saturating_add(1), ..*known },
                None => Failures { count: 1, since: Stopwatch::start() },
            };
            Ok::<_, std::convert::Infallible>(((), now))
        };
        let Ok(()) = self.0.change(address, count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_wrong_tokens_are_enough() {
        let (brake, address) = (Brake::new(), IpAddr::from([192, 0, 2, 1]));
        for _ in 0..FAILURES {
            assert_eq!(brake.blocks(address), None);
            brake.failed(address);
        }
        let wait = brake.blocks(address).unwrap();
        assert!(wait > Duration::ZERO && wait <= WINDOW, "{wait:?}");
        assert_eq!(brake.blocks(IpAddr::from([192, 0, 2, 2])), None);
    }
}

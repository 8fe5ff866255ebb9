//! Slows down whoever tries tokens.

use std::{net::IpAddr, sync::Arc, time::Duration};

use super::{Shared, ledger::Ledger, rate::Heard};
use crate::base::clock::Stopwatch;

/// Wrong tokens in a [`WINDOW`] after which an address is not listened to until the window has passed.
pub(super) const FAILURES: u32 = 10;
const WINDOW: Duration = Duration::from_mins(1);

/// The wrong tokens of each address.
#[derive(Debug)]
pub(super) struct Brake {
    here: Ledger<Failures>,
    shared: Option<Arc<Shared>>,
}

#[derive(Debug, Clone, Copy)]
struct Failures {
    count: u32,
    since: Stopwatch,
}

impl Brake {
    /// With those that replicas have seen, where they are `shared`.
    pub(super) fn new(shared: Option<Arc<Shared>>) -> Self {
        Self { here: Ledger::new(), shared }
    }

    /// How long no token from `address` is looked at, if it has brought too many wrong ones. The other replicas are asked
    /// only when nothing was `heard` of them yet.
    pub(super) async fn blocks(&self, address: IpAddr, heard: Option<Heard>) -> Option<Duration> {
        match (self.blocks_here(address), heard, &self.shared) {
            (here @ Some(_), ..) => here,
            (None, Some(heard), _) => heard.blocked,
            (None, None, Some(shared)) => shared.blocked(address, FAILURES).await,
            (None, None, None) => None,
        }
    }

    /// `address` has brought a wrong token.
    pub(super) async fn failed(&self, address: IpAddr) {
        self.failed_here(address);
        if let Some(shared) = &self.shared {
            shared.fail(address, WINDOW).await;
        }
    }

    fn blocks_here(&self, address: IpAddr) -> Option<Duration> {
        let left = |failures: &Failures| {
            (failures.count >= FAILURES).then(|| WINDOW.checked_sub(failures.since.elapsed())).flatten()
        };
        self.here.get(address, left).flatten()
    }

    fn failed_here(&self, address: IpAddr) {
        let count = |known: Option<&Failures>| {
            let now = match known.filter(|known| known.since.elapsed() < WINDOW) {
                Some(known) => Failures { count: known.count.saturating_add(1), ..*known },
                None => Failures { count: 1, since: Stopwatch::start() },
            };
            Ok::<_, std::convert::Infallible>(((), now))
        };
        let Ok(()) = self.here.change(address, count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_wrong_tokens_are_enough() {
        let (brake, address) = (Brake::new(None), IpAddr::from([192, 0, 2, 1]));
        for _ in 0..FAILURES {
            assert_eq!(brake.blocks_here(address), None);
            brake.failed_here(address);
        }
        let wait = brake.blocks_here(address).unwrap();
        assert!(wait > Duration::ZERO && wait <= WINDOW, "{wait:?}");
        assert_eq!(brake.blocks_here(IpAddr::from([192, 0, 2, 2])), None);
    }
}

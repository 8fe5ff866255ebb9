//! Who was turned away: counted, and handed to the list of acts once a minute, so that nobody can fill a disk by knocking.

use std::{collections::BTreeMap, net::IpAddr, sync::Arc, time::Duration};

use parking_lot::Mutex;
use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;

use crate::tools::{Acts, Deed};

/// How often they are handed over.
const EVERY: Duration = Duration::from_mins(1);
/// Most addresses that are counted one by one.
const ADDRESSES: usize = 32;

/// Why somebody was turned away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Why {
    /// They brought no token.
    NoToken,
    /// They brought one that nobody holds.
    WrongToken,
    /// Their token does not allow it.
    Scope,
    /// They brought too many wrong ones.
    Blocked,
    /// What they signed was not signed with the secret.
    Signature,
}

impl Why {
    fn as_str(self) -> &'static str {
        match self {
            Self::NoToken => "no-token",
            Self::WrongToken => "wrong-token",
            Self::Scope => "scope",
            Self::Blocked => "blocked",
            Self::Signature => "signature",
        }
    }
}

/// Those who were turned away since they were last handed over.
#[derive(Debug, Default)]
pub struct Denials(Mutex<Counts>);

#[derive(Debug, Default)]
struct Counts {
    reasons: BTreeMap<Why, u64>,
    addresses: BTreeMap<IpAddr, u64>,
    /// Of addresses beyond those.
    others: u64,
}

impl Denials {
    /// Somebody was turned away.
    pub(super) fn count(&self, why: Why, address: Option<IpAddr>) {
        let mut counts = self.0.lock();
        *counts.reasons.entry(why).or_default() += 1;
        let Some(address) = address else { return };
        if counts.addresses.len() < ADDRESSES || counts.addresses.contains_key(&address) {
            *counts.addresses.entry(address).or_default() += 1;
        } else {
            counts.others += 1;
        }
    }

    /// Hands them to `acts` until `stopping` fires, and then a last time.
    pub async fn keep(self: Arc<Self>, acts: Acts, stopping: CancellationToken) {
        loop {
            let over = tokio::select! {
                biased;
                () = stopping.cancelled() => true,
                () = tokio::time::sleep(EVERY) => false,
            };
            if let Some(told) = self.take() {
                let act = acts.begin(Deed::RefuseCallers, "", "").with(told);
                let _ = act.end(Ok::<(), ()>(())).await;
            }
            if over {
                return;
            }
        }
    }

    fn take(&self) -> Option<Map<String, Value>> {
        let counts = std::mem::take(&mut *self.0.lock());
        if counts.reasons.is_empty() {
            return None;
        }
        let reasons: Map<_, _> =
            counts.reasons.iter().map(|(why, count)| (why.as_str().to_owned(), json!(count))).collect();
        let addresses: Map<_, _> =
            counts.addresses.iter().map(|(address, count)| (address.to_string(), json!(count))).collect();
        let told = json!({"reasons": reasons, "addresses": addresses, "other_addresses": counts.others});
        told.as_object().cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_addresses_are_few_lines() {
        let denials = Denials::default();
        assert_eq!(denials.take(), None);
        for number in 0..=99 {
            denials.count(Why::WrongToken, Some(IpAddr::from([192, 0, 2, number])));
        }
        denials.count(Why::WrongToken, Some(IpAddr::from([192, 0, 2, 0])));
        denials.count(Why::Signature, None);
        let told = denials.take().unwrap();
        assert_eq!(told["reasons"], json!({"wrong-token": 101, "signature": 1}));
        assert_eq!((&told["addresses"]["192.0.2.0"], &told["other_addresses"]), (&json!(2), &json!(68)));
        assert_eq!(denials.take(), None);
    }
}

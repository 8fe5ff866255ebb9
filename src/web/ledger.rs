//! What is kept of each client address, for the latest so many of them.

use std::net::IpAddr;

use governor::{nanos::Nanos, state::StateStore};
use lru::LruCache;
use parking_lot::Mutex;

/// Most addresses that are kept. Whoever comes from more than that at once could not be told from a crowd anyway.
pub(super) const MOST: usize = 16_384;

/// A value for each address; beyond [`MOST`] of them, the one that was silent for longest is forgotten.
#[derive(Debug)]
pub(super) struct Ledger<V>(Mutex<LruCache<IpAddr, V>>);

impl<V> Ledger<V> {
    /// Nothing about anybody; takes no memory yet.
    pub(super) fn new() -> Self {
        Self(Mutex::new(LruCache::unbounded()))
    }

    /// What `look` says of what is kept of `address`.
    pub(super) fn get<T>(&self, address: IpAddr, look: impl FnOnce(&V) -> T) -> Option<T> {
        self.0.lock().get(&address).map(look)
    }

    /// Puts what `change` makes of what was kept of `address`, and gives what it says; an error leaves all as it was.
    pub(super) fn change<T, E>(
        &self,
        address: IpAddr,
        change: impl FnOnce(Option<&V>) -> Result<(T, V), E>,
    ) -> Result<T, E> {
        let mut kept = self.0.lock();
        let (said, value) = change(kept.get(&address))?;
        kept.put(address, value);
        if kept.len() > MOST {
            kept.pop_lru();
        }
        Ok(said)
    }

    /// How many addresses are known.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.0.lock().len()
    }
}

impl StateStore for Ledger<Nanos> {
    type Key = IpAddr;

    fn measure_and_replace<T, F, E>(&self, key: &IpAddr, f: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        self.change(*key, |kept| f(kept.copied()))
    }
}

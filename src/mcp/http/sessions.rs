//! The sessions of clients of the older era over HTTP: bounded, and forgotten when idle.

use std::{collections::HashMap, io, sync::Arc, time::Duration};

use parking_lot::Mutex;

use crate::{base::clock::Stopwatch, protocol::Session};

/// Every session there is, by its id.
pub(super) struct Sessions {
    table: Mutex<Table>,
    limit: usize,
    idle: Duration,
}

#[derive(Default)]
struct Table {
    kept: HashMap<Box<str>, Kept>,
    /// How often a session was used; orders the uses, which a clock that is read twice would not.
    uses: u64,
}

struct Kept {
    session: Arc<Session>,
    principal: Option<Arc<str>>,
    unused: Stopwatch,
    last_use: u64,
}

impl Sessions {
    /// No sessions; at most `limit`, each forgotten after `idle` without a request.
    pub(super) fn new(limit: usize, idle: Duration) -> Self {
        Self { table: Mutex::default(), limit: limit.max(1), idle }
    }

    /// Keeps `session` for `principal` under a new id. When there are too many, the one unused for longest goes.
    ///
    /// # Errors
    /// When the system gives no random bytes.
    pub(super) fn open(&self, session: Arc<Session>, principal: Option<Arc<str>>) -> io::Result<String> {
        let mut random = [0_u8; 16];
        getrandom::fill(&mut random).map_err(io::Error::other)?;
        let id = hex::encode(random);
        let mut table = self.table.lock();
        if table.kept.len() >= self.limit {
            table.kept.retain(|_, kept| kept.unused.elapsed() < self.idle);
        }
        if table.kept.len() >= self.limit
            && let Some(oldest) =
                table.kept.iter().min_by_key(|(_, kept)| kept.last_use).map(|(id, _)| id.clone())
        {
            table.kept.remove(&oldest);
        }
        table.uses += 1;
        let kept = Kept { session, principal, unused: Stopwatch::start(), last_use: table.uses };
        table.kept.insert(id.as_str().into(), kept);
        Ok(id)
    }

    /// The session `id` of `principal`; someone else's is not there.
    pub(super) fn get(&self, id: &str, principal: Option<&Arc<str>>) -> Option<Arc<Session>> {
        let mut table = self.table.lock();
        let Table { kept: all, uses } = &mut *table;
        let kept = all.get_mut(id).filter(|kept| kept.principal.as_ref() == principal)?;
        if kept.unused.elapsed() >= self.idle {
            all.remove(id);
            return None;
        }
        *uses += 1;
        kept.last_use = *uses;
        kept.unused = Stopwatch::start();
        Some(Arc::clone(&kept.session))
    }

    /// Ends a session; tells whether it was there.
    pub(super) fn close(&self, id: &str, principal: Option<&Arc<str>>) -> bool {
        let Some(session) = self.get(id, principal) else { return false };
        session.cancel_all();
        self.table.lock().kept.remove(id).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_hours(1);

    fn open(sessions: &Sessions, principal: Option<&str>) -> String {
        sessions.open(Arc::new(Session::new()), principal.map(Arc::from)).unwrap()
    }

    #[test]
    fn ids_are_long_and_differ() {
        let sessions = Sessions::new(10, HOUR);
        let (first, second) = (open(&sessions, None), open(&sessions, None));
        assert_eq!(first.len(), 32);
        assert_ne!(first, second);
    }

    #[test]
    fn a_session_belongs_to_its_principal() {
        let sessions = Sessions::new(10, HOUR);
        let id = open(&sessions, Some("ann"));
        let check = |principal: Option<&str>, there: bool| {
            let principal = principal.map(Arc::from);
            assert_eq!(sessions.get(&id, principal.as_ref()).is_some(), there, "{principal:?}");
        };
        check(Some("ann"), true);
        check(Some("bob"), false);
        check(None, false);
        assert!(!sessions.close(&id, Some(&Arc::from("bob"))));
        assert!(sessions.close(&id, Some(&Arc::from("ann"))));
        check(Some("ann"), false);
    }

    #[test]
    fn idle_sessions_are_forgotten() {
        let sessions = Sessions::new(10, Duration::ZERO);
        let id = open(&sessions, None);
        assert!(sessions.get(&id, None).is_none());
    }

    #[test]
    fn the_longest_unused_makes_room() {
        let sessions = Sessions::new(2, HOUR);
        let (first, second) = (open(&sessions, None), open(&sessions, None));
        assert!(sessions.get(&first, None).is_some());
        let third = open(&sessions, None);
        assert!(sessions.get(&second, None).is_none());
        assert!(sessions.get(&first, None).is_some());
        assert!(sessions.get(&third, None).is_some());
    }
}

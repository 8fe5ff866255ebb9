//! The sessions of clients of the older era over HTTP: bounded, each its caller's own, and forgotten when idle.

use std::{collections::HashMap, io, sync::Arc, time::Duration};

use parking_lot::Mutex;

use super::streams::{Budget, Streams};
use crate::{base::clock::Stopwatch, protocol::Session};

/// A session, and what belongs to it in its transport.
pub(super) trait Open: Send + Sync + 'static {
    /// Ends all that goes on in it.
    fn end(&self);

    /// Whether something goes on in it, though no request may have come for long.
    fn is_live(&self) -> bool;
}

/// What belongs to one session of Streamable HTTP.
pub(super) struct Streamable {
    pub(super) session: Arc<Session>,
    pub(super) streams: Streams,
}

impl Streamable {
    /// `session`, with streams that keep within `budget`.
    pub(super) fn new(session: Arc<Session>, budget: &Arc<Budget>) -> Self {
        Self { session, streams: Streams::new(Arc::clone(budget)) }
    }
}

impl Open for Streamable {
    fn end(&self) {
        self.session.cancel_all();
        self.streams.close();
    }

    fn is_live(&self) -> bool {
        self.session.is_busy() || self.streams.are_read()
    }
}

/// Every session there is, by its id.
pub(super) struct Sessions<T> {
    table: Mutex<Table<T>>,
    limit: usize,
    idle: Duration,
}

struct Table<T> {
    kept: HashMap<Box<str>, Kept<T>>,
    /// How often a session was used; orders the uses, which a clock that is read twice would not.
    uses: u64,
    swept: bool,
}

struct Kept<T> {
    open: Arc<T>,
    principal: Option<Arc<str>>,
    unused: Stopwatch,
    last_use: u64,
}

/// A session that was opened.
pub(super) struct Opened {
    pub(super) id: String,
    /// Whether [`Sessions::sweep`] has to be called from now on, for nobody does.
    pub(super) unswept: bool,
}

impl<T: Open> Sessions<T> {
    /// No sessions; at most `limit`, each forgotten after `idle` without a request.
    pub(super) fn new(limit: usize, idle: Duration) -> Self {
        let table = Table { kept: HashMap::new(), uses: 0, swept: false };
        Self { table: Mutex::new(table), limit: limit.max(1), idle }
    }

    /// Keeps `open` for `principal` under a new id. When there are too many, the one unused for longest goes.
    ///
    /// # Errors
    /// When the system gives no random bytes.
    pub(super) fn open(&self, open: Arc<T>, principal: Option<Arc<str>>) -> io::Result<Opened> {
        let mut random = [0_u8; 16];
        getrandom::fill(&mut random).map_err(io::Error::other)?;
        let id = hex::encode(random);
        let mut table = self.table.lock();
        let mut gone = None;
        if table.kept.len() >= self.limit {
            let idlest = table.kept.iter().min_by_key(|(_, kept)| (kept.open.is_live(), kept.last_use));
            let idlest = idlest.map(|(id, _)| id.clone());
            gone = idlest.and_then(|id| table.kept.remove(&id));
        }
        table.uses += 1;
        let kept = Kept { open, principal, unused: Stopwatch::start(), last_use: table.uses };
        table.kept.insert(id.as_str().into(), kept);
        let unswept = !std::mem::replace(&mut table.swept, true);
        drop(table);
        if let Some(gone) = gone {
            tracing::info!("there are too many sessions; the one unused for longest was ended");
            gone.open.end();
        }
        Ok(Opened { id, unswept })
    }

    /// The session `id` of `principal`; someone else's is not there.
    pub(super) fn get(&self, id: &str, principal: Option<&Arc<str>>) -> Option<Arc<T>> {
        let mut table = self.table.lock();
        let Table { kept: all, uses, .. } = &mut *table;
        let kept = all.get_mut(id).filter(|kept| kept.principal.as_ref() == principal)?;
        *uses += 1;
        kept.last_use = *uses;
        kept.unused = Stopwatch::start();
        Some(Arc::clone(&kept.open))
    }

    /// Ends a session; tells whether it was there.
    pub(super) fn close(&self, id: &str, principal: Option<&Arc<str>>) -> bool {
        if self.get(id, principal).is_none() {
            return false;
        }
        let gone = self.table.lock().kept.remove(id);
        if let Some(gone) = &gone {
            gone.open.end();
        }
        gone.is_some()
    }

    /// How often to sweep.
    pub(super) fn rhythm(&self) -> Duration {
        (self.idle / 4).clamp(Duration::from_millis(10), Duration::from_mins(1))
    }

    /// Forgets the sessions that are idle for too long; tells whether any are left. If not, there is nothing to sweep
    /// until one is opened.
    pub(super) fn sweep(&self) -> bool {
        let mut table = self.table.lock();
        let gone: Vec<Kept<T>> = table
            .kept
            .extract_if(|_, kept| kept.unused.elapsed() >= self.idle && !kept.open.is_live())
            .map(|(_, kept)| kept)
            .collect();
        table.swept = !table.kept.is_empty();
        let left = table.swept;
        drop(table);
        for gone in gone {
            gone.open.end();
        }
        left
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_hours(1);

    fn fresh() -> Arc<Streamable> {
        Arc::new(Streamable::new(Arc::new(Session::new()), &Arc::default()))
    }

    fn open(sessions: &Sessions<Streamable>, principal: Option<&str>) -> String {
        sessions.open(fresh(), principal.map(Arc::from)).unwrap().id
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
        let first = fresh();
        let opened = sessions.open(Arc::clone(&first), None).unwrap();
        assert!(opened.unswept);
        let again = sessions.open(fresh(), None).unwrap();
        assert!(!again.unswept, "one sweeper is enough");
        let read = sessions.get(&again.id, None).unwrap().streams.open();
        let connection = read.connect(None, HOUR, None);
        assert!(sessions.sweep(), "one is being read");
        assert!(sessions.get(&opened.id, None).is_none());
        drop(connection);
        assert!(!sessions.sweep());
        assert!(sessions.get(&again.id, None).is_none());
        assert_eq!(Arc::strong_count(&first), 1, "nothing is left behind");
        assert!(sessions.open(first, None).unwrap().unswept);
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

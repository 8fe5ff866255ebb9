//! A replica joins: reads how all tasks stand, and goes on from there.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::{Arc, atomic::AtomicI64},
    time::Duration,
};

use tokio::sync::mpsc;

use super::{QUEUE, Replica, Sharing, State, watch::Watch, writer::Writer};
use crate::{
    base::{Tracker, blocking, clock::Stopwatch},
    store::{
        self,
        postgres::{Line, Readers, SharedLog, Snapshot, Target},
    },
    tasks::{
        Body, Engine, Error, Kind, Options, Summary, Task,
        engine::Shared,
        home::Home,
        replay::{self, Known},
        table::{Brief, Table},
    },
};

/// For how long a server waits for a database that does not answer yet, as one that is started together with it.
const PATIENCE: Duration = Duration::from_secs(30);

/// For how long whoever is there for one person does.
pub(super) const IMPATIENCE: Duration = Duration::from_secs(3);

/// How long it is left alone in between.
const PAUSE: Duration = Duration::from_millis(500);

/// Joins the replicas that share the tasks.
///
/// # Errors
/// [`Error::Store`] when the database cannot be used.
pub(in crate::tasks) async fn open(
    options: &Options,
    sharing: Sharing,
    bodies: HashMap<Kind, Arc<dyn Body>>,
    tracker: Tracker,
) -> Result<Engine, Error> {
    let me: Arc<str> = uuid::Uuid::now_v7().simple().to_string().into();
    let takes = options.resume;
    // What is at work when the program is to end still has something to record: this ends when the replica leaves.
    let own = Tracker::new();
    let patience = if takes { PATIENCE } else { IMPATIENCE };
    let log = patiently(patience, || SharedLog::connect(&sharing.target, &me, &own)).await?;
    let readers = Arc::new(Readers::new(sharing.target.clone(), own.clone()));
    readers.renew(&me, &sharing.name, sharing.lease).await?;
    let snapshot = readers.snapshot().await?;
    let heard = snapshot.head;
    let mut table = Table::new(options.queue, options.into());
    table.join(Arc::clone(&me), takes);
    table.can_do(bodies.keys().cloned());
    let Told { over, live } = blocking(move || tell(snapshot)).await.ok_or(Error::Stopping)?;
    table.expect(over.len());
    for brief in over {
        table.insert_brief(brief);
    }
    for known in live {
        table.insert_known(known, false);
    }

    let (requests, queue) = mpsc::channel(QUEUE);
    let state = Arc::new(State::default());
    let weak = requests.downgrade();
    let replica = Replica {
        me: Arc::clone(&me),
        takes,
        readers: Arc::clone(&readers),
        requests,
        state: Arc::clone(&state),
        tickets: AtomicI64::new(1),
    };
    let shared = Shared::new(options, Home::Shared(replica), table, bodies, tracker);
    let writer = Writer {
        me: Arc::clone(&me),
        readers: Arc::clone(&readers),
        shared: Arc::downgrade(&shared),
        tracker: own.clone(),
        requests: queue,
        state: Arc::clone(&state),
        log: Some(log),
        heard,
        waiting: VecDeque::new(),
        curious: Vec::new(),
        missed: Vec::new(),
        unsure: HashSet::new(),
        known: HashSet::new(),
        refused: None,
    };
    let watch = Watch { me, sharing, readers, shared: Arc::downgrade(&shared), requests: weak, state, takes };
    own.spawn(writer.run());
    own.spawn(watch.run());
    let engine = Engine { shared };
    engine.begin();
    Ok(engine)
}

/// Tries again while it is of use, and not for longer than `patience`.
pub(super) async fn patiently<T, F>(
    patience: Duration,
    mut connect: impl FnMut() -> F,
) -> Result<T, store::Error>
where
    F: Future<Output = Result<T, store::Error>>,
{
    let since = Stopwatch::start();
    loop {
        match connect().await {
            Err(error @ store::Error::Database { lasts: false, .. }) if since.elapsed() < patience => {
                tracing::warn!(error = &error as &dyn std::error::Error, "the database is waited for");
                tokio::time::sleep(PAUSE).await;
            }
            tried => return tried,
        }
    }
}

/// How all tasks stand.
struct Told {
    /// Those that are over, in the order they ended.
    over: Vec<Brief>,
    /// The others, in the order they were accepted.
    live: Vec<Known>,
}

fn tell(snapshot: Snapshot) -> Told {
    let Snapshot { briefs, lines, .. } = snapshot;
    let read = |(subject, brief): (Arc<str>, String)| {
        let read = serde_json::from_str::<Brief>(&brief);
        read.inspect_err(
            |error| tracing::warn!(task.id = &*subject, %error, "what is kept of a task cannot be read"),
        )
        .ok()
    };
    let mut over: Vec<Brief> = briefs.into_iter().filter_map(read).collect();
    over.sort_by_key(Brief::ended_at);
    let mut of: HashMap<Arc<str>, Vec<Line>> = HashMap::new();
    for line in lines {
        of.entry(Arc::clone(&line.subject)).or_default().push(line);
    }
    let mut known: Vec<(i64, Known)> = of
        .into_values()
        .filter_map(|lines| {
            let first = lines.first()?.n;
            Some((first, replay::rebuild(lines.iter().map(|line| line.text.as_bytes()))?))
        })
        .collect();
    known.sort_by_key(|(first, _)| *first);
    Told { over, live: known.into_iter().map(|(_, known)| known).collect() }
}

/// What the journal at `target` tells at one moment, for a look without joining. Nothing is written.
#[derive(Debug)]
pub(in crate::tasks) struct Glance {
    pub(in crate::tasks) readers: Readers,
    pub(in crate::tasks) over: Vec<Arc<Summary>>,
    pub(in crate::tasks) live: Vec<Task>,
}

/// Looks at the journal at `target`.
///
/// # Errors
/// [`Error::Store`] when it cannot be read.
pub(in crate::tasks) async fn look(target: Target) -> Result<Glance, Error> {
    let readers = Readers::new(target, Tracker::new());
    let Told { over, live } = tell(readers.snapshot().await?);
    let over = over.into_iter().map(Brief::into_summary).collect();
    Ok(Glance { readers, over, live: live.into_iter().map(|known| known.task).collect() })
}

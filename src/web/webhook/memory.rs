//! Which deliveries have started something, remembered for longer than the tasks they started: `.crew/deliveries.jsonl`.
//!
//! The key of a delivery is also the idempotency key of its task, so a delivery that is repeated at once, or after a crash,
//! is recognised by that; this file takes over when so many tasks have ended since that the task is forgotten.

use std::{
    collections::{HashMap, VecDeque},
    path::{Path, PathBuf},
    sync::Arc,
};

use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tokio::sync::{Mutex as AsyncMutex, MutexGuard, OnceCell, OwnedMutexGuard};

use crate::{
    base::{Tracker, blocking, clock, joined},
    store::{self, Log, log::Claim},
    tasks::{Engine, TaskId},
};

/// How many deliveries are remembered, the newest.
const MOST: usize = 20_000;
/// For how long. GitHub repeats deliveries of the last few days.
const LONGEST: SignedDuration = SignedDuration::from_hours(30 * 24);
/// The beginnings of the keys that are remembered.
const KINDS: [&str; 2] = ["github:", "webhook:"];

/// The deliveries that have started something.
#[derive(Debug)]
pub struct Deliveries {
    /// Where they are kept, if they are.
    path: Option<PathBuf>,
    memory: Mutex<Memory>,
    writer: OnceCell<SharedWriter>,
    turn: AsyncMutex<()>,
    tracker: Tracker,
}

/// None where nothing is kept.
type SharedWriter = Arc<AsyncMutex<Option<Writer>>>;

#[derive(Debug)]
struct Writer {
    log: Log,
    /// How many lines the file has.
    lines: usize,
}

/// One delivery, as it is written.
#[derive(Debug, Serialize, Deserialize)]
struct Entry {
    key: Box<str>,
    task_id: TaskId,
    at: Timestamp,
}

/// All side by side in one piece: a text of its own for each would lie for weeks among what requests take and give back at
/// once, and keep three times its own memory from being given back.
#[derive(Debug, Default)]
struct Memory {
    /// How manieth each is since this was made.
    known: HashMap<Digest, u64>,
    /// The oldest first.
    order: VecDeque<Remembered>,
    /// How many are not in `order` any more.
    forgotten: u64,
}

/// What is left of a key.
type Digest = [u8; 16];

#[derive(Debug)]
struct Remembered {
    key: Digest,
    id: [u8; 64],
    id_length: usize,
    at: Timestamp,
}

impl Remembered {
    fn new(key: Digest, id: &TaskId, at: Timestamp) -> Self {
        let mut remembered = Self { key, id: [0; 64], id_length: id.as_str().len(), at };
        remembered.id.iter_mut().zip(id.as_str().bytes()).for_each(|(to, from)| *to = from);
        remembered
    }

    fn task_id(&self) -> Option<TaskId> {
        std::str::from_utf8(self.id.get(..self.id_length)?).ok()?.parse().ok()
    }
}

impl Memory {
    fn add(&mut self, key: &str, id: &TaskId, at: Timestamp) {
        let remembered = Remembered::new(digest(key), id, at);
        let number = self.forgotten + self.order.len() as u64;
        match self.place(&remembered.key).and_then(|place| self.order.get_mut(place)) {
            Some(known) => *known = Remembered { at: known.at, ..remembered },
            None => {
                self.known.insert(remembered.key, number);
                self.order.push_back(remembered);
            }
        }
        self.forget(at);
    }

    fn place(&self, key: &Digest) -> Option<usize> {
        usize::try_from(self.known.get(key)?.checked_sub(self.forgotten)?).ok()
    }

    fn get(&self, key: &str) -> Option<TaskId> {
        self.order.get(self.place(&digest(key))?)?.task_id()
    }

    fn has(&self, key: &str) -> bool {
        self.known.contains_key(&digest(key))
    }

    fn forget(&mut self, now: Timestamp) {
        while let Some(oldest) = self.order.front() {
            if self.order.len() <= MOST && now.duration_since(oldest.at) <= LONGEST {
                return;
            }
            self.known.remove(&oldest.key);
            self.order.pop_front();
            self.forgotten += 1;
        }
    }
}

fn digest(key: &str) -> Digest {
    let mut digest = Digest::default();
    digest.iter_mut().zip(Sha256::digest(key)).for_each(|(to, from)| *to = from);
    digest
}

impl Deliveries {
    /// Those that are kept in `.crew/deliveries.jsonl` below `root`; nothing is opened before it is needed.
    pub fn in_project(root: &Path) -> Self {
        Self::new(Some(root.join(".crew/deliveries.jsonl")))
    }

    /// Those of this process alone.
    pub fn in_memory() -> Self {
        Self::new(None)
    }

    fn new(path: Option<PathBuf>) -> Self {
        Self {
            path,
            memory: Mutex::default(),
            writer: OnceCell::new(),
            turn: AsyncMutex::default(),
            tracker: Tracker::new(),
        }
    }

    /// The task that the delivery `key` has started.
    pub(super) async fn known(&self, key: &str, tasks: &Engine) -> Option<TaskId> {
        if let Err(error) = self.writer.get_or_try_init(|| self.open(tasks)).await {
            // The tasks still know their keys.
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "it cannot be told which deliveries came before"
            );
        }
        let mut memory = self.memory.lock();
        memory.forget(clock::now());
        memory.get(key)
    }

    /// The delivery `key` has started the task `id`. Nobody waits for the disk: the task is there with its key, and what
    /// is not here when this is opened is taken from the tasks.
    pub(super) async fn note(&self, key: &str, id: &TaskId) {
        let entry = Entry { key: key.into(), task_id: id.clone(), at: clock::now() };
        self.memory.lock().add(key, id, entry.at);
        let Some(writer) = self.writer.get() else { return };
        let mut writer = Arc::clone(writer).lock_owned().await;
        let Some(open) = writer.as_mut() else { return };
        if let Err(error) = open.log.hand_over(&entry).await {
            tracing::error!(error = &error as &dyn std::error::Error, "a delivery could not be remembered");
        }
        open.lines += 1;
        if open.lines > 2 * MOST {
            let known = self.memory.lock().known.clone();
            // Not from here: a client that hangs up takes this very future with it.
            joined(self.tracker.spawn(shorten(writer, known)).await);
        }
    }

    /// Waits until no other delivery is decided about that could matter to this one.
    pub(super) async fn turn(&self) -> MutexGuard<'_, ()> {
        self.turn.lock().await
    }

    async fn open(&self, tasks: &Engine) -> Result<SharedWriter, store::Error> {
        let Some(path) = self.path.clone() else { return Ok(SharedWriter::default()) };
        let ending = store::Error::Closed { path: path.clone() };
        let (memory, writer) = match blocking(move || open(&path)).await.ok_or(ending)? {
            Ok((memory, writer)) => (memory, Some(writer)),
            // Another server of this folder, with which the tasks are shared, remembers them.
            Err(store::Error::Owned { .. }) if tasks.replicas().is_some() => (Memory::default(), None),
            Err(error) => return Err(error),
        };
        *self.memory.lock() = memory;
        // A crash may have come between a task and its line; the oldest task comes first.
        let begun_here = |key: &String| KINDS.iter().any(|kind| key.starts_with(kind));
        let mut begun = tasks.select(|task| task.idempotency_key.as_ref().is_some_and(begun_here));
        begun.sort_by(|a, b| (a.created_at, &a.task_id).cmp(&(b.created_at, &b.task_id)));
        let mut memory = self.memory.lock();
        for task in &begun {
            if let Some(key) = task.idempotency_key.as_ref().filter(|key| !memory.has(key)) {
                memory.add(key, &task.task_id, task.created_at);
            }
        }
        drop(memory);
        Ok(Arc::new(AsyncMutex::new(writer)))
    }
}

/// Writes the file anew with what is still remembered.
async fn shorten(mut writer: OwnedMutexGuard<Option<Writer>>, known: HashMap<Digest, u64>) {
    let Some(old) = writer.take() else { return };
    let shortened = blocking(move || {
        let path = old.log.path().to_owned();
        // Its lock must be free.
        drop(old);
        shortened(&path, &known)
    });
    match shortened.await {
        Some(Ok(new)) => *writer = Some(new),
        Some(Err(error)) => tracing::error!(
            error = &error as &dyn std::error::Error,
            "deliveries are remembered by this process alone"
        ),
        // The program ends.
        None => {}
    }
}

fn open(path: &Path) -> Result<(Memory, Writer), store::Error> {
    let claim = Claim::take(path)?;
    let (mut memory, mut lines) = (Memory::default(), 0);
    claim.read(|line| {
        lines += 1;
        serde_json::from_slice(line.bytes).map(|Entry { key, task_id, at }| memory.add(&key, &task_id, at))
    })?;
    memory.forget(clock::now());
    if lines > 2 * memory.known.len().max(1000) {
        keep(&claim, &memory.known)?;
        lines = memory.known.len();
    }
    Ok((memory, Writer { log: claim.start()?, lines }))
}

fn shortened(path: &Path, known: &HashMap<Digest, u64>) -> Result<Writer, store::Error> {
    let claim = Claim::take(path)?;
    keep(&claim, known)?;
    Ok(Writer { log: claim.start()?, lines: known.len() })
}

fn keep(claim: &Claim, known: &HashMap<Digest, u64>) -> Result<(), store::Error> {
    claim.retain(|line| {
        serde_json::from_slice::<Entry>(line.bytes).is_ok_and(|entry| known.contains_key(&digest(&entry.key)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{base::Tracker, tasks::Options};

    fn id(number: usize) -> TaskId {
        format!("task-{number}").parse().unwrap()
    }

    #[test]
    fn what_is_old_or_too_much_is_forgotten() {
        let mut memory = Memory::default();
        let start: Timestamp = "2026-11-01T00:00:00Z".parse().unwrap();
        for number in 0..MOST + 5 {
            memory.add(&format!("github:{number}"), &id(number), start);
        }
        assert_eq!((memory.known.len(), memory.order.len()), (MOST, MOST));
        assert_eq!((memory.get("github:4"), memory.get("github:5")), (None, Some(id(5))));
        memory.add("github:5", &id(7), start);
        assert_eq!((memory.get("github:5"), memory.get("github:6")), (Some(id(7)), Some(id(6))));
        memory.forget(start + LONGEST + SignedDuration::from_secs(1));
        assert_eq!((memory.known.len(), memory.order.len()), (0, 0));
    }

    #[tokio::test]
    async fn a_restart_forgets_nothing_and_the_file_stays_small() {
        let folder = tempfile::tempdir().unwrap();
        let tasks = Engine::open(Options::default(), [], Tracker::new()).await.unwrap();
        let deliveries = Deliveries::in_project(folder.path());
        assert_eq!(deliveries.known("github:1", &tasks).await, None);
        deliveries.note("github:1", &id(1)).await;
        deliveries.note("webhook:1", &id(2)).await;
        drop(deliveries);
        let deliveries = Deliveries::in_project(folder.path());
        assert_eq!(deliveries.known("github:1", &tasks).await, Some(id(1)));
        assert_eq!(deliveries.known("webhook:1", &tasks).await, Some(id(2)));
        deliveries.writer.get().unwrap().lock().await.as_mut().unwrap().lines = 2 * MOST;
        deliveries.memory.lock().known.remove(&digest("webhook:1"));
        deliveries.note("github:3", &id(3)).await;
        let text = std::fs::read_to_string(folder.path().join(".crew/deliveries.jsonl")).unwrap();
        let keys: Vec<_> =
            text.lines().map(|line| serde_json::from_str::<Entry>(line).unwrap().key).collect();
        assert_eq!(keys, ["github:1".into(), "github:3".into()] as [Box<str>; 2]);
        deliveries.note("github:4", &id(4)).await;
        assert_eq!(deliveries.known("github:4", &tasks).await, Some(id(4)));

        // The client hangs up while the file is written anew, and the next delivery is kept all the same.
        deliveries.writer.get().unwrap().lock().await.as_mut().unwrap().lines = 2 * MOST;
        let five = id(5);
        let mut noting = Box::pin(deliveries.note("github:5", &five));
        assert!(futures_util::poll!(&mut noting).is_pending());
        drop(noting);
        deliveries.note("github:6", &id(6)).await;
        drop(deliveries);
        let deliveries = Deliveries::in_project(folder.path());
        for number in 4..=6 {
            assert_eq!(deliveries.known(&format!("github:{number}"), &tasks).await, Some(id(number)));
        }
    }
}

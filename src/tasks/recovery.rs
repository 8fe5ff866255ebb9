//! Taking over a journal: what an earlier process left, and what becomes of it.

use std::{
    collections::HashSet,
    fs::File,
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use jiff::Timestamp;
use tokio::runtime::Handle;

use super::{
    Error, Kind, Status, Summary, Task, TaskId,
    index::Index,
    journal::Ending,
    legacy::Settled,
    replay::{self, Known, Read},
    replica::{self, Glance},
    table::Retain,
};
use crate::{
    base::clock,
    store::{
        self,
        log::{self, Claim, Records, Subject},
        postgres::Target,
    },
};

/// A task whose work began this often without finishing a step is given up: it may be what ends the process.
pub(super) const MAX_FRUITLESS: u32 = 20;

/// A journal taken over.
#[derive(Debug)]
pub(super) struct Recovered {
    pub(super) log: Records,
    pub(super) index: Index,
    /// Tasks that are over, in the order they ended, and whether the index tells of them as they are.
    pub(super) over: Vec<(Subject, Arc<Summary>, bool)>,
    /// The others, in the order they were accepted.
    pub(super) live: Vec<(Subject, Task)>,
    /// Those to be done, in order.
    pub(super) queued: Vec<TaskId>,
    /// Those that end here; not recorded yet.
    pub(super) ended: Vec<(TaskId, Ending)>,
}

/// Owns and reads the journal at `path`. Blocks.
pub(super) fn open(path: &Path, retain: Retain, kinds: &HashSet<Kind>) -> Result<Recovered, store::Error> {
    let claim = Claim::take(path)?;
    let now = clock::now();
    let mut read = replay::read(path, &claim.file()?)?;
    read.forget(retain, now);
    let Read { over, live: known, subjects, end, index } = read;
    let (mut live, mut queued, mut ended) = (Vec::new(), Vec::new(), Vec::new());
    for (subject, known) in known {
        let (mut task, fate) = decide(known, kinds, now);
        let id = task.task_id.clone();
        match fate {
            Fate::Stay => {}
            Fate::Park => task.status = Status::Pending,
            Fate::Queue => {
                task.status = Status::Pending;
                queued.push(id);
            }
            Fate::End(ending) => ended.push((id, ending)),
        }
        live.push((subject, task));
    }
    if !queued.is_empty() || !ended.is_empty() {
        tracing::info!(
            queued = queued.len(),
            ended = ended.len(),
            "took over the tasks an earlier process left unfinished"
        );
    }
    Ok(Recovered { log: claim.start_records(subjects, end)?, index, over, live, queued, ended })
}

enum Fate {
    /// It waits for a decision.
    Stay,
    /// Done, or done further, by this process.
    Queue,
    /// Nobody here can do it, but a later version might: it waits.
    Park,
    End(Ending),
}

fn decide(known: Known, kinds: &HashSet<Kind>, now: Timestamp) -> (Task, Fate) {
    let Known { task, old, fruitless, .. } = known;
    if let Some(old) = old {
        let fate = match old.settle(&task, kinds, now) {
            Settled::Queue => Fate::Queue,
            Settled::End(ending) => Fate::End(ending),
        };
        return (task, fate);
    }
    if task.status == Status::AwaitingApproval {
        return (task, Fate::Stay);
    }
    if fruitless >= MAX_FRUITLESS {
        return (task, Fate::End(Ending::given_up(fruitless)));
    }
    if !kinds.contains(&task.kind) {
        tracing::warn!(
            task.id = task.task_id.as_str(),
            kind = task.kind.as_str(),
            "nothing here does tasks of this kind; it waits for a version that does"
        );
        return (task, Fate::Park);
    }
    (task, Fate::Queue)
}

/// Where a journal is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// In a file of one process.
    File(PathBuf),
    /// In a database, where replicas share it.
    Shared(Box<Target>),
}

/// What a journal told at one moment, for a look while others work on it.
#[derive(Debug)]
pub struct History {
    told: Told,
}

#[derive(Debug)]
enum Told {
    File {
        path: PathBuf,
        /// The file as it was then, also when another one has its name by now.
        file: Option<File>,
        read: Box<Read>,
    },
    Shared(Box<Glance>),
}

impl History {
    /// Reads the journal there; one that does not exist is empty. Nothing is written, and nobody disturbed. Blocks; for one
    /// in a database, on a thread of a runtime that may.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn at(place: &Place) -> Result<Self, Error> {
        match place {
            Place::File(path) => Self::read(path),
            Place::Shared(target) => {
                let glance = Handle::current().block_on(replica::look(Target::clone(target)))?;
                Ok(Self { told: Told::Shared(Box::new(glance)) })
            }
        }
    }

    /// The same of the file at `path`.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let path = path.to_owned();
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let read = Box::new(Read::nothing(&path));
                return Ok(Self { told: Told::File { path, file: None, read } });
            }
            Err(source) => {
                return Err(store::Error::File { action: "open", path, source }.into());
            }
        };
        let read = Box::new(replay::read(&path, &file)?);
        Ok(Self { told: Told::File { path, file: Some(file), read } })
    }

    /// All tasks, the newest first.
    pub fn summaries(&self) -> Vec<Arc<Summary>> {
        let mut all: Vec<_> = match &self.told {
            Told::File { read, .. } => {
                let over = read.over.iter().map(|(_, summary, _)| Arc::clone(summary));
                over.chain(read.live.iter().map(|(_, known)| Arc::new(Summary::from(&known.task)))).collect()
            }
            Told::Shared(glance) => {
                let over = glance.over.iter().cloned();
                over.chain(glance.live.iter().map(|task| Arc::new(Summary::from(task)))).collect()
            }
        };
        all.sort_by(|a, b| (b.created_at, &b.task_id).cmp(&(a.created_at, &a.task_id)));
        all
    }

    /// A task with all there is of it; `None` when it is not there. Blocks, as [`History::at`].
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn task(&self, id: &TaskId) -> Result<Option<Task>, Error> {
        let Told::File { path, file, read } = &self.told else { return self.shared_task(id) };
        let mut live = read.live.iter();
        if let Some((_, known)) = live.find(|(_, known)| known.task.task_id == *id) {
            return Ok(Some(known.task.clone()));
        }
        let Some((subject, ..)) = read.over.iter().find(|(_, summary, _)| summary.task_id == *id) else {
            return Ok(None);
        };
        let (Some(file), Some(spans)) = (file, read.subjects.sealed.get(subject)) else {
            return Ok(None);
        };
        let lines = log::read_spans(path, file, spans)?;
        task_in(path, id, &lines).map(Some)
    }

    fn shared_task(&self, id: &TaskId) -> Result<Option<Task>, Error> {
        let Told::Shared(glance) = &self.told else { return Ok(None) };
        if let Some(task) = glance.live.iter().find(|task| task.task_id == *id) {
            return Ok(Some(task.clone()));
        }
        let lines = Handle::current().block_on(glance.readers.read(id.as_str()))?;
        let known = replay::rebuild(lines.iter().map(|line| line.text.as_bytes()));
        Ok(known.map(|known| known.task))
    }
}

/// The task of which these are the lines.
///
/// # Errors
/// When they are of another: the file was changed by hand, and its index tells what it was before.
pub(super) fn task_in(path: &Path, id: &TaskId, lines: &[Vec<u8>]) -> Result<Task, Error> {
    let known = replay::rebuild(lines.iter().map(Vec::as_slice));
    let task = known.map(|known| known.task).filter(|task| task.task_id == *id);
    task.ok_or_else(|| Error::Misplaced { id: id.clone(), path: path.to_owned() })
}

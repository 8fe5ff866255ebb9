//! Lanes: at most so many runs of one employee, pipeline or discussion go on at the same time, in all processes of a
//! project. Each lane is a lock on a file in `.crew/lanes/`, which ends with its process however that dies. Replicas that
//! share tasks count, besides, those of all of them.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use sha2::{Digest as _, Sha256};
use tokio_util::sync::CancellationToken;

use super::{Task, TaskId, engine::Shared};
use crate::{
    base::{blocking, text},
    store::{self, OwnerLock},
};

/// Where they are, below the root of a project.
const FOLDER: &str = ".crew/lanes";

/// Longer names of things are cut.
const MOST_CHARS: usize = 60;

/// How often it is looked whether another process has left a lane.
pub(super) const LOOK: Duration = Duration::from_millis(500);

/// How many runs of one thing go on at the same time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lanes {
    folder: PathBuf,
    width: u32,
}

/// A place in a lane, until it is dropped.
#[derive(Debug)]
pub struct Lane {
    /// Tells those that wait in this process.
    left: Option<(Arc<Shared>, String)>,
    lock: Option<OwnerLock>,
}

impl Lanes {
    /// So many runs of each thing of the project at `root`.
    pub fn new(root: &Path, width: u32) -> Self {
        Self { folder: root.join(FOLDER), width }
    }

    /// How many runs of one thing.
    pub(super) fn width(&self) -> usize {
        usize::try_from(self.width).unwrap_or(usize::MAX)
    }

    /// A place for a run of the `noun` called `name`; `None` when there is none now. Blocks.
    ///
    /// # Errors
    /// When the folder of the lanes cannot be used.
    pub fn try_enter(&self, noun: &str, name: &str) -> Result<Option<Lane>, store::Error> {
        let name = file_name(noun, name);
        for place in 1..=self.width {
            let path = match place {
                1 => self.folder.join(&name),
                place => self.folder.join(format!("{name}.{place}")),
            };
            match OwnerLock::acquire(&path) {
                Ok(lock) => return Ok(Some(Lane { left: None, lock: Some(lock) })),
                Err(store::Error::Owned { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    /// The same, once there is one; `waiting` is told when there is none at first.
    ///
    /// # Errors
    /// When the folder of the lanes cannot be used.
    pub async fn enter(&self, noun: &str, name: &str, waiting: impl FnOnce()) -> Result<Lane, store::Error> {
        let mut waiting = Some(waiting);
        loop {
            let (lanes, noun, name) = (self.clone(), noun.to_owned(), name.to_owned());
            let ending = || store::Error::Closed { path: self.folder.clone() };
            let entering = blocking(move || lanes.try_enter(&noun, &name));
            if let Some(lane) = entering.await.ok_or_else(ending)?? {
                return Ok(lane);
            }
            if let Some(waiting) = waiting.take() {
                waiting();
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        self.lock = None;
        if let Some((shared, lane)) = self.left.take() {
            shared.table.lock().leave_lane(&lane);
            shared.stir();
        }
    }
}

/// The name of the lock, without its ending: as the predecessor had it, where that is a name of a file and no other lane
/// has the same.
fn file_name(noun: &str, name: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.chars().all(is_plain) && name.chars().count() <= MOST_CHARS {
        return format!("{noun}_{name}");
    }
    let safe: String = name.chars().map(|c| if is_plain(c) { c } else { '_' }).collect();
    let digest = Sha256::digest(name);
    let digest = digest.get(..4).map(hex::encode).unwrap_or_default();
    format!("{noun}_{}-{digest}", text::truncate(&safe, MOST_CHARS))
}

/// What a task waits in, besides the queue.
pub(super) fn lane_of(task: &Task) -> String {
    format!("{}:{}", task.target_type, task.target_name)
}

/// What became of asking for a lane.
pub(super) enum Entered {
    /// It goes on, in a lane if there are any.
    Goes(Option<Lane>),
    /// It waits without a worker.
    Waits,
}

impl Shared {
    /// Has a claimed task enter its lane, or wait for it.
    pub(super) async fn enter_lane(self: &Arc<Self>, task: &Task, cancel: &CancellationToken) -> Entered {
        // One that was told to stop needs none.
        let Some(lanes) = self.lanes.clone().filter(|_| !cancel.is_cancelled()) else {
            return Entered::Goes(None);
        };
        let (noun, name) = (task.target_type.clone(), task.target_name.clone());
        let entering = tokio::task::spawn_blocking(move || lanes.try_enter(&noun, &name)).await;
        match entering {
            Ok(Ok(Some(mut lane))) => {
                lane.left = Some((Arc::clone(self), lane_of(task)));
                Entered::Goes(Some(lane))
            }
            Ok(Ok(None)) => {
                self.wait_in_lane(&task.task_id, lane_of(task));
                Entered::Waits
            }
            Ok(Err(error)) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "lanes cannot be kept; the task goes on without"
                );
                Entered::Goes(None)
            }
            Err(_) => Entered::Goes(None),
        }
    }

    /// A task that could not be begun is free for whoever can; one whose lane is full in another replica waits for it.
    pub(super) fn let_be(self: &Arc<Self>, id: &TaskId) {
        self.table.lock().let_be(id);
        self.later.notify_one();
        self.stir();
    }

    fn wait_in_lane(&self, id: &TaskId, lane: String) {
        self.table.lock().wait_in_lane(id, lane);
        self.later.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lane_is_a_file_whatever_it_is_called() {
        assert_eq!(file_name("employee", "代码审查员"), "employee_代码审查员");
        let odd = ["a/b", "a:b", "../../etc/passwd", &"x".repeat(300), "a b"];
        let names: Vec<_> = odd.iter().map(|name| file_name("discussion", name)).collect();
        for name in &names {
            assert!(name.len() < 200 && !name.contains(['/', ':', ' ']), "{name}");
        }
        let distinct: std::collections::HashSet<_> = names.iter().collect();
        assert_eq!(distinct.len(), names.len());
    }

    #[test]
    fn a_lane_holds_so_many_and_frees_places() {
        let folder = tempfile::tempdir().unwrap();
        let lanes = Lanes::new(folder.path(), 2);
        let enter = |name| lanes.try_enter("employee", name).unwrap();
        let (one, two) = (enter("a").unwrap(), enter("a").unwrap());
        assert!(enter("a").is_none());
        assert!(enter("b").is_some());
        drop(one);
        assert!(enter("a").is_some());
        drop(two);
    }
}

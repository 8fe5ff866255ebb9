//! Tasks from a file into the database that replicas share, and from there back into lines.

use std::{collections::HashSet, path::Path, sync::Arc};

use futures_util::TryStreamExt as _;

use super::open::{IMPATIENCE, patiently};
use crate::{
    base::{Tracker, blocking},
    store::{
        self, OwnerLock,
        postgres::{Addition, Brief, Readers, SharedLog, Target},
    },
    tasks::{Error, Place, journal::Event, recovery::History, replay::Known, table::Brief as Kept},
};

/// What a turn brings at most: so many tasks, or so many bytes.
const MOST: (usize, usize) = (200, 4 << 20);

/// What became of tasks that were to be brought into a database.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Brought {
    /// Those that are there from now on.
    pub tasks: usize,
    /// Those that were there.
    pub known: usize,
}

/// Brings the tasks of the journal at `path`, on which nobody may work meanwhile, into the database at `target`, also while
/// replicas share it. What was being worked on waits there. Brought again, nothing is there twice.
///
/// # Errors
/// [`Error::Owned`] when a process works on the file, [`Error::Store`] when it or the database cannot be used.
pub async fn import(path: &Path, target: &Target) -> Result<Brought, Error> {
    let _owner = OwnerLock::acquire(path)?;
    let writer: Arc<str> = "import".into();
    let tracker = Tracker::new();
    let mut log = patiently(IMPATIENCE, || SharedLog::connect(target, &writer, &tracker)).await?;
    let snapshot = Readers::new(target.clone(), tracker.clone()).snapshot().await?;
    let briefs = snapshot.briefs.into_iter().map(|(subject, _)| subject);
    let there: HashSet<Arc<str>> =
        briefs.chain(snapshot.lines.into_iter().map(|line| line.subject)).collect();
    let history = aside({
        let path = path.to_owned();
        move || History::at(&Place::File(path))
    })
    .await?;
    let history = Arc::new(history);
    let mut ids: Vec<_> = history.summaries().iter().map(|task| task.task_id.clone()).collect();
    ids.reverse();
    let (mut brought, mut head) = (Brought::default(), snapshot.head);
    let (mut additions, mut bytes) = (Vec::new(), 0);
    for id in ids {
        if there.contains(id.as_str()) {
            brought.known += 1;
            continue;
        }
        let (reading, wanted) = (Arc::clone(&history), id.clone());
        let Some(mut task) = aside(move || reading.task(&wanted)).await? else { continue };
        task.leave();
        let event = Event::Created { task: std::borrow::Cow::Borrowed(&task), by: None };
        let text = event.text();
        let brief = match Kept::of(Known::from(task)) {
            Some(kept) => Brief::Is(kept),
            None => Brief::None,
        };
        bytes += text.len();
        additions.push(Addition { subject: id.as_str().into(), ticket: 0, text, brief });
        brought.tasks += 1;
        if additions.len() >= MOST.0 || bytes >= MOST.1 {
            head = log.turn(head).await?.commit(&additions).await?;
            additions.clear();
            bytes = 0;
        }
    }
    log.turn(head).await?.commit(&additions).await?;
    Ok(brought)
}

/// Gives `each` line of the journal at `target`, in order: those of a file with the same tasks.
///
/// # Errors
/// [`Error::Store`] when it cannot be read, or what `each` answers.
pub async fn export(
    target: &Target,
    mut each: impl FnMut(&str) -> Result<(), store::Error>,
) -> Result<(), Error> {
    let readers = Readers::new(target.clone(), Tracker::new());
    let lines = readers.all().await?;
    futures_util::pin_mut!(lines);
    while let Some(line) = lines.try_next().await? {
        each(&line)?;
    }
    Ok(())
}

async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    blocking(work).await.unwrap_or(Err(Error::Stopping))
}

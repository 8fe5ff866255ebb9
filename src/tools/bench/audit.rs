//! Who used which tool, and whether they were let: one line a call in `.crew/audit/tool_usage.jsonl`.
//!
//! A line says nothing of what a tool was given or gave. One process owns a file, so another that works in the project at
//! the same time writes to `tool_usage-2.jsonl`, and so on. A call does not fail because it cannot be noted.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use jiff::Timestamp;
use serde::Serialize;
use tokio::sync::Mutex;

use crate::{
    base::{
        TraceId, Tracker,
        clock::{self, Stopwatch},
        text::truncate,
    },
    engine::Job,
    store::{self, Log, log::Claim},
    tasks::{Decision, Steps, TaskId},
    tools::Error,
};

/// Where the files are, from the root of the project.
const FOLDER: &str = ".crew/audit";
/// How many bytes a file may have; what is more is put aside as `.1`, in place of what was.
const MOST_BYTES: u64 = 10 << 20;
/// How many processes may write at the same time.
const MOST_FILES: u32 = 8;
/// Most characters of a name, which a model may have made up.
const NAME_CHARS: usize = 128;

/// One call. The first four fields are those of earlier versions.
#[derive(Debug, Clone, Serialize)]
struct Entry {
    ts: Timestamp,
    employee: String,
    tool: String,
    allowed: bool,
    /// None outside of a task.
    task_id: Option<TaskId>,
    trace_id: String,
    outcome: Outcome,
    /// How long it took, without the time a person took to decide.
    duration_ms: u64,
    /// What a person decided who was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    approval: Option<Approval>,
}

/// What a person decided about a call, and who.
#[derive(Debug, Clone, Serialize)]
struct Approval {
    approved: bool,
    by: Option<String>,
}

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Outcome {
    Ok,
    Error,
    Refused,
    /// Nobody waited for its end any more.
    Cancelled,
}

impl Outcome {
    /// How a call that gave this ended.
    pub(super) fn of<T>(given: &Result<T, Error>) -> Self {
        match given {
            Ok(_) => Self::Ok,
            Err(Error::Denied(_)) => Self::Refused,
            Err(_) => Self::Error,
        }
    }
}

/// The files of one process; opened when the first call is noted.
#[derive(Clone, Default)]
pub(super) struct Audit {
    book: Arc<Mutex<Book>>,
    tracker: Tracker,
}

#[derive(Default)]
enum Book {
    #[default]
    Unopened,
    Open {
        log: Log,
        bytes: u64,
    },
    /// It was said once that it cannot be had.
    Lost,
}

/// A call that is being made. One that is dropped before its end is noted as cancelled, unless it begins again once a person
/// has decided something within it.
pub(super) struct Call {
    audit: Audit,
    root: PathBuf,
    watch: Stopwatch,
    entry: Option<Entry>,
    steps: Steps,
}

impl Audit {
    /// `job`'s employee calls `tool`, in the project at `root`.
    pub(super) fn begin(&self, root: &Path, job: &Job<'_>, tool: &str) -> Call {
        let entry = Entry {
            ts: clock::now(),
            employee: truncate(&job.employee.name, NAME_CHARS),
            tool: truncate(tool, NAME_CHARS),
            allowed: true,
            task_id: job.steps.task_id().cloned(),
            trace_id: TraceId::current().to_string(),
            outcome: Outcome::Cancelled,
            duration_ms: 0,
            approval: None,
        };
        let (audit, watch) = (self.clone(), Stopwatch::start());
        Call { audit, root: root.to_owned(), watch, entry: Some(entry), steps: job.steps.clone() }
    }

    async fn note(&self, root: &Path, entry: &Entry) {
        self.note_in(root, entry, MOST_BYTES).await;
    }

    async fn note_in(&self, root: &Path, entry: &Entry, most: u64) {
        let mut book = self.book.lock().await;
        let is_full = matches!(*book, Book::Open { bytes, .. } if bytes >= most);
        if is_full || matches!(*book, Book::Unopened) {
            let (old, folder) = (std::mem::replace(&mut *book, Book::Lost), root.join(FOLDER));
            let opening = tokio::task::spawn_blocking(move || {
                // Its lock must be free.
                drop(old);
                open(&folder, most)
            });
            match opening.await.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic())) {
                Ok((log, bytes)) => *book = Book::Open { log, bytes },
                Err(error) => lost(&error),
            }
        }
        let Book::Open { log, bytes } = &mut *book else { return };
        let Ok(line) = serde_json::to_vec(entry) else { return };
        *bytes += line.len() as u64 + 1;
        if let Err(error) = log.append_line(line).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "a call of a tool could not be noted");
        }
    }
}

fn lost(error: &store::Error) {
    tracing::warn!(
        error = error as &dyn std::error::Error,
        "calls of tools are not noted by this process: its file cannot be had"
    );
}

/// The first file that nobody else writes, with room for more, and how many bytes it has.
fn open(folder: &Path, most: u64) -> Result<(Log, u64), store::Error> {
    let mut number = 1;
    loop {
        let path = match number {
            1 => folder.join("tool_usage.jsonl"),
            number => folder.join(format!("tool_usage-{number}.jsonl")),
        };
        let claim = match Claim::take(&path) {
            Err(store::Error::Owned { .. }) if number < MOST_FILES => {
                number += 1;
                continue;
            }
            claim => claim?,
        };
        if claim.size()? >= most {
            claim.put_aside()?;
        }
        let bytes = claim.size()?;
        return Ok((claim.start()?, bytes));
    }
}

impl Call {
    /// A person was asked and decided so.
    pub(super) fn decided(mut self, decision: &Decision) -> Self {
        if let Some(entry) = &mut self.entry {
            let by = decision.by.as_deref().map(|by| truncate(by, NAME_CHARS));
            entry.approval = Some(Approval { approved: decision.approved, by });
        }
        self
    }

    /// It ended so.
    pub(super) async fn end(mut self, outcome: Outcome) {
        let Some(mut entry) = self.entry.take() else { return };
        entry.outcome = outcome;
        entry.allowed = outcome != Outcome::Refused;
        entry.duration_ms = self.watch.elapsed_ms();
        self.audit.note(&self.root, &entry).await;
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        let Some(mut entry) = self.entry.take() else { return };
        if self.steps.is_parked() || tokio::runtime::Handle::try_current().is_err() {
            return;
        }
        entry.duration_ms = self.watch.elapsed_ms();
        let (audit, root) = (self.audit.clone(), std::mem::take(&mut self.root));
        self.audit.tracker.spawn(async move { audit.note(&root, &entry).await });
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use serde_json::Value;

    use super::*;
    use crate::{defs::Employee, engine::Given};

    fn lines(root: &Path, file: &str) -> Vec<Value> {
        let text = fs::read_to_string(root.join(FOLDER).join(file)).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn entry(audit: &Audit, root: &Path, tool: &str) -> Call {
        let employee = Employee { name: "clerk".to_owned(), ..Employee::default() };
        audit.begin(root, &Job::new(&employee, &Given::default()), tool)
    }

    #[tokio::test]
    async fn another_that_writes_at_the_same_time_has_a_file_of_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let (first, second) = (Audit::default(), Audit::default());
        entry(&first, folder.path(), "a").end(Outcome::Ok).await;
        entry(&second, folder.path(), &"名".repeat(1000)).end(Outcome::Refused).await;
        let told = lines(folder.path(), "tool_usage.jsonl");
        assert_eq!((&told[0]["tool"], &told[0]["allowed"]), (&"a".into(), &true.into()));
        let told = lines(folder.path(), "tool_usage-2.jsonl");
        assert_eq!((&told[0]["outcome"], &told[0]["allowed"]), (&"refused".into(), &false.into()));
        assert!(told[0]["tool"].as_str().unwrap().chars().count() <= NAME_CHARS + 1, "and a mark");
    }

    #[tokio::test]
    async fn a_file_does_not_grow_without_end() {
        let folder = tempfile::tempdir().unwrap();
        let audit = Audit::default();
        for number in 0..20 {
            let mut call = entry(&audit, folder.path(), &format!("tool-{number}"));
            let entry = call.entry.take().unwrap();
            audit.note_in(folder.path(), &entry, 600).await;
        }
        let (old, new) =
            (lines(folder.path(), "tool_usage.jsonl.1"), lines(folder.path(), "tool_usage.jsonl"));
        assert_eq!(new.last().unwrap()["tool"], "tool-19");
        assert!((1..=4).contains(&old.len()) && (1..=4).contains(&new.len()), "{old:?} {new:?}");
    }

    #[tokio::test]
    async fn a_call_that_is_dropped_is_noted_and_one_that_cannot_be_noted_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let audit = Audit::default();
        drop(entry(&audit, folder.path(), "slow"));
        audit.tracker.stop();
        audit.tracker.wait().await;
        assert_eq!(lines(folder.path(), "tool_usage.jsonl")[0]["outcome"], "cancelled");

        let closed = tempfile::tempdir().unwrap();
        fs::create_dir(closed.path().join(".crew")).unwrap();
        fs::write(closed.path().join(FOLDER), "a file where the folder should be").unwrap();
        entry(&Audit::default(), closed.path(), "a").end(Outcome::Ok).await;
    }
}

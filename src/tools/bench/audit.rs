//! Who used which tool, and whether they were let: one line a call in `.crew/audit/tool_usage.jsonl`.
//!
//! A line says nothing of what a tool was given or gave. A call does not fail because it cannot be noted.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::Serialize;

use crate::{
    base::{
        TraceId,
        clock::{self, Stopwatch},
        text::truncate,
    },
    engine::Job,
    store::Trail,
    tasks::{Decision, Steps, TaskId},
    tools::{Error, acts::AUDIT},
};

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

/// Where calls are noted.
#[derive(Clone)]
pub(super) struct Audit {
    trail: Trail,
}

impl Default for Audit {
    fn default() -> Self {
        Self { trail: Trail::new("tool_usage") }
    }
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
        self.audit.trail.note(&self.root.join(AUDIT), &entry).await;
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        let Some(mut entry) = self.entry.take() else { return };
        if self.steps.is_parked() || tokio::runtime::Handle::try_current().is_err() {
            return;
        }
        entry.duration_ms = self.watch.elapsed_ms();
        self.audit.trail.put(&self.root.join(AUDIT), &entry);
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use serde_json::Value;

    use super::*;
    use crate::{defs::Employee, engine::Given};

    fn lines(root: &Path, file: &str) -> Vec<Value> {
        let text = fs::read_to_string(root.join(AUDIT).join(file)).unwrap_or_default();
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
    async fn a_call_that_is_dropped_is_noted_and_one_that_cannot_be_noted_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let audit = Audit::default();
        drop(entry(&audit, folder.path(), "slow"));
        // One whose caller goes while its end is noted.
        let mut ending = Box::pin(entry(&audit, folder.path(), "quick").end(Outcome::Ok));
        assert!(futures_util::poll!(&mut ending).is_pending());
        drop(ending);
        entry(&audit, folder.path(), "last").end(Outcome::Error).await;
        let told = lines(folder.path(), "tool_usage.jsonl");
        let outcomes: Vec<_> = told.iter().map(|line| line["outcome"].as_str().unwrap()).collect();
        assert_eq!(outcomes, ["cancelled", "ok", "error"]);

        let closed = tempfile::tempdir().unwrap();
        fs::create_dir(closed.path().join(".crew")).unwrap();
        fs::write(closed.path().join(AUDIT), "a file where the folder should be").unwrap();
        entry(&Audit::default(), closed.path(), "a").end(Outcome::Ok).await;
    }
}

//! What was decided, stopped, begun again or changed, and who did it: one line an act in `.crew/audit/admin.jsonl`.
//!
//! A line names what was acted upon and how that ended, and nothing of what was said or written.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::{
    base::{TraceId, clock, text::truncate},
    engine::delivery::{DeliveryId, Outbox, Refused, Sending},
    store::Trail,
    tasks::{self, Decision, Engine, Task, TaskId},
};

/// Where such files are, from the root of the project.
pub(super) const AUDIT: &str = ".crew/audit";
/// Most characters of a name, which may come from anybody.
const NAME_CHARS: usize = 128;

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Deed {
    /// A task that waited may go on.
    Approve,
    /// It may not.
    Refuse,
    /// A task was stopped.
    Cancel,
    /// An ended task goes on.
    Resume,
    /// It is done once more.
    Replay,
    /// It is done again from one of its steps on.
    Fork,
    /// An employee is new.
    CreateEmployee,
    /// An employee is another.
    UpdateEmployee,
    /// A schedule is new.
    AddSchedule,
    /// A schedule is gone.
    RemoveSchedule,
    /// A result is sent once more.
    Redeliver,
    /// Other tokens count from now on.
    ExchangeTokens,
    /// Callers were turned away.
    RefuseCallers,
}

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Outcome {
    Done,
    /// It was not allowed, did not fit, or broke.
    Failed,
    /// Whoever asked for it did not wait for its end.
    Unknown,
}

#[derive(Debug, Serialize)]
struct Entry {
    ts: Timestamp,
    act: Deed,
    /// The name of whose token it was, or `cli`.
    by: String,
    /// What it was done to: the id of a task or delivery, the name of an employee or schedule.
    #[serde(skip_serializing_if = "String::is_empty")]
    subject: String,
    outcome: Outcome,
    trace_id: String,
    #[serde(flatten)]
    more: Map<String, Value>,
}

/// The acts in one project. Clones share its file, which is there from the first of them on.
#[derive(Debug, Clone)]
pub struct Acts(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    folder: PathBuf,
    trail: Trail,
}

/// Something that is being done. What is dropped before its end is noted too.
#[derive(Debug)]
pub struct Act {
    acts: Acts,
    entry: Option<Entry>,
}

impl Acts {
    /// Those in the project at `root`.
    pub fn of(root: &Path) -> Self {
        let (folder, trail) = (root.join(AUDIT), Trail::new("admin"));
        Self(Arc::new(Shared { folder, trail }))
    }

    /// `by` is about to do `deed` to `subject`.
    pub fn begin(&self, deed: Deed, by: &str, subject: &str) -> Act {
        let entry = Entry {
            ts: clock::now(),
            act: deed,
            by: truncate(by, NAME_CHARS),
            subject: truncate(subject, NAME_CHARS),
            outcome: Outcome::Unknown,
            trace_id: TraceId::current().to_string(),
            more: Map::new(),
        };
        Act { acts: self.clone(), entry: Some(entry) }
    }

    /// [`Engine::decide`], noted as an act of whoever decides.
    ///
    /// # Errors
    /// Those of [`Engine::decide`].
    pub async fn decide(
        &self,
        tasks: &Engine,
        id: &TaskId,
        step: Option<&str>,
        decision: Decision,
    ) -> Result<Arc<Task>, tasks::Error> {
        let deed = if decision.approved { Deed::Approve } else { Deed::Refuse };
        let act = self.begin(deed, decision.by.as_deref().unwrap_or_default(), id.as_str());
        act.end(tasks.decide(id, step, decision).await).await
    }

    /// [`Engine::cancel`], noted as an act of `by`.
    ///
    /// # Errors
    /// Those of [`Engine::cancel`].
    pub async fn cancel(&self, tasks: &Engine, id: &TaskId, by: &str) -> Result<Arc<Task>, tasks::Error> {
        let act = self.begin(Deed::Cancel, by, id.as_str());
        act.end(tasks.cancel(id).await).await
    }

    /// [`Outbox::redeliver`], noted as an act of `by`.
    ///
    /// # Errors
    /// Those of [`Outbox::redeliver`].
    pub async fn redeliver(&self, outbox: &Outbox, id: &DeliveryId, by: &str) -> Result<Sending, Refused> {
        let act = self.begin(Deed::Redeliver, by, &id.to_string());
        act.end(outbox.redeliver(id).await).await
    }
}

impl Act {
    /// What it was done to became known only now.
    pub fn about(&mut self, subject: &str) {
        if let Some(entry) = &mut self.entry {
            entry.subject = truncate(subject, NAME_CHARS);
        }
    }

    /// The same with more to be said of it.
    #[must_use]
    pub fn with(mut self, more: Map<String, Value>) -> Self {
        if let Some(entry) = &mut self.entry {
            entry.more = more;
        }
        self
    }

    /// It ended so; gives that back once it is noted.
    ///
    /// # Errors
    /// The error of `ended`.
    pub async fn end<T, E>(mut self, ended: Result<T, E>) -> Result<T, E> {
        if let Some(mut entry) = self.entry.take() {
            entry.outcome = if ended.is_ok() { Outcome::Done } else { Outcome::Failed };
            let Shared { folder, trail } = &*self.acts.0;
            trail.note(folder, &entry).await;
        }
        ended
    }
}

impl Drop for Act {
    fn drop(&mut self) {
        let Some(entry) = self.entry.take() else { return };
        if tokio::runtime::Handle::try_current().is_err() {
            return;
        }
        let Shared { folder, trail } = &*self.acts.0;
        trail.put(folder, &entry);
    }
}

#[cfg(test)]
mod tests {
    use std::{convert::Infallible, fs};

    use super::*;

    #[tokio::test]
    async fn an_act_says_who_did_what_to_what_and_how_it_ended() {
        let folder = tempfile::tempdir().unwrap();
        let acts = Acts::of(folder.path());
        assert!(fs::read_dir(folder.path()).unwrap().next().is_none(), "nothing was done yet");
        acts.begin(Deed::AddSchedule, "ann", "nightly").end(Ok::<_, Infallible>(1)).await.unwrap();
        assert_eq!(
            acts.begin(Deed::Cancel, &"名".repeat(900), "t").end(Err::<(), _>("late")).await,
            Err("late")
        );
        let mut act = acts.begin(Deed::CreateEmployee, "bob", "");
        act.about("clerk");
        drop(act);
        // It was over, and its request is dropped while that is noted.
        let mut ending = Box::pin(acts.begin(Deed::Cancel, "eve", "t").end(Ok::<_, Infallible>(1)));
        assert!(futures_util::poll!(&mut ending).is_pending());
        drop(ending);
        acts.begin(Deed::Approve, "", "").end(Ok::<_, Infallible>(1)).await.unwrap();
        let text = fs::read_to_string(folder.path().join(AUDIT).join("admin.jsonl")).unwrap();
        let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let told = |line: &Value| {
            ["act", "by", "subject", "outcome"].map(|key| line[key].as_str().unwrap_or_default().to_owned())
        };
        assert_eq!(told(&lines[0]), ["add-schedule", "ann", "nightly", "done"]);
        assert_eq!(lines[1]["outcome"], "failed");
        assert!(lines[1]["by"].as_str().unwrap().chars().count() <= NAME_CHARS + 1, "and a mark");
        assert_eq!(told(&lines[2]), ["create-employee", "bob", "clerk", "unknown"]);
        assert_eq!(told(&lines[3]), ["cancel", "eve", "t", "done"]);
        assert_eq!(lines.len(), 5);
    }
}

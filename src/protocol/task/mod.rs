//! Tasks: calls that go on after they were answered. The answer names the task; the client asks for it until it is done.
//!
//! Source: the MCP extension `io.modelcontextprotocol/tasks`, draft specification in the repository
//! `modelcontextprotocol/ext-tasks`. Only the modern era has it: what a client can do is said in each request, and a
//! task is given only to a request that said so.

pub(super) mod methods;
#[cfg(test)]
mod tests;

use std::time::Duration;

use futures_util::future::BoxFuture;
use jiff::Timestamp;
use serde::{Serialize, Serializer, ser::SerializeMap as _};
use serde_json::{
    Map, Value, json,
    value::{RawValue, to_raw_value},
};

use super::{Context, Error, shape::Shape as _, tool::ToolResult, version::Version};

/// The name of the extension.
pub const EXTENSION: &str = "io.modelcontextprotocol/tasks";

/// What a task waits for, by keys that are never used twice in its life: `{"method": …, "params": …}` each.
pub type InputRequests = Map<String, Value>;

/// What a client answers, by the keys of the requests; each is an object.
pub type InputResponses = Map<String, Value>;

/// A call that goes on after it was answered, as it stands.
#[derive(Debug)]
pub struct Task {
    /// Its id. Whoever knows it is still checked, but it should not be guessable either: 128 random bits or more.
    pub id: String,
    /// When it was accepted.
    pub created_at: Timestamp,
    /// When it changed last.
    pub updated_at: Timestamp,
    /// How long after its creation it is kept at least; `None` when there is no such limit.
    pub ttl: Option<Duration>,
    /// How long to wait before asking again.
    pub poll_interval: Option<Duration>,
    /// What it is doing, or why it ended, in words.
    pub message: Option<String>,
    /// How far it is.
    pub state: State,
}

/// How far a task is.
#[derive(Debug)]
pub enum State {
    /// Under way.
    Working,
    /// Waiting for the client; these requests were not answered yet.
    InputRequired(InputRequests),
    /// Ended with a result, good or bad: a tool that failed has completed.
    Completed(ToolResult),
    /// Ended by an error of the protocol.
    Failed(Error),
    /// Stopped.
    Cancelled,
}

impl State {
    /// As the protocol names it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Working => "working",
            Self::InputRequired(_) => "input_required",
            Self::Completed(_) => "completed",
            Self::Failed(_) => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

/// Who keeps tasks.
///
/// Each method has to make sure that the caller of `context` may see the task; a task of somebody else is
/// [`Error::task_not_found`], like one that does not exist.
pub trait TaskHost: Send + Sync {
    /// A task as it stands.
    fn get<'a>(&'a self, id: &'a str, context: &'a Context) -> BoxFuture<'a, Result<Task, Error>>;

    /// Whether the caller of `context` may hear how the task goes on.
    fn tells<'a>(&'a self, id: &'a str, context: &'a Context) -> BoxFuture<'a, bool> {
        Box::pin(async move { self.get(id, context).await.is_ok() })
    }

    /// Takes answers to what the task waits for. Keys that it does not wait for are ignored; as long as some are
    /// missing, it goes on waiting.
    fn update<'a>(
        &'a self,
        id: &'a str,
        responses: InputResponses,
        context: &'a Context,
    ) -> BoxFuture<'a, Result<(), Error>>;

    /// Asks the task to stop. One that has ended already stays as it is, which is no error.
    fn cancel<'a>(&'a self, id: &'a str, context: &'a Context) -> BoxFuture<'a, Result<(), Error>>;
}

impl Error {
    /// There is no task of that id, or none that the caller may see.
    pub fn task_not_found() -> Self {
        Self::invalid_params("no such task; it may have been forgotten since it ended")
    }
}

impl Context {
    /// Whether the client declared the extension `name`.
    pub fn client_declares_extension(&self, name: &str) -> bool {
        self.client_declares(&["extensions", name])
    }

    /// Whether a call may be answered with [`ToolOutcome::Task`](super::tool::ToolOutcome::Task). If not, the tool has
    /// to do its work while the client waits.
    pub fn takes_tasks(&self) -> bool {
        self.version().describes_results() && self.client_declares_extension(EXTENSION)
    }

    /// For what cannot be had without tasks.
    ///
    /// # Errors
    /// `-32021`, naming the extension, when [`Context::takes_tasks`] is false.
    pub fn require_tasks(&self) -> Result<(), Error> {
        if self.takes_tasks() {
            return Ok(());
        }
        Err(Error::missing_capability(&json!({ "extensions": { EXTENSION: {} } })))
    }
}

impl Task {
    /// The parameters of the notification that tells how it stands, for [`Bus::task`](super::Bus::task).
    #[expect(clippy::missing_panics_doc, reason = "it does not: a task holds nothing that JSON cannot")]
    pub fn notice(mut self) -> Box<RawValue> {
        to_raw_value(&Detailed::new(&mut self)).expect("a task holds nothing that JSON cannot")
    }
}

/// A task as the answer to the call that began it: without what only [`Detailed`] tells.
#[derive(Debug)]
pub(super) struct Handle<'a>(pub(super) &'a Task);

/// A task with all that is known of it, as `tasks/get` answers and `notifications/tasks` tells.
#[derive(Debug)]
pub(super) struct Detailed<'a>(&'a Task);

impl<'a> Detailed<'a> {
    /// Tells all of `task`.
    pub(super) fn new(task: &'a mut Task) -> Self {
        if let State::Completed(result) = &mut task.state {
            result.shape(Version::V2026_07_28);
        }
        Self(task)
    }
}

/// Milliseconds as the protocol counts them: whole ones, at least one, and no more than a JSON number holds exactly.
fn milliseconds(duration: Duration) -> u64 {
    const EXACT: u64 = (1 << 53) - 1;
    u64::try_from(duration.as_millis()).unwrap_or(EXACT).clamp(1, EXACT)
}

fn serialize_fields<M: serde::ser::SerializeMap>(task: &Task, map: &mut M) -> Result<(), M::Error> {
    map.serialize_entry("taskId", &task.id)?;
    map.serialize_entry("status", task.state.name())?;
    if let Some(message) = &task.message {
        map.serialize_entry("statusMessage", message)?;
    }
    map.serialize_entry("createdAt", &task.created_at)?;
    map.serialize_entry("lastUpdatedAt", &task.updated_at)?;
    map.serialize_entry("ttlMs", &task.ttl.map(milliseconds))?;
    if let Some(interval) = task.poll_interval {
        map.serialize_entry("pollIntervalMs", &milliseconds(interval))?;
    }
    Ok(())
}

impl Serialize for Handle<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        serialize_fields(self.0, &mut map)?;
        map.end()
    }
}

impl Serialize for Detailed<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        /// What the call would have been answered with, had it been waited for.
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Given<'a> {
            result_type: &'static str,
            #[serde(flatten)]
            result: &'a ToolResult,
        }
        let mut map = serializer.serialize_map(None)?;
        serialize_fields(self.0, &mut map)?;
        match &self.0.state {
            State::Working | State::Cancelled => {}
            State::InputRequired(requests) => map.serialize_entry("inputRequests", requests)?,
            State::Completed(result) => {
                map.serialize_entry("result", &Given { result_type: "complete", result })?;
            }
            State::Failed(error) => map.serialize_entry("error", error)?,
        }
        map.end()
    }
}

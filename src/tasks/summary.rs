//! A task in brief: what lists, accounts and keys need of one that is over, while the rest stays on the disk.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, value::RawValue};

use super::{Code, Kind, Spent, Status, Task, TaskId, Trigger, model::is_zero};
use crate::base::Priority;

/// What is always known of a task: everything but its values, the outputs of its steps and its result.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Summary {
    /// Its id.
    pub task_id: TaskId,
    /// Where it is in its life.
    pub status: Status,
    /// What started it.
    pub trigger: Trigger,
    /// Which body runs it.
    pub kind: Kind,
    /// The noun of `kind`.
    pub target_type: String,
    /// What it works on.
    pub target_name: String,
    /// Settings of the run, as JSON; see [`Summary::options`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    options: Option<Box<RawValue>>,
    /// Who started it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caller: Option<String>,
    /// The key it was accepted under.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<String>,
    /// The ended task it does again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<TaskId>,
    /// How soon it is begun among those that wait.
    #[serde(default, skip_serializing_if = "Priority::is_normal")]
    pub priority: Priority,
    /// When it was accepted.
    pub created_at: Timestamp,
    /// When work on it last began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completed_at: Option<Timestamp>,
    /// How often it went on after it had ended.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub resumed: u32,
    /// How many steps are finished, parts of steps included.
    pub steps: usize,
    /// How many of these are parts of others.
    pub inner_steps: usize,
    /// What its calls of models have taken so far, by employee and model.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub spent: Vec<Spent>,
    /// Whether it left a result.
    pub has_result: bool,
    /// Whether it failed for good after all the tries it was given.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dead: bool,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Why it failed, for a program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<Code>,
}

impl Summary {
    /// Settings of the run.
    pub fn options(&self) -> Map<String, Value> {
        let options = self.options.as_ref().and_then(|raw| serde_json::from_str(raw.get()).ok());
        options.unwrap_or_default()
    }

    /// The setting of this name; cheap when there is none.
    pub fn option(&self, name: &str) -> Option<Value> {
        self.options.as_ref().filter(|raw| raw.get().contains(name))?;
        self.options().shift_remove(name)
    }

    /// Whether it ended without being done.
    pub(super) fn can_resume(&self) -> bool {
        matches!(self.status, Status::Failed | Status::Cancelled)
    }

    /// When it ended, or else was accepted.
    pub(super) fn ended_at(&self) -> Timestamp {
        self.completed_at.unwrap_or(self.created_at)
    }
}

impl From<&Task> for Summary {
    fn from(task: &Task) -> Self {
        let options = (!task.options.is_empty())
            .then(|| serde_json::value::to_raw_value(&task.options).expect("JSON values always become JSON"));
        Self {
            task_id: task.task_id.clone(),
            status: task.status,
            trigger: task.trigger.clone(),
            kind: task.kind.clone(),
            target_type: task.target_type.clone(),
            target_name: task.target_name.clone(),
            options,
            caller: task.caller.clone(),
            idempotency_key: task.idempotency_key.clone(),
            origin: task.origin.clone(),
            priority: task.priority,
            created_at: task.created_at,
            started_at: task.started_at,
            completed_at: task.completed_at,
            resumed: task.resumed,
            steps: task.steps.len(),
            inner_steps: task.steps.iter().filter(|step| step.is_inner()).count(),
            spent: task.spent.clone(),
            has_result: task.result.is_some(),
            dead: task.dead,
            error: task.error.clone(),
            code: task.code.clone(),
        }
    }
}

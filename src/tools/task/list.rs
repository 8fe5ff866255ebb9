//! `list_tasks`.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    tasks::{Code, Filter, Status, Summary, TaskId, Trigger},
    tools::{Annotations, Ctx, Error, Tool, office::Office},
};

/// Most tasks one call lists.
const LIMIT: usize = 200;

pub(in crate::tools) struct ListTasks(pub(in crate::tools) Office);

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::tools) struct Args {
    /// Only tasks in this state.
    #[serde(default)]
    status: Option<Status>,
    /// Only tasks that failed after all the tries they were given.
    #[serde(default)]
    dead: bool,
    /// Only tasks for this employee or pipeline.
    #[serde(default)]
    target: Option<String>,
    /// Most tasks to list, 1 to 200.
    #[serde(default = "some")]
    #[schemars(range(min = 1, max = 200))]
    limit: usize,
}

fn some() -> usize {
    20
}

#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::tools) struct Answer {
    /// Newest first.
    tasks: Vec<Row>,
}

/// A task in brief.
#[derive(Debug, Serialize, JsonSchema)]
struct Row {
    task_id: TaskId,
    status: Status,
    trigger: Trigger,
    /// `employee` or `pipeline`.
    target_type: String,
    target_name: String,
    /// When it was accepted.
    #[schemars(with = "String")]
    created_at: Timestamp,
    /// When it ended.
    #[schemars(with = "Option<String>")]
    completed_at: Option<Timestamp>,
    /// How many steps are finished.
    steps: usize,
    /// Why it failed.
    error: Option<String>,
    /// Why it failed, for a program: `budget-reached`, `definition-changed`, `deadline`, and others.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<Code>,
    /// Whether it failed after all the tries it was given; `resume_task` gives it new ones.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    dead: bool,
    /// The task it does again.
    #[serde(skip_serializing_if = "Option::is_none")]
    origin: Option<TaskId>,
}

impl From<&Summary> for Row {
    fn from(task: &Summary) -> Self {
        Self {
            task_id: task.task_id.clone(),
            status: task.status,
            trigger: task.trigger.clone(),
            target_type: task.target_type.clone(),
            target_name: task.target_name.clone(),
            created_at: task.created_at,
            completed_at: task.completed_at,
            steps: task.steps,
            error: task.error.clone(),
            code: task.code.clone(),
            dead: task.dead,
            origin: task.origin.clone(),
        }
    }
}

impl Tool for ListTasks {
    type Args = Args;
    type Output = Answer;

    const NAME: &'static str = "list_tasks";
    const TITLE: &'static str = "List tasks";
    const SUMMARY: &'static str = "Lists the newest tasks of this project and how far they are.";
    const ANNOTATIONS: Annotations = Annotations::READS;

    async fn call(&self, _: Ctx, args: Args) -> Result<Answer, Error> {
        if !(1..=LIMIT).contains(&args.limit) {
            return Err(Error::Arguments(format!("`limit` is 1 to {LIMIT}, not {}", args.limit)));
        }
        let Args { status, dead, target, limit } = args;
        let filter = Filter { status, kind: None, target, dead, limit: Some(limit) };
        Ok(Answer {
            tasks: self.0.tasks().await?.list(&filter).iter().map(|task| Row::from(task.as_ref())).collect(),
        })
    }
}

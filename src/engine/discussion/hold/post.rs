//! What is begun once a discussion has ended with a plan of action: its `post_pipeline`, as a task of its own.

use std::fmt::Write as _;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Action, ActionPlan, Floor, record::Meeting};
use crate::{
    defs::{Pipeline, TargetKind},
    engine::{Args, Order, surroundings::Language},
    tasks::{Failure, TaskId, Trigger},
};

/// What became of the `post_pipeline` of a discussion.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Afterwards {
    /// Name of the pipeline.
    pub pipeline: String,
    /// The task that runs it, once it is begun.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_id: Option<TaskId>,
    /// Why it was not begun.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<String>,
}

impl Afterwards {
    /// The same in words.
    pub(crate) fn told(&self, language: Language) -> String {
        let Self { pipeline, task_id, fault } = self;
        let fault = fault.as_deref().unwrap_or_default();
        match (task_id, language) {
            (Some(id), Language::English) => format!("pipeline `{pipeline}` runs as task {id}"),
            (Some(id), Language::Chinese) => format!("流水线 `{pipeline}` 已作为任务 {id} 启动"),
            (None, Language::English) => format!("pipeline `{pipeline}` was not begun: {fault}"),
            (None, Language::Chinese) => format!("流水线 `{pipeline}` 未启动：{fault}"),
        }
    }
}

impl Floor<'_> {
    /// Begins the pipeline that carries out the plan, once for the task, and says what became of that.
    ///
    /// # Errors
    /// The task was cancelled or could not be recorded.
    pub(super) async fn begin_afterwards(&self, meeting: &Meeting) -> Result<Option<Afterwards>, Failure> {
        let Some(pipeline) = self.stage.discussion.post_pipeline.clone() else { return Ok(None) };
        let begin = || async {
            let begun = self.begin(&pipeline, meeting).await;
            if let Err(fault) = &begun {
                tracing::warn!(pipeline, fault, "the pipeline after a discussion was not begun");
            }
            let (task_id, fault) = begun.map_or_else(|fault| (None, Some(fault)), |id| (Some(id), None));
            Ok(Afterwards { pipeline: pipeline.clone(), task_id, fault })
        };
        self.steps.run(&format!("{}post", self.prefix), begin).await.map(Some)
    }

    async fn begin(&self, name: &str, meeting: &Meeting) -> Result<TaskId, String> {
        let plan = meeting.action_plan.as_ref().ok_or_else(|| match &meeting.action_plan_fault {
            Some(fault) => format!("the plan of action cannot be used: {fault}"),
            None => "there is no plan of action; write `action_output: true` to have one".to_owned(),
        })?;
        if plan.actions.is_empty() {
            return Err("there is nothing to do in the plan of action".to_owned());
        }
        let id = self.steps.task_id().ok_or("nobody would do it outside a task")?;
        if self.crew.llm().tape().is_some() {
            return Err("this run is on record, and the pipeline is recorded by itself".to_owned());
        }
        if self.steps.limits().is_own {
            return Err("this run has a budget, which a task of its own would not be part of".to_owned());
        }
        let pipeline = self.crew.pipeline(name).await.map_err(|error| error.to_string())?;
        let order = Order {
            kind: TargetKind::Pipeline,
            target: pipeline.name.clone(),
            args: args(&pipeline, meeting, plan),
            model: self.model.map(str::to_owned),
            trigger: Trigger::TOOL,
            caller: Some(format!("discussion {}", meeting.name)),
            // What is done again after a crash must not be begun again.
            idempotency_key: Some(format!("{id}/{}post", self.prefix)),
        };
        let new = self.crew.plan(order).await.map_err(|error| error.to_string())?;
        let toolbox = self.crew.toolbox().ok_or("nobody is there to do it")?;
        let asks = pipeline.steps().any(|step| step.approval.is_some());
        toolbox.begin(new, asks).await
    }
}

/// The values for those arguments of the pipeline that are called like something a discussion ends with, or like an
/// argument of the discussion. They are values: no place in them is filled.
fn args(pipeline: &Pipeline, meeting: &Meeting, plan: &ActionPlan) -> Args {
    let value = |name: &str| match name {
        "plan" => serde_json::to_string_pretty(plan).ok(),
        "actions" => Some(actions(&plan.actions)),
        "decisions" => Some(plan.decisions.join("\n")),
        "criteria" => Some(plan.review_criteria.join("\n")),
        "topic" => Some(meeting.topic.clone()),
        "goal" => Some(meeting.goal.clone()),
        "synthesis" => Some(meeting.synthesis.clone()),
        "discussion" => Some(meeting.name.clone()),
        "meeting_id" => Some(meeting.meeting_id.clone()),
        other => meeting.args.get(other).cloned(),
    };
    let declared = pipeline.args.iter().map(|arg| arg.name.clone());
    let names = declared.chain(pipeline.required_args());
    names
        .filter_map(|name| value(&name).filter(|value| !value.is_empty()).map(|value| (name, value)))
        .collect()
}

/// What is to be done, a line for each.
fn actions(actions: &[Action]) -> String {
    let mut text = String::new();
    for action in actions {
        let description = action.description.split_whitespace().collect::<Vec<_>>().join(" ");
        let _ = write!(text, "- {} ({}): {description}", action.id, action.assignee_employee);
        if !action.depends_on.is_empty() {
            let _ = write!(text, " [{}]", action.depends_on.join(", "));
        }
        text.push('\n');
    }
    text
}

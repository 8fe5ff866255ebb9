//! The plan of action a discussion may end with: read out of what a model said, held to what it means, and turned into
//! a pipeline.

use std::{collections::BTreeSet, fmt::Write as _};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    ballot,
    record::{Attendee, Meeting},
};
use crate::{
    base::text::truncate,
    catalog::Snapshot,
    defs::{Employee, ExecutionRole, Source, parse_pipeline, yaml_text},
};

/// Most actions of a plan.
const MOST_ACTIONS: usize = 100;
/// Longest id of an action, in characters.
const LONGEST_ID: usize = 40;

/// What is to be done after a discussion.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ActionPlan {
    /// What was decided.
    #[serde(default)]
    pub decisions: Vec<String>,
    /// What was not.
    #[serde(default)]
    pub unresolved: Vec<String>,
    /// What is to be done.
    pub actions: Vec<Action>,
    /// What it is to be judged by afterwards.
    #[serde(default)]
    pub review_criteria: Vec<String>,
}

/// Something to be done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Action {
    /// Unique in the plan: a letter, then letters, digits, `-` and `_`.
    pub id: String,
    /// What to do.
    pub description: String,
    /// `executor`, `reviewer` or `monitor`, for whoever has that role after the discussion; or the name of an employee.
    #[serde(default)]
    pub assignee_role: String,
    /// The employee who does it; once the plan is read, by name.
    #[serde(default)]
    pub assignee_employee: String,
    /// Ids of what must be done before.
    #[serde(default)]
    pub depends_on: Vec<String>,
    /// How urgent it is.
    #[serde(default)]
    pub priority: Priority,
    /// How to tell that it is done.
    #[serde(default)]
    pub verification: String,
    /// What part of the work it is.
    #[serde(default)]
    pub phase: Phase,
}

/// How urgent something is; `P0` is most.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[expect(missing_docs, reason = "their order says it all")]
pub enum Priority {
    P0,
    P1,
    #[default]
    P2,
    P3,
}

/// What part of the work something is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Finding out.
    Research,
    /// Doing it.
    #[default]
    Implement,
    /// Looking at what was done.
    Review,
    /// Bringing it to its users.
    Deploy,
}

impl ActionPlan {
    /// Reads the plan at the end of `said`, and finds the employee of each action.
    ///
    /// # Errors
    /// All that is wrong with it, for the model to do better.
    pub(super) fn read(said: &str, people: &[Attendee], definitions: &Snapshot) -> Result<Self, String> {
        let (_, block) = ballot::split(said);
        let block = block.ok_or("there is no block of JSON at the end")?;
        let mut plan: Self = serde_json::from_str(block)
            .map_err(|error| format!("it is no plan of action: {}", truncate(&error.to_string(), 200)))?;
        let mut faults = Vec::new();
        if plan.actions.len() > MOST_ACTIONS {
            return Err(format!("it has more than {MOST_ACTIONS} actions"));
        }
        let mut ids: BTreeSet<String> = BTreeSet::new();
        for action in &plan.actions {
            let shown = truncate(&action.id, LONGEST_ID);
            if !is_id(&action.id) {
                faults.push(format!(
                    "`{shown}` is no id: a letter, then letters, digits, `-` and `_`, at most {LONGEST_ID}"
                ));
            } else if !ids.insert(action.id.clone()) {
                faults.push(format!("two actions are called `{shown}`"));
            }
        }
        for action in &mut plan.actions {
            for other in action.depends_on.iter().filter(|other| !ids.contains(*other)) {
                let other = truncate(other, LONGEST_ID);
                faults.push(format!("`{}` depends on `{other}`, which is no action", action.id));
            }
            match assignee(action, people, definitions) {
                Ok(name) => action.assignee_employee = name,
                Err(fault) => faults.push(fault),
            }
        }
        if faults.is_empty()
            && let Err(circle) = plan.layers()
        {
            faults.push(format!("these wait for each other: {}", circle.join(", ")));
        }
        if faults.is_empty() { Ok(plan) } else { Err(faults.join("; ")) }
    }

    /// What can be done side by side, in the order in which it can be: each layer depends on those before alone.
    ///
    /// # Errors
    /// The ids of what can never be begun, as it waits for itself.
    pub fn layers(&self) -> Result<Vec<Vec<&Action>>, Vec<String>> {
        let mut left: Vec<&Action> = self.actions.iter().collect();
        left.sort_by(|one, other| one.id.cmp(&other.id));
        let mut done: BTreeSet<&str> = BTreeSet::new();
        let mut layers = Vec::new();
        while !left.is_empty() {
            let is_ready =
                |action: &&Action| action.depends_on.iter().all(|other| done.contains(other.as_str()));
            let (ready, waiting): (Vec<_>, Vec<_>) = left.into_iter().partition(is_ready);
            if ready.is_empty() {
                return Err(waiting.into_iter().map(|action| action.id.clone()).collect());
            }
            done.extend(ready.iter().map(|action| action.id.as_str()));
            layers.push(ready);
            left = waiting;
        }
        Ok(layers)
    }
}

fn is_id(id: &str) -> bool {
    let fits = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_');
    id.starts_with(|letter: char| letter.is_ascii_alphabetic())
        && id.len() <= LONGEST_ID
        && id.chars().all(fits)
}

/// The name of the employee who does it: the one it names, else who has its role afterwards, else who goes by that word.
fn assignee(action: &Action, people: &[Attendee], definitions: &Snapshot) -> Result<String, String> {
    let named = |name: &str| definitions.employee(name.trim()).map(|entry| entry.employee.name.clone());
    let wanted = action.assignee_employee.trim();
    let role = action.assignee_role.trim();
    let of_role = || {
        let role = match role.to_lowercase().as_str() {
            "executor" => ExecutionRole::Executor,
            "reviewer" => ExecutionRole::Reviewer,
            "monitor" => ExecutionRole::Monitor,
            _ => return None,
        };
        people.iter().find(|who| who.execution_role == role).map(|who| who.employee.clone())
    };
    let found = if wanted.is_empty() { of_role().or_else(|| named(role)) } else { named(wanted) };
    found.ok_or_else(|| {
        let known: Vec<String> = people.iter().map(|who| format!("`{}`", who.employee)).collect();
        let asked = truncate(if wanted.is_empty() { role } else { wanted }, 60);
        format!(
            "`{}` is for `{asked}`, who is no employee; name one in `assignee_employee`, for instance {}",
            action.id,
            known.join(", ")
        )
    })
}

/// The plan of action of a discussion as the text of a pipeline. What the model said in it becomes defaults of arguments,
/// which are values: no place in it is filled.
///
/// # Errors
/// Why there is none, each reason by itself.
pub fn pipeline_of(meeting: &Meeting, definitions: &Snapshot) -> Result<String, Vec<String>> {
    let plan = meeting.action_plan.as_ref().ok_or_else(|| {
        vec![meeting.action_plan_fault.clone().unwrap_or_else(|| {
            "this discussion has no plan of action; write `action_output: true` to have one".to_owned()
        })]
    })?;
    let layers =
        plan.layers().map_err(|circle| vec![format!("these wait for each other: {}", circle.join(", "))])?;
    let mut faults = Vec::new();
    let mut values = String::new();
    let mut steps = String::new();
    let mut number = 0;
    for layer in &layers {
        let indent = if layer.len() > 1 {
            steps.push_str("  - parallel:\n");
            6
        } else {
            2
        };
        for action in layer {
            number += 1;
            let name = format!("task_{number}");
            let _ = write!(values, "  - name: {name}\n    default: {}\n", yaml_text(&task(action)));
            let mut text = format!("${{{name}}}");
            for other in &action.depends_on {
                let _ = write!(text, "\n\n---\n\n{{steps.{other}.output}}");
            }
            match step(&action.id, &action.assignee_employee, &text, indent, definitions) {
                Ok(step) => steps.push_str(&step),
                Err(fault) => faults.push(fault),
            }
        }
    }
    if !plan.review_criteria.is_empty() {
        let reviewer = meeting.participants.iter().find(|who| who.execution_role == ExecutionRole::Reviewer);
        let reviewer = reviewer.map_or("code-reviewer", |who| who.employee.as_str());
        let criteria = yaml_text(&plan.review_criteria.join("; "));
        let _ = write!(values, "  - name: criteria\n    default: {criteria}\n");
        match step("review", reviewer, "{prev}\n\n---\n\n${criteria}", 2, definitions) {
            Ok(step) => steps.push_str(&step),
            Err(fault) => faults.push(fault),
        }
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    let text = format!(
        "name: {}\ndescription: {}\nargs:\n{values}steps:\n{steps}",
        yaml_text(&format!("plan-{}", meeting.name)),
        yaml_text(&truncate(&meeting.topic.split_whitespace().collect::<Vec<_>>().join(" "), 200)),
    );
    let (found, diagnostics) = parse_pipeline(&Source::new("plan.yaml", text.as_str()), "plan");
    if found.is_some() { Ok(text) } else { Err(diagnostics.iter().map(ToString::to_string).collect()) }
}

/// All that whoever does it is told.
fn task(action: &Action) -> String {
    let mut text = action.description.trim().to_owned();
    if !action.verification.trim().is_empty() {
        let _ = write!(text, "\n\nDone when: {}", action.verification.trim());
    }
    let _ = write!(text, "\n\nPriority: {:?}", action.priority);
    text
}

/// A step that gives `text` to its employee: in every argument that must be given, else in `task`, else in the first.
fn step(
    id: &str,
    employee: &str,
    text: &str,
    indent: usize,
    definitions: &Snapshot,
) -> Result<String, String> {
    let entry = definitions
        .employee(employee)
        .ok_or_else(|| format!("step `{id}`: no employee is called `{employee}`"))?;
    let employee: &Employee = &entry.employee;
    let mut names: Vec<&str> = employee
        .args
        .iter()
        .filter(|arg| arg.required && arg.default.is_none())
        .map(|arg| arg.name.as_str())
        .collect();
    if names.is_empty() {
        let first = employee.args.iter().find(|arg| arg.name == "task").or_else(|| employee.args.first());
        names.extend(first.map(|arg| arg.name.as_str()));
    }
    if names.is_empty() {
        return Err(format!(
            "step `{id}`: `{}` takes no argument, so it cannot be told what to do; give it one, for instance `task`",
            employee.name
        ));
    }
    let mut step = format!(
        "{:indent$}- id: {}\n{:indent$}  employee: {}\n{:indent$}  args:\n",
        "",
        yaml_text(id),
        "",
        yaml_text(&employee.name),
        ""
    );
    for name in names {
        let _ = writeln!(step, "{:indent$}    {}: {}", "", yaml_text(name), yaml_text(text));
    }
    Ok(step)
}

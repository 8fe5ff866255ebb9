//! All definitions of a project at one moment.

use std::{collections::HashMap, sync::Arc};

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Serialize;

use super::{places::Layer, project::Project};
use crate::{
    base::text::closest,
    defs::{
        Budget, CronConfig, Delivery, Diagnostic, Discussion, Employee, EmployeeSkill, McpServers,
        Organization, Pipeline, Severity, Source, TargetKind, WebhookConfig,
    },
};

/// All definitions of a project at one moment; never changes.
#[derive(Debug, Default)]
pub struct Snapshot {
    /// Employees by name; of those that share one, the one in the highest layer.
    pub employees: IndexMap<String, Entry>,
    /// Pipelines by the stem of their file.
    pub pipelines: IndexMap<String, PipelineEntry>,
    /// Discussions by the stem of their file.
    pub discussions: IndexMap<String, DiscussionEntry>,
    /// Skills of employees, by the names of these; each by its own name.
    pub skills: HashMap<String, Vec<SkillEntry>>,
    /// `organization.yaml`; empty when there is none.
    pub organization: Arc<Organization>,
    /// `.crew/webhook.yaml`, when it is there; one that has errors counts as it was read last without.
    pub webhook: Option<Arc<WebhookConfig>>,
    /// `.crew/mcp_servers.yaml`, likewise.
    pub mcp_servers: Arc<McpServers>,
    /// `.crew/cron.yaml` and the schedules that were added while a server ran, likewise.
    pub cron: Option<Arc<CronConfig>>,
    /// Where results may go by a name: `destinations` of `.crew/config.yaml`, likewise.
    pub destinations: Arc<IndexMap<String, Delivery>>,
    /// How much any run may take: `budget` of `.crew/config.yaml`, likewise.
    pub budget: Budget,
    /// Files of webhooks and schedules that have errors, so that what they said before still holds, if anything.
    pub unusable: Vec<String>,
    /// What kind of project it is.
    pub project: Project,
    /// Everything wrong, by file and place.
    pub findings: Vec<Finding>,
    /// Names and triggers that more than one employee claims.
    pub conflicts: Vec<Conflict>,
    /// Other names of employees.
    pub(super) aliases: HashMap<String, String>,
}

/// An employee and where it comes from.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The employee.
    pub employee: Arc<Employee>,
    /// Which of the layers it is from.
    pub layer: Layer,
    /// Its file or folder, from the root of the project.
    pub path: String,
}

/// A pipeline and where it comes from.
#[derive(Debug, Clone)]
pub struct PipelineEntry {
    /// The pipeline.
    pub pipeline: Arc<Pipeline>,
    /// Its file, from the root of the project.
    pub path: String,
}

/// A discussion and where it comes from.
#[derive(Debug, Clone)]
pub struct DiscussionEntry {
    /// The discussion.
    pub discussion: Arc<Discussion>,
    /// Its file, from the root of the project.
    pub path: String,
}

/// A skill of an employee and where it comes from.
#[derive(Debug, Clone)]
pub struct SkillEntry {
    /// The skill.
    pub skill: Arc<EmployeeSkill>,
    /// Its file, from the root of the project.
    pub path: String,
}

/// Something found in a file, with the text its places point into.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What was found.
    pub diagnostic: Diagnostic,
    /// The text; empty when it could not be read.
    pub source: Source,
}

/// A name or trigger that two employees claim.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Conflict {
    /// Which of the two it is.
    pub kind: ConflictKind,
    /// The name or trigger.
    pub name: String,
    /// `layer:path` of the one that is found by it.
    pub winner: String,
    /// `layer:path` of the other.
    pub loser: String,
}

/// What two employees claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ConflictKind {
    /// A name.
    Name,
    /// A trigger.
    Trigger,
}

impl Entry {
    /// `layer:path`.
    pub fn origin(&self) -> String {
        format!("{}:{}", self.layer, self.path)
    }
}

impl Snapshot {
    /// The employee with this name, else with this trigger, else with this character name.
    pub fn employee(&self, name: &str) -> Option<&Entry> {
        let name = name.trim();
        self.employees.get(name).or_else(|| self.employees.get(self.aliases.get(name)?))
    }

    /// The pipeline whose file has this stem, else the first with this name.
    pub fn pipeline(&self, name: &str) -> Option<&PipelineEntry> {
        let name = name.trim();
        self.pipelines.get(name).or_else(|| self.pipelines.values().find(|entry| entry.pipeline.name == name))
    }

    /// The discussion whose file has this stem, else the first with this name.
    pub fn discussion(&self, name: &str) -> Option<&DiscussionEntry> {
        let name = name.trim();
        let by_name = || self.discussions.values().find(|entry| entry.discussion.name == name);
        self.discussions.get(name).or_else(by_name)
    }

    /// The skills of the employee with this very name.
    pub fn skills_of(&self, employee: &str) -> &[SkillEntry] {
        self.skills.get(employee).map(Vec::as_slice).unwrap_or_default()
    }

    /// Names of all employees.
    pub fn employee_names(&self) -> impl ExactSizeIterator<Item = &str> + Clone {
        self.employees.keys().map(String::as_str)
    }

    /// Names that pipelines are run by.
    pub fn pipeline_names(&self) -> impl ExactSizeIterator<Item = &str> + Clone {
        self.pipelines.keys().map(String::as_str)
    }

    /// The name or trigger most likely meant by `name`. Display names find nobody, so it may be one of these.
    pub fn closest_employee(&self, name: &str) -> Option<&str> {
        let shown = name.trim();
        let is_shown = |entry: &Entry| !shown.is_empty() && entry.employee.display_name == shown;
        let found = self.employees.iter().find(|(_, entry)| is_shown(entry));
        found
            .map(|(name, _)| name.as_str())
            .or_else(|| closest(name, self.employee_names().chain(self.aliases.keys().map(String::as_str))))
    }

    /// The pipeline most likely meant by `name`.
    pub fn closest_pipeline(&self, name: &str) -> Option<&str> {
        closest(name, self.pipeline_names())
    }

    /// The discussion most likely meant by `name`.
    pub fn closest_discussion(&self, name: &str) -> Option<&str> {
        closest(name, self.discussions.keys().map(String::as_str))
    }

    /// The definition of that kind most likely meant by `name`.
    pub fn closest(&self, kind: TargetKind, name: &str) -> Option<&str> {
        match kind {
            TargetKind::Employee => self.closest_employee(name),
            TargetKind::Pipeline => self.closest_pipeline(name),
            TargetKind::Discussion => self.closest_discussion(name),
        }
    }

    /// What helps whoever asked for a `name` that is not here: its file has errors, or another name was likely meant.
    pub fn hint(&self, kind: TargetKind, name: &str) -> Option<String> {
        match self.faulty(kind, name.trim()) {
            Some(path) => Some(format!("`{path}` has errors, and `knowlyr-crew check` tells which")),
            None => self.closest(kind, name).map(|near| format!("did you mean `{near}`?")),
        }
    }

    /// The file of a definition of that kind, called `name`, that has errors.
    pub fn faulty(&self, kind: TargetKind, name: &str) -> Option<&str> {
        let folder = match kind {
            TargetKind::Employee => "employees",
            TargetKind::Pipeline => "pipelines",
            TargetKind::Discussion => "discussions",
        };
        let errors = self.findings.iter().filter(|found| found.diagnostic.severity == Severity::Error);
        errors.map(|found| &*found.source.name).find(|path| {
            let below = path.split('/').skip_while(|part| *part != folder).nth(1);
            below.is_some_and(|part| part.rsplit_once('.').map_or(part, |(stem, _)| stem) == name)
        })
    }

    /// Whether anything found makes a definition unusable.
    pub fn has_errors(&self) -> bool {
        self.findings.iter().any(|finding| finding.diagnostic.severity == Severity::Error)
    }
}

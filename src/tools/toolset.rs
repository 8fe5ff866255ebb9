//! Named subsets of the tools, for clients whose models choose better among few.

use super::Registry;
use crate::base::text::closest;

/// Each toolset and the tools in it. Every tool is in exactly one.
pub const TOOLSETS: [(&str, &[&str]); 8] = [
    (
        "employees",
        &[
            "list_employees",
            "get_employee",
            "render_prompt",
            "run_employee",
            "create_employee",
            "update_employee",
            "validate_definition",
            "list_employee_skills",
            "try_employee_skills",
        ],
    ),
    ("pipelines", &["list_pipelines", "run_pipeline"]),
    ("discussions", &["list_discussions", "run_discussion", "list_meeting_history", "get_meeting_detail"]),
    ("schedules", &["list_schedules", "add_schedule", "remove_schedule"]),
    (
        "memory",
        &["add_memory", "query_memory", "search_memory", "correct_memory", "delete_memory", "rate_memory"],
    ),
    (
        "decisions",
        &[
            "track_decision",
            "evaluate_decision",
            "list_decisions",
            "list_overdue_decisions",
            "get_calibration",
        ],
    ),
    ("project", &["detect_project"]),
    (
        "tasks",
        &[
            "plan_run",
            "get_cost_summary",
            "get_task",
            "list_tasks",
            "approve_task",
            "cancel_task",
            "resume_task",
            "replay_task",
            "fork_task",
            "list_sessions",
            "get_session",
            "get_work_log",
        ],
    ),
];

/// A toolset that was asked for and is not there.
#[derive(Debug, thiserror::Error)]
#[error("no toolset is called `{name}`{}; there are {}",
    near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default(),
    TOOLSETS.map(|(name, _)| format!("`{name}`")).join(", "))]
pub struct UnknownToolset {
    name: String,
    near: Option<&'static str>,
}

impl Registry {
    /// The same registry with the tools of `toolsets` only; with none named, all of them.
    ///
    /// # Errors
    /// When a name is no toolset.
    pub fn with_toolsets(mut self, toolsets: &[String]) -> Result<Self, UnknownToolset> {
        let mut wanted = Vec::new();
        for name in toolsets {
            let found = TOOLSETS.iter().find(|(known, _)| known == name);
            let (_, tools) = found.ok_or_else(|| UnknownToolset {
                name: name.clone(),
                near: closest(name, TOOLSETS.iter().map(|(known, _)| *known)),
            })?;
            wanted.extend_from_slice(tools);
        }
        if !toolsets.is_empty() {
            self.retain(|name| wanted.contains(&name));
        }
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{catalog::Catalog, engine::Crew, llm, tasks::Error, tools::Office};

    fn all() -> Registry {
        let client = llm::Client::new(llm::Settings::default(), Arc::default());
        let crew = Crew::new(Catalog::open("nowhere".into()), client, crate::engine::Models::of("echo"));
        crate::tools::all(&Office::new(Arc::new(crew), Box::new(|| Box::pin(async { Err(Error::Stopping) }))))
    }

    #[test]
    fn every_tool_is_in_one_toolset() {
        let mut sorted: Vec<_> = TOOLSETS.iter().flat_map(|(_, tools)| *tools).copied().collect();
        sorted.sort_unstable();
        let mut there: Vec<_> = all().specs().map(|spec| spec.name).collect();
        there.sort_unstable();
        assert_eq!(sorted, there);
    }

    #[test]
    fn a_subset_keeps_the_order() {
        let some = all().with_toolsets(&["tasks".to_owned(), "pipelines".to_owned()]).unwrap();
        let names: Vec<_> = some.specs().map(|spec| spec.name).collect();
        assert_eq!(names[..3], ["list_pipelines", "run_pipeline", "get_task"]);
        assert_eq!(names.len(), 14, "{names:?}");
        let error = all().with_toolsets(&["employee".to_owned()]).unwrap_err();
        assert!(error.to_string().contains("did you mean `employees`?"), "{error}");
    }
}

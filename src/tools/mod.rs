//! Floor 4: one registry of tools; knows no JSON-RPC, no HTTP and no command line.
//!
//! A tool is written once, as a [`Tool`], and listed once, in [`all`]. Every surface (MCP, REST, a model's tool
//! calls, documentation) is a reader of that list, so no two of them can disagree.

mod acts;
mod again;
mod approval;
mod bench;
mod cost;
mod ctx;
mod detached;
mod discussion;
mod employee;
mod error;
mod evaluation;
mod forecast;
mod key;
mod memory;
mod office;
mod pipeline;
mod project;
mod question;
mod record;
mod registry;
mod schedule;
mod task;
mod toolset;

pub use acts::{Act, Acts, Deed};
pub use again::{begin, note_key, went_on};
pub use bench::{May, Standing, ToolStanding, standing};
pub use ctx::{Caller, Ctx, Progress};
pub use detached::{Begun, Detached, Start};
pub use error::Error;
pub use evaluation::decisions_of;
pub use key::{WorkKey, accept};
pub use office::{Office, OpenTasks, Opened};
pub use question::{Answers, Field, FieldKind, Form, Inquiry, Reply};
pub use registry::{Annotations, Output, Registry, Spec, Tool};
pub use toolset::{TOOLSETS, UnknownToolset};

/// The names that records of the employee `name` (a trigger, or the name of its character, will do) may be kept under; the
/// name itself when there is no such employee.
pub async fn names_of(office: &Office, name: &str) -> Vec<String> {
    record::names_of(office, name).await
}

/// Gives the employees of `office` their tools.
pub fn equip(office: &Office) {
    office.crew.equip(std::sync::Arc::new(bench::Bench::new(office)));
}

/// Every tool of a crew, in the order they are listed.
pub fn all(office: &Office) -> Registry {
    let mut tools = Registry::new();
    tools.add(employee::ListEmployees(office.clone()));
    tools.add(employee::GetEmployee(office.clone()));
    tools.add(employee::RenderPrompt(office.clone()));
    tools.add_detached(employee::RunEmployee(office.clone()));
    tools.add(employee::CreateEmployee(office.clone()));
    tools.add(employee::UpdateEmployee(office.clone()));
    tools.add(employee::ValidateDefinition);
    tools.add(employee::ListEmployeeSkills(office.clone()));
    tools.add(employee::TryEmployeeSkills(office.clone()));
    tools.add(pipeline::ListPipelines(office.clone()));
    tools.add_detached(pipeline::RunPipeline(office.clone()));
    tools.add(discussion::ListDiscussions(office.clone()));
    tools.add_detached(discussion::RunDiscussion(office.clone()));
    tools.add(record::ListMeetingHistory(office.clone()));
    tools.add(record::GetMeetingDetail(office.clone()));
    tools.add(schedule::ListSchedules(office.clone()));
    tools.add(schedule::AddSchedule(office.clone()));
    tools.add(schedule::RemoveSchedule(office.clone()));
    tools.add(memory::AddMemory(office.clone()));
    tools.add(memory::QueryMemory(office.clone()));
    tools.add(memory::SearchMemory(office.clone()));
    tools.add(memory::CorrectMemory(office.clone()));
    tools.add(memory::DeleteMemory(office.clone()));
    tools.add(memory::RateMemory(office.clone()));
    tools.add(evaluation::TrackDecision(office.clone()));
    tools.add(evaluation::EvaluateDecision(office.clone()));
    tools.add(evaluation::ListDecisions(office.clone()));
    tools.add(evaluation::ListOverdueDecisions(office.clone()));
    tools.add(evaluation::GetCalibration(office.clone()));
    tools.add(project::DetectProject(office.clone()));
    tools.add(task::GetTask(office.clone()));
    tools.add(task::ListTasks(office.clone()));
    tools.add(task::ApproveTask(office.clone()));
    tools.add(task::CancelTask(office.clone()));
    tools.add(task::ResumeTask(office.clone()));
    tools.add(task::ReplayTask(office.clone()));
    tools.add(task::ForkTask(office.clone()));
    tools.add(record::ListSessions(office.clone()));
    tools.add(record::GetSession(office.clone()));
    tools.add(record::GetWorkLog(office.clone()));
    tools.add(forecast::PlanRun(office.clone()));
    tools.add(cost::GetCostSummary(office.clone()));
    tools
}

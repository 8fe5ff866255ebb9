//! Tools about employees.

mod get;
mod list;
mod render;
mod run;
mod skills;
mod validate;
mod write;

pub(super) use get::GetEmployee;
pub(super) use list::ListEmployees;
pub(super) use render::RenderPrompt;
pub(super) use run::RunEmployee;
pub(super) use skills::{ListEmployeeSkills, TryEmployeeSkills};
pub(super) use validate::ValidateDefinition;
pub(super) use write::{CreateEmployee, UpdateEmployee};

//! Tools about employees.

mod get;
mod list;
mod run;

pub(super) use get::GetEmployee;
pub(super) use list::ListEmployees;
pub(super) use run::RunEmployee;

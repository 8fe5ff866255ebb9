//! Tools about tasks.

mod approve;
mod get;
mod list;

pub(super) use approve::ApproveTask;
pub(super) use get::GetTask;
pub(super) use list::ListTasks;

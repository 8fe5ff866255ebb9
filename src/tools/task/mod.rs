//! Tools about tasks.

mod get;
mod list;

pub(super) use get::GetTask;
pub(super) use list::ListTasks;

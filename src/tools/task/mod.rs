//! Tools about tasks.

mod again;
mod approve;
mod cancel;
mod get;
mod list;

pub(super) use again::{ForkTask, ReplayTask, ResumeTask};
pub(super) use approve::ApproveTask;
pub(super) use cancel::CancelTask;
pub(super) use get::GetTask;
pub(super) use list::ListTasks;

//! Tools for employees at work: what the engine needs to know of them.

use futures_util::future::BoxFuture;

use super::Job;
use crate::llm::{ToolCall, ToolSpec};

/// The tools that employees at work may call. What they are and what they do is nothing the engine knows.
pub trait Toolbox: Send + Sync {
    /// The tools `job`'s employee has declared and may use, for its model to choose from.
    fn offered(&self, job: &Job<'_>) -> Vec<ToolSpec>;

    /// Calls a tool. What it gives is for the model: so is what goes wrong, told in a way that it can do better.
    ///
    /// `job` is the work within the work: what the tool does as steps of the task is recorded under its name.
    ///
    /// # Errors
    /// What went wrong.
    fn call<'a>(&'a self, job: &'a Job<'a>, call: &'a ToolCall) -> BoxFuture<'a, Result<String, String>>;
}

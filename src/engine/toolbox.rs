//! Tools for employees at work: what the engine needs to know of them.

use futures_util::future::BoxFuture;

use super::Job;
use crate::llm::{ToolCall, ToolSpec, Usage};

/// What a tool gave.
#[derive(Debug, Clone, Default)]
pub struct Gave {
    /// For the model.
    pub text: String,
    /// The tokens it took, when it had a model do something.
    pub usage: Usage,
    /// What they cost in US dollars; `None` when that is not known.
    pub cost_usd: Option<f64>,
}

impl From<String> for Gave {
    fn from(text: String) -> Self {
        Self { text, usage: Usage::default(), cost_usd: Some(0.0) }
    }
}

/// The tools that employees at work may call. What they are and what they do is nothing the engine knows.
pub trait Toolbox: Send + Sync {
    /// The tools `job`'s employee has declared and may use, for its model to choose from.
    fn offered<'a>(&'a self, job: &'a Job<'a>) -> BoxFuture<'a, Vec<ToolSpec>>;

    /// Whether a tool has another employee work here and now: that work has exchanges of its own.
    fn hands_on(&self, name: &str) -> bool;

    /// Calls a tool. What it gives is for the model: so is what goes wrong, told in a way that it can do better.
    ///
    /// `job` is the work within the work: what the tool does as steps of the task is recorded under its name.
    ///
    /// # Errors
    /// What went wrong.
    fn call<'a>(&'a self, job: &'a Job<'a>, call: &'a ToolCall) -> BoxFuture<'a, Result<Gave, String>>;
}

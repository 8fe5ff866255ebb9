//! Why work gave up: for a person, and for a program.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Why a task failed, for a program: kebab-case, and the same in every version.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Code(Cow<'static, str>);

impl Code {
    /// The money or the tokens it may take are spent.
    pub const BUDGET_REACHED: Self = Self::new("budget-reached");
    /// What it works on was changed since it began.
    pub const DEFINITION_CHANGED: Self = Self::new("definition-changed");
    /// It had more time than it may take.
    pub const DEADLINE: Self = Self::new("deadline");
    /// It was cut off, and cannot or must not go on by itself.
    pub const INTERRUPTED: Self = Self::new("interrupted");
    /// A person said no.
    pub const REFUSED: Self = Self::new("refused");
    /// The program has a mistake.
    pub const PANICKED: Self = Self::new("panicked");
    /// The model did not answer, or not in time.
    pub const MODEL: Self = Self::new("model");

    /// A code the program defines.
    pub const fn new(name: &'static str) -> Self {
        Self(Cow::Borrowed(name))
    }

    /// The code as recorded.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Why a body or a step gave up.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// For a person.
    pub message: String,
    /// For a program, when there is something to be told apart.
    pub code: Option<Code>,
    /// Whether the same again, a little later, may end well: nothing about the work itself is wrong.
    pub transient: bool,
    /// What was reached all the same; becomes the `result` of the failed task.
    pub partial: Option<Box<Value>>,
}

impl Failure {
    /// A failure with nothing to show.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), code: None, transient: false, partial: None }
    }

    /// The same, for a program to tell apart.
    pub fn coded(code: Code, message: impl Into<String>) -> Self {
        Self { code: Some(code), ..Self::new(message) }
    }

    /// The same, with what was reached all the same.
    #[must_use]
    pub fn with_partial(self, partial: Value) -> Self {
        Self { partial: Some(Box::new(partial)), ..self }
    }
}

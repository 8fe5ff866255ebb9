//! How soon work is begun among other work that waits.

use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How soon a task is begun among those that wait. All get their turn: of ten that are begun while tasks of each wait, six
/// are of high, three of normal and one of low priority.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Priority {
    /// Before others.
    High,
    /// As usual.
    #[default]
    Normal,
    /// After others.
    Low,
}

impl Priority {
    /// All there are, the highest first.
    pub const ALL: [Self; 3] = [Self::High, Self::Normal, Self::Low];

    /// The name as recorded.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::High => "high",
            Self::Normal => "normal",
            Self::Low => "low",
        }
    }

    /// Whether it need not be said.
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out references")]
    pub fn is_normal(&self) -> bool {
        *self == Self::Normal
    }
}

impl FromStr for Priority {
    type Err = NotAPriority;

    fn from_str(text: &str) -> Result<Self, NotAPriority> {
        Self::ALL.into_iter().find(|priority| priority.as_str() == text).ok_or(NotAPriority)
    }
}

/// A text that is no priority.
#[derive(Debug, thiserror::Error)]
#[error("a priority is `high`, `normal` or `low`")]
pub struct NotAPriority;

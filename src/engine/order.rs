//! A run that somebody asks for, whichever way the wish came in.

use serde_json::{Map, Value};

use super::Args;
use crate::{
    defs::TargetKind,
    tasks::{Kind, NewTask, Trigger},
};

/// A run that is asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Order {
    /// What kind of thing `target` is.
    pub kind: TargetKind,
    /// Its name or, for an employee, a trigger of it.
    pub target: String,
    /// Values by name.
    pub args: Args,
    /// Model to use in place of every other choice.
    pub model: Option<String>,
    /// What asks.
    pub trigger: Trigger,
    /// Who asks.
    pub caller: Option<String>,
    /// Work already accepted under this key is not accepted twice.
    pub idempotency_key: Option<String>,
}

impl Order {
    /// The order as a task for the body of `kind`, once `target` is known by its proper name.
    pub(super) fn into_task(self, kind: Kind, target: String, mut options: Map<String, Value>) -> NewTask {
        options.extend(self.model.map(|model| ("model".to_owned(), Value::String(model))));
        NewTask {
            args: self.args,
            options,
            trigger: self.trigger,
            caller: self.caller,
            idempotency_key: self.idempotency_key,
            ..NewTask::new(kind, target)
        }
    }
}

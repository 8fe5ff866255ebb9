//! What a kind of task does.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use serde_json::Value;

use super::{Failure, Steps, Task};

/// The work behind one kind of task.
///
/// A body may be started again after a crash: it then finds the outputs of finished steps in [`Steps::run`], and
/// whatever it does outside a step is done again. Its future is dropped when the task is cancelled or the program
/// ends. A panic fails the task, not the program.
pub trait Body: Send + Sync + 'static {
    /// Does the work. The answer is what the task gives, kept with it as its result.
    fn run(&self, task: Arc<Task>, steps: Steps) -> BoxFuture<'static, Result<Value, Failure>>;

    /// Is told how a task of its kind ends, also one that was cancelled or never begun, before anybody else is. When the
    /// program dies in between, it is told once more.
    fn ended(&self, task: Arc<Task>) -> BoxFuture<'static, ()> {
        let _ = task;
        Box::pin(std::future::ready(()))
    }
}

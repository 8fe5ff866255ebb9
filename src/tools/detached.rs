//! Tools whose work may go on after the caller was answered.

use std::{future::Future, sync::Arc};

use super::{Ctx, Error, Output, Tool};
use crate::tasks::{Kind, Task};

/// A tool whose work is a task.
///
/// A caller that waits gets the answer of [`Tool::call`]; one that rather comes back gets the task, and later the same
/// answer from its record. So what is answered does not depend on whether anybody waited, nor on whether the program
/// was started again in between.
pub trait Detached: Tool {
    /// The tasks that are this tool's work.
    const KIND: Kind;

    /// Has the work begun: once this returns a task it is recorded, and is done whatever happens. What takes no time
    /// is done at once.
    fn start(
        &self,
        ctx: Ctx,
        args: Self::Args,
    ) -> impl Future<Output = Result<Start<Self::Output>, Error>> + Send;

    /// The answer, from the record of a task that has ended.
    ///
    /// # Errors
    /// Why there is none, in the words in which [`Tool::call`] would have said it.
    fn conclude(task: &Task) -> Result<Self::Output, Error>;
}

/// What became of a call that need not be waited for.
#[derive(Debug)]
pub enum Start<T> {
    /// It is answered.
    Done(T),
    /// It goes on in this task.
    Task(Arc<Task>),
}

/// The same with the type of the answer erased.
pub type Begun = Start<Output>;

//! Ended tasks done again, the same for every surface.

use std::sync::Arc;

use super::{Error, office::Office};
use crate::{
    engine::{Again, Anew, Changes},
    tasks::{Engine, Submitted, Task},
};

impl Office {
    /// Has an ended task done again, as `how` says; gives the task that does it, which waits for a worker then.
    ///
    /// # Errors
    /// [`Error::Arguments`] and [`Error::NotFound`] when there is no such task or step, [`Error::Conflict`] when the task
    /// has not ended, is done, or works on something that was changed, and whatever stands against a new run.
    pub async fn again(&self, id: &str, how: &Again, changes: Changes) -> Result<Arc<Task>, Error> {
        let task = self.task(id).await?;
        let anew = self.crew.again(&task, how, changes).await?;
        let tasks = self.tasks().await?;
        let id = begin(tasks, &task, anew).await?.id;
        self.task(id.as_str()).await
    }
}

/// Accepts what is to be done about `task`.
///
/// # Errors
/// [`Error::Conflict`] when the task does not stand as it has to, or the idempotency key was used for something else;
/// [`Error::Unavailable`].
pub async fn begin(tasks: &Engine, task: &Task, anew: Anew) -> Result<Submitted, Error> {
    let new = match anew {
        Anew::Same(how) => {
            let task = tasks.resume(&task.task_id, how).await?;
            return Ok(Submitted { id: task.task_id.clone(), fresh: true });
        }
        Anew::New(new) => new,
    };
    let (origin, args) = (Some(task.task_id.clone()), new.args.clone());
    let submitted = tasks.submit(new).await?;
    if !submitted.fresh
        && let Ok(known) = tasks.get(&submitted.id).await
        && (&known.origin, &known.args) != (&origin, &args)
    {
        return Err(Error::Conflict("this `Idempotency-Key` was used for a different request".to_owned()));
    }
    Ok(submitted)
}

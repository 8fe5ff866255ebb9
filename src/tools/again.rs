//! Ended tasks done again, the same for every surface.

use std::sync::Arc;

use super::{Acts, Deed, Error, WorkKey, accept, office::Office};
use crate::{
    engine::{Again, Anew, Changes},
    tasks::{Engine, Submitted, Task, Trigger},
};

impl Office {
    /// Has an ended task done again, as `how` says, once under `key` if that makes a new task; gives the task that does it,
    /// which waits for a worker then.
    ///
    /// # Errors
    /// [`Error::Arguments`] and [`Error::NotFound`] when there is no such task or step, [`Error::Conflict`] when the task
    /// has not ended, is done, or works on something that was changed, and whatever stands against a new run.
    pub async fn again(
        &self,
        id: &str,
        how: &Again,
        changes: Changes,
        key: Option<&WorkKey>,
    ) -> Result<Arc<Task>, Error> {
        let task = self.task(id).await?;
        let mut anew = self.crew.again(&task, how, changes).await?;
        if let (Anew::New(new), Some(key)) = (&mut anew, key) {
            key.mark(new);
        }
        let tasks = self.tasks().await?;
        let id = begin(&self.acts, tasks, &task, anew).await?.id;
        self.task(id.as_str()).await
    }
}

/// Accepts what is to be done about `task`, and notes it among `acts`.
///
/// # Errors
/// [`Error::Conflict`] when the task does not stand as it has to, [`Error::KeyReused`], [`Error::Unavailable`].
pub async fn begin(acts: &Acts, tasks: &Engine, task: &Task, anew: Anew) -> Result<Submitted, Error> {
    let (deed, by) = match &anew {
        Anew::Same(how) => (Deed::Resume, how.by.clone()),
        Anew::New(new) if new.trigger == Trigger::FORK => (Deed::Fork, new.caller.clone()),
        Anew::New(new) => (Deed::Replay, new.caller.clone()),
    };
    let act = acts.begin(deed, by.as_deref().unwrap_or_default(), task.task_id.as_str());
    act.end(accepted(tasks, task, anew).await).await
}

async fn accepted(tasks: &Engine, task: &Task, anew: Anew) -> Result<Submitted, Error> {
    match anew {
        Anew::Same(how) => {
            let task = tasks.resume(&task.task_id, how).await?;
            Ok(Submitted { id: task.task_id.clone(), fresh: true })
        }
        Anew::New(new) => accept(tasks, new).await,
    }
}

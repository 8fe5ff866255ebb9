//! Ended tasks done again, the same for every surface.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{Acts, Deed, Error, WorkKey, accept, office::Office};
use crate::{
    engine::{Again, Anew, Changes},
    tasks::{Engine, Resumption, Submitted, Task, Trigger},
};

/// The option of a task that tells under which keys it went on.
const WENT_ON: &str = "resumed_under";
/// How many of them are known, the newest.
const MOST_KEYS: usize = 20;

/// Whether `task` went on under `key` before.
pub fn went_on(task: &Task, key: &str) -> bool {
    let keys = task.options.get(WENT_ON).and_then(Value::as_array);
    keys.is_some_and(|keys| keys.iter().any(|known| *known == of(task, key)))
}

/// Has it known that `task` goes on under `key`.
pub fn note_key(how: &mut Resumption, task: &Task, key: &str) {
    let mut keys = task.options.get(WENT_ON).and_then(Value::as_array).cloned().unwrap_or_default();
    keys.push(of(task, key).into());
    let surplus = keys.len().saturating_sub(MOST_KEYS);
    keys.drain(..surplus);
    how.options.insert(WENT_ON.to_owned(), json!(keys));
}

/// A task that is made of another has the options of that: its keys are not those of the new one.
fn of(task: &Task, key: &str) -> String {
    format!("{} {key}", task.task_id)
}

impl Office {
    /// Has an ended task done again, as `how` says, once under `key`; gives the task that does it, which waits for a worker
    /// then.
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
        if *how == Again::Resume && key.is_some_and(|key| went_on(&task, key.as_str())) {
            return Ok(task);
        }
        let mut anew = self.crew.again(&task, how, changes).await?;
        match (&mut anew, key) {
            (Anew::New(new), Some(key)) => key.mark(new),
            (Anew::Same(how), Some(key)) => note_key(how, &task, key.as_str()),
            (_, None) => {}
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

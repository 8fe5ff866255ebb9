//! Keys under which a caller has the same work begun only once.

use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use super::{Caller, Error};
use crate::tasks::{self, Engine, NewTask, Submitted};

/// The option of a task that tells what was asked for under its key, as a SHA-256.
const ASKED: &str = "asked";

/// A key that a caller made up for one call of a tool. Callers do not share keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkKey {
    key: String,
    asked: String,
}

impl WorkKey {
    /// `key`, a word without white space, of `caller` for a call of `tool` with `args`.
    pub fn new(caller: &Caller, key: &str, tool: &str, args: &Map<String, Value>) -> Self {
        let mut asked = json!([tool, args]);
        asked.sort_all_objects();
        let asked = hex::encode(Sha256::digest(asked.to_string()));
        Self { key: format!("tool:{key} {}", caller.name()), asked }
    }

    /// The key, together with whose it is.
    pub(super) fn as_str(&self) -> &str {
        &self.key
    }

    /// Has `new` done once under this key.
    pub(super) fn mark(&self, new: &mut NewTask) {
        new.idempotency_key = Some(self.key.clone());
        new.options.insert(ASKED.to_owned(), self.asked.clone().into());
    }
}

/// Submits `new`. A key that was used for something else is refused, not answered with the other's result. Options are not
/// compared but for one: a plan may put the state of a definition there, which a repetition must not trip over.
///
/// # Errors
/// [`Error::KeyReused`]; as [`Engine::submit`].
pub async fn accept(tasks: &Engine, new: NewTask) -> Result<Submitted, Error> {
    let origin = new.origin.as_ref().map(|origin| origin.id.clone());
    let what = (new.kind.clone(), new.target.clone(), new.args.clone());
    let how = (new.trigger.clone(), origin, new.options.get(ASKED).cloned());
    let submitted = tasks.submit(new).await?;
    if submitted.fresh {
        return Ok(submitted);
    }
    match tasks.get(&submitted.id).await {
        Ok(task) => {
            let same = (&task.kind, &task.target_name, &task.args) == (&what.0, &what.1, &what.2)
                && (&task.trigger, &task.origin, task.options.get(ASKED)) == (&how.0, &how.1, how.2.as_ref());
            if same { Ok(submitted) } else { Err(Error::KeyReused) }
        }
        // It may have been forgotten meanwhile.
        Err(tasks::Error::NotFound { .. }) => Ok(submitted),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_of_one_caller_and_knows_what_was_asked() {
        let of = |caller: &str, key: &str, tool: &str, args: Value| {
            WorkKey::new(&Caller::new(caller), key, tool, args.as_object().unwrap())
        };
        let first = of("ann", "k", "run_pipeline", json!({"name": "a", "args": {"x": "1", "y": "2"}}));
        assert_eq!(first, of("ann", "k", "run_pipeline", json!({"args": {"y": "2", "x": "1"}, "name": "a"})));
        assert_ne!(first.asked, of("ann", "k", "run_pipeline", json!({"name": "b"})).asked);
        assert_ne!(
            first.asked,
            of("ann", "k", "run_employee", json!({"name": "a", "args": {"x": "1", "y": "2"}})).asked
        );
        assert_ne!(first.key, of("bob", "k", "run_pipeline", json!({})).key);
    }
}

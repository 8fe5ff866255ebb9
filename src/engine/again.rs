//! Ended work done again: all of it, from where it stopped, or from one of its steps on.

use serde_json::{Value, json};

use super::{
    Args, Crew, DISCUSSION_RUN, EMPLOYEE_RUN, Error, FAIL_FAST, Order, PIPELINE_RUN,
    delivery::{DELIVER, Wish},
    discussion, pipeline,
    run::option,
};
use crate::{
    defs::{Discussion, Interaction, Rounds, TargetKind},
    tasks::{Budget, Ceiling, NewTask, Origin, Resumption, StepRecord, Task, Trigger},
};

/// The option that holds the fingerprint of what a task works on.
const DEFINITION: &str = "definition";

/// What is to be different this time.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Changes {
    /// Values in place of those it had, by name.
    pub args: Args,
    /// A model in place of every other choice.
    pub model: Option<String>,
    /// How much is granted to it in all, in place of what was. What files allow it is read again.
    pub budget: Budget,
    /// Whether its first failed step ends it, in place of what its pipeline says.
    pub fail_fast: Option<bool>,
    /// Go on even if what it works on was changed since it began.
    pub force: bool,
    /// Who asks.
    pub caller: Option<String>,
    /// Work already accepted under this key is not accepted twice.
    pub idempotency_key: Option<String>,
}

/// How ended work is done again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Again {
    /// From where it stopped, as the same task.
    Resume,
    /// From its beginning, as a new task.
    Replay,
    /// From this step on, as a new task.
    Fork(String),
}

/// What is to be done about an ended task.
#[derive(Debug, Clone, PartialEq)]
pub enum Anew {
    /// It goes on itself.
    Same(Resumption),
    /// A new one does it again.
    New(NewTask),
}

impl Crew {
    /// Plans how `task` is done again. Nothing has been accepted yet; whether it has ended is for the tasks to say.
    ///
    /// # Errors
    /// [`Error::UnknownStep`], [`Error::DefinitionChanged`]; as [`Crew::plan`].
    pub async fn again(&self, task: &Task, how: &Again, changes: Changes) -> Result<Anew, Error> {
        Ok(match how {
            Again::Resume => Anew::Same(self.resumption(task, changes).await?),
            Again::Replay => Anew::New(self.anew(task, changes, Trigger::REPLAY).await?),
            Again::Fork(step) => Anew::New(self.fork(task, step, changes).await?),
        })
    }

    /// The same work as a task of its own that takes over what `task` did before `step`, and does the rest anew. Of a group
    /// the other members are taken over too. `step` is the name of a recorded step, or its id or number where only one
    /// is called so.
    ///
    /// # Errors
    /// [`Error::UnknownStep`] when it never came to such a step, [`Error::DefinitionChanged`] unless that is to be passed
    /// over; as [`Crew::plan`].
    async fn fork(&self, task: &Task, step: &str, changes: Changes) -> Result<NewTask, Error> {
        self.unchanged(task, changes.force).await?;
        let places = self.places(task).await?;
        let steps = before(task, &places, step)?;
        let mut new = self.anew(task, changes, Trigger::FORK).await?;
        new.origin = Some(Origin { id: task.task_id.clone(), steps });
        Ok(new)
    }

    /// How `task` goes on from where it stopped. Steps that failed although the run went on, and approvals that were
    /// refused, come again; all else that is recorded is not done twice.
    ///
    /// # Errors
    /// [`Error::DefinitionChanged`] unless that is to be passed over; what it works on is gone; its model cannot be
    /// called.
    async fn resumption(&self, task: &Task, changes: Changes) -> Result<Resumption, Error> {
        let definition = self.unchanged(task, changes.force).await?;
        // All must be there that a new run needs, even if only its end is left to do.
        let by = changes.caller.clone();
        let mut options = self.anew(task, changes, Trigger::REPLAY).await?.options;
        options.extend(definition.map(|now| (DEFINITION.to_owned(), Value::String(now))));
        let again = task.steps.iter().filter(|done| has_failed(done)).map(|done| done.step.clone()).collect();
        Ok(Resumption { options, again, by })
    }

    /// A new task for what `task` did.
    async fn anew(&self, task: &Task, changes: Changes, trigger: Trigger) -> Result<NewTask, Error> {
        let (mut args, budget) = (task.args.clone(), changes.budget);
        args.extend(changes.args);
        let model = changes.model.or_else(|| option(task, "model").map(str::to_owned));
        let kind = match &task.kind {
            kind if *kind == EMPLOYEE_RUN => Some(TargetKind::Employee),
            kind if *kind == PIPELINE_RUN => Some(TargetKind::Pipeline),
            kind if *kind == DISCUSSION_RUN => Some(TargetKind::Discussion),
            _ => None,
        };
        let mut new = match kind {
            Some(kind) => {
                let order = Order {
                    kind,
                    target: task.target_name.clone(),
                    args,
                    model: model.clone(),
                    trigger,
                    caller: changes.caller,
                    idempotency_key: changes.idempotency_key,
                };
                let made_up = if kind == TargetKind::Discussion { discussion::made_up(task)? } else { None };
                match made_up {
                    Some(made_up) => self.plan_ad_hoc(made_up, order).await?,
                    None => self.plan(order).await?,
                }
            }
            None => NewTask {
                args,
                trigger,
                caller: changes.caller,
                idempotency_key: changes.idempotency_key,
                ..NewTask::new(task.kind.clone(), task.target_name.clone())
            },
        };
        // What the plan settles is of today; all other settings are those it had.
        Wish::hand_on(task, &mut new);
        let mut options = task.options.clone();
        options.remove(DEFINITION);
        options.remove(DELIVER);
        if kind.is_some() {
            Ceiling::put(&[], &mut options);
        }
        options.extend(std::mem::take(&mut new.options));
        options.extend(model.map(|model| ("model".to_owned(), json!(model))));
        options.extend(changes.fail_fast.map(|fail_fast| (FAIL_FAST.to_owned(), json!(fail_fast))));
        budget.put(&mut options);
        new.options = options;
        new.timeout_seconds = task.timeout_seconds;
        new.origin = Some(Origin { id: task.task_id.clone(), steps: Vec::new() });
        Ok(new)
    }

    /// The fingerprint of what `task` works on, when it is the one it began with or that does not matter.
    async fn unchanged(&self, task: &Task, force: bool) -> Result<Option<String>, Error> {
        let (what, now) = if task.kind == PIPELINE_RUN {
            ("pipeline", pipeline::fingerprint(&*self.pipeline(&task.target_name).await?))
        } else if task.kind == DISCUSSION_RUN && discussion::made_up(task)?.is_none() {
            ("discussion", discussion::fingerprint(&*self.discussion(&task.target_name).await?))
        } else {
            return Ok(None);
        };
        if !force && option(task, DEFINITION).is_some_and(|then| then != now) {
            let name = task.target_name.clone();
            return Err(Error::DefinitionChanged { what, name, task: task.task_id.clone() });
        }
        Ok(Some(now))
    }

    /// The places `task` came to, in order.
    async fn places(&self, task: &Task) -> Result<Vec<Vec<String>>, Error> {
        if task.kind == PIPELINE_RUN {
            let pipeline = self.pipeline(&task.target_name).await?;
            return Ok(pipeline::places(&pipeline, &task.steps));
        }
        if task.kind == DISCUSSION_RUN {
            let discussion = match discussion::made_up(task)? {
                Some(made_up) => made_up.discussion().map_err(Error::Discussion)?,
                None => Discussion::clone(&*self.discussion(&task.target_name).await?),
            };
            return Ok(rounds(&discussion.rounds, &task.steps));
        }
        let mut places: Vec<Vec<String>> = Vec::new();
        for done in &task.steps {
            let name = outermost(&done.step);
            if !places.iter().flatten().any(|known| known == name) {
                places.push(vec![name.to_owned()]);
            }
        }
        if task.kind == EMPLOYEE_RUN && places.is_empty() {
            places.push(vec!["answer".to_owned()]);
        }
        Ok(places)
    }
}

/// The steps of a discussion: those who spoke without hearing each other stand beside each other.
fn rounds(rounds: &Rounds, steps: &[StepRecord]) -> Vec<Vec<String>> {
    let in_turn = |number: usize| match rounds {
        Rounds::Listed(rounds) if number > 1 => {
            rounds.get(number - 1).is_some_and(|round| round.interaction == Interaction::RoundRobin)
        }
        // The first is blind, and the usual ones are held together.
        _ => false,
    };
    // `2:ann` is of the group `2`, `2:ann:answers` of `2:answers`.
    let group = |name: &str| {
        let (number, who) = name.split_once(':')?;
        let number: usize = number.parse().ok()?;
        (!in_turn(number)).then(|| (number, who.ends_with(":answers")))
    };
    let mut places: Vec<Vec<String>> = Vec::new();
    for done in steps {
        let name = outermost(&done.step);
        if places.iter().flatten().any(|known| known == name) {
            continue;
        }
        let beside = |place: &&mut Vec<String>| {
            group(name).is_some() && place.first().and_then(|first| group(first)) == group(name)
        };
        match places.iter_mut().find(beside) {
            Some(place) => place.push(name.to_owned()),
            None => places.push(vec![name.to_owned()]),
        }
    }
    places
}

/// What `task` recorded before `step`, at a place that comes before it or beside it.
fn before(task: &Task, places: &[Vec<String>], step: &str) -> Result<Vec<StepRecord>, Error> {
    let names = || places.iter().flatten();
    let exact = names().find(|name| *name == step);
    let mut alike = names().filter(|name| is_called(name, step));
    let target = exact.or_else(|| alike.next().filter(|_| alike.next().is_none())).ok_or_else(|| {
        Error::UnknownStep {
            task: task.task_id.clone(),
            step: crate::base::text::truncate(step, 100),
            known: names().cloned().collect(),
        }
    })?;
    let rank = |name: &str| places.iter().position(|place| place.iter().any(|known| known == name));
    let last = rank(target);
    let taken = |done: &&StepRecord| {
        let name = names().find(|name| *name == outermost(&done.step));
        name.is_some_and(|name| name != target && rank(name) <= last)
    };
    Ok(task.steps.iter().filter(taken).cloned().collect())
}

/// Whether `0:build` or `2:review@1` may be called that: by its number, its id, or its id and round.
fn is_called(name: &str, asked: &str) -> bool {
    let Some((index, id)) = name.split_once(':') else { return false };
    index == asked || id == asked || id.split_once('@').is_some_and(|(id, _)| id == asked)
}

/// The step that a record is a part of or the decision about.
fn outermost(record: &str) -> &str {
    let record = record.strip_prefix("approval-").unwrap_or(record);
    record.split_once('/').map_or(record, |(outer, _)| outer)
}

/// Whether the record is that of a step that failed or was refused, and not of one that is done.
fn has_failed(done: &StepRecord) -> bool {
    !done.is_inner()
        && (matches!(done.output.get("error"), Some(Value::Bool(true) | Value::String(_)))
            || done.step.starts_with("approval-") && done.output.get("approved") == Some(&Value::Bool(false)))
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::tasks::{Kind, Status, TaskId};

    fn record(step: &str, output: Value) -> StepRecord {
        StepRecord { step: step.to_owned(), output, at: Timestamp::UNIX_EPOCH, duration_ms: 0 }
    }

    fn task(steps: &[&str]) -> Task {
        let text = json!({
            "task_id": TaskId::generate(), "status": Status::Failed, "trigger": "direct",
            "kind": Kind::named("pipeline.run"), "target_type": "pipeline", "target_name": "p", "args": {},
            "created_at": Timestamp::UNIX_EPOCH, "started_at": null, "completed_at": null, "attempts": 1,
            "steps": steps.iter().map(|step| record(step, Value::Null)).collect::<Vec<_>>(),
            "result": null, "error": null,
        });
        serde_json::from_value(text).unwrap()
    }

    #[track_caller]
    fn check(step: &str, taken: &[&str]) {
        let places = [&["0:a"][..], &["1:b", "2:c"], &["3:d@0"], &["until-2@0"], &["3:d@1"]];
        let places: Vec<Vec<_>> =
            places.iter().map(|place| place.iter().map(|name| (*name).to_owned()).collect()).collect();
        let names = [
            "0:a",
            "1:b/try-1/turn-1",
            "2:c/turn-1",
            "2:c",
            "approval-1:b",
            "1:b",
            "3:d@0",
            "until-2@0",
            "3:d@1",
        ];
        let task = task(&names);
        let steps = before(&task, &places, step);
        let steps = steps.map_err(|error| error.to_string());
        let steps = steps.map(|steps| steps.into_iter().map(|done| done.step).collect::<Vec<_>>());
        assert_eq!(steps.unwrap_or_default(), taken, "{step}");
    }

    #[test]
    fn a_fork_takes_what_was_before_and_beside_its_step() {
        check("0:a", &[]);
        check("1:b", &["0:a", "2:c/turn-1", "2:c"]);
        check("c", &["0:a", "1:b/try-1/turn-1", "approval-1:b", "1:b"]);
        check("until-2@0", &["0:a", "1:b/try-1/turn-1", "2:c/turn-1", "2:c", "approval-1:b", "1:b", "3:d@0"]);
        check("d@0", &["0:a", "1:b/try-1/turn-1", "2:c/turn-1", "2:c", "approval-1:b", "1:b"]);
    }

    #[test]
    fn turns_of_a_discussion_are_beside_each_other_unless_one_hears_the_other() {
        let names =
            ["opened", "1:bob", "1:ann/first", "1:ann", "2:ann", "2:bob", "2:ann:answers", "synthesis"];
        let steps: Vec<_> = names.iter().map(|name| record(name, Value::Null)).collect();
        let told = |of: &Rounds| rounds(of, &steps).iter().map(|place| place.join("+")).collect::<Vec<_>>();
        let together = ["opened", "1:bob+1:ann", "2:ann+2:bob", "2:ann:answers", "synthesis"];
        assert_eq!(told(&Rounds::Count(2)), together);
        let round = |interaction| crate::defs::Round { interaction, ..crate::defs::Round::default() };
        let listed = Rounds::Listed(vec![round(Interaction::RoundRobin), round(Interaction::RoundRobin)]);
        let in_turn = ["opened", "1:bob+1:ann", "2:ann", "2:bob", "2:ann:answers", "synthesis"];
        assert_eq!(told(&listed), in_turn);
        assert!(has_failed(&record("1:ann", json!({"employee": "ann", "error": "no answer"}))));
    }

    #[test]
    fn a_step_that_is_not_there_or_there_twice_is_refused() {
        let places = vec![vec!["3:d@0".to_owned()], vec!["3:d@1".to_owned()]];
        let task = task(&["3:d@0"]);
        for step in ["d", "3", "x", "3:d", ""] {
            let error = before(&task, &places, step).unwrap_err().to_string();
            assert!(error.ends_with("it came to `3:d@0`, `3:d@1`"), "{error}");
        }
    }

    #[test]
    fn what_failed_or_was_refused_comes_again() {
        assert!(has_failed(&record("0:a", json!({"error": true}))));
        assert!(has_failed(&record("approval-0:a", json!({"approved": false}))));
        assert!(!has_failed(&record("approval-0:a", json!({"approved": true}))));
        assert!(!has_failed(&record("0:a", json!({"error": false}))));
        assert!(!has_failed(&record("0:a/tool-1.0", json!({"error": true}))));
    }
}

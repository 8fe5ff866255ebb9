//! The tasks of a crew, as MCP clients ask for them: the same tasks, under the same ids.

use std::{sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use jiff::Timestamp;
use serde_json::json;

use super::{
    Scopes, done,
    questions::{form, response},
    refusal,
};
use crate::{
    defs::Scope,
    protocol::{
        Context, Error, TaskHost, Version,
        task::{self, InputRequests, InputResponses, State},
    },
    tasks::{self, Decision, Status, Task, Trigger, Waiting},
    tools::{self, Form, Office, Registry},
};

/// How long to wait before asking again. Models take seconds to minutes.
const POLL: Duration = Duration::from_secs(2);

/// How long a task can be asked for after its end, unless very many end in that time.
const KEPT: Duration = Duration::from_hours(24);

/// The tasks that callers began by calling tools.
pub(super) struct Tasks {
    pub(super) office: Office,
    pub(super) registry: Arc<Registry>,
    pub(super) scopes: Scopes,
}

impl Tasks {
    /// Whether the caller of `context` can be asked to decide, and may.
    pub(super) fn asks(&self, context: &Context) -> bool {
        context.takes_forms() && self.scopes.caller(context).scope() >= Scope::Admin
    }

    /// The task as the protocol shows it. What it waits for is a question to those who can be asked (`asks`), and told in
    /// words to all others.
    pub(super) fn show(&self, task: &Task, asks: bool) -> task::Task {
        let message = match task.status {
            _ if !task.waiting.is_empty() => Some(waiting(task)),
            Status::Pending => Some("waiting to be begun".to_owned()),
            Status::Running => task.steps.last().map(|step| format!("finished {}", step.step)),
            Status::Failed => task.error.clone(),
            Status::AwaitingApproval | Status::Completed | Status::Cancelled => None,
        };
        let ended = task.status.is_final();
        task::Task {
            id: task.task_id.to_string(),
            created_at: task.created_at,
            updated_at: updated_at(task),
            ttl: if ended { Some(age(task).saturating_add(KEPT)) } else { None },
            poll_interval: (!ended).then_some(POLL),
            message,
            state: self.state(task, asks),
        }
    }

    fn state(&self, task: &Task, asks: bool) -> State {
        match task.status {
            _ if asks && !task.waiting.is_empty() => State::InputRequired(requests(task)),
            Status::Pending | Status::Running | Status::AwaitingApproval => State::Working,
            Status::Cancelled => State::Cancelled,
            // A task that failed is a tool that failed, and that is a result.
            Status::Completed | Status::Failed => match self.registry.conclude(task) {
                Some(answer) => State::Completed(done(answer)),
                None => State::Failed(Error::task_not_found()),
            },
        }
    }

    /// The task `id` if the caller of `context` began it.
    ///
    /// Whoever may call tools may also read the tasks of the whole project with `get_task`; here a task is the answer
    /// to one call, and belongs to who made it.
    async fn find(&self, id: &str, context: &Context) -> Result<Arc<Task>, Error> {
        let task = self.look_up(id).await?;
        if is_of(&task, context) { Ok(task) } else { Err(Error::task_not_found()) }
    }

    /// The task `id` if the caller of `context` may see it: its own, and what no call began but a schedule or a webhook.
    async fn see(&self, id: &str, context: &Context) -> Result<Arc<Task>, Error> {
        let task = self.look_up(id).await?;
        let of_nobody = [Trigger::CRON, Trigger::GITHUB].contains(&task.trigger);
        if of_nobody || is_of(&task, context) { Ok(task) } else { Err(Error::task_not_found()) }
    }

    async fn look_up(&self, id: &str) -> Result<Arc<Task>, Error> {
        let task = self.office.task(id).await.map_err(|error| match error {
            tools::Error::Arguments(_) | tools::Error::NotFound { .. } => Error::task_not_found(),
            error => refusal(&error),
        })?;
        if self.registry.knows(&task) { Ok(task) } else { Err(Error::task_not_found()) }
    }
}

impl TaskHost for Tasks {
    fn get<'a>(&'a self, id: &'a str, context: &'a Context) -> BoxFuture<'a, Result<task::Task, Error>> {
        Box::pin(async move {
            let task = self.see(id, context).await?;
            // Who may not answer by `tasks/update` is not asked by it either.
            Ok(self.show(&task, self.asks(context) && is_of(&task, context)))
        })
    }

    fn tells<'a>(&'a self, id: &'a str, context: &'a Context) -> BoxFuture<'a, bool> {
        Box::pin(async move { self.see(id, context).await.is_ok() })
    }

    /// Answers are the decisions of whoever began the task. To turn away from a question leaves it open.
    fn update<'a>(
        &'a self,
        id: &'a str,
        responses: InputResponses,
        context: &'a Context,
    ) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async move {
            let task = self.find(id, context).await?;
            self.scopes.caller(context).require(Scope::Admin).map_err(|error| refusal(&error))?;
            let decisions = decisions(&task, &responses, context)?;
            let tasks = self.office.tasks().await.map_err(|error| refusal(&error.into()))?;
            for (step, decision) in decisions {
                match self.office.acts.decide(tasks, &task.task_id, Some(step), decision).await {
                    // Somebody else was faster, and that counts.
                    Ok(_) | Err(tasks::Error::Decided { .. } | tasks::Error::Final { .. }) => {}
                    Err(error) => return Err(refusal(&error.into())),
                }
            }
            Ok(())
        })
    }

    fn cancel<'a>(&'a self, id: &'a str, context: &'a Context) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async move {
            let task = self.find(id, context).await?;
            self.scopes.caller(context).require(Scope::Run).map_err(|error| refusal(&error))?;
            let tasks = self.office.tasks().await.map_err(|error| refusal(&error.into()))?;
            match self.office.acts.cancel(tasks, &task.task_id, context.caller()).await {
                // It ended by itself, which is all that a client that cancels wants to hear.
                Ok(_) | Err(tasks::Error::Final { .. }) => Ok(()),
                Err(tasks::Error::NotFound { .. }) => Err(Error::task_not_found()),
                Err(error) => Err(refusal(&error.into())),
            }
        })
    }
}

/// Whether the caller of `context` began `task`.
fn is_of(task: &Task, context: &Context) -> bool {
    task.caller.as_deref() == Some(&**context.caller())
}

/// What the answers decide, by the steps that asked. All of them are read before any is heeded, so that one that is
/// nonsense decides nothing.
fn decisions<'t>(
    task: &'t Task,
    responses: &InputResponses,
    context: &Context,
) -> Result<Vec<(&'t str, Decision)>, Error> {
    let mut decisions = Vec::new();
    for Waiting { step, .. } in &task.waiting {
        let Some(said) = responses.get(step).map(response) else { continue };
        match said.decision(context.caller()) {
            Some(decision) => {
                decision.check().map_err(|error| refusal(&error.into()))?;
                decisions.push((step.as_str(), decision));
            }
            None if said == tools::Reply::Unanswered => {}
            None => {
                let message = format!("the answer to `{step}` needs `approved`: true or false");
                return Err(Error::invalid_params(message));
            }
        }
    }
    Ok(decisions)
}

/// What the task asks, by the steps that ask it.
fn requests(task: &Task) -> InputRequests {
    let request = |waiting: &Waiting| {
        let question = form(&Form::approval(waiting));
        json!({ "method": question.method(), "params": question.params(Version::V2026_07_28) })
    };
    task.waiting.iter().map(|waiting| (waiting.step.clone(), request(waiting))).collect()
}

/// The same in words.
fn waiting(task: &Task) -> String {
    let asked: Vec<_> =
        task.waiting.iter().map(|waiting| format!("{} (`{}`)", waiting.question, waiting.step)).collect();
    format!("waiting for an approval: {}", asked.join("; "))
}

/// The last of all times in a record.
fn updated_at(task: &Task) -> Timestamp {
    let step = task.steps.last().map(|step| step.at);
    let asked = task.waiting.iter().map(|waiting| waiting.since).max();
    let times = [task.started_at, step, asked, task.completed_at];
    times.into_iter().flatten().fold(task.created_at, Timestamp::max)
}

/// From the beginning of a task to its last change.
fn age(task: &Task) -> Duration {
    Duration::try_from(updated_at(task).duration_since(task.created_at)).unwrap_or_default()
}

#[cfg(test)]
mod tests;

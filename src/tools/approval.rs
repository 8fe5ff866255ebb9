//! Calls whose work comes to wait for a person: whoever called is asked, if they can be and may decide.

use std::sync::Arc;

use super::{Answers, Ctx, Error, Inquiry, Reply, office::Office, question::APPROVALS};
use crate::{
    defs::Scope,
    tasks::{self, Kind, Status, Task},
};

impl Office {
    /// The task that this call began when it was made before and its caller was asked, if it is one of this kind that works
    /// on `target`.
    pub(super) async fn begun(
        &self,
        ctx: &Ctx,
        kind: &Kind,
        target: &str,
    ) -> Result<Option<Arc<Task>>, Error> {
        let Some(id) = ctx.answers().and_then(|answers| answers.task.as_ref()) else { return Ok(None) };
        let task = self.task(id.as_str()).await?;
        let own = task.caller.as_deref() == Some(ctx.caller().name());
        let fits = own && task.kind == *kind && task.target_name == target;
        Ok(fits.then_some(task))
    }

    /// Hands the caller's decisions to the task that this call began.
    pub(super) async fn decide(&self, ctx: &Ctx, task: &Task) -> Result<(), Error> {
        if ctx.caller().require(Scope::Admin).is_err() {
            return Ok(());
        }
        let said = |step: &str| ctx.answers().and_then(|answers| answers.replies.get(step));
        let tasks = self.tasks().await?;
        for waiting in &task.waiting {
            let decision = said(&waiting.step).and_then(|reply| reply.decision(ctx.caller().name()));
            let Some(decision) = decision else { continue };
            match self.acts.decide(tasks, &task.task_id, Some(&waiting.step), decision).await {
                // Somebody else was faster, and that counts.
                Ok(_) | Err(tasks::Error::Decided { .. } | tasks::Error::Final { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}

/// Whether `task`, which has come to rest, waits for approvals that its caller has to be told of, as they cannot be asked
/// or did not answer.
///
/// # Errors
/// [`Error::NeedInput`] asks them.
pub(super) fn waits(ctx: &Ctx, task: &Task) -> Result<bool, Error> {
    if task.status != Status::AwaitingApproval {
        return Ok(false);
    }
    let left_open = |answers: &&Answers| {
        task.waiting.iter().any(|waiting| answers.replies.get(&waiting.step) == Some(&Reply::Unanswered))
    };
    let may_decide = ctx.caller().scope() >= Scope::Admin;
    let asked = |answers: &&Answers| may_decide && answers.rounds < APPROVALS && !left_open(answers);
    match ctx.answers().filter(asked) {
        Some(_) => {
            let inquiry = Inquiry::approvals(task.task_id.clone(), &task.waiting);
            Err(Error::NeedInput(Box::new(inquiry)))
        }
        None => Ok(true),
    }
}

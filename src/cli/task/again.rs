//! `task cancel`, `task resume`, `task replay`, `task fork`, and `pipeline checkpoint resume`.

use clap::Args;

use super::{
    super::{
        args::{Form, Global, named_value},
        budget::Granted,
        exit::{Error, Outcome},
        render,
    },
    elsewhere, id, kept, see_through,
};
use crate::{
    app::Environment,
    engine::{Again, Changes},
};

#[derive(Debug, Args)]
pub(in crate::cli) struct ResumeArgs {
    /// Id of the task
    id: String,
    /// Model to go on with, in place of every other choice
    #[arg(long)]
    model: Option<String>,
    #[command(flatten)]
    limits: Granted,
    /// Go on even if the pipeline was changed since the task began
    #[arg(long)]
    force: bool,
    /// Go on with the other steps when one fails, whatever the pipeline says
    #[arg(long)]
    no_fail_fast: bool,
    /// Steps that failed are always tried again: this is here for scripts that say so
    #[arg(long, hide = true)]
    retry_failed: bool,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct ForkArgs {
    /// Id of the task
    id: String,
    /// The first step to do anew: its name as `task show` tells it, its id or its number
    #[arg(long)]
    step: String,
    /// A value in place of the one the task had: --arg target=src
    #[arg(long = "arg", value_name = "NAME=VALUE", value_parser = named_value)]
    named: Vec<(String, String)>,
    /// Model to use in place of every other choice
    #[arg(long)]
    model: Option<String>,
    /// Go on even if the pipeline was changed since the task began
    #[arg(long)]
    force: bool,
}

pub(super) async fn cancel(global: &Global, task: &str, env: &Environment) -> Result<Outcome, Error> {
    let id = id(task)?;
    let office = kept(global, env)?;
    let tasks =
        office.tasks().await.map_err(|error| elsewhere(error, &format!("POST /tasks/{id}/cancel")))?;
    let task = office.acts.cancel(tasks, &id, "cli").await?;
    match global.form() {
        Form::Json => render::json(&task)?,
        Form::Text => render::note(&format!("task {id} is cancelled")),
    }
    Ok(Outcome::Done)
}

pub(in crate::cli) async fn resume(
    global: &Global,
    args: &ResumeArgs,
    env: &Environment,
) -> Result<Outcome, Error> {
    let budget = args.limits.budget();
    let fail_fast = args.no_fail_fast.then_some(false);
    let changes =
        Changes { model: args.model.clone(), budget, fail_fast, force: args.force, ..Changes::default() };
    again(global, &args.id, ("resume", &Again::Resume), changes, env).await
}

pub(super) async fn replay(global: &Global, id: &str, env: &Environment) -> Result<Outcome, Error> {
    again(global, id, ("replay", &Again::Replay), Changes::default(), env).await
}

pub(super) async fn fork(global: &Global, args: &ForkArgs, env: &Environment) -> Result<Outcome, Error> {
    let changes = Changes {
        args: args.named.iter().cloned().collect(),
        model: args.model.clone(),
        force: args.force,
        ..Changes::default()
    };
    again(global, &args.id, ("fork", &Again::Fork(args.step.clone())), changes, env).await
}

/// Has it done again here, and sees it through.
async fn again(
    global: &Global,
    task: &str,
    (word, how): (&str, &Again),
    changes: Changes,
    env: &Environment,
) -> Result<Outcome, Error> {
    id(task)?;
    let office = kept(global, env)?;
    let tasks =
        office.tasks().await.map_err(|error| elsewhere(error, &format!("POST /tasks/{task}/{word}")))?;
    let changes = Changes { caller: Some("cli".to_owned()), ..changes };
    let doing = office.again(task, how, changes, None).await?;
    if *how != Again::Resume {
        render::note(&format!("task {}", doing.task_id));
    }
    see_through(global, tasks, &doing.task_id).await
}

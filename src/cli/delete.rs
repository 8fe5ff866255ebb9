//! `knowlyr-crew delete`.

use std::io::{self, IsTerminal as _};

use clap::Args;
use serde_json::json;

use super::{
    args::{Form, Global},
    exit::{Error, Outcome},
    render,
    run::crew,
};
use crate::{
    app::Environment,
    catalog::Snapshot,
    defs::{Target, TargetKind},
    engine::author,
    tools,
};

/// The words of `delete`.
#[derive(Debug, Args)]
pub(super) struct DeleteArgs {
    /// Name or trigger
    name: String,
    /// Do not ask
    #[arg(long)]
    force: bool,
}

/// Removes the files of an employee, and says who counted on it.
pub(super) async fn delete(global: &Global, args: &DeleteArgs, env: &Environment) -> Result<Outcome, Error> {
    let crew = crew(global, env).crew;
    let name = crew.employee(&args.name).await?.name.clone();
    let definitions = crew.definitions().await;
    let Some(entry) = definitions.employee(&name) else { return Ok(Outcome::Failed) };
    if !args.force && !is_meant(&entry.path)? {
        render::note("nothing was removed");
        return Ok(Outcome::Failed);
    }
    let removed = author::remove(crew.root(), entry).map_err(tools::Error::from)?;
    for user in users(&definitions, &name) {
        render::note(&format!("warning: {user} names `{name}`"));
    }
    match global.form() {
        Form::Json => render::json(&json!({"name": name, "removed": [removed]}))?,
        Form::Text => render::answer(&format!("removed {removed}"))?,
    }
    Ok(Outcome::Done)
}

/// Asks whoever is there.
fn is_meant(path: &str) -> Result<bool, Error> {
    if !io::stdin().is_terminal() {
        let message = format!("`{path}` would be removed, and nobody can be asked: add `--force`");
        return Err(tools::Error::Arguments(message).into());
    }
    render::note(&format!("remove {path}? [y/N]"));
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
}

/// The files of pipelines, discussions, routes and schedules that name the employee `name`.
fn users<'d>(definitions: &'d Snapshot, name: &str) -> Vec<&'d str> {
    let is_it = |called: &str| definitions.employee(called).is_some_and(|entry| entry.employee.name == name);
    let pipelines = definitions
        .pipelines
        .values()
        .filter(|entry| entry.pipeline.steps().any(|step| is_it(&step.employee)));
    let discussions = definitions
        .discussions
        .values()
        .filter(|entry| entry.discussion.participants.iter().any(|who| is_it(&who.employee)));
    let is_meant = |target: &Target| target.kind == TargetKind::Employee && is_it(&target.name);
    let routes = definitions.webhook.iter().flat_map(|webhook| &webhook.routes);
    let schedules = definitions.cron.iter().flat_map(|cron| &cron.schedules);
    let of_schedule = |added: bool| if added { ".crew/schedules.json" } else { ".crew/cron.yaml" };
    let mut users: Vec<&str> = pipelines
        .map(|entry| entry.path.as_str())
        .chain(discussions.map(|entry| entry.path.as_str()))
        .chain(routes.filter(|route| is_meant(&route.target)).map(|_| ".crew/webhook.yaml"))
        .chain(schedules.filter(|one| is_meant(&one.target)).map(|one| of_schedule(one.added)))
        .collect();
    users.dedup();
    users
}

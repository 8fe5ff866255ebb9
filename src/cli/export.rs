//! `knowlyr-crew export`, `export-all` and `sync`.

use std::path::PathBuf;

use serde_json::json;

use super::{
    args::{ExportAllArgs, ExportArgs, Form, Global, SyncArgs, Target},
    exit::{Error, Outcome},
    render,
    run::crew,
};
use crate::{
    app::Environment,
    defs::{self, Foreign},
    engine::{self, Exchange, Exchanged},
};

pub(super) async fn export(global: &Global, args: &ExportArgs, env: &Environment) -> Result<Outcome, Error> {
    let employee = crew(global, env).crew.employee(&args.name).await?;
    if args.output.as_ref().is_some_and(|path| path.as_os_str() == "-") {
        let text = defs::export(&employee, form(args.target));
        match global.form() {
            Form::Json => render::json(&json!({"name": employee.name, "text": text}))?,
            Form::Text => render::answer(&text)?,
        }
        return Ok(Outcome::Done);
    }
    let exchange = exchange(global, args.target, args.output.clone(), args.force, false);
    tell(global, &[exchange.write(&employee)])
}

pub(super) async fn export_all(
    global: &Global,
    args: &ExportAllArgs,
    env: &Environment,
) -> Result<Outcome, Error> {
    let definitions = crew(global, env).crew.definitions().await;
    let exchange = exchange(global, args.target, args.output.clone(), args.force, false);
    tell(global, &exchange.sync(&definitions, false))
}

pub(super) async fn sync(global: &Global, args: &SyncArgs, env: &Environment) -> Result<Outcome, Error> {
    let definitions = crew(global, env).crew.definitions().await;
    let exchange = exchange(global, args.target, args.output.clone(), args.force, args.dry_run);
    tell(global, &exchange.sync(&definitions, args.clean))
}

fn exchange(global: &Global, target: Target, to: Option<PathBuf>, force: bool, dry_run: bool) -> Exchange {
    Exchange { root: to.unwrap_or_else(|| global.root()), form: form(target), force, dry_run }
}

fn form(target: Target) -> Foreign {
    match target {
        Target::Skills => Foreign::Skill,
        Target::Agents => Foreign::Agent,
    }
}

fn tell(global: &Global, done: &[Exchanged]) -> Result<Outcome, Error> {
    let count = |outcome| done.iter().filter(|done| done.outcome == outcome).count();
    let refused = count(engine::Outcome::Refused);
    match global.form() {
        Form::Json => render::json(&json!({"files": done, "refused": refused}))?,
        Form::Text => {
            for done in done {
                let word = match done.outcome {
                    engine::Outcome::Written => "written",
                    engine::Outcome::Removed => "removed",
                    engine::Outcome::Unchanged => continue,
                    engine::Outcome::Refused => {
                        render::note(&format!("refused: {}", done.reason.as_deref().unwrap_or(&done.path)));
                        continue;
                    }
                };
                render::answer(&format!("{word} {}", done.path))?;
            }
            render::answer(&format!(
                "{} written, {} unchanged, {} removed, {refused} refused",
                count(engine::Outcome::Written),
                count(engine::Outcome::Unchanged),
                count(engine::Outcome::Removed),
            ))?;
        }
    }
    Ok(if refused == 0 { Outcome::Done } else { Outcome::Failed })
}

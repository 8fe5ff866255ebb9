//! `knowlyr-crew discuss`.

mod args;
mod held;
mod show;

use serde_json::json;

use self::args::{AdHocArgs, DiscussCommand, HowToDiscuss};
pub(super) use self::{
    args::DiscussArgs,
    held::{afterwards, ended},
};
use super::{
    args::{Form, Global},
    exit::{Error, Outcome},
    files, meetings,
    output::Output,
    render,
    run::crew,
};
use crate::{
    app::Environment,
    defs::{AdHoc, Discussion, TargetKind},
    engine::Args,
    tools::{self, Office},
};

pub(super) async fn discuss(
    global: &Global,
    args: &DiscussArgs,
    env: &Environment,
) -> Result<Outcome, Error> {
    match &args.command {
        DiscussCommand::Run(args) if args.how.execute => {
            let name = files::name_of(global, env, TargetKind::Discussion, &args.name).await?;
            held::run(global, env, held::What::Named(&name), &args.named, &args.how).await
        }
        DiscussCommand::Adhoc(args) if args.how.execute => {
            held::run(global, env, held::What::MadeUp(wanted(args)), &args.named, &args.how).await
        }
        DiscussCommand::List => list(global, &crew(global, env)).await,
        DiscussCommand::Show { name } => show::show(global, &crew(global, env), name).await,
        DiscussCommand::History { limit, keyword } => {
            meetings::list(global, (*limit).into(), keyword.as_deref())
        }
        DiscussCommand::PlanToPipeline { id, output } => {
            held::plan(global, &crew(global, env), id, output.as_deref()).await
        }
        DiscussCommand::View { id } => meetings::show(global, id),
        DiscussCommand::Run(args) => {
            let office = crew(global, env);
            let name = files::name_of(global, env, TargetKind::Discussion, &args.name).await?;
            let discussion = office.crew.discussion(&name).await?;
            told(global, &office, &discussion, &args.named, &args.how).await
        }
        DiscussCommand::Adhoc(args) => {
            let discussion = wanted(args).discussion();
            let discussion = discussion.map_err(|message| Error::Tool(tools::Error::Arguments(message)))?;
            told(global, &crew(global, env), &discussion, &args.named, &args.how).await
        }
    }
}

async fn list(global: &Global, office: &Office) -> Result<Outcome, Error> {
    let definitions = office.crew.definitions().await;
    render::findings_on(render::Topic::Discussions, &definitions.findings);
    let entries = definitions.discussions.iter();
    let people = |discussion: &Discussion| -> Vec<String> {
        discussion.participants.iter().map(|who| who.employee.clone()).collect()
    };
    match global.form() {
        Form::Json => {
            let rows: Vec<_> = entries
                .map(|(name, entry)| {
                    json!({
                        "name": name,
                        "description": entry.discussion.description,
                        "participants": people(&entry.discussion),
                        "rounds": entry.discussion.rounds.len(),
                        "args": entry.discussion.required_args(),
                        "path": entry.path,
                    })
                })
                .collect();
            render::json(&rows)?;
        }
        Form::Text if definitions.discussions.is_empty() => {
            render::note("There are no discussions here yet; they are files in `.crew/discussions`.");
        }
        Form::Text => {
            let rows = entries.map(|(name, entry)| {
                [
                    name.clone(),
                    entry.discussion.rounds.len().to_string(),
                    people(&entry.discussion).join(", "),
                    entry.discussion.required_args().join(", "),
                    entry.discussion.description.clone(),
                ]
            });
            let header = ["NAME", "ROUNDS", "PARTICIPANTS", "ARGUMENTS", "DESCRIPTION"];
            render::answer(&render::table(header, rows))?;
        }
    }
    Ok(Outcome::Done)
}

fn wanted(args: &AdHocArgs) -> AdHoc {
    AdHoc {
        employees: args.employees.clone(),
        topic: args.topic.clone(),
        goal: args.goal.clone().unwrap_or_default(),
        rounds: args.rounds,
        round_template: args.round_template.clone(),
        output_format: args.output_format.into(),
    }
}

async fn told(
    global: &Global,
    office: &Office,
    discussion: &Discussion,
    named: &[(String, String)],
    how: &HowToDiscuss,
) -> Result<Outcome, Error> {
    how.old.tell();
    let output = Output::begin(how.output.as_deref())?;
    let args: Args = named.iter().cloned().collect();
    if how.orchestrated {
        // A plan is for a program, whichever form is asked for.
        output.give_json(&office.crew.plan_discussion(discussion, &args).await?)?;
        return Ok(Outcome::Done);
    }
    let prompt = office.crew.render_discussion(discussion, &args).await?;
    match global.form() {
        Form::Json => output.give_json(&json!({"discussion": discussion.name, "prompt": prompt}))?,
        Form::Text => output.give(&prompt)?,
    }
    Ok(Outcome::Done)
}

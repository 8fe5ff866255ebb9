//! `knowlyr-crew skill`: what is laid before employees when a task calls for it.

use clap::{Args, Subcommand};

use super::{
    args::{Form, Global},
    exit::{Error, Outcome},
    render,
    run::crew,
};
use crate::{
    app::Environment,
    base::text::visible,
    engine::{MOST_SKILLS, SkillAnswer, SkillTrial},
    tools::{self, Office},
};

/// The words of `skill`.
#[derive(Debug, Args)]
pub(super) struct SkillArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the skills of employees
    List {
        /// Name or trigger; all employees, unless given
        employee: Option<String>,
    },
    /// Show one skill
    Show {
        /// Name or trigger of the employee
        employee: String,
        /// Name of the skill
        name: String,
    },
    /// Tell which skills a task calls for, why, and what they would bring into the prompt
    Test {
        /// Name or trigger of the employee
        employee: String,
        /// What it would be asked to do
        task: String,
    },
    /// Tell how often skills were used, when last, and how much they brought
    Stats {
        /// Name or trigger; all employees, unless given
        employee: Option<String>,
    },
}

pub(super) async fn skill(global: &Global, args: &SkillArgs, env: &Environment) -> Result<Outcome, Error> {
    let office = crew(global, env);
    match &args.command {
        Command::List { employee } => list(global, &office, employee.as_deref()).await,
        Command::Show { employee, name } => show(&office, employee, name).await,
        Command::Test { employee, task } => test(global, &office, employee, task).await,
        Command::Stats { employee } => stats(global, &office, employee.as_deref()).await,
    }
}

async fn list(global: &Global, office: &Office, employee: Option<&str>) -> Result<Outcome, Error> {
    let skills = office.crew.skills_with_counts(employee).await?;
    match global.form() {
        Form::Json => render::json(&skills)?,
        Form::Text if skills.is_empty() => {
            render::note("No employee has a skill; they are files of `.crew/skills/<employee>/`.");
        }
        Form::Text => {
            let rows = skills.iter().map(|SkillAnswer { employee, skill, .. }| {
                let actions: Vec<_> = skill.actions.iter().map(crate::defs::SkillAction::kind).collect();
                let state = if skill.enabled { skill.metadata.priority.as_str() } else { "off" };
                [
                    visible(&skill.name),
                    employee.clone(),
                    skill.trigger.kind().to_owned(),
                    state.to_owned(),
                    actions.join(", "),
                    visible(&skill.description),
                ]
            });
            let heads = ["SKILL", "EMPLOYEE", "TRIGGER", "PRIORITY", "BRINGS", "DESCRIPTION"];
            render::answer(&render::table(heads, rows))?;
        }
    }
    Ok(Outcome::Done)
}

/// One document, whole, is JSON either way.
async fn show(office: &Office, employee: &str, name: &str) -> Result<Outcome, Error> {
    let skills = office.crew.skills_with_counts(Some(employee)).await?;
    let Some(found) = skills.iter().find(|found| found.skill.name == name) else {
        let names = skills.iter().map(|found| found.skill.name.as_str());
        return Err(tools::Error::not_found("skill", name, names).into());
    };
    render::json(found)?;
    Ok(Outcome::Done)
}

async fn test(global: &Global, office: &Office, employee: &str, task: &str) -> Result<Outcome, Error> {
    let employee = office.crew.employee(employee).await?;
    let SkillTrial { employee, skills, section } = office.crew.try_skills(&employee, task).await;
    if global.form() == Form::Json {
        render::json(&SkillTrial { employee, skills, section })?;
        return Ok(Outcome::Done);
    }
    if skills.is_empty() {
        render::note(&format!("`{employee}` has no skill; they are files of `.crew/skills/{employee}/`."));
        return Ok(Outcome::Done);
    }
    let rows = skills.iter().map(|tried| {
        let verdict = match (tried.fires, tried.used) {
            (_, true) => "yes",
            (true, false) => "too many",
            (false, false) => "no",
        };
        [
            visible(&tried.name),
            tried.trigger.to_owned(),
            verdict.to_owned(),
            tried.bytes.to_string(),
            visible(&tried.because),
        ]
    });
    render::answer(&render::table(["SKILL", "TRIGGER", "USED", "BYTES", "BECAUSE"], rows))?;
    if skills.iter().any(|tried| tried.fires && !tried.used) {
        render::note(&format!("at most {MOST_SKILLS} skills are used for a task; the priority says which"));
    }
    for tried in &skills {
        for problem in &tried.problems {
            render::note(&format!("`{}` cannot bring all: {}", visible(&tried.name), visible(problem)));
        }
    }
    if let Some(section) = &section {
        render::answer(&format!("\n{section}"))?;
    }
    Ok(Outcome::Done)
}

async fn stats(global: &Global, office: &Office, employee: Option<&str>) -> Result<Outcome, Error> {
    let mut counts = office.crew.skill_counts().await;
    if let Some(name) = employee {
        let employee = office.crew.employee(name).await?;
        counts.retain(|count| count.employee == employee.name);
    }
    match global.form() {
        Form::Json => render::json(&counts)?,
        Form::Text if counts.is_empty() => render::note("No skill was used yet."),
        Form::Text => {
            let rows = counts.iter().map(|count| {
                let last = count.last_triggered_at.map(render::moment);
                [
                    visible(&count.skill),
                    visible(&count.employee),
                    count.triggered.to_string(),
                    count.failed.to_string(),
                    count.bytes.to_string(),
                    last.unwrap_or_default(),
                ]
            });
            let heads = ["SKILL", "EMPLOYEE", "USED", "FAILED", "BYTES", "LAST"];
            render::answer(&render::table(heads, rows))?;
        }
    }
    Ok(Outcome::Done)
}

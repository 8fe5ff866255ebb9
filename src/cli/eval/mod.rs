//! `knowlyr-crew eval`: what employees decided, and what came of it.

mod args;
mod look;

pub(super) use args::EvalArgs;

use self::args::{Command, RunArgs, TrackArgs};
use super::{
    args::{Form, Global},
    exit::{Error, Outcome},
    render, run,
};
use crate::{
    app::Environment,
    base::text::visible,
    engine::{
        self, Crew,
        evaluation::{self, Decision, Filter, New, Remembered},
    },
    tools::{self, Office},
};

/// Who evaluates from here.
const HERE: &str = "cli";

pub(super) async fn eval(global: &Global, args: &EvalArgs, env: &Environment) -> Result<Outcome, Error> {
    let office = run::crew(global, env);
    let asked = Asked { global, office: &office };
    match &args.command {
        Command::Track(args) => track(&asked, args).await,
        Command::Run(args) => evaluate(&asked, args).await,
        Command::Delete { id } => delete(&asked, id).await,
        Command::List(args) => look::list(&asked, args).await,
        Command::Show { id } => look::show(&asked, id).await,
        Command::Prompt { id } => look::prompt(&asked, id).await,
        Command::Overdue(args) => look::overdue(&asked, args).await,
        Command::Calibration(args) => look::calibration(&asked, args).await,
    }
}

/// A command, and the project it is about.
struct Asked<'a> {
    global: &'a Global,
    office: &'a Office,
}

impl Asked<'_> {
    fn crew(&self) -> &Crew {
        &self.office.crew
    }

    /// The name that decisions of `name` are kept under: that of an employee, or with `force` any.
    ///
    /// # Errors
    /// When there is no such employee.
    async fn employee(&self, name: &str, force: bool) -> Result<String, Error> {
        match self.crew().employee(name).await {
            Ok(employee) => Ok(employee.name.clone()),
            Err(_) if force && is_name(name) => Ok(name.trim().to_owned()),
            Err(engine::Error::UnknownEmployee { name, hint }) => {
                let hint = hint.unwrap_or_else(|| "--force keeps it all the same".to_owned());
                let name = visible(&name);
                Err(tools::Error::NotFound { what: "employee", name, hint: Some(hint) }.into())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Decisions of the employee `name`, or of whoever else has some; of all, when no name is given.
    ///
    /// # Errors
    /// When there is neither.
    async fn whose(&self, name: Option<&str>) -> Result<Filter, Error> {
        Ok(tools::decisions_of(self.office, name).await?)
    }
}

/// Whether decisions may be kept under a name that is nobody's.
fn is_name(name: &str) -> bool {
    let name = name.trim();
    !name.is_empty() && name.chars().count() <= 200 && !name.contains(char::is_control)
}

async fn track(asked: &Asked<'_>, args: &TrackArgs) -> Result<Outcome, Error> {
    let new = New {
        employee: asked.employee(&args.employee, args.force).await?,
        category: args.category,
        content: args.content.clone(),
        expected_outcome: args.expected.clone(),
        expected: args.numbers.expected(),
        deadline: args.deadline.clone(),
        meeting_id: args.meeting_id.clone(),
        task_id: args.task_id.clone(),
        unlinked: args.force,
    };
    let decision = asked.crew().decisions(move |evaluations| evaluations.track(&new)).await?;
    told(asked, "tracked", &decision)
}

async fn evaluate(asked: &Asked<'_>, args: &RunArgs) -> Result<Outcome, Error> {
    let outcome = evaluation::Outcome {
        actual_outcome: args.actual.clone(),
        evaluation: args.evaluation.clone(),
        actual_value: args.value,
        occurred: args.occurred,
        score: args.score,
        lesson: args.lesson.clone(),
        evaluated_at: String::new(),
        evaluated_by: HERE.to_owned(),
    };
    let done = asked.crew().evaluate_decision(&args.id, outcome).await?;
    match asked.global.form() {
        Form::Json => render::json(&done)?,
        Form::Text => {
            let what = match (done.is_new, done.decision.history.is_empty()) {
                (false, _) => "known already".to_owned(),
                (true, true) => "evaluated".to_owned(),
                (true, false) => format!("evaluated, version {}", done.decision.history.len() + 1),
            };
            let evaluation = visible(&done.decision.outcome.evaluation);
            render::answer(&format!("{what}: {}\n{evaluation}", brief(&done.decision)))?;
        }
    }
    if let Some(lacks) = done.lacks {
        let word = if lacks == "occurred" { "--occurred" } else { "--value" };
        render::note(&format!("Without {word} it does not count towards the calibration."));
    }
    match done.memory {
        Remembered::Failed => {
            let why = done.memory_error.unwrap_or_default();
            let told =
                format!("the evaluation is kept, but not remembered: {why}; evaluate once more to try again");
            render::note(&told);
            return Ok(Outcome::Failed);
        }
        Remembered::Off => render::note("The employee has no memory, so it is not remembered."),
        Remembered::Added => render::note("It is remembered as a correction."),
        Remembered::Corrected => render::note("It is remembered in place of the evaluation before."),
        Remembered::Known => {}
    }
    Ok(Outcome::Done)
}

async fn delete(asked: &Asked<'_>, id: &str) -> Result<Outcome, Error> {
    let id = id.to_owned();
    let decision = asked.crew().decisions(move |evaluations| evaluations.delete(&id)).await?;
    told(asked, "deleted", &decision)
}

fn told(asked: &Asked<'_>, done: &str, decision: &Decision) -> Result<Outcome, Error> {
    match asked.global.form() {
        Form::Json => render::json(decision)?,
        Form::Text => render::answer(&format!("{done}: {}", brief(decision)))?,
    }
    Ok(Outcome::Done)
}

/// `[id] (category) content`, on one line.
fn brief(decision: &Decision) -> String {
    format!("[{}] ({}) {}", visible(&decision.id), decision.category.as_str(), visible(&decision.content))
}

//! `knowlyr-crew run`.

use super::{
    args::{Form, Global, RunArgs},
    exit::{Error, Outcome},
    render,
};
use crate::{
    app::{self, Environment, Journal, Settings},
    base::{Tracker, text::closest},
    defs::Employee,
    engine::{Answer, Given},
    tools::Office,
};

/// The project as one command sees it. What it runs is over when it ends, so no task is kept.
pub(super) fn crew(global: &Global, env: &Environment) -> Office {
    app::open(&global.root(), Settings::read(env), Journal::None, &Tracker::new())
}

pub(super) async fn run(global: &Global, args: &RunArgs, env: &Environment) -> Result<Outcome, Error> {
    let office = crew(global, env);
    let employee = office.crew.employee(&args.name).await?;
    for (name, _) in &args.named {
        warn_of_stranger(&employee, name);
    }
    let given = Given { named: args.named.iter().cloned().collect(), positional: args.args.clone() };
    if !args.execute {
        let prompt = office.crew.render(&employee, &given).await?;
        match global.form() {
            Form::Json => render::json(&serde_json::json!({"employee": employee.name, "prompt": prompt}))?,
            Form::Text => render::answer(&prompt)?,
        }
        return Ok(Outcome::Done);
    }
    tokio::select! {
        answer = office.crew.answer(&employee, &given, args.model.as_deref()) => told(global, &answer?),
        interrupted = tokio::signal::ctrl_c() => interrupted.map(|()| Outcome::Interrupted).map_err(Error::from),
    }
}

fn told(global: &Global, answer: &Answer) -> Result<Outcome, Error> {
    match global.form() {
        Form::Json => render::json(answer)?,
        Form::Text => {
            render::answer(&answer.output)?;
            render::note(&format!(
                "{}: {} tokens in, {} out, {} ms",
                answer.model, answer.input_tokens, answer.output_tokens, answer.duration_ms
            ));
        }
    }
    Ok(Outcome::Done)
}

/// A value nobody takes is most likely misspelt.
fn warn_of_stranger(employee: &Employee, name: &str) {
    let known = || employee.args.iter().map(|arg| arg.name.as_str());
    if known().any(|arg| arg == name) {
        return;
    }
    let hint = closest(name, known()).map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
    render::note(&format!("warning: `{}` takes no argument `{name}`{hint}", employee.name));
}

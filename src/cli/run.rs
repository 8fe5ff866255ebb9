//! `knowlyr-crew run`.

use std::ops::ControlFlow;

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
pub(super) fn crew(global: &Global, env: &Environment) -> Result<Office, Error> {
    open(global, env, Journal::None)
}

/// The project, its tasks kept as `journal` says.
pub(super) fn open(global: &Global, env: &Environment, journal: Journal) -> Result<Office, Error> {
    let root = global.root();
    let settings = Settings::read(env, &root).map_err(anyhow::Error::from)?;
    Ok(app::open(&root, settings, journal, &Tracker::new()))
}

pub(super) async fn run(global: &Global, args: &RunArgs, env: &Environment) -> Result<Outcome, Error> {
    let office = crew(global, env)?;
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
    let aloud = global.form() == Form::Text && !args.no_stream;
    let work = async {
        let model = args.model.as_deref();
        if aloud {
            return aloud_to_its_end(&office, &employee, &given, model).await;
        }
        let answer = office.crew.answer(&employee, &given, model).await?;
        match global.form() {
            Form::Json => render::json(&answer)?,
            Form::Text => render::answer(&answer.output)?,
        }
        Ok(answer)
    };
    tokio::select! {
        answer = work => {
            let answer = answer?;
            if global.form() == Form::Text {
                render::note(&account(&answer));
            }
            Ok(Outcome::Done)
        }
        interrupted = tokio::signal::ctrl_c() => interrupted.map(|()| Outcome::Interrupted).map_err(Error::from),
    }
}

/// Prints the answer while it comes in. A reader that has gone away ends the call.
async fn aloud_to_its_end(
    office: &Office,
    employee: &Employee,
    given: &Given,
    model: Option<&str>,
) -> Result<Answer, Error> {
    let mut print = render::Pieces::default();
    let mut broken = None;
    let say = |text: &str| match print.piece(text) {
        Ok(()) => ControlFlow::Continue(()),
        Err(error) => {
            broken = Some(error);
            ControlFlow::Break(())
        }
    };
    let answer = office.crew.answer_aloud(employee, given, model, say).await;
    if let Some(error) = broken {
        return Err(error.into());
    }
    print.end()?;
    Ok(answer?)
}

fn account(answer: &Answer) -> String {
    let cost = answer.cost_usd.map(|cost| format!(", {cost:.6} USD")).unwrap_or_default();
    let Answer { model, input_tokens, output_tokens, duration_ms, .. } = answer;
    format!("{model}: {input_tokens} tokens in, {output_tokens} out{cost}, {duration_ms} ms")
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

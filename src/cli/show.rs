//! `knowlyr-crew show`.

use std::fmt::Write as _;

use super::{
    args::{Form, Global, ShowArgs},
    exit::{Error, Outcome},
    render,
    run::crew,
};
use crate::{
    app::Environment,
    defs::{Arg, Employee},
};

pub(super) async fn show(global: &Global, args: &ShowArgs, env: &Environment) -> Result<Outcome, Error> {
    let office = crew(global, env);
    let employee = office.crew.employee(&args.name).await?;
    match global.form() {
        Form::Json => render::json(&employee)?,
        Form::Text => render::answer(&text(&employee))?,
    }
    Ok(Outcome::Done)
}

fn text(employee: &Employee) -> String {
    let rows = [
        ("name", employee.name.clone()),
        ("role", employee.title().to_owned()),
        ("person", employee.character_name.clone()),
        ("description", employee.description.clone()),
        ("version", employee.version.clone()),
        ("author", employee.author.clone()),
        ("tags", employee.tags.join(", ")),
        ("triggers", employee.triggers.join(", ")),
        ("model", employee.model.clone().unwrap_or_default()),
        ("tools", employee.tools.join(", ")),
        ("context", employee.context.join(", ")),
    ];
    let mut text = String::new();
    for (label, value) in rows.iter().filter(|(_, value)| !value.is_empty()) {
        let _ = writeln!(text, "{label:<12} {value}");
    }
    for arg in &employee.args {
        let _ = writeln!(text, "{:<12} {}", "argument", argument(arg));
    }
    let _ = write!(text, "\n{}", employee.body.trim());
    for adaptor in &employee.adaptors {
        let _ = write!(text, "\n\n--- for {} projects ---\n\n{}", adaptor.name, adaptor.body.trim());
    }
    text
}

fn argument(arg: &Arg) -> String {
    let need = match (&arg.default, arg.required) {
        (Some(default), _) => format!(" (default `{default}`)"),
        (None, true) => " (required)".to_owned(),
        (None, false) => String::new(),
    };
    let description =
        if arg.description.is_empty() { String::new() } else { format!(": {}", arg.description) };
    format!("{}{need}{description}", arg.name)
}

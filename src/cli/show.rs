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
    defs::{AgentStatus, Arg, Employee, Origin, Output},
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

/// The same as JSON in any case, for programs written for it.
pub(super) async fn as_json(global: &Global, args: &ShowArgs, env: &Environment) -> Result<Outcome, Error> {
    render::json(&crew(global, env).crew.employee(&args.name).await?)?;
    Ok(Outcome::Done)
}

/// Everything a definition says besides its arguments and instructions.
fn rows(employee: &Employee) -> Vec<(&'static str, String)> {
    let optional = |value: &Option<String>| value.clone().unwrap_or_default();
    let number = |value: Option<String>| value.unwrap_or_default();
    let is_usual = employee.output == Output::default();
    let output =
        format!("{:?} {} in {}", employee.output.format, employee.output.filename, employee.output.dir);
    let status = match employee.agent_status {
        AgentStatus::Active => "",
        AgentStatus::Frozen => "frozen",
        AgentStatus::Inactive => "inactive",
    };
    let mut rows = vec![
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
        ("summary", employee.summary.clone()),
        ("bio", employee.bio.clone()),
        ("domains", employee.domains.join(", ")),
        ("kpi", employee.kpi.join(", ")),
        ("model tier", employee.model_tier.clone()),
        ("base url", optional(&employee.base_url)),
        ("api key", optional(&employee.api_key)),
        ("fallback", optional(&employee.fallback_model)),
        ("its url", optional(&employee.fallback_base_url)),
        ("its key", optional(&employee.fallback_api_key)),
        ("temperature", number(employee.temperature.map(|value| value.to_string()))),
        ("max tokens", number(employee.max_tokens.map(|value| value.to_string()))),
        ("thinking", number(employee.thinking.map(|value| value.to_string()))),
        ("agent id", optional(&employee.agent_id)),
        ("status", status.to_owned()),
        ("remembers", if employee.auto_memory { "by itself".to_owned() } else { String::new() }),
        (
            "permissions",
            number(employee.permissions.as_ref().and_then(|given| serde_json::to_string(given).ok())),
        ),
        ("portrait", employee.avatar_prompt.clone()),
        ("research", employee.research_instructions.clone()),
        ("output", if is_usual { String::new() } else { output }),
        ("hash", employee.recorded_hash.clone()),
    ];
    if employee.origin != Origin::Crew {
        rows.push(("written as", format!("{:?}", employee.origin).to_lowercase()));
    }
    rows
}

fn text(employee: &Employee) -> String {
    let mut text = String::new();
    for (label, value) in rows(employee).iter().filter(|(_, value)| !value.is_empty()) {
        let _ = writeln!(text, "{label:<12} {value}");
    }
    for (name, value) in &employee.extra {
        let _ = writeln!(text, "{:<12} {name}: {value}", "kept");
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

//! `knowlyr-crew list`.

use serde_json::json;

use super::{
    args::{Form, Global, ListArgs},
    exit::{Error, Outcome},
    render,
    run::crew,
};
use crate::app::Environment;

pub(super) async fn list(global: &Global, args: &ListArgs, env: &Environment) -> Result<Outcome, Error> {
    let office = crew(global, env);
    let definitions = office.crew.definitions().await;
    render::findings_on(render::Topic::Employees, &definitions.findings);
    let fits = |tags: &[String]| args.tag.as_ref().is_none_or(|tag| tags.contains(tag));
    let entries = definitions.employees.values();
    let entries = entries.filter(|entry| args.layer.is_none_or(|layer| entry.layer == layer));
    let entries = entries.filter(|entry| fits(&entry.employee.tags));
    let entries: Vec<_> = entries.collect();
    match global.form() {
        Form::Json => {
            let rows: Vec<_> = entries
                .iter()
                .map(|entry| {
                    json!({
                        "name": entry.employee.name,
                        "display_name": entry.employee.title(),
                        "character_name": entry.employee.character_name,
                        "description": entry.employee.description,
                        "tags": entry.employee.tags,
                        "triggers": entry.employee.triggers,
                        "tools": entry.employee.tools,
                        "context": entry.employee.context,
                        "agent_id": entry.employee.agent_id,
                        "model": entry.employee.model,
                        "layer": entry.layer.to_string(),
                        "path": entry.path,
                    })
                })
                .collect();
            render::json(&rows)?;
        }
        Form::Text if definitions.employees.is_empty() => {
            render::note(
                "There are no employees here yet; `knowlyr-crew init --employee NAME` makes the first.",
            );
        }
        Form::Text if entries.is_empty() => render::note("There is no such employee here."),
        Form::Text => {
            let rows = entries.iter().map(|entry| {
                let employee = &entry.employee;
                [
                    employee.name.clone(),
                    employee.title().to_owned(),
                    employee.tags.join(", "),
                    entry.layer.to_string(),
                    employee.description.clone(),
                ]
            });
            render::answer(&render::table(["NAME", "ROLE", "TAGS", "LAYER", "DESCRIPTION"], rows))?;
        }
    }
    Ok(Outcome::Done)
}

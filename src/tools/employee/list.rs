//! `list_employees`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::tools::{Annotations, Ctx, Error, Tool, office::Office};

pub(in crate::tools) struct ListEmployees(pub(in crate::tools) Office);

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::tools) struct Args {
    /// Only employees with exactly this tag.
    #[serde(default)]
    tag: Option<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::tools) struct Answer {
    /// In order of their definition.
    employees: Vec<Row>,
}

/// An employee in brief.
#[derive(Debug, Serialize, JsonSchema)]
struct Row {
    /// The name to use with the other tools.
    name: String,
    /// What people call the role.
    display_name: String,
    /// What people call the person.
    character_name: String,
    /// One line.
    description: String,
    /// For filtering.
    tags: Vec<String>,
    /// Other names it is found by.
    triggers: Vec<String>,
    /// The model it prefers; empty when it has no preference.
    model: String,
    /// Where its definition was found: `user`, `recipe`, `skill`, `agent`, `project` or `private`.
    layer: String,
}

impl Tool for ListEmployees {
    type Args = Args;
    type Output = Answer;

    const NAME: &'static str = "list_employees";
    const TITLE: &'static str = "List employees";
    const SUMMARY: &'static str = "Lists the AI employees of this project: names, roles, tags and triggers. \
        Start here to find whom to ask.";
    const ANNOTATIONS: Annotations = Annotations::READS;

    async fn call(&self, _: Ctx, args: Args) -> Result<Answer, Error> {
        let wanted = args.tag.filter(|tag| !tag.is_empty());
        let definitions = self.0.crew.definitions().await;
        let fits = |tags: &[String]| wanted.as_ref().is_none_or(|tag| tags.contains(tag));
        let employees = definitions
            .employees
            .values()
            .filter(|entry| fits(&entry.employee.tags))
            .map(|entry| {
                let employee = &entry.employee;
                Row {
                    name: employee.name.clone(),
                    display_name: employee.title().to_owned(),
                    character_name: employee.character_name.clone(),
                    description: employee.description.clone(),
                    tags: employee.tags.clone(),
                    triggers: employee.triggers.clone(),
                    model: employee.model.clone().unwrap_or_default(),
                    layer: entry.layer.to_string(),
                }
            })
            .collect();
        Ok(Answer { employees })
    }
}

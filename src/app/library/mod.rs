//! What clients of MCP browse: employees as prompts, as resources and as skills, pipelines and tasks as resources.

mod completion;
mod segment;
mod skills;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use futures_util::future::BoxFuture;
use tokio::sync::Mutex;

use self::{
    segment::{decoded, encoded},
    skills::Skills,
};
use crate::{
    catalog::Snapshot,
    defs::Employee,
    engine::Given,
    mcp,
    protocol::{
        Completer, Content, SkillHost,
        prompt::{Argument, Arguments, Filled, Message, Prompt, Role},
        resource::{Body, Contents, Resource, Template},
    },
    tools::{self, Office},
};

const EMPLOYEE: &str = "crew://employee/";
const PIPELINE: &str = "crew://pipeline/";
const TASK: &str = "crew://task/";

/// The definitions of a crew and the tasks it was given, as clients of MCP browse them.
pub(super) struct Library {
    office: Office,
    /// Held while they are filled, so that files are read once.
    shelves: Mutex<Option<Shelves>>,
}

/// The lists made from one snapshot. They are handed out as long as it is the newest.
#[derive(Clone)]
struct Shelves {
    made_from: Arc<Snapshot>,
    prompts: Arc<[Prompt]>,
    resources: Arc<[Resource]>,
    skills: Arc<Skills>,
}

impl Library {
    pub(super) fn new(office: Office) -> Self {
        Self { office, shelves: Mutex::new(None) }
    }

    async fn shelves(&self) -> Shelves {
        let definitions = self.office.crew.definitions().await;
        let mut shelves = self.shelves.lock().await;
        match &*shelves {
            Some(made) if Arc::ptr_eq(&made.made_from, &definitions) => made.clone(),
            _ => {
                let skills = Skills::collect(self.office.crew.root(), Arc::clone(&definitions)).await;
                shelves.insert(Shelves::of(definitions, skills)).clone()
            }
        }
    }

    async fn contents(&self, uri: &str) -> Result<Contents, tools::Error> {
        if let Some(name) = uri.strip_prefix(EMPLOYEE) {
            let employee = self.office.crew.employee(&decoded(name)).await?;
            return Ok(contents(uri, "text/markdown", instructions(&employee)));
        }
        if let Some(name) = uri.strip_prefix(PIPELINE) {
            let pipeline = self.office.crew.pipeline(&decoded(name)).await?;
            return json(uri, &*pipeline);
        }
        if let Some(id) = uri.strip_prefix(TASK) {
            return match self.office.task(&decoded(id)).await {
                Ok(task) => json(uri, &*task),
                Err(tools::Error::Arguments(_)) => Err(unknown(uri)),
                Err(error) => Err(error),
            };
        }
        match self.shelves().await.skills.read(uri).await {
            Some(read) => read,
            None => Err(unknown(uri)),
        }
    }
}

impl Shelves {
    fn of(definitions: Arc<Snapshot>, skills: Skills) -> Self {
        let employees = || definitions.employees.values().map(|entry| entry.employee.as_ref());
        let prompts = employees().map(prompt).collect();
        let of_pipelines = definitions.pipelines.iter().map(|(name, entry)| Resource {
            uri: format!("{PIPELINE}{}", encoded(name)),
            name: name.clone(),
            description: Some(entry.pipeline.description.clone()).filter(|text| !text.is_empty()),
            mime_type: Some("application/json".to_owned()),
            ..Resource::default()
        });
        let resources = employees().map(resource).chain(of_pipelines).chain(skills.resources()).collect();
        Self { prompts, resources, made_from: definitions, skills: Arc::new(skills) }
    }
}

impl mcp::Library for Library {
    fn prompts(&self) -> BoxFuture<'_, Arc<[Prompt]>> {
        Box::pin(async move { self.shelves().await.prompts })
    }

    fn get_prompt<'a>(
        &'a self,
        name: &'a str,
        arguments: Arguments,
    ) -> BoxFuture<'a, Result<Filled, tools::Error>> {
        Box::pin(async move {
            let employee = self.office.crew.employee(name).await?;
            let given = Given::named(arguments.into_iter().collect());
            let text = self.office.crew.render(&employee, &given).await?;
            Ok(Filled {
                description: Some(employee.description.clone()),
                messages: vec![Message { role: Role::User, content: Content::text(text) }],
            })
        })
    }

    fn resources(&self) -> BoxFuture<'_, Arc<[Resource]>> {
        Box::pin(async move { self.shelves().await.resources })
    }

    fn resource_templates(&self) -> Arc<[Template]> {
        let template = |uri: String, name: &str, description: &str, mime_type: &str| Template {
            uri,
            name: name.to_owned(),
            description: Some(description.to_owned()),
            mime_type: Some(mime_type.to_owned()),
            ..Template::default()
        };
        Arc::new([
            template(
                completion::template(EMPLOYEE, "name"),
                "employee",
                "The instructions of an employee, by name or trigger",
                "text/markdown",
            ),
            template(
                completion::template(PIPELINE, "name"),
                "pipeline",
                "The steps of a pipeline",
                "application/json",
            ),
            template(
                completion::template(TASK, "id"),
                "task",
                "The record of a task: how far it is, its finished steps, its result or error",
                "application/json",
            ),
        ])
    }

    fn read<'a>(&'a self, uri: &'a str) -> BoxFuture<'a, Result<Vec<Contents>, tools::Error>> {
        Box::pin(async move { Ok(vec![self.contents(uri).await?]) })
    }

    fn skills(&self) -> Option<&dyn SkillHost> {
        Some(self)
    }

    fn completer(&self) -> Option<&dyn Completer> {
        Some(self)
    }
}

fn prompt(employee: &Employee) -> Prompt {
    let arguments = employee.args.iter().map(|arg| Argument {
        name: arg.name.clone(),
        description: describe(&arg.description, arg.default.as_deref()),
        required: arg.required && arg.default.is_none(),
        ..Argument::default()
    });
    Prompt {
        name: employee.name.clone(),
        title: Some(employee.title().to_owned()),
        description: Some(employee.description.clone()),
        arguments: arguments.collect(),
        ..Prompt::default()
    }
}

/// A prompt's argument has no field for its default, so it is said in words.
fn describe(description: &str, default: Option<&str>) -> Option<String> {
    match (description, default) {
        ("", None) => None,
        (text, None) => Some(text.to_owned()),
        ("", Some(default)) => Some(format!("default: {default}")),
        (text, Some(default)) => Some(format!("{text} (default: {default})")),
    }
}

fn resource(employee: &Employee) -> Resource {
    Resource {
        uri: format!("{EMPLOYEE}{}", encoded(&employee.name)),
        name: employee.name.clone(),
        title: Some(employee.title().to_owned()),
        description: Some(employee.description.clone()),
        mime_type: Some("text/markdown".to_owned()),
        ..Resource::default()
    }
}

fn contents(uri: &str, mime_type: &str, text: String) -> Contents {
    Contents { uri: uri.to_owned(), mime_type: Some(mime_type.to_owned()), body: Body::Text(text) }
}

fn json(uri: &str, value: &impl serde::Serialize) -> Result<Contents, tools::Error> {
    let text =
        serde_json::to_string_pretty(value).map_err(|error| tools::Error::Failed(error.to_string()))?;
    Ok(contents(uri, "application/json", text))
}

fn unknown(uri: &str) -> tools::Error {
    tools::Error::NotFound { what: "resource", name: uri.to_owned(), hint: None }
}

/// The body and all adaptors, as they are written.
fn instructions(employee: &Employee) -> String {
    let adaptors = employee.adaptors.iter().map(|adaptor| adaptor.body.trim());
    let parts: Vec<_> = std::iter::once(employee.body.trim()).chain(adaptors).collect();
    parts.join("\n\n")
}

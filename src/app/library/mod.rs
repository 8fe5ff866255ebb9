//! What clients of MCP browse: employees as prompts, as resources and as skills, pipelines, discussions, tasks and what was
//! written down as resources.

mod changes;
mod completion;
mod records;
mod segment;
mod shelves;
mod skills;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use futures_util::future::BoxFuture;
use tokio::sync::Mutex;

pub(super) use self::{records::FOLDERS as RECORDS, shelves::Shelves};
use self::{records::Records, segment::decoded};
use crate::{
    defs::Employee,
    engine::{Given, memory::Holder},
    mcp,
    protocol::{
        Completer, Content, SkillHost,
        prompt::{Arguments, Filled, Message, Prompt, Role},
        resource::{Body, Contents, Resource, Template},
    },
    tasks::TaskId,
    tools::{self, Office},
};

const EMPLOYEE: &str = "crew://employee/";
const PIPELINE: &str = "crew://pipeline/";
const DISCUSSION: &str = "crew://discussion/";
const TASK: &str = "crew://task/";
const MEMORY: &str = "crew://memory/";
const MEETING: &str = "crew://meeting/";

/// The address of the task of this id.
pub(super) fn uri_of_task(id: &TaskId) -> String {
    format!("{TASK}{id}")
}

/// The definitions of a crew and the tasks it was given, as clients of MCP browse them.
pub(super) struct Library {
    office: Office,
    /// Held while they are filled, so that files are read once.
    shelves: Mutex<Option<Shelves>>,
    /// As they were last looked at.
    records: parking_lot::Mutex<Option<Arc<Records>>>,
}

impl Library {
    pub(super) fn new(office: Office) -> Self {
        Self { office, shelves: Mutex::new(None), records: parking_lot::Mutex::default() }
    }

    /// The lists as they are now.
    pub(super) async fn shelves(&self) -> Shelves {
        let definitions = self.office.crew.definitions().await;
        let mut shelves = self.shelves.lock().await;
        let records = self.records().await;
        if let Some(made) = shelves.as_ref().filter(|made| made.are_of(&definitions, &records)) {
            return made.clone();
        }
        let fresh = Shelves::make(self.office.crew.root(), definitions, records, shelves.as_ref()).await;
        shelves.insert(fresh).clone()
    }

    /// The lists as they were when these were the definitions.
    pub(super) async fn shelves_of(&self, definitions: Arc<crate::catalog::Snapshot>) -> Shelves {
        let records = self.records().await;
        Shelves::make(self.office.crew.root(), definitions, records, None).await
    }

    /// What the crew has written down, as it was last looked at.
    async fn records(&self) -> Arc<Records> {
        let known = self.records.lock().clone();
        match known {
            Some(records) => records,
            None => self.look_at_records().await,
        }
    }

    /// Looks whether what the crew has written down has changed.
    pub(super) async fn look_at_records(&self) -> Arc<Records> {
        let (root, before) = (self.office.crew.root().to_owned(), self.records.lock().clone());
        let known = before.clone();
        let looking = move || Records::look(&root, known.as_deref().unwrap_or(&Records::default()));
        // It fails only when the program ends.
        let found = tokio::task::spawn_blocking(looking).await.unwrap_or_default();
        let records = before.filter(|before| **before == found).unwrap_or_else(|| Arc::new(found));
        *self.records.lock() = Some(Arc::clone(&records));
        records
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
        if let Some(name) = uri.strip_prefix(DISCUSSION) {
            let discussion = self.office.crew.discussion(&decoded(name)).await?;
            return json(uri, &*discussion);
        }
        if let Some(id) = uri.strip_prefix(TASK) {
            return match self.office.task(&decoded(id)).await {
                Ok(task) => json(uri, &*task),
                Err(tools::Error::Arguments(_)) => Err(unknown(uri)),
                Err(error) => Err(error),
            };
        }
        if let Some(name) = uri.strip_prefix(MEMORY) {
            return self.memory(uri, decoded(name)).await;
        }
        if let Some(id) = uri.strip_prefix(MEETING) {
            let (records, id) = (Arc::clone(self.office.crew.records()), decoded(id));
            let meeting = tokio::task::spawn_blocking(move || records.meetings.read(&id)).await;
            return json(uri, &meeting.ok().flatten().ok_or_else(|| unknown(uri))?);
        }
        match self.shelves().await.skills.read(uri).await {
            Some(read) => read,
            None => Err(unknown(uri)),
        }
    }

    /// What the employee `name` remembers, or what is kept under that name.
    async fn memory(&self, uri: &str, name: String) -> Result<Contents, tools::Error> {
        let holder = match self.office.crew.definitions().await.employee(&name) {
            Some(entry) => Holder::of(&entry.employee),
            None => Holder::of_file(&name),
        };
        let told = self.office.crew.remember(move |memory| records::memory::told(memory, &holder)).await?;
        json(uri, &told.ok_or_else(|| unknown(uri))?)
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
                completion::template(DISCUSSION, "name"),
                "discussion",
                "Who discusses what, and how",
                "application/json",
            ),
            template(
                completion::template(TASK, "id"),
                "task",
                "The record of a task: how far it is, its finished steps, its result or error",
                "application/json",
            ),
            template(
                completion::template(MEMORY, "employee"),
                "memory",
                "What an employee remembers, the newest first; what is confidential is left out",
                "application/json",
            ),
            template(
                completion::template(MEETING, "id"),
                "meeting",
                "The record and the text of a discussion that was held",
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

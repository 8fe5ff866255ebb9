//! Employees, pipelines and discussions as MCP prompts and resources.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use parking_lot::Mutex;

use crate::{
    catalog::Snapshot,
    defs::Employee,
    engine::{Crew, Given},
    mcp,
    protocol::{
        Content,
        prompt::{Argument, Arguments, Filled, Message, Prompt, Role},
        resource::{Body, Contents, Resource, Template},
    },
    tools,
};

const EMPLOYEE: &str = "crew://employee/";
const PIPELINE: &str = "crew://pipeline/";
const DISCUSSION: &str = "crew://discussion/";

/// The definitions of a crew, as clients of MCP browse them.
pub(super) struct Library {
    crew: Arc<Crew>,
    shelves: Mutex<Option<Shelves>>,
}

/// The lists made from one snapshot. They are handed out as long as it is the newest.
#[derive(Clone)]
struct Shelves {
    made_from: Arc<Snapshot>,
    prompts: Arc<[Prompt]>,
    resources: Arc<[Resource]>,
}

impl Library {
    pub(super) fn new(crew: Arc<Crew>) -> Self {
        Self { crew, shelves: Mutex::new(None) }
    }

    async fn shelves(&self) -> Shelves {
        let definitions = self.crew.definitions().await;
        let mut shelves = self.shelves.lock();
        match &*shelves {
            Some(made) if Arc::ptr_eq(&made.made_from, &definitions) => made.clone(),
            _ => shelves.insert(Shelves::of(definitions)).clone(),
        }
    }

    async fn contents(&self, uri: &str) -> Result<Contents, tools::Error> {
        if let Some(name) = uri.strip_prefix(EMPLOYEE) {
            let employee = self.crew.employee(&decoded(name)).await?;
            return Ok(contents(uri, "text/markdown", instructions(&employee)));
        }
        if let Some(name) = uri.strip_prefix(PIPELINE) {
            let pipeline = self.crew.pipeline(&decoded(name)).await?;
            return Ok(contents(uri, "application/json", pretty(&*pipeline)?));
        }
        if let Some(name) = uri.strip_prefix(DISCUSSION) {
            let discussion = self.crew.discussion(&decoded(name)).await?;
            return Ok(contents(uri, "application/json", pretty(&*discussion)?));
        }
        Err(tools::Error::NotFound { what: "resource", name: uri.to_owned(), hint: None })
    }
}

impl Shelves {
    fn of(definitions: Arc<Snapshot>) -> Self {
        let employees = || definitions.employees.values().map(|entry| entry.employee.as_ref());
        let prompts = employees().map(prompt).collect();
        let of_pipelines =
            definitions.pipelines.iter().map(|(name, entry)| (PIPELINE, name, &entry.pipeline.description));
        let of_discussions = definitions
            .discussions
            .iter()
            .map(|(name, entry)| (DISCUSSION, name, &entry.discussion.description));
        let plans = of_pipelines.chain(of_discussions).map(|(prefix, name, description)| Resource {
            uri: format!("{prefix}{}", encoded(name)),
            name: name.clone(),
            description: Some(description.clone()).filter(|text| !text.is_empty()),
            mime_type: Some("application/json".to_owned()),
            ..Resource::default()
        });
        let resources = employees().map(resource).chain(plans).collect();
        Self { prompts, resources, made_from: definitions }
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
            let employee = self.crew.employee(name).await?;
            let given = Given::named(arguments.into_iter().collect());
            let text = self.crew.render(&employee, &given).await?;
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
        let template = |prefix: &str, name: &str, description: &str, mime_type: &str| Template {
            uri: format!("{prefix}{{name}}"),
            name: name.to_owned(),
            description: Some(description.to_owned()),
            mime_type: Some(mime_type.to_owned()),
            ..Template::default()
        };
        Arc::new([
            template(
                EMPLOYEE,
                "employee",
                "The instructions of an employee, by name or trigger",
                "text/markdown",
            ),
            template(PIPELINE, "pipeline", "The steps of a pipeline", "application/json"),
            template(DISCUSSION, "discussion", "Who discusses what, and how", "application/json"),
        ])
    }

    fn read<'a>(&'a self, uri: &'a str) -> BoxFuture<'a, Result<Vec<Contents>, tools::Error>> {
        Box::pin(async move { Ok(vec![self.contents(uri).await?]) })
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

fn pretty(definition: &impl serde::Serialize) -> Result<String, tools::Error> {
    serde_json::to_string_pretty(definition).map_err(|error| tools::Error::Failed(error.to_string()))
}

fn contents(uri: &str, mime_type: &str, text: String) -> Contents {
    Contents { uri: uri.to_owned(), mime_type: Some(mime_type.to_owned()), body: Body::Text(text) }
}

/// The body and all adaptors, as they are written.
fn instructions(employee: &Employee) -> String {
    let adaptors = employee.adaptors.iter().map(|adaptor| adaptor.body.trim());
    let parts: Vec<_> = std::iter::once(employee.body.trim()).chain(adaptors).collect();
    parts.join("\n\n")
}

/// `name` as a segment of a URI.
fn encoded(name: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~');
    let letter = |byte: u8| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    name.bytes().map(letter).collect()
}

/// A segment of a URI as a name; what is no valid escape stays as it is.
fn decoded(segment: &str) -> String {
    let mut bytes = Vec::with_capacity(segment.len());
    let mut rest = segment.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let escaped = (first == b'%').then(|| after.get(..2)).flatten();
        let byte =
            escaped.and_then(|digits| hex::decode(digits).ok()).and_then(|bytes| bytes.first().copied());
        match byte {
            Some(byte) => {
                bytes.push(byte);
                rest = after.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(first);
                rest = after;
            }
        }
    }
    String::from_utf8(bytes).unwrap_or_else(|_| segment.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_survive_the_way_through_a_uri() {
        for name in ["code-reviewer", "发布 说明", "a/b%20", "100%"] {
            assert_eq!(decoded(&encoded(name)), name);
            assert!(encoded(name).is_ascii());
        }
        assert_eq!(decoded("审查"), "审查");
        assert_eq!(decoded("%zz%"), "%zz%");
    }
}

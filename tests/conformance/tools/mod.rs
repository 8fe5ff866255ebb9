//! The tools that the suite asks for: each a fixture of a name, a schema and what it does.

mod content;
mod jobs;
mod reports;

use std::sync::Arc;

use crew::protocol::{
    Content, Context, Error,
    tool::{Tool, ToolOutcome, ToolResult},
};
use futures_util::future::BoxFuture;
use serde_json::{Value, json};

use crate::tasks::Board;

/// A picture of one red point (PNG).
pub(crate) const PICTURE: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg==";

/// A call of a fixture.
pub(crate) struct Call<'a> {
    pub(crate) arguments: Value,
    pub(crate) context: &'a Context,
    pub(crate) board: &'a Board,
}

impl Call<'_> {
    /// The argument `name`, when it is text.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.arguments.get(name).and_then(Value::as_str).unwrap_or_default()
    }
}

/// How a fixture ended.
pub(crate) type Outcome = Result<ToolOutcome, Error>;

/// A tool of the suite.
pub(crate) struct Fixture {
    pub(crate) tool: Tool,
    pub(crate) run: for<'a> fn(Call<'a>) -> BoxFuture<'a, Outcome>,
}

/// All of them. The first answers when it is called without arguments, as the suite wants of the first tool.
pub(crate) fn all() -> Vec<Fixture> {
    [content::all(), reports::all(), jobs::all()].into_iter().flatten().collect()
}

/// A fixture with these properties, all of them optional.
pub(crate) fn fixture(
    name: &str,
    description: &str,
    properties: Value,
    run: for<'a> fn(Call<'a>) -> BoxFuture<'a, Outcome>,
) -> Fixture {
    fixture_with(name, description, json!({"type": "object", "properties": properties}), run)
}

/// A fixture with this schema.
pub(crate) fn fixture_with(
    name: &str,
    description: &str,
    schema: Value,
    run: for<'a> fn(Call<'a>) -> BoxFuture<'a, Outcome>,
) -> Fixture {
    let tool = Tool {
        name: name.to_owned(),
        title: None,
        description: description.to_owned(),
        input_schema: Arc::new(schema),
        output_schema: None,
        annotations: None,
        icons: Vec::new(),
    };
    Fixture { tool, run }
}

/// Ended with this text.
pub(crate) fn said(text: impl Into<String>) -> Outcome {
    Ok(ToolOutcome::Complete(ToolResult::text(text)))
}

/// Ended with these pieces of content.
pub(crate) fn shown(content: Vec<Content>) -> Outcome {
    Ok(ToolOutcome::Complete(ToolResult { content, structured: None, is_error: false }))
}

/// A request to the person in front of the client for one value.
pub(crate) fn ask_for(message: &str, name: &str, kind: &str) -> Value {
    let schema = json!({"type": "object", "properties": {name: {"type": kind}}, "required": [name]});
    let params = json!({"mode": "form", "message": message, "requestedSchema": schema});
    json!({"method": "elicitation/create", "params": params})
}

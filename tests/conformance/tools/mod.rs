//! The tools that the suite asks for: each a fixture of a name, a schema and what it does.

mod changes;
mod content;
mod jobs;
mod questions;
mod reports;
mod rounds;

use std::sync::Arc;

use crew::protocol::{
    Bus, Content, Context, Error,
    input::{Inquiry, Question},
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
    pub(crate) bus: &'a Bus,
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
    let families =
        [content::all(), reports::all(), changes::all(), questions::all(), rounds::all(), jobs::all()];
    families.into_iter().flatten().collect()
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

/// Ended with questions.
pub(crate) fn asked(inquiry: Inquiry) -> Outcome {
    Ok(ToolOutcome::NeedInput(inquiry))
}

/// A form with these fields, each of a name and a type, all of them required.
pub(crate) fn form(message: &str, fields: &[(&str, &str)]) -> Question {
    let properties: serde_json::Map<_, _> =
        fields.iter().map(|(name, kind)| ((*name).to_owned(), json!({"type": kind}))).collect();
    let required: Vec<_> = fields.iter().map(|(name, _)| name).collect();
    let schema = json!({"type": "object", "properties": properties, "required": required});
    Question::Form { message: message.to_owned(), schema }
}

/// A question to the model of the client.
pub(crate) fn sampling(prompt: &str, max_tokens: u32) -> Question {
    Question::Sampling(json!({
        "messages": [{"role": "user", "content": {"type": "text", "text": prompt}}],
        "maxTokens": max_tokens,
    }))
}

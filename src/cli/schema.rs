//! `knowlyr-crew schema`.

use serde_json::{Value, json};

use super::{
    args::Global,
    exit::{Error, Outcome},
    render,
    run::crew,
};
use crate::{app::Environment, defs::SchemaKind, tools};

/// What the list of tools is asked for by.
const TOOLS: &str = "tools";

/// Prints one schema; it is JSON in either form.
pub(super) fn schema(global: &Global, name: &str, env: &Environment) -> Result<Outcome, Error> {
    let schema = match SchemaKind::named(name) {
        Some(kind) => kind.schema(),
        None if name == TOOLS => tools(global, env),
        None => return Err(Error::Tool(unknown(name))),
    };
    render::json(&schema)?;
    Ok(Outcome::Done)
}

/// All tools, as MCP lists them.
fn tools(global: &Global, env: &Environment) -> Value {
    let registry = tools::all(&crew(global, env));
    json!({"tools": registry.specs().collect::<Vec<_>>()})
}

fn unknown(name: &str) -> tools::Error {
    tools::Error::not_found(
        "schema",
        name,
        SchemaKind::ALL.map(SchemaKind::as_str).into_iter().chain([TOOLS]),
    )
}

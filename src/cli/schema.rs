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
    let names: Vec<&str> = SchemaKind::ALL.map(SchemaKind::as_str).into_iter().chain([TOOLS]).collect();
    let mut error = tools::Error::not_found("schema", name, names.iter().copied());
    if let tools::Error::NotFound { hint: hint @ None, .. } = &mut error {
        let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
        *hint = Some(format!("there is {}", quoted.join(", ")));
    }
    error
}

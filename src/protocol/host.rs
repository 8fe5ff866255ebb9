//! The seam between the protocol and what is served over it.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use serde_json::value::RawValue;

use super::{
    Bus, Context, Error, Info,
    input::Outcome,
    prompt::{Arguments, Filled, Prompt},
    resource::{Contents, Resource, Template},
    skill::SkillHost,
    task::TaskHost,
    tool::{Tool, ToolOutcome},
};

/// Something that is served over MCP. It sees names, arguments and a [`Context`]; never a revision of the protocol,
/// a header or a JSON-RPC message.
///
/// A list is handed out as a shared slice. As long as nothing changed it should be the *same* slice, for the written
/// form of its pages is kept with it; order is part of the list.
pub trait Host: Send + Sync + 'static {
    /// Who serves.
    fn info(&self) -> Info;

    /// What can be called.
    fn tools(&self) -> Arc<[Tool]>;

    /// Calls the tool `name`, which is one of [`Host::tools`]. `arguments` are a JSON object.
    ///
    /// Arguments that do not fit and work that failed are outcomes, so that a model can correct itself; an error is
    /// for what went wrong with the request as such.
    ///
    /// A tool that needs something from the client first answers [`ToolOutcome::NeedInput`]; it is called again, from its
    /// beginning, with [`Context::answers`].
    fn call_tool<'a>(
        &'a self,
        name: &'a str,
        arguments: &'a RawValue,
        context: &'a Context,
    ) -> BoxFuture<'a, Result<ToolOutcome, Error>>;

    /// What a person may start from.
    fn prompts(&self) -> BoxFuture<'_, Arc<[Prompt]>> {
        Box::pin(async { Arc::default() })
    }

    /// Fills in a prompt; an unknown one is [`Error::invalid_params`].
    fn get_prompt<'a>(
        &'a self,
        name: &'a str,
        _arguments: Arguments,
        _context: &'a Context,
    ) -> BoxFuture<'a, Result<Outcome<Filled>, Error>> {
        let error = Error::invalid_params(format!("no prompt `{name}`; there are none here"));
        Box::pin(async move { Err(error) })
    }

    /// What can be read.
    fn resources(&self) -> BoxFuture<'_, Arc<[Resource]>> {
        Box::pin(async { Arc::default() })
    }

    /// Families of what can be read.
    fn resource_templates(&self) -> Arc<[Template]> {
        Arc::default()
    }

    /// Reads a resource; an unknown one is [`Error::resource_not_found`].
    fn read_resource<'a>(
        &'a self,
        uri: &'a str,
        _context: &'a Context,
    ) -> BoxFuture<'a, Result<Outcome<Vec<Contents>>, Error>> {
        let error = Error::resource_not_found(uri);
        Box::pin(async move { Err(error) })
    }

    /// Where changes are told; without one, no notices of changes are offered.
    fn bus(&self) -> Option<&Bus> {
        None
    }

    /// Who completes the arguments of prompts and templates; without one, completion is not offered.
    fn completer(&self) -> Option<&dyn Completer> {
        None
    }

    /// Who keeps the tasks that calls of tools are answered with; without one, there are no tasks.
    fn tasks(&self) -> Option<&dyn TaskHost> {
        None
    }

    /// Who keeps skills; without one, there are none.
    fn skills(&self) -> Option<&dyn SkillHost> {
        None
    }
}

/// Suggests values while a person types.
pub trait Completer: Send + Sync {
    /// Values for the argument `asked.argument` that start like `asked.value`, best first.
    fn complete<'a>(&'a self, asked: Asked<'a>) -> BoxFuture<'a, Result<Vec<String>, Error>>;
}

/// A question to a [`Completer`].
#[derive(Debug, Clone)]
pub struct Asked<'a> {
    /// What is being filled in.
    pub subject: Subject<'a>,
    /// The argument that is being typed.
    pub argument: &'a str,
    /// What was typed so far.
    pub value: &'a str,
    /// The arguments that were filled in before.
    pub others: &'a Arguments,
}

/// What is being filled in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject<'a> {
    /// The prompt of that name.
    Prompt(&'a str),
    /// The template of that URI.
    Template(&'a str),
}

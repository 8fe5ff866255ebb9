//! Crew as something to be served: tools from the registry, prompts and resources from a library.

mod questions;
mod tasks;

use std::sync::{Arc, OnceLock};

use futures_util::future::BoxFuture;
use serde_json::{
    Map, json,
    value::{RawValue, to_raw_value},
};

use crate::{
    defs::Scope,
    protocol::{
        Bus, Completer, Content, Context, Error, Host, Info, Outcome, SkillHost, TaskHost,
        prompt::{Arguments, Filled, Prompt},
        resource::{Contents, Resource, Template},
        tool::{Annotations, Tool, ToolOutcome, ToolResult},
    },
    tasks::Task,
    tools::{self, Begun, Caller, Ctx, Office, Registry},
};

use self::tasks::Tasks;

/// Where prompts and resources come from.
///
/// The lists are shared slices; the same slice should be handed out for as long as nothing changed.
pub trait Library: Send + Sync + 'static {
    /// Prompts, in a stable order.
    fn prompts(&self) -> BoxFuture<'_, Arc<[Prompt]>>;

    /// Fills in the prompt `name`; [`tools::Error::NotFound`] when there is none.
    fn get_prompt<'a>(
        &'a self,
        name: &'a str,
        arguments: Arguments,
    ) -> BoxFuture<'a, Result<Filled, tools::Error>>;

    /// Resources, in a stable order.
    fn resources(&self) -> BoxFuture<'_, Arc<[Resource]>>;

    /// Families of resources, in a stable order.
    fn resource_templates(&self) -> Arc<[Template]>;

    /// Reads the resource at `uri`; [`tools::Error::NotFound`] when there is none.
    fn read<'a>(&'a self, uri: &'a str) -> BoxFuture<'a, Result<Vec<Contents>, tools::Error>>;

    /// The skills among the resources; none unless there are some.
    fn skills(&self) -> Option<&dyn SkillHost> {
        None
    }

    /// Who completes the arguments of prompts and templates.
    fn completer(&self) -> Option<&dyn Completer> {
        None
    }
}

/// A crew, as the protocol sees it.
pub struct Crew {
    info: Info,
    registry: Arc<Registry>,
    library: Arc<dyn Library>,
    /// As they are listed, once somebody has asked.
    tools: OnceLock<Arc<[Tool]>>,
    tasks: Option<Tasks>,
    bus: Option<Bus>,
    scopes: Scopes,
}

/// What callers may do, by their names.
#[derive(Clone)]
pub struct Scopes(Arc<dyn Fn(&str) -> Scope + Send + Sync>);

impl Scopes {
    /// Asks `find` each time, so that what a caller may do can change.
    pub fn new(find: impl Fn(&str) -> Scope + Send + Sync + 'static) -> Self {
        Self(Arc::new(find))
    }

    /// Who asks, and what they may do.
    fn caller(&self, context: &Context) -> Caller {
        let name = context.caller();
        Caller::new(Arc::clone(name)).with_scope((self.0)(name))
    }
}

impl Default for Scopes {
    /// Everybody may do everything.
    fn default() -> Self {
        Self::new(|_| Scope::Admin)
    }
}

impl std::fmt::Debug for Scopes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scopes").finish_non_exhaustive()
    }
}

impl Crew {
    /// The crew that has these tools and this library.
    pub fn new(info: Info, registry: Arc<Registry>, library: Arc<dyn Library>) -> Self {
        Self {
            info,
            registry,
            library,
            tools: OnceLock::new(),
            tasks: None,
            bus: None,
            scopes: Scopes::default(),
        }
    }

    /// The same, for which clients need not wait: long work goes on as a task of `office`.
    #[must_use]
    pub fn with_tasks(mut self, office: Office) -> Self {
        let (registry, scopes) = (Arc::clone(&self.registry), self.scopes.clone());
        self.tasks = Some(Tasks { office, registry, scopes });
        self
    }

    /// The same, whose callers may do only what `scopes` says.
    #[must_use]
    pub fn with_scopes(mut self, scopes: Scopes) -> Self {
        if let Some(tasks) = &mut self.tasks {
            tasks.scopes = scopes.clone();
        }
        self.scopes = scopes;
        self
    }

    /// The same, whose changes are told on `bus`. The tools of a crew stay as they are.
    #[must_use]
    pub fn with_bus(mut self, bus: Bus) -> Self {
        let bus = bus.with_fixed_tools();
        self.bus = Some(if self.tasks.is_some() { bus.telling_of_tasks() } else { bus });
        self
    }

    /// Tells those who listen how `task` stands now. Not all of them can be asked, so a question it waits with is told in
    /// words; whoever can be asked gets it with the task.
    pub fn tell_of(&self, task: &Task) {
        if let (Some(bus), Some(tasks)) = (&self.bus, &self.tasks)
            && self.registry.knows(task)
        {
            bus.task(task.task_id.as_str(), &tasks.show(task, false).notice());
        }
    }
}

impl Crew {
    /// What a tool may know of the request behind `context`.
    fn ctx(&self, context: &Context) -> Ctx {
        let reporter = context.clone();
        let ctx = Ctx::new(self.scopes.caller(context))
            .with_cancel(context.cancelled().clone())
            .with_progress(move |progress| {
                let total = progress.total.map(f64::from);
                reporter.progress(f64::from(progress.done), total, &progress.message);
            });
        match questions::answers(context) {
            Some(answers) => ctx.with_answers(answers),
            None => ctx,
        }
    }
}

impl std::fmt::Debug for Crew {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Crew").field("tools", &self.registry).finish_non_exhaustive()
    }
}

impl Host for Crew {
    fn info(&self) -> Info {
        self.info.clone()
    }

    fn tools(&self) -> Arc<[Tool]> {
        Arc::clone(self.tools.get_or_init(|| self.registry.specs().map(tool).collect()))
    }

    fn call_tool<'a>(
        &'a self,
        name: &'a str,
        arguments: &'a RawValue,
        context: &'a Context,
    ) -> BoxFuture<'a, Result<ToolOutcome, Error>> {
        let ctx = self.ctx(context);
        if let Some(tasks) = self.tasks.as_ref().filter(|_| context.takes_tasks()) {
            let begin = self.registry.begin(name, ctx, arguments);
            return Box::pin(async move {
                Ok(match begin.await {
                    Ok(Begun::Task(task)) => ToolOutcome::Task(tasks.show(&task, tasks.asks(context))),
                    Ok(Begun::Done(output)) => ToolOutcome::Complete(done(Ok(output))),
                    Err(error) => failed(error, context),
                })
            });
        }
        let call = self.registry.call(name, ctx, arguments);
        Box::pin(async move {
            Ok(match call.await {
                Ok(output) => ToolOutcome::Complete(done(Ok(output))),
                Err(error) => failed(error, context),
            })
        })
    }

    fn prompts(&self) -> BoxFuture<'_, Arc<[Prompt]>> {
        self.library.prompts()
    }

    fn get_prompt<'a>(
        &'a self,
        name: &'a str,
        arguments: Arguments,
        context: &'a Context,
    ) -> BoxFuture<'a, Result<Outcome<Filled>, Error>> {
        Box::pin(async move {
            let ctx = self.ctx(context);
            let mut values = arguments.into_iter().collect();
            ctx.complete(&mut values).map_err(|error| refusal(&error))?;
            let filled = self.library.get_prompt(name, values.into_iter().collect()).await;
            match ctx.settle(filled) {
                Ok(filled) => Ok(Outcome::Complete(filled)),
                Err(tools::Error::NeedInput(inquiry)) => {
                    Ok(Outcome::NeedInput(questions::questions(&inquiry, context)))
                }
                Err(error) => Err(refusal(&error)),
            }
        })
    }

    fn resources(&self) -> BoxFuture<'_, Arc<[Resource]>> {
        self.library.resources()
    }

    fn resource_templates(&self) -> Arc<[Template]> {
        self.library.resource_templates()
    }

    fn read_resource<'a>(
        &'a self,
        uri: &'a str,
        _context: &'a Context,
    ) -> BoxFuture<'a, Result<Outcome<Vec<Contents>>, Error>> {
        Box::pin(async move {
            self.library.read(uri).await.map(Outcome::Complete).map_err(|error| match error {
                tools::Error::NotFound { .. } => Error::resource_not_found(uri),
                error => refusal(&error),
            })
        })
    }

    fn bus(&self) -> Option<&Bus> {
        self.bus.as_ref()
    }

    fn completer(&self) -> Option<&dyn Completer> {
        self.library.completer()
    }

    fn skills(&self) -> Option<&dyn SkillHost> {
        self.library.skills()
    }

    fn tasks(&self) -> Option<&dyn TaskHost> {
        self.tasks.as_ref().map(|tasks| tasks as _)
    }
}

/// A tool that failed, or asks.
fn failed(error: tools::Error, context: &Context) -> ToolOutcome {
    match error {
        tools::Error::NeedInput(inquiry) => ToolOutcome::NeedInput(questions::questions(&inquiry, context)),
        error => ToolOutcome::Complete(done(Err(error))),
    }
}

/// What a tool answered, well or not.
fn done(answer: Result<tools::Output, tools::Error>) -> ToolResult {
    match answer {
        Ok(output) => ToolResult {
            content: vec![Content::text(output.text)],
            structured: Some(output.json),
            is_error: false,
        },
        Err(error) => failure(&error),
    }
}

fn tool(spec: &tools::Spec) -> Tool {
    let hints = spec.annotations;
    Tool {
        name: spec.name.to_owned(),
        title: Some(spec.title.to_owned()),
        description: spec.description.to_owned(),
        input_schema: Arc::clone(&spec.input_schema),
        output_schema: Some(Arc::clone(&spec.output_schema)),
        annotations: Some(Annotations {
            read_only_hint: hints.read_only_hint,
            destructive_hint: hints.destructive_hint,
            idempotent_hint: hints.idempotent_hint,
            open_world_hint: hints.open_world_hint,
        }),
        icons: Vec::new(),
    }
}

/// How a tool says that it failed: in words for a model, and with a stable code for a program.
fn failure(error: &tools::Error) -> ToolResult {
    let mut fact = Map::new();
    fact.insert("error".to_owned(), error.to_string().into());
    fact.insert("code".to_owned(), error.code().into());
    if let tools::Error::Unavailable { retry_after: Some(after), .. } = error {
        fact.insert("retry_after_seconds".to_owned(), after.as_secs_f64().into());
    }
    ToolResult { structured: to_raw_value(&fact).ok(), ..ToolResult::error(error.to_string()) }
}

/// How everything but a tool says it: as an error of the request.
fn refusal(error: &tools::Error) -> Error {
    let text = error.to_string();
    let refusal = match error {
        tools::Error::Arguments(_)
        | tools::Error::NeedInput(_)
        | tools::Error::NotFound { .. }
        | tools::Error::KeyReused
        | tools::Error::Denied(_) => Error::invalid_params(text),
        tools::Error::Conflict(_) | tools::Error::Unavailable { .. } | tools::Error::Failed(_) => {
            Error::internal(text)
        }
    };
    refusal.with_data(json!({ "code": error.code() }))
}

#[cfg(test)]
mod tests;

//! The fixtures, put together as something to be served.

use std::sync::Arc;

use crew::protocol::{
    Asked, Bus, Completer, Context, Error, Host, Implementation, Info, SkillHost, TaskHost,
    input::Outcome,
    prompt::{Arguments, Filled, Prompt},
    resource::{Contents, Resource, Template},
    tool::{Tool, ToolOutcome},
};
use futures_util::future::BoxFuture;
use serde_json::value::RawValue;

use crate::{
    prompts, resources,
    skills::Skills,
    tasks::Board,
    tools::{Call, Fixture},
};

/// Everything the suite asks for.
pub(crate) struct Target {
    fixtures: Vec<Fixture>,
    tools: Arc<[Tool]>,
    prompts: Arc<[Prompt]>,
    resources: Arc<[Resource]>,
    templates: Arc<[Template]>,
    board: Board,
    bus: Bus,
    skills: Skills,
}

impl Target {
    pub(crate) fn new() -> Self {
        let fixtures = crate::tools::all();
        Self {
            tools: fixtures.iter().map(|fixture| fixture.tool.clone()).collect(),
            fixtures,
            prompts: prompts::all().into(),
            resources: resources::all().into(),
            templates: resources::templates().into(),
            board: Board::default(),
            bus: Bus::new(),
            skills: Skills::new(),
        }
    }
}

impl Host for Target {
    fn info(&self) -> Info {
        Info {
            implementation: Implementation {
                name: "crew-conformance".to_owned(),
                version: env!("CARGO_PKG_VERSION").to_owned(),
                ..Implementation::default()
            },
            instructions: Some("Fixtures for the conformance suite.".to_owned()),
        }
    }

    fn tools(&self) -> Arc<[Tool]> {
        Arc::clone(&self.tools)
    }

    fn call_tool<'a>(
        &'a self,
        name: &'a str,
        arguments: &'a RawValue,
        context: &'a Context,
    ) -> BoxFuture<'a, Result<ToolOutcome, Error>> {
        let fixture = self.fixtures.iter().find(|fixture| fixture.tool.name == name);
        Box::pin(async move {
            let fixture = fixture.ok_or_else(|| Error::invalid_params(format!("no tool `{name}`")))?;
            let arguments = serde_json::from_str(arguments.get()).map_err(Error::parse)?;
            (fixture.run)(Call { arguments, context, board: &self.board, bus: &self.bus }).await
        })
    }

    fn prompts(&self) -> BoxFuture<'_, Arc<[Prompt]>> {
        Box::pin(async { Arc::clone(&self.prompts) })
    }

    fn get_prompt<'a>(
        &'a self,
        name: &'a str,
        arguments: Arguments,
        context: &'a Context,
    ) -> BoxFuture<'a, Result<Outcome<Filled>, Error>> {
        Box::pin(async move { prompts::fill(name, &arguments, context) })
    }

    fn resources(&self) -> BoxFuture<'_, Arc<[Resource]>> {
        Box::pin(async { Arc::clone(&self.resources) })
    }

    fn resource_templates(&self) -> Arc<[Template]> {
        Arc::clone(&self.templates)
    }

    fn read_resource<'a>(
        &'a self,
        uri: &'a str,
        _context: &'a Context,
    ) -> BoxFuture<'a, Result<Outcome<Vec<Contents>>, Error>> {
        Box::pin(async move { resources::read(uri).map(Into::into) })
    }

    fn completer(&self) -> Option<&dyn Completer> {
        Some(self)
    }

    fn bus(&self) -> Option<&Bus> {
        Some(&self.bus)
    }

    fn tasks(&self) -> Option<&dyn TaskHost> {
        Some(&self.board)
    }

    fn skills(&self) -> Option<&dyn SkillHost> {
        Some(&self.skills)
    }
}

impl Completer for Target {
    fn complete<'a>(&'a self, asked: Asked<'a>) -> BoxFuture<'a, Result<Vec<String>, Error>> {
        const WORDS: [&str; 4] = ["paris", "park", "party", "test"];
        let fits = WORDS.iter().filter(move |word| word.starts_with(asked.value));
        Box::pin(async move { Ok(fits.map(|word| (*word).to_owned()).collect()) })
    }
}

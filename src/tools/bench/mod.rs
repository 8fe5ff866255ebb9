//! What employees at work may do: look at files, hand work on, and use the tools of the crew that change nothing they
//! should not.

mod delegate;
mod files;
mod rights;

use futures_util::future::BoxFuture;
use schemars::generate::SchemaSettings;
use serde_json::value::{RawValue, to_raw_value};

use self::delegate::{DEEPEST, DelegateArgs};
use super::{Caller, Ctx, Error, Office, Registry, office::Distant, registry::schema};
use crate::{
    engine::{Gave, Job, Toolbox},
    llm::{ToolCall, ToolSpec},
};

/// Tools that an employee never has: it must not approve of its own work, stop or repeat that of others, nor write itself other
/// rights, and it runs others by handing work on.
const NEVER: [&str; 10] = [
    "approve_task",
    "cancel_task",
    "resume_task",
    "replay_task",
    "fork_task",
    "create_employee",
    "update_employee",
    "run_employee",
    "run_pipeline",
    "run_discussion",
];

const DELEGATE: &str = "delegate";
const DELEGATE_ASYNC: &str = "delegate_async";

/// The tools of employees at work.
pub(super) struct Bench {
    office: Distant,
}

impl Bench {
    /// The tools of the employees of `office`, which it does not keep alive.
    pub(super) fn new(office: &Office) -> Self {
        Self { office: office.distant() }
    }

    /// Has `job`'s employee use a tool.
    async fn use_tool(&self, job: &Job<'_>, call: &ToolCall) -> Result<Gave, Error> {
        let gone =
            || Error::Unavailable { message: "the crew is being closed".to_owned(), retry_after: None };
        let office = self.office.reach().ok_or_else(gone)?;
        tracing::info!(employee = job.employee.name, tool = call.name, "an employee uses a tool");
        let args = RawValue::from_string(call.arguments.clone())
            .map_err(|error| Error::Arguments(format!("the arguments are no JSON: {error}")))?;
        let handed = || {
            serde_json::from_str::<DelegateArgs>(args.get())
                .map_err(|error| Error::Arguments(format!("arguments of `{}`: {error}", call.name)))
        };
        match call.name.as_str() {
            DELEGATE => delegate::delegate(&office.crew, job, handed()?).await,
            DELEGATE_ASYNC => Ok(delegate::delegate_async(&office, job, handed()?).await?.into()),
            name => {
                let caller = Caller::new(format!("employee {}", job.employee.name));
                let ctx = Ctx::new(caller).with_cancel(job.steps.cancelled().clone());
                Ok(tools(&office).call(name, ctx, &args).await?.text.into())
            }
        }
    }
}

impl Toolbox for Bench {
    fn offered(&self, job: &Job<'_>) -> Vec<ToolSpec> {
        if job.employee.tools.is_empty() {
            return Vec::new();
        }
        let Some(office) = self.office.reach() else { return Vec::new() };
        let tools = tools(&office);
        let is_here = |name: &str| match name {
            DELEGATE => job.depth < DEEPEST,
            // Outside a task there is nobody who would do it.
            DELEGATE_ASYNC => job.depth < DEEPEST && job.steps.task_id().is_some(),
            name => tools.has(name),
        };
        let names = rights::usable(job.employee, is_here);
        names.iter().filter_map(|name| spec(&tools, name)).collect()
    }

    fn call<'a>(&'a self, job: &'a Job<'a>, call: &'a ToolCall) -> BoxFuture<'a, Result<Gave, String>> {
        Box::pin(async move { self.use_tool(job, call).await.map_err(|error| error.to_string()) })
    }
}

/// Everything but handing on.
fn tools(office: &Office) -> Registry {
    let mut tools = super::all(office);
    tools.retain(|name| !NEVER.contains(&name));
    tools.add(files::FileRead(office.clone()));
    tools.add(files::Grep(office.clone()));
    tools.add(files::Glob(office.clone()));
    tools
}

fn spec(tools: &Registry, name: &str) -> Option<ToolSpec> {
    let (description, schema) = match name {
        DELEGATE => (
            "Has another employee do a piece of work, and answers with what it says.",
            to_raw_value(&schema::<DelegateArgs>(SchemaSettings::for_deserialize)),
        ),
        DELEGATE_ASYNC => (
            "Has another employee do a piece of work on its own; answers with a task id at once, for `get_task`.",
            to_raw_value(&schema::<DelegateArgs>(SchemaSettings::for_deserialize)),
        ),
        name => {
            let spec = tools.spec(name)?;
            (spec.description, to_raw_value(&*spec.input_schema))
        }
    };
    Some(ToolSpec { name: name.to_owned(), description: description.to_owned(), schema: schema.ok()?.into() })
}

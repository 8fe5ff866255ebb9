//! What employees at work may do: look at files, hand work on, and use the tools of the crew that change nothing they
//! should not.

mod audit;
mod consent;
mod delegate;
mod external;
mod files;
mod git;
mod meeting;
mod rights;
mod standing;
mod web;

use std::sync::Arc;

use futures_util::future::BoxFuture;
use schemars::generate::SchemaSettings;
use serde::de::DeserializeOwned;
use serde_json::value::{RawValue, to_raw_value};
use tracing::{Instrument as _, field};

pub use self::standing::{May, Standing, ToolStanding, standing};
use self::{
    audit::{Audit, Outcome},
    delegate::{DEEPEST, DelegateArgs},
    external::{External, Home, Offer, PREFIX},
    meeting::MeetingArgs,
    rights::Verdict,
};
use super::{Caller, Ctx, Error, Office, Registry, office::Distant, registry::schema};
use crate::{
    engine::{Gave, Job, Toolbox},
    llm::{ToolCall, ToolSpec},
    tasks::{Decision, NewTask, TaskId},
};

/// Tools that an employee never has: it must not approve of its own work or judge it, stop or repeat that of others, write itself other
/// rights nor have itself started again and again, and it runs others by handing work on.
const NEVER: [&str; 14] = [
    "evaluate_decision",
    "delete_memory",
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
    "add_schedule",
    "remove_schedule",
];

const DELEGATE: &str = "delegate";
const DELEGATE_ASYNC: &str = "delegate_async";
const MEETING: &str = "organize_meeting";

/// The tools of employees at work.
pub(super) struct Bench {
    office: Distant,
    external: External,
    audit: Audit,
}

impl Bench {
    /// The tools of the employees of `office`, which it does not keep alive.
    pub(super) fn new(office: &Office) -> Self {
        Self { office: office.distant(), external: External::default(), audit: Audit::default() }
    }

    /// Has `job`'s employee use a tool.
    async fn use_tool(&self, job: &Job<'_>, call: &ToolCall) -> Result<Gave, Error> {
        let gone =
            || Error::Unavailable { message: "the crew is being closed".to_owned(), retry_after: None };
        let office = self.office.reach().ok_or_else(gone)?;
        tracing::info!(employee = job.employee.name, tool = call.name, "an employee uses a tool");
        let root = office.crew.root();
        let permitted = self.permit(&office, job, call).await;
        let noted = self.audit.begin(root, job, &call.name);
        let given = match permitted {
            Ok(None) => self.give(&office, job, call).await,
            Ok(Some(decision)) => {
                let given = match decision.refusal() {
                    None => self.give(&office, job, call).await,
                    Some(refusal) => Err(Error::Denied(refusal)),
                };
                noted.decided(&decision).end(Outcome::of(&given)).await;
                return given;
            }
            Err(denied) => Err(denied),
        };
        noted.end(Outcome::of(&given)).await;
        given
    }

    /// Sees to it that the call may be made: gives what a person decided about it, if one has to be asked.
    ///
    /// # Errors
    /// [`Error::Denied`] when it may not, or nobody can be asked.
    async fn permit(
        &self,
        office: &Office,
        job: &Job<'_>,
        call: &ToolCall,
    ) -> Result<Option<Decision>, Error> {
        let is_destructive = self.is_destructive(office, &call.name);
        match rights::verdict(job.employee, &call.name, is_destructive) {
            Verdict::Denied(rule) => {
                let message = format!("`{}` may not use `{}`: {rule}", job.employee.name, call.name);
                Err(Error::Denied(message))
            }
            Verdict::Asks(rule) => consent::ask(job, call, &rule).await.map(Some),
            // It was asked about when other rules held, and what was decided then counts.
            Verdict::Allowed(rule) if job.steps.has_decision(&job.name) => {
                consent::ask(job, call, &rule).await.map(Some)
            }
            Verdict::Allowed(_) => Ok(None),
        }
    }

    /// Whether what a tool changes may be lost for good, in the words of whoever offers it.
    fn is_destructive(&self, office: &Office, name: &str) -> bool {
        if name.starts_with(PREFIX) {
            return self.external.is_destructive(name);
        }
        tools(office).spec(name).is_some_and(|spec| spec.annotations.destructive_hint)
    }

    async fn give(&self, office: &Office, job: &Job<'_>, call: &ToolCall) -> Result<Gave, Error> {
        if call.name.starts_with(PREFIX) {
            return self.use_external(office, job, call).await;
        }
        let args = RawValue::from_string(call.arguments.clone())
            .map_err(|error| Error::Arguments(format!("the arguments are no JSON: {error}")))?;
        let handed = || arguments::<DelegateArgs>(call);
        match call.name.as_str() {
            DELEGATE => delegate::delegate(&office.crew, job, handed()?).await,
            DELEGATE_ASYNC => Ok(delegate::delegate_async(office, job, handed()?).await?.into()),
            MEETING => meeting::organize(&office.crew, job, arguments::<MeetingArgs>(call)?).await,
            name => {
                let caller = Caller::at_work(&job.employee.name);
                let ctx = Ctx::new(caller).with_cancel(job.steps.cancelled().clone());
                Ok(tools(office).call(name, ctx, &args).await?.text.into())
            }
        }
    }

    /// The same of a tool of somebody else's server.
    async fn use_external(&self, office: &Office, job: &Job<'_>, call: &ToolCall) -> Result<Gave, Error> {
        if !rights::may_use(job.employee, &call.name) {
            return Err(Error::Denied(format!("`{}` may not use `{}`", job.employee.name, call.name)));
        }
        let defined = Arc::clone(&office.crew.definitions().await.mcp_servers);
        let cancelled = job.steps.cancelled();
        let home = home(office);
        let given = self.external.call(&defined, &home, &call.name, &call.arguments);
        tokio::select! {
            () = cancelled.cancelled() => Err(Error::Failed("nobody waits for it any more".to_owned())),
            given = given => Ok(given?.into()),
        }
    }

    async fn offer(&self, job: &Job<'_>) -> Vec<ToolSpec> {
        if job.employee.tools.is_empty() {
            return Vec::new();
        }
        let Some(office) = self.office.reach() else { return Vec::new() };
        let tools = tools(&office);
        let is_here = |name: &str| match name {
            DELEGATE | MEETING => job.depth < DEEPEST,
            // Outside a task there is nobody who would do it.
            DELEGATE_ASYNC => job.depth < DEEPEST && job.steps.task_id().is_some(),
            name => tools.has(name),
        };
        let names = rights::usable(job.employee, is_here);
        let mut specs: Vec<_> = names.iter().filter_map(|name| spec(&tools, name)).collect();
        let defined = Arc::clone(&office.crew.definitions().await.mcp_servers);
        let wanted = |name: &str| rights::wants_server(job.employee, name);
        let offers = self.external.offers(&defined, &home(&office), wanted).await;
        let usable = offers.iter().filter(|offer| rights::may_use(job.employee, &offer.name));
        specs.extend(usable.map(Offer::spec));
        specs
    }
}

impl Toolbox for Bench {
    fn offered<'a>(&'a self, job: &'a Job<'a>) -> BoxFuture<'a, Vec<ToolSpec>> {
        Box::pin(self.offer(job))
    }

    fn hands_on(&self, name: &str) -> bool {
        matches!(name, DELEGATE | MEETING)
    }

    fn decline<'a>(&'a self, job: &'a Job<'a>, call: &'a ToolCall) -> BoxFuture<'a, String> {
        Box::pin(async move {
            if let Some(office) = self.office.reach() {
                self.audit.begin(office.crew.root(), job, &call.name).end(Outcome::Refused).await;
            }
            format!("there is no tool `{}`", call.name)
        })
    }

    fn call<'a>(&'a self, job: &'a Job<'a>, call: &'a ToolCall) -> BoxFuture<'a, Result<Gave, String>> {
        let span = tracing::info_span!("tool.use", tool = call.name, call = call.id, error = field::Empty);
        let work = async move {
            let used = self.use_tool(job, call).await;
            used.map_err(|error| {
                tracing::Span::current().record("error", error.code());
                error.to_string()
            })
        };
        Box::pin(work.instrument(span))
    }

    fn begin(&self, new: NewTask, asks: bool) -> BoxFuture<'_, Result<TaskId, String>> {
        Box::pin(async move {
            let office = self.office.reach().ok_or("the crew is being closed")?;
            let tasks = office.tasks().await.map_err(|error| error.to_string())?;
            if asks && !tasks.is_durable() {
                return Err("it asks for approvals, and nobody would keep it when this ends".to_owned());
            }
            tasks.submit(new).await.map(|task| task.id).map_err(|error| error.to_string())
        })
    }
}

/// What a tool is called with.
fn arguments<T: DeserializeOwned>(call: &ToolCall) -> Result<T, Error> {
    serde_json::from_str(&call.arguments)
        .map_err(|error| Error::Arguments(format!("arguments of `{}`: {error}", call.name)))
}

fn home(office: &Office) -> Home {
    // The crew keeps its servers, so they must not keep the crew: its programs would outlive it.
    let crew = Arc::downgrade(&office.crew);
    let variable = Arc::new(move |name: &str| crew.upgrade()?.variable(name));
    Home { root: office.crew.root().to_owned(), variable }
}

/// Everything but handing on.
fn tools(office: &Office) -> Registry {
    let mut tools = super::all(office);
    tools.retain(|name| !NEVER.contains(&name));
    tools.add(files::FileRead(office.clone()));
    tools.add(files::Grep(office.clone()));
    tools.add(files::Glob(office.clone()));
    tools.add(git::GitStatus(office.clone()));
    tools.add(git::GitLog(office.clone()));
    tools.add(git::GitDiff(office.clone()));
    tools.add(git::GitShow(office.clone()));
    tools.add(web::WebFetch(office.clone()));
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
        MEETING => (
            "Has employees discuss a topic in rounds, each on its own model, and answers with what came out of it and \
             how far they agreed. Many calls of models.",
            to_raw_value(&schema::<MeetingArgs>(SchemaSettings::for_deserialize)),
        ),
        name => {
            let spec = tools.spec(name)?;
            (spec.description, to_raw_value(&*spec.input_schema))
        }
    };
    Some(ToolSpec { name: name.to_owned(), description: description.to_owned(), schema: schema.ok()?.into() })
}

//! A crew: the definitions of a project and the models they run on.

use std::{
    fmt,
    path::Path,
    sync::{Arc, OnceLock},
};

use jiff::{Zoned, tz::TimeZone};
use serde_json::{Map, Value};
use tokio::sync::Notify;

use super::{
    Args, EMPLOYEE_RUN, Error, Identities, Live, Models, Order, PIPELINE_RUN, Toolbox,
    budget::ceilings,
    delivery::{self, Wish},
    evaluation::Evaluations,
    memory::{self, Memory},
    outbound::Outbound,
    pipeline,
    prompt::{self, Given},
    records::Records,
    skills::{Brought, Skills},
    surroundings::{Language, Still, Surroundings, git_branch},
};
use crate::{
    base::{Secret, clock},
    catalog::{Catalog, Project, Snapshot},
    defs::{Employee, Pipeline, TargetKind},
    llm,
    tasks::{Ceiling, NewTask},
};

/// The definitions of a project, the models they run on, and what is to be known of the project itself.
pub struct Crew {
    catalog: Catalog,
    llm: llm::Client,
    pub(super) models: Models,
    live: Live,
    outbound: Outbound,
    still: Option<Still>,
    memory: Arc<Memory>,
    pub(super) embedding: Option<Arc<memory::Embedding>>,
    /// Told when the index of memories needs some care.
    pub(super) unsettled: Arc<Notify>,
    evaluations: Arc<Evaluations>,
    records: Arc<Records>,
    skills: Arc<Skills>,
    toolbox: OnceLock<Arc<dyn Toolbox>>,
    identities: Option<Arc<Identities>>,
}

impl fmt::Debug for Crew {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Crew")
            .field("catalog", &self.catalog)
            .field("models", &self.models)
            .finish_non_exhaustive()
    }
}

impl Crew {
    /// A crew of the employees in `catalog`, which run on `models` unless they have their own.
    pub fn new(catalog: Catalog, llm: llm::Client, models: Models) -> Self {
        let (live, outbound) = (Live::default(), Outbound::new(Vec::new()));
        let memory = Arc::new(Memory::open(catalog.root(), memory::Settings::default()));
        let evaluations = Arc::new(Evaluations::open(catalog.root()));
        let records = Arc::new(Records::of(catalog.root()));
        let skills = Arc::new(Skills::open(catalog.root()));
        let (still, toolbox, embedding, identities) = (None, OnceLock::new(), None, None);
        Self {
            catalog,
            llm,
            models,
            live,
            outbound,
            still,
            memory,
            embedding,
            unsettled: Arc::default(),
            evaluations,
            records,
            skills,
            toolbox,
            identities,
        }
    }

    /// The same whose employees remember as `settings` say.
    #[must_use]
    pub fn remembering(self, settings: memory::Settings) -> Self {
        Self { memory: Arc::new(Memory::open(self.root(), settings)), ..self }
    }

    /// The same whose memories are searched by what they mean, too.
    #[must_use]
    pub fn embedding(self, embedding: Option<memory::Embedding>) -> Self {
        Self { embedding: embedding.map(Arc::new), ..self }
    }

    /// The same with another way out to the web than to where everyone can go.
    #[must_use]
    pub fn with_outbound(self, outbound: Outbound) -> Self {
        Self { outbound, ..self }
    }

    /// The same with a service that tells who agents are, if there is one.
    #[must_use]
    pub fn identified_by(self, identities: Option<Arc<Identities>>) -> Self {
        Self { identities, ..self }
    }

    pub(super) fn identities(&self) -> Option<&Identities> {
        self.identities.as_deref()
    }

    /// The same at a time that does not go on, if one is given.
    #[must_use]
    pub fn standing(self, still: Option<Still>) -> Self {
        Self { still, ..self }
    }

    /// Gives employees at work their tools; only the first toolbox counts.
    pub fn equip(&self, toolbox: Arc<dyn Toolbox>) {
        let _ = self.toolbox.set(toolbox);
    }

    pub(super) fn toolbox(&self) -> Option<&Arc<dyn Toolbox>> {
        self.toolbox.get()
    }

    /// What employees at work have said so far.
    pub fn live(&self) -> &Live {
        &self.live
    }

    /// The value of a variable that a definition may name: none of those that hold secrets of crew itself.
    pub fn variable(&self, name: &str) -> Option<Secret> {
        (self.models.variable)(name)
    }

    /// What employees remember. It waits for the disk, see [`Crew::remember`].
    pub fn memory(&self) -> &Arc<Memory> {
        &self.memory
    }

    /// What employees decided. It waits for the disk, see [`Crew::decisions`].
    pub fn evaluations(&self) -> &Arc<Evaluations> {
        &self.evaluations
    }

    /// What was written down of runs and discussions. It waits for the disk.
    pub fn records(&self) -> &Arc<Records> {
        &self.records
    }

    /// How often skills were used.
    pub(super) fn skills(&self) -> &Arc<Skills> {
        &self.skills
    }

    /// Whether this is the work of another time, which is to be repeated as it was: nothing is remembered in it.
    pub(super) fn is_still(&self) -> bool {
        self.still.is_some()
    }

    /// The way out to places on the web that a model or a definition names.
    pub fn outbound(&self) -> &Outbound {
        &self.outbound
    }

    /// The definitions as they are now.
    pub async fn definitions(&self) -> Arc<Snapshot> {
        self.catalog.current().await
    }

    /// Where the definitions come from.
    pub fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// The models.
    pub fn llm(&self) -> &llm::Client {
        &self.llm
    }

    /// What kind of project this is.
    pub async fn project(&self) -> Project {
        self.definitions().await.project.clone()
    }

    /// Finds an employee by name or trigger.
    ///
    /// # Errors
    /// [`Error::UnknownEmployee`].
    pub async fn employee(&self, name: &str) -> Result<Arc<Employee>, Error> {
        find_employee(&*self.definitions().await, name)
    }

    /// Finds a pipeline by name.
    ///
    /// # Errors
    /// [`Error::UnknownPipeline`].
    pub async fn pipeline(&self, name: &str) -> Result<Arc<Pipeline>, Error> {
        find_pipeline(&*self.definitions().await, name)
    }

    /// Renders the prompt of `employee`, the same wherever it is asked for.
    ///
    /// # Errors
    /// [`Error::MissingArguments`] when a required value is absent or blank, [`Error::TooManyPositionals`].
    pub async fn render(&self, employee: &Employee, given: &Given) -> Result<String, Error> {
        Ok(self.render_for(employee, given, None, None).await?.0)
    }

    /// The same, told of who it is as that agent of the identity service.
    ///
    /// # Errors
    /// As [`Crew::render`].
    pub async fn render_as(&self, employee: &Employee, given: &Given, agent: u64) -> Result<String, Error> {
        let identified = self.identity(agent, employee).await;
        Ok(self.render_for(employee, given, None, identified.as_deref()).await?.0)
    }

    /// The same for work that is begun with what was `said`, by who is `identified` so; also tells what skills brought.
    pub(super) async fn render_for(
        &self,
        employee: &Employee,
        given: &Given,
        said: Option<&str>,
        identified: Option<&str>,
    ) -> Result<(String, Brought), Error> {
        let around = self.surroundings(employee).await;
        let body = prompt::body(employee, given, &around)?;
        let remembered = self.experience(employee, &body).await;
        let task = prompt::task(employee, given, said, &body)?;
        let brought = self.brought(employee, &task, remembered.as_deref()).await;
        let told = [identified, remembered.as_deref(), brought.section.as_deref()].into_iter().flatten();
        let prompt = prompt::framed(employee, &body, told, &around);
        Ok((prompt, brought))
    }

    /// Renders the instructions of `employee` alone and what its skills bring, see [`Crew::render`].
    ///
    /// # Errors
    /// As [`Crew::render`].
    pub async fn render_body(&self, employee: &Employee, given: &Given) -> Result<String, Error> {
        Ok(self.render_body_for(employee, given, None).await?.0)
    }

    /// The same for work that is begun with what was `said`; also tells what skills brought.
    pub(super) async fn render_body_for(
        &self,
        employee: &Employee,
        given: &Given,
        said: Option<&str>,
    ) -> Result<(String, Brought), Error> {
        let body = prompt::body(employee, given, &self.surroundings(employee).await)?;
        let task = prompt::task(employee, given, said, &body)?;
        let brought = self.brought(employee, &task, None).await;
        let prompt = prompt::parts(brought.section.as_deref(), &body);
        Ok((prompt, brought))
    }

    /// The instructions of `employee` to be told to others, see [`prompt::background`].
    pub(super) async fn render_background(
        &self,
        employee: &Employee,
        args: &Args,
        language: Language,
    ) -> String {
        prompt::background(employee, args, language, &self.surroundings(employee).await)
    }

    /// What prompts say of the time: that of the system's zone, unless it stands still.
    pub(super) fn now(&self) -> Zoned {
        let still = self.still.as_ref().map(|still| still.now.clone());
        still.unwrap_or_else(|| clock::now().to_zoned(TimeZone::system()))
    }

    async fn surroundings(&self, employee: &Employee) -> Surroundings {
        let root = self.catalog.root();
        if let Some(Still { now, git_branch }) = self.still.clone() {
            return Surroundings { root: root.to_owned(), project: self.project().await, now, git_branch };
        }
        let texts = || std::iter::once(&employee.body).chain(employee.adaptors.iter().map(|a| &a.body));
        let git_branch = if texts().any(|text| text.contains("{git_branch}")) {
            let root = root.to_owned();
            tokio::task::spawn_blocking(move || git_branch(&root)).await.unwrap_or_default()
        } else {
            None
        };
        Surroundings { root: root.to_owned(), project: self.project().await, now: self.now(), git_branch }
    }

    /// Checks that a run can be done, and describes it as a task to submit: nothing is accepted that is known to fail.
    ///
    /// # Errors
    /// An unknown employee or pipeline, missing values, or a model that has no provider or no key.
    pub async fn plan(&self, mut order: Order) -> Result<NewTask, Error> {
        match order.kind {
            TargetKind::Employee => {
                let employee = self.employee(&order.target).await?;
                prompt::check_arguments(&employee, &Given::named(order.args.clone()))?;
                let definitions = self.definitions().await;
                self.llm.check(&self.model(&definitions, order.model.as_deref(), &employee))?;
                let mut task = order.into_task(EMPLOYEE_RUN, employee.name.clone(), Map::new());
                Ceiling::put(&ceilings(&definitions, None), &mut task.options);
                Ok(task)
            }
            TargetKind::Pipeline => {
                let definitions = self.definitions().await;
                let pipeline = find_pipeline(&definitions, &order.target)?;
                // Defaults are part of the task: a run goes on with those it began with.
                order.args = pipeline.complete(order.args);
                pipeline::check(self, &definitions, &pipeline, &order)?;
                let fingerprint = Value::String(pipeline::fingerprint(&pipeline));
                let options = Map::from_iter([("definition".to_owned(), fingerprint)]);
                let mut task = order.into_task(PIPELINE_RUN, pipeline.name.clone(), options);
                let own = (format!("pipeline `{}`", pipeline.name), pipeline.budget);
                Ceiling::put(&ceilings(&definitions, Some(own)), &mut task.options);
                let from = delivery::From::Pipeline(pipeline.name.clone());
                Wish::add(Wish::all(&from, &pipeline.deliver), &mut task);
                Ok(task)
            }
            TargetKind::Discussion => self.plan_holding(order).await,
        }
    }

    /// The root of the project.
    pub fn root(&self) -> &Path {
        self.catalog.root()
    }
}

/// Finds an employee by name or trigger in one state of the definitions.
pub(crate) fn find_employee(definitions: &Snapshot, name: &str) -> Result<Arc<Employee>, Error> {
    definitions.employee(name).map(|entry| Arc::clone(&entry.employee)).ok_or_else(|| {
        Error::UnknownEmployee { name: name.to_owned(), hint: definitions.hint(TargetKind::Employee, name) }
    })
}

/// Finds a pipeline by name in one state of the definitions.
fn find_pipeline(definitions: &Snapshot, name: &str) -> Result<Arc<Pipeline>, Error> {
    definitions.pipeline(name).map(|entry| Arc::clone(&entry.pipeline)).ok_or_else(|| {
        Error::UnknownPipeline { name: name.to_owned(), hint: definitions.hint(TargetKind::Pipeline, name) }
    })
}

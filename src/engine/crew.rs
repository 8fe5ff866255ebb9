//! A crew: the definitions of a project and the models they run on.

use std::{path::Path, sync::Arc};

use jiff::tz::TimeZone;
use serde_json::{Map, Value};

use super::{
    Args, EMPLOYEE_RUN, Error, Live, Order, PIPELINE_RUN, pipeline,
    prompt::{self, Given},
    surroundings::{Language, Surroundings, git_branch},
};
use crate::{
    base::clock,
    catalog::{Catalog, Project, Snapshot},
    defs::{Employee, Pipeline, TargetKind},
    llm,
    tasks::NewTask,
};

/// The definitions of a project, the models they run on, and what is to be known of the project itself.
#[derive(Debug)]
pub struct Crew {
    catalog: Catalog,
    llm: llm::Client,
    default_model: String,
    fallback_model: Option<String>,
    live: Live,
}

impl Crew {
    /// A crew of the employees in `catalog`, those without a model of their own running on `default_model`.
    pub fn new(catalog: Catalog, llm: llm::Client, default_model: String) -> Self {
        Self { catalog, llm, default_model, fallback_model: None, live: Live::default() }
    }

    /// The same with a model that is asked once when the one of an employee does not answer.
    #[must_use]
    pub fn with_fallback(self, model: Option<String>) -> Self {
        Self { fallback_model: model, ..self }
    }

    /// The model that stands in for one that does not answer.
    pub(crate) fn fallback_model(&self) -> Option<&String> {
        self.fallback_model.as_ref()
    }

    /// What employees at work have said so far.
    pub fn live(&self) -> &Live {
        &self.live
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
        prompt::render(employee, given, &self.surroundings(employee).await)
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

    async fn surroundings(&self, employee: &Employee) -> Surroundings {
        let root = self.catalog.root();
        let texts = || std::iter::once(&employee.body).chain(employee.adaptors.iter().map(|a| &a.body));
        let git_branch = if texts().any(|text| text.contains("{git_branch}")) {
            let root = root.to_owned();
            tokio::task::spawn_blocking(move || git_branch(&root)).await.unwrap_or_default()
        } else {
            None
        };
        Surroundings {
            root: root.to_owned(),
            project: self.project().await,
            now: clock::now().to_zoned(TimeZone::system()),
            git_branch,
        }
    }

    /// The model a run of `employee` uses: what the run asks for, else its own, else that of its tier in the
    /// organization, else the crew's.
    pub(crate) fn model<'m>(
        &'m self,
        definitions: &'m Snapshot,
        asked: Option<&'m str>,
        employee: &'m Employee,
    ) -> &'m str {
        let of_tier = || definitions.organization.model_of_tier(&employee.model_tier);
        asked.or(employee.model.as_deref()).or_else(of_tier).unwrap_or(&self.default_model)
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
                self.llm.check(self.model(&definitions, order.model.as_deref(), &employee))?;
                Ok(order.into_task(EMPLOYEE_RUN, employee.name.clone(), Map::new()))
            }
            TargetKind::Pipeline => {
                let definitions = self.definitions().await;
                let pipeline = find_pipeline(&definitions, &order.target)?;
                // Defaults are part of the task: a run goes on with those it began with.
                order.args = pipeline.complete(order.args);
                pipeline::check(self, &definitions, &pipeline, &order)?;
                let fingerprint = Value::String(pipeline::fingerprint(&pipeline));
                let options = Map::from_iter([("definition".to_owned(), fingerprint)]);
                Ok(order.into_task(PIPELINE_RUN, pipeline.name.clone(), options))
            }
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
        Error::UnknownEmployee {
            name: name.to_owned(),
            near: definitions.closest_employee(name).map(str::to_owned),
        }
    })
}

/// Finds a pipeline by name in one state of the definitions.
fn find_pipeline(definitions: &Snapshot, name: &str) -> Result<Arc<Pipeline>, Error> {
    definitions.pipeline(name).map(|entry| Arc::clone(&entry.pipeline)).ok_or_else(|| {
        Error::UnknownPipeline {
            name: name.to_owned(),
            near: definitions.closest_pipeline(name).map(str::to_owned),
        }
    })
}

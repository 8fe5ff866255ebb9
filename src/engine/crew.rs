//! A crew: the definitions of a project and the models they run on.

use std::{path::Path, sync::Arc};

use jiff::tz::TimeZone;
use serde_json::{Map, Value};

use super::{
    EMPLOYEE_RUN, Error, PIPELINE_RUN,
    pipeline::{self, Start},
    prompt::{self, Given},
    surroundings::{Surroundings, git_branch},
};
use crate::{
    base::clock,
    catalog::{Catalog, Project, Snapshot},
    defs::{Employee, Pipeline},
    llm,
    tasks::{NewTask, Trigger},
};

/// The definitions of a project, the models they run on, and what is to be known of the project itself.
#[derive(Debug)]
pub struct Crew {
    catalog: Catalog,
    llm: llm::Client,
    default_model: String,
}

impl Crew {
    /// A crew of the employees in `catalog`, those without a model of their own running on `default_model`.
    pub fn new(catalog: Catalog, llm: llm::Client, default_model: String) -> Self {
        Self { catalog, llm, default_model }
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
        let definitions = self.definitions().await;
        definitions.pipeline(name).map(|entry| Arc::clone(&entry.pipeline)).ok_or_else(|| Error::UnknownPipeline {
            name: name.to_owned(),
            near: definitions.closest_pipeline(name).map(str::to_owned),
        })
    }

    /// Renders the prompt of `employee`, the same wherever it is asked for.
    ///
    /// # Errors
    /// As [`prompt::render`].
    pub async fn render(&self, employee: &Employee, given: &Given) -> Result<String, Error> {
        prompt::render(employee, given, &self.surroundings(employee).await)
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

    /// The model a run of `employee` uses: what the run asks for, else its own, else the crew's.
    pub(crate) fn model<'m>(&'m self, asked: Option<&'m str>, employee: &'m Employee) -> &'m str {
        asked.or(employee.model.as_deref()).unwrap_or(&self.default_model)
    }

    /// Checks that `employee` can run, and describes the run as a task to submit.
    ///
    /// # Errors
    /// An unknown employee, missing values, or a model that has no provider or no key.
    pub async fn plan_employee(&self, run: Start, trigger: Trigger) -> Result<NewTask, Error> {
        let employee = self.employee(&run.target).await?;
        prompt::check_arguments(&employee, &Given::named(run.args.clone()))?;
        self.llm.check(self.model(run.model.as_deref(), &employee))?;
        let target = employee.name.clone();
        Ok(task(EMPLOYEE_RUN, target, run, trigger, Map::new()))
    }

    /// Checks that a pipeline can run, and describes the run as a task to submit.
    ///
    /// # Errors
    /// An unknown pipeline or employee, missing values, or a model that has no provider or no key.
    pub async fn plan_pipeline(&self, run: Start, trigger: Trigger) -> Result<NewTask, Error> {
        let pipeline = self.pipeline(&run.target).await?;
        let definitions = self.definitions().await;
        pipeline::check(self, &definitions, &pipeline, &run)?;
        let mut options = Map::new();
        options.insert("definition".to_owned(), Value::String(pipeline::fingerprint(&pipeline)));
        Ok(task(PIPELINE_RUN, pipeline.name.clone(), run, trigger, options))
    }

    /// The root of the project.
    pub fn root(&self) -> &Path {
        self.catalog.root()
    }
}

/// Finds an employee by name or trigger in one state of the definitions.
pub(crate) fn find_employee(definitions: &Snapshot, name: &str) -> Result<Arc<Employee>, Error> {
    definitions.employee(name).map(|entry| Arc::clone(&entry.employee)).ok_or_else(|| Error::UnknownEmployee {
        name: name.to_owned(),
        near: definitions.closest_employee(name).map(str::to_owned),
    })
}

fn task(
    kind: crate::tasks::Kind,
    target: String,
    run: Start,
    trigger: Trigger,
    mut options: Map<String, Value>,
) -> NewTask {
    if let Some(model) = run.model {
        options.insert("model".to_owned(), Value::String(model));
    }
    NewTask {
        kind,
        target,
        args: run.args,
        options,
        trigger,
        caller: run.caller,
        idempotency_key: run.idempotency_key,
    }
}

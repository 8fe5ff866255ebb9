//! What the HTTP bridge asks of the crew.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use serde_json::Value;

use super::{Environment, measures::Measures};
use crate::{
    base::Secret,
    defs::{SecretRef, Severity, TargetKind, WebhookConfig},
    engine::{
        self, Again, Anew, Args, Changes, CostQuery, CostSummary, Crew, Forecast, Order, ScheduleStatus,
        Scheduler, delivery::Wish,
    },
    tasks::{self, Engine, NewTask, Task},
    tools,
    web::{self, Readiness, webhook},
};

/// The crew, its schedules, and the secrets that deliveries are signed with.
pub(super) struct Runs {
    crew: Arc<Crew>,
    tasks: Engine,
    scheduler: Option<Arc<Scheduler>>,
    secrets: Secrets,
    measures: Measures,
    webhook: Mutex<Option<(Arc<WebhookConfig>, Arc<webhook::Config>)>>,
}

/// Where a `${NAME}` in `webhook.yaml` leads.
pub(super) struct Secrets {
    pub(super) env: Environment,
    /// Stands in for a variable that is not set; made by [`super::sample::secret`].
    pub(super) stand_in: Option<Secret>,
}

impl Secrets {
    pub(super) fn resolve(&self, reference: &SecretRef) -> Option<Secret> {
        self.find(reference).or_else(|| self.stand_in.clone())
    }

    fn find(&self, reference: &SecretRef) -> Option<Secret> {
        match reference {
            SecretRef::Literal(secret) => Some(secret.clone()),
            SecretRef::Env(name) => self.env.secret(name),
        }
    }
}

impl Runs {
    pub(super) fn new(
        crew: Arc<Crew>,
        tasks: Engine,
        scheduler: Option<Arc<Scheduler>>,
        secrets: Secrets,
        measures: Measures,
    ) -> Self {
        Self { crew, tasks, scheduler, secrets, measures, webhook: Mutex::new(None) }
    }
}

impl web::Runs for Runs {
    fn plan(&self, order: Order) -> BoxFuture<'_, Result<NewTask, tools::Error>> {
        Box::pin(async move { Ok(self.crew.plan(order).await?) })
    }

    fn wishes(&self, destinations: &[String]) -> Result<Vec<Wish>, tools::Error> {
        let definitions = self.crew.catalog().snapshot();
        Wish::named(destinations, &definitions).map_err(|error| tools::Error::Arguments(error.to_string()))
    }

    fn again<'r>(
        &'r self,
        task: &'r Task,
        how: &'r Again,
        changes: Changes,
    ) -> BoxFuture<'r, Result<Anew, tools::Error>> {
        Box::pin(async move { Ok(self.crew.again(task, how, changes).await?) })
    }

    /// Made anew only when the file was read again.
    fn webhook(&self) -> Option<Arc<webhook::Config>> {
        let definitions = self.crew.catalog().snapshot();
        let read = definitions.webhook.as_ref()?;
        let mut known = self.webhook.lock();
        if let Some((from, config)) = &*known
            && Arc::ptr_eq(from, read)
        {
            return Some(Arc::clone(config));
        }
        let secret = read.github_secret.as_ref().and_then(|reference| self.secrets.resolve(reference));
        // Nothing stands in for this one: without it there is still the token.
        let generic_secret = read.webhook_secret.as_ref().and_then(|reference| self.secrets.find(reference));
        let config = Arc::new(webhook::Config { secret, generic_secret, routes: read.routes.clone() });
        *known = Some((Arc::clone(read), Arc::clone(&config)));
        Some(config)
    }

    fn measures(&self) -> String {
        self.measures.render()
    }

    fn readiness(&self) -> BoxFuture<'_, Readiness> {
        Box::pin(async move {
            let definitions = self.crew.definitions().await;
            let broken =
                definitions.findings.iter().filter(|found| found.diagnostic.severity == Severity::Error);
            let definitions = broken.map(|found| found.diagnostic.to_string()).collect();
            let checked = self.tasks.check().await;
            let tasks = checked.err().map(|error| format!("{:#}", anyhow::Error::from(error)));
            Readiness { tasks, definitions }
        })
    }

    fn cost<'r>(
        &'r self,
        tasks: &'r Engine,
        query: CostQuery,
    ) -> BoxFuture<'r, Result<CostSummary, tasks::Error>> {
        Box::pin(async move { engine::past::cost(tasks, self.crew.records(), &query).await })
    }

    fn forecast(
        &self,
        kind: TargetKind,
        name: String,
        args: Args,
        past: Vec<Task>,
    ) -> BoxFuture<'_, Result<Forecast, tools::Error>> {
        Box::pin(async move { Ok(self.crew.forecast(Some(kind), &name, &args, &past).await?) })
    }

    fn cron_status(&self) -> Value {
        let status = self.scheduler.as_ref().map_or_else(ScheduleStatus::off, |scheduler| scheduler.status());
        serde_json::to_value(status).unwrap_or_default()
    }
}

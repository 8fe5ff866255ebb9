//! What the handlers work with.

use std::{fmt, sync::Arc};

use futures_util::future::BoxFuture;
use serde_json::Value;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{Access, Denials, Limits, Problem, Readiness, Resource, webhook};
use crate::{
    base::{HostNames, Tracker},
    defs::TargetKind,
    engine::{
        Again, Anew, Args, Changes, CostQuery, CostSummary, Forecast, Live, Order,
        delivery::{Outbox, Wish},
    },
    llm::Meter,
    tasks::{self, Engine, NewTask, Task},
    tools,
};

/// What the bridge needs to know of the crew.
pub trait Runs: Send + Sync {
    /// Turns an order into a task, before anything is accepted: the target exists, its required arguments are given,
    /// its model can be called.
    ///
    /// # Errors
    /// [`tools::Error::NotFound`] with a suggestion, [`tools::Error::Arguments`] naming what is missing, or whatever
    /// else stands against it.
    fn plan(&self, order: Order) -> BoxFuture<'_, Result<NewTask, tools::Error>>;

    /// What a task is asked to do with its result that is to go to these destinations.
    ///
    /// # Errors
    /// [`tools::Error::Arguments`] when there is none of such a name.
    fn wishes(&self, destinations: &[String]) -> Result<Vec<Wish>, tools::Error>;

    /// Plans how an ended task is done again.
    ///
    /// # Errors
    /// As [`Runs::plan`]; [`tools::Error::Conflict`] when what it works on was changed, [`tools::Error::Arguments`] when it
    /// has no step of that name.
    fn again<'r>(
        &'r self,
        task: &'r Task,
        how: &'r Again,
        changes: Changes,
    ) -> BoxFuture<'r, Result<Anew, tools::Error>>;

    /// What deliveries start; `None` when nothing is configured.
    fn webhook(&self) -> Option<Arc<webhook::Config>>;

    /// Whether work can be accepted, and what is in its way.
    fn readiness(&self) -> BoxFuture<'_, Readiness>;

    /// How the schedules stand, as `GET /cron/status` shows it.
    fn cron_status(&self) -> Value;

    /// What `tasks`, and runs that were none of them, have cost.
    ///
    /// # Errors
    /// When a task cannot be read.
    fn cost<'r>(
        &'r self,
        tasks: &'r Engine,
        query: CostQuery,
    ) -> BoxFuture<'r, Result<CostSummary, tasks::Error>>;

    /// Tells what a run would do, and from what `past` tasks took, what that costs.
    ///
    /// # Errors
    /// As [`Runs::plan`], where it does not depend on models.
    fn forecast(
        &self,
        kind: TargetKind,
        name: String,
        args: Args,
        past: Vec<Task>,
    ) -> BoxFuture<'_, Result<Forecast, tools::Error>>;

    /// What is measured, in the text form of Prometheus.
    fn measures(&self) -> String;
}

/// What every handler may use. Clones share it.
#[derive(Clone)]
pub struct State {
    /// Where work is submitted and looked up.
    pub tasks: Engine,
    /// Where results go; `None` where nothing is sent.
    pub outbox: Option<Outbox>,
    /// What employees at work have said so far.
    pub live: Live,
    /// Which deliveries have started something.
    pub deliveries: Arc<webhook::Deliveries>,
    /// The accounts of model calls.
    pub meter: Arc<Meter>,
    /// Who may call.
    pub access: Access,
    /// What can be called by name.
    pub tools: Arc<tools::Registry>,
    /// What was decided and changed, and by whom.
    pub acts: tools::Acts,
    /// Who was turned away.
    pub denials: Arc<Denials>,
    /// Places for streams of events.
    pub streams: Arc<Semaphore>,
    /// What goes on once a request has been answered, and whether the program is to end.
    pub tracker: Tracker,
    /// How much is accepted.
    pub limits: Arc<Limits>,
    /// Who issues tokens for this server, for clients to find out.
    pub resource: Option<Resource>,
    /// The names this server goes by; they are asked for when there is no token.
    pub hosts: Arc<HostNames>,
    /// The crew.
    pub runs: Arc<dyn Runs>,
}

impl State {
    /// A place for one more stream of events, until it is dropped.
    ///
    /// # Errors
    /// 503 when there is none.
    pub(super) fn stream_place(&self) -> Result<OwnedSemaphorePermit, Problem> {
        let place = Arc::clone(&self.streams).try_acquire_owned();
        place.map_err(|_| Problem::unavailable("too many streams are open; try again later", None))
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State").field("access", &self.access).finish_non_exhaustive()
    }
}

//! Floor 3: what a crew does: it renders prompts, puts employees to work and runs pipelines.
//!
//! Runs are written once, as bodies of durable tasks; whoever starts one (a tool, the web, the clock, the command
//! line) only submits a task.

mod again;
mod alert;
pub mod author;
mod budget;
mod clean;
mod cost;
mod crew;
pub mod delivery;
mod discussion;
mod error;
pub mod evaluation;
mod exchange;
pub mod files;
mod forecast;
mod graph;
mod ground;
mod identity;
mod job;
mod live;
pub mod memory;
mod model;
mod order;
pub mod outbound;
mod parts;
pub mod past;
mod pipeline;
mod prompt;
mod recall;
pub mod records;
mod remember;
mod run;
mod schedule;
mod session;
mod settling;
mod skills;
mod structured;
mod surroundings;
pub mod template_files;
mod toolbox;
mod wiring;

use std::{future::Future, sync::Arc};

use futures_util::future::BoxFuture;
use serde_json::Value;

pub use again::{Again, Anew, Changes};
pub use alert::{ALERT, Alert, Reading, Rules, Watch};
pub use cost::{Cost, CostQuery, CostSummary};
pub use crew::Crew;
pub use discussion::{
    Action, ActionPlan, Afterwards, Attendee, Ballot, Choice, DiscussionPlan, Dissent, Earlier, HeldRound,
    Holding, InRound, Measures, Meeting, OfMember, OfOption, OfRound, ParticipantPrompt, Phase, PlannedRound,
    Priority, Question, Quota, Response, Rule, Side, Stance, Tally, Turn, TurnCost, TurnOrder, Verdict, Vote,
    VoteOutcome, measure, pipeline_of,
};
pub use error::{Error, Missing};
pub use exchange::{Exchange, Exchanged, Outcome};
pub use forecast::{Forecast, ForecastCost, ForecastModel, ForecastStep, Range};
pub use graph::mermaid;
pub use ground::Refusal;
pub use identity::{AGENT, Identities, NoService};
pub use job::Job;
pub use live::{Live, Output, Reader};
pub use model::{Models, Variable};
pub use order::Order;
pub use pipeline::{ItemRun, Mode, PipelineRun, StepRun};
pub use prompt::Given;
pub use run::{Answer, Args, Beginning, DEPTH, FAIL_FAST, STREAM};
pub use schedule::{NewSchedule, RowStatus, ScheduleRefusal, ScheduleStatus, Scheduler, shown};
pub use session::{Session, SessionFilter, SessionHit, SessionRow, SessionWish, Sessions};
pub use skills::{MOST_SKILLS, SkillAnswer, SkillCount, SkillTrial, Skills, TriedSkill};
pub(crate) use surroundings::Language;
pub use surroundings::{Still, git_branch as branch_of};
pub use toolbox::{Gave, Toolbox};

use crate::tasks::{Body, Failure, Kind, Steps, Task};

/// A task that puts one employee to work.
pub const EMPLOYEE_RUN: Kind = Kind::new("employee.run");

/// A task that runs a pipeline.
pub const PIPELINE_RUN: Kind = Kind::new("pipeline.run");

/// A task that holds a discussion.
pub const DISCUSSION_RUN: Kind = Kind::new("discussion.run");

/// The bodies of the tasks a crew can be given.
pub fn bodies(crew: &Arc<Crew>) -> [(Kind, Arc<dyn Body>); 4] {
    [
        (EMPLOYEE_RUN, Arc::new(OfCrew { crew: Arc::clone(crew), run: run::employee })),
        (PIPELINE_RUN, Arc::new(OfCrew { crew: Arc::clone(crew), run: pipeline::run })),
        (DISCUSSION_RUN, Arc::new(OfCrew { crew: Arc::clone(crew), run: discussion::run })),
        (ALERT, Arc::new(alert::Telling)),
    ]
}

/// A body that needs the crew.
struct OfCrew<F> {
    crew: Arc<Crew>,
    run: F,
}

impl<F, R> Body for OfCrew<F>
where
    F: Fn(Arc<Crew>, Arc<Task>, Steps) -> R + Send + Sync + 'static,
    R: Future<Output = Result<Value, Failure>> + Send + 'static,
{
    fn run(&self, task: Arc<Task>, steps: Steps) -> BoxFuture<'static, Result<Value, Failure>> {
        Box::pin((self.run)(Arc::clone(&self.crew), task, steps))
    }

    fn ended(&self, task: Arc<Task>) -> BoxFuture<'static, ()> {
        let crew = Arc::clone(&self.crew);
        Box::pin(async move {
            session::record(&crew, &task).await;
            crew.remember_task(&task).await;
        })
    }
}

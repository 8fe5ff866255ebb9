//! `run_discussion`.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    base::Priority,
    defs::{AdHoc, Discussion, OutputFormat, TargetKind},
    engine::{self, Crew, DiscussionPlan, Meeting},
    tasks::{Kind, NewTask, Status, Task, TaskId, Waiting},
    tools::{
        Annotations, Ctx, Detached, Error, Inquiry, Start, Tool, approval,
        cost::budget,
        office::{self, Office},
    },
};

/// Most discussions to choose from.
const CHOICES: usize = 100;

pub(in crate::tools) struct RunDiscussion(pub(in crate::tools) Office);

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::tools) struct Args {
    /// Name of a discussion; leave it out to make one up with `employees` and `topic`.
    #[serde(default)]
    name: Option<String>,
    /// Ad hoc: who talks, by name or trigger; the first leads.
    #[serde(default)]
    employees: Vec<String>,
    /// Ad hoc: what they talk about.
    #[serde(default)]
    topic: Option<String>,
    /// Ad hoc: what is to come out of it.
    #[serde(default)]
    goal: Option<String>,
    /// Ad hoc: how many rounds; two, unless given.
    #[serde(default)]
    rounds: Option<u32>,
    /// Ad hoc: `standard`, `brainstorm-to-decision`, `adversarial`, `deep-adversarial` or `discuss-then-execute`, in
    /// place of a number of rounds.
    #[serde(default)]
    round_template: Option<String>,
    /// Ad hoc: what comes out of it; a summary, unless given.
    #[serde(default)]
    output_format: Option<OutputFormat>,
    /// Values for the `$name` places, by name; `list_discussions` tells which are needed.
    #[serde(default)]
    args: engine::Args,
    /// Answer with a plan, a prompt for each participant in each round, in place of one prompt for you to play them all.
    #[serde(default)]
    orchestrated: bool,
    /// Hold it: each participant's own model speaks in each round, and what was said is put together. Calls models.
    #[serde(default)]
    execute: bool,
    /// With `execute`: answer with a task id at once instead of waiting; see `get_task`.
    #[serde(default)]
    background: bool,
    /// With `execute`: a model to use in place of every other choice.
    #[serde(default)]
    model: Option<String>,
    /// With `execute`: most US dollars to spend. A call of a model that could cost more is not made, the task fails with
    /// the code `budget-reached`, and `resume_task` lets it go on with more.
    #[serde(default)]
    #[schemars(range(min = 0))]
    max_cost_usd: Option<f64>,
    /// With `execute`: most tokens to use, read and written, in the same way.
    #[serde(default)]
    #[schemars(range(min = 1))]
    max_tokens: Option<u64>,
    /// With `execute`: how soon it is begun when more work waits than is worked on.
    #[serde(default)]
    priority: Priority,
    /// With `execute`: where the result goes once it is there, by names under `destinations` in .crew/config.yaml.
    #[serde(default)]
    #[schemars(length(max = 20))]
    deliver: Vec<String>,
}

/// The prompt, or the plan, or what became of it.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::tools) struct Answer {
    /// Name of the discussion.
    discussion: String,
    /// The prompt by which one reader plays all participants.
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt: Option<String>,
    /// The prompts of each round; fill `{research_findings}`, `{previous_rounds}` and `{all_rounds}` as you go.
    #[serde(skip_serializing_if = "Option::is_none")]
    plan: Option<DiscussionPlan>,
    /// The task by which it is held.
    #[serde(skip_serializing_if = "Option::is_none")]
    task_id: Option<TaskId>,
    /// How far that task is.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<Status>,
    /// What was said, what was counted, and what came out of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    meeting: Option<Box<Meeting>>,
    /// What the task waits for a person to decide; tell the answer with `approve_task`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    waiting: Vec<Waiting>,
}

impl Answer {
    fn of(task: &Task, meeting: Option<Meeting>) -> Self {
        Self {
            discussion: task.target_name.clone(),
            prompt: None,
            plan: None,
            task_id: Some(task.task_id.clone()),
            status: Some(task.status),
            meeting: meeting.map(Box::new),
            waiting: task.waiting.clone(),
        }
    }
}

impl RunDiscussion {
    /// The one that is named, or the one that is described.
    async fn chosen(&self, ctx: &Ctx, args: &Args) -> Result<Arc<Discussion>, Error> {
        if let Some(wanted) = made_up(args) {
            return wanted.discussion().map(Arc::new).map_err(Error::Arguments);
        }
        match args.name.as_deref().map(str::trim).filter(|name| !name.is_empty()) {
            Some(name) => Ok(self.0.crew.discussion(name).await?),
            None => self.picked(ctx).await,
        }
    }

    /// The task that holds `discussion`, which is the one that `args` ask for.
    async fn plan(&self, ctx: &Ctx, discussion: &Discussion, args: Args) -> Result<NewTask, Error> {
        let made_up = made_up(&args);
        let budget = budget(args.max_cost_usd, args.max_tokens)?;
        let order =
            office::order(ctx, TargetKind::Discussion, discussion.name.clone(), args.args, args.model);
        let mut new = match made_up {
            Some(made_up) => self.0.crew.plan_ad_hoc(made_up, order).await?,
            None => self.0.crew.plan(order).await?,
        };
        budget.put(&mut new.options);
        new.priority = args.priority;
        self.0.deliver(&args.deliver, &mut new).await?;
        Ok(new)
    }

    /// The answer of a task that has come to rest.
    fn ended(ctx: &Ctx, task: &Task) -> Result<Answer, Error> {
        if approval::waits(ctx, task)? { Ok(Answer::of(task, None)) } else { Self::conclude(task) }
    }

    /// The one that is picked by who is asked.
    async fn picked(&self, ctx: &Ctx) -> Result<Arc<Discussion>, Error> {
        let lacking = "give a `name`, or both `employees` and `topic`".to_owned();
        let definitions = self.0.crew.definitions().await;
        let names: Vec<String> = definitions.discussions.keys().take(CHOICES).cloned().collect();
        if names.is_empty() {
            return Err(Error::Arguments(lacking));
        }
        let picked = ctx.answers().map_or(Ok(None), |answers| answers.choice("name", &names))?;
        match picked {
            Some(name) => Ok(self.0.crew.discussion(name).await?),
            None => {
                Err(Error::NeedInput(Box::new(Inquiry::choice(lacking, "name", "Which discussion?", &names))))
            }
        }
    }
}

/// The one that is described, if one is.
fn made_up(args: &Args) -> Option<AdHoc> {
    let topic = args.topic.as_deref().map(str::trim).filter(|topic| !topic.is_empty())?;
    (!args.employees.is_empty()).then(|| AdHoc {
        employees: args.employees.clone(),
        topic: topic.to_owned(),
        goal: args.goal.clone().unwrap_or_default(),
        rounds: args.rounds,
        round_template: args.round_template.clone(),
        output_format: args.output_format.unwrap_or(OutputFormat::Summary),
    })
}

impl Detached for RunDiscussion {
    const KIND: Kind = engine::DISCUSSION_RUN;

    async fn start(&self, ctx: Ctx, mut args: Args) -> Result<Start<Answer>, Error> {
        ctx.complete(&mut args.args)?;
        if !args.execute || args.background {
            return self.call(ctx, args).await.map(Start::Done);
        }
        let discussion = self.chosen(&ctx, &args).await?;
        if let Some(task) = self.0.begun(&ctx, &Self::KIND, &discussion.name).await? {
            self.0.decide(&ctx, &task).await?;
            return self.0.task(task.task_id.as_str()).await.map(Start::Task);
        }
        let new = self.plan(&ctx, &discussion, args).await?;
        self.0.submit(&ctx, new).await.map(Start::Task)
    }

    fn conclude(task: &Task) -> Result<Answer, Error> {
        Ok(Answer::of(task, Some(office::result(task)?)))
    }
}

impl Tool for RunDiscussion {
    type Args = Args;
    type Output = Answer;

    const NAME: &'static str = "run_discussion";
    const TITLE: &'static str = "Run a discussion";
    const SUMMARY: &'static str = "Renders a discussion among employees for you to follow: one prompt by which you \
        play them all, or, with `orchestrated`, a plan with a prompt for each participant in each round. With \
        `execute` it is held: each participant's model speaks in turn, agreement, objections and votes are counted, \
        and what came out of it is put together. Takes a discussion of the project by name, or `employees` and a \
        `topic`.";
    const ANNOTATIONS: Annotations = Annotations::WORKS;

    async fn call(&self, ctx: Ctx, mut args: Args) -> Result<Answer, Error> {
        ctx.complete(&mut args.args)?;
        let discussion = self.chosen(&ctx, &args).await?;
        if args.execute {
            let background = args.background;
            let definitions = self.0.crew.definitions().await;
            let total = Crew::steps_of_holding(&discussion, &definitions);
            if let Some(task) = self.0.begun(&ctx, &Self::KIND, &discussion.name).await? {
                self.0.decide(&ctx, &task).await?;
                return Self::ended(&ctx, &*self.0.follow(&ctx, &task.task_id, Some(total)).await?);
            }
            let new = self.plan(&ctx, &discussion, args).await?;
            if background {
                let task = self.0.submit(&ctx, new).await?;
                // It may have begun by now, but that is not what this call found.
                return Ok(Answer {
                    status: Some(Status::Pending),
                    waiting: Vec::new(),
                    ..Answer::of(&task, None)
                });
            }
            return Self::ended(&ctx, &*self.0.see_through(&ctx, new, Some(total)).await?);
        }
        let (prompt, plan) = if args.orchestrated {
            (None, Some(self.0.crew.plan_discussion(&discussion, &args.args).await?))
        } else {
            (Some(self.0.crew.render_discussion(&discussion, &args.args).await?), None)
        };
        let discussion = discussion.name.clone();
        Ok(Answer {
            discussion,
            prompt,
            plan,
            task_id: None,
            status: None,
            meeting: None,
            waiting: Vec::new(),
        })
    }

    fn text(answer: &Answer) -> Option<String> {
        answer.prompt.clone().or_else(|| answer.meeting.as_ref().map(|meeting| meeting.summary()))
    }
}

//! `run_discussion`.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    defs::{AdHoc, Discussion, OutputFormat},
    engine::{self, DiscussionPlan},
    tools::{Annotations, Ctx, Error, Inquiry, Tool, office::Office},
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
}

/// The prompt, or the plan.
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
}

impl RunDiscussion {
    /// The one that is named, or the one that is described.
    async fn chosen(&self, ctx: &Ctx, args: &Args) -> Result<Arc<Discussion>, Error> {
        let topic = args.topic.as_deref().map(str::trim).filter(|topic| !topic.is_empty());
        if let (false, Some(topic)) = (args.employees.is_empty(), topic) {
            let wanted = AdHoc {
                employees: args.employees.clone(),
                topic: topic.to_owned(),
                goal: args.goal.clone().unwrap_or_default(),
                rounds: args.rounds,
                round_template: args.round_template.clone(),
                output_format: args.output_format.unwrap_or(OutputFormat::Summary),
            };
            return wanted.discussion().map(Arc::new).map_err(Error::Arguments);
        }
        match args.name.as_deref().map(str::trim).filter(|name| !name.is_empty()) {
            Some(name) => Ok(self.0.crew.discussion(name).await?),
            None => self.picked(ctx).await,
        }
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

impl Tool for RunDiscussion {
    type Args = Args;
    type Output = Answer;

    const NAME: &'static str = "run_discussion";
    const TITLE: &'static str = "Run a discussion";
    const SUMMARY: &'static str = "Renders a discussion among employees for you to follow: one prompt by which you \
        play them all, or, with `orchestrated`, a plan with a prompt for each participant in each round. Takes a \
        discussion of the project by name, or `employees` and a `topic`. Calls no model and records nothing.";
    const ANNOTATIONS: Annotations = Annotations::READS;

    async fn call(&self, ctx: Ctx, mut args: Args) -> Result<Answer, Error> {
        ctx.complete(&mut args.args)?;
        let discussion = self.chosen(&ctx, &args).await?;
        let (prompt, plan) = if args.orchestrated {
            (None, Some(self.0.crew.plan_discussion(&discussion, &args.args).await?))
        } else {
            (Some(self.0.crew.render_discussion(&discussion, &args.args).await?), None)
        };
        Ok(Answer { discussion: discussion.name.clone(), prompt, plan })
    }

    fn text(answer: &Answer) -> Option<String> {
        answer.prompt.clone()
    }
}

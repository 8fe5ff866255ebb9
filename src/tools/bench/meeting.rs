//! Having others discuss something.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    defs::{AdHoc, OutputFormat},
    engine::{self, Crew, Gave, Holding, Job},
    llm::Usage,
    tools::Error,
};

/// Most employees whom another has discuss something: each speaks in each round.
const MOST_MEMBERS: usize = 12;

/// What is to be discussed, and by whom.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct MeetingArgs {
    /// Names or triggers of those who talk, at most 12; the first leads.
    employees: Vec<String>,
    /// What they talk about, with everything there is to know about it: nothing else of this conversation is handed on.
    topic: String,
    /// What is to come out of it.
    #[serde(default)]
    goal: Option<String>,
    /// How many rounds; two, unless given.
    #[serde(default)]
    rounds: Option<u32>,
    /// `standard`, `brainstorm-to-decision`, `adversarial`, `deep-adversarial` or `discuss-then-execute`, in place of a
    /// number of rounds.
    #[serde(default)]
    round_template: Option<String>,
}

/// Has others discuss it, each on its own model, and waits for what comes out. Every turn is a step of the task of `job`.
pub(super) async fn organize(crew: &Arc<Crew>, job: &Job<'_>, args: MeetingArgs) -> Result<Gave, Error> {
    let count = args.employees.len();
    if count > MOST_MEMBERS {
        let message = format!("at most {MOST_MEMBERS} employees discuss something here, not {count}");
        return Err(Error::Arguments(message));
    }
    if args.rounds.is_some() && args.round_template.is_some() {
        return Err(Error::Arguments("give `rounds` or `round_template`, not both".to_owned()));
    }
    let wanted = AdHoc {
        employees: args.employees,
        topic: args.topic,
        goal: args.goal.unwrap_or_default(),
        rounds: args.rounds,
        round_template: args.round_template,
        output_format: OutputFormat::Summary,
    };
    let discussion = wanted.discussion().map_err(Error::Arguments)?;
    let none = engine::Args::default();
    crew.check_holding(&discussion, &none, None).await?;
    let holding = Holding {
        discussion: &discussion,
        args: &none,
        model: None,
        steps: &job.steps,
        prefix: format!("{}/", job.name),
        depth: job.depth + 1,
    };
    let meeting = crew.hold(&holding).await.map_err(|failure| Error::Failed(failure.message))?;
    let usage = Usage {
        input_tokens: meeting.cost.input_tokens,
        output_tokens: meeting.cost.output_tokens,
        ..Usage::default()
    };
    Ok(Gave { text: meeting.summary(), usage, cost_usd: meeting.cost.usd })
}

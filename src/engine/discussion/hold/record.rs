//! What is kept of a discussion that was held: everything that was said, every ballot, and what was counted of them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{action::ActionPlan, ballot::Ballot, measures::Measures, quota::Quota, transcript};
use crate::{
    defs::{ExecutionRole, Interaction, OutputFormat, Role},
    engine::{Answer, Args, surroundings::Language},
    tasks::TaskId,
};

/// A discussion that was held, as it is kept in `.crew/meetings/<id>.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[expect(
    clippy::struct_field_names,
    reason = "`meeting_id` is the name the predecessor wrote and others look for"
)]
pub struct Meeting {
    /// Its id: when it began, and twelve hexadecimal digits by chance.
    pub meeting_id: String,
    /// The task it was held by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_id: Option<TaskId>,
    /// Name of the discussion.
    pub name: String,
    /// What it was about, places filled.
    pub topic: String,
    /// What was to come out of it.
    pub goal: String,
    /// `meeting` with one participant, else `discussion`.
    pub mode: String,
    /// What came out of it.
    pub output_format: OutputFormat,
    /// When it began, local time with its offset.
    pub started_at: String,
    /// When it ended.
    pub ended_at: String,
    /// The values it was held with.
    pub args: Args,
    /// In their order.
    pub participants: Vec<Attendee>,
    /// In their order; round 0 is research.
    pub rounds: Vec<HeldRound>,
    /// What is counted of the ballots of `rounds`, and can be counted again.
    pub measures: Measures,
    /// Who put it together: the moderator, else the recorder, else the first who spoke.
    pub synthesis_by: String,
    /// What came out of it.
    pub synthesis: String,
    /// What is to be done; absent unless that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action_plan: Option<ActionPlan>,
    /// Why there is none although it was asked for, and asked for once more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action_plan_fault: Option<String>,
    /// What it took.
    pub cost: Cost,
}

/// Somebody who took part.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Attendee {
    /// Name of the employee.
    pub employee: String,
    /// What people call it.
    pub title: String,
    /// What it does in the discussion.
    pub role: Role,
    /// What it looks at.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub focus: String,
    /// What it stands for.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub stance: String,
    /// Employees it must contradict.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub must_challenge: Vec<String>,
    /// How much it may agree with at most, 0 to 1.
    pub max_agree_ratio: f64,
    /// What it does once something has been decided.
    pub execution_role: ExecutionRole,
}

/// One round that was held.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct HeldRound {
    /// From 1; 0 for research.
    pub round: usize,
    /// What it is called.
    pub name: String,
    /// How the participants acted on each other.
    pub interaction: Interaction,
    /// How they took turns.
    pub order: Order,
    /// What was voted on, by id.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<Choice>,
    /// One for each who was asked, in the order of the participants.
    pub turns: Vec<Turn>,
    /// What those said who had been questioned in this round.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub answers: Vec<Turn>,
}

/// How the participants of a round took turns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// All at once, before anybody had said anything.
    Blind,
    /// All at once, each knowing the rounds before.
    Together,
    /// One after the other, each knowing what those before said.
    InTurn,
}

/// Something to be voted on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Choice {
    /// `O1`, `O2`, …
    pub id: String,
    /// What it is.
    pub text: String,
    /// Who proposed it first; absent when the discussion itself did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

/// What one participant said in one round.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Turn {
    /// Name of the employee.
    pub employee: String,
    /// What was said, the ballot left out.
    pub text: String,
    /// How much that is: words, and for Chinese characters.
    pub words: usize,
    /// What can be counted of it; absent when there was none, also after it was asked for once more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ballot: Option<Ballot>,
    /// Why the ballot could not be used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ballot_fault: Option<String>,
    /// What was asked of this turn, and whether it was met.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub quotas: Vec<Quota>,
    /// What was said first, when it was said again because a quota was not met.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub earlier: Option<Earlier>,
    /// Why there is nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The model that spoke.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub model: String,
    /// What it took.
    pub cost: Cost,
}

/// What was said before a participant was asked again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Earlier {
    /// What was said.
    pub text: String,
    /// Its ballot.
    pub ballot: Option<Ballot>,
    /// What was not met.
    pub unmet: Vec<Quota>,
}

/// What something took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Cost {
    /// How often a model was asked.
    pub calls: usize,
    /// Tokens read.
    pub input_tokens: u64,
    /// Tokens written.
    pub output_tokens: u64,
    /// US dollars; absent when a price is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usd: Option<f64>,
    /// How long it took; turns that were taken side by side are each counted.
    pub duration_ms: u64,
}

impl Cost {
    /// Nothing yet.
    pub(super) const ZERO: Self =
        Self { calls: 0, input_tokens: 0, output_tokens: 0, usd: Some(0.0), duration_ms: 0 };

    /// Adds what an answer took.
    pub(super) fn answer(&mut self, answer: &Answer) {
        self.add(&Self {
            calls: 1,
            input_tokens: answer.input_tokens,
            output_tokens: answer.output_tokens,
            usd: answer.cost_usd,
            duration_ms: answer.duration_ms,
        });
    }

    /// Adds what something else took.
    pub(super) fn add(&mut self, other: &Self) {
        self.calls += other.calls;
        self.input_tokens += other.input_tokens;
        self.output_tokens += other.output_tokens;
        self.usd = self.usd.zip(other.usd).map(|(one, other)| one + other);
        self.duration_ms += other.duration_ms;
    }
}

impl Meeting {
    /// What came out of it and what was counted, as text.
    pub fn summary(&self) -> String {
        let language = Language::of(&format!("{}{}{}", self.name, self.topic, self.goal));
        let (counted, label) =
            (transcript::counted(&self.measures, language), language.pick("Counted", "统计"));
        format!("{}\n\n## {label}\n\n{counted}\n\n(crew://meeting/{})", self.synthesis, self.meeting_id)
    }
}

impl HeldRound {
    /// All that was said in it, in order.
    pub fn all_turns(&self) -> impl Iterator<Item = &Turn> {
        self.turns.iter().chain(&self.answers)
    }
}

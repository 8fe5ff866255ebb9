//! A discussion: employees who talk about a topic in rounds.

mod ad_hoc;
mod parse;
mod rounds;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use ad_hoc::AdHoc;
pub use parse::{DiscussionMarks, parse_discussion, parse_discussion_marked};
pub use rounds::ROUND_TEMPLATES;

use super::{
    budget::Budget,
    employee::Output,
    template::{Asking, Place, Template},
};

/// A discussion that can be held.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Discussion {
    /// Name it is held by.
    pub name: String,
    /// One line.
    pub description: String,
    /// What it is about, with `$name` places to fill.
    pub topic: String,
    /// What is to come out of it.
    pub goal: String,
    /// At least one.
    pub participants: Vec<Participant>,
    /// How it goes.
    pub rounds: Rounds,
    /// The template the rounds are from.
    pub round_template: Option<String>,
    /// What kind it is.
    pub mode: Mode,
    /// In place of the usual rules.
    pub rules: Option<Vec<String>>,
    /// How much is told of each participant.
    pub background_mode: Background,
    /// What comes out of it.
    pub output_format: OutputFormat,
    /// Where it is to be kept.
    pub output: Option<Output>,
    /// Contradictions to start from.
    pub tension_seeds: Vec<String>,
    /// Whether it ends with a plan of action in JSON.
    pub action_output: bool,
    /// The pipeline the plan of action is meant for.
    pub post_pipeline: Option<String>,
    /// How much holding it may take.
    #[serde(skip_serializing_if = "Budget::is_empty")]
    pub budget: Budget,
    /// Made up on the spot: its texts are what somebody said, so an unknown `$name` in them stays.
    #[serde(skip)]
    pub is_ad_hoc: bool,
}

/// Somebody who takes part.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Participant {
    /// Name or trigger of the employee.
    pub employee: String,
    /// What they do in the discussion.
    pub role: Role,
    /// What they look at.
    pub focus: String,
    /// What they stand for.
    pub stance: String,
    /// Employees they must contradict.
    pub must_challenge: Vec<String>,
    /// How much of what others say they may agree with at most, 0 to 1.
    pub max_agree_ratio: f64,
    /// What they do once something has been decided.
    pub execution_role: ExecutionRole,
}

/// What a participant does in the discussion.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Leads it.
    Moderator,
    /// Speaks.
    #[default]
    Speaker,
    /// Writes down what is said.
    Recorder,
}

/// What a participant does once something has been decided.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ExecutionRole {
    /// Does it.
    Executor,
    /// Reviews it.
    Reviewer,
    /// Watches over it.
    Monitor,
    /// Nothing.
    #[default]
    Idle,
}

/// How a discussion goes.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Rounds {
    /// This many of the usual kind: an opening, deep dives, a resolution.
    Count(u32),
    /// These.
    Listed(Vec<Round>),
}

/// One round.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Round {
    /// What it is called; may be empty.
    pub name: String,
    /// What is to be done in it.
    pub instruction: String,
    /// How the participants act on each other.
    pub interaction: Interaction,
    /// How often each must disagree at least; 0 for no rule.
    pub min_disagreements: u32,
    /// How long each may speak; 0 for no rule.
    pub max_words_per_turn: u32,
    /// Whether each must answer somebody by name.
    pub require_direct_reply: bool,
}

/// How participants act on each other.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Interaction {
    /// As they like.
    #[default]
    Free,
    /// One after another.
    RoundRobin,
    /// Each contradicts.
    Challenge,
    /// Each answers what was said against them.
    Response,
    /// Ideas without judgement.
    Brainstorm,
    /// For, against, abstain.
    Vote,
    /// Two sides.
    Debate,
    /// Three questions to one other.
    CrossExamine,
    /// First make the other's point stronger, then find its weakness.
    SteelmanThenAttack,
}

/// What kind of discussion it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// A conversation between two when there is one participant, else a discussion.
    #[default]
    Auto,
    /// Several talk to each other.
    Discussion,
    /// The reader talks with the one participant.
    Meeting,
}

/// How much is told of each participant.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Background {
    /// All instructions.
    Full,
    /// The summary.
    Summary,
    /// Nothing.
    Minimal,
    /// `full` up to three participants, `summary` up to six, else `minimal`.
    #[default]
    Auto,
}

/// What comes out of a discussion.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OutputFormat {
    /// Decisions, and who does what.
    #[default]
    Decision,
    /// All that was said.
    Transcript,
    /// What matters of it.
    Summary,
}

impl Interaction {
    /// All, by the words they are written with.
    pub const WORDS: [(&'static str, Self); 9] = [
        ("free", Self::Free),
        ("round-robin", Self::RoundRobin),
        ("challenge", Self::Challenge),
        ("response", Self::Response),
        ("brainstorm", Self::Brainstorm),
        ("vote", Self::Vote),
        ("debate", Self::Debate),
        ("cross-examine", Self::CrossExamine),
        ("steelman-then-attack", Self::SteelmanThenAttack),
    ];
}

impl Rounds {
    /// How many there are.
    pub fn len(&self) -> usize {
        match self {
            Self::Count(count) => usize::try_from(*count).unwrap_or(usize::MAX),
            Self::Listed(rounds) => rounds.len(),
        }
    }

    /// Never: a discussion has at least one.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Discussion {
    /// Whether the reader talks with the one participant.
    pub fn is_meeting(&self) -> bool {
        match self.mode {
            Mode::Meeting => true,
            Mode::Discussion => false,
            Mode::Auto => self.participants.len() == 1,
        }
    }

    /// How much is told of each participant, once it is known how many there are.
    pub fn background(&self) -> Background {
        match (self.background_mode, self.participants.len()) {
            (Background::Auto, 0..=3) => Background::Full,
            (Background::Auto, 4..=6) => Background::Summary,
            (Background::Auto, _) => Background::Minimal,
            (chosen, _) => chosen,
        }
    }

    /// Every text that may hold `$name` places, save the name of the file it is to be kept in.
    pub fn texts_mut(&mut self) -> impl Iterator<Item = &mut String> {
        let rounds = match &mut self.rounds {
            Rounds::Listed(rounds) => rounds.as_mut_slice(),
            Rounds::Count(_) => &mut [],
        };
        [&mut self.description, &mut self.topic, &mut self.goal]
            .into_iter()
            .chain(self.participants.iter_mut().flat_map(|who| [&mut who.focus, &mut who.stance]))
            .chain(rounds.iter_mut().flat_map(|round| [&mut round.name, &mut round.instruction]))
            .chain(self.rules.iter_mut().flatten())
            .chain(&mut self.tension_seeds)
    }

    /// The names of the values it must be given, in the order they are first used.
    pub fn required_args(&self) -> Vec<String> {
        if self.is_ad_hoc {
            return Vec::new();
        }
        let mut names: Vec<String> = Vec::new();
        let mut note = |text: &str, known: &[&str]| {
            for place in Template::parse(text, &Asking { names: &(), words: &[] }).places() {
                if let Place::Named(name) = place
                    && !known.contains(&name)
                    && !names.iter().any(|known| known == name)
                {
                    names.push(name.to_owned());
                }
            }
        };
        let mut copy = self.clone();
        copy.texts_mut().for_each(|text| note(text, &[]));
        // In the name of the file `$topic` is the topic of the discussion.
        self.output.iter().for_each(|output| note(&output.filename, &["topic"]));
        names
    }
}

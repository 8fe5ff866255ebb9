//! The shape of a discussion.

#![expect(dead_code, reason = "these types are never made, only their schemas")]

use schemars::JsonSchema;

use super::{
    employee::Somebody,
    piece::{Budget, Flag, FullText, Line, Ratio, Text, Texts, Whole},
};
use crate::defs::{Background, ExecutionRole, Format, Interaction, OutputFormat, Role};

/// Employees who talk about a topic in rounds.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct Discussion {
    /// Name it is held by; that of the file, unless given.
    name: Option<Line>,
    /// One line.
    description: Option<Text>,
    /// What it is about, with `$name` places filled in.
    topic: FullText,
    /// What is to come out of it.
    goal: Option<Text>,
    /// Who takes part.
    #[schemars(length(min = 1))]
    participants: Vec<Participant>,
    /// How many, or what happens in each; three of the usual kind, unless given.
    rounds: Option<Rounds>,
    /// Rounds by the name of a template, in place of `rounds`.
    round_template: Option<RoundTemplate>,
    /// `meeting` (or `1v1`) with one participant, `discussion` with several; `auto` counts them.
    mode: Option<Mode>,
    /// In place of the usual rules; an empty list for none.
    rules: Option<Texts>,
    /// How much is told of each participant.
    background_mode: Option<Background>,
    /// What comes out of it.
    output_format: Option<OutputFormat>,
    /// Where it is to be kept.
    output: Option<Output>,
    /// Contradictions to start from.
    tension_seeds: Option<Texts>,
    /// Whether it ends with a plan of action in JSON.
    action_output: Option<Flag>,
    /// The pipeline the plan of action is meant for.
    post_pipeline: Option<Text>,
    /// How much holding it may take.
    budget: Option<Budget>,
}

/// Somebody who takes part.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Participant {
    /// Name or trigger of the employee.
    employee: Somebody,
    /// What they do in the discussion.
    role: Option<Role>,
    /// What they look at.
    focus: Option<Text>,
    /// What they stand for.
    stance: Option<Text>,
    /// Employees they must contradict.
    must_challenge: Option<Texts>,
    /// How much of what others say they may agree with at most, 0 to 1.
    max_agree_ratio: Option<Ratio>,
    /// What they do once something has been decided.
    execution_role: Option<ExecutionRole>,
}

/// A number of rounds, or the rounds.
#[derive(JsonSchema)]
#[schemars(untagged)]
enum Rounds {
    Count(Whole<1, 20>),
    Listed(#[schemars(length(min = 1, max = 20))] Vec<Round>),
}

/// One round.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Round {
    /// What it is called.
    name: Option<Text>,
    /// What is to be done in it.
    instruction: Option<Text>,
    /// How the participants act on each other.
    interaction: Option<Interaction>,
    /// How often each must disagree at least.
    min_disagreements: Option<Whole<0, 20>>,
    /// How long each may speak.
    max_words_per_turn: Option<Whole<0, 100_000>>,
    /// Whether each must answer somebody by name.
    require_direct_reply: Option<Flag>,
}

/// The name of a template for rounds.
#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case")]
enum RoundTemplate {
    Standard,
    BrainstormToDecision,
    Adversarial,
    DeepAdversarial,
    DiscussThenExecute,
}

/// What kind of discussion it is.
#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase")]
enum Mode {
    /// A conversation between two when there is one participant, else a discussion.
    Auto,
    /// Several talk to each other.
    Discussion,
    /// The reader talks with the one participant.
    Meeting,
    /// The same as `meeting`.
    #[schemars(rename = "1v1")]
    OneOnOne,
}

/// Where what comes out of it is kept.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Output {
    /// Its form.
    format: Option<Format>,
    /// Name of the file.
    filename: Option<Text>,
    /// Folder of that file.
    dir: Option<Text>,
}

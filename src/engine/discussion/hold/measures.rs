//! What crew counts of a discussion: how much who agreed, what the votes came to, and who stays of another opinion.
//!
//! All of it is a function of the rounds as they are recorded, so anybody can count again.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    ballot::{Side, Stance, Verdict},
    quota::{Rule, ratio},
    record::{HeldRound, Turn},
};

/// What is counted of a discussion.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Measures {
    /// By round, research left out.
    pub rounds: Vec<OfRound>,
    /// By participant, over all rounds.
    pub members: Vec<OfMember>,
    /// What each vote came to.
    pub votes: Vec<Tally>,
    /// Who stays of another opinion: against the outcome of the last vote, or where there was none, with the
    /// objections that were still upheld when they last spoke.
    pub minority: Vec<Dissent>,
}

/// What is counted of one round.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OfRound {
    /// Its number.
    pub round: usize,
    /// How often somebody agreed.
    pub agreements: usize,
    /// How often somebody objected.
    pub objections: usize,
    /// Agreements among both; absent when there were neither.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agree_ratio: Option<f64>,
    /// By participant.
    pub members: Vec<InRound>,
}

/// What is counted of one participant in one round.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct InRound {
    /// Name of the employee.
    pub employee: String,
    /// How often it agreed.
    pub agreements: usize,
    /// How often it objected.
    pub objections: usize,
    /// Agreements among both; absent when there were neither.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agree_ratio: Option<f64>,
    /// Whether there is a ballot to count.
    pub has_ballot: bool,
    /// Whether it failed to speak.
    pub failed: bool,
    /// What was asked of it and not met.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unmet: Vec<Rule>,
}

/// What is counted of one participant over all rounds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OfMember {
    /// Name of the employee.
    pub employee: String,
    /// How often it spoke.
    pub turns: usize,
    /// How many ballots there are of it.
    pub ballots: usize,
    /// How often it agreed.
    pub agreements: usize,
    /// How often it objected.
    pub objections: usize,
    /// Agreements among both; absent when there were neither.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agree_ratio: Option<f64>,
    /// How often it said that it had changed its mind.
    pub changes: usize,
    /// Whether its first and its last position are word for word the same; absent when it gave fewer than two.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub same_position: Option<bool>,
    /// How often something was asked of it and not met.
    pub unmet: usize,
    /// How often it failed to speak.
    pub failures: usize,
}

/// What a vote came to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Tally {
    /// The round it was held in.
    pub round: usize,
    /// Its options.
    pub options: Vec<OfOption>,
    /// Ids of the options with the largest majority; more than one when they tie, none when nothing carried.
    pub leading: Vec<String>,
}

/// What the votes on one option came to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OfOption {
    /// Its id.
    pub id: String,
    /// What it is.
    pub text: String,
    /// Who was for it.
    pub r#for: Vec<String>,
    /// Who was against it.
    pub against: Vec<String>,
    /// Who abstained.
    pub abstain: Vec<String>,
    /// Who did not vote on it.
    pub silent: Vec<String>,
    /// More for than against, or not.
    pub outcome: Outcome,
}

/// How a vote on an option ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// More were for it than against it.
    Carried,
    /// More were against it.
    Rejected,
    /// As many were for it as against it.
    Tied,
    /// Nobody was for it or against it.
    Open,
}

/// An opinion that did not win.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Dissent {
    /// Whose it is.
    pub employee: String,
    /// What it is about: an option, or what another said.
    pub about: String,
    /// Who said that; absent for an option.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub against: Option<String>,
    /// Why.
    pub why: String,
}

/// Counts what was said in `rounds` by `members`, the names of those who took part.
pub fn measure(rounds: &[HeldRound], members: &[String]) -> Measures {
    let held: Vec<&HeldRound> = rounds.iter().filter(|round| round.round > 0).collect();
    let votes: Vec<Tally> =
        held.iter().filter(|round| !round.options.is_empty()).map(|round| tally(round)).collect();
    let minority = match votes.last() {
        Some(last) => outvoted(last, &held),
        None => upheld(&held, members),
    };
    Measures {
        rounds: held.iter().map(|round| of_round(round)).collect(),
        members: members.iter().map(|name| of_member(name, &held)).collect(),
        votes,
        minority,
    }
}

fn stands(turns: impl Iterator<Item = impl AsRef<Turn>>) -> (usize, usize) {
    turns
        .filter_map(|turn| turn.as_ref().ballot.as_ref().map(|b| (b.agree.len(), b.object.len())))
        .fold((0, 0), |(agreed, objected), (more, less)| (agreed + more, objected + less))
}

impl AsRef<Self> for Turn {
    fn as_ref(&self) -> &Self {
        self
    }
}

fn of_round(round: &HeldRound) -> OfRound {
    let members = round.turns.iter().map(|turn| {
        // What somebody answered in the same round counts as said in it.
        let own = round.all_turns().filter(|other| other.employee == turn.employee);
        let (agreements, objections) = stands(own);
        InRound {
            employee: turn.employee.clone(),
            agreements,
            objections,
            agree_ratio: ratio(agreements, objections),
            has_ballot: turn.ballot.is_some(),
            failed: turn.error.is_some(),
            unmet: turn.quotas.iter().filter(|quota| !quota.met).map(|quota| quota.rule).collect(),
        }
    });
    let members: Vec<InRound> = members.collect();
    let (agreements, objections) = stands(round.all_turns());
    OfRound {
        round: round.round,
        agreements,
        objections,
        agree_ratio: ratio(agreements, objections),
        members,
    }
}

fn of_member(name: &str, rounds: &[&HeldRound]) -> OfMember {
    let turns: Vec<&Turn> =
        rounds.iter().flat_map(|round| round.all_turns()).filter(|turn| turn.employee == name).collect();
    let (agreements, objections) = stands(turns.iter());
    let ballots = || turns.iter().filter_map(|turn| turn.ballot.as_ref());
    let positions: Vec<&str> =
        ballots().map(|ballot| ballot.position.as_str()).filter(|position| !position.is_empty()).collect();
    let same_position = match positions.as_slice() {
        [first, .., last] => Some(first == last),
        _ => None,
    };
    OfMember {
        employee: name.to_owned(),
        turns: turns.iter().filter(|turn| turn.error.is_none()).count(),
        ballots: ballots().count(),
        agreements,
        objections,
        agree_ratio: ratio(agreements, objections),
        changes: ballots().filter(|ballot| ballot.changed).count(),
        same_position,
        unmet: turns.iter().flat_map(|turn| &turn.quotas).filter(|quota| !quota.met).count(),
        failures: turns.iter().filter(|turn| turn.error.is_some()).count(),
    }
}

fn tally(round: &HeldRound) -> Tally {
    let options: Vec<OfOption> = round
        .options
        .iter()
        .map(|option| {
            let said = |turn: &Turn| {
                let ballot = turn.ballot.as_ref()?;
                ballot.votes.iter().find(|vote| vote.option == option.id).map(|vote| vote.choice)
            };
            let who = |side: Option<Side>| -> Vec<String> {
                let turns = round.turns.iter().filter(|turn| said(turn) == side);
                turns.map(|turn| turn.employee.clone()).collect()
            };
            let (r#for, against) = (who(Some(Side::For)), who(Some(Side::Against)));
            let outcome = match (r#for.len(), against.len()) {
                (0, 0) => Outcome::Open,
                (yes, no) if yes > no => Outcome::Carried,
                (yes, no) if yes < no => Outcome::Rejected,
                _ => Outcome::Tied,
            };
            let (abstain, silent) = (who(Some(Side::Abstain)), who(None));
            OfOption {
                id: option.id.clone(),
                text: option.text.clone(),
                r#for,
                against,
                abstain,
                silent,
                outcome,
            }
        })
        .collect();
    let lead = |option: &OfOption| option.r#for.len().saturating_sub(option.against.len());
    let most = options.iter().map(lead).max().unwrap_or_default();
    let leading = options.iter().filter(|option| most > 0 && lead(option) == most);
    let leading = leading.map(|option| option.id.clone()).collect();
    Tally { round: round.round, options, leading }
}

/// Who voted against what carried, or for what was rejected.
fn outvoted(tally: &Tally, rounds: &[&HeldRound]) -> Vec<Dissent> {
    let Some(round) = rounds.iter().find(|round| round.round == tally.round) else { return Vec::new() };
    let mut dissent = Vec::new();
    for option in &tally.options {
        let lost = match option.outcome {
            Outcome::Carried => Side::Against,
            Outcome::Rejected => Side::For,
            Outcome::Tied | Outcome::Open => continue,
        };
        for turn in &round.turns {
            let votes = turn.ballot.iter().flat_map(|ballot| &ballot.votes);
            dissent.extend(votes.filter(|vote| vote.option == option.id && vote.choice == lost).map(
                |vote| Dissent {
                    employee: turn.employee.clone(),
                    about: option.text.clone(),
                    against: None,
                    why: vote.why.clone(),
                },
            ));
        }
    }
    dissent
}

/// The objections of the last ballot of each that the other has not accepted since.
fn upheld(rounds: &[&HeldRound], members: &[String]) -> Vec<Dissent> {
    let mut dissent = Vec::new();
    for name in members {
        let last = rounds.iter().rev().find_map(|round| {
            let turn = round.turns.iter().find(|turn| turn.employee == *name)?;
            Some((round.round, turn.ballot.as_ref()?))
        });
        let Some((number, ballot)) = last else { continue };
        let since: Vec<&HeldRound> = rounds.iter().copied().filter(|round| round.round >= number).collect();
        let accepted: BTreeSet<&str> = since
            .iter()
            .flat_map(|round| round.all_turns())
            .filter(|turn| {
                let answers = turn.ballot.iter().flat_map(|ballot| &ballot.answers);
                answers.into_iter().any(|to| to.to == *name && to.verdict == Verdict::Accepted)
            })
            .map(|turn| turn.employee.as_str())
            .collect();
        let open = ballot.object.iter().filter(|objection| !accepted.contains(objection.with.as_str()));
        dissent.extend(open.map(|Stance { with, on, why }| Dissent {
            employee: name.clone(),
            about: on.clone(),
            against: Some(with.clone()),
            why: why.clone(),
        }));
    }
    dissent
}

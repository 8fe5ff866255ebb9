//! What is asked of a turn and can be counted, and whether it was met.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ballot::Ballot;
use crate::defs::{Interaction, Participant, Round};

/// Something that was asked of a turn.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Quota {
    /// What it is about.
    pub rule: Rule,
    /// What was asked for.
    pub wanted: String,
    /// What was counted.
    pub had: String,
    /// Whether that is enough.
    pub met: bool,
}

/// What can be asked of a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// Objecting so often; `min_disagreements`, and once where a round is for challenges.
    MinDisagreements,
    /// Objecting to somebody, by the end of the discussion; `must_challenge`.
    MustChallenge,
    /// Agreeing with no more than this share of what it takes a stand on; `max_agree_ratio`.
    MaxAgreeRatio,
    /// Speaking to somebody by name; `require_direct_reply`.
    DirectReply,
    /// Answering everybody who had objected.
    Response,
    /// Asking somebody.
    Questions,
    /// Bringing at least two ideas.
    Ideas,
    /// Voting on every option.
    Vote,
    /// Speaking no longer than this, a fifth more being let pass; `max_words_per_turn`.
    MaxWords,
}

/// What a turn is measured by.
#[derive(Debug)]
pub(super) struct Asked<'a> {
    /// The rules of the round.
    pub(super) round: &'a Round,
    /// Whether somebody has spoken before: what nobody has said cannot be contradicted.
    pub(super) is_first: bool,
    /// The rules for the participant.
    pub(super) part: &'a Participant,
    /// Whom it must contradict, by the names of the employees.
    pub(super) must_challenge: &'a [String],
    /// Whom it has contradicted in earlier rounds.
    pub(super) challenged: &'a BTreeSet<String>,
    /// Who had objected to it in the round before.
    pub(super) objectors: &'a BTreeSet<String>,
    /// Ids of what is voted on.
    pub(super) options: &'a [&'a str],
}

/// The share of agreement among the stands that were taken; `None` when none was.
pub(super) fn ratio(agreements: usize, objections: usize) -> Option<f64> {
    let all = agreements + objections;
    #[expect(clippy::cast_precision_loss, reason = "a ballot has at most 20 entries of a kind")]
    (all > 0).then(|| agreements as f64 / all as f64)
}

/// What is asked of a turn, and whether it is met. Without a ballot nothing is that is counted from it.
pub(super) fn quotas(asked: &Asked<'_>, ballot: Option<&Ballot>, words: usize) -> Vec<Quota> {
    let mut quotas = Vec::new();
    let mut note = |rule, wanted: String, had: Option<(String, bool)>| {
        let (had, met) = had.unwrap_or_else(|| ("no ballot".to_owned(), false));
        quotas.push(Quota { rule, wanted, had, met });
    };
    let interaction = asked.round.interaction;
    let objections = |ballot: &Ballot| ballot.object.len();
    if !asked.is_first && may_object(interaction) {
        let for_challenges = matches!(interaction, Interaction::Challenge | Interaction::SteelmanThenAttack);
        let least = asked.round.min_disagreements.max(u32::from(for_challenges));
        if least > 0 {
            let had = ballot.map(|ballot| {
                let count = objections(ballot);
                (count.to_string(), u32::try_from(count).unwrap_or(u32::MAX) >= least)
            });
            note(Rule::MinDisagreements, format!("at least {least}"), had);
        }
        let due: Vec<&str> = asked
            .must_challenge
            .iter()
            .filter(|name| !asked.challenged.contains(*name))
            .map(String::as_str)
            .collect();
        if !due.is_empty() {
            let had = ballot.map(|ballot| {
                let done: Vec<&str> = due
                    .iter()
                    .copied()
                    .filter(|name| ballot.object.iter().any(|to| to.with == *name))
                    .collect();
                (if done.is_empty() { "nobody".to_owned() } else { done.join(", ") }, done.len() == due.len())
            });
            note(Rule::MustChallenge, due.join(", "), had);
        }
        let most = asked.part.max_agree_ratio;
        if most < 1.0 {
            let had = ballot.map(|ballot| match ratio(ballot.agree.len(), objections(ballot)) {
                None => ("no stand".to_owned(), true),
                Some(share) => (per_cent(share), share <= most + f64::EPSILON),
            });
            note(Rule::MaxAgreeRatio, format!("at most {}", per_cent(most)), had);
        }
    }
    if !asked.is_first && asked.round.require_direct_reply {
        let had = ballot.map(|ballot| {
            let count =
                ballot.agree.len() + ballot.object.len() + ballot.answers.len() + ballot.questions.len();
            (count.to_string(), count > 0)
        });
        note(Rule::DirectReply, "at least 1".to_owned(), had);
    }
    match interaction {
        Interaction::Response if !asked.objectors.is_empty() => {
            let had = ballot.map(|ballot| {
                let missing: Vec<&str> = asked
                    .objectors
                    .iter()
                    .filter(|name| !ballot.answers.iter().any(|answer| answer.to == **name))
                    .map(String::as_str)
                    .collect();
                let told =
                    if missing.is_empty() { "all".to_owned() } else { format!("not {}", missing.join(", ")) };
                (told, missing.is_empty())
            });
            let names: Vec<&str> = asked.objectors.iter().map(String::as_str).collect();
            note(Rule::Response, names.join(", "), had);
        }
        Interaction::CrossExamine if !asked.is_first => {
            let had = ballot.map(|ballot| (ballot.questions.len().to_string(), !ballot.questions.is_empty()));
            note(Rule::Questions, "at least 1".to_owned(), had);
        }
        Interaction::Brainstorm => {
            let had = ballot.map(|ballot| (ballot.proposals.len().to_string(), ballot.proposals.len() >= 2));
            note(Rule::Ideas, "at least 2".to_owned(), had);
        }
        Interaction::Vote => {
            let had = ballot
                .map(|ballot| (ballot.votes.len().to_string(), ballot.votes.len() == asked.options.len()));
            note(Rule::Vote, asked.options.len().to_string(), had);
        }
        _ => {}
    }
    let most = asked.round.max_words_per_turn;
    if most > 0 {
        let allowed = usize::try_from(most).unwrap_or(usize::MAX);
        let met = words <= allowed.saturating_add(allowed / 5);
        note(Rule::MaxWords, format!("at most {most}"), Some((words.to_string(), met)));
    }
    quotas
}

/// Whether objecting has a place in such a round.
fn may_object(interaction: Interaction) -> bool {
    !matches!(interaction, Interaction::Brainstorm | Interaction::Vote | Interaction::Response)
}

/// `66.7 %` and the like.
pub(super) fn per_cent(share: f64) -> String {
    let text = format!("{:.1}", share * 100.0);
    format!("{}%", text.strip_suffix(".0").unwrap_or(&text))
}

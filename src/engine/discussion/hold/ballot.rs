//! What participants say in a form that can be counted: a block of JSON at the end of each turn.
//!
//! It is looked for leniently (any fence, or none; keys nobody knows and `null` are passed over) and then held to what
//! it means: names are those of others who take part, votes are on options there are. What it says is data: it is
//! counted, shown in quotes, and never becomes part of an instruction.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::base::text::truncate;

/// Most entries of one list.
const MOST_ENTRIES: usize = 20;
/// Most characters of an entry; what is longer is cut.
const ENTRY_CHARS: usize = 500;

/// What a participant says in a form that can be counted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Ballot {
    /// Where it stands, in a sentence.
    #[serde(deserialize_with = "line", skip_serializing_if = "String::is_empty")]
    pub position: String,
    /// Whether it says that it has moved since it last spoke.
    pub changed: bool,
    /// What it holds to be so.
    #[serde(deserialize_with = "lines", skip_serializing_if = "Vec::is_empty")]
    pub claims: Vec<String>,
    /// What that rests on.
    #[serde(deserialize_with = "lines", skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<String>,
    /// What it proposes to do.
    #[serde(deserialize_with = "lines", skip_serializing_if = "Vec::is_empty")]
    pub proposals: Vec<String>,
    /// With whom it agrees, and on what.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub agree: Vec<Stance>,
    /// To whom it objects, on what, and why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub object: Vec<Stance>,
    /// What it makes of objections to what it said.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub answers: Vec<Response>,
    /// What it asks of others.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub questions: Vec<Question>,
    /// How it votes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub votes: Vec<Vote>,
}

/// Agreement or objection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Stance {
    /// Name of the other.
    #[serde(deserialize_with = "line")]
    pub with: String,
    /// On what.
    #[serde(deserialize_with = "line")]
    pub on: String,
    /// Why.
    #[serde(default, deserialize_with = "line", skip_serializing_if = "String::is_empty")]
    pub why: String,
}

/// An answer to an objection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Response {
    /// Name of the one who objected.
    #[serde(deserialize_with = "line")]
    pub to: String,
    /// What it makes of it.
    pub verdict: Verdict,
    /// Why.
    #[serde(default, deserialize_with = "line", skip_serializing_if = "String::is_empty")]
    pub why: String,
}

/// What somebody makes of an objection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// It is right.
    Accepted,
    /// It is right in part.
    Partly,
    /// It is wrong.
    Refuted,
}

/// A question to somebody.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Question {
    /// Name of the one who is asked.
    #[serde(deserialize_with = "line")]
    pub to: String,
    /// What is asked.
    #[serde(deserialize_with = "line")]
    pub question: String,
}

/// A vote on one option.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Vote {
    /// Id of the option.
    #[serde(deserialize_with = "line")]
    pub option: String,
    /// Which way.
    pub choice: Side,
    /// Why.
    #[serde(default, deserialize_with = "line", skip_serializing_if = "String::is_empty")]
    pub why: String,
}

/// Which way a vote goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// For it.
    For,
    /// Against it.
    Against,
    /// Neither.
    Abstain,
}

/// What the names in a ballot may be.
#[derive(Debug, Default)]
pub(super) struct Register<'r> {
    /// Who fills it in.
    pub(super) me: &'r str,
    /// All who take part: the name of each, and what else they are called.
    pub(super) names: Vec<(&'r str, Vec<String>)>,
    /// Ids of the options of a vote; none when this is no vote.
    pub(super) options: Vec<&'r str>,
}

impl Register<'_> {
    /// The name of the other that `written` means.
    fn other(&self, written: &str) -> Result<String, Fault> {
        let plain = |name: &str| name.trim().trim_matches('`').to_lowercase();
        let wanted = plain(written);
        let known = self.names.iter().find(|(name, others)| {
            plain(name) == wanted || others.iter().any(|other| !other.is_empty() && plain(other) == wanted)
        });
        match known {
            Some((name, _)) if *name == self.me => Err(Fault::Self_),
            Some((name, _)) => Ok((*name).to_owned()),
            None => {
                let others = self.names.iter().map(|(name, _)| *name).filter(|name| *name != self.me);
                Err(Fault::Stranger {
                    name: truncate(written, 60),
                    known: others.map(str::to_owned).collect(),
                })
            }
        }
    }
}

/// Why a ballot cannot be used, told to the model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fault {
    Missing,
    NoJson(String),
    Self_,
    Stranger { name: String, known: Vec<String> },
    TooMany(&'static str),
    NoOption { id: String, known: Vec<String> },
    Twice(String),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("there is no block of JSON at the end"),
            Self::NoJson(fault) => write!(f, "it is no ballot: {fault}"),
            Self::Self_ => f.write_str("`with` and `to` name others, not yourself"),
            Self::Stranger { name, known } => {
                write!(f, "nobody called `{name}` takes part; there is {}", quoted(known))
            }
            Self::TooMany(list) => write!(f, "`{list}` has more than {MOST_ENTRIES} entries"),
            Self::NoOption { id, known } => {
                write!(f, "there is no option `{id}` to vote on; there is {}", quoted(known))
            }
            Self::Twice(id) => write!(f, "there are two votes on `{id}`"),
        }
    }
}

fn quoted(names: &[String]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// Cuts what was said into the speech and the block at its end that may be a ballot.
pub(super) fn split(said: &str) -> (String, Option<&str>) {
    if let Some((from, inner, to)) = last_block(said) {
        let before = said.get(..from).unwrap_or_default().trim_end();
        let after = said.get(to..).unwrap_or_default().trim();
        let speech = if after.is_empty() { before.to_owned() } else { format!("{before}\n\n{after}") };
        return (speech.trim().to_owned(), Some(inner.trim()));
    }
    // Without a fence: the last line that begins an object which reaches to the end.
    let mut starts: Vec<usize> = said.match_indices('\n').map(|(at, _)| at + 1).collect();
    starts.insert(0, 0);
    for at in starts.into_iter().rev() {
        let rest = said.get(at..).unwrap_or_default();
        if rest.starts_with('{') && is_json(rest) {
            return (said.get(..at).unwrap_or_default().trim().to_owned(), Some(rest.trim()));
        }
    }
    (said.trim().to_owned(), None)
}

fn is_json(text: &str) -> bool {
    serde_json::from_str::<serde::de::IgnoredAny>(text.trim()).is_ok()
}

/// The last object in a fence, better one that is JSON: where its fence begins, what is in it, where that ends. It is looked
/// for from the end, so that no fence left open before it hides it; one that is not closed reaches to the end.
fn last_block(said: &str) -> Option<(usize, &str, usize)> {
    let mut fences = Vec::new();
    let mut at = 0;
    for line in said.split_inclusive('\n') {
        let marks = line.trim_start().chars().take_while(|letter| *letter == '`').count();
        if marks >= 3 {
            let is_bare = line.trim().chars().all(|letter| letter == '`');
            fences.push((at, at + line.len(), marks, is_bare));
        }
        at += line.len();
    }
    let mut broken = None;
    for (place, (from, inside, marks, _)) in fences.iter().enumerate().rev() {
        let close = fences.iter().skip(place + 1).find(|(_, _, other, is_bare)| *is_bare && other >= marks);
        let (end, to) = close.map_or((said.len(), said.len()), |(begin, end, ..)| (*begin, *end));
        let inner = said.get(*inside..end).unwrap_or_default();
        if !inner.trim_start().starts_with('{') {
            continue;
        }
        let found = Some((*from, inner, to));
        if is_json(inner) {
            return found;
        }
        broken = broken.or(found);
    }
    broken
}

/// Reads a ballot.
///
/// # Errors
/// What is wrong with it, for the model to do better.
pub(super) fn read(block: Option<&str>, register: &Register<'_>) -> Result<Ballot, Fault> {
    let block = block.ok_or(Fault::Missing)?;
    let no_json = |error: serde_json::Error| Fault::NoJson(truncate(&error.to_string(), 200));
    let mut value: Value = serde_json::from_str(block).map_err(no_json)?;
    without_null(&mut value);
    let mut ballot: Ballot = serde_json::from_value(value).map_err(no_json)?;
    let lists = [
        ("claims", ballot.claims.len()),
        ("evidence", ballot.evidence.len()),
        ("proposals", ballot.proposals.len()),
        ("agree", ballot.agree.len()),
        ("object", ballot.object.len()),
        ("answers", ballot.answers.len()),
        ("questions", ballot.questions.len()),
        ("votes", ballot.votes.len()),
    ];
    if let Some((list, _)) = lists.into_iter().find(|(_, count)| *count > MOST_ENTRIES) {
        return Err(Fault::TooMany(list));
    }
    for stance in ballot.agree.iter_mut().chain(&mut ballot.object) {
        stance.with = register.other(&stance.with)?;
    }
    for answer in &mut ballot.answers {
        answer.to = register.other(&answer.to)?;
    }
    for question in &mut ballot.questions {
        question.to = register.other(&question.to)?;
    }
    for place in 0..ballot.votes.len() {
        let Some(vote) = ballot.votes.get(place) else { break };
        let known = register.options.iter().find(|id| id.eq_ignore_ascii_case(vote.option.trim_matches('`')));
        let Some(known) = known else {
            let known = register.options.iter().map(|id| (*id).to_owned()).collect();
            return Err(Fault::NoOption { id: vote.option.clone(), known });
        };
        if ballot.votes.iter().take(place).any(|other| other.option == **known) {
            return Err(Fault::Twice((*known).to_owned()));
        }
        if let Some(vote) = ballot.votes.get_mut(place) {
            (*known).clone_into(&mut vote.option);
        }
    }
    Ok(ballot)
}

/// What is `null` is not there.
fn without_null(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.retain(|_, member| !member.is_null());
            members.values_mut().for_each(without_null);
        }
        Value::Array(items) => {
            items.retain(|item| !item.is_null());
            items.iter_mut().for_each(without_null);
        }
        _ => {}
    }
}

/// A text as one line of bounded length.
fn one_line(text: &str) -> String {
    truncate(&text.split_whitespace().collect::<Vec<_>>().join(" "), ENTRY_CHARS)
}

fn line<'d, D: Deserializer<'d>>(from: D) -> Result<String, D::Error> {
    String::deserialize(from).map(|text| one_line(&text))
}

fn lines<'d, D: Deserializer<'d>>(from: D) -> Result<Vec<String>, D::Error> {
    let texts = Vec::<String>::deserialize(from)?;
    Ok(texts.iter().map(|text| one_line(text)).filter(|text| !text.is_empty()).collect())
}

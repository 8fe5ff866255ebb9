//! Whether a task calls for a skill, and why.

use super::{
    gist::{self, Gist},
    keyword,
    meaning::{Nearness, told},
};
use crate::defs::{EmployeeSkill, KeywordMatch, SkillTrigger};

/// Most words that a reason names.
const NAMED: usize = 8;

/// A task, in the forms that skills look at.
pub(super) struct Task {
    folded: String,
    text: String,
    /// Made when the first skill needs it.
    gist: std::cell::OnceCell<Gist>,
}

impl Task {
    pub(super) fn of(text: &str) -> Self {
        Self { folded: keyword::folded(text), text: text.to_owned(), gist: std::cell::OnceCell::new() }
    }

    /// Which of `keywords` are in the task.
    fn found<'k>(&self, keywords: &'k [String]) -> Vec<&'k str> {
        let is_there = |word: &&String| keyword::is_in(&keyword::folded(word), &self.folded);
        keywords.iter().filter(is_there).map(String::as_str).collect()
    }

    fn gist(&self) -> &Gist {
        self.gist.get_or_init(|| gist::of(&self.text))
    }
}

/// What is said of a skill.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Verdict {
    /// Whether the task calls for it.
    pub(super) fires: bool,
    /// How well it fits, from 0 to 1.
    pub(super) score: f64,
    /// Why, or why not.
    pub(super) because: String,
}

impl Verdict {
    pub(super) fn of(skill: &EmployeeSkill, task: &Task, nearness: &Nearness) -> Self {
        if !skill.enabled {
            return Self::no(0.0, "it is not enabled");
        }
        match &skill.trigger {
            SkillTrigger::Always => Self { fires: true, score: 1.0, because: "it always is".to_owned() },
            SkillTrigger::Keyword { keywords, found: KeywordMatch::All } => {
                let found = task.found(keywords);
                if found.len() == keywords.len() {
                    return Self::words(&found);
                }
                let missing = keywords.iter().map(String::as_str).filter(|word| !found.contains(word));
                Self::no(0.0, &format!("the task lacks {}", named(missing)))
            }
            SkillTrigger::Keyword { keywords, found: KeywordMatch::Any } => match task.found(keywords) {
                found if found.is_empty() => Self::no(0.0, "none of its keywords is in the task"),
                found => Self::words(&found),
            },
            SkillTrigger::Semantic { keywords, threshold, .. } => {
                let found = task.found(keywords);
                if !found.is_empty() {
                    return Self::words(&found);
                }
                let by_words = Self::by_gist(skill, *threshold, task);
                match nearness.of(skill) {
                    Some((near, floor)) if !by_words.fires => Self::by_meaning(near, floor, &by_words),
                    _ => by_words,
                }
            }
        }
    }

    /// More words are better, and one that is not there takes nothing away.
    fn words(found: &[&str]) -> Self {
        let count = i32::try_from(found.len()).unwrap_or(i32::MAX);
        let because = format!("{} in the task", named(found.iter().copied()));
        Self { fires: true, score: 1.0 - 0.5_f64.powi(count), because }
    }

    fn by_meaning(near: f64, floor: f64, by_words: &Self) -> Self {
        let because = format!("its meaning is {near:.2} near (from {floor:.2} on it fits)");
        if near >= floor {
            return Self { fires: true, score: near.min(1.0), because };
        }
        let score = by_words.score.max(near.clamp(0.0, 1.0));
        Self::no(score, &format!("{}, and {because}", by_words.because))
    }

    fn by_gist(skill: &EmployeeSkill, threshold: f64, task: &Task) -> Self {
        let shares = told(skill).map(|text| gist::share(&gist::of(text), task.gist()));
        let best = shares.max_by(|(a, _), (b, _)| a.total_cmp(b));
        let (score, common) = best.unwrap_or_default();
        let share = format!("the task shares {score:.2} with it (from {threshold:.2} on it fits)");
        if common.is_empty() {
            return Self {
                fires: threshold <= 0.0,
                score,
                because: "it has no word in common with the task".to_owned(),
            };
        }
        let common = named(common.iter().map(String::as_str));
        Self { fires: score >= threshold, score, because: format!("{share}: {common}") }
    }

    fn no(score: f64, because: &str) -> Self {
        Self { fires: false, score, because: because.to_owned() }
    }
}

fn named<'w>(words: impl Iterator<Item = &'w str>) -> String {
    let mut words = words.map(|word| format!("`{word}`"));
    let mut named: Vec<String> = words.by_ref().take(NAMED).collect();
    let more = words.count();
    if more > 0 {
        named.push(format!("{more} more"));
    }
    named.join(", ")
}

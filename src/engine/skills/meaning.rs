//! What tasks mean, and how near skills are to it, where an embedder says so in time.
//!
//! Without one everything goes by words, and so it does for whatever the embedder was not asked of.

use std::collections::HashMap;

use super::bring;
use crate::{
    catalog::SkillEntry,
    defs::{EmployeeSkill, SkillAction, SkillTrigger},
    engine::{
        Crew,
        memory::{Question, index::Meaning},
    },
};

/// Most texts of skills that a task is compared with; those beyond go by their words.
const MOST_TEXTS: usize = 64;

/// How near texts of skills are to a task.
#[derive(Debug, Default)]
pub(super) struct Nearness {
    cosines: HashMap<String, f32>,
    /// From where on it is about the same, unless a skill says otherwise.
    floor: f32,
}

impl Nearness {
    /// The nearest of the texts that tell what `skill` is for, and from where on that is near enough.
    pub(super) fn of(&self, skill: &EmployeeSkill) -> Option<(f64, f64)> {
        let SkillTrigger::Semantic { embedding_threshold, .. } = &skill.trigger else { return None };
        let cosines = told(skill).filter_map(|text| self.cosines.get(text).copied());
        let nearest = cosines.max_by(f32::total_cmp)?;
        Some((f64::from(nearest), embedding_threshold.unwrap_or_else(|| f64::from(self.floor))))
    }
}

/// What is asked of memories, and what that means.
#[derive(Debug, Default)]
pub(super) struct Asked(HashMap<String, Meaning>);

impl Asked {
    /// `about` with what it means, if that is known.
    pub(super) fn question<'q>(&'q self, about: &'q str) -> Question<'q> {
        Question { text: about, meaning: self.0.get(about) }
    }
}

impl Crew {
    /// How near those of `skills` that look for meaning are to `task`.
    pub(super) async fn nearness(&self, skills: &[SkillEntry], task: &str) -> Nearness {
        let looking = skills.iter().map(|entry| &*entry.skill).filter(|skill| is_looking(skill));
        let texts: Vec<_> = looking.flat_map(told).take(MOST_TEXTS).collect();
        let Some(embedder) = self.embedder().filter(|_| !texts.is_empty() && !task.trim().is_empty()) else {
            return Nearness::default();
        };
        let all: Vec<_> = std::iter::once(task).chain(texts.iter().copied()).collect();
        let meanings = embedder.meanings_of(&all).await.unwrap_or_default();
        let Some((task, others)) = meanings.split_first() else { return Nearness::default() };
        let cosines =
            texts.iter().zip(others).map(|(text, other)| ((*text).to_owned(), task.nearness(other)));
        Nearness { cosines: cosines.collect(), floor: task.floor }
    }

    /// What those of `skills` that ask memories about `task` mean by it.
    pub(super) async fn asked<'s>(
        &self,
        skills: impl Iterator<Item = &'s EmployeeSkill>,
        task: &str,
    ) -> Asked {
        let lookups = skills.flat_map(|skill| &skill.actions).filter_map(|action| match action {
            SkillAction::QueryMemory(lookup) => Some(bring::about(lookup, task)),
            _ => None,
        });
        let mut asked = HashMap::new();
        for about in lookups {
            if !asked.contains_key(&about)
                && let Some(meaning) = self.meaning(&about).await
            {
                asked.insert(about, meaning);
            }
        }
        Asked(asked)
    }
}

fn is_looking(skill: &EmployeeSkill) -> bool {
    skill.enabled && matches!(skill.trigger, SkillTrigger::Semantic { .. })
}

/// What tells what a skill is for.
pub(super) fn told(skill: &EmployeeSkill) -> impl Iterator<Item = &str> {
    let examples = match &skill.trigger {
        SkillTrigger::Semantic { examples, .. } => examples.as_slice(),
        _ => &[],
    };
    std::iter::once(skill.description.as_str())
        .chain(examples.iter().map(String::as_str))
        .filter(|text| !text.trim().is_empty())
}

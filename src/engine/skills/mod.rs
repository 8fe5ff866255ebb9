//! What the skills of an employee lay before it: which of them a task calls for, what they bring, and how often that was.
//!
//! It is the same wherever a prompt comes from. What goes to a model is counted; who only looks at a prompt changes
//! nothing.

mod bring;
mod checklist;
mod gist;
mod keyword;
mod meaning;
mod section;
mod statistics;
mod trial;
mod verdict;

use std::sync::Arc;

pub(super) use self::section::is_in;
use self::{
    bring::Reader,
    meaning::{Asked, Nearness},
    verdict::Verdict,
};
pub use self::{
    statistics::{SkillCount, Skills},
    trial::{SkillAnswer, SkillTrial, TriedSkill},
};
use super::{
    Crew,
    memory::{Clearance, Holder},
    prompt,
    surroundings::Language,
};
use crate::{
    base::{clock::Stopwatch, metric},
    catalog::SkillEntry,
    defs::{Employee, EmployeeSkill},
    tasks::TaskId,
};

/// Most skills that are used for one task; those that go before others are.
pub const MOST_SKILLS: usize = 3;

/// What skills lay before an employee.
#[derive(Debug, Default)]
pub(super) struct Brought {
    /// The part of the prompt; none when no skill was called for.
    pub(super) section: Option<String>,
    used: Vec<Used>,
}

/// A skill that was used.
#[derive(Debug, Clone)]
struct Used {
    skill: Arc<EmployeeSkill>,
    score: f64,
    /// How many bytes of the prompt are its.
    bytes: usize,
    /// Actions that gave nothing because something is wrong.
    failed: usize,
    took_ms: u64,
}

impl Crew {
    /// What the skills of `employee` lay before it for `task`. `remembered` is in its prompt anyway, and not told twice.
    pub(super) async fn brought(&self, employee: &Employee, task: &str, remembered: Option<&str>) -> Brought {
        let definitions = self.definitions().await;
        let skills = definitions.skills_of(&employee.name);
        if skills.is_empty() {
            return Brought::default();
        }
        let mut called = self.judged(skills, task).await;
        called.retain(|(_, verdict)| verdict.fires);
        called.truncate(MOST_SKILLS);
        let asked = self.asked(called.iter().map(|(entry, _)| &*entry.skill), task).await;
        let order = Order { asked, ..self.skill_order(employee, task, remembered) };
        let name = employee.name.clone();
        let work = tokio::task::spawn_blocking(move || order.fill(&called));
        work.await.unwrap_or_else(|error| {
            tracing::error!(employee = name, %error, "a prompt goes without what skills bring");
            Brought::default()
        })
    }

    /// All of `skills` with what is said of each: by priority, then by how well they fit, then by name.
    async fn judged(&self, skills: &[SkillEntry], task: &str) -> Vec<(SkillEntry, Verdict)> {
        let nearness = self.nearness(skills, task).await;
        let (skills, task) = (skills.to_vec(), task.to_owned());
        // Words are told apart with a dictionary, which may have to be read.
        let judging = tokio::task::spawn_blocking(move || judged(&skills, &task, &nearness));
        judging.await.unwrap_or_else(|error| {
            tracing::error!(%error, "skills could not be judged");
            Vec::new()
        })
    }

    fn skill_order(&self, employee: &Employee, task: &str, remembered: Option<&str>) -> Order {
        let clearance = employee.memory.as_ref().and_then(|memory| memory.clearance).unwrap_or_default();
        Order {
            root: self.root().to_owned(),
            memory: self.has_memory(employee).then(|| Arc::clone(self.memory())),
            holder: Holder::of(employee),
            clearance: Clearance::of(employee, clearance),
            instructions: employee.body.clone(),
            language: prompt::language(employee),
            task: task.to_owned(),
            asked: Asked::default(),
            remembered: remembered.unwrap_or_default().to_owned(),
        }
    }

    /// Counts what was brought before `employee`, once it goes to a model. Work does not fail because it cannot be counted.
    pub(super) async fn count_skills(&self, employee: &str, brought: &Brought, task: Option<&TaskId>) {
        for used in &brought.used {
            let kind = used.skill.trigger.kind();
            metrics::counter!(metric::SKILLS, "type" => kind).increment(1);
            metrics::counter!(metric::SKILL_BYTES, "type" => kind).increment(used.bytes as u64);
            self.skills().note(employee, used, task).await;
        }
    }
}

/// Everything that is needed to use skills, where it may wait for the disk.
struct Order {
    root: std::path::PathBuf,
    /// None where nothing is remembered.
    memory: Option<Arc<super::memory::Memory>>,
    holder: Holder,
    clearance: Clearance,
    /// Those of the employee, whose sections a checklist may name.
    instructions: String,
    language: Language,
    task: String,
    asked: Asked,
    remembered: String,
}

impl Order {
    /// Has skills bring what they do, within the bounds of a prompt.
    fn fill(&self, skills: &[(SkillEntry, Verdict)]) -> Brought {
        let mut section = section::Section::new(self.language);
        let mut used = Vec::new();
        for (entry, verdict) in skills {
            let watch = Stopwatch::start();
            let pieces = Reader { order: self, folder: folder_of(&entry.path) }.bring(&entry.skill);
            let failed = pieces.iter().filter(|piece| piece.is_err()).count();
            let bytes = section.add(&entry.skill.name, pieces.iter().flatten());
            for problem in pieces.iter().filter_map(|piece| piece.as_ref().err()) {
                tracing::warn!(skill = entry.path, problem, "a skill cannot bring what it is to");
            }
            used.push(Used {
                skill: Arc::clone(&entry.skill),
                score: verdict.score,
                bytes,
                failed,
                took_ms: watch.elapsed_ms(),
            });
        }
        Brought { section: section.end(), used }
    }
}

fn judged(skills: &[SkillEntry], task: &str, nearness: &Nearness) -> Vec<(SkillEntry, Verdict)> {
    let task = verdict::Task::of(task);
    let mut judged: Vec<_> =
        skills.iter().map(|entry| (entry.clone(), Verdict::of(&entry.skill, &task, nearness))).collect();
    judged.sort_by(|(a, of_a), (b, of_b)| {
        let priority = b.skill.metadata.priority.cmp(&a.skill.metadata.priority);
        let score = of_b.score.total_cmp(&of_a.score);
        priority.then(score).then_with(|| a.skill.name.cmp(&b.skill.name))
    });
    judged
}

/// The folder that a file is in, both from the root of the project.
fn folder_of(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

#[cfg(test)]
mod tests;

//! What the skills of an employee lay before it: which of them a task calls for, what they bring, and how often that was.
//!
//! It is the same wherever a prompt comes from. What goes to a model is counted; who only looks at a prompt changes
//! nothing.

mod bring;
mod checklist;
mod gist;
mod keyword;
mod section;
mod statistics;
mod trial;
mod verdict;

use std::sync::Arc;

pub(super) use self::section::is_in;
use self::{bring::Reader, verdict::Verdict};
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
        let (skills, order) = (skills.to_vec(), self.skill_order(employee, task, remembered));
        let name = employee.name.clone();
        let work = tokio::task::spawn_blocking(move || order.fill(&called_for(&skills, &order.task)));
        work.await.unwrap_or_else(|error| {
            tracing::error!(employee = name, %error, "a prompt goes without what skills bring");
            Brought::default()
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

/// The skills that `task` calls for, those first that go before others; no more than a prompt holds.
fn called_for(skills: &[SkillEntry], task: &str) -> Vec<(SkillEntry, Verdict)> {
    let mut called = judged(skills, task);
    called.retain(|(_, verdict)| verdict.fires);
    called.truncate(MOST_SKILLS);
    called
}

/// All skills with what is said of each: by priority, then by how well they fit, then by name.
fn judged(skills: &[SkillEntry], task: &str) -> Vec<(SkillEntry, Verdict)> {
    let task = verdict::Task::of(task);
    let mut judged: Vec<_> =
        skills.iter().map(|entry| (entry.clone(), Verdict::of(&entry.skill, &task))).collect();
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

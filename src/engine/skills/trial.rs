//! Skills as people look at them: which there are, how often they were used, and what one would bring.

use std::{collections::HashMap, sync::Arc};

use schemars::JsonSchema;
use serde::Serialize;

use super::{MOST_SKILLS, Order, SkillCount, bring::Reader, folder_of, section::Section};
use crate::{
    base::blocking,
    catalog::{SkillEntry, Snapshot},
    defs::{Employee, EmployeeSkill},
    engine::{Crew, Error},
};

/// A skill, whose it is, where it comes from and how often it was used.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct SkillAnswer {
    /// Name of the employee.
    pub employee: String,
    /// The skill.
    #[serde(flatten)]
    pub skill: Arc<EmployeeSkill>,
    /// Its file, from the root of the project.
    pub path: String,
    /// How often it was used.
    pub statistics: SkillCount,
}

/// What skills make of a task.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct SkillTrial {
    /// Name of the employee.
    pub employee: String,
    /// All skills of the employee, those first that go before others.
    pub skills: Vec<TriedSkill>,
    /// What a prompt would hold; none when no skill brings anything.
    pub section: Option<String>,
}

/// What a skill makes of a task.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct TriedSkill {
    /// Its name.
    pub name: String,
    /// The kind of its trigger.
    pub trigger: &'static str,
    /// The task calls for it.
    pub fires: bool,
    /// It is used: the task calls for it, and not for too many others that go before it.
    pub used: bool,
    /// How well it fits, from 0 to 1.
    pub score: f64,
    /// Why it is called for, or why not.
    pub because: String,
    /// How many bytes of the prompt would be its.
    pub bytes: usize,
    /// What it cannot do, and why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<String>,
}

impl Crew {
    /// The skills of `employee`, or of all, by employee and in the order of their files, with how often they were used.
    ///
    /// # Errors
    /// [`Error::UnknownEmployee`].
    pub async fn skills_with_counts(&self, employee: Option<&str>) -> Result<Vec<SkillAnswer>, Error> {
        let definitions = self.definitions().await;
        let only = match employee {
            Some(name) => Some(self.employee(name).await?),
            None => None,
        };
        let counts = self.skill_counts().await;
        let names = definitions.employee_names();
        let names = names.filter(|name| only.as_ref().is_none_or(|only| only.name == **name));
        let mut found = Vec::new();
        for name in names {
            found.extend(definitions.skills_of(name).iter().map(|SkillEntry { skill, path }| {
                let count = counts.iter().find(|count| count.employee == name && count.skill == skill.name);
                let none = || SkillCount {
                    employee: name.to_owned(),
                    skill: skill.name.clone(),
                    ..SkillCount::default()
                };
                SkillAnswer {
                    employee: name.to_owned(),
                    skill: Arc::clone(skill),
                    path: path.clone(),
                    statistics: count.cloned().unwrap_or_else(none),
                }
            }));
        }
        Ok(found)
    }

    /// How often skills were used, also those that are no longer there, by the names their employees have now.
    pub async fn skill_counts(&self) -> Vec<SkillCount> {
        let skills = Arc::clone(self.skills());
        let counts = tokio::task::spawn_blocking(move || skills.counts()).await.unwrap_or_default();
        named_as_now(counts, &*self.definitions().await)
    }

    /// Tells what the skills of `employee` make of `task`, without using or counting any.
    pub async fn try_skills(&self, employee: &Employee, task: &str) -> SkillTrial {
        let definitions = self.definitions().await;
        let judged = self.judged(definitions.skills_of(&employee.name), task).await;
        let firing = judged.iter().filter(|(_, verdict)| verdict.fires).take(MOST_SKILLS);
        let asked = self.asked(firing.map(|(entry, _)| &*entry.skill), task).await;
        let order = Order { asked, ..self.skill_order(employee, task, None) };
        let work = blocking(move || {
            let mut section = Section::new(order.language);
            let mut used = 0;
            let tried = judged.into_iter().map(|(entry, verdict)| {
                let skill = &entry.skill;
                let is_used = verdict.fires && used < MOST_SKILLS;
                let (mut bytes, mut problems) = (0, Vec::new());
                if is_used {
                    used += 1;
                    let pieces = Reader { order: &order, folder: folder_of(&entry.path) }.bring(skill);
                    bytes = section.add(&skill.name, pieces.iter().flatten());
                    problems.extend(pieces.into_iter().filter_map(Result::err));
                }
                TriedSkill {
                    name: skill.name.clone(),
                    trigger: skill.trigger.kind(),
                    fires: verdict.fires,
                    used: is_used,
                    score: verdict.score,
                    because: verdict.because,
                    bytes,
                    problems,
                }
            });
            let skills: Vec<_> = tried.collect();
            (skills, section.end())
        });
        // None when the program ends.
        let (skills, section) = work.await.unwrap_or_default();
        SkillTrial { employee: employee.name.clone(), skills, section }
    }
}

/// Earlier versions knew employees by other names, and skills by their ids.
fn named_as_now(counts: Vec<SkillCount>, definitions: &Snapshot) -> Vec<SkillCount> {
    let mut now: HashMap<(String, String), SkillCount> = HashMap::new();
    for mut count in counts {
        if let Some(entry) = definitions.employee(&count.employee) {
            count.employee.clone_from(&entry.employee.name);
        }
        let theirs = definitions.skills_of(&count.employee);
        if let Some(known) = theirs.iter().find(|known| known.skill.skill_id == count.skill) {
            count.skill.clone_from(&known.skill.name);
        }
        let key = (count.employee.clone(), count.skill.clone());
        match now.get_mut(&key) {
            Some(other) => other.join(&count),
            None => drop(now.insert(key, count)),
        }
    }
    let mut counts: Vec<_> = now.into_values().collect();
    counts.sort_by(|a, b| (&a.employee, &a.skill).cmp(&(&b.employee, &b.skill)));
    counts
}
